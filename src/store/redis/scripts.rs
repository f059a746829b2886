//! The scripts as Redis gets them: known by the SHA-1 of their text, called by EVALSHA.

use super::join;
use redis::Cmd;
use std::sync::LazyLock;

/// The script that runs a batch of operations on one partition.
pub static BATCH: LazyLock<Script> = LazyLock::new(|| Script::new("batch", join::batch().leak()));

/// The script that runs a batch of what is asked most, or gives it up.
pub static QUICK: LazyLock<Script> = LazyLock::new(|| Script::new("quick", join::quick().leak()));

/// What runs a batch.
#[derive(Clone, Copy, Debug)]
pub struct Scripts {
    /// Tried first, if the batch has a quick form; `None`: never.
    pub quick: Option<&'static Script>,
    /// Runs every batch.
    pub batch: &'static Script,
}

impl Scripts {
    /// Those of quotad.
    pub fn ours() -> Scripts {
        Scripts { quick: Some(&QUICK), batch: &BATCH }
    }

    /// Every batch by this one.
    pub fn only(batch: &'static Script) -> Scripts {
        Scripts { quick: None, batch }
    }
}

/// A script that Redis runs as one atomic step.
#[derive(Debug)]
pub struct Script {
    name: &'static str,
    text: &'static str,
    sha: String,
}

impl Script {
    /// A script with a name for the log.
    pub fn new(name: &'static str, text: &'static str) -> Script {
        Script { name, text, sha: redis::Script::new(text).get_hash().to_owned() }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its text.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// The SHA-1 of its text, in hex.
    pub fn sha(&self) -> &str {
        &self.sha
    }

    /// The call by hash, for a server that has seen the script.
    pub(super) fn by_hash(&self, keys: &[String], args: &[&[u8]]) -> Cmd {
        call("EVALSHA", self.sha.as_bytes(), keys, args)
    }

    /// The call with the text, which the server remembers.
    pub(super) fn by_text(&self, keys: &[String], args: &[&[u8]]) -> Cmd {
        call("EVAL", self.text.as_bytes(), keys, args)
    }
}

fn call(verb: &str, script: &[u8], keys: &[String], args: &[&[u8]]) -> Cmd {
    let bytes = script.len() + args.iter().map(|arg| arg.len()).sum::<usize>() + 40 * (keys.len() + 3);
    let mut command = Cmd::with_capacity(3 + keys.len() + args.len(), bytes);
    command.arg(verb).arg(script).arg(keys.len());
    for key in keys {
        command.arg(key.as_str());
    }
    for arg in args {
        command.arg(*arg);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_names_its_keys_and_carries_any_bytes() {
        let script = Script::new("example", "return 1");
        assert_eq!((script.name(), script.text()), ("example", "return 1"));
        // The SHA-1 that redis-cli's SCRIPT LOAD tells for this text.
        assert_eq!(script.sha(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
        let packed = script.by_hash(&["k{a}".to_owned()], &[b"\x00\xff"]).get_packed_command();
        let expected: &[u8] = b"*5\r\n$7\r\nEVALSHA\r\n$40\r\ne0e1f9fabfc9d4800c877a703b823ac0578ff8db\r\n$1\r\n1\r\n\
                                $4\r\nk{a}\r\n$2\r\n\x00\xff\r\n";
        assert_eq!(packed, expected);
        assert!(script.by_text(&[], &[]).get_packed_command().starts_with(b"*3\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n"));
    }
}
