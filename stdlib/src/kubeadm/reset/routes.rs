//! Finds the routes to pods of other nodes, in the output of `ip route show`: pod networks without a tunnel (flannel's
//! host-gw, Calico, kube-router) write one for each node, and Calico one for its own block that leads nowhere.

use crate::kubeadm::config::subnets::Subnet;

/// The routes to the pods, each as the arguments of `ip route delete`.
pub fn of_cluster(shown: &str, networks: &[Subnet]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for line in shown.lines() {
        let mut words = line.split_whitespace();
        let mut route: Vec<&str> = Vec::new();
        let mut target = words.next().unwrap_or_default();
        if matches!(target, "blackhole" | "unreachable" | "prohibit") {
            route.push(target);
            target = words.next().unwrap_or_default();
        }
        let is_pods = Subnet::parse(target)
            .is_some_and(|target| networks.iter().any(|network| network.contains(target)));
        if !is_pods {
            continue;
        }
        route.push(target);
        while let Some(word) = words.next() {
            if matches!(word, "via" | "dev" | "metric") {
                route.push(word);
                route.extend(words.next());
            }
        }
        found.push(route.into_iter().map(str::to_owned).collect());
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn routes_to_pods_go_and_others_stay() {
        let shown = "default via 10.89.0.1 dev eth0 \n\
                     10.89.0.0/24 dev eth0 proto kernel scope link src 10.89.0.11 \n\
                     10.244.1.0/24 via 10.89.0.12 dev eth0 \n\
                     10.244.7.0/26 via 10.89.0.13 dev tunl0 proto bird onlink \n\
                     blackhole 10.244.3.0/26 proto bird \n\
                     10.244.0.0/8 via 10.89.0.14 dev eth0 metric 5 \n\
                     unreachable 169.254.0.0/16 \n";
        let routes: Vec<String> = of_cluster(shown, &[Subnet::parse("10.244.0.0/16").unwrap()])
            .iter()
            .map(|route| route.join(" "))
            .collect();
        assert_eq!(
            routes,
            [
                "10.244.1.0/24 via 10.89.0.12 dev eth0",
                "10.244.7.0/26 via 10.89.0.13 dev tunl0",
                "blackhole 10.244.3.0/26"
            ]
        );
        assert!(of_cluster(shown, &[]).is_empty());
    }
}
