//! Takes a cluster's traces out of the kernel's tables: iptables, IPVS, sets, nftables.

use std::net::IpAddr;
use std::time::Duration;

use psprun_engine::{Context, StepError};

use super::found::Found;
use super::{Cleaned, Tables, iptables, ipvs};
use crate::kubeadm::node::kubeadm::{quiet, run_quietly};
use crate::target::{Command, Finished, Host};

/// The commands for the four kinds of tables: each family has those of the old kernel interface and those of nftables.
/// Where a machine has only the plain name, that is used.
const FAMILIES: [[&str; 3]; 2] = [
    ["iptables-nft", "iptables-legacy", "iptables"],
    ["ip6tables-nft", "ip6tables-legacy", "ip6tables"],
];

/// Sets and tables of kube-proxy and pod networks.
const SETS: [&str; 3] = ["KUBE-", "cali", "WEAVE"];
const NFT_TABLES: [&str; 3] = ["kube-proxy", "flannel-ipv4", "flannel-ipv6"];

/// Takes the cluster's chains and rules away.
///
/// # Errors
/// The run was stopped.
pub async fn clean_iptables(
    host: &dyn Host,
    context: &Context,
    found: &Found,
    cleaned: &mut Cleaned,
) -> Result<(), StepError> {
    for [nft, legacy, plain] in FAMILIES {
        let mut any = false;
        for command in [nft, legacy, plain] {
            if command == plain && any {
                break;
            }
            let Some(save) = try_run(host, context, &[&format!("{command}-save")]).await else {
                continue;
            };
            any = true;
            if save.code != 0 {
                // No such kernel interface here, or tables that only `nft` can show.
                continue;
            }
            let Some(removal) = iptables::removal(&save.stdout, &found.networks) else {
                continue;
            };
            match restore(host, context, command, &removal.script).await? {
                Ok(()) => cleaned.done.iptables.push(Tables {
                    command: command.to_owned(),
                    rules: removal.rules,
                    chains: removal.chains,
                }),
                Err(why) => cleaned.problems.push(format!("{command}-restore: {why}")),
            }
        }
    }
    Ok(())
}

async fn restore(
    host: &dyn Host,
    context: &Context,
    command: &str,
    script: &str,
) -> Result<Result<(), String>, StepError> {
    /// The exit status for "somebody else holds the lock".
    const LOCKED: i32 = 4;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let mut restore = Command::new([format!("{command}-restore"), "--noflush".to_owned()]);
        restore.stdin = Some(script.as_bytes().to_vec());
        restore.timeout = Some(Duration::from_secs(60));
        let finished = host.run(restore, quiet(), context.cancellation()).await?;
        match finished.code {
            0 => return Ok(Ok(())),
            LOCKED if attempts < 5 => tokio::time::sleep(Duration::from_millis(500)).await,
            _ => return Ok(Err(finished.stderr.trim().to_owned())),
        }
    }
}

/// What the post does: every rule of filter, nat and mangle goes, and the chains of filter.
///
/// # Errors
/// A command cannot be started.
pub async fn flush_all(host: &dyn Host, context: &Context, cleaned: &mut Cleaned) -> Result<(), StepError> {
    let before = try_run(host, context, &["iptables-save"])
        .await
        .map(|saved| saved.stdout)
        .unwrap_or_default();
    for argv in [
        &["iptables", "-F"][..],
        &["iptables", "-t", "nat", "-F"],
        &["iptables", "-t", "mangle", "-F"],
        &["iptables", "-X"],
    ] {
        let finished = run_quietly(host, context, argv).await?;
        if finished.code != 0 {
            cleaned
                .problems
                .push(format!("{}: {}", argv.join(" "), finished.stderr.trim()));
        }
    }
    let rules = before.lines().filter(|line| line.starts_with("-A ")).count();
    if rules > 0 {
        cleaned.done.iptables.push(Tables {
            command: "iptables -F".to_owned(),
            rules,
            chains: Vec::new(),
        });
    }
    Ok(())
}

/// Deletes the virtual services of kube-proxy's IPVS mode; only where its link is.
pub async fn clean_ipvs(host: &dyn Host, context: &Context, found: &Found, cleaned: &mut Cleaned) {
    let Some(addresses) = try_run(host, context, &["ip", "-o", "addr", "show", "dev", "kube-ipvs0"]).await
    else {
        return;
    };
    let addresses: Vec<IpAddr> = addresses
        .stdout
        .lines()
        .filter_map(|line| {
            line.split_once(" inet")
                .map(|(_, rest)| rest.trim_start_matches('6').trim_start())
        })
        .filter_map(|rest| rest.split(['/', ' ']).next()?.parse().ok())
        .collect();
    let Some(save) = try_run(host, context, &["ipvsadm-save", "-n"])
        .await
        .filter(|save| save.code == 0)
    else {
        cleaned.problems.push(
            "the link kube-ipvs0 is there, but no ipvsadm to remove the services of IPVS: install it"
                .to_owned(),
        );
        return;
    };
    for arguments in ipvs::removal(&save.stdout, &addresses, &found.networks) {
        let mut argv = vec!["ipvsadm"];
        argv.extend(arguments.iter().map(String::as_str));
        match try_run(host, context, &argv).await {
            Some(finished) if finished.code == 0 => cleaned.done.ipvs.push(arguments[1..].join(" ")),
            other => cleaned
                .problems
                .push(format!("{}: {}", argv.join(" "), why(other))),
        }
    }
}

/// Destroys the sets that rules of the cluster used.
pub async fn clean_sets(host: &dyn Host, context: &Context, cleaned: &mut Cleaned) {
    let Some(list) = try_run(host, context, &["ipset", "list", "-n"])
        .await
        .filter(|list| list.code == 0)
    else {
        return;
    };
    for set in list
        .stdout
        .lines()
        .filter(|set| SETS.iter().any(|prefix| set.starts_with(prefix)))
    {
        match try_run(host, context, &["ipset", "destroy", set]).await {
            Some(finished) if finished.code == 0 => cleaned.done.ipsets.push(set.to_owned()),
            other => cleaned
                .problems
                .push(format!("ipset destroy {set}: {}", why(other))),
        }
    }
}

/// Deletes the tables of kube-proxy's nftables mode and of flannel's.
pub async fn clean_nft(host: &dyn Host, context: &Context, cleaned: &mut Cleaned) {
    let Some(list) = try_run(host, context, &["nft", "list", "tables"])
        .await
        .filter(|list| list.code == 0)
    else {
        return;
    };
    for line in list.stdout.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["table", family, name] = words[..] else {
            continue;
        };
        if !NFT_TABLES.contains(&name) {
            continue;
        }
        match try_run(host, context, &["nft", "delete", "table", family, name]).await {
            Some(finished) if finished.code == 0 => cleaned.done.nft_tables.push(format!("{family} {name}")),
            other => cleaned
                .problems
                .push(format!("nft delete table {family} {name}: {}", why(other))),
        }
    }
}

/// Runs a command that may not be there.
pub async fn try_run(host: &dyn Host, context: &Context, argv: &[&str]) -> Option<Finished> {
    run_quietly(host, context, argv).await.ok()
}

/// Why a command failed.
pub fn why(finished: Option<Finished>) -> String {
    match finished {
        Some(finished) => finished.stderr.trim().to_owned(),
        None => "it cannot be run".to_owned(),
    }
}
