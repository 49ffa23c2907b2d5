//! Clients for the clusters of kubeconfig files.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response, Uri};
use kube::client::{Body, ClientBuilder};
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};
use psprun_engine::StepError;
use psprun_engine::diagnostic::did_you_mean;
use tokio::sync::Mutex;

use crate::cluster::error::{AtServer, NoAnswer, causes};
use crate::target::{ClusterRef, Host};

/// How long the way to an API server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an API server may think before the answer begins; its own limit is 60 s. What follows the beginning, as the
/// events of a watch, may take any time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(75);

/// The clusters that a run talks to; a client for each is kept.
#[derive(Default)]
pub(super) struct Clusters {
    clients: Mutex<HashMap<ClusterRef, Known>>,
}

struct Known {
    kubeconfig: Vec<u8>,
    client: kube::Client,
}

impl Clusters {
    /// A client for the API of this cluster. The kubeconfig is looked at again each time: after a `kubeadm reset` and
    /// `init` the same path names another cluster. `host` is asked for its home folder when the path starts with `~`.
    pub(super) async fn client(
        &self,
        cluster: &ClusterRef,
        host: impl FnOnce() -> Result<Arc<dyn Host>, StepError>,
    ) -> Result<kube::Client, StepError> {
        let path = match cluster.kubeconfig.strip_prefix("~/") {
            Some(rest) => PathBuf::from(host()?.user().await?.home).join(rest),
            None => PathBuf::from(&cluster.kubeconfig),
        };
        let content = tokio::fs::read(&path)
            .await
            .map_err(|error| unreadable(&path, &error))?;
        let mut clients = self.clients.lock().await;
        if let Some(known) = clients.get(cluster)
            && known.kubeconfig == content
            && !has_expired(&known.client)
        {
            return Ok(known.client.clone());
        }
        let client = load(&path, cluster.context.as_deref()).await?;
        let known = Known {
            kubeconfig: content,
            client: client.clone(),
        };
        clients.insert(cluster.clone(), known);
        Ok(client)
    }
}

/// Credentials that a program made (`exec`) end some day.
fn has_expired(client: &kube::Client) -> bool {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |now| now.as_secs());
    client
        .valid_until()
        .is_some_and(|until| u64::try_from(until.as_second()).is_ok_and(|until| until <= now + 5))
}

// --- the kubeconfig --------------------------------------------------------------------------------------------------

