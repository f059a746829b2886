//! Where a deployment keeps everything: the data folder, or Redis and a database.

use crate::store::redis::options::{OptionsError, RedisFlags, RedisOptions};
use clap::Args;
use std::path::PathBuf;

/// Where everything is kept.
#[derive(Clone, Debug, Args)]
pub struct StorageArgs {
    /// The folder that holds everything that is not elsewhere: journal, ledger, catalog
    #[arg(
        long,
        help_heading = "Storage",
        value_name = "DIR",
        default_value = "./quotad-data",
        env = "QUOTAD_DATA_DIR"
    )]
    pub data_dir: PathBuf,
    /// Ledger and catalog in this database: postgres://USER:PASSWORD@HOST:PORT/DATABASE, or sqlite:PATH. Put a password
    /// into the variable, not on the command line
    #[arg(long, help_heading = "Storage", value_name = "URL", env = "QUOTAD_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Counters and journal in this Redis: redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE], rediss:// for TLS, or
    /// redis+sentinel://HOST:PORT,HOST:PORT/MASTER
    #[arg(long, help_heading = "Storage", value_name = "URL", env = "QUOTAD_REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// The Redis is a cluster; the URL names one or more of its nodes
    #[arg(long, help_heading = "Storage", env = "QUOTAD_REDIS_CLUSTER")]
    pub redis_cluster: bool,
    /// What stands at the beginning of every key [default: quotad:]
    #[arg(long, help_heading = "Storage", value_name = "TEXT", env = "QUOTAD_REDIS_PREFIX")]
    pub redis_prefix: Option<String>,
    /// A file with the password for Redis, instead of the URL's
    #[arg(long, help_heading = "Storage", value_name = "FILE", env = "QUOTAD_REDIS_PASSWORD_FILE")]
    pub redis_password_file: Option<PathBuf>,
    /// A PEM file with the authorities to trust for rediss://, instead of the system's
    #[arg(long, help_heading = "Storage", value_name = "FILE", env = "QUOTAD_REDIS_CA_FILE")]
    pub redis_ca_file: Option<PathBuf>,
}

impl StorageArgs {
    /// How to reach Redis; `None` if none is named.
    ///
    /// # Errors
    /// Every fault of the flags together.
    pub fn redis(&self) -> Result<Option<RedisOptions>, OptionsError> {
        let Some(url) = &self.redis_url else { return Ok(None) };
        let flags = RedisFlags {
            url: url.clone(),
            cluster: self.redis_cluster,
            prefix: self.redis_prefix.clone(),
            password_file: self.redis_password_file.clone(),
            ca_file: self.redis_ca_file.clone(),
            ..RedisFlags::default()
        };
        RedisOptions::new(&flags).map(Some)
    }
}
