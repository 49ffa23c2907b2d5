//! Makes a control plane.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use psprun_engine::{Context, Outcome, StepError};
use semver::Version;
use serde_json::Value;

use super::args::{Args, OnPartial};
use super::existing::{self, Existing, Same};
use super::{Output, plan};
use crate::kubeadm::api::join_info::JoinInfo;
use crate::kubeadm::api::tokens;
use crate::kubeadm::config::api::Api;
use crate::kubeadm::config::render::{self, For, Secrets};
use crate::kubeadm::config::version;
use crate::kubeadm::node::copy::{self, Copied};
use crate::kubeadm::node::kubeconfig::Kubeconfig;
use crate::kubeadm::node::record::Record;
use crate::kubeadm::node::{ca, evidence, failure, kubeadm, paths, state, token_value};
use crate::kubeadm::reset;
use crate::target::{Command, Host, Target, WriteOptions};

/// A token that an unchanged step gives must live for so long.
const TOKEN_LEFT: Duration = Duration::from_secs(300);

/// Does it, or finds it done.
///
/// # Errors
/// See `kubeadm::init`.
pub async fn init(
    target: &Arc<dyn Target>,
    args: Args,
    context: &Context,
) -> Result<Outcome<Output>, StepError> {
    let host = target.host(args.host.as_ref())?;
    let host = &*host;
    kubeadm::need_root(host).await?;
    let args = with_files(host, context, args).await?;
    let installed = kubeadm::installed(host, context).await?;
    let kubernetes = match &args.kubernetes_version {
        Some(text) => version::parse(text)?,
        None => installed.clone(),
    };
    version::check_deploys(&installed, &kubernetes)?;
    let wanted_version = version::show(&kubernetes);
    let wanted = For {
        kubeadm: installed.minor,
        api: Api::of_kubeadm(installed.minor),
        kubernetes: kubernetes.minor,
        version: Some(&wanted_version),
    };
    // All that can be refused is, before anything is touched.
    render::init(&args, &wanted, &Secrets::default())?;

    let mut done_before = None;
    match existing::look(target, host, context, &args, &installed).await? {
        Existing::Nothing => {}
        Existing::Same(same) => return unchanged(target, host, context, &args, &wanted, *same).await,
        Existing::Partial(what) if args.on_partial == OnPartial::Reset => {
            context.warn(format!("an init broke off here ({what}): resetting"));
            let options = reset::Options {
                cri_socket: args.cri_socket.clone(),
                ..reset::Options::default()
            };
            done_before = Some(reset::reset(host, context, &options).await?.check()?.summary());
        }
        Existing::Partial(what) => {
            return Err(StepError::new(
                "psprun::kubeadm::partial",
                format!("an init broke off on this machine: {what}"),
            )
            .help("kubeadm::reset takes the remains away; on_partial: \"reset\" does so by itself"));
        }
    }

    let secrets = secrets(context, &args)?;
    let rendered = render::init(&args, &wanted, &secrets)?;
    let text = rendered.text()?;
    let shown = render::init(&args, &wanted, &plan::shown_secrets(&args))?.text()?;
    for note in &rendered.notes {
        context.progress(note);
    }
    let ended = run_kubeadm(host, context, &args, &installed, &text).await;
    let removed = host.remove(Path::new(paths::CONFIG)).await;
    let stdout = ended?;
    removed?;

    let output = collect(host, context, &args, &wanted_version, shown, &secrets, &stdout).await?;
    let mut summary = format!("{} at {}", output.version, output.endpoint);
    if let Some(done) = done_before {
        summary = format!("{summary}, after a reset ({done})");
    }
    Ok(Outcome::changed(output)
        .summary(summary)
        .details(rendered.notes.join("\n")))
}

/// Puts the content of files in place of their names.
async fn with_files(host: &dyn Host, context: &Context, mut args: Args) -> Result<Args, StepError> {
    for item in &mut args.extra_documents {
        let Some(name) = item.as_str().filter(|text| plan::is_file(text)) else {
            continue;
        };
        let bytes = match context.files().get(name) {
            Some(file) => file.bytes.to_vec(),
            None => host.read(Path::new(name)).await?.ok_or_else(|| {
                StepError::new(
                    "psprun::kubeadm::config",
                    format!("extra_documents: there is no file {name}"),
                )
            })?,
        };
        let text = String::from_utf8(bytes).map_err(|_| {
            StepError::new(
                "psprun::kubeadm::config",
                format!("extra_documents: {name} is no text"),
            )
        })?;
        // An empty line makes it a text, whatever is in it.
        *item = Value::String(text + "\n");
    }
    Ok(args)
}

/// The token and the key, known before kubeadm prints them.
fn secrets(context: &Context, args: &Args) -> Result<Secrets, StepError> {
    let token = token_value::token()?;
    context.secret(&token);
    // kubeadm's own lines and the names of its objects show the id alone, which is no secret.
    if let Some((_, secret)) = token.split_once('.') {
        context.secret(secret);
    }
    let certificate_key = if args.upload_certs {
        Some(token_value::certificate_key()?)
    } else {
        None
    };
    if let Some(key) = &certificate_key {
        context.secret(key);
    }
    Ok(Secrets {
        token: Some(token),
        certificate_key,
    })
}

