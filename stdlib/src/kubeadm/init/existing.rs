//! Whether the cluster that a playbook asks for is there already.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use psprun_engine::{Context, StepError};
use semver::Version;

use super::args::Args;
use crate::cluster::error::explain;
use crate::kubeadm::api::stored::{self, Stored};
use crate::kubeadm::config::api::Api;
use crate::kubeadm::config::compare::{self, Difference};
use crate::kubeadm::config::render::{self, For, Secrets};
use crate::kubeadm::config::version;
use crate::kubeadm::node::kubeadm::check_not_stopped;
use crate::kubeadm::node::kubeconfig::Kubeconfig;
use crate::kubeadm::node::paths;
use crate::kubeadm::node::state::{self, OnDisk};
use crate::target::{ClusterRef, Host, Target};

/// How long an API server that should be there may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The pause between two questions.
const PAUSE: Duration = Duration::from_secs(1);

/// What is on the machine, seen from the cluster that is asked for.
#[derive(Debug)]
pub enum Existing {
    /// Nothing: go on.
    Nothing,
    /// The cluster that is asked for.
    Same(Box<Same>),
    /// The remains of an attempt that broke off: what they are.
    Partial(String),
}

/// The cluster that is asked for, up.
pub struct Same {
    /// Its client.
    pub client: Client,
    /// Its configuration.
    pub stored: Stored,
    /// The administrator's kubeconfig.
    pub admin: Kubeconfig,
}

impl std::fmt::Debug for Same {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Same({})", self.admin.server)
    }
}

/// The reference to the cluster of this machine.
pub fn cluster_ref() -> ClusterRef {
    ClusterRef {
        kubeconfig: paths::ADMIN_CONF.to_owned(),
        context: None,
    }
}

/// Looks.
///
/// # Errors
/// Another cluster is there, or this one does not answer.
pub async fn look(
    target: &Arc<dyn Target>,
    host: &dyn Host,
    context: &Context,
    args: &Args,
    kubeadm: &Version,
) -> Result<Existing, StepError> {
    let (admin, broke_off) = match state::look(host).await? {
        OnDisk::Nothing => return Ok(Existing::Nothing),
        OnDisk::Remains { files } => {
            return Ok(Existing::Partial(format!(
                "there is no kubeconfig, but {}",
                files.join(", ")
            )));
        }
        OnDisk::Worker { kubelet } => {
            return Err(StepError::new(
                "psprun::kubeadm::other_cluster",
                format!(
                    "this machine is a node of the cluster at {}, without a control plane",
                    kubelet.server
                ),
            )
            .help("kubeadm::reset takes it out of that cluster"));
        }
        OnDisk::ControlPlane { admin, broke_off } => (admin, broke_off),
    };
    context.progress(format!("there is a control plane: asking {}", admin.server));
    let answered = answering(target, context).await;
    // A server that was not waited for is not one that does not answer.
    check_not_stopped(context, "nothing was changed")?;
    let client = match answered {
        Ok(client) => client,
        Err(error) if broke_off => {
            return Ok(Existing::Partial(format!(
                "a control plane at {} that does not answer: {error}",
                admin.server
            )));
        }
        Err(error) => {
            return Err(StepError::new(
                "psprun::kubeadm::down",
                format!(
                    "a cluster was made on this machine, but its API server at {} does not answer: {error}",
                    admin.server
                ),
            )
            .help(
                "see why: systemctl status kubelet, crictl ps -a; or give the cluster up with kubeadm::reset",
            )
            .heals());
        }
    };
    let stored = match Stored::read(&client).await? {
        Some(stored) => stored,
        None if broke_off => {
            return Ok(Existing::Partial(
                "an API server, but kubeadm has not stored its configuration".to_owned(),
            ));
        }
        None => {
            return Err(StepError::new(
                "psprun::kubeadm::other_cluster",
                format!(
                    "there is an API server at {}, but not of a cluster that kubeadm made",
                    admin.server
                ),
            )
            .help("if it is to be given up, take it away first, with kubeadm::reset or with what made it"));
        }
    };
    if broke_off && !is_whole(&client, args).await? {
        return Ok(Existing::Partial(
            "a control plane that kubeadm has not finished".to_owned(),
        ));
    }
    let found = differences(host, args, kubeadm, &stored, &admin).await?;
    if found.is_empty() {
        return Ok(Existing::Same(Box::new(Same {
            client,
            stored,
            admin,
        })));
    }
    let list: String = found
        .iter()
        .map(|difference| format!("\n  {difference}"))
        .collect();
    Err(StepError::new(
        "psprun::kubeadm::other_cluster",
        format!("another cluster is up on this machine, at {}:{list}", admin.server),
    )
    .help("to keep it, write in the playbook what it has; to give it up, kubeadm::reset first; kubeadm upgrade changes its version"))
}

