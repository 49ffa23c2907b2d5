//! apt and dpkg: Debian, Ubuntu and their kin.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use psprun_engine::StepError;

use super::manager::{Manager, Tools, failed, not_available};
use super::wanted::Wanted;
use crate::target::Finished;

/// How long another apt may hold its lock, in seconds; apt waits itself, one older than 1.9.11 is called again.
const LOCK_WAIT: u64 = 300;
const LOCK_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Apt<'t>(pub(super) &'t Tools<'t>);

#[async_trait]
impl Manager for Apt<'_> {
    fn name(&self) -> &'static str {
        "apt"
    }

    async fn installed(&self, names: &[&str]) -> Result<BTreeMap<String, String>, StepError> {
        let format = "-f=${binary:Package}\t${Package}\t${db:Status-Status}\t${Version}\n";
        let mut argv = vec!["dpkg-query", "-W", format, "--"];
        argv.extend(names);
        // Exit status 1 says that it does not know one of them.
        let finished = self.0.look(&argv).await?;
        Ok(installed(&finished.stdout, names))
    }

    async fn install(&self, wanted: &[&Wanted], before: &BTreeMap<String, String>) -> Result<(), StepError> {
        let names: Vec<&str> = wanted.iter().map(|package| package.name.as_str()).collect();
        let mut updated = false;
        let words = loop {
            match self.resolve(wanted, &names).await? {
                Ok(words) => break words,
                // It may be new since the lists were fetched last.
                Err(_) if !updated => self.update().await?,
                Err(error) => return Err(error),
            }
            updated = true;
        };
        let finished = self.try_install(&words, before).await?;
        if finished.code == 0 {
            return Ok(());
        }
        if is_stale(&finished) && !updated {
            self.update().await?;
            let words = self.resolve(wanted, &names).await??;
            let finished = self.try_install(&words, before).await?;
            return if finished.code == 0 {
                Ok(())
            } else {
                Err(install_failed(&finished))
            };
        }
        Err(install_failed(&finished))
    }

    async fn held(&self) -> Result<BTreeSet<String>, StepError> {
        let finished = self.0.look(&["apt-mark", "showhold"]).await?;
        Ok(finished
            .stdout
            .lines()
            .map(|line| line.trim().to_owned())
            .collect())
    }

    async fn hold(&self, names: &[&str]) -> Result<(), StepError> {
        let mut argv = vec!["apt-mark", "hold", "--"];
        argv.extend(names);
        let finished = self.0.act(&argv).await?;
        if finished.code == 0 {
            Ok(())
        } else {
            Err(failed(
                "psprun::packages::hold",
                "apt-mark does not hold the packages",
                &finished,
            ))
        }
    }
}

impl Apt<'_> {
    /// The words for `apt-get install`; the inner error tells of one that no list has.
    async fn resolve(
        &self,
        wanted: &[&Wanted],
        names: &[&str],
    ) -> Result<Result<Vec<String>, StepError>, StepError> {
        let mut argv = vec!["apt-cache", "madison", "--"];
        argv.extend(names);
        let versions = madison(&self.0.look(&argv).await?.stdout);
        let none = Vec::new();
        let mut words = Vec::new();
        for package in wanted {
            let bare = package.name.split(':').next().unwrap_or_default();
            let there = versions.get(bare).unwrap_or(&none);
            match (
                &package.version,
                there.iter().find(|version| package.fits(version)),
            ) {
                (Some(_), Some(version)) => words.push(format!("{}={version}", package.name)),
                (None, Some(_)) => words.push(package.name.clone()),
                (Some(_), None) => return Ok(Err(not_available(package, there, "apt-get update"))),
                (None, None) => {
                    // One that others provide has no version of its own.
                    let policy = self.0.look(&["apt-cache", "showpkg", "--", bare]).await?;
                    let (_, providers) = policy.stdout.split_once("Reverse Provides:").unwrap_or_default();
                    if providers.trim().is_empty() {
                        return Ok(Err(not_available(package, there, "apt-get update")));
                    }
                    words.push(package.name.clone());
                }
            }
        }
        Ok(Ok(words))
    }

    async fn update(&self) -> Result<(), StepError> {
        self.0.context.progress("fetching the lists of packages");
        let finished = self.patiently(&["apt-get", "update"]).await?;
        if finished.code == 0 {
            return Ok(());
        }
        Err(
            failed("psprun::packages::update", "apt-get update failed", &finished)
                .help("look at /etc/apt/sources.list and /etc/apt/sources.list.d, the network and the proxy")
                .heals(),
        )
    }

    async fn try_install(
        &self,
        words: &[String],
        before: &BTreeMap<String, String>,
    ) -> Result<Finished, StepError> {
        let mut argv = vec![
            "apt-get",
            "install",
            "-y",
            // A configuration file that somebody changed stays as it is.
            "-o",
            "Dpkg::Options::=--force-confdef",
            "-o",
            "Dpkg::Options::=--force-confold",
        ];
        let replaces = words.iter().any(|word| {
            let name = word.split('=').next().unwrap_or_default();
            word.contains('=') && before.contains_key(name)
        });
        if replaces {
            // A pin says what it means: also an older version, also of a package that is held.
            argv.extend(["--allow-downgrades", "--allow-change-held-packages"]);
        }
        argv.push("--");
        argv.extend(words.iter().map(String::as_str));
        self.patiently(&argv).await
    }

    /// Runs apt, waiting for another apt to end.
    async fn patiently(&self, argv: &[&str]) -> Result<Finished, StepError> {
        let wait = format!("DPkg::Lock::Timeout={LOCK_WAIT}");
        let mut whole = vec![argv[0], "-o", &wait];
        whole.extend(&argv[1..]);
        let started = tokio::time::Instant::now();
        loop {
            let finished = self.0.act(&whole).await?;
            if finished.code == 0 || !is_locked(&finished) || started.elapsed().as_secs() > LOCK_WAIT {
                return Ok(finished);
            }
            self.0.context.progress("waiting for another apt or dpkg to end");
            tokio::select! {
                () = tokio::time::sleep(LOCK_PAUSE) => {}
                () = self.0.context.cancelled() => return Ok(finished),
            }
        }
    }
}

