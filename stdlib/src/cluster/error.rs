//! What the API server, or the way to it, said: as an error that names the cause and what to do.

use std::error::Error as StdError;
use std::io;

use kube::core::response::StatusCause;
use psprun_engine::StepError;

/// Explains why a request failed. `doing` is what was tried, as it follows "cannot": `apply ConfigMap demo/settings`.
///
/// The error heals where the same request may succeed later: nobody listens, the connection broke, the server is
/// overloaded or starts up, etcd elects a leader, the object was changed meanwhile.
pub fn explain(doing: &str, error: &kube::Error) -> StepError {
    match error {
        kube::Error::Api(status) => explain_status(doing, status),
        kube::Error::Auth(error) => StepError::new(
            "psprun::cluster::credentials",
            format!("cannot {doing}: no credentials: {}", causes(error)),
        )
        .help("check the user of the kubeconfig: its token file or the program that makes its credentials (`exec`)"),
        kube::Error::BuildRequest(error) => StepError::new(
            "psprun::cluster::bad_request",
            format!("cannot {doing}: no request can be made of it: {}", causes(error)),
        ),
        kube::Error::SerdeError(error) => StepError::new(
            "psprun::cluster::bad_answer",
            format!("cannot {doing}: the API server's answer is not what it should be: {error}"),
        )
        .help("is there a proxy or another server at this address?"),
        other => explain_transport(doing, other),
    }
}

/// Whether the server said that there is no such object.
pub fn is_not_found(error: &kube::Error) -> bool {
    // kube 5.0's own `is_not_found` overlooks the code of an answer that is no Status: `404 page not found`.
    matches!(error, kube::Error::Api(status) if status.code == 404 || status.reason == "NotFound")
}

/// An error of the way to the server, with the server's address. The live client wraps its errors in this.
#[derive(Debug, thiserror::Error)]
#[error("{server}")]
pub(crate) struct AtServer {
    /// The URL of the API server.
    pub(crate) server: std::sync::Arc<str>,
    /// What happened.
    pub(crate) source: Box<dyn StdError + Send + Sync>,
}

/// The API server took the connection, but sent no answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0} s")]
pub(crate) struct NoAnswer(pub(crate) u64);

// --- the server answered ---------------------------------------------------------------------------------------------

fn explain_status(doing: &str, status: &kube::core::Status) -> StepError {
    let message = status.message.trim();
    let causes: &[StatusCause] = status.details.as_ref().map_or(&[], |details| &details.causes);
    let fail = |code, text: &str| StepError::new(code, format!("cannot {doing}: {text}"));
    let mut error = match status.code {
        401 => fail(
            "psprun::cluster::unauthorized",
            "the API server does not accept the credentials of the kubeconfig (401 Unauthorized)",
        )
        .help("has the client certificate or token expired, or is the kubeconfig one of a cluster that was reset since?"),
        403 => explain_forbidden(doing, message),
        404 => explain_not_found(doing, status),
        409 if status.is_already_exists() => fail("psprun::cluster::already_exists", message),
        409 if causes.iter().any(|cause| cause.reason == "FieldManagerConflict") => explain_field_conflict(doing, causes),
        409 => fail("psprun::cluster::conflict", message).heals(),
        410 => fail("psprun::cluster::expired", message).heals(),
        413 => fail("psprun::cluster::too_large", "the object is larger than the API server takes")
            .help("etcd holds objects up to 1.5 MiB: split the object"),
        415 => fail("psprun::cluster::unsupported", message)
            .help("does the server not know this kind of patch? `apply` without server-side apply: `server_side: false`"),
        422 => explain_invalid(doing, message, causes),
        429 => fail("psprun::cluster::too_many_requests", message).heals(),
        code if code >= 500 => explain_server_error(doing, code, message),
        _ if message.contains("admission webhook") => explain_webhook(doing, message),
        _ if message.contains("client sent an HTTP request to an HTTPS server")
            || message.contains("Client sent an HTTP request to an HTTPS server") =>
        {
            fail("psprun::cluster::tls", "the server speaks HTTPS, the kubeconfig says http://")
                .help("write https:// in the kubeconfig's `server`")
        }
        code => fail(
            "psprun::cluster::bad_request",
            &if message.is_empty() { format!("the API server answered {code}") } else { message.to_owned() },
        ),
    };
    if let Some(seconds) = status
        .details
        .as_ref()
        .map(|d| d.retry_after_seconds)
        .filter(|s| *s > 0)
        && error.heals
    {
        error.retry_after_ms = Some(u64::from(seconds) * 1000);
    }
    error
}

