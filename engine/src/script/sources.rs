//! The files that a playbook may use: those in its own folder, and those of the library. No others.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::limits;
use super::planner::{Library, Playbook};
use crate::diagnostic::{Diagnostic, did_you_mean};

/// Finds and reads a playbook's modules and files.
pub(crate) struct Sources {
    /// The folder of the playbook on disk.
    folder: Option<PathBuf>,
    /// What the folder is called towards people: the playbook's own path without its file name.
    shown_folder: String,
    library: Option<Arc<dyn Library>>,
}

/// A module that was found.
pub(crate) struct Module {
    /// The name that is shown to people.
    pub(crate) name: Arc<str>,
    pub(crate) script: String,
}

/// What a path leads to: the name to put in its place, and the files by the name under which steps know them.
type Found = (String, Vec<(String, Vec<u8>)>);

/// Where a script's relative paths start: a folder on disk or in the library.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Base {
    Disk(PathBuf),
    Library(String),
}

const LIBRARY_PLUGINS: &str = "plugins";
const LIBRARY_PLAYBOOKS: &str = "playbooks";

impl Sources {
    pub(crate) fn new(playbook: &Playbook, library: Option<Arc<dyn Library>>) -> Self {
        let shown_folder = match Path::new(&*playbook.name).parent() {
            Some(parent) if !parent.as_os_str().is_empty() => format!("{}/", parent.display()),
            _ => String::new(),
        };
        Self {
            folder: playbook.folder.clone(),
            shown_folder,
            library,
        }
    }

    /// The module of this path, as `import "cni/flannel"` names it.
    pub(crate) fn module(&self, path: &str) -> Result<Module, Diagnostic> {
        let clean = self.inside(path)?;
        let file = format!("{clean}.rhai");
        let mut tried = Vec::new();
        if let Some(folder) = &self.folder {
            for base in ["", "plugins/"] {
                let on_disk = folder.join(base).join(&file);
                tried.push(format!("{}{base}{file}", self.shown_folder));
                if let Some(bytes) = self.read_disk(&on_disk)? {
                    return self.found(format!("{}{base}{file}", self.shown_folder), bytes);
                }
            }
        }
        if let Some(library) = &self.library {
            for base in [LIBRARY_PLUGINS, LIBRARY_PLAYBOOKS] {
                let name = format!("{base}/{file}");
                if let Some(bytes) = library.read(&name) {
                    return self.found(name, bytes);
                }
            }
        }
        let known = self.modules();
        let mut help = String::new();
        if let Some(meant) = did_you_mean(path, known.iter().map(String::as_str)) {
            help.push_str(&format!("did you mean `{meant}`? "));
        }
        if !known.is_empty() {
            help.push_str(&format!("modules: {}; ", known.join(", ")));
        }
        help.push_str(&format!(
            "looked for {} and among the modules that ship with the program",
            tried.join(", ")
        ));
        Err(Diagnostic::new("psprun::plan::no_module", format!("there is no module `{path}`")).help(help))
    }

    fn found(&self, name: String, bytes: Vec<u8>) -> Result<Module, Diagnostic> {
        let script = String::from_utf8(bytes).map_err(|_| {
            Diagnostic::new(
                "psprun::plan::not_text",
                format!("the module `{name}` is no UTF-8 text"),
            )
        })?;
        Ok(Module {
            name: name.into(),
            script,
        })
    }

    /// All modules that could be imported.
    fn modules(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        if let Some(library) = &self.library {
            names.extend(
                library.paths().iter().filter_map(|path| {
                    Some(path.strip_prefix("plugins/")?.strip_suffix(".rhai")?.to_owned())
                }),
            );
        }
        if let Some(folder) = &self.folder {
            let mut found = Vec::new();
            collect(&folder.join("plugins"), "", 3, &mut found);
            names.extend(
                found
                    .iter()
                    .filter_map(|path| Some(path.strip_suffix(".rhai")?.to_owned())),
            );
        }
        names.sort();
        names.dedup();
        names
    }