/// Runs kubeadm; its standard output.
async fn run_kubeadm(
    host: &dyn Host,
    context: &Context,
    args: &Args,
    installed: &Version,
    config: &str,
) -> Result<String, StepError> {
    let how = WriteOptions {
        mode: Some(0o600),
        owner: None,
    };
    host.write(Path::new(paths::CONFIG), config.as_bytes(), &how)
        .await?;
    context.progress("having kubeadm check its configuration");
    kubeadm::check_config(host, context, installed, paths::CONFIG).await?;

    let mut record = Record::begin(host, "init").await?;
    record.networks = args
        .pod_subnet
        .iter()
        .flat_map(|subnets| subnets.split(','))
        .map(|subnet| subnet.trim().to_owned())
        .collect();
    record.write(host).await?;

    let mut command = Command::new(["kubeadm", "init", "--config", paths::CONFIG]);
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
    if args.upload_certs {
        command.argv.push("--upload-certs".to_owned());
    }
    let finished = kubeadm::run_phases(host, context, command).await?;
    if finished.code != 0 {
        if failure::was_preflight(&finished) {
            // Nothing was changed.
            Record::remove(host).await?;
            return Err(failure::explain("kubeadm init", &finished, &[]));
        }
        let more = evidence::gather(host, context).await;
        return Err(failure::explain("kubeadm init", &finished, &more));
    }
    if let Some(error) = kubeadm::ignored_parts(&finished.stderr) {
        return Err(error);
    }
    record.finished = true;
    record.write(host).await?;
    Ok(finished.stdout)
}

async fn collect(
    host: &dyn Host,
    context: &Context,
    args: &Args,
    version: &str,
    config: String,
    secrets: &Secrets,
    stdout: &str,
) -> Result<Output, StepError> {
    let admin = Kubeconfig::read(host, paths::ADMIN_CONF).await?.ok_or_else(|| {
        StepError::new(
            "psprun::kubeadm::failed",
            format!("kubeadm init ended well, but there is no {}", paths::ADMIN_CONF),
        )
    })?;
    let ca_hash = match host.read(Path::new(paths::CA_CRT)).await? {
        Some(pem) => Some(ca::public_key_hash(paths::CA_CRT, &pem)?),
        None => admin.ca_hash.clone(),
    };
    let endpoint = JoinInfo::printed_endpoint(stdout).unwrap_or_else(|| admin.endpoint());
    let mut join = JoinInfo::new(context, endpoint, secrets.token.clone(), ca_hash);
    join.certificate_key.clone_from(&secrets.certificate_key);
    let (copied_to, _) = copy_kubeconfig(host, context, args).await?;
    Ok(Output {
        kubeconfig: paths::ADMIN_CONF.to_owned(),
        context: None,
        created: true,
        endpoint: admin.endpoint(),
        version: version.to_owned(),
        node_name: state::node_name(host).await?,
        config,
        join,
        copied_to,
    })
}

/// Where the copy is, and whether it was made now.
async fn copy_kubeconfig(
    host: &dyn Host,
    context: &Context,
    args: &Args,
) -> Result<(Option<String>, bool), StepError> {
    if !args.copy_kubeconfig {
        return Ok((None, false));
    }
    match copy::make(host).await? {
        Copied::There(path) => Ok((Some(path), false)),
        Copied::Other(path) => {
            copy::tell_of_other(context, &path);
            Ok((None, false))
        }
        Copied::Made(made) => {
            let path = made.path.clone();
            if let Some(mut record) = Record::read(host).await? {
                record.copies.retain(|copy| copy.path != path);
                record.copies.push(made);
                record.write(host).await?;
            }
            Ok((Some(path), true))
        }
    }
}

async fn unchanged(
    target: &Arc<dyn Target>,
    host: &dyn Host,
    context: &Context,
    args: &Args,
    wanted: &For<'_>,
    same: Same,
) -> Result<Outcome<Output>, StepError> {
    if let Some(mut record) = Record::read(host).await?
        && !record.finished
    {
        record.finished = true;
        record.write(host).await?;
    }
    let ca_hash = match host.read(Path::new(paths::CA_CRT)).await? {
        Some(pem) => Some(ca::public_key_hash(paths::CA_CRT, &pem)?),
        None => same.admin.ca_hash.clone(),
    };
    // Nothing is written to the API server: a token that is there is given, none is made.
    let token = tokens::find_valid(&same.client, target.now(), TOKEN_LEFT).await?;
    let version = same
        .stored
        .kubernetes_version()
        .or(wanted.version)
        .unwrap_or_default()
        .to_owned();
    let (copied_to, copied_now) = copy_kubeconfig(host, context, args).await?;
    let output = Output {
        kubeconfig: paths::ADMIN_CONF.to_owned(),
        context: None,
        created: false,
        endpoint: same.admin.endpoint(),
        version,
        node_name: state::node_name(host).await?,
        config: render::init(args, wanted, &plan::shown_secrets(args))?.text()?,
        join: JoinInfo::new(context, same.admin.endpoint(), token, ca_hash),
        copied_to,
    };
    let mut summary = format!("{} is up at {}", output.version, output.endpoint);
    if copied_now {
        summary.push_str(", kubeconfig copied");
    }
    if output.join.token.is_none() {
        summary.push_str("; no join token is valid any more, kubeadm::token makes one");
    }
    Ok(Outcome::new(output, copied_now).summary(summary))
}
