//! Why no answer came, told apart, and what to do about it.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::Duration;

use psprun_engine::StepError;
use psprun_engine::plan::show_duration;
use reqwest::Url;
use rustls::{AlertDescription, CertificateError, Error as TlsError};

/// The request that got no answer.
pub(super) struct Sent {
    pub(super) method: String,
    pub(super) url: Url,
    pub(super) timeout: Option<Duration>,
    pub(super) redirects: u32,
}

impl Sent {
    /// Host and port.
    pub(super) fn place(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// The URL as it may be shown: without a password.
    fn shown(&self) -> String {
        let mut url = self.url.clone();
        if url.password().is_some() {
            let _ = url.set_password(Some("***"));
        }
        url.to_string()
    }
}

/// A request that cannot be sent at all.
pub(super) fn bad_request(message: String) -> StepError {
    StepError::new("psprun::http::bad_request", message)
}

/// All that an error and its causes say.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error)
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    fn next<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
        match error.downcast_ref::<io::Error>() {
            // Its source is that of the error inside it, which would be passed over.
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    }
    std::iter::successors(Some(error), |error| next(*error))
}

/// Tells why a request got no answer.
pub(super) fn send_error(sent: &Sent, error: &reqwest::Error) -> StepError {
    let place = sent.place();
    let tls = causes(error).find_map(|cause| cause.downcast_ref::<TlsError>());
    let io = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>());
    let words = causes(error)
        .skip(1)
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ");

    if error.is_timeout() {
        let limit = sent
            .timeout
            .map(|time| format!(" within {}", show_duration(time)))
            .unwrap_or_default();
        return if error.is_connect() {
            StepError::new("psprun::http::timeout", format!("cannot reach {place}{limit}: nobody answers there"))
                .help("look at the address, the route to it and firewalls: packets that nobody answers look like this")
        } else {
            StepError::new("psprun::http::timeout", format!("{} {} was not answered in full{limit}", sent.method, sent.shown()))
                .help("the server is there but slow; give it more time with `timeout`")
        }
        .heals();
    }
    if let Some(tls) = tls {
        return tls_error(&place, tls);
    }
    if words.contains("dns error") || words.contains("failed to lookup address") {
        return dns_error(sent, &words);
    }
    if error.is_redirect() {
        return StepError::new(
            "psprun::http::redirects",
            format!(
                "{} leads on to another place more than {} times",
                sent.shown(),
                sent.redirects
            ),
        )
        .help("allow more with `redirects`, or look with `redirects: 0` where it leads");
    }
    let refused_by_proxy = words.contains("unsuccessful tunnel") || words.contains("proxy");
    if refused_by_proxy {
        return StepError::new(
            "psprun::http::proxy",
            format!("the proxy does not connect to {place}: {words}"),
        )
        .help("look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY, or give `proxy: \"\"` to go without one")
        .heals();
    }
    if let Some(io) = io
        && let Some(known) = io_error(&place, io, error.is_connect())
    {
        return known;
    }
    if words.contains("connection closed before message completed") || words.contains("end of file") {
        return StepError::new(
            "psprun::http::closed",
            format!("{place} closed the connection before it had answered"),
        )
        .help("the server may be starting or ending; a server for HTTPS does so when it is spoken to in HTTP")
        .heals();
    }
    if words.contains("invalid HTTP") || words.contains("invalid header") || words.contains("invalid chunk") {
        let help = if sent.url.scheme() == "http" {
            "it may want HTTPS: try `https://`"
        } else {
            "it may serve something else at this port"
        };
        return StepError::new(
            "psprun::http::no_http",
            format!("{place} does not answer in HTTP: {words}"),
        )
        .help(help);
    }
    let what = if words.is_empty() {
        error.to_string()
    } else {
        words
    };
    StepError::new(
        "psprun::http::failed",
        format!("{} {} failed: {what}", sent.method, sent.shown()),
    )
    .heals()
}

