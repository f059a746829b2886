//! Certificates, by openssl.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What all of them have in common.
const NEW: &str = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";

/// An authority `NAME.crt` with `NAME.key`, new in each call.
pub(crate) fn authority(folder: &Path, name: &str) -> PathBuf {
    openssl(folder, &format!("{NEW} -keyout {name}.key -out {name}.crt -subj /CN={name}"));
    folder.join(format!("{name}.crt"))
}

/// `NAME.crt` with `NAME.key` for a server on 127.0.0.1, signed by an authority in the same folder.
pub(crate) fn certificate(folder: &Path, authority: &str, name: &str) {
    let server = "-addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    let signed = format!("-CA {authority}.crt -CAkey {authority}.key {server}");
    openssl(folder, &format!("{NEW} -keyout {name}.key -out {name}.crt -subj /CN={name} {signed}"));
}

fn openssl(folder: &Path, args: &str) {
    let output = Command::new("openssl").args(args.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
}
