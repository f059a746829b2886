//! How to reach Redis: one node, Sentinel or Cluster, from `--redis-url` and the flags beside it, with all faults told at once.

use super::keys::{DEFAULT_PREFIX, check_prefix};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What is given on the command line or in the environment; [`RedisOptions::new`] judges it.
#[derive(Clone, Default)]
pub struct RedisFlags {
    /// `redis://[user[:password]@]host[:port][/database]`, `rediss://` for TLS, several hosts with commas for a cluster;
    /// `redis+sentinel://host:port,host:port/master` (or `rediss+sentinel://`) for Sentinel.
    pub url: String,
    /// It is a Redis Cluster; the hosts of the URL are where to begin.
    pub cluster: bool,
    /// What stands before `{pN}` in every key; `None`: [`DEFAULT_PREFIX`].
    pub prefix: Option<String>,
    /// A file with the password, instead of the URL's.
    pub password_file: Option<PathBuf>,
    /// A file with the password of the sentinels themselves.
    pub sentinel_password_file: Option<PathBuf>,
    /// A PEM file with the authorities to trust, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// How long a call may take; `None`: 2 s.
    pub response_timeout: Option<Duration>,
    /// How long connecting may take; `None`: 1 s.
    pub connect_timeout: Option<Duration>,
}

/// Where Redis is, and how many servers it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Topology {
    /// One server.
    One(Address),
    /// Sentinels that know the master of this name.
    Sentinel {
        /// The sentinels, asked in turn.
        sentinels: Vec<Address>,
        /// The master's name in their configuration.
        master: String,
    },
    /// A cluster; any of these tells the others.
    Cluster(Vec<Address>),
}

/// A host and a port.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Address {
    /// Name, IPv4 address, or IPv6 address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A password: not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// From its text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How to reach Redis, judged and complete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RedisOptions {
    /// Where.
    pub topology: Topology,
    /// Whether connections are encrypted.
    pub tls: bool,
    /// Authorities to trust, in PEM; `None`: the system's.
    pub ca: Option<Vec<u8>>,
    /// ACL user; `None`: `default`.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// The password of the sentinels.
    pub sentinel_password: Option<Secret>,
    /// Number of the database; 0 in a cluster.
    pub database: i64,
    /// What stands before `{pN}` in every key.
    pub prefix: String,
    /// How long a call may take.
    pub response_timeout: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
}

/// What is wrong with the flags: every fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("Redis can't be used as configured: {}", .0.join("; "))]
pub struct OptionsError(
    /// The faults, one sentence each.
    pub Vec<String>,
);

impl OptionsError {
    /// A single fault.
    pub fn one(fault: impl Into<String>) -> OptionsError {
        OptionsError(vec![fault.into()])
    }
}

impl RedisOptions {
    /// Judges the flags and reads the files that they name.
    ///
    /// # Errors
    /// Every fault of the flags together; none shows a password.
    pub fn new(flags: &RedisFlags) -> Result<RedisOptions, OptionsError> {
        let mut faults = Vec::new();
        let url = super::url::parse(&flags.url, &mut faults);
        let prefix = flags.prefix.clone().unwrap_or_else(|| DEFAULT_PREFIX.to_owned());
        if let Err(error) = check_prefix(&prefix) {
            faults.extend(error.0);
        }
        let password = read_secret(flags.password_file.as_ref(), &mut faults);
        let sentinel_password = read_secret(flags.sentinel_password_file.as_ref(), &mut faults);
        let ca = read_ca(flags.ca_file.as_ref(), &mut faults);
        for (what, timeout) in [("response", flags.response_timeout), ("connect", flags.connect_timeout)] {
            if timeout.is_some_and(|timeout| timeout.is_zero()) {
                faults.push(format!("the {what} timeout must be more than 0"));
            }
        }
        let Some(mut url) = url else { return Err(OptionsError(faults)) };
        if password.is_some() && url.password.is_some() {
            faults.push("the password stands in the URL and in a file; say it once".to_owned());
        }
        if flags.ca_file.is_some() && !url.tls {
            faults.push(
                "a file of authorities needs an encrypted connection: rediss:// or rediss+sentinel://".to_owned(),
            );
        }
        if flags.sentinel_password_file.is_some() && !url.sentinel {
            faults.push("a password of the sentinels needs redis+sentinel:// or rediss+sentinel://".to_owned());
        }
        let topology = topology(&mut url, flags.cluster, &mut faults);
        if !faults.is_empty() {
            return Err(OptionsError(faults));
        }
        Ok(RedisOptions {
            topology,
            tls: url.tls,
            ca,
            user: url.user,
            password: password.or(url.password),
            sentinel_password,
            database: url.database,
            prefix,
            response_timeout: flags.response_timeout.unwrap_or(Duration::from_secs(2)),
            connect_timeout: flags.connect_timeout.unwrap_or(Duration::from_secs(1)),
        })
    }

