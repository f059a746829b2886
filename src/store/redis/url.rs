//! The text of `--redis-url`, taken apart.

use super::options::{Address, Secret};

/// A Redis URL in its parts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Url {
    /// `rediss`.
    pub(super) tls: bool,
    /// `+sentinel`.
    pub(super) sentinel: bool,
    /// User.
    pub(super) user: Option<String>,
    /// Password.
    pub(super) password: Option<Secret>,
    /// At least one.
    pub(super) hosts: Vec<Address>,
    /// The master's name (Sentinel).
    pub(super) master: String,
    /// Number of the database.
    pub(super) database: i64,
}

/// Takes a URL apart; what is wrong with it is added to `faults`, without anything secret.
pub(super) fn parse(text: &str, faults: &mut Vec<String>) -> Option<Url> {
    let before = faults.len();
    let Some((scheme, rest)) = text.trim().split_once("://") else {
        faults.push("the URL must begin with redis://, rediss://, redis+sentinel:// or rediss+sentinel://".to_owned());
        return None;
    };
    let (tls, sentinel) = match scheme.to_ascii_lowercase().as_str() {
        "redis" => (false, false),
        "rediss" => (true, false),
        "redis+sentinel" => (false, true),
        "rediss+sentinel" => (true, true),
        _ => {
            faults.push(format!(
                "the URL begins with {scheme}://; it must be redis://, rediss://, redis+sentinel:// or rediss+sentinel://"
            ));
            return None;
        }
    };
    let rest = match rest.split_once(['?', '#']) {
        Some((rest, _)) => {
            faults.push("the URL may have no part after ? or # (in a password write %3F and %23)".to_owned());
            rest
        }
        None => rest,
    };
    let mut url = Url { tls, sentinel, ..Url::default() };
    // A password may have an @ in it, a host may not; but neither may have a slash.
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let hosts = match authority.rsplit_once('@') {
        Some((login, hosts)) => {
            read_login(login, &mut url, faults);
            hosts
        }
        None => authority,
    };
    let port = if sentinel { 26379 } else { 6379 };
    url.hosts = hosts.split(',').filter_map(|host| read_host(host, port, faults)).collect();
    read_path(path, &mut url, faults);
    (faults.len() == before).then_some(url)
}

fn read_login(login: &str, url: &mut Url, faults: &mut Vec<String>) {
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (login, None),
    };
    match (decode(user), password.map(decode)) {
        (Some(user), None) => url.user = Some(user).filter(|user| !user.is_empty()),
        (Some(user), Some(Some(password))) => {
            url.user = Some(user).filter(|user| !user.is_empty());
            url.password = Some(password).filter(|password| !password.is_empty()).map(Secret::new);
        }
        _ => faults.push("user and password of the URL must be percent-encoded UTF-8".to_owned()),
    }
}

fn read_host(text: &str, default_port: u16, faults: &mut Vec<String>) -> Option<Address> {
    // Without its closing bracket the whole is taken for a host, which it can't be.
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        // What follows without a colon is no port either.
        Some((host, after)) => (host, Some(after.strip_prefix(':').unwrap_or_default())),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if host.is_empty() || !host.chars().all(good) {
        faults.push(format!("{text:?} in the URL is no host"));
        return None;
    }
    let port = match port {
        None => Some(default_port),
        Some(port) => port.parse().ok().filter(|port| *port > 0),
    };
    if port.is_none() {
        faults.push(format!("the port of {text:?} in the URL must be 1 to 65535"));
    }
    Some(Address { host: host.to_owned(), port: port? })
}

fn read_path(path: &str, url: &mut Url, faults: &mut Vec<String>) {
    let (first, second) = path.split_once('/').unwrap_or((path, ""));
    let mut database = first;
    if url.sentinel {
        match decode(first).filter(|master| !master.is_empty()) {
            Some(master) => url.master = master,
            None => faults.push("the URL must name the master after the sentinels: .../mymaster".to_owned()),
        }
        database = second;
    } else if !second.is_empty() {
        faults.push(format!("/{path} in the URL must be a single number, the database"));
        return;
    }
    if database.is_empty() {
        return;
    }
    match database.parse::<u32>() {
        Ok(number) => url.database = i64::from(number),
        Err(_) => faults.push(format!("{database:?} in the URL is no number of a database")),
    }
}

/// Percent-decoding; `None` if the result is no UTF-8 or an escape is broken.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, tail @ ..] = rest else { return None };
        rest = tail;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit(*high)? * 16 + digit(*low)?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(text: &str) -> Url {
        let mut faults = Vec::new();
        parse(text, &mut faults).unwrap_or_else(|| panic!("{text}: {faults:?}"))
    }

    fn hosts(url: &Url) -> Vec<String> {
        url.hosts.iter().map(Address::to_string).collect()
    }

    #[test]
    fn every_form_is_read() {
        let url = good("redis://localhost");
        assert_eq!((hosts(&url), url.tls, url.database), (vec!["localhost:6379".to_owned()], false, 0));
        let url = good("rediss://us%40er:p%3A%2fw@[::1]:7000/3");
        assert_eq!((hosts(&url), url.tls, url.database), (vec!["[::1]:7000".to_owned()], true, 3));
        assert_eq!((url.user.as_deref(), url.password.as_ref().map(Secret::reveal)), (Some("us@er"), Some("p:/w")));
        let url = good("redis://:a@b@h1,h2:7001/");
        assert_eq!(hosts(&url), ["h1:6379", "h2:7001"]);
        assert_eq!((url.user, url.password.as_ref().map(Secret::reveal)), (None, Some("a@b")));
        let url = good("REDIS+SENTINEL://s1,s2:26380/my%20master/2");
        assert_eq!(
            (hosts(&url), url.master.as_str()),
            (vec!["s1:26379".to_owned(), "s2:26380".to_owned()], "my master")
        );
        assert_eq!((url.sentinel, url.database, good("rediss+sentinel://s/m").tls), (true, 2, true));
    }

    #[test]
    fn every_fault_is_told_and_no_secret_with_it() {
        let faults = |text: &str| {
            let mut faults = Vec::new();
            assert_eq!(parse(text, &mut faults), None, "{text}");
            faults
        };
        for text in [
            "localhost:6379",
            "http://h",
            "redis://",
            "redis://h:0",
            "redis://h:70000",
            "redis://[::1",
            "redis://[::1]7",
            "redis://h h",
            "redis://h/x",
            "redis://h/1/2",
            "redis://h?db=1",
            "redis+sentinel://s",
            "redis+sentinel://s/m/x",
            "redis://u:secr%zzet@h",
            "redis://u:secret%@h",
        ] {
            assert_eq!(faults(text).len(), 1, "{text}");
            assert!(!faults(text)[0].contains("secr"), "{text}");
        }
        assert_eq!(faults("redis://a b,c:x,d/e").len(), 3);
    }
}
