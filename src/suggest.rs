//! "Did you mean": for words of the command line.

use std::path::Path;

use psprun_engine::Diagnostic;
use psprun_engine::diagnostic::did_you_mean;

/// Explains a word that is no file, no bundled playbook and no verb.
pub fn unknown_word(word: &str) -> Diagnostic {
    let verbs = crate::cli::verbs();
    let bundled = crate::bundled::playbook_names();
    let files = scripts_nearby(Path::new("."));
    let stem = Path::new(word)
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or(word);
    let is_path = word.contains('/') || word.ends_with(".rhai");
    let meant = if is_path {
        closest_file(word, &files).or_else(|| did_you_mean(stem, bundled.iter().copied()).map(str::to_owned))
    } else {
        did_you_mean(
            word,
            verbs.iter().map(String::as_str).chain(bundled.iter().copied()),
        )
        .map(str::to_owned)
        .or_else(|| closest_file(word, &files))
    };
    let message = if is_path {
        format!("no such file: `{word}`")
    } else {
        format!("`{word}` is no file, no bundled playbook and no verb")
    };
    let mut help = meant.map_or_else(String::new, |meant| format!("did you mean `{meant}`?\n"));
    if !files.is_empty() {
        help.push_str(&format!("playbooks here: {}\n", list(&files)));
    }
    if !bundled.is_empty() {
        help.push_str(&format!("bundled: {}\n", bundled.join(", ")));
    }
    help.push_str("`psprun --help` lists the verbs");
    Diagnostic::new("psprun::playbook::unknown", message).help(help)
}

/// Explains a word that is none of those that are known.
pub fn among(code: &'static str, what: &str, word: &str, known: &[&str]) -> Diagnostic {
    let mut help = did_you_mean(word, known.iter().copied())
        .map_or_else(String::new, |meant| format!("did you mean `{meant}`?\n"));
    help.push_str(&format!("there are: {}", known.join(", ")));
    Diagnostic::new(code, format!("there is no {what} `{word}`")).help(help)
}

fn list(files: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut text = files.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if files.len() > SHOWN {
        text.push_str(", …");
    }
    text
}

/// A file whose path or whose bare name is close to the word.
fn closest_file(word: &str, files: &[String]) -> Option<String> {
    let whole = did_you_mean(word, files.iter().map(String::as_str)).map(str::to_owned);
    whole.or_else(|| {
        let name = Path::new(word).file_stem()?.to_str()?;
        let stems: Vec<(&str, &String)> = files
            .iter()
            .filter_map(|file| Some((Path::new(file).file_stem()?.to_str()?, file)))
            .collect();
        let stem = did_you_mean(name, stems.iter().map(|(stem, _)| *stem))?;
        stems
            .iter()
            .find(|(other, _)| *other == stem)
            .map(|(_, file)| (*file).clone())
    })
}

/// The `.rhai` files here and in `playbooks/`, sorted.
fn scripts_nearby(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for (folder, prefix) in [(folder.to_owned(), ""), (folder.join("playbooks"), "playbooks/")] {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".rhai") {
                found.push(format!("{prefix}{name}"));
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_path_or_its_name() {
        let files = ["deploy.rhai".to_owned(), "playbooks/cluster.rhai".to_owned()];
        assert_eq!(
            closest_file("deplyo.rhai", &files).as_deref(),
            Some("deploy.rhai")
        );
        assert_eq!(
            closest_file("cluster", &files).as_deref(),
            Some("playbooks/cluster.rhai")
        );
        assert_eq!(closest_file("something", &files), None);
    }
}
