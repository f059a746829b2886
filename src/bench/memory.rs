//! Memory of a process by the operating system's account.

/// Bytes that a process has in memory for itself, files that are mapped aside; `None` where the system does not tell.
pub(super) fn resident(process: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    parse(&text)
}

fn parse(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_in_bytes() {
        assert_eq!(parse("VmRSS:\t   9000 kB\nRssAnon:\t    1234 kB\n"), Some(1234 * 1024));
        assert_eq!(parse("VmRSS:\t   9000 kB\n"), None);
        assert!(resident(std::process::id()).is_none_or(|bytes| bytes > 1 << 18));
    }
}
