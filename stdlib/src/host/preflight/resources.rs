//! CPUs and memory: kubeadm wants two CPUs and 1700 MB for a control plane.

use psprun_engine::StepError;

use super::look::{Look, Role};
use super::report::PreflightOutput;

pub(super) const CPUS: &str = "cpus";
pub(super) const MEMORY: &str = "memory";

/// kubeadm's constants `ControlPlaneNumCPU` and `ControlPlaneMem`.
const WANTED_CPUS: u32 = 2;
const WANTED_MB: u64 = 1700;

pub(super) async fn check(look: &Look<'_>, report: &mut PreflightOutput) -> Result<(), StepError> {
    let status = look.text("/proc/self/status").await?.unwrap_or_default();
    report.cpus = cpus(&status).unwrap_or(0);
    let meminfo = look.text("/proc/meminfo").await?.unwrap_or_default();
    report.memory_mb = memory_mb(&meminfo).unwrap_or(0);

    let (cpus, memory) = (report.cpus, report.memory_mb);
    if cpus >= WANTED_CPUS || look.role == Role::Worker && cpus > 0 {
        report.ok(CPUS, format!("{cpus} CPUs"));
    } else {
        report.error(
            CPUS,
            format!("{cpus} CPU, and a control plane wants {WANTED_CPUS}"),
            "give the machine more",
        );
    }
    if memory >= WANTED_MB || look.role == Role::Worker && memory > 0 {
        report.ok(MEMORY, format!("{memory} MiB of memory"));
    } else {
        report.error(
            MEMORY,
            format!("{memory} MiB of memory, and a control plane wants {WANTED_MB}"),
            "give the machine more",
        );
    }
    Ok(())
}

/// How many CPUs a process may use: `Cpus_allowed_list:  0-2,4`.
fn cpus(status: &str) -> Option<u32> {
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    list.trim()
        .split(',')
        .map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
            last.checked_sub(first).map(|more| more + 1)
        })
        .sum()
}

/// `MemTotal:  24630680 kB`.
fn memory_mb(meminfo: &str) -> Option<u64> {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total
        .split_ascii_whitespace()
        .next()?
        .parse::<u64>()
        .ok()
        .map(|kib| kib >> 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        assert_eq!(cpus("Name:\tx\nCpus_allowed_list:\t0-2,4\n"), Some(4));
        assert_eq!(cpus("Cpus_allowed_list:\t0\n"), Some(1));
        assert_eq!(cpus("Cpus_allowed_list:\t?\n"), None);
        assert_eq!(memory_mb("MemTotal:       24630680 kB\n"), Some(24053));
    }
}
