//! From a kubeconfig to a client, with what is wrong in it said as such.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use kube::client::ClientBuilder;
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};
use psprun_engine::StepError;
use psprun_engine::diagnostic::did_you_mean;

use super::named::NameServer;
use super::proxy::goes_through_proxy;
use crate::cluster::error::causes;

/// How long the way to an API server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client for the cluster of a kubeconfig's context.
///
/// # Errors
/// What is wrong with the kubeconfig.
pub(super) async fn load(path: &Path, context: Option<&str>) -> Result<kube::Client, StepError> {
    // Only the first provider that is installed counts; all of psprun uses this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let read = path.to_owned();
    // Reading follows the file's references; `exec` runs a program.
    let kubeconfig = tokio::task::spawn_blocking(move || Kubeconfig::read_from(read))
        .await
        .map_err(|error| wrong(path, format!("cannot be read: {error}")))?
        .map_err(|error| explain(path, error))?;
    let proxy = check(path, &kubeconfig, context)?;

    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| explain(path, error))?;
    let url = config.cluster_url.clone();
    if !matches!(url.scheme_str(), Some("https" | "http")) || url.host().is_none() {
        return Err(wrong(path, format!("its `server` is no URL: {url}"))
            .help("write `server: https://ADDRESS:6443`"));
    }
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = None;
    // Retries are a step's own: they are told, limited and can be cancelled.
    config.default_retry = false;
    config.proxy_url = match proxy {
        Some(proxy) => Some(proxy),
        None => config.proxy_url.filter(|_| goes_through_proxy(&url)),
    };

    let server: Arc<str> = format!(
        "{}://{}",
        url.scheme_str().unwrap_or("https"),
        url.authority().map(|a| a.as_str()).unwrap_or_default()
    )
    .into();
    let of_user = path.to_owned();
    let handle = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        // The client's buffer is a task.
        let _in_runtime = handle.enter();
        let builder = ClientBuilder::try_from(config).map_err(|error| explain_client(&of_user, error))?;
        Ok(builder.with_layer(&NameServer { server }).build())
    })
    .await
    .map_err(|error| wrong(path, format!("no client can be made: {error}")))?
}

