//! A package as it is wanted.

use std::fmt;

use psprun_engine::StepError;

/// A name, and a version if it must be that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) version: Option<String>,
}

impl Wanted {
    /// Reads `name` or `name=version`.
    pub(super) fn parse(text: &str) -> Result<Self, StepError> {
        let (name, version) = match text.split_once('=') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let is_word = |word: &str, more: &str| {
            word.starts_with(|c: char| c.is_ascii_alphanumeric())
                && word
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        if !is_word(name, "+-._:@") || version.is_some_and(|version| !is_word(version, "+-._:~^")) {
            return Err(StepError::new(
                "psprun::args",
                format!("`{text}` is no package: write `name` or `name=version`"),
            )
            .help("one package each, no wildcards: [\"conntrack\", \"kubeadm=1.20.2\"]"));
        }
        Ok(Self {
            name: name.to_owned(),
            version: version.map(str::to_owned),
        })
    }

    /// Whether a version is right: the wanted one, or the wanted one with a release (`1.20.2` fits `1.20.2-00`).
    pub(super) fn fits(&self, version: &str) -> bool {
        self.version.as_ref().is_none_or(|wanted| {
            version
                .strip_prefix(wanted.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{} {version}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_version_fits_with_any_release() {
        let wanted = Wanted::parse("kubeadm=1.20.2").unwrap();
        assert!(wanted.fits("1.20.2") && wanted.fits("1.20.2-00"));
        assert!(!wanted.fits("1.20.20-00") && !wanted.fits("1.20.1-00"));
        assert!(Wanted::parse("socat").unwrap().fits("1"));
    }

    #[test]
    fn options_and_wildcards_are_no_packages() {
        for text in ["", "--reinstall", "kube*", "a b", "kubeadm=", "a=-x", "./x.deb"] {
            assert!(Wanted::parse(text).is_err(), "{text}");
        }
        Wanted::parse("libc6:amd64=2.36-9+deb12u4~x").unwrap();
    }
}
