//! Finds the virtual services of kube-proxy's IPVS mode in the output of `ipvsadm-save -n`.

use std::net::IpAddr;

use crate::kubeadm::config::subnets::Subnet;

/// The commands that delete the services whose address is one of `addresses` (those of the link kube-ipvs0), or that
/// send to a pod. Each is the arguments of `ipvsadm`.
pub fn removal(save: &str, addresses: &[IpAddr], networks: &[Subnet]) -> Vec<Vec<String>> {
    let mut services: Vec<(Vec<String>, bool)> = Vec::new();
    for line in save.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let value = |flag: &str| {
            let at = words.iter().position(|word| *word == flag)?;
            words.get(at + 1).copied()
        };
        let Some((kind, service)) = ["-t", "-u", "--sctp-service"]
            .iter()
            .find_map(|kind| Some((*kind, value(kind)?)))
        else {
            continue;
        };
        match words.first() {
            Some(&"-A") => {
                let ours = host_of(service).is_some_and(|host| addresses.contains(&host));
                services.push((vec!["-D".to_owned(), kind.to_owned(), service.to_owned()], ours));
            }
            Some(&"-a") => {
                let to_pod = value("-r")
                    .and_then(host_of)
                    .and_then(|host| Subnet::parse(&host.to_string()));
                if let Some(pod) = to_pod
                    && networks.iter().any(|network| network.contains(pod))
                    && let Some((_, ours)) = services
                        .iter_mut()
                        .find(|(command, _)| command[1] == kind && command[2] == service)
                {
                    *ours = true;
                }
            }
            _ => {}
        }
    }
    services
        .into_iter()
        .filter_map(|(command, ours)| ours.then_some(command))
        .collect()
}

/// `10.96.0.1:443` or `[fd00::1]:443`.
fn host_of(service: &str) -> Option<IpAddr> {
    let (host, _) = service.rsplit_once(':')?;
    host.trim_matches(['[', ']']).parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn services_of_the_cluster_go_and_others_stay() {
        let save = "-A -t 10.96.0.1:443 -s rr\n\
                    -a -t 10.96.0.1:443 -r 10.89.0.11:6443 -m -w 1\n\
                    -A -u 10.96.0.10:53 -s rr\n\
                    -A -t 10.89.0.11:30080 -s rr\n\
                    -a -t 10.89.0.11:30080 -r 10.244.0.7:80 -m -w 1\n\
                    -A -t 192.0.2.1:80 -s wlc\n\
                    -a -t 192.0.2.1:80 -r 192.0.2.9:80 -g -w 1\n\
                    -A -t [fd00::a]:443 -s rr\n\
                    -A -f 1 -s rr\n";
        let addresses = ["10.96.0.1", "10.96.0.10", "fd00::a"].map(|address| address.parse().unwrap());
        let commands: Vec<String> = removal(save, &addresses, &[Subnet::parse("10.244.0.0/16").unwrap()])
            .iter()
            .map(|words| words.join(" "))
            .collect();
        assert_eq!(
            commands,
            [
                "-D -t 10.96.0.1:443",
                "-D -u 10.96.0.10:53",
                "-D -t 10.89.0.11:30080",
                "-D -t [fd00::a]:443"
            ]
        );
        assert!(removal("", &[], &[]).is_empty());
    }
}
