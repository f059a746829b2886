//! How counters lie in Redis: CPU of Redis per decision for five layouts, all in one run. `benches/layouts/README.md` tells
//! what is compared.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark is its output")]

use redis::Connection;
use std::error::Error;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

const DECIDE: &str = include_str!("layouts/decide.lua");
/// The layouts, the one in use first.
const LAYOUTS: [(&str, &str); 5] = [
    ("packed", include_str!("layouts/packed.lua")),
    ("msgpack", include_str!("layouts/msgpack.lua")),
    ("text", include_str!("layouts/text.lua")),
    ("strings", include_str!("layouts/strings.lua")),
    ("hashes", include_str!("layouts/hashes.lua")),
];
const BATCHES: [usize; 3] = [1, 8, 64];
const ROUNDS: usize = 5;
const ACCOUNTS: usize = 2_000;
/// Decisions of one measurement.
const DECISIONS: usize = 20_000;
/// Above 2^32, so that no layout profits from small numbers.
const AMOUNT: u64 = 5_000_000_000;
const LIMIT: u64 = 1 << 52;

fn main() -> ExitCode {
    if !std::env::args().any(|arg| arg == "--bench") {
        // `cargo test --benches` only wants to see that it starts.
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("layouts: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let server = Server::start()?;
    let mut connection = server.connect()?;
    println!("{:>8}  {:>6}  {:>12}  {:>6}", "layout", "batch", "us/decision", "ratio");
    for batch in BATCHES {
        let mut figures: Vec<Vec<f64>> = vec![Vec::new(); LAYOUTS.len()];
        for _ in 0..ROUNDS {
            for (place, (_, layout)) in LAYOUTS.iter().enumerate() {
                figures[place].push(measure(&mut connection, &format!("{layout}{DECIDE}"), batch)?);
            }
        }
        let medians: Vec<f64> = figures.into_iter().map(median).collect();
        for ((name, _), median) in LAYOUTS.iter().zip(&medians) {
            println!("{name:>8}  {batch:>6}  {median:>12.2}  {:>6.2}", median / medians[0]);
        }
    }
    Ok(())
}

/// CPU of Redis per decision, in microseconds: user and system, by its own account.
fn measure(connection: &mut Connection, script: &str, batch: usize) -> Outcome<f64> {
    redis::cmd("FLUSHALL").query::<()>(connection)?;
    let sha: String = redis::cmd("SCRIPT").arg("LOAD").arg(script).query(connection)?;
    let mut next = 0;
    let mut call = |connection: &mut Connection| -> Outcome<usize> {
        let arguments = arguments(&mut next, batch)?;
        Ok(redis::cmd("EVALSHA").arg(&sha).arg(1).arg("counters").arg(arguments).query(connection)?)
    };
    // Every counter is there, and the hash is a table and not a list, before anything is measured.
    for _ in 0..ACCOUNTS.div_ceil(batch) {
        call(connection)?;
    }
    let before = cpu(connection)?;
    let calls = DECISIONS / batch;
    let mut granted = 0;
    for _ in 0..calls {
        granted += call(connection)?;
    }
    if granted != calls * batch {
        return Err(format!("{granted} of {} decisions were granted", calls * batch).into());
    }
    Ok((cpu(connection)? - before).as_secs_f64() * 1e6 / granted as f64)
}

/// `{limit, amount, {{counter, counter}, ...}}`: a user's counter, each time another, and one of a few teams'.
fn arguments(next: &mut usize, batch: usize) -> Outcome<Vec<u8>> {
    let mut out = Vec::new();
    rmp::encode::write_array_len(&mut out, 3)?;
    rmp::encode::write_uint(&mut out, LIMIT)?;
    rmp::encode::write_uint(&mut out, AMOUNT)?;
    rmp::encode::write_array_len(&mut out, u32::try_from(batch)?)?;
    for _ in 0..batch {
        *next += 1;
        rmp::encode::write_array_len(&mut out, 2)?;
        rmp::encode::write_str(&mut out, &format!("user-{:019}", *next % ACCOUNTS))?;
        rmp::encode::write_str(&mut out, &format!("team-{:019}", *next % (ACCOUNTS / 100)))?;
    }
    Ok(out)
}

fn cpu(connection: &mut Connection) -> Outcome<Duration> {
    let info: String = redis::cmd("INFO").arg("cpu").query(connection)?;
    let seconds = |name: &str| -> Outcome<f64> {
        let line = info.lines().find_map(|line| line.strip_prefix(name)).ok_or("INFO cpu lacks a line")?;
        Ok(line.trim_start_matches(':').trim().parse()?)
    };
    Ok(Duration::from_secs_f64(seconds("used_cpu_user:")? + seconds("used_cpu_sys:")?))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// A `redis-server` without persistence, stopped when dropped.
struct Server {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Server {
    fn start() -> Outcome<Server> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = std::env::temp_dir().join(format!("quotad-layouts-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
            .arg(&folder)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server can't be started: {error}"))?;
        Ok(Server { child, port, folder })
    }

    fn connect(&self) -> Outcome<Connection> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/", self.port))?;
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match client.get_connection() {
                Ok(connection) => return Ok(connection),
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to stop.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
