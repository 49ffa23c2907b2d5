//! The playbook's files that its steps name, as they were when the plan was made.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Files by the name under which steps know them: the path relative to the playbook, or `plugins/…` for one that ships
/// with a module.
#[derive(Debug, Default, Clone)]
pub struct Files {
    files: BTreeMap<Arc<str>, File>,
}

/// A file's content.
#[derive(Debug, Clone)]
pub struct File {
    /// The content.
    pub bytes: Arc<[u8]>,
}

impl File {
    /// The content as text, if it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }
}

impl Files {
    /// The file of this name.
    pub fn get(&self, name: &str) -> Option<&File> {
        self.files.get(name)
    }

    /// The names of the files below a folder, in order.
    pub fn folder(&self, name: &str) -> Vec<&Arc<str>> {
        let prefix = format!("{}/", name.trim_end_matches('/'));
        self.files.keys().filter(|key| key.starts_with(&prefix)).collect()
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.files.keys()
    }

    /// Adds a file.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, bytes: impl Into<Arc<[u8]>>) {
        self.files.insert(name.into(), File { bytes: bytes.into() });
    }
}