/// Reads `dpkg-query`'s lines: name with architecture, name, status, version.
fn installed(stdout: &str, names: &[&str]) -> BTreeMap<String, String> {
    stdout
        .lines()
        .filter_map(|line| {
            let mut fields = line.split('\t');
            let (full, name) = (fields.next()?, fields.next()?);
            let (status, version) = (fields.next()?, fields.next()?);
            let asked = names.iter().find(|asked| **asked == full || **asked == name)?;
            (status == "installed").then(|| ((*asked).to_owned(), version.to_owned()))
        })
        .collect()
}

/// Reads `apt-cache madison`: `kubeadm | 1.20.2-00 | https://… Packages`, the newest first.
fn madison(stdout: &str) -> BTreeMap<String, Vec<String>> {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in stdout.lines() {
        let mut fields = line.split('|').map(str::trim);
        if let (Some(name), Some(version), Some(from)) = (fields.next(), fields.next(), fields.next())
            && !from.ends_with("Sources")
        {
            let known = versions.entry(name.to_owned()).or_default();
            if !known.iter().any(|other| other == version) {
                known.push(version.to_owned());
            }
        }
    }
    versions
}

fn is_locked(finished: &Finished) -> bool {
    finished.stderr.contains("Could not get lock") || finished.stderr.contains("is another process using it")
}

/// Whether the lists name files that the server no longer has.
fn is_stale(finished: &Finished) -> bool {
    finished.stderr.contains("404") || finished.stderr.contains("maybe run apt-get update")
}

fn install_failed(finished: &Finished) -> StepError {
    let error = failed("psprun::packages::install", "apt-get install failed", finished);
    let said = |words: &str| finished.stderr.contains(words) || finished.stdout.contains(words);
    if is_locked(finished) {
        error
            .help("another apt or dpkg runs for long: look with `ps ax | grep -E 'apt|dpkg'`")
            .heals()
    } else if said("dpkg was interrupted") {
        error.help("an earlier installation broke off: `dpkg --configure -a` ends it")
    } else if said("unmet dependencies") || said("held broken packages") {
        error.help(
            "look at what they depend on: `apt-get install -s …`; packages of one version belong together",
        )
    } else if said("Could not resolve") || said("Failed to fetch") || said("Unable to fetch") {
        error
            .help("look at the network, the proxy and the repository")
            .heals()
    } else if said("No space left") || said("enough free space") {
        error.help("free some space: `df -h /var /usr`, `apt-get clean`")
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_dpkg_says() {
        let text = "kubeadm\tkubeadm\tinstalled\t1.20.2-00\nlibc6:amd64\tlibc6\tinstalled\t2.36\nold\told\tconfig-files\t1\n";
        let found = installed(text, &["kubeadm", "libc6", "old"]);
        assert_eq!(found.len(), 2);
        assert_eq!(found["kubeadm"], "1.20.2-00");
        assert_eq!(installed(text, &["libc6:amd64"])["libc6:amd64"], "2.36");
    }

    #[test]
    fn reads_what_madison_says() {
        let text = "   kubeadm |  1.20.4-00 | https://x xenial/main amd64 Packages\n   kubeadm |  1.20.2-00 | https://x \
                    xenial/main amd64 Packages\n   kubeadm | 1.20.2-00 | https://x Sources\n";
        assert_eq!(madison(text)["kubeadm"], ["1.20.4-00", "1.20.2-00"]);
    }
}
