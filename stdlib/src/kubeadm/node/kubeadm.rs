//! The program kubeadm on a machine.

use std::sync::Arc;
use std::time::Duration;

use psprun_engine::{Context, StepError, Stream};
use regex::Regex;
use semver::Version;

use super::phases;
use crate::kubeadm::config::version;
use crate::target::{Command, Finished, Host, LineSink};

/// A sink for output that nobody needs to see.
pub fn quiet() -> LineSink {
    Arc::new(|_, _| {})
}

/// Runs a short command whose output is not shown.
///
/// # Errors
/// It cannot be started, or takes too long.
pub async fn run_quietly(host: &dyn Host, context: &Context, argv: &[&str]) -> Result<Finished, StepError> {
    let mut command = Command::new(argv.iter().copied());
    command.timeout = Some(Duration::from_secs(60));
    host.run(command, quiet(), context.cancellation()).await
}

/// Runs a kubeadm command that works on the machine: its lines are passed on, its phases told as progress.
///
/// # Errors
/// It cannot be started, or was stopped with the run.
pub async fn run_phases(host: &dyn Host, context: &Context, command: Command) -> Result<Finished, StepError> {
    let what = command.argv.iter().take(2).cloned().collect::<Vec<_>>().join(" ");
    let sink: LineSink = {
        let context = context.clone();
        Arc::new(move |stream: Stream, line: &str| {
            context.line(stream, line);
            if let Some(progress) = phases::progress(line) {
                context.progress(progress);
            }
        })
    };
    let ended = host.run(command, sink, context.cancellation()).await;
    let broke_off = ended.as_ref().map_or(true, |finished| finished.code != 0);
    if broke_off && context.is_cancelled() {
        return Err(StepError::new(
            "psprun::kubeadm::stopped",
            format!("{what} was stopped: the machine is half-way"),
        )
        .help("kubeadm::reset takes the remains away; on_partial: \"reset\" does so at the next run"));
    }
    ended
}

/// The version of the kubeadm that is installed.
///
/// # Errors
/// There is none, or it is none that psprun knows.
pub async fn installed(host: &dyn Host, context: &Context) -> Result<Version, StepError> {
    let finished = match run_quietly(host, context, &["kubeadm", "version", "-o", "short"]).await {
        Ok(finished) => finished,
        Err(error) => {
            check_not_stopped(context, "nothing was changed")?;
            return Err(StepError::new(
                "psprun::kubeadm::missing",
                format!("kubeadm cannot be run: {error}"),
            )
            .help("install kubeadm, kubelet and kubectl of one version, e.g. with host::packages"));
        }
    };
    let text = finished.stdout.trim();
    if finished.code != 0 || text.is_empty() {
        return Err(StepError::new(
            "psprun::kubeadm::missing",
            format!(
                "kubeadm version ended with status {}: {}",
                finished.code,
                finished.stderr.trim()
            ),
        )
        .help("is it a whole kubeadm? install it again"));
    }
    let found = version::parse(text)?;
    version::check_supported(&found)?;
    Ok(found)
}

/// Ends when the run is being stopped: what follows would change the machine. `state` is how the machine is left.
///
/// # Errors
/// The run is being stopped.
pub fn check_not_stopped(context: &Context, state: &str) -> Result<(), StepError> {
    if context.is_cancelled() {
        return Err(StepError::new(
            "psprun::kubeadm::stopped",
            format!("the run was stopped: {state}"),
        ));
    }
    Ok(())
}

/// Ends unless commands run as root.
///
/// # Errors
/// They do not.
pub async fn need_root(host: &dyn Host) -> Result<(), StepError> {
    let user = host.user().await?;
    if user.uid == 0 {
        return Ok(());
    }
    Err(StepError::new(
        "psprun::kubeadm::not_root",
        format!("kubeadm must run as root, and this is {}", user.name),
    )
    .help("run psprun with sudo"))
}

/// Has kubeadm read a configuration and do nothing (`config images list` reads it as `init` does), and makes an error
/// of what kubeadm only warns of: fields that it does not know, documents that it ignores.
///
/// # Errors
/// kubeadm does not take the configuration, or would go on without a part of it.
pub async fn check_config(
    host: &dyn Host,
    context: &Context,
    kubeadm: &Version,
    path: &str,
) -> Result<(), StepError> {
    // 1.10 has no command that only reads a configuration.
    if kubeadm.minor < 11 {
        return Ok(());
    }
    let finished = run_quietly(
        host,
        context,
        &["kubeadm", "config", "images", "list", "--config", path],
    )
    .await?;
    if let Some(error) = ignored_parts(&finished.stderr) {
        return Err(error);
    }
    if finished.code != 0 {
        let why = finished
            .stderr
            .trim()
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned();
        return Err(StepError::new(
            "psprun::kubeadm::config",
            format!(
                "kubeadm {} does not take its configuration: {why}",
                version::show(kubeadm)
            ),
        )
        .help("see the configuration with psprun graph -v"));
    }
    Ok(())
}

