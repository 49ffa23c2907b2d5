//! Clients for the clusters of kubeconfig files.

mod load;
mod named;
mod proxy;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use psprun_engine::StepError;
use tokio::sync::Mutex;

use self::load::{load, unreadable};
use crate::target::{ClusterRef, Host};

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
}