/// 403: no right (RBAC), or an admission plugin said no.
fn explain_forbidden(doing: &str, message: &str) -> StepError {
    let fail = |code, text: &str| StepError::new(code, format!("cannot {doing}: {text}"));
    if message.contains("PodSecurityPolicy:") || message.contains("pod security policy") {
        let help = if message.contains("no providers available") {
            "no PodSecurityPolicy exists that the pod's account may `use`: apply a policy, and bind its `use` to the account"
        } else {
            "no policy that the pod's account may `use` allows this pod: loosen the pod, or bind `use` of a policy that allows it"
        };
        fail("psprun::cluster::admission_denied", message).help(help)
    } else if message.contains("violates PodSecurity") {
        fail("psprun::cluster::admission_denied", message)
            .help("the namespace's `pod-security.kubernetes.io/enforce` label refuses the pod: change the pod or the label")
    } else if message.contains("admission webhook") {
        explain_webhook(doing, message)
    } else if message.contains("because it is being terminated") {
        fail("psprun::cluster::namespace_terminating", message)
            .help("the namespace is being deleted: wait until it is gone, then make it again")
            .heals()
    } else if message.contains("exceeded quota") {
        fail("psprun::cluster::quota", message).help("raise the namespace's ResourceQuota, or ask for less")
    } else if message.contains("error looking up service account") {
        // The controller makes the account a moment after its namespace.
        fail("psprun::cluster::no_service_account", message)
            .help("make the service account first; `default` comes a moment after its namespace")
            .heals()
    } else if let Some(user) = between(message, "User \"", "\"") {
        let error = fail("psprun::cluster::forbidden", message).help(format!(
            "bind a role with this right to `{user}`, or use a kubeconfig of an administrator (/etc/kubernetes/admin.conf)"
        ));
        // Just after its start a server may not have its own roles yet.
        if message.contains("RBAC: ") && message.contains("not found") {
            error.heals()
        } else {
            error
        }
    } else {
        fail("psprun::cluster::forbidden", message)
    }
}

fn explain_webhook(doing: &str, message: &str) -> StepError {
    let name = between(message, "admission webhook \"", "\"").unwrap_or("?");
    StepError::new(
        "psprun::cluster::admission_denied",
        format!("cannot {doing}: {message}"),
    )
    .help(format!(
        "the webhook `{name}` refuses the object: its message says why"
    ))
}

fn explain_not_found(doing: &str, status: &kube::core::Status) -> StepError {
    let message = status.message.trim();
    if let Some(namespace) = between(message, "namespaces \"", "\" not found") {
        return StepError::new(
            "psprun::cluster::no_namespace",
            format!("cannot {doing}: there is no namespace `{namespace}`"),
        )
        .help(format!(
            "make it first with `cluster.namespace(\"{namespace}\")`, or put a Namespace into the same bundle"
        ));
    }
    let text = match message {
        "" | "404 page not found" => "the API server knows no such path (404)",
        text => text,
    };
    let error = StepError::new("psprun::cluster::not_found", format!("cannot {doing}: {text}"));
    if message == "the server could not find the requested resource" {
        error.help("the server does not serve this kind in this API version: see `kubectl api-resources`")
    } else {
        error
    }
}

