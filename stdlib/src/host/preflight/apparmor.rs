//! AppArmor: without it a pod with a profile is admitted and then never starts, without an event.

use psprun_engine::StepError;

use super::look::Look;
use super::report::PreflightOutput;

pub(super) const NAME: &str = "apparmor";

pub(super) async fn check(look: &Look<'_>, report: &mut PreflightOutput) -> Result<(), StepError> {
    let enabled = look.text("/sys/module/apparmor/parameters/enabled").await?;
    report.apparmor = enabled.is_some_and(|text| text.trim() == "Y");
    if report.apparmor {
        report.ok(NAME, "AppArmor is on");
    } else {
        report.ok(
            NAME,
            "AppArmor is off: pods whose policy asks for a profile would not start here",
        );
    }
    Ok(())
}
