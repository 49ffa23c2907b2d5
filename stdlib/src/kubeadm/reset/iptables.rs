//! Finds the iptables chains and rules that a cluster made, in the output of `iptables-save`, and writes what takes
//! them away and leaves all others as they are.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::kubeadm::config::subnets::Subnet;

/// How the chains of Kubernetes and of pod networks are called: kubelet and kube-proxy (and kube-router), the CNI
/// plugins, flannel, Calico, Weave, Cilium.
const PREFIXES: [&str; 7] = [
    "KUBE-",
    "CNI-",
    "FLANNEL-",
    "cali-",
    "WEAVE",
    "CILIUM_",
    "OLD_CILIUM_",
];

/// How the comments of their rules begin.
const COMMENTS: [&str; 3] = ["flanneld", "kubernetes ", "cali:"];

/// What is to be taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The input of `iptables-restore --noflush`.
    pub script: String,
    /// How many rules it takes from chains that stay.
    pub rules: usize,
    /// The chains that it removes, as `nat KUBE-SERVICES`.
    pub chains: Vec<String>,
}

/// What a cluster left in the tables; `None` when there is nothing. `networks` are the pods'.
///
/// Rules in other chains are the cluster's when they jump to one of its chains, when their comment says so, or when
/// they are of the form that flannel before 0.18 gives its rules, which have no comment.
pub fn removal(save: &str, networks: &[Subnet]) -> Option<Removal> {
    let mut found = Removal {
        script: String::new(),
        rules: 0,
        chains: Vec::new(),
    };
    for table in tables(save) {
        let ours: BTreeSet<&str> = table
            .chains
            .iter()
            .copied()
            .filter(|chain| is_ours(chain))
            .collect();
        let mut script = String::new();
        for rule in &table.rules {
            let words = words(rule);
            let Some(chain) = words.get(1) else { continue };
            if !ours.contains(&**chain) && is_of_cluster(&words, networks) {
                let _ = writeln!(script, "-D{}", rule.strip_prefix("-A").unwrap_or(rule));
                found.rules += 1;
            }
        }
        // First all of them empty, since they refer to each other.
        for command in ["-F", "-X"] {
            for chain in &ours {
                let _ = writeln!(script, "{command} {chain}");
            }
        }
        found
            .chains
            .extend(ours.iter().map(|chain| format!("{} {chain}", table.name)));
        if !script.is_empty() {
            let _ = write!(found.script, "*{}\n{script}COMMIT\n", table.name);
        }
    }
    (!found.script.is_empty()).then_some(found)
}

struct Table<'s> {
    name: &'s str,
    chains: Vec<&'s str>,
    rules: Vec<&'s str>,
}

fn tables(save: &str) -> Vec<Table<'_>> {
    let mut tables: Vec<Table<'_>> = Vec::new();
    for line in save.lines().map(str::trim_end) {
        if let Some(name) = line.strip_prefix('*') {
            tables.push(Table {
                name,
                chains: Vec::new(),
                rules: Vec::new(),
            });
        }
        let Some(table) = tables.last_mut() else { continue };
        if let Some(chain) = line.strip_prefix(':') {
            table.chains.extend(chain.split_whitespace().next());
        } else if line.starts_with("-A ") {
            table.rules.push(line);
        }
    }
    tables
}

fn is_ours(chain: &str) -> bool {
    PREFIXES.iter().any(|prefix| chain.starts_with(prefix))
}

fn is_of_cluster(words: &[String], networks: &[Subnet]) -> bool {
    let after = |names: &[&str]| {
        let at = words.iter().position(|word| names.contains(&&**word))?;
        words.get(at + 1).map(String::as_str)
    };
    if after(&["-j", "--jump", "-g", "--goto"]).is_some_and(is_ours) {
        return true;
    }
    if let Some(comment) = after(&["--comment"])
        && COMMENTS.iter().any(|start| comment.starts_with(start))
    {
        return true;
    }
    is_old_flannel(words, networks)
}

/// `-s POD_NETWORK ! -d 224.0.0.0/4 -j MASQUERADE --random-fully` and the like: nothing but addresses, at least one of
/// them the pods', and one of three targets.
fn is_old_flannel(words: &[String], networks: &[Subnet]) -> bool {
    let mut of_pods = false;
    let mut rest = words.iter().skip(2).map(String::as_str);
    while let Some(word) = rest.next() {
        match word {
            "!" | "--random-fully" => {}
            "-s" | "-d" => {
                let Some(net) = rest.next().and_then(Subnet::parse) else {
                    return false;
                };
                of_pods |= networks.iter().any(|network| network.contains(net));
            }
            "-j" => {
                if !rest
                    .next()
                    .is_some_and(|target| matches!(target, "MASQUERADE" | "RETURN" | "ACCEPT"))
                {
                    return false;
                }
            }
            _ => return false,
        }
    }
    of_pods
}

