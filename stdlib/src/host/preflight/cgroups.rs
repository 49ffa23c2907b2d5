//! The kernel's control groups, and who drives them.

use psprun_engine::StepError;

use super::look::Look;
use super::programs::minor;
use super::report::PreflightOutput;

pub(super) const NAME: &str = "cgroups";
pub(super) const DRIVER: &str = "cgroup-driver";

pub(super) async fn check(look: &Look<'_>, report: &mut PreflightOutput) -> Result<(), StepError> {
    let unified = look.text("/sys/fs/cgroup/cgroup.controllers").await?;
    report.cgroup_version = if unified.is_some() { 2 } else { 1 };
    let kubelet = report.kubelet_version.as_deref().and_then(minor);
    let has_memory = match &unified {
        Some(controllers) => controllers.split_ascii_whitespace().any(|name| name == "memory"),
        None => has_memory(&look.text("/proc/cgroups").await?.unwrap_or_default()),
    };
    let version = format!("version {}", report.cgroup_version);
    match (report.cgroup_version, kubelet) {
        _ if !has_memory => report.error(
            NAME,
            "the kernel does not account memory to control groups",
            "boot it with `cgroup_enable=memory cgroup_memory=1`",
        ),
        // Support came as an alpha in 1.19.
        (2, Some(minor)) if minor < 19 => report.error(
            NAME,
            format!("{version}, which a kubelet 1.{minor} does not know"),
            "boot the kernel with `systemd.unified_cgroup_hierarchy=0`",
        ),
        // failCgroupV1 is the default from 1.35 on.
        (1, Some(minor)) if minor >= 35 => report.error(
            NAME,
            format!("{version}, with which a kubelet 1.{minor} does not start"),
            "boot the kernel with `systemd.unified_cgroup_hierarchy=1`, or set failCgroupV1: false for the kubelet",
        ),
        _ => report.ok(NAME, version),
    }

    report.cgroup_driver = driver(look, report.runtime.as_deref()).await?;
    if let (Some(driver), Some(runtime)) = (report.cgroup_driver.clone(), report.runtime.clone()) {
        let kubelets = kubelets_driver(kubelet, &runtime);
        if kubelets.is_some_and(|kubelets| kubelets != driver) {
            report.warning(
                DRIVER,
                format!(
                    "{runtime} uses {driver}, the kubelet by itself {}",
                    kubelets.unwrap_or_default()
                ),
                format!("give the kubelet the configuration `cgroupDriver: {driver}`"),
            );
        } else {
            report.ok(DRIVER, format!("{runtime} uses {driver}"));
        }
    }
    Ok(())
}

/// What kubeadm has the kubelet use when nothing is said: systemd from 1.22 on; before, it asked docker, and took
/// cgroupfs with other runtimes.
fn kubelets_driver(kubelet: Option<u32>, runtime: &str) -> Option<&'static str> {
    match kubelet? {
        22.. => Some("systemd"),
        _ if runtime == "docker" => None,
        _ => Some("cgroupfs"),
    }
}

async fn driver(look: &Look<'_>, runtime: Option<&str>) -> Result<Option<String>, StepError> {
    Ok(match runtime {
        Some("containerd") => {
            let config = look
                .text("/etc/containerd/config.toml")
                .await?
                .unwrap_or_default();
            Some(containerds_driver(&config).to_owned())
        }
        Some("docker" | "cri-dockerd") => look
            .run(&["docker", "info", "--format", "{{.CgroupDriver}}"])
            .await?
            .filter(|finished| finished.code == 0)
            .map(|finished| finished.stdout.trim().to_owned())
            .filter(|driver| !driver.is_empty()),
        // Its default since 1.18.
        Some("cri-o") => Some("systemd".to_owned()),
        _ => None,
    })
}

/// containerd's configuration says `SystemdCgroup = true`, or `systemd_cgroup = true` in older ones.
fn containerds_driver(config: &str) -> &'static str {
    let is_systemd = config.lines().any(|line| {
        let line: String = line
            .split('#')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        line.eq_ignore_ascii_case("SystemdCgroup=true") || line == "systemd_cgroup=true"
    });
    if is_systemd { "systemd" } else { "cgroupfs" }
}

/// Whether `/proc/cgroups` lists memory as enabled; so too when there is no such file.
fn has_memory(cgroups: &str) -> bool {
    cgroups
        .lines()
        .find(|line| line.starts_with("memory\t"))
        .is_none_or(|line| line.trim_end().ends_with('1'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_containerds_configuration() {
        assert_eq!(containerds_driver("   SystemdCgroup = true # yes\n"), "systemd");
        assert_eq!(
            containerds_driver("# SystemdCgroup = true\nSystemdCgroup = false\n"),
            "cgroupfs"
        );
        assert_eq!(containerds_driver(""), "cgroupfs");
    }

    #[test]
    fn memory_may_be_turned_off_at_boot() {
        assert!(has_memory("#subsys\nmemory\t3\t20\t1\n"));
        assert!(!has_memory("#subsys\nmemory\t0\t1\t0\n"));
        assert!(has_memory(""));
    }
}