async fn load(path: &Path, context: Option<&str>) -> Result<kube::Client, StepError> {
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

/// Whether the environment's proxy is for this server: never for this machine, and not for what `NO_PROXY` names
/// (hosts, domains, addresses, networks, `*`), as Go's clients have it.
fn goes_through_proxy(url: &Uri) -> bool {
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

// --- what can be wrong with it ---------------------------------------------------------------------------------------

fn wrong(path: &Path, what: String) -> StepError {
    StepError::new(
        "psprun::cluster::kubeconfig",
        format!("kubeconfig {}: {what}", path.display()),
    )
}

fn unreadable(path: &Path, error: &std::io::Error) -> StepError {
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

// --- the client ------------------------------------------------------------------------------------------------------

/// Puts the server's address into errors, and a limit on the time that an answer takes to begin.
struct NameServer {
    server: Arc<str>,
}

impl<S> tower::Layer<S> for NameServer {
    type Service = Named<S>;

    fn layer(&self, inner: S) -> Named<S> {
        Named {
            inner,
            server: self.server.clone(),
        }
    }
}

struct Named<S> {
    inner: S,
    server: Arc<str>,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<S, B> tower::Service<Request<Body>> for Named<S>
where
    S: tower::Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, context: &mut std::task::Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.inner.call(request));
        let server = self.server.clone();
        Box::pin(async move {
            let source = match answer.await {
                Ok(Ok(answer)) => return Ok(answer),
                // kube's own (credentials) are not about the server.
                Ok(Err(error)) if error.is::<kube::Error>() => return Err(error),
                Ok(Err(error)) => error,
                Err(_) => Box::new(NoAnswer(ANSWER_TIMEOUT.as_secs())),
            };
            Err(Box::new(AtServer { server, source }) as BoxError)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::cluster::error::explain;

    const GOOD: &str = "
apiVersion: v1
kind: Config
clusters: [{name: one, cluster: {server: 'http://127.0.0.1:1'}}]
users: [{name: admin, user: {token: abc}}]
contexts: [{name: first, context: {cluster: one, user: admin}}, {name: bad, context: {cluster: two, user: admin}}]
current-context: first
";

    async fn client_of(text: &str, context: Option<&str>) -> Result<kube::Client, StepError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, text).unwrap();
        let cluster = ClusterRef {
            kubeconfig: path.display().to_string(),
            context: context.map(str::to_owned),
        };
        let client = Clusters::default().client(&cluster, || unreachable!()).await;
        client.map_err(|mut error| {
            error.message = error.message.replace(&cluster.kubeconfig, "FILE");
            error.at = error.at.map(|at| at.replace(&cluster.kubeconfig, "FILE"));
            error
        })
    }

    async fn error_of(text: &str, context: Option<&str>) -> (String, String) {
        let Err(error) = client_of(text, context).await else {
            return ("no error".into(), String::new());
        };
        (error.message, error.help.or(error.at).unwrap_or_default())
    }

    #[tokio::test]
    async fn says_what_is_wrong_with_a_kubeconfig() {
        let cluster = ClusterRef {
            kubeconfig: "/no/such/file".into(),
            context: None,
        };
        let error = Clusters::default()
            .client(&cluster, || unreachable!())
            .await
            .err()
            .unwrap();
        assert_eq!(error.message, "kubeconfig /no/such/file: there is no such file");

        let (message, at) = error_of("a: [1\nb", None).await;
        assert!(
            message.starts_with("kubeconfig FILE: is no kubeconfig: "),
            "{message}"
        );
        assert!(at.starts_with("FILE:"), "{at}");
        let (message, _) = error_of("kind: Config", None).await;
        assert_eq!(message, "kubeconfig FILE: has no clusters and no contexts");
        let (message, help) = error_of(GOOD, Some("frist")).await;
        assert_eq!(message, "kubeconfig FILE: has no context `frist`");
        assert_eq!(help, "did you mean `first`? it has `first`, `bad`");
        let (message, help) = error_of(GOOD, Some("bad")).await;
        assert_eq!(
            message,
            "kubeconfig FILE: has no cluster `two`, which context `bad` names"
        );
        assert_eq!(help, "it has `one`");
        let (message, _) = error_of(&GOOD.replace("http://127.0.0.1:1", "nonsense"), None).await;
        assert_eq!(message, "kubeconfig FILE: its `server` is no URL: nonsense");
        let (message, _) = error_of(
            &GOOD.replace("token: abc", "client-certificate: x.crt, client-key: x.key"),
            None,
        )
        .await;
        assert!(
            message.starts_with("kubeconfig FILE: its client certificate: failed to read file"),
            "{message}"
        );
        let (message, _) = error_of(
            &GOOD.replace("server:", "certificate-authority-data: '!', server:"),
            None,
        )
        .await;
        assert!(
            message.starts_with("kubeconfig FILE: its CA certificate: failed to decode base64"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn says_that_nobody_listens() {
        let client = client_of(GOOD, None).await.unwrap();
        let error = client.apiserver_version().await.unwrap_err();
        let error = explain("read the version", &error);
        assert_eq!(
            error.message,
            "cannot read the version: the API server at http://127.0.0.1:1 refuses connections: nothing listens there"
        );
        assert!(error.heals);
    }

    #[tokio::test]
    async fn says_that_the_server_speaks_no_tls_and_the_connection_broke() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut seen = [0; 4];
                socket.read_exact(&mut seen).await.unwrap();
                if &seen != b"GET " {
                    socket
                        .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                        .await
                        .unwrap();
                }
            }
        });
        let text = GOOD.replace("http://127.0.0.1:1", &format!("https://127.0.0.1:{port}"));
        let client = client_of(&text, None).await.unwrap();
        let error = explain("read the version", &client.apiserver_version().await.unwrap_err());
        assert_eq!(error.code, "psprun::cluster::tls");
        assert!(
            error.message.ends_with("what answers does not speak TLS"),
            "{}",
            error.message
        );

        let text = GOOD.replace("http://127.0.0.1:1", &format!("http://127.0.0.1:{port}"));
        let client = client_of(&text, None).await.unwrap();
        let error = explain("read the version", &client.apiserver_version().await.unwrap_err());
        assert_eq!(error.code, "psprun::cluster::reset");
        assert!(error.heals);
    }

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