/// The words of a rule; `"…"` is one word, in which a backslash takes the next character as it is.
fn words(rule: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    let mut any = false;
    let mut characters = rule.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' if quoted => word.extend(characters.next()),
            '"' => {
                quoted = !quoted;
                any = true;
            }
            c if c.is_whitespace() && !quoted => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                    any = false;
                }
            }
            c => word.push(c),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn pods() -> Vec<Subnet> {
        vec![Subnet::parse("10.244.0.0/16").unwrap()]
    }

    #[test]
    fn a_machine_without_a_cluster_is_left_alone() {
        assert_eq!(removal("", &pods()), None);
        assert_eq!(
            removal(
                "# Generated\n*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n",
                &pods()
            ),
            None
        );
        assert_eq!(removal("nonsense\n-A X\n:Y\n", &pods()), None);
    }

    #[test]
    fn rules_of_others_stay() {
        let mine = [
            "-A FORWARD -j DOCKER-USER",
            "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
            "-A INPUT -p tcp -m comment --comment \"ssh for kubernetes admins\" -m tcp --dport 22 -j ACCEPT",
            "-A FORWARD -s 10.244.0.0/16 -p tcp -m tcp --dport 25 -j DROP",
            "-A FORWARD -s 10.244.0.0/16 -j DROP",
            "-A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE",
            "-A INPUT -j KUBERNETES",
        ];
        for rule in mine {
            assert!(!is_of_cluster(&words(rule), &pods()), "{rule}");
        }
    }

    #[test]
    fn rules_of_a_cluster_are_known() {
        let theirs = [
            "-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES",
            "-A INPUT -j KUBE-FIREWALL",
            "-A POSTROUTING -s 10.244.0.5/32 -m comment --comment \"name: \\\"cbr0\\\" id: \\\"f00\\\"\" -j CNI-5d1b0a8ae0e9d7fa1b3c7fb0",
            "-A POSTROUTING -m comment --comment \"flanneld masq\" -j MASQUERADE",
            "-A FORWARD -m comment --comment \"cali:wUHhoiAYhphO9Mso\" -j cali-FORWARD",
            // flannel 0.14.
            "-A POSTROUTING -s 10.244.0.0/16 -d 10.244.0.0/16 -j RETURN",
            "-A POSTROUTING -s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully",
            "-A POSTROUTING ! -s 10.244.0.0/16 -d 10.244.0.0/24 -j RETURN",
            "-A POSTROUTING ! -s 10.244.0.0/16 -d 10.244.0.0/16 -j MASQUERADE",
            "-A FORWARD -s 10.244.0.0/16 -j ACCEPT",
            "-A FORWARD -d 10.244.0.0/16 -j ACCEPT",
        ];
        for rule in theirs {
            assert!(is_of_cluster(&words(rule), &pods()), "{rule}");
        }
        assert!(
            !is_of_cluster(&words(theirs[9]), &[]),
            "without the pods' network nobody knows"
        );
    }

    #[test]
    fn words_keep_what_is_quoted() {
        assert_eq!(
            words(r#"-A X --comment "a \"b\" c" -j Y"#),
            ["-A", "X", "--comment", r#"a "b" c"#, "-j", "Y"]
        );
        assert_eq!(words(r#"-A X --comment "" "#), ["-A", "X", "--comment", ""]);
    }

    /// What `iptables-restore --noflush` does with a script, as far as a script of ours goes.
    fn restored(save: &str, script: &str) -> String {
        let mut table = "";
        let mut deleted: Vec<(&str, String)> = Vec::new();
        let mut gone: Vec<(&str, &str)> = Vec::new();
        for line in script.lines() {
            match line.split_once(' ') {
                Some(("-D", rule)) => deleted.push((table, format!("-A {rule}"))),
                Some(("-X", chain)) => gone.push((table, chain)),
                Some(("-F", _)) => {}
                None if line.starts_with('*') => table = line,
                None if line == "COMMIT" => {}
                _ => unreachable!("{line}"),
            }
        }
        let mut kept = String::new();
        for line in save.lines() {
            if line.starts_with('*') {
                table = line;
            }
            let chain = line
                .trim_start_matches(':')
                .split(' ')
                .find(|word| *word != "-A")
                .unwrap_or_default();
            if gone.contains(&(table, chain)) {
                continue;
            }
            if let Some(at) = deleted.iter().position(|(of, rule)| *of == table && rule == line) {
                deleted.remove(at);
                continue;
            }
            kept.push_str(line);
            kept.push('\n');
        }
        assert!(deleted.is_empty(), "{deleted:?}");
        kept
    }

    #[test]
    fn a_real_clusters_rules_go_and_others_stay() {
        // kube-proxy 1.20.2 and flannel on the bed's node, with rules of others put there before.
        let cluster = include_str!("testdata/flannel-kube-proxy-1.20.2.save");
        let before = include_str!("testdata/before.save");
        let found = removal(cluster, &pods()).unwrap();
        insta::assert_snapshot!(found.script);
        let rules = |save: &str| -> Vec<String> {
            let lines = save
                .lines()
                .filter(|line| line.starts_with("-A ") || line.ends_with("- [0:0]"));
            lines.map(str::to_owned).collect()
        };
        let after = restored(cluster, &found.script);
        assert_eq!(rules(&after), rules(before));
        assert_eq!(removal(&after, &pods()), None);
    }
}
