//! `host::preflight`: whether a machine can become a node, each check in a file of its own.

mod apparmor;
mod cgroups;
mod forwarding;
mod look;
mod os;
mod ports;
mod programs;
mod report;
mod resources;
mod runtime;
mod swap;
mod tools;
mod user;

use std::sync::Arc;

use async_trait::async_trait;
use psprun_engine::diagnostic::did_you_mean;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use self::look::{Look, Role};
use self::report::{PreflightOutput, Severity};
use crate::target::{HostRef, Target};

/// The names of all checks, in the order in which they are made.
const CHECKS: [&str; 14] = [
    user::NAME,
    os::NAME,
    programs::NAME,
    tools::NAME,
    swap::NAME,
    forwarding::NAME,
    forwarding::BRIDGE,
    runtime::NAME,
    ports::NAME,
    resources::CPUS,
    resources::MEMORY,
    apparmor::NAME,
    cgroups::NAME,
    cgroups::DRIVER,
];

/// Looks at a machine before it becomes a node.
pub(super) struct Preflight(pub(super) Arc<dyn Target>);

/// The arguments of `host::preflight`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PreflightArgs {
    /// Repairs what is safe: swap is turned off, the kernel's modules and settings for forwarding are set, now and for
    /// the next boots. Each repair is told.
    #[serde(default)]
    fix: bool,
    /// Checks whose errors do not fail the step; they become warnings.
    #[serde(default)]
    ignore: Vec<String>,
    /// What the machine is to become: `control-plane` or `worker`, which needs less.
    #[serde(default)]
    role: Role,
    /// The container runtime's socket, when it is at an unusual place or there are several.
    #[serde(default)]
    cri_socket: Option<String>,
    /// The machine, when called on one.
    #[serde(default)]
    host: Option<HostRef>,
}

#[async_trait]
impl Builtin for Preflight {
    type Args = PreflightArgs;
    type Output = PreflightOutput;

    fn spec(&self) -> Spec {
        Spec::new(
            "host::preflight",
            "Checks whether the machine can become a node of a cluster",
        )
        .optionally_on("host")
        .examples(&[
            Example {
                title: "a look at the machine, with what is safe to repair repaired",
                script: r#"let node = host::preflight(#{ fix: true });
check("kubeadm has a version", || node.kubeadm_version.starts_with("v1."));"#,
                runs: Runs::OnNode,
            },
            Example {
                title: "a small worker",
                script: r#"let node = host::preflight(#{ role: "worker", ignore: ["swap"] });
let with_apparmor = node.apparmor;"#,
                runs: Runs::OnNode,
            },
        ])
    }

    fn describe(&self, args: &Value) -> String {
        let mut text = "check this machine".to_owned();
        if args["role"] == "worker" {
            text += " as a worker";
        }
        if args["fix"] == Value::Bool(true) {
            text += " and repair what is safe";
        }
        if let Some(ignored) = args
            .get("ignore")
            .filter(|ignored| **ignored != serde_json::json!([]))
        {
            text += &format!(", ignoring {}", psprun_engine::builtin::show_short(ignored));
        }
        text
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        let ignored = args["ignore"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        for name in ignored.filter(|name| !name.contains("${")) {
            if !CHECKS.contains(&name) {
                let help = match did_you_mean(name, CHECKS) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("the checks are {}", CHECKS.join(", ")),
                };
                return Err(StepError::new("psprun::args", format!("there is no check `{name}`")).help(help));
            }
        }
        Ok(())
    }

    async fn run(
        &self,
        args: PreflightArgs,
        context: Context,
    ) -> Result<Outcome<PreflightOutput>, StepError> {
        let host = self.0.host(args.host.as_ref())?;
        let look = Look::new(&*host, &context, args.fix, args.role).await?;
        let mut report = PreflightOutput::default();
        user::check(&look, &mut report).await?;
        os::check(&look, &mut report).await?;
        programs::check(&look, &mut report).await?;
        tools::check(&look, &mut report).await?;
        swap::check(&look, &mut report).await?;
        forwarding::check(&look, &mut report).await?;
        runtime::check(&look, &mut report, args.cri_socket.as_deref()).await?;
        ports::check(&look, &mut report).await?;
        resources::check(&look, &mut report).await?;
        apparmor::check(&look, &mut report).await?;
        cgroups::check(&look, &mut report).await?;

        report.ignore(&args.ignore);
        for finding in &report.findings {
            if finding.severity == Severity::Warning {
                context.warn(finding.to_string());
            }
        }
        if let Some(error) = report.failure() {
            return Err(error);
        }
        let fixed = report.findings.iter().filter(|finding| finding.fixed).count();
        let warnings = report
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Warning)
            .count();
        let mut summary = match &report.kubeadm_version {
            Some(version) => format!("ready for kubeadm {version}"),
            None => "ready".to_owned(),
        };
        if fixed > 0 {
            summary += &format!(", {fixed} repaired");
        }
        if warnings > 0 {
            summary += &format!(
                ", {warnings} {}",
                if warnings == 1 { "warning" } else { "warnings" }
            );
        }
        let details = report.show();
        Ok(Outcome::new(report, fixed > 0).summary(summary).details(details))
    }
}

#[cfg(test)]
mod tests;
