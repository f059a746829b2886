//! The real program as a child: started on free ports, killed, ended, started again on the same data.

use super::cli::{Output, cli};
use super::tempdir::TempDir;
use quotad::domain::time::Timestamp;
use quotad::proto::v1::{
    SetRequest, catalog_service_client::CatalogServiceClient, quota_service_client::QuotaServiceClient,
    test_clock_service_client::TestClockServiceClient, usage_service_client::UsageServiceClient,
};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tonic::transport::{Channel, Endpoint};

/// How to start a server.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    catalog: Option<PathBuf>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    redis: Option<(String, String)>,
    database: Option<String>,
    program: PathBuf,
    ready_within: Duration,
}

impl Options {
    /// An empty server: no catalog, the machine's clock.
    pub(crate) fn new() -> Options {
        let (args, env, ready_within) = (Vec::new(), Vec::new(), Duration::from_secs(30));
        let program = PathBuf::from(env!("CARGO_BIN_EXE_quotad"));
        Options { catalog: None, args, env, redis: None, database: None, program, ready_within }
    }

    /// With an example of `deploy/catalogs`, by its name without `.yaml`.
    pub(crate) fn example(self, name: &str) -> Options {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/catalogs");
        self.catalog(folder.join(format!("{name}.yaml")))
    }

    /// With a catalog file.
    pub(crate) fn catalog(mut self, file: impl Into<PathBuf>) -> Options {
        self.catalog = Some(file.into());
        self
    }

    /// On a hand-wound clock ([`Server::set_clock`]).
    pub(crate) fn test_clock(self) -> Options {
        self.arg("--test-clock")
    }

    /// With counters in that Redis, all keys under `prefix`; the ledger is a file in the data folder unless
    /// [`Options::database`] says otherwise. Without it everything is in the data folder.
    pub(crate) fn redis(mut self, url: &str, prefix: &str) -> Options {
        self.redis = Some((url.to_owned(), prefix.to_owned()));
        self
    }

    /// With ledger and catalog in that database.
    pub(crate) fn database(mut self, url: &str) -> Options {
        self.database = Some(url.to_owned());
        self
    }

    /// Redis' URL and the prefix, if that is where counters are.
    pub(crate) fn redis_place(&self) -> Option<(&str, &str)> {
        self.redis.as_ref().map(|(url, prefix)| (url.as_str(), prefix.as_str()))
    }

    /// The database's URL, if the ledger is not in the data folder.
    pub(crate) fn database_url(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// With one more argument to `serve`.
    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Options {
        self.args.push(arg.into());
        self
    }

    /// With a variable of the environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Options {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another program than the one that is tested, such as the version before.
    pub(crate) fn program(mut self, program: impl Into<PathBuf>) -> Options {
        self.program = program.into();
        self
    }

    /// With more or less patience than 30 s.
    pub(crate) fn ready_within(mut self, time: Duration) -> Options {
        self.ready_within = time;
        self
    }
}

/// A running (or killed) `quotad serve` with a data folder of its own. It ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    options: Options,
    child: Child,
    grpc: String,
    http: String,
    ready_after: Duration,
    /// How many times it was started: each has files of its own for what it prints.
    starts: u32,
    dir: TempDir,
}

