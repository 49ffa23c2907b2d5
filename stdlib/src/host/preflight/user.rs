//! Who runs psprun: kubeadm wants root.

use psprun_engine::StepError;

use super::look::Look;
use super::report::PreflightOutput;

pub(super) const NAME: &str = "user";

pub(super) async fn check(look: &Look<'_>, report: &mut PreflightOutput) -> Result<(), StepError> {
    let user = look.host.user().await?;
    match (&user.sudo_caller, user.uid) {
        (Some(caller), 0) => report.ok(NAME, format!("root, called by {} with sudo", caller.name)),
        (None, 0) => report.ok(NAME, "root"),
        _ => report.error(
            NAME,
            format!("psprun runs as {}, and kubeadm needs root", user.name),
            "run it with `sudo psprun …`",
        ),
    }
    Ok(())
}
