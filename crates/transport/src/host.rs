//! Which hosts are this machine.

/// Whether `host`, a name or address with or without a port, is this machine by its spelling: `localhost`, names under
/// `.localhost` ([RFC 6761 §6.3](https://www.rfc-editor.org/rfc/rfc6761#section-6.3)), `127.0.0.0/8` and `[::1]`. No
/// name is looked up.
pub fn is_loopback(host: &str) -> bool {
    let bare = without_port(host);
    let name = bare.trim_end_matches('.').to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    let address = name.trim_start_matches('[').trim_end_matches(']');
    address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn without_port(host: &str) -> &str {
    if host.starts_with('[') {
        return host.split_once(']').map_or(host, |(address, _)| address);
    }
    match host.split_once(':') {
        // More than one colon is an IPv6 address without brackets.
        Some((name, port)) if !port.contains(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_recognised_however_it_is_written() {
        for host in [
            "localhost",
            "localhost:5000",
            "LOCALHOST",
            "a.localhost",
            "127.0.0.1",
            "127.8.9.10:80",
            "[::1]",
            "[::1]:5000",
            "::1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
    }

    #[test]
    fn other_hosts_that_look_like_it_are_not() {
        for host in [
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "128.0.0.1",
            "[::2]",
            "0.0.0.0",
            "evil.example",
            "",
            "[",
            "1",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
