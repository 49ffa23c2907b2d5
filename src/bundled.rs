//! The playbooks and modules that are inside the program.

use psprun_engine::script::Library;

/// The files of `psprun-plugins` as the engine wants them.
pub struct Bundled;

impl Library for Bundled {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        psprun_plugins::read(path).map(<[u8]>::to_vec)
    }

    fn paths(&self) -> Vec<String> {
        psprun_plugins::FILES
            .iter()
            .map(|(path, _)| (*path).to_owned())
            .collect()
    }
}

/// The names of the bundled playbooks, sorted: `kubeadm-psp` is `playbooks/kubeadm-psp.rhai`.
pub fn playbook_names() -> Vec<&'static str> {
    psprun_plugins::FILES
        .iter()
        .filter_map(|(path, _)| playbook_name(path))
        .collect()
}

/// The path of a bundled playbook.
pub fn playbook_path(name: &str) -> Option<&'static str> {
    psprun_plugins::FILES
        .iter()
        .map(|(path, _)| *path)
        .find(|path| playbook_name(path) == Some(name))
}

fn playbook_name(path: &'static str) -> Option<&'static str> {
    let name = path.strip_prefix("playbooks/")?.strip_suffix(".rhai")?;
    (!name.contains('/')).then_some(name)
}

/// The first line of a script's comment at its top, without the slashes.
pub fn first_comment(script: &str) -> &str {
    script
        .lines()
        .map(str::trim)
        .take_while(|line| line.is_empty() || line.starts_with("//") || line.starts_with("#!"))
        .find_map(|line| {
            let text = line.strip_prefix("//")?.trim_start_matches(['/', '!', '-', ' ']);
            (!text.is_empty()).then_some(text)
        })
        .unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scripts_directly_in_playbooks_are_playbooks() {
        assert_eq!(playbook_name("playbooks/reset.rhai"), Some("reset"));
        assert_eq!(playbook_name("playbooks/parts/x.rhai"), None);
        assert_eq!(playbook_name("playbooks/manifests/x.yaml"), None);
        assert_eq!(playbook_name("plugins/cni/flannel.rhai"), None);
    }

    #[test]
    fn the_first_comment_says_what_a_playbook_is_for() {
        assert_eq!(first_comment("// Makes it.\n// More.\nlet x = 1;"), "Makes it.");
        assert_eq!(first_comment("\n//\n/// Makes it.\n"), "Makes it.");
        assert_eq!(first_comment("#!/usr/bin/env psprun\n// Makes it."), "Makes it.");
        assert_eq!(first_comment("let x = 1; // not this\n// nor this"), "");
    }
}
