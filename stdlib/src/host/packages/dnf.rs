//! dnf, yum and rpm: Fedora, RHEL and their kin.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use psprun_engine::StepError;

use super::manager::{Manager, Tools, failed, not_available};
use super::wanted::Wanted;

pub(super) struct Dnf<'t> {
    pub(super) tools: &'t Tools<'t>,
    /// `dnf`, or `yum` where there is no dnf yet.
    pub(super) program: &'static str,
}

#[async_trait]
impl Manager for Dnf<'_> {
    fn name(&self) -> &'static str {
        "dnf"
    }

    async fn installed(&self, names: &[&str]) -> Result<BTreeMap<String, String>, StepError> {
        let mut argv = vec!["rpm", "-q", "--qf", "%{NAME}\t%{VERSION}-%{RELEASE}\n", "--"];
        argv.extend(names);
        // The exit status is the number of those that are not installed.
        Ok(installed(&self.tools.look(&argv).await?.stdout))
    }

    async fn install(&self, wanted: &[&Wanted], before: &BTreeMap<String, String>) -> Result<(), StepError> {
        // yum does not go back to an older version by itself.
        let (older, others): (Vec<&Wanted>, Vec<&Wanted>) = wanted
            .iter()
            .partition(|package| self.program == "yum" && before.contains_key(&package.name));
        for (verb, packages) in [("install", others), ("downgrade", older)] {
            if !packages.is_empty() {
                self.act(verb, &packages).await?;
            }
        }
        Ok(())
    }

    async fn held(&self) -> Result<BTreeSet<String>, StepError> {
        let finished = self
            .tools
            .look(&[self.program, "-q", "versionlock", "list"])
            .await?;
        Ok(locked(&finished.stdout))
    }

    async fn hold(&self, names: &[&str]) -> Result<(), StepError> {
        let mut argv = vec![self.program, "-y", "versionlock", "add"];
        argv.extend(names);
        let finished = self.tools.act(&argv).await?;
        if finished.code == 0 {
            return Ok(());
        }
        let error = failed(
            "psprun::packages::hold",
            "the versions of the packages cannot be kept",
            &finished,
        );
        Err(if finished.stderr.contains("No such command") {
            error.help(
                "install the plugin first: python3-dnf-plugin-versionlock (yum-plugin-versionlock for yum)",
            )
        } else {
            error
        })
    }
}

impl Dnf<'_> {
    async fn act(&self, verb: &str, packages: &[&Wanted]) -> Result<(), StepError> {
        let words: Vec<String> = packages
            .iter()
            .map(|package| match &package.version {
                Some(version) => format!("{}-{version}", package.name),
                None => package.name.clone(),
            })
            .collect();
        // Kubernetes' own instructions exclude its packages from everything but what names them.
        let mut argv = vec![self.program, verb, "-y", "--disableexcludes=all"];
        argv.extend(words.iter().map(String::as_str));
        let finished = self.tools.act(&argv).await?;
        if finished.code == 0 {
            return Ok(());
        }
        let said = |text: &str| finished.stderr.contains(text) || finished.stdout.contains(text);
        if said("Unable to find a match") || said("No match for argument") || said("No package ") {
            let missing = packages
                .iter()
                .zip(&words)
                .find(|(_, word)| said(&format!(": {word}")));
            let package = missing.map_or(packages[0], |(package, _)| package);
            let listed = self
                .tools
                .look(&[
                    self.program,
                    "-q",
                    "list",
                    "--showduplicates",
                    "--disableexcludes=all",
                    &package.name,
                ])
                .await?;
            return Err(not_available(
                package,
                &versions(&listed.stdout, &package.name),
                "dnf makecache",
            ));
        }
        let error = failed(
            "psprun::packages::install",
            &format!("{} {verb} failed", self.program),
            &finished,
        );
        Err(
            if said("Cannot download") || said("Could not resolve") || said("Failed to download") {
                error
                    .help("look at the network, the proxy and the repository")
                    .heals()
            } else if said("conflicting requests") || said("nothing provides") {
                error.help("look at what they depend on: `dnf repoquery --requires …`; packages of one version belong together")
            } else {
                error
            },
        )
    }
}

/// Reads rpm's lines; those that say that a package is not installed have no tab.
fn installed(stdout: &str) -> BTreeMap<String, String> {
    stdout
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .collect()
}

/// Names of `versionlock list`: `kubeadm-0:1.20.2-0.*`, or `Package name: kubeadm` since dnf5.
fn locked(stdout: &str) -> BTreeSet<String> {
    stdout
        .lines()
        .filter_map(|line| {
            let line = line.trim();
            if let Some(name) = line.strip_prefix("Package name:") {
                return Some(name.trim().to_owned());
            }
            let (before, _) = line.split_once(':')?;
            let (name, epoch) = before.rsplit_once('-')?;
            epoch
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| name.to_owned())
        })
        .collect()
}

/// Versions of `list --showduplicates`: `kubeadm.x86_64  1.20.2-0  kubernetes`.
fn versions(stdout: &str, name: &str) -> Vec<String> {
    let mut versions: Vec<String> = Vec::new();
    for line in stdout.lines() {
        let mut fields = line.split_ascii_whitespace();
        if let (Some(full), Some(version)) = (fields.next(), fields.next())
            && full.rsplit_once('.').is_some_and(|(bare, _)| bare == name)
            && !versions.iter().any(|known| known == version)
        {
            versions.push(version.to_owned());
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_tools_say() {
        assert_eq!(
            installed("kubeadm\t1.20.2-0\npackage x is not installed\n")["kubeadm"],
            "1.20.2-0"
        );
        let list = "kubeadm-0:1.20.2-0.*\nLast metadata expiration check: 0:01\nkubernetes-cni-0:0.8.7-0.*\n";
        assert_eq!(
            locked(list).into_iter().collect::<Vec<_>>(),
            ["kubeadm", "kubernetes-cni"]
        );
        assert!(
            locked("# Added by 'versionlock add'\nPackage name: kubelet\nevr = 1.20.2-0\n")
                .contains("kubelet")
        );
        let list = "Installed Packages\nkubeadm.x86_64  1.20.2-0  @kubernetes\nkubeadm.x86_64  1.20.4-0  kubernetes\n";
        assert_eq!(versions(list, "kubeadm"), ["1.20.2-0", "1.20.4-0"]);
    }
}