async fn answering(target: &Arc<dyn Target>, context: &Context) -> Result<Client, StepError> {
    let start = target.now();
    loop {
        let error = match ask(target).await {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        let waited = target.now().duration_since(start).unwrap_or_default();
        if !error.heals || waited > PATIENCE {
            return Err(error);
        }
        context.progress(format!("waiting for the API server: {error}"));
        tokio::select! {
            () = target.sleep(PAUSE) => {}
            () = context.cancelled() => return Err(error),
        }
    }
}

async fn ask(target: &Arc<dyn Target>) -> Result<Client, StepError> {
    let client = target.cluster(&cluster_ref()).await?;
    match client.apiserver_version().await {
        Ok(_) => Ok(client),
        Err(error) => Err(explain("ask the API server for its version", &error)),
    }
}

/// Whether kubeadm came to its end, though nobody wrote that down.
async fn is_whole(client: &Client, args: &Args) -> Result<bool, StepError> {
    Ok(
        stored::cluster_info(client).await?.is_some()
            && stored::has_addons(client, &args.skip_phases).await?,
    )
}

async fn differences(
    host: &dyn Host,
    args: &Args,
    kubeadm: &Version,
    stored: &Stored,
    admin: &Kubeconfig,
) -> Result<Vec<Difference>, StepError> {
    let asked_version = args
        .kubernetes_version
        .as_deref()
        .map(version::parse)
        .transpose()?;
    let asked_text = asked_version.as_ref().map(version::show);
    let there = stored
        .kubernetes_version()
        .and_then(|text| version::parse(text).ok());
    let minor = asked_version
        .or(there)
        .map_or(kubeadm.minor, |version| version.minor);
    let render = |api: Api| {
        let wanted = For {
            kubeadm: kubeadm.minor,
            api,
            kubernetes: minor,
            version: asked_text.as_deref(),
        };
        render::init(args, &wanted, &Secrets::default())
    };
    // A cluster of an older kubeadm is compared in its own form, if the arguments can be written in it.
    let api = stored.api;
    let rendered = render(api).or_else(|_| render(Api::of_kubeadm(kubeadm.minor)))?;
    let mut asked = rendered.cluster(api).cloned().unwrap_or_default();
    for of_node in [
        "nodeRegistration",
        "nodeName",
        "criSocket",
        "kubeletConfiguration",
        "kubeProxy",
    ] {
        asked.remove(of_node);
    }
    let mut found = compare::differences(&asked, &stored.cluster);

    let endpoint = admin.endpoint();
    let (address, port) = endpoint.rsplit_once(':').unwrap_or((&endpoint, ""));
    let mut compare = |path: &str, asked: Option<String>, there: &str| {
        if asked.as_deref().is_some_and(|asked| asked != there) {
            found.push(Difference {
                path: path.to_owned(),
                asked,
                cluster: Some(there.to_owned()),
            });
        }
    };
    if args.control_plane_endpoint.is_none() {
        compare(
            "advertise_address",
            args.advertise_address.clone(),
            address.trim_matches(['[', ']']),
        );
        compare("bind_port", args.bind_port.map(|port| port.to_string()), port);
    }
    compare(
        "node_name",
        args.node_name.clone(),
        &state::node_name(host).await?,
    );
    Ok(found)
}
