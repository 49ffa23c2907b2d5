//! Swap, which the kubelet does not start with.

use psprun_engine::StepError;

use super::look::Look;
use super::report::PreflightOutput;

pub(super) const NAME: &str = "swap";

pub(super) async fn check(look: &Look<'_>, report: &mut PreflightOutput) -> Result<(), StepError> {
    let on = in_use(look).await?;
    if on.is_empty() {
        report.ok(NAME, "swap is off");
        return Ok(());
    }
    let mut remedy =
        "turn it off with `swapoff -a`, and take it out of /etc/fstab so that it stays off".to_owned();
    if look.fix {
        match look.repair(&["swapoff", "-a"]).await {
            Ok(()) if in_use(look).await?.is_empty() => {
                report.fixed(NAME, format!("turned swap off with `swapoff -a` ({on})"));
                let table = look.text("/etc/fstab").await?.unwrap_or_default();
                let lines = lines_of_fstab(&table);
                if !lines.is_empty() {
                    report.warning(
                        NAME,
                        format!(
                            "/etc/fstab turns swap on again at the next boot ({})",
                            lines.join(", ")
                        ),
                        "put a # before it",
                    );
                }
                return Ok(());
            }
            Ok(()) => {
                remedy = "`swapoff -a` did not turn it off; find what turns it on (zram, systemd .swap units)"
                    .to_owned()
            }
            Err(why) => remedy = format!("`swapoff -a` failed ({why}); free some memory, then turn it off"),
        }
    }
    report.error(NAME, format!("swap is on: {on}"), remedy);
    Ok(())
}

async fn in_use(look: &Look<'_>) -> Result<String, StepError> {
    Ok(parse(&look.text("/proc/swaps").await?.unwrap_or_default()))
}

/// The swap areas of `/proc/swaps`, with their sizes; empty when there are none.
fn parse(text: &str) -> String {
    let areas: Vec<String> = text
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let (name, kib) = (fields.next()?, fields.nth(1)?.parse::<u64>().ok()?);
            Some(format!("{name}, {} MiB", kib >> 10))
        })
        .collect();
    areas.join("; ")
}

/// The devices that fstab swaps on.
fn lines_of_fstab(table: &str) -> Vec<&str> {
    table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let is_swap = fields.get(2) == Some(&"swap") && !fields[0].starts_with('#');
            is_swap.then(|| fields[0])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_swap() {
        let header = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert_eq!(parse(header), "");
        let on = format!("{header}/dev/sda2  partition\t2097148\t0\t-2\n/swap  file  1048572  0  -3\n");
        assert_eq!(parse(&on), "/dev/sda2, 2047 MiB; /swap, 1023 MiB");
        assert_eq!(
            lines_of_fstab("# /old none swap\n/dev/sda2 none swap sw 0 0\n/dev/sda1 / ext4\n\n"),
            ["/dev/sda2"]
        );
    }
}
