//! `psprun fork NAME DIR`.

use std::io;
use std::path::{Path, PathBuf};

use psprun_engine::Diagnostic;

use crate::cli::Surroundings;
use crate::exit::{Exit, Stop, reason};
use crate::report::Verbosity;
use crate::{bundled, suggest, terminal};

/// Copy a bundled playbook with its manifests and modules, to change it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  psprun fork kubeadm-psp my-cluster
  psprun my-cluster/kubeadm-psp.rhai --dry-run")]
pub struct Args {
    /// The bundled playbook (see psprun playbooks)
    name: String,

    /// The folder to make
    #[arg(value_hint = clap::ValueHint::DirPath)]
    dir: PathBuf,

    /// Write into a folder that is not empty, over files of the same names
    #[arg(long)]
    force: bool,
}

/// Copies.
///
/// # Errors
/// There is no such playbook, the folder is not empty, or it cannot be written.
pub fn run(args: &Args, surroundings: &Surroundings) -> Result<Exit, Stop> {
    let name = args.name.strip_suffix(".rhai").unwrap_or(&args.name);
    let Some(path) = bundled::playbook_path(name) else {
        return Err(suggest::among(
            "psprun::fork::unknown",
            "bundled playbook",
            name,
            &bundled::playbook_names(),
        )
        .into());
    };
    check_empty(&args.dir, args.force)?;
    let copies = copies(path, psprun_plugins::FILES);
    for (from, to) in &copies {
        let to = args.dir.join(to);
        write(&to, psprun_plugins::read(from).unwrap_or_default()).map_err(|error| {
            Diagnostic::new(
                "psprun::fork::unwritable",
                format!("cannot write `{}`: {}", to.display(), reason(&error)),
            )
        })?;
    }
    if surroundings.verbosity > Verbosity::Quiet {
        terminal::complain(&next_steps(name, &args.dir, &copies));
    }
    Ok(Exit::Done)
}

fn check_empty(dir: &Path, force: bool) -> Result<(), Diagnostic> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            let message = format!("cannot write into `{}`: {}", dir.display(), reason(&error));
            return Err(Diagnostic::new("psprun::fork::unwritable", message));
        }
    };
    if force || entries.count() == 0 {
        return Ok(());
    }
    Err(Diagnostic::new(
        "psprun::fork::not_empty",
        format!("the folder `{}` is not empty", dir.display()),
    )
    .help("name another folder, or say --force to write over files of the same names"))
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, content)
}

/// What to copy, and to where in the new folder: the playbook, the folders of manifests that it names, and the kinds of
/// modules that it imports. A fork's own `plugins/cni/flannel.rhai` goes before the bundled one.
fn copies<'f>(playbook: &'f str, files: &[(&'f str, &[u8])]) -> Vec<(&'f str, String)> {
    let script = files
        .iter()
        .find(|(path, _)| *path == playbook)
        .map(|(_, content)| String::from_utf8_lossy(content))
        .unwrap_or_default();
    let mut copies = vec![(playbook, playbook.trim_start_matches("playbooks/").to_owned())];
    let named = |path: &str| {
        path.split_once('/')
            .is_some_and(|(folder, _)| script.contains(&format!("{folder}/")))
    };
    for (path, _) in files {
        let to = path.trim_start_matches("playbooks/");
        if named(
            path.trim_start_matches("playbooks/")
                .trim_start_matches("plugins/"),
        ) {
            copies.push((path, to.to_owned()));
        }
    }
    copies
}

fn next_steps(name: &str, dir: &Path, copies: &[(&str, String)]) -> String {
    let dir = dir.display();
    let files: String = copies.iter().map(|(_, to)| format!("  {dir}/{to}\n")).collect();
    format!(
        "wrote\n{files}\n\
         next:\n  \
           psprun params {dir}/{name}.rhai          what can be set\n  \
           psprun {dir}/{name}.rhai --dry-run       its graph, touching nothing\n  \
           psprun {dir}/{name}.rhai                 run it\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_the_script_names() {
        let files: &[(&str, &[u8])] = &[
            (
                "playbooks/a.rhai",
                b"import `cni/${x}` as cni; apply(\"manifests/x.yaml\");",
            ),
            ("playbooks/b.rhai", b"let x = 1;"),
            ("playbooks/manifests/x.yaml", b""),
            ("plugins/cni/flannel.rhai", b""),
            ("plugins/cni/flannel.yaml", b""),
            ("plugins/ingress/nginx.rhai", b""),
        ];
        let to = |playbook| {
            copies(playbook, files)
                .into_iter()
                .map(|(_, to)| to)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            to("playbooks/a.rhai"),
            [
                "a.rhai",
                "manifests/x.yaml",
                "plugins/cni/flannel.rhai",
                "plugins/cni/flannel.yaml"
            ]
        );
        assert_eq!(to("playbooks/b.rhai"), ["b.rhai"]);
    }
}
