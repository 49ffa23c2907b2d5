//! The playbooks, Rhai modules and manifests that ship inside psprun, as a list of files.
//!
//! `plugins/cni/flannel.rhai` is the module `cni/flannel`; `playbooks/kubeadm-psp.rhai` the playbook `kubeadm-psp`. Every
//! `.rhai` and `.yaml` file of the two folders is in; the list is made by `build.rs`.

/// Paths and contents, sorted by path.
pub static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The content of the file of this path.
pub fn read(path: &str) -> Option<&'static [u8]> {
    let index = FILES.binary_search_by(|(name, _)| (*name).cmp(path)).ok()?;
    Some(FILES[index].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_by_its_path() {
        assert!(!FILES.is_empty());
        for (path, content) in FILES {
            assert_eq!(read(path), Some(*content), "{path}");
        }
        assert_eq!(read("plugins/cni"), None);
    }

    #[test]
    fn only_scripts_and_manifests_are_in() {
        for (path, content) in FILES {
            assert!(
                path.starts_with("plugins/") || path.starts_with("playbooks/"),
                "{path}"
            );
            assert!(path.ends_with(".rhai") || path.ends_with(".yaml"), "{path}");
            assert!(std::str::from_utf8(content).is_ok(), "{path}");
        }
    }
}
