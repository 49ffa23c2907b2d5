//! `host::packages`: packages of the system, at versions that are pinned and held.

mod apt;
mod dnf;
mod manager;
mod wanted;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use psprun_engine::builtin::show_short;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::apt::Apt;
use self::dnf::Dnf;
use self::manager::{Manager, Tools};
use self::wanted::Wanted;
use crate::target::{HostRef, Target};

/// Installs packages.
pub(super) struct Packages(pub(super) Arc<dyn Target>);

/// The arguments of `host::packages`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PackagesArgs {
    /// The packages: `"conntrack"`, or `"kubeadm=1.20.2"` for one version, with or without the package's own release
    /// (`-00`). One without a version is right at any.
    names: Vec<String>,
    /// Keeps their versions from now on: an upgrade of the system leaves them alone.
    #[serde(default)]
    hold: bool,
    /// The machine, when called on one.
    #[serde(default)]
    host: Option<HostRef>,
}

/// The packages as they are after the step.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PackagesOutput {
    /// The version of each, by name.
    versions: BTreeMap<String, String>,
    /// The names of those that were installed, or changed to another version.
    installed: Vec<String>,
    /// The names of those that are held from now on and were not before.
    held: Vec<String>,
    /// `apt` or `dnf`.
    manager: String,
}

#[async_trait]
impl Builtin for Packages {
    type Args = PackagesArgs;
    type Output = PackagesOutput;

    fn spec(&self) -> Spec {
        Spec::new("host::packages", "Installs packages of the system with apt or dnf")
            .optionally_on("host")
            .subject("names")
            .graceful()
            .examples(&[
                Example {
                    title: "what kubeadm calls",
                    script: r#"host::packages(["conntrack", "socat", "ethtool"]);"#,
                    runs: Runs::OnNode,
                },
                Example {
                    title: "Kubernetes at one version that an upgrade of the system leaves alone",
                    script: r#"let version = param("version", "1.20.2", "version of the packages");
host::packages([`kubeadm=${version}`, `kubelet=${version}`, `kubectl=${version}`], #{ hold: true, timeout: "15m" });"#,
                    runs: Runs::OnNode,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        let held = if args["hold"] == Value::Bool(true) {
            " and hold"
        } else {
            ""
        };
        format!("install{held} {}", show_short(&args["names"]))
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        let names = args["names"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        names
            .filter(|name| !name.contains("${"))
            .try_for_each(|name| Wanted::parse(name).map(drop))
    }

    async fn run(&self, args: PackagesArgs, context: Context) -> Result<Outcome<PackagesOutput>, StepError> {
        let host = self.0.host(args.host.as_ref())?;
        let wanted = args
            .names
            .iter()
            .map(|name| Wanted::parse(name))
            .collect::<Result<Vec<_>, _>>()?;
        let names: Vec<&str> = wanted.iter().map(|package| package.name.as_str()).collect();
        let tools = Tools {
            host: &*host,
            context: &context,
        };
        let manager = detect(&tools).await?;

        let before = manager.installed(&names).await?;
        let missing: Vec<&Wanted> = wanted
            .iter()
            .filter(|package| {
                before
                    .get(&package.name)
                    .is_none_or(|version| !package.fits(version))
            })
            .collect();
        let unheld: Vec<&str> = if args.hold {
            let held = manager.held().await?;
            names
                .iter()
                .copied()
                .filter(|name| !held.contains(*name))
                .collect()
        } else {
            Vec::new()
        };
        if !(missing.is_empty() && unheld.is_empty()) && host.user().await?.uid != 0 {
            return Err(
                StepError::new("psprun::packages::permission", "only root can install packages")
                    .help("run psprun as root (`sudo psprun …`)"),
            );
        }
        if !missing.is_empty() {
            let list: Vec<String> = missing.iter().map(ToString::to_string).collect();
            context.progress(format!("installing {}", list.join(", ")));
            manager.install(&missing, &before).await?;
        }
        let after = manager.installed(&names).await?;
        if let Some(package) = missing.iter().find(|package| {
            package.version.is_some()
                && after
                    .get(&package.name)
                    .is_none_or(|version| !package.fits(version))
        }) {
            return Err(StepError::new(
                "psprun::packages::version",
                format!(
                    "{package} is not there after it was installed: there is {}",
                    after.get(&package.name).map_or("none", String::as_str)
                ),
            ));
        }
        if !unheld.is_empty() {
            manager.hold(&unheld).await?;
        }

        let installed: Vec<String> = names
            .iter()
            .filter(|name| before.get(**name) != after.get(**name))
            .map(|name| (*name).to_owned())
            .collect();
        let details: Vec<String> = installed
            .iter()
            .map(|name| {
                let version = |of: &BTreeMap<String, String>| {
                    of.get(name).cloned().unwrap_or_else(|| "none".to_owned())
                };
                format!("{name}: {} → {}", version(&before), version(&after))
            })
            .chain(unheld.iter().map(|name| format!("{name}: held")))
            .collect();
        let mut summary = Vec::new();
        if !installed.is_empty() {
            summary.push(format!("{} installed", installed.len()));
        }
        if !unheld.is_empty() {
            summary.push(format!("{} held", unheld.len()));
        }
        let changed = !summary.is_empty();
        let mut outcome = Outcome::new(
            PackagesOutput {
                versions: after,
                installed,
                held: unheld.into_iter().map(str::to_owned).collect(),
                manager: manager.name().to_owned(),
            },
            changed,
        );
        if changed {
            outcome = outcome.summary(summary.join(", ")).details(details.join("\n"));
        }
        Ok(outcome)
    }
}

async fn detect<'t>(tools: &'t Tools<'t>) -> Result<Box<dyn Manager + 't>, StepError> {
    let script = "for p in apt-get dnf yum; do command -v $p >/dev/null && echo $p && exit; done; echo none";
    let found = tools.look(&["sh", "-c", script]).await?;
    match found.stdout.trim() {
        "apt-get" => Ok(Box::new(Apt(tools))),
        "dnf" => Ok(Box::new(Dnf {
            tools,
            program: "dnf",
        })),
        "yum" => Ok(Box::new(Dnf {
            tools,
            program: "yum",
        })),
        _ => Err(StepError::new(
            "psprun::packages::no_manager",
            "this machine has neither apt nor dnf to install packages with",
        )
        .help("install them with the system's own tool: `host::run([…], #{ unless: … })`")),
    }
}

#[cfg(test)]
mod tests;
