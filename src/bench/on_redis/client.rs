//! A plain blocking connection to Redis: nothing of the driver stands between the figures and the server.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A connection.
pub(super) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects to a server of this machine.
    ///
    /// # Errors
    /// A port where nobody listens.
    pub(super) fn connect(port: u16) -> Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Client { stream: BufReader::new(stream) })
    }

    /// Sends a command and waits for its answer: the bytes of a string, the text of a number or a status.
    ///
    /// # Errors
    /// A connection that breaks; an error that Redis answers; an answer of another kind.
    pub(super) fn call(&mut self, parts: &[&[u8]]) -> Result<Vec<u8>> {
        let mut bytes = format!("*{}\r\n", parts.len()).into_bytes();
        for part in parts {
            bytes.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
            bytes.extend_from_slice(part);
            bytes.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&bytes)?;
        self.answer()
    }

    /// A command of words, and its answer as text.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(super) fn ask(&mut self, words: &str) -> Result<String> {
        let parts: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        Ok(String::from_utf8(self.call(&parts)?)?)
    }

    /// A command of words whose answer is a number.
    ///
    /// # Errors
    /// As [`Client::call`], and an answer that is none.
    pub(super) fn count(&mut self, words: &str) -> Result<u64> {
        self.ask(words)?.parse().with_context(|| format!("{words} did not answer a number"))
    }

    /// A figure of INFO.
    ///
    /// # Errors
    /// As [`Client::call`], and a section that lacks it.
    pub(super) fn info(&mut self, section: &str, name: &str) -> Result<f64> {
        figure(&self.ask(&format!("INFO {section}"))?, name)
    }

    /// Processor time that the server has used, user and system, by its own account of the system's.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(super) fn cpu(&mut self) -> Result<Duration> {
        let info = self.ask("INFO cpu")?;
        Ok(Duration::from_secs_f64(figure(&info, "used_cpu_user:")? + figure(&info, "used_cpu_sys:")?))
    }

    fn answer(&mut self) -> Result<Vec<u8>> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let line = line.trim_end();
        let (kind, rest) = line.split_at_checked(1).context("Redis closed the connection")?;
        match kind {
            "+" | ":" => Ok(rest.into()),
            "-" => bail!("Redis answered {rest}"),
            "$" => {
                let mut bytes = vec![0; rest.parse::<usize>().context("Redis answered nothing")? + 2];
                self.stream.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Ok(bytes)
            }
            _ => bail!("Redis answered something else: {line}"),
        }
    }
}

/// The number after a name, up to a comma or the end of the line.
fn figure(info: &str, name: &str) -> Result<f64> {
    let line = info.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("INFO lacks {name}"))?;
    Ok(line.split(',').next().unwrap_or_default().trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_found_by_its_beginning() {
        let info = "# Commandstats\r\ncmdstat_evalsha:calls=12,usec=40\r\nused_cpu_user:1.25\r\n";
        assert!((figure(info, "cmdstat_evalsha:calls=").unwrap() - 12.0).abs() < f64::EPSILON);
        assert!((figure(info, "used_cpu_user:").unwrap() - 1.25).abs() < f64::EPSILON);
        assert!(figure(info, "used_cpu_sys:").is_err());
    }
}
