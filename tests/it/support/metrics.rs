//! What a server tells of itself at `/metrics`.

use super::server::Server;
use std::io::{Read, Write};
use std::net::TcpStream;

impl Server {
    /// A counter's value, by its name; 0 if it is not told of.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        self.metrics()
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse::<f64>().ok())
            .map_or(0, |value| value as u64)
    }

    /// The whole page.
    pub(crate) fn metrics(&self) -> String {
        let addr = self.http_addr();
        let mut stream = TcpStream::connect(addr).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        text.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}
