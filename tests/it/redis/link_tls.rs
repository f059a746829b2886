//! An encrypted way to Redis: with the authority that signed, and never without.

use crate::support::redis::{Keep, RedisServer};
use crate::support::{TempDir, authority, certificate, unused_addr};
use quotad::store::redis::link::{Link, LinkError};
use quotad::store::redis::options::{RedisFlags, RedisOptions};
use std::path::PathBuf;
use std::time::Duration;

fn open(port: u16, ca: Option<PathBuf>) -> Link {
    let flags = RedisFlags { url: format!("rediss://127.0.0.1:{port}"), ca_file: ca, ..RedisFlags::default() };
    Link::open(RedisOptions::new(&flags).unwrap()).unwrap()
}

#[tokio::test]
async fn a_connection_is_encrypted_and_only_the_right_authority_is_believed() {
    let folder = TempDir::new("certificates");
    let (right, wrong) = (authority(folder.path(), "right"), authority(folder.path(), "wrong"));
    certificate(folder.path(), "right", "redis");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let port = unused_addr().port();
    let (tls, cert, key, ca) = (port.to_string(), path("redis.crt"), path("redis.key"), path("right.crt"));
    let settings = [
        ["--tls-port", &tls],
        ["--tls-cert-file", &cert],
        ["--tls-key-file", &key],
        ["--tls-ca-cert-file", &ca],
        ["--tls-auth-clients", "no"],
    ];
    let server = RedisServer::start_with(Keep::Nothing, settings.as_flattened());

    let link = open(port, Some(right.clone()));
    link.ready(Duration::from_secs(10)).await.unwrap();
    link.ping().await.unwrap();
    let clients: String = server.ask(&["CLIENT", "LIST"]);
    assert!(clients.contains(&format!("laddr=127.0.0.1:{port}")), "{clients}");

    for untrusted in [open(port, Some(wrong)), open(port, None)] {
        match untrusted.ping().await {
            Err(LinkError::NotSent(text)) => assert!(text.contains("ertificate"), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    // Without encryption the server there does not understand us.
    let plain = RedisFlags { url: format!("redis://127.0.0.1:{port}"), ..RedisFlags::default() };
    let link = Link::open(RedisOptions::new(&plain).unwrap()).unwrap();
    assert!(matches!(link.ping().await, Err(LinkError::NotSent(_))));
}
