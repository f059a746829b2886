//! An address where nobody listens.

use std::net::{SocketAddr, TcpListener};

/// An address of this machine on which nothing listens now. Servers under test take port 0 instead, which can't collide.
pub(crate) fn unused_addr() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