/// Server-side apply: fields that another manager owns with another value.
fn explain_field_conflict(doing: &str, causes: &[StatusCause]) -> StepError {
    let mut lines = Vec::new();
    for cause in causes {
        let manager = between(&cause.message, "conflict with \"", "\"").unwrap_or(&cause.message);
        let line = format!("  {} belongs to {manager}", cause.field);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let fields = if lines.len() == 1 {
        "a field belongs"
    } else {
        "fields belong"
    };
    StepError::new(
        "psprun::apply::conflict",
        format!(
            "cannot {doing}: {fields} to another manager\n{}",
            lines.join("\n")
        ),
    )
    .help(if lines.iter().all(|line| line.ends_with(" belongs to psprun")) {
        "another step (patch, label, annotate, or an apply without the server's help) set them: let one step say it, or \
         use `force: true`"
    } else {
        "leave these fields out of the manifest, or take them over with `force: true`"
    })
}

/// 422: a line for each field.
fn explain_invalid(doing: &str, message: &str, causes: &[StatusCause]) -> StepError {
    if causes.is_empty() {
        return StepError::new("psprun::cluster::invalid", format!("cannot {doing}: {message}"));
    }
    let mut lines: Vec<String> = Vec::new();
    for cause in causes {
        let line = if cause.field.is_empty() || cause.field == "<nil>" {
            format!("  {}", cause.message)
        } else {
            format!("  {}: {}", cause.field, cause.message)
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let error = StepError::new(
        "psprun::cluster::invalid",
        format!(
            "cannot {doing}: the API server finds it invalid\n{}",
            lines.join("\n")
        ),
    );
    if causes
        .iter()
        .any(|cause| cause.message.contains("field is immutable"))
    {
        error.help("this field cannot be changed: delete the object first, then apply it")
    } else {
        error
    }
}

fn explain_server_error(doing: &str, code: u16, message: &str) -> StepError {
    // Server-side apply answers 500 to an object that does not fit its kind.
    if let Some((_, why)) = message.split_once("failed to create typed patch object") {
        let why = why
            .split_once("): ")
            .filter(|_| why.starts_with(" ("))
            .map_or(why, |(_, why)| why);
        return StepError::new(
            "psprun::cluster::invalid",
            format!(
                "cannot {doing}: it does not fit its kind: {}",
                why.trim_start_matches([':', ' '])
            ),
        );
    }
    let fail = |code, text: String| StepError::new(code, format!("cannot {doing}: {text}")).heals();
    if message.contains("failed calling webhook") || message.contains("failed to call webhook") {
        let name = between(message, "webhook \"", "\"").unwrap_or("?");
        return fail("psprun::cluster::webhook_unreachable", message.to_owned()).help(format!(
            "the webhook `{name}` does not answer: are its pods ready and its service reachable from the API server?"
        ));
    }
    if message.contains("etcdserver") || message.contains("context deadline exceeded") {
        return fail(
            "psprun::cluster::etcd",
            format!("etcd is busy or elects a leader: {message}"),
        );
    }
    let text = if message.is_empty() {
        format!("the API server answered {code}")
    } else {
        format!("the API server answered {code}: {message}")
    };
    fail("psprun::cluster::server_error", text)
}

// --- no answer -------------------------------------------------------------------------------------------------------

fn explain_transport(doing: &str, error: &kube::Error) -> StepError {
    let chain: Vec<&(dyn StdError + 'static)> = chain(error).collect();
    let server = chain
        .iter()
        .find_map(|e| e.downcast_ref::<AtServer>())
        .map(|at| &*at.server);
    let the_server = match server {
        Some(url) => format!("the API server at {url}"),
        None => "the API server".to_owned(),
    };
    let fail = |code, text: String| StepError::new(code, format!("cannot {doing}: {text}"));

    if let Some(error) = chain.iter().find_map(|e| as_tls_error(*e)) {
        return explain_tls(doing, &the_server, error);
    }
    if let Some(NoAnswer(seconds)) = chain.iter().find_map(|e| e.downcast_ref()) {
        return fail(
            "psprun::cluster::timeout",
            format!("{the_server} did not answer within {seconds} s"),
        )
        .heals();
    }
    let text = chain.last().map(|e| e.to_string()).unwrap_or_default();
    if chain.iter().any(|e| e.to_string() == "dns error") {
        // "Temporary failure in name resolution" and an unknown name both come and go with the network.
        return fail(
            "psprun::cluster::dns",
            format!("the name of {the_server} is not known: {text}"),
        )
        .help("check the `server` of the kubeconfig and this machine's DNS or /etc/hosts")
        .heals();
    }
    match chain.iter().rev().find_map(|e| e.downcast_ref::<io::Error>()).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => {
            fail("psprun::cluster::refused", format!("{the_server} refuses connections: nothing listens there"))
                .help("is the API server up? On its node: `crictl ps -a | grep kube-apiserver`, `journalctl -u kubelet`")
                .heals()
        }
        Some(io::ErrorKind::TimedOut) => {
            fail("psprun::cluster::timeout", format!("{the_server} cannot be reached: the connection timed out"))
                .help("check the address in the kubeconfig, and what drops packets on the way (firewall, routes)")
                .heals()
        }
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
            fail("psprun::cluster::unreachable", format!("there is no way to {the_server}: {text}"))
                .help("check this machine's network and the address in the kubeconfig")
                .heals()
        }
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof) => {
            fail("psprun::cluster::reset", format!("{the_server} broke the connection")).heals()
        }
        _ if server.is_some() || is_broken(error) => {
            fail("psprun::cluster::reset", format!("the connection to {the_server} broke: {text}")).heals()
        }
        _ => fail("psprun::cluster::failed", causes(error)),
    }
}

/// Errors that only an open connection can have.
fn is_broken(error: &kube::Error) -> bool {
    matches!(
        error,
        kube::Error::HyperError(_) | kube::Error::ReadEvents(_) | kube::Error::Service(_)
    )
}

fn explain_tls(doing: &str, the_server: &str, error: &rustls::Error) -> StepError {
    use rustls::CertificateError as Certificate;
    let (why, help) = match error {
        rustls::Error::InvalidCertificate(Certificate::UnknownIssuer | Certificate::BadSignature) => (
            "its certificate is not signed by the CA of the kubeconfig".to_owned(),
            "is it a kubeconfig of another cluster, or of one that was reset since? `kubeadm init` makes a new CA each time",
        ),
        rustls::Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => (
            "its certificate is not for this name".to_owned(),
            "use a name that the certificate has (kubeadm: `apiServer.certSANs`), or set `tls-server-name` in the kubeconfig",
        ),
        rustls::Error::InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => (
            "its certificate has expired".to_owned(),
            "renew it on the control plane: `kubeadm certs renew all`; check both clocks",
        ),
        rustls::Error::InvalidCertificate(
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. },
        ) => (
            "its certificate is not valid yet".to_owned(),
            "check the clocks of this machine and of the server",
        ),
        rustls::Error::InvalidMessage(_) => (
            "what answers does not speak TLS".to_owned(),
            "check the port in the kubeconfig's `server`; a plain HTTP server needs http://",
        ),
        other => (
            format!("no TLS connection: {other}"),
            "check the `server` and the certificates of the kubeconfig",
        ),
    };
    StepError::new(
        "psprun::cluster::tls",
        format!("cannot {doing}: {the_server}: {why}"),
    )
    .help(help)
}

/// rustls' error hides in an I/O error's payload, which is not its `source`.
fn as_tls_error<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e rustls::Error> {
    error.downcast_ref::<rustls::Error>().or_else(|| {
        let payload = error.downcast_ref::<io::Error>()?.get_ref()?;
        as_tls_error(payload)
    })
}

// --- reading errors --------------------------------------------------------------------------------------------------

fn chain<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// An error with its causes, each once.
pub(crate) fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = String::new();
    for error in chain(error) {
        let piece = error.to_string();
        if !text.contains(&piece) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&piece);
        }
    }
    text
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let rest = &text[text.find(before)? + before.len()..];
    Some(&rest[..rest.find(after)?])
}

#[cfg(test)]
mod tests;
