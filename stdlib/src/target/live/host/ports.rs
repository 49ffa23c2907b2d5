//! Which TCP ports are taken, from the kernel's own tables.

/// Whether a socket listens on this port, on any address.
pub(super) fn is_listened_on(port: u16) -> bool {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .any(|table| table.lines().skip(1).any(|line| listens(line, port)))
}

/// Whether a line of `/proc/net/tcp` is of a listening socket on this port:
/// `   0: 0100007F:0CEA 00000000:0000 0A …`, where 0A is the state LISTEN.
fn listens(line: &str, port: u16) -> bool {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let local = fields.next().and_then(|address| address.rsplit_once(':'));
    let state = fields.nth(1);
    state == Some("0A") && local.is_some_and(|(_, hex)| u16::from_str_radix(hex, 16) == Ok(port))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listening_socket_takes_its_port() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else {
                continue;
            };
            let port = listener.local_addr().expect("bound").port();
            assert!(is_listened_on(port), "{address}");
            drop(listener);
            assert!(!is_listened_on(port), "{address}");
        }
    }
}
