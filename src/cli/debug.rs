//! `quotad debug`: what stands in Redis, in readable form.

use super::storage::StorageArgs;
use super::verify::blind;
use crate::app::Storage;
use crate::domain::name::{IdKey, IdSpace, MeterName, Uid};
use crate::engine::ports::CounterKey;
use crate::store::redis::link::Link;
use crate::store::redis::readable::{self, Pick};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

/// How long is waited for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// `quotad debug`.
#[derive(Debug, Args)]
pub struct DebugArgs {
    /// What to look at.
    #[command(subcommand)]
    pub command: DebugCommand,
}

/// What can be looked at.
#[derive(Debug, Subcommand)]
pub enum DebugCommand {
    /// Show one of quotad's keys in Redis; nothing is changed
    Key(Box<KeyArgs>),
}

/// `quotad debug key`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quotad debug key p0:meta --redis-url redis://127.0.0.1
  quotad debug key p0:counters:0 --account tenants/acme/users/u1 --meter training.runs
  quotad debug key p0:reservations --tenant tenants/acme --id r1
  quotad debug key p0:outcomes:1 --tenant tenants/acme --request-id q1
  quotad debug key p0:journal:1 --seq 42 --json

The keys of a partition: meta, tenants, reservations, requests, deadlines, counters:0 and :1, outcomes:0 to :2,
journal:INCARNATION, installation. Without a field it shows how many there are and the first of them. What has a hash for
a name is found by account and meter, or by tenant and id.

Exit status: 0 shown, 1 it is not there, 2 it could not look.")]
pub struct KeyArgs {
    /// The key: p0:meta, {p0}:meta, or whole as Redis lists it
    key: String,
    /// The counter of this account ...
    #[arg(long, value_name = "NAME", requires = "meter")]
    account: Option<String>,
    /// ... on this meter
    #[arg(long, value_name = "NAME", requires = "account")]
    meter: Option<MeterName>,
    /// The tenant of the id, or the one to show of the key `tenants`
    #[arg(long, value_name = "NAME", conflicts_with = "account")]
    tenant: Option<String>,
    /// The reservation of this id
    #[arg(long, value_name = "ID", requires = "tenant", conflicts_with = "request_id")]
    id: Option<String>,
    /// The request of this id
    #[arg(long, value_name = "ID", requires = "tenant")]
    request_id: Option<String>,
    /// A field, as it is listed
    #[arg(long, value_name = "FIELD", conflicts_with_all = ["account", "tenant"])]
    field: Option<String>,
    /// The entry of a journal with this number
    #[arg(long, value_name = "N", conflicts_with_all = ["account", "tenant", "field"])]
    seq: Option<u64>,
    /// How many to list
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    list: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    storage: StorageArgs,
}

/// Looks and prints.
pub fn run(args: DebugArgs) -> ExitCode {
    let DebugCommand::Key(args) = args.command;
    let json = args.json;
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return blind(&format!("no runtime: {error}"), json),
    };
    match runtime.block_on(look(*args)) {
        Err(why) => blind(&why, json),
        Ok(Value::Null) => {
            // Where even that can't be written, the exit status still tells.
            let _ = writeln!(std::io::stderr().lock(), "not there");
            ExitCode::FAILURE
        }
        Ok(value) => {
            let text = if json { format!("{value:#}") } else { lines(&value) };
            // A closed pipe is not an error.
            let _ = writeln!(std::io::stdout().lock(), "{}", text.trim_end());
            ExitCode::SUCCESS
        }
    }
}

async fn look(args: KeyArgs) -> Result<Value, String> {
    let pick = pick(&args);
    let options = match args.storage.storage(false).map_err(|faults| faults.join("; "))? {
        Storage::Redis(storage) => storage.redis,
        Storage::Embedded => return Err("name the Redis with --redis-url, or in QUOTAD_REDIS_URL".into()),
    };
    let key = whole(&args.key, &options.prefix);
    let link = Link::open(options).map_err(|error| error.to_string())?;
    link.ready(PATIENCE).await.map_err(|error| error.to_string())?;
    readable::read(&link, &key, &pick).await.map_err(|error| error.to_string())
}

/// The whole name of a key that may be short of its prefix or of its braces.
fn whole(key: &str, prefix: &str) -> String {
    if key.starts_with('{') {
        return format!("{prefix}{key}");
    }
    match key.split_once(':') {
        Some((partition, name)) if !key.contains('{') => format!("{prefix}{{{partition}}}:{name}"),
        _ => key.to_owned(),
    }
}

fn pick(args: &KeyArgs) -> Pick {
    let tenant = || Uid::of(args.tenant.as_deref().unwrap_or_default());
    match args {
        KeyArgs { account: Some(account), meter: Some(meter), .. } => {
            Pick::Counter(CounterKey { account: Uid::of(account), meter: meter.id() })
        }
        KeyArgs { id: Some(id), .. } => Pick::Id(IdKey::of(tenant(), IdSpace::Reservation, id)),
        KeyArgs { request_id: Some(id), .. } => Pick::Id(IdKey::of(tenant(), IdSpace::Request, id)),
        KeyArgs { tenant: Some(tenant), .. } => Pick::Tenant(Uid::of(tenant)),
        KeyArgs { field: Some(field), .. } => Pick::Field(field.clone()),
        KeyArgs { seq: Some(seq), .. } => Pick::Entry(*seq),
        _ => Pick::Some(args.list as usize),
    }
}

/// JSON as indented lines, for people.
fn lines(value: &Value) -> String {
    let mut out = String::new();
    put(&mut out, value, 0);
    out
}

fn put(out: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    let mut item = |name: &str, value: &Value| {
        // Writing into a text can't fail.
        let _ = match value {
            Value::Object(map) if map.is_empty() => writeln!(out, "{indent}{name} -"),
            Value::Array(list) if list.is_empty() => writeln!(out, "{indent}{name} -"),
            Value::Object(_) | Value::Array(_) => {
                let _ = writeln!(out, "{indent}{name}");
                put(out, value, depth + 1);
                Ok(())
            }
            Value::String(text) => writeln!(out, "{indent}{name} {text}"),
            Value::Null => writeln!(out, "{indent}{name} -"),
            other => writeln!(out, "{indent}{name} {other}"),
        };
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| item(&format!("{name}:"), value)),
        Value::Array(list) => list.iter().for_each(|value| item("-", value)),
        Value::String(text) => out.push_str(text),
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_completed() {
        for (key, expected) in [
            ("p0:meta", "x:{p0}:meta"),
            ("{p0}:counters:1", "x:{p0}:counters:1"),
            ("x:{p12}:journal:3", "x:{p12}:journal:3"),
            ("meta", "meta"),
        ] {
            assert_eq!(whole(key, "x:"), expected);
        }
    }

    #[test]
    fn json_is_told_in_lines() {
        let value = serde_json::json!({"a": 1, "b": {"c": "x", "d": []}, "e": [{"f": null}]});
        assert_eq!(lines(&value), "a: 1\nb:\n  c: x\n  d: -\ne:\n  -\n    f: -\n");
    }
}