impl Server {
    /// Starts one and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(options: Options) -> Server {
        let dir = TempDir::new("server");
        Server::start_in(dir, options)
    }

    /// Starts one in a folder that may hold the data of an earlier one (below `data`).
    #[track_caller]
    pub(crate) fn start_in(dir: TempDir, options: Options) -> Server {
        let child = spawn(&options, dir.path(), 1);
        let (grpc, http) = (String::new(), String::new());
        let mut server = Server { options, child, grpc, http, ready_after: Duration::ZERO, starts: 1, dir };
        server.wait_until_ready();
        server
    }

    /// Where gRPC is answered, as `host:port`.
    pub(crate) fn grpc_addr(&self) -> &str {
        &self.grpc
    }

    /// Where HTTP is answered, as `host:port`.
    pub(crate) fn http_addr(&self) -> &str {
        &self.http
    }

    /// The data folder.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What `quotad verify` says of all that it keeps, while it runs.
    pub(crate) fn verify(&self) -> Output {
        let mut args = vec![String::from("verify"), String::from("--data-dir"), self.data_dir().display().to_string()];
        let redis = self.options.redis_place().map(|(url, prefix)| ["--redis-url", url, "--redis-prefix", prefix]);
        args.extend(redis.into_iter().flatten().map(str::to_owned));
        args.extend(self.options.args.iter().filter(|arg| *arg == "--redis-cluster").cloned());
        args.extend(
            self.options.database_url().into_iter().flat_map(|url| ["--database-url".to_owned(), url.to_owned()]),
        );
        cli(args)
    }

    /// How long the last start took until it was ready.
    pub(crate) fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// The child's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it logged since its last start.
    pub(crate) fn stderr(&self) -> String {
        read(&self.dir.path().join(format!("stderr.{}", self.starts)))
    }

    /// What it printed since its last start.
    pub(crate) fn stdout(&self) -> String {
        read(&self.dir.path().join(format!("stdout.{}", self.starts)))
    }

    /// A new connection, opened at its first use. Needs a Tokio runtime around it.
    pub(crate) fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.grpc)).unwrap();
        endpoint.connect_timeout(Duration::from_secs(5)).tcp_nodelay(true).connect_lazy()
    }

    /// The hot path, on a new connection.
    pub(crate) fn quota(&self) -> QuotaServiceClient<Channel> {
        QuotaServiceClient::new(self.channel())
    }

    /// The catalog, on a new connection.
    pub(crate) fn catalog(&self) -> CatalogServiceClient<Channel> {
        let most = 64 << 20;
        CatalogServiceClient::new(self.channel()).max_decoding_message_size(most).max_encoding_message_size(most)
    }

    /// Usage, on a new connection.
    pub(crate) fn usage(&self) -> UsageServiceClient<Channel> {
        UsageServiceClient::new(self.channel())
    }

    /// Winds the clock of a server started with [`Options::test_clock`].
    pub(crate) async fn set_clock(&self, time: Timestamp) {
        let millis = time.millis();
        let nanos = i32::try_from(millis.rem_euclid(1000) * 1_000_000).unwrap();
        let time = Some(pbjson_types::Timestamp { seconds: millis.div_euclid(1000), nanos });
        TestClockServiceClient::new(self.channel()).set(SetRequest { time }).await.unwrap();
    }

    /// `kill -9`: no warning, no clean-up.
    pub(crate) fn kill_hard(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end (SIGTERM) and waits, at most a minute.
    #[track_caller]
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "does not end after SIGTERM:\n{}", self.stderr());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts it again on the same data (after [`Server::kill_hard`] or [`Server::terminate`]; kills it otherwise). The
    /// addresses are new ones.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.kill_hard();
        }
        self.starts += 1;
        self.child = spawn(&self.options, self.dir.path(), self.starts);
        self.wait_until_ready();
    }

    /// The same with the program that is tested, if it ran another one before.
    #[track_caller]
    pub(crate) fn upgrade(&mut self) {
        self.options.program = Options::new().program;
        self.restart();
    }

    /// Ready is one line of JSON on standard output: `{"grpc":"127.0.0.1:50051","http":"127.0.0.1:8080"}`.
    #[track_caller]
    fn wait_until_ready(&mut self) {
        let begin = Instant::now();
        loop {
            // First the status, then the text: what an ended child printed is all there.
            let ended = self.child.try_wait().unwrap();
            if let Some((line, _)) = self.stdout().split_once('\n') {
                let ready: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
                let text = |name: &str| ready[name].as_str().unwrap_or_else(|| panic!("no {name}: {line}")).to_owned();
                (self.grpc, self.http) = (text("grpc"), text("http"));
                self.ready_after = begin.elapsed();
                return;
            }
            if let Some(status) = ended {
                panic!("serve ended before it was ready ({status}):\n{}", self.stderr());
            }
            let limit = self.options.ready_within;
            assert!(begin.elapsed() < limit, "not ready within {limit:?}:\n{}", self.stderr());
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, and then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = self.stderr();
            let tail: Vec<&str> = log.lines().rev().take(20).collect();
            eprintln!("the server's last lines:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

/// Starts the program; what it prints goes to files, which never block it.
fn spawn(options: &Options, dir: &Path, number: u32) -> Child {
    let mut command = Command::new(&options.program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("QUOTAD_")) {
        command.env_remove(name);
    }
    command.args(["serve", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--data-dir"]);
    command.arg(dir.join("data"));
    if let Some(file) = &options.catalog {
        command.arg("--catalog").arg(file);
    }
    if let Some((url, prefix)) = &options.redis {
        command.args(["--redis-url", url, "--redis-prefix", prefix]);
    }
    if let Some(url) = &options.database {
        command.args(["--database-url", url]);
    }
    command.args(&options.args).envs(options.env.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null());
    command.stdout(File::create(dir.join(format!("stdout.{number}"))).unwrap());
    command.stderr(File::create(dir.join(format!("stderr.{number}"))).unwrap());
    command.spawn().unwrap()
}

/// A file as it is now, empty if it is not there.
fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

#[test]
fn a_server_ends_when_asked_and_starts_again_on_its_data() {
    let mut server = Server::start(Options::new());
    let first = server.pid();
    let status = server.terminate();
    assert!(status.success(), "after SIGTERM: {status}\n{}", server.stderr());
    server.restart();
    assert_ne!(server.pid(), first);
    server.kill_hard();
    server.restart();
    assert!(server.grpc_addr().starts_with("127.0.0.1:") && server.http_addr().starts_with("127.0.0.1:"));
    assert_eq!(server.starts, 3);
}
