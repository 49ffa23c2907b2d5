//! Lists the playbooks, modules and manifests to embed: a new file needs no line anywhere.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut files = Vec::new();
    collect(&here, "plugins", &mut files)?;
    collect(&here.join("../playbooks"), "playbooks", &mut files)?;
    files.sort();
    let lines: String = files
        .iter()
        .map(|(name, path)| format!("    ({name:?}, include_bytes!({path:?})),\n"))
        .collect();
    let list = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("files.rs");
    fs::write(list, format!("&[\n{lines}]\n"))
}

fn collect(folder: &Path, name: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    println!("cargo:rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&path, &name, files)?;
        } else if path.extension().is_some_and(|ext| ext == "rhai" || ext == "yaml") {
            files.push((name, path));
        }
    }
    Ok(())
}