    /// Where it is, for people: without user and password.
    pub fn place(&self) -> String {
        let list = |all: &[Address]| all.iter().map(Address::to_string).collect::<Vec<_>>().join(",");
        match &self.topology {
            Topology::One(address) => address.to_string(),
            Topology::Sentinel { sentinels, master } => format!("master {master} of the sentinels {}", list(sentinels)),
            Topology::Cluster(seeds) => format!("the cluster of {}", list(seeds)),
        }
    }
}

fn topology(url: &mut super::url::Url, cluster: bool, faults: &mut Vec<String>) -> Topology {
    let hosts = std::mem::take(&mut url.hosts);
    if url.sentinel {
        if cluster {
            faults.push("a cluster has no sentinels: use redis:// or rediss:// with --redis-cluster".to_owned());
        }
        return Topology::Sentinel { sentinels: hosts, master: std::mem::take(&mut url.master) };
    }
    if cluster {
        if url.database != 0 {
            faults.push(format!("a cluster has only database 0, not {}", url.database));
        }
        return Topology::Cluster(hosts);
    }
    if hosts.len() > 1 {
        faults.push("several hosts are a cluster (--redis-cluster) or sentinels (redis+sentinel://)".to_owned());
    }
    match hosts.into_iter().next() {
        Some(host) => Topology::One(host),
        None => Topology::Cluster(Vec::new()),
    }
}

fn read_secret(file: Option<&PathBuf>, faults: &mut Vec<String>) -> Option<Secret> {
    let file = file?;
    match std::fs::read_to_string(file) {
        Ok(text) if text.trim_end_matches(['\r', '\n']).is_empty() => {
            faults.push(format!("the password file {} is empty", file.display()));
            None
        }
        Ok(text) => Some(Secret::new(text.trim_end_matches(['\r', '\n']))),
        Err(error) => {
            faults.push(format!("the password file {} can't be read: {error}", file.display()));
            None
        }
    }
}

fn read_ca(file: Option<&PathBuf>, faults: &mut Vec<String>) -> Option<Vec<u8>> {
    let file = file?;
    match std::fs::read(file) {
        Ok(pem) if String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") => return Some(pem),
        Ok(_) => faults.push(format!("the file of authorities {} has no certificate in PEM form", file.display())),
        Err(error) => faults.push(format!("the file of authorities {} can't be read: {error}", file.display())),
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> RedisFlags {
        RedisFlags { url: url.to_owned(), ..RedisFlags::default() }
    }

    #[test]
    fn each_topology_is_told_by_url_and_flag() {
        let one = RedisOptions::new(&of("redis://h")).unwrap();
        assert_eq!((one.place().as_str(), one.prefix.as_str()), ("h:6379", "quotad:"));
        assert_eq!((one.response_timeout, one.connect_timeout), (Duration::from_secs(2), Duration::from_secs(1)));
        let cluster = RedisOptions::new(&RedisFlags { cluster: true, ..of("redis://a,b:1") }).unwrap();
        assert_eq!(cluster.place(), "the cluster of a:6379,b:1");
        let sentinel = RedisOptions::new(&of("redis+sentinel://a,b/m")).unwrap();
        assert_eq!(sentinel.place(), "master m of the sentinels a:26379,b:26379");
    }

    #[test]
    fn all_faults_come_together() {
        let flags = RedisFlags {
            cluster: true,
            prefix: Some("{x}".to_owned()),
            password_file: Some("/nowhere/password".into()),
            ca_file: Some("/nowhere/ca.pem".into()),
            sentinel_password_file: Some("/nowhere/other".into()),
            response_timeout: Some(Duration::ZERO),
            ..of("redis://h/4")
        };
        let OptionsError(faults) = RedisOptions::new(&flags).unwrap_err();
        assert_eq!(faults.len(), 8, "{faults:#?}");
        assert!(RedisOptions::new(&of("redis://a,b")).is_err());
        assert!(RedisOptions::new(&RedisFlags { cluster: true, ..of("redis+sentinel://a/m") }).is_err());
        let text = RedisOptions::new(&of("http://h")).unwrap_err().to_string();
        assert!(text.starts_with("Redis can't be used as configured: the URL begins with http://"), "{text}");
    }

    #[test]
    fn passwords_come_from_the_url_or_a_file_and_are_never_shown() {
        let folder = std::env::temp_dir().join(format!("quotad-password-{}", std::process::id()));
        std::fs::write(&folder, "from file\n").unwrap();
        let file = RedisFlags { password_file: Some(folder.clone()), ..of("redis://u@h") };
        let options = RedisOptions::new(&file).unwrap();
        assert_eq!(options.password.as_ref().map(Secret::reveal), Some("from file"));
        assert!(!format!("{options:?}").contains("from file"));
        let both = RedisOptions::new(&RedisFlags { password_file: Some(folder.clone()), ..of("redis://u:hush@h") });
        let text = both.unwrap_err().to_string();
        assert!(text.contains("say it once") && !text.contains("hush"));
        std::fs::write(&folder, "\n").unwrap();
        assert!(RedisOptions::new(&file).unwrap_err().to_string().contains("is empty"));
        std::fs::remove_file(&folder).unwrap();
    }
}
