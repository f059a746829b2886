//! Where `quotad serve` keeps counters and ledger: the flags for Redis and the database, judged together.

use crate::app::{RedisStorage, Storage};
use crate::store::redis::options::{RedisFlags, RedisOptions};
use std::path::PathBuf;

/// Redis and the database, for several servers at once. Without them everything is in the data folder.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Several servers: Redis and a database")]
pub struct StorageArgs {
    /// Keep counters in this Redis: redis://[USER:PASSWORD@]HOST:PORT[/DB], rediss:// for TLS, redis+sentinel://HOST:PORT,HOST:PORT/MASTER
    /// for Sentinel. Put a password into the variable or a file, not on the command line
    #[arg(long, value_name = "URL", env = "QUOTAD_REDIS_URL", hide_env_values = true)]
    redis_url: Option<String>,
    /// The Redis is a cluster; the URL's hosts, with commas between, are where to begin
    #[arg(long, env = "QUOTAD_REDIS_CLUSTER")]
    redis_cluster: bool,
    /// What all keys begin with; another one for each installation that shares a Redis [default: quotad:]
    #[arg(long, value_name = "TEXT", env = "QUOTAD_REDIS_PREFIX")]
    redis_prefix: Option<String>,
    /// Read Redis' password from this file
    #[arg(long, value_name = "FILE", env = "QUOTAD_REDIS_PASSWORD_FILE")]
    redis_password_file: Option<PathBuf>,
    /// Read the sentinels' own password from this file
    #[arg(long, value_name = "FILE", env = "QUOTAD_REDIS_SENTINEL_PASSWORD_FILE")]
    redis_sentinel_password_file: Option<PathBuf>,
    /// Trust the authorities of this PEM file, instead of the system's, for rediss://
    #[arg(long, value_name = "FILE", env = "QUOTAD_REDIS_CA_FILE")]
    redis_ca_file: Option<PathBuf>,
    /// Keep ledger and catalog in this database: postgres://USER:PASSWORD@HOST:PORT/DATABASE, which any number of servers
    /// share, or sqlite:PATH for one. A server takes it only with --redis-url; ledger.db in the data folder if not given
    #[arg(long, value_name = "URL", env = "QUOTAD_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
}

impl StorageArgs {
    /// What they say, if it makes sense. `durability` says whether that of the embedded journal was asked for.
    ///
    /// # Errors
    /// Every contradiction, a sentence each; none shows a password.
    pub fn storage(self, durability: bool) -> Result<Storage, Vec<String>> {
        let Some(url) = self.redis_url else { return self.embedded() };
        let mut faults = Vec::new();
        if durability {
            faults.push(
                "--durability is of the embedded journal; with --redis-url Redis' own appendfsync says what an answer survives"
                    .to_owned(),
            );
        }
        let file = |url: &String| !url.starts_with("postgres://") && !url.starts_with("postgresql://");
        if let Some(database) = self.database_url.as_ref().filter(|url| file(url))
            && (database.is_empty() || database.trim_start_matches("sqlite:").contains("://"))
        {
            faults.push("--database-url must be postgres://USER:PASSWORD@HOST:PORT/DATABASE or sqlite:PATH".to_owned());
        }
        let flags = RedisFlags {
            url,
            cluster: self.redis_cluster,
            prefix: self.redis_prefix,
            password_file: self.redis_password_file,
            sentinel_password_file: self.redis_sentinel_password_file,
            ca_file: self.redis_ca_file,
            ..RedisFlags::default()
        };
        match RedisOptions::new(&flags) {
            Ok(redis) if faults.is_empty() => {
                Ok(Storage::Redis(Box::new(RedisStorage { redis, database: self.database_url })))
            }
            Ok(_) => Err(faults),
            Err(error) => Err(faults.into_iter().chain(error.0).collect()),
        }
    }

    /// What they say to a command that looks at the ledger, and at Redis only where one is named: the Redis, and the URL of
    /// the database.
    ///
    /// # Errors
    /// As [`StorageArgs::storage`], but for a database without a Redis.
    pub fn parts(mut self) -> Result<(Option<RedisOptions>, Option<String>), Vec<String>> {
        let alone = if self.redis_url.is_none() { self.database_url.take() } else { None };
        match self.storage(false)? {
            Storage::Embedded => Ok((None, alone)),
            Storage::Redis(storage) => Ok((Some(storage.redis), storage.database)),
        }
    }

    fn embedded(self) -> Result<Storage, Vec<String>> {
        let given = [
            (self.redis_cluster, "--redis-cluster"),
            (self.redis_prefix.is_some(), "--redis-prefix"),
            (self.redis_password_file.is_some(), "--redis-password-file"),
            (self.redis_sentinel_password_file.is_some(), "--redis-sentinel-password-file"),
            (self.redis_ca_file.is_some(), "--redis-ca-file"),
            (self.database_url.is_some(), "--database-url"),
        ];
        let faults: Vec<String> = given
            .into_iter()
            .filter(|(given, _)| *given)
            .map(|(_, name)| format!("{name} needs --redis-url (QUOTAD_REDIS_URL)"))
            .collect();
        if faults.is_empty() { Ok(Storage::Embedded) } else { Err(faults) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        storage: StorageArgs,
    }

    fn judged(durability: bool, args: &[&str]) -> Result<Storage, Vec<String>> {
        let line = Line::try_parse_from(["serve"].iter().chain(args)).expect("flags that exist");
        line.storage.storage(durability)
    }

    #[test]
    fn without_flags_it_is_embedded_and_a_redis_needs_no_more_than_its_url() {
        assert!(matches!(judged(true, &[]), Ok(Storage::Embedded)));
        let Ok(Storage::Redis(one)) = judged(false, &["--redis-url", "redis://h"]) else { panic!("refused") };
        assert!(one.database.is_none());
        let url = "postgres://u:p@h/d";
        let Ok(Storage::Redis(all)) = judged(
            false,
            &["--redis-url", "redis://a,b", "--redis-cluster", "--database-url", url, "--redis-prefix", "x:"],
        ) else {
            panic!("refused")
        };
        assert_eq!((all.database.as_deref(), all.redis.prefix.as_str()), (Some(url), "x:"));
    }

    #[test]
    fn contradictions_come_together_and_show_no_secret() {
        let Err(faults) =
            judged(false, &["--redis-cluster", "--database-url", "postgres://u:hush@h/d", "--redis-prefix", "x"])
        else {
            panic!("taken")
        };
        assert_eq!(faults.len(), 3, "{faults:?}");
        let bad = [
            "--redis-url",
            "redis+sentinel://:hush@h/m",
            "--redis-cluster",
            "--redis-prefix",
            "{",
            "--database-url",
            "mysql://u:hush@h",
        ];
        let Err(faults) = judged(true, &bad) else { panic!("taken") };
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert!(!faults.concat().contains("hush"), "{faults:?}");
    }
}
