//! The system and its kernel.

use psprun_engine::StepError;

use super::look::Look;
use super::report::{Os, PreflightOutput};

pub(super) const NAME: &str = "os";

/// The oldest kernel that kubeadm accepts (its `SystemVerification`).
const OLDEST: (u32, u32) = (3, 10);

pub(super) async fn check(look: &Look<'_>, report: &mut PreflightOutput) -> Result<(), StepError> {
    let release = match look.text("/etc/os-release").await? {
        Some(text) => Some(text),
        None => look.text("/usr/lib/os-release").await?,
    };
    let kernel = look.text("/proc/sys/kernel/osrelease").await?.unwrap_or_default();
    let kernel = kernel.trim().to_owned();
    let mut os = release.as_deref().map(parse).unwrap_or_default();
    os.kernel.clone_from(&kernel);
    match version(&kernel) {
        Some(version) if version < OLDEST => report.error(
            NAME,
            format!("the kernel {kernel} is older than {}.{}", OLDEST.0, OLDEST.1),
            "install a newer kernel or system",
        ),
        _ if release.is_none() => report.warning(
            NAME,
            "there is no /etc/os-release that tells the system's name",
            "this system may be one on which nobody has tried kubeadm",
        ),
        _ => report.ok(NAME, format!("{}, kernel {kernel}", os.name)),
    }
    report.os = os;
    Ok(())
}

/// Reads `os-release` (see os-release(5)).
fn parse(text: &str) -> Os {
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))
            .map(|value| value.trim_matches(['"', '\'']).to_owned())
    };
    let id = field("ID").unwrap_or_else(|| "linux".to_owned());
    Os {
        name: field("PRETTY_NAME")
            .or_else(|| field("NAME"))
            .unwrap_or_else(|| id.clone()),
        version: field("VERSION_ID").unwrap_or_default(),
        id,
        kernel: String::new(),
    }
}

/// Major and minor of `5.10.0-28-amd64`.
fn version(kernel: &str) -> Option<(u32, u32)> {
    let mut numbers = kernel.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_os_release() {
        let os = parse("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n");
        assert_eq!((&*os.id, &*os.version), ("debian", "12"));
        assert_eq!(os.name, "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(parse("ID=arch\n").name, "arch");
    }

    #[test]
    fn reads_kernel_versions() {
        assert_eq!(version("5.10.0-28-amd64"), Some((5, 10)));
        assert_eq!(version("3.9"), Some((3, 9)));
        assert_eq!(version(""), None);
    }
}