    /// Reads a file or all manifests of a folder, for a path that the script `from` names. The files come with the name
    /// under which steps know them; the first value is the name to put in the path's place.
    pub(crate) fn files(&self, from: &str, path: &str) -> Result<Found, Diagnostic> {
        let clean = self.inside(path)?;
        let mut tried = Vec::new();
        for base in self.bases(from) {
            match &base {
                Base::Disk(folder) => {
                    let on_disk = folder.join(&clean);
                    let name = self.relative_name(&on_disk);
                    tried.push(format!("{}{name}", self.shown_folder));
                    if on_disk.is_dir() {
                        self.check_inside(&on_disk)?;
                        let mut found = Vec::new();
                        collect(&on_disk, "", 8, &mut found);
                        let mut files = Vec::new();
                        for file in found.iter().filter(|file| is_manifest(file)) {
                            if let Some(bytes) = self.read_disk(&on_disk.join(file))? {
                                files.push((format!("{}/{file}", name.trim_end_matches('/')), bytes));
                            }
                        }
                        if files.is_empty() {
                            return Err(Diagnostic::new(
                                "psprun::plan::empty_folder",
                                format!("the folder `{path}` has no .yaml, .yml or .json file"),
                            ));
                        }
                        return Ok((name, files));
                    }
                    if let Some(bytes) = self.read_disk(&on_disk)? {
                        return Ok((name.clone(), vec![(name, bytes)]));
                    }
                }
                Base::Library(folder) => {
                    let Some(library) = &self.library else { continue };
                    let name = join(folder, &clean);
                    tried.push(name.clone());
                    if let Some(bytes) = library.read(&name) {
                        return Ok((name.clone(), vec![(name, bytes)]));
                    }
                    let prefix = format!("{name}/");
                    let files: Vec<_> = library
                        .paths()
                        .into_iter()
                        .filter(|path| path.starts_with(&prefix) && is_manifest(path))
                        .filter_map(|path| library.read(&path).map(|bytes| (path, bytes)))
                        .collect();
                    if !files.is_empty() {
                        return Ok((name, files));
                    }
                }
            }
        }
        let mut help = format!("looked for {}", tried.join(", "));
        let near = self.neighbours(from, &clean);
        if let Some(meant) = did_you_mean(&clean, near.iter().map(String::as_str)) {
            help = format!("did you mean `{meant}`? {help}");
        } else if !path.contains(['/', '.']) {
            help.push_str("; text to apply as it is has more than one line");
        }
        Err(Diagnostic::new(
            "psprun::plan::no_file",
            format!("the playbook has no file `{path}`"),
        )
        .help(help))
    }

    /// Files near the one that was asked for.
    fn neighbours(&self, from: &str, clean: &str) -> Vec<String> {
        let folder = clean.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut near = Vec::new();
        for base in self.bases(from) {
            match base {
                Base::Disk(path) => {
                    let mut found = Vec::new();
                    collect(&path.join(folder), "", 1, &mut found);
                    near.extend(found.into_iter().map(|file| join(folder, &file)));
                    let mut found = Vec::new();
                    collect(&path, "", 3, &mut found);
                    near.extend(found.into_iter().filter(|file| is_manifest(file)));
                }
                Base::Library(base) => {
                    if let Some(library) = &self.library {
                        let prefix = if base.is_empty() {
                            String::new()
                        } else {
                            format!("{base}/")
                        };
                        near.extend(
                            library
                                .paths()
                                .iter()
                                .filter_map(|path| Some(path.strip_prefix(&prefix)?.to_owned())),
                        );
                    }
                }
            }
        }
        near
    }

