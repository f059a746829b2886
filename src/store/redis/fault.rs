//! What a driver's error says about a call: that it did not run, that it may have, or that it failed by itself.

use super::link::LinkError;
use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Refusals that come before the first line of a script, beside those that the driver has a name for.
const REFUSALS: [&str; 6] = ["BUSY", "OOM", "MISCONF", "NOREPLICAS", "NOAUTH", "WRONGPASS"];

/// A [`LinkError`], or the one refusal that the link mends by itself.
pub(super) enum Fault {
    NoScript,
    NotSent(String),
    Unknown(String),
    Script(String),
}

impl Fault {
    /// Judges an error of the driver.
    pub(super) fn of(error: &RedisError) -> Fault {
        let text = error.to_string();
        match error.kind() {
            ErrorKind::Server(kind) => of_server(kind, error, text),
            ErrorKind::Extension if error.code().is_some_and(|code| REFUSALS.contains(&code)) => Fault::NotSent(text),
            ErrorKind::Extension => Fault::Script(text),
            ErrorKind::Io if error.is_connection_refusal() => Fault::NotSent(text),
            ErrorKind::ClusterConnectionNotFound
            | ErrorKind::AuthenticationFailed
            | ErrorKind::InvalidClientConfig
            | ErrorKind::EmptySentinelList
            | ErrorKind::MasterNameNotFoundBySentinel
            | ErrorKind::NoValidReplicasFoundBySentinel => Fault::NotSent(text),
            _ => Fault::Unknown(text),
        }
    }
}

fn of_server(kind: ServerErrorKind, error: &RedisError, text: String) -> Fault {
    // A script that the user may call, but not all that it does, stops in its middle.
    let inside = error.detail().is_some_and(|detail| detail.contains("script"));
    match kind {
        ServerErrorKind::NoScript => Fault::NoScript,
        ServerErrorKind::NoPerm if inside => Fault::Script(text),
        ServerErrorKind::BusyLoading
        | ServerErrorKind::Moved
        | ServerErrorKind::Ask
        | ServerErrorKind::TryAgain
        | ServerErrorKind::ClusterDown
        | ServerErrorKind::MasterDown
        | ServerErrorKind::ReadOnly
        | ServerErrorKind::NoPerm => Fault::NotSent(text),
        _ => Fault::Script(text),
    }
}

/// Whether the connection is of no more use: broken, or to a server that is no master any more.
pub(super) fn ends_the_connection(error: &RedisError) -> bool {
    let demoted = matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown));
    demoted || error.is_connection_dropped() || error.is_unrecoverable_error()
}

impl From<LinkError> for Fault {
    fn from(error: LinkError) -> Fault {
        match error {
            LinkError::NotSent(text) => Fault::NotSent(text),
            LinkError::Unknown(text) => Fault::Unknown(text),
            LinkError::Script(text) => Fault::Script(text),
        }
    }
}

impl From<Fault> for LinkError {
    fn from(fault: Fault) -> LinkError {
        match fault {
            // A server that was just told the text and still does not know it.
            Fault::NoScript => LinkError::NotSent("the server forgot the script at once".to_owned()),
            Fault::NotSent(text) => LinkError::NotSent(text),
            Fault::Unknown(text) => LinkError::Unknown(text),
            Fault::Script(text) => LinkError::Script(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(line: &str) -> LinkError {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        Fault::of(&value.extract_error().unwrap_err()).into()
    }

    #[test]
    fn refusals_did_not_run_and_errors_of_a_script_are_its_own() {
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "BUSY Redis is busy running a script.",
            "READONLY You can't write against a read only replica.",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "MISCONF Redis is configured to save RDB snapshots",
            "NOREPLICAS Not enough good replicas to write.",
            "CLUSTERDOWN The cluster is down",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "MOVED 1 127.0.0.1:7000",
            "NOPERM this user has no permissions to run the 'eval' command",
            "NOAUTH Authentication required.",
            "NOSCRIPT No matching script.",
        ] {
            assert!(matches!(judged(line), LinkError::NotSent(_)), "{line}");
        }
        for line in [
            "ERR user_script:3: attempt to index nil",
            "NOPERM ACL failure in script: User x has no permissions to run the 'xadd' command",
            "CROSSSLOT Keys in request don't hash to the same slot",
            "QUOTA broken",
            "WRONGTYPE Operation against a key",
        ] {
            assert!(matches!(judged(line), LinkError::Script(_)), "{line}");
        }
    }

    #[test]
    fn a_broken_connection_leaves_the_outcome_unknown_and_a_refused_one_does_not() {
        let io = |kind: std::io::ErrorKind| RedisError::from(std::io::Error::from(kind));
        let reset = io(std::io::ErrorKind::ConnectionReset);
        assert!(ends_the_connection(&reset) && matches!(Fault::of(&reset), Fault::Unknown(_)));
        let refused = io(std::io::ErrorKind::ConnectionRefused);
        assert!(matches!(Fault::of(&refused), Fault::NotSent(_)));
        let late = io(std::io::ErrorKind::TimedOut);
        assert!(!ends_the_connection(&late) && matches!(Fault::of(&late), Fault::Unknown(_)));
    }
}