/// As [`check_config`], for `kubeadm join`: only `config migrate` reads such a document and does nothing else.
///
/// # Errors
/// kubeadm does not take the configuration, or would go on without a part of it.
pub async fn check_join_config(
    host: &dyn Host,
    context: &Context,
    kubeadm: u64,
    path: &str,
) -> Result<(), StepError> {
    // Older ones migrate clusters' configurations alone.
    if kubeadm < 15 {
        return Ok(());
    }
    let finished = run_quietly(
        host,
        context,
        &["kubeadm", "config", "migrate", "--old-config", path],
    )
    .await?;
    match ignored_parts(&finished.stderr) {
        Some(error) => Err(error),
        // What else may be wrong, `join` says with more words.
        None => Ok(()),
    }
}

/// What kubeadm says that it goes on without (`strict.go` and `initconfiguration.go`).
pub fn ignored_parts(stderr: &str) -> Option<StepError> {
    let mut parts = Vec::new();
    let pattern = |text: &str| Regex::new(text).ok();
    let field = pattern(r#"unknown field \\?"([^"\\]+)"#)?;
    let kind = pattern(r#"Kind:"([A-Za-z]+)""#)?;
    let document = pattern(r"Ignored YAML document with GroupVersionKind ([^\n]+)")?;
    for line in stderr.lines() {
        let of = kind
            .captures(line)
            .map_or_else(|| "the configuration".to_owned(), |found| found[1].to_owned());
        for found in field.captures_iter(line) {
            parts.push(format!("{of} has no field {}", &found[1]));
        }
        if let Some(found) = document.captures(line) {
            parts.push(format!("it ignores the document {}", found[1].trim()));
        }
    }
    parts.dedup();
    if parts.is_empty() {
        return None;
    }
    Some(
        StepError::new(
            "psprun::kubeadm::unknown_field",
            format!(
                "kubeadm would go on without a part of its configuration: {}",
                parts.join("; ")
            ),
        )
        .help("correct it in config or extra_documents: this kubeadm has no such thing"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn kubeadms_warnings_are_errors() {
        // kubeadm 1.20.2.
        let stderr = r#"W1124 08:36:24.637512    9292 strict.go:54] error unmarshaling configuration schema.GroupVersionKind{Group:"kubeadm.k8s.io", Version:"v1beta2", Kind:"ClusterConfiguration"}: error unmarshaling JSON: while decoding JSON: json: unknown field "certSANz"
W1124 08:36:24.638252    9292 strict.go:54] error unmarshaling configuration schema.GroupVersionKind{Group:"kubelet.config.k8s.io", Version:"v1beta1", Kind:"KubeletConfiguration"}: error unmarshaling JSON: while decoding JSON: json: unknown field "syncFreq"
[config] WARNING: Ignored YAML document with GroupVersionKind kubeadm.k8s.io/v1beta2, Kind=MasterConfiguration
W1124 06:20:04.330119 1 images.go:81] could not find officially supported version of etcd
"#;
        insta::assert_snapshot!(ignored_parts(stderr).unwrap(), @"kubeadm would go on without a part of its configuration: ClusterConfiguration has no field certSANz; KubeletConfiguration has no field syncFreq; it ignores the document kubeadm.k8s.io/v1beta2, Kind=MasterConfiguration");
        // The wording of newer ones.
        let stderr = r#"W0101 1 strict.go:55] error unmarshaling configuration schema.GroupVersionKind{Group:"kubeadm.k8s.io", Version:"v1beta3", Kind:"ClusterConfiguration"}: strict decoding error: unknown field "apiServerExtraArgs""#;
        insta::assert_snapshot!(ignored_parts(stderr).unwrap(), @"kubeadm would go on without a part of its configuration: ClusterConfiguration has no field apiServerExtraArgs");
        assert!(ignored_parts("[WARNING Service-Kubelet]: kubelet service is not enabled").is_none());
    }
}
