//! From the word on the command line to a playbook.

use std::path::Path;
use std::sync::Arc;

use psprun_engine::Diagnostic;
use psprun_engine::script::Playbook;

use crate::{bundled, suggest};

/// The playbook that is meant: a file, or a bundled playbook when there is no such file.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn open(word: &str) -> Result<Playbook, Diagnostic> {
    let path = Path::new(word);
    if path.is_dir() {
        return Err(folder(word));
    }
    if path.exists() {
        let mut playbook = Playbook::open(path)?;
        // `#!/usr/bin/env psprun` is a comment: no `///`, which would document something, but of the same length.
        for (mark, comment) in [("#!/", "// "), ("#!", "//")] {
            if playbook.script.starts_with(mark) {
                playbook.script.replace_range(..mark.len(), comment);
            }
        }
        return Ok(playbook);
    }
    match bundled::playbook_path(word) {
        Some(path) => Ok(from_library(path)),
        None => Err(suggest::unknown_word(word)),
    }
}

/// A bundled playbook, by its path in the library.
pub fn from_library(path: &'static str) -> Playbook {
    let script = psprun_plugins::read(path).unwrap_or_default();
    Playbook {
        name: Arc::from(path),
        script: String::from_utf8_lossy(script).into_owned(),
        folder: None,
    }
}

fn folder(word: &str) -> Diagnostic {
    let scripts: Vec<String> = std::fs::read_dir(word)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().display().to_string())
        .filter(|path| path.ends_with(".rhai"))
        .collect();
    let help = match scripts.as_slice() {
        [] => "name a playbook, a file that ends with .rhai".to_owned(),
        [one] => format!("did you mean `{one}`?"),
        many => {
            let mut many = many.to_vec();
            many.sort();
            format!("playbooks in it: {}", many.join(", "))
        }
    };
    Diagnostic::new(
        "psprun::playbook::folder",
        format!("`{word}` is a folder, not a playbook"),
    )
    .help(help)
}