fn io_error(place: &str, error: &io::Error, connecting: bool) -> Option<StepError> {
    let failed = match error.kind() {
        ErrorKind::ConnectionRefused => StepError::new(
            "psprun::http::refused",
            format!("{place} refuses the connection: nothing listens there"),
        )
        .help("look at address and port; the server may not be up yet"),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            StepError::new("psprun::http::reset", format!("{place} broke the connection off"))
                .help("the server may have ended or be starting; try again")
        }
        ErrorKind::UnexpectedEof => StepError::new(
            "psprun::http::closed",
            format!("{place} closed the connection before it had answered"),
        )
        .help("the server may be starting or ending"),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            StepError::new(
                "psprun::http::unreachable",
                format!("there is no route to {place}"),
            )
            .help("look at the network: `ip route get ADDRESS`")
        }
        ErrorKind::AddrNotAvailable => StepError::new(
            "psprun::http::unreachable",
            format!("{place} cannot be reached from any address of this machine"),
        ),
        ErrorKind::PermissionDenied if connecting => StepError::new(
            "psprun::http::forbidden",
            format!("this machine does not let psprun connect to {place}"),
        )
        .help("look at its firewall"),
        _ => return None,
    };
    Some(failed.heals())
}

fn dns_error(sent: &Sent, words: &str) -> StepError {
    let host = sent.url.host_str().unwrap_or_default();
    if words.contains("Temporary failure") || words.contains("try again") {
        return StepError::new(
            "psprun::http::dns",
            format!("the name {host} cannot be looked up now: no name server answers"),
        )
        .help("look at /etc/resolv.conf and the way to the servers in it")
        .heals();
    }
    StepError::new(
        "psprun::http::dns",
        format!("there is no host of the name {host}"),
    )
    .help("look for a typing error; names of services (`x.namespace.svc`) are known inside the cluster only")
}

fn tls_error(place: &str, error: &TlsError) -> StepError {
    let failed = |message: String, help: &str| StepError::new("psprun::http::tls", message).help(help);
    match error {
        TlsError::InvalidCertificate(certificate) => certificate_error(place, certificate),
        TlsError::InvalidMessage(_) => failed(
            format!("{place} does not speak TLS"),
            "it may serve plain HTTP: try `http://`",
        ),
        TlsError::PeerIncompatible(what) => failed(
            format!("{place} speaks no TLS that is safe today ({what:?})"),
            "TLS 1.2 or 1.3 is needed; older ones are not spoken",
        ),
        TlsError::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::BadCertificate) => {
            failed(
                format!("{place} wants a client certificate"),
                "give one with `cert` and `key`",
            )
        }
        TlsError::AlertReceived(AlertDescription::UnknownCA) => failed(
            format!("{place} does not trust the client certificate's authority"),
            "give a certificate that the server's authority has signed",
        ),
        TlsError::AlertReceived(AlertDescription::UnrecognisedName) => failed(
            format!("{place} serves no host of this name"),
            "the server chooses by the URL's host name; an address or another name will not do",
        ),
        other => failed(
            format!("no TLS connection to {place}: {other}"),
            "look at what the server expects: `openssl s_client -connect`",
        ),
    }
}

fn certificate_error(place: &str, error: &CertificateError) -> StepError {
    const CLOCK: &str =
        "look at the clocks of both machines (`date`); else the server needs a new certificate";
    let (what, help) = match error {
        CertificateError::UnknownIssuer => (
            "is signed by nobody who is trusted here".to_owned(),
            "give the authority's certificate with `ca`; or do without any check with `insecure: true`",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = match error {
                CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
                    format!(", but for {}", presented.join(", "))
                }
                _ => String::new(),
            };
            (
                format!("is not for this name{names}"),
                "use a name that the certificate is for; or do without any check with `insecure: true`",
            )
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("has expired".to_owned(), CLOCK)
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("is not valid yet".to_owned(), CLOCK)
        }
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => (
            "is that of an authority, signed by itself".to_owned(),
            "have the authority sign one for the server (basicConstraints CA:FALSE) and give the authority's with `ca`; or do \
             without any check with `insecure: true`",
        ),
        other => (
            format!("cannot be trusted: {other}"),
            "look at it: `openssl s_client -connect HOST:PORT -showcerts`",
        ),
    };
    StepError::new(
        "psprun::http::certificate",
        format!("the certificate of {place} {what}"),
    )
    .help(help)
}
