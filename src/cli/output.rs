//! What a command leaves behind: its answer on standard output, an error on standard error, the exit status.

use crate::client;
use serde::Serialize;
use std::io::{self, Write};
use std::process::ExitCode;
use thiserror::Error;

/// Exit status of an error.
pub const FAILED: u8 = 1;
/// Exit status of a denial.
pub const DENIED: u8 = 2;

/// The answer to a command.
#[derive(Debug)]
pub struct Answer {
    /// For people, lines without a trailing newline.
    pub text: String,
    /// For programs: the response's canonical JSON.
    pub json: String,
    /// The decision was no.
    pub denied: bool,
    /// Something the response does not carry; with `--json` it goes to standard error.
    pub note: Option<String>,
}

impl Answer {
    /// An answer to print from a response and its text.
    pub fn new(response: &impl Serialize, text: String) -> Result<Answer, Fault> {
        let json = canonical(response).map_err(|error| Fault::Usage(format!("the answer has no JSON: {error}")))?;
        Ok(Answer { text, json, denied: false, note: None })
    }
}

/// Why a command has no answer.
#[derive(Debug, Error)]
pub enum Fault {
    /// The command line does not say enough, or nonsense.
    #[error("{0}")]
    Usage(String),
    /// A file.
    #[error("{path}: {error}")]
    File {
        /// Its path, as given.
        path: String,
        /// What is wrong.
        error: io::Error,
    },
    /// The call failed.
    #[error(transparent)]
    Call(#[from] client::Error),
    /// A write failed in a way that leaves open whether it had its effect.
    #[error("{error}\nto repeat it safely, add {repeat}")]
    Write {
        /// The call's error.
        error: client::Error,
        /// The options that name the same write.
        repeat: String,
    },
    /// Lines of a file.
    #[error("{what}")]
    Lines {
        /// What is wrong with them all, with the file's name.
        what: String,
        /// Each line's number, from 1, and what is wrong with it.
        lines: Vec<(usize, String)>,
    },
    /// Work of several calls that stopped half-way.
    #[error("{error}\nto go on, run {repeat}")]
    Halted {
        /// The error of the call at which it stopped.
        error: client::Error,
        /// How to go on, and what is done already.
        repeat: String,
    },
}

impl Fault {
    /// The error of a write; `repeat` are the options with which the same command is the same write.
    pub fn of_write(error: client::Error, repeat: String) -> Fault {
        use tonic::Code;
        match error.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown | Code::Internal => {
                Fault::Write { error, repeat }
            }
            _ => Fault::Call(error),
        }
    }
}

/// Prints an answer; the status says whether it was yes.
pub fn print(answer: &Answer, json: bool) -> ExitCode {
    let written = match (json, &answer.note) {
        (true, note) => {
            if let Some(note) = note {
                let _ = writeln!(io::stderr().lock(), "{note}");
            }
            write_lines(&answer.json)
        }
        (false, Some(note)) => write_lines(&format!("{}\n{note}", answer.text)),
        (false, None) => write_lines(&answer.text),
    };
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => fail(&Fault::Usage(error.to_string()), json),
        // A reader that has seen enough (`| head`) is no error.
        _ if answer.denied => ExitCode::from(DENIED),
        _ => ExitCode::SUCCESS,
    }
}

fn write_lines(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.is_empty() && !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Prints an error.
pub fn fail(fault: &Fault, json: bool) -> ExitCode {
    let text = if json { error_json(fault) } else { error_text(fault) };
    // Where even that can't be written, the exit status still tells.
    let _ = writeln!(io::stderr().lock(), "{text}");
    ExitCode::from(FAILED)
}

/// An error for people; several wrong fields get a line each.
pub fn error_text(fault: &Fault) -> String {
    if let Fault::Call(client::Error::Status(status)) = fault
        && let [_, _, ..] = status.violations.as_slice()
    {
        let fields = status.violations.iter().map(|v| format!("\n  {}: {}", v.field, v.description));
        let mut text = format!("error: {} ({})", status.code_name(), status.reason);
        text.extend(fields);
        return text;
    }
    if let Fault::Lines { what, lines } = fault {
        let lines = lines.iter().map(|(line, why)| format!("\n  line {line}: {why}"));
        return lines.fold(format!("error: {what}"), |text, line| text + &line);
    }
    let hint = hint(fault).map_or_else(String::new, |hint| format!("\n{hint}"));
    format!("error: {fault}{hint}")
}

/// What may be the matter where there is no answer, or it came from no gRPC server.
fn hint(fault: &Fault) -> Option<&'static str> {
    let (Fault::Call(error) | Fault::Write { error, .. } | Fault::Halted { error, .. }) = fault else { return None };
    let client::Error::Status(status) = error else { return None };
    if status.message.starts_with("no answer within") {
        return Some("--timeout gives the call more time");
    }
    status.message.contains("grpc-status header missing").then_some("is this the gRPC port?")
}

/// An error for programs.
pub fn error_json(fault: &Fault) -> String {
    use serde_json::json;
    let (call, repeat) = match fault {
        Fault::Call(error) => (Some(error), None),
        Fault::Write { error, repeat } | Fault::Halted { error, repeat } => (Some(error), Some(repeat)),
        Fault::Usage(_) | Fault::File { .. } | Fault::Lines { .. } => (None, None),
    };
    let mut error = match call {
        Some(client::Error::Status(status)) => json!({
            "code": status.code_name(),
            "reason": status.reason,
            "message": status.message,
            "metadata": status.metadata,
            "violations": status.violations.iter()
                .map(|v| json!({"field": v.field, "description": v.description})).collect::<Vec<_>>(),
        }),
        Some(error @ client::Error::Connect { .. }) => json!({"code": "UNAVAILABLE", "message": error.to_string()}),
        Some(error) => json!({"code": "INVALID_ARGUMENT", "message": error.to_string()}),
        None => json!({"code": "INVALID_ARGUMENT", "message": fault.to_string()}),
    };
    if let Fault::Lines { lines, .. } = fault {
        let violation = |(line, why): &(usize, String)| json!({"field": format!("line {line}"), "description": why});
        error["violations"] = lines.iter().map(violation).collect();
    }
    if let Some(hint) = hint(fault) {
        error["hint"] = json!(hint);
    }
    if let Some(repeat) = repeat {
        error["repeat"] = json!(repeat);
    }
    format!("{:#}", json!({ "error": error }))
}

/// Fields of a time whose name does not end in Time.
const TIMES: [&str; 4] = ["\"asOf", "\"time", "\"until", "\"raisedUntil"];

/// A message as canonical JSON, indented, fields in the order of the protocol.
pub fn canonical(message: &impl Serialize) -> serde_json::Result<String> {
    let text = serde_json::to_string_pretty(message)?;
    // Timestamps are serialized with +00:00 where the canonical form has Z. Labels are the caller's and stay as they are.
    let mut in_labels = false;
    let lines = text.lines().map(|line| {
        let field = line.trim_start();
        in_labels = field.starts_with("\"labels\": {") || (in_labels && !field.starts_with('}'));
        let is_time =
            field.split_once("\": \"").is_some_and(|(name, _)| name.ends_with("Time") || TIMES.contains(&name));
        if is_time && !in_labels { line.replace("+00:00\"", "Z\"") } else { line.to_owned() }
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}