/// Looks for what is wrong in a kubeconfig and gives its proxy, if it has one.
fn check(path: &Path, kubeconfig: &Kubeconfig, context: Option<&str>) -> Result<Option<Uri>, StepError> {
    let names: Vec<&str> = kubeconfig.contexts.iter().map(|context| &*context.name).collect();
    if names.is_empty() && kubeconfig.clusters.is_empty() {
        return Err(wrong(path, "has no clusters and no contexts".into())
            .help("is it a kubeconfig? kubeadm's is /etc/kubernetes/admin.conf"));
    }
    let current = kubeconfig
        .current_context
        .as_deref()
        .filter(|name| !name.is_empty());
    let Some(name) = context.or(current) else {
        return Err(wrong(path, "has no current context".into())
            .help(format!("choose one with `context`: {}", list(&names))));
    };
    let Some(context) = kubeconfig
        .contexts
        .iter()
        .find(|context| context.name == name)
        .and_then(|named| named.context.as_ref())
    else {
        let guess = did_you_mean(name, names.iter().copied());
        let guess = guess
            .map(|name| format!("did you mean `{name}`? "))
            .unwrap_or_default();
        return Err(
            wrong(path, format!("has no context `{name}`")).help(format!("{guess}it has {}", list(&names)))
        );
    };
    let Some(cluster) = kubeconfig
        .clusters
        .iter()
        .find(|cluster| cluster.name == context.cluster)
        .and_then(|named| named.cluster.as_ref())
    else {
        let names: Vec<&str> = kubeconfig.clusters.iter().map(|cluster| &*cluster.name).collect();
        return Err(wrong(
            path,
            format!(
                "has no cluster `{}`, which context `{name}` names",
                context.cluster
            ),
        )
        .help(format!("it has {}", list(&names))));
    };
    if let Some(user) = context.user.as_deref().filter(|user| !user.is_empty())
        && !kubeconfig.auth_infos.iter().any(|known| known.name == user)
    {
        let names: Vec<&str> = kubeconfig.auth_infos.iter().map(|user| &*user.name).collect();
        return Err(wrong(
            path,
            format!("has no user `{user}`, which context `{name}` names"),
        )
        .help(format!("it has {}", list(&names))));
    }
    match cluster.proxy_url.as_deref().filter(|url| !url.is_empty()) {
        Some(url) => url
            .parse()
            .map(Some)
            .map_err(|error| wrong(path, format!("its `proxy-url` {url} is no URL: {error}"))),
        None => Ok(None),
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        return "none".into();
    }
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

// --- what can be wrong with it ---------------------------------------------------------------------------------------

fn wrong(path: &Path, what: String) -> StepError {
    StepError::new(
        "psprun::cluster::kubeconfig",
        format!("kubeconfig {}: {what}", path.display()),
    )
}

/// Why a kubeconfig cannot be read.
pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> StepError {
    let (what, help) = match error.kind() {
        std::io::ErrorKind::NotFound => (
            "there is no such file".to_owned(),
            "kubeadm writes /etc/kubernetes/admin.conf; `kubeconfig(path)` takes another path",
        ),
        std::io::ErrorKind::PermissionDenied => (
            "may not be read by this user".to_owned(),
            "run as its owner (for /etc/kubernetes/admin.conf root), or use a copy of your own",
        ),
        std::io::ErrorKind::IsADirectory => ("is a folder".to_owned(), "give the path of the file"),
        _ => (error.to_string(), "give the path of a readable file"),
    };
    wrong(path, what).help(help)
}

fn explain(path: &Path, error: KubeconfigError) -> StepError {
    match error {
        KubeconfigError::ReadConfig(error, path) => unreadable(&path, &error),
        KubeconfigError::Parse(error) => {
            let place = error
                .location()
                .map(|place| format!("{}:{}:{}", path.display(), place.line(), place.column()));
            let error = wrong(path, format!("is no kubeconfig: {}", error.without_snippet()));
            match place {
                Some(place) => error.at(place),
                None => error,
            }
        }
        KubeconfigError::LoadCertificateAuthority(error) => {
            wrong(path, format!("its CA certificate: {}", causes(&error)))
                .help("mend `certificate-authority` or `certificate-authority-data` of the cluster")
        }
        KubeconfigError::ParseCertificates(error) => {
            wrong(path, format!("its CA certificate is no PEM: {error}"))
                .help("mend `certificate-authority` or `certificate-authority-data` of the cluster")
        }
        KubeconfigError::LoadClientCertificate(error) => {
            wrong(path, format!("its client certificate: {}", causes(&error)))
                .help("mend `client-certificate` or `client-certificate-data` of the user")
        }
        KubeconfigError::LoadClientKey(error) => wrong(path, format!("its client key: {}", causes(&error)))
            .help("mend `client-key` or `client-key-data` of the user"),
        KubeconfigError::MissingClusterUrl => {
            wrong(path, "the cluster has no `server`".into()).help("write `server: https://ADDRESS:6443`")
        }
        KubeconfigError::ParseClusterUrl(error) => wrong(path, format!("its `server` is no URL: {error}"))
            .help("write `server: https://ADDRESS:6443`"),
        KubeconfigError::ParseProxyUrl(error) => wrong(path, format!("the proxy is no URL: {error}"))
            .help("mend `proxy-url` of the cluster, or the variable HTTPS_PROXY"),
        other => wrong(path, causes(&other)),
    }
}

fn explain_client(path: &Path, error: kube::Error) -> StepError {
    match error {
        kube::Error::InferKubeconfig(error) => explain(path, error),
        kube::Error::RustlsTls(error) => wrong(
            path,
            format!("its certificates cannot be used: {}", causes(&error)),
        )
        .help("mend the certificates and the key of the cluster and the user"),
        kube::Error::Auth(error) => wrong(path, format!("its user's credentials: {}", causes(&error)))
            .help("run the `exec` program of the kubeconfig's user by hand, or mend the token file"),
        kube::Error::ProxyProtocolUnsupported { proxy_url } => wrong(
            path,
            format!("the proxy {proxy_url} is of a kind that is not known"),
        )
        .help("http://, https:// and socks5:// are"),
        other => wrong(path, causes(&other)),
    }
}
