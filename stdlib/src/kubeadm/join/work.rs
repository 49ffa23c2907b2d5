//! Makes a machine a node.

use std::path::Path;
use std::sync::Arc;

use psprun_engine::{Context, Outcome, StepError};

use super::Output;
use super::args::Args;
use crate::kubeadm::config::render_join;
use crate::kubeadm::config::version;
use crate::kubeadm::init::args::OnPartial;
use crate::kubeadm::node::kubeconfig::Kubeconfig;
use crate::kubeadm::node::record::Record;
use crate::kubeadm::node::state::{self, OnDisk};
use crate::kubeadm::node::{evidence, failure, kubeadm, paths, token_value};
use crate::kubeadm::reset;
use crate::target::{Command, Host, Target, WriteOptions};

/// Does it, or finds it done.
///
/// # Errors
/// See `kubeadm::join`.
pub async fn join(
    target: &Arc<dyn Target>,
    args: &Args,
    context: &Context,
) -> Result<Outcome<Output>, StepError> {
    let host = target.host(args.host.as_ref())?;
    let host = &*host;
    for secret in [
        &args.join.token,
        &args.join.certificate_key,
        &args.certificate_key,
    ]
    .into_iter()
    .flatten()
    {
        context.secret(secret);
    }
    kubeadm::need_root(host).await?;
    let installed = kubeadm::installed(host, context).await?;
    let shown = shown(args, installed.minor)?;

    match look(host, args).await? {
        Existing::Nothing => {}
        Existing::Same(there) => {
            let output = output(host, args, &there, version::show(&installed), shown).await?;
            let summary = format!("{} is a node of {}", output.node_name, output.endpoint);
            return Ok(Outcome::unchanged(output).summary(summary));
        }
        Existing::Partial(what) if args.on_partial == OnPartial::Reset => {
            context.warn(format!("a join broke off here ({what}): resetting"));
            let options = reset::Options {
                cri_socket: args.cri_socket.clone(),
                ..reset::Options::default()
            };
            reset::reset(host, context, &options).await?.check()?;
        }
        Existing::Partial(what) => {
            return Err(StepError::new(
                "psprun::kubeadm::partial",
                format!("a join broke off on this machine: {what}"),
            )
            .help("kubeadm::reset takes the remains away; on_partial: \"reset\" does so by itself"));
        }
    }

    if let Some(token) = &args.join.token
        && !token_value::is_token(token)
    {
        return Err(StepError::new(
            "psprun::kubeadm::config",
            "the join token has not the form of one",
        )
        .help("it is six and sixteen letters and digits with a dot between: kubeadm::token makes one"));
    }
    let rendered = render_join::join(args, installed.minor)?;
    let ended = run_kubeadm(host, context, args, installed.minor, &rendered.text()?).await;
    let removed = host.remove(Path::new(paths::CONFIG)).await;
    ended?;
    removed?;

    let there = Kubeconfig::read(host, paths::KUBELET_CONF)
        .await?
        .ok_or_else(|| {
            StepError::new(
                "psprun::kubeadm::failed",
                format!("kubeadm join ended well, but there is no {}", paths::KUBELET_CONF),
            )
        })?;
    let output = output(host, args, &there, version::show(&installed), shown).await?;
    let summary = format!("{} joined {}", output.node_name, output.endpoint);
    Ok(Outcome::changed(output)
        .summary(summary)
        .details(rendered.notes.join("\n")))
}

/// The configuration as people may see it. Checks the arguments, too, but for a token that is missing: a machine that
/// has joined needs none.
fn shown(args: &Args, kubeadm: u64) -> Result<String, StepError> {
    let mut args = args.clone();
    let mask = || psprun_engine::secrets::MASK.to_owned();
    args.join.token = Some(mask());
    args.join.certificate_key = args.join.certificate_key.as_ref().map(|_| mask());
    args.certificate_key = args.certificate_key.as_ref().map(|_| mask());
    render_join::join(&args, kubeadm)?.text()
}

enum Existing {
    Nothing,
    Same(Kubeconfig),
    Partial(String),
}

async fn look(host: &dyn Host, args: &Args) -> Result<Existing, StepError> {
    let broke_off = Record::read(host).await?.is_some_and(|record| !record.finished);
    let there = match state::look(host).await? {
        OnDisk::Nothing => return Ok(Existing::Nothing),
        OnDisk::Remains { files } => return Ok(Existing::Partial(format!("there is {}", files.join(", ")))),
        OnDisk::ControlPlane { admin: there, .. } | OnDisk::Worker { kubelet: there } => there,
    };
    // The authority is the cluster; its API server may have several addresses.
    let same = match (&args.join.ca_hash, &there.ca_hash) {
        (Some(asked), Some(there)) => asked == there,
        _ => there.endpoint() == args.join.endpoint,
    };
    if !same {
        return Err(StepError::new(
            "psprun::kubeadm::other_cluster",
            format!("this machine is a node of another cluster, at {}", there.server),
        )
        .help("kubeadm::reset takes it out of that cluster"));
    }
    if broke_off {
        return Ok(Existing::Partial("kubeadm did not come to its end".to_owned()));
    }
    let name = state::node_name(host).await?;
    if let Some(asked) = &args.node_name
        && *asked != name
    {
        return Err(StepError::new(
            "psprun::kubeadm::other_cluster",
            format!("this machine has joined as {name}, not as {asked}"),
        )
        .help("kubeadm::reset, then join again"));
    }
    Ok(Existing::Same(there))
}

async fn run_kubeadm(
    host: &dyn Host,
    context: &Context,
    args: &Args,
    kubeadm_minor: u64,
    config: &str,
) -> Result<(), StepError> {
    let how = WriteOptions {
        mode: Some(0o600),
        owner: None,
    };
    host.write(Path::new(paths::CONFIG), config.as_bytes(), &how)
        .await?;
    kubeadm::check_join_config(host, context, kubeadm_minor, paths::CONFIG).await?;
    let mut record = Record::begin(host, "join").await?;

    let mut command = Command::new(["kubeadm", "join", "--config", paths::CONFIG]);
    if !args.ignore_preflight_errors.is_empty() {
        command.argv.extend([
            "--ignore-preflight-errors".to_owned(),
            args.ignore_preflight_errors.join(","),
        ]);
    }
    if !args.skip_phases.is_empty() {
        command
            .argv
            .extend(["--skip-phases".to_owned(), args.skip_phases.join(",")]);
    }
    let finished = kubeadm::run_phases(host, context, command).await?;
    if finished.code != 0 {
        let died_early = failure::was_preflight(&finished);
        if died_early {
            Record::remove(host).await?;
        }
        let more = if died_early {
            Vec::new()
        } else {
            evidence::gather(host, context).await
        };
        return Err(failure::explain("kubeadm join", &finished, &more));
    }
    if let Some(error) = kubeadm::ignored_parts(&finished.stderr) {
        return Err(error);
    }
    record.finished = true;
    record.write(host).await
}

async fn output(
    host: &dyn Host,
    args: &Args,
    there: &Kubeconfig,
    version: String,
    config: String,
) -> Result<Output, StepError> {
    let node_name = match &args.node_name {
        Some(name) => name.clone(),
        None => state::node_name(host).await?,
    };
    Ok(Output {
        node_name,
        endpoint: there.endpoint(),
        control_plane: args.control_plane,
        version,
        config,
    })
}
