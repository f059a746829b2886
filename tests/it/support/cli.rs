//! One run of the program's command line.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};

/// What a run left.
#[derive(Debug)]
pub(crate) struct Output {
    /// Exit status; `None`: ended by a signal.
    pub(crate) status: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Output {
    /// Standard output as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// Runs `quotad` with these arguments, without standard input and without settings from the environment.
pub(crate) fn cli<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Output {
    cli_with(args, &[], "")
}

/// The same with these settings in the environment and with standard input.
pub(crate) fn cli_with<A: AsRef<OsStr>>(
    args: impl IntoIterator<Item = A>,
    settings: &[(&str, &str)],
    input: &str,
) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quotad"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("QUOTAD_")) {
        command.env_remove(name);
    }
    command.envs(settings.iter().copied());
    let mut child = command.spawn().unwrap();
    // Who reads none of it may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Output {
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
