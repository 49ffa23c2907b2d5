//! What is to be applied: files, folders, text, values, a download's body.

use std::path::Path;
use std::sync::Arc;

use psprun_engine::plan::Files;
use psprun_engine::{Context, StepError};
use serde_json::Value;

use crate::manifest::Manifest;
use crate::target::{FileKind, Host};

/// Which files of a folder are manifests.
const ENDINGS: [&str; 3] = [".yaml", ".yml", ".json"];

/// Reads what a playbook gave: a name of a file or folder, text, a map, a download, or a list of these.
///
/// # Errors
/// There is no such file, it is no manifest, or the value is of another kind.
pub(super) async fn read(what: &Value, context: &Context, host: &dyn Host) -> Result<Manifest, StepError> {
    let mut manifest = Manifest::default();
    let mut loose = Vec::new();
    let items = match what {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    for item in items {
        match item {
            Value::String(text) if text.contains('\n') => {
                manifest.append(parse("inline", text.as_bytes().into()).await?)
            }
            Value::String(name) if name.starts_with('/') => manifest.append(from_host(name, host).await?),
            Value::String(name) => manifest.append(from_playbook(name, context.files()).await?),
            Value::Object(map) if !map.contains_key("kind") => {
                manifest.append(from_download(item, host).await?);
            }
            Value::Object(_) => loose.push(item.clone()),
            Value::Array(inner) if inner.iter().all(|value| value.is_object()) => {
                loose.extend(inner.iter().cloned())
            }
            other => {
                return Err(StepError::new(
                    "psprun::apply::what",
                    format!(
                        "cannot apply {}: it is no file name, text, map or download",
                        short(other)
                    ),
                ));
            }
        }
    }
    if !loose.is_empty() {
        let name = if manifest.documents.is_empty() {
            "the playbook's value"
        } else {
            "the playbook's values"
        };
        manifest.append(Manifest::from_values(name, loose));
    }
    Ok(manifest)
}

/// A large manifest takes milliseconds, which a thread that serves others must not.
async fn parse(name: &str, bytes: Arc<[u8]>) -> Result<Manifest, StepError> {
    let name = name.to_owned();
    let read = tokio::task::spawn_blocking(move || Manifest::read_bytes(&name, &bytes)).await;
    match read {
        Ok(read) => Ok(read?),
        Err(error) => Err(StepError::new(
            "psprun::manifest::unreadable",
            format!("the manifest cannot be read: {error}"),
        )),
    }
}

async fn from_playbook(name: &str, files: &Files) -> Result<Manifest, StepError> {
    if let Some(file) = files.get(name) {
        return parse(name, file.bytes.clone()).await;
    }
    let inside = files.folder(name);
    if inside.is_empty() {
        return Err(StepError::new(
            "psprun::apply::no_file",
            format!("there is no file or folder `{name}`"),
        )
        .help("give a path relative to the playbook, an absolute path, or the text itself"));
    }
    let mut manifest = Manifest::default();
    let mut any = false;
    for path in inside {
        if ENDINGS.iter().any(|ending| path.ends_with(ending))
            && let Some(file) = files.get(path)
        {
            manifest.append(parse(path, file.bytes.clone()).await?);
            any = true;
        }
    }
    if any {
        Ok(manifest)
    } else {
        Err(no_manifests(name))
    }
}

async fn from_host(name: &str, host: &dyn Host) -> Result<Manifest, StepError> {
    let path = Path::new(name);
    let is_folder = host
        .stat(path)
        .await?
        .is_some_and(|stat| stat.kind == FileKind::Folder);
    if !is_folder {
        let Some(bytes) = host.read(path).await? else {
            return Err(StepError::new(
                "psprun::apply::no_file",
                format!("there is no file `{name}`"),
            ));
        };
        return parse(name, bytes.into()).await;
    }
    let mut manifest = Manifest::default();
    let mut any = false;
    for entry in host.list(path).await? {
        if ENDINGS.iter().any(|ending| entry.ends_with(ending)) {
            let path = path.join(&entry);
            let bytes = host.read(&path).await?.unwrap_or_default();
            manifest.append(parse(&path.display().to_string(), bytes.into()).await?);
            any = true;
        }
    }
    if any {
        Ok(manifest)
    } else {
        Err(no_manifests(name))
    }
}

fn no_manifests(folder: &str) -> StepError {
    StepError::new(
        "psprun::apply::no_file",
        format!("the folder `{folder}` has no file that ends with .yaml, .yml or .json"),
    )
}

/// The output of `curl`: its body, or the file to which it was written.
async fn from_download(output: &Value, host: &dyn Host) -> Result<Manifest, StepError> {
    let url = output["url"].as_str();
    if let Some(body) = output["body"].as_str().filter(|body| !body.trim().is_empty()) {
        return parse(url.unwrap_or("the download"), body.as_bytes().into()).await;
    }
    if let Some(path) = output["path"].as_str().or(output["file"].as_str()) {
        return from_host(path, host).await;
    }
    let keys: Vec<&str> = output
        .as_object()
        .into_iter()
        .flat_map(|map| map.keys())
        .map(String::as_str)
        .collect();
    Err(StepError::new(
        "psprun::apply::what",
        format!(
            "cannot apply a map without `kind`: it has {}",
            if keys.is_empty() {
                "no keys".to_owned()
            } else {
                keys.join(", ")
            }
        ),
    )
    .help("an object has `apiVersion`, `kind` and `metadata`; a download has a `body`"))
}

fn short(value: &Value) -> String {
    psprun_engine::builtin::show_short(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use serde_json::json;

    fn files() -> Files {
        let mut files = Files::default();
        files.insert("m/b.yaml", b"kind: B\n".to_vec());
        files.insert("m/a.yml", b"kind: A\n".to_vec());
        files.insert("m/README.md", b"# no manifest".to_vec());
        files.insert("one.json", br#"{"kind": "One"}"#.to_vec());
        files
    }

    fn kinds(manifest: &Manifest) -> Vec<&str> {
        manifest
            .documents
            .iter()
            .map(|document| document.value["kind"].as_str().unwrap())
            .collect()
    }

    #[tokio::test]
    async fn reads_files_and_folders_of_the_playbook() {
        assert_eq!(kinds(&from_playbook("m", &files()).await.unwrap()), ["A", "B"]);
        assert_eq!(
            kinds(&from_playbook("one.json", &files()).await.unwrap()),
            ["One"]
        );
        let error = from_playbook("nope.yaml", &files()).await.unwrap_err();
        assert_eq!(error.message, "there is no file or folder `nope.yaml`");
    }

    #[tokio::test]
    async fn reads_text_values_and_downloads() {
        let (context, _) = Context::detached(files());
        let host = NoHost;
        let what = json!([
            "kind: X\n---\nkind: W\n",
            "one.json",
            { "kind": "List", "items": [{ "kind": "Z" }] },
            { "status": 200, "url": "http://x/y.yaml", "body": "kind: D" },
        ]);
        let manifest = read(&what, &context, &host).await.unwrap();
        assert_eq!(kinds(&manifest), ["X", "W", "One", "D", "Z"]);
        assert_eq!(manifest.documents[3].origin.show(), "http://x/y.yaml:1");
        let error = read(&json!({"a": 1}), &context, &host).await.unwrap_err();
        assert_eq!(error.message, "cannot apply a map without `kind`: it has a");
        assert!(
            read(&json!(3), &context, &host)
                .await
                .unwrap_err()
                .message
                .contains("cannot apply 3")
        );
    }

    /// No host is asked.
    struct NoHost;

    #[async_trait::async_trait]
    impl Host for NoHost {
        async fn run(
            &self,
            _: crate::target::Command,
            _: crate::target::LineSink,
            _: crate::target::Cancel,
        ) -> Result<crate::target::Finished, StepError> {
            unreachable!()
        }
        async fn read(&self, _: &Path) -> Result<Option<Vec<u8>>, StepError> {
            unreachable!()
        }
        async fn write(&self, _: &Path, _: &[u8], _: &crate::target::WriteOptions) -> Result<(), StepError> {
            unreachable!()
        }
        async fn stat(&self, _: &Path) -> Result<Option<crate::target::FileStat>, StepError> {
            unreachable!()
        }
        async fn list(&self, _: &Path) -> Result<Vec<String>, StepError> {
            unreachable!()
        }
        async fn remove(&self, _: &Path) -> Result<bool, StepError> {
            unreachable!()
        }
        async fn set_attributes(&self, _: &Path, _: &crate::target::WriteOptions) -> Result<(), StepError> {
            unreachable!()
        }
        async fn user(&self) -> Result<crate::target::User, StepError> {
            unreachable!()
        }
        async fn port_taken(&self, _: u16) -> bool {
            unreachable!()
        }
    }
}
