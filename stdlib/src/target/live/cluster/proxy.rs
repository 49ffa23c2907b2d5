//! Which servers are behind the environment's proxy.

use std::net::IpAddr;

use http::Uri;

/// Whether the environment's proxy is for this server: never for this machine, and not for what `NO_PROXY` names
/// (hosts, domains, addresses, networks, `*`), as Go's clients have it.
pub(super) fn goes_through_proxy(url: &Uri) -> bool {
    let names = std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy"));
    !is_exempt(url.host().unwrap_or_default(), &names.unwrap_or_default())
}

fn is_exempt(host: &str, no_proxy: &str) -> bool {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    no_proxy
        .split(',')
        .map(|entry| entry.trim().to_ascii_lowercase())
        .any(|entry| {
            if entry.is_empty() {
                return false;
            }
            if let (Some(address), Some((network, bits))) = (address, entry.split_once('/')) {
                return match (network.parse(), bits.parse()) {
                    (Ok(network), Ok(bits)) => is_in_network(address, network, bits),
                    _ => false,
                };
            }
            let domain = entry.trim_start_matches('.');
            entry == "*" || host == domain || host.ends_with(&format!(".{domain}"))
        })
}

fn is_in_network(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) if bits <= 32 => {
            u64::from(u32::from(a) ^ u32::from(n)) >> (32 - bits) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(n)) if bits <= 128 => {
            bits == 0 || (u128::from(a) ^ u128::from(n)) >> (128 - bits) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_is_not_for_everyone() {
        let no_proxy = "10.0.0.0/8, .example.org,other.test,fd00::/8,192.168.1.1";
        for host in [
            "localhost",
            "127.0.0.1",
            "[::1]",
            "10.96.0.1",
            "api.example.org",
            "example.org",
            "other.test",
            "x.other.test",
            "[fd00::1]",
            "192.168.1.1",
        ] {
            assert!(is_exempt(host, no_proxy), "{host}");
        }
        for host in [
            "11.0.0.1",
            "example.com",
            "notexample.org",
            "192.168.1.2",
            "[fe80::1]",
        ] {
            assert!(!is_exempt(host, no_proxy), "{host}");
        }
        assert!(is_exempt("anything", "*"));
    }
}
