//! Networks as kubeadm takes them: `10.244.0.0/16`, or one of each family with a comma between.

use std::net::IpAddr;

use psprun_engine::StepError;

/// A network: an address and how many of its bits it fixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    address: u128,
    bits: u8,
    /// 32 or 128.
    width: u8,
}

impl Subnet {
    /// Reads `10.244.0.0/16`; an address alone is a network of one.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let (address, width) = match address.trim().parse::<IpAddr>().ok()? {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
            IpAddr::V6(v6) => (u128::from(v6), 128),
        };
        let bits = match bits {
            Some(bits) => bits.trim().parse().ok().filter(|bits| *bits <= width)?,
            None => width,
        };
        let network = Self { address, bits, width };
        Some(Self {
            address: address & network.mask(),
            ..network
        })
    }

    fn mask(self) -> u128 {
        let low = u32::from(self.width - self.bits);
        if low >= 128 {
            0
        } else {
            (u128::MAX >> (128 - u32::from(self.width))) >> low << low
        }
    }

    /// Whether all addresses of the other network are in this one.
    pub fn contains(self, other: Self) -> bool {
        self.width == other.width && self.bits <= other.bits && other.address & self.mask() == self.address
    }

    /// Whether they have an address in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }
}

/// Reads one network, or one of each family. What is not known yet (`${…}`) gives none.
///
/// # Errors
/// It is something else.
pub fn parse_list(argument: &str, text: &str) -> Result<Vec<Subnet>, StepError> {
    if text.contains("${") {
        return Ok(Vec::new());
    }
    text.split(',')
        .map(|part| {
            Subnet::parse(part.trim())
                .filter(|_| part.contains('/'))
                .ok_or_else(|| {
                    StepError::new(
                        "psprun::kubeadm::subnet",
                        format!("{argument}: {part:?} is no network"),
                    )
                    .help("write an address and a prefix length, e.g. 10.244.0.0/16")
                })
        })
        .collect()
}

/// Checks that pods and Services have networks of their own: with a common address a pod is taken for a Service.
///
/// # Errors
/// One of them is no network, or they overlap.
pub fn check(pod_subnet: Option<&str>, service_subnet: Option<&str>) -> Result<(), StepError> {
    /// kubeadm's default.
    const SERVICES: &str = "10.96.0.0/12";
    let services = parse_list("service_subnet", service_subnet.unwrap_or(SERVICES))?;
    let Some(pod_subnet) = pod_subnet else {
        return Ok(());
    };
    let pods = parse_list("pod_subnet", pod_subnet)?;
    if pods
        .iter()
        .any(|pods| services.iter().any(|services| pods.overlaps(*services)))
    {
        return Err(StepError::new(
            "psprun::kubeadm::subnet",
            format!(
                "pod_subnet {pod_subnet} and service_subnet {} have addresses in common",
                service_subnet.unwrap_or(SERVICES)
            ),
        )
        .help("give pods and Services networks apart from each other and from the machines'"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn net(text: &str) -> Subnet {
        Subnet::parse(text).unwrap()
    }

    #[test]
    fn networks_contain_and_overlap() {
        assert!(net("10.244.0.0/16").contains(net("10.244.3.4")));
        assert!(net("10.244.0.0/16").contains(net("10.244.1.0/24")));
        assert!(!net("10.244.0.0/16").contains(net("10.245.0.0/24")));
        assert!(!net("10.244.0.0/16").contains(net("0.0.0.0/0")));
        assert!(net("0.0.0.0/0").contains(net("10.244.0.0/16")));
        assert!(!net("0.0.0.0/0").contains(net("::1")));
        assert!(net("::/0").contains(net("fd00::1")));
        assert!(net("fd00::/48").overlaps(net("fd00::/64")));
        assert_eq!(net("10.244.7.9/16"), net("10.244.0.0/16"));
        for bad in [
            "",
            "10.244.0.0/33",
            "x/8",
            "10.0.0/8",
            "10.0.0.0/-1",
            "10.0.0.0/8/9",
        ] {
            assert_eq!(Subnet::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn pods_and_services_are_apart() {
        assert!(check(Some("10.244.0.0/16"), None).is_ok());
        assert!(
            check(
                Some("10.244.0.0/16,fd00:1::/56"),
                Some("10.96.0.0/12,fd00:2::/112")
            )
            .is_ok()
        );
        assert!(check(Some("${cni.subnet}"), None).is_ok());
        insta::assert_snapshot!(check(Some("10.100.0.0/16"), None).unwrap_err(), @"pod_subnet 10.100.0.0/16 and service_subnet 10.96.0.0/12 have addresses in common");
        insta::assert_snapshot!(check(Some("10.244.0.0"), None).unwrap_err(), @r#"pod_subnet: "10.244.0.0" is no network"#);
    }
}