    /// Where the relative paths of a script start: its own folder, then the playbook's.
    fn bases(&self, from: &str) -> Vec<Base> {
        let mut bases = Vec::new();
        let in_library = |name: &str| {
            self.library
                .as_ref()
                .is_some_and(|library| library.read(name).is_some())
                && (name.starts_with("plugins/") || name.starts_with("playbooks/"))
        };
        let on_disk = self.folder.as_ref().and_then(|folder| {
            let relative = from.strip_prefix(&self.shown_folder)?;
            let path = folder.join(relative);
            path.is_file()
                .then(|| path.parent().map(Path::to_path_buf))
                .flatten()
        });
        if let Some(folder) = on_disk {
            bases.push(Base::Disk(folder));
        } else if in_library(from) {
            let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
            bases.push(Base::Library(folder.to_owned()));
        }
        let whole = match &self.folder {
            Some(folder) => Base::Disk(folder.clone()),
            None => Base::Library(LIBRARY_PLAYBOOKS.to_owned()),
        };
        if !bases.contains(&whole) {
            bases.push(whole);
        }
        bases
    }

    /// A path without `.` and `..`, or an error when it leaves the playbook.
    fn inside(&self, path: &str) -> Result<String, Diagnostic> {
        let mut parts: Vec<&str> = Vec::new();
        for part in Path::new(path).components() {
            match part {
                Component::Normal(name) => parts.extend(name.to_str()),
                Component::CurDir => {}
                Component::ParentDir if parts.pop().is_some() => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(outside(path));
                }
            }
        }
        if parts.is_empty() {
            return Err(outside(path));
        }
        Ok(parts.join("/"))
    }

    /// A symbolic link may lead out of the folder.
    fn check_inside(&self, path: &Path) -> Result<(), Diagnostic> {
        let Some(folder) = &self.folder else { return Ok(()) };
        match (path.canonicalize(), folder.canonicalize()) {
            (Ok(real), Ok(root)) if !real.starts_with(&root) => Err(outside(&path.display().to_string())),
            _ => Ok(()),
        }
    }

    fn read_disk(&self, path: &Path) -> Result<Option<Vec<u8>>, Diagnostic> {
        use std::io::Read;
        let unreadable = |error: std::io::Error| {
            Diagnostic::new(
                "psprun::plan::unreadable",
                format!("cannot read `{}`: {error}", path.display()),
            )
        };
        let meta = match std::fs::metadata(path) {
            Ok(meta) => meta,
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(unreadable(error)),
        };
        if !meta.is_file() {
            return Ok(None);
        }
        self.check_inside(path)?;
        if meta.len() > limits::FILE_SIZE {
            return Err(Diagnostic::new(
                "psprun::plan::file_too_large",
                format!(
                    "`{}` has {} MiB; a playbook's file may have {} MiB",
                    path.display(),
                    meta.len() >> 20,
                    limits::FILE_SIZE >> 20
                ),
            ));
        }
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(limits::FILE_SIZE).read_to_end(&mut bytes))
            .map_err(unreadable)?;
        Ok(Some(bytes))
    }

    fn relative_name(&self, on_disk: &Path) -> String {
        let relative = self
            .folder
            .as_ref()
            .and_then(|folder| on_disk.strip_prefix(folder).ok())
            .unwrap_or(on_disk);
        relative.display().to_string()
    }
}

fn outside(path: &str) -> Diagnostic {
    Diagnostic::new(
        "psprun::plan::outside",
        format!("`{path}` is outside the playbook's folder"),
    )
    .help("a playbook is self-contained: copy the file or module beside it and name it by a relative path")
}

fn join(folder: &str, file: &str) -> String {
    if folder.is_empty() {
        file.to_owned()
    } else {
        format!("{folder}/{file}")
    }
}

fn is_manifest(path: &str) -> bool {
    [".yaml", ".yml", ".json"]
        .iter()
        .any(|ending| path.ends_with(ending))
}

/// The files below a folder by relative path, sorted.
fn collect(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    for name in names {
        let Some(text) = name.to_str() else { continue };
        let path = folder.join(&name);
        if path.is_dir() {
            if depth > 1 && !text.starts_with('.') {
                collect(&path, &format!("{prefix}{text}/"), depth - 1, found);
            }
        } else {
            found.push(format!("{prefix}{text}"));
        }
    }
}
