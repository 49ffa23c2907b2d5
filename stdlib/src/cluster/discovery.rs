//! What an API server offers: which kinds, by which names, in which scope, and its version.
//!
//! Group versions are asked for one by one and only when a name needs them: `pods` takes one request, an object with
//! its `apiVersion` one, and only a word that the core group does not know takes all of them, in parallel. The plain
//! `/api` and `/apis` documents are the same from Kubernetes 1.11 to today.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use futures::future::{self, BoxFuture, FutureExt};
use kube::Client;
use kube::core::discovery::ApiResource;
use psprun_engine::StepError;
use psprun_engine::diagnostic::did_you_mean;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::error::{explain, is_not_found};

/// A kind of object that a server offers, in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// Group, version, kind and plural.
    pub resource: ApiResource,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// What can be done with it: `get`, `list`, `watch`, `create`, `patch`, `delete`, …
    pub verbs: Vec<String>,
    /// `deploy` and the like.
    pub short_names: Vec<String>,
    /// `deployment`.
    pub singular: String,
    /// `status`, `scale`, `log`, …
    pub subresources: Vec<String>,
}

impl Kind {
    /// A kind with namespaces (or `Node`, `Namespace`) that every server has, without asking it.
    pub(crate) fn served(api_version: &str, kind: &str, plural: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self {
            resource: ApiResource {
                group: group.to_owned(),
                version: version.to_owned(),
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                plural: plural.to_owned(),
            },
            namespaced: !matches!(kind, "Node" | "Namespace"),
            verbs: ["get", "list", "watch"].map(str::to_owned).to_vec(),
            short_names: Vec::new(),
            singular: kind.to_lowercase(),
            subresources: Vec::new(),
        }
    }

    /// Whether the server offers this verb.
    pub fn can(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }

    /// The path of the collection in a namespace, or over all of them.
    pub fn path(&self, namespace: Option<&str>) -> String {
        let version = &self.resource.api_version;
        let root = if self.resource.group.is_empty() {
            "api"
        } else {
            "apis"
        };
        match namespace {
            Some(namespace) if self.namespaced => {
                format!(
                    "/{root}/{version}/namespaces/{namespace}/{}",
                    self.resource.plural
                )
            }
            _ => format!("/{root}/{version}/{}", self.resource.plural),
        }
    }

    /// Whether this is `kind` of `group` (in any version).
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.resource.group == group && self.resource.kind == kind
    }

    /// `pod`, `deployment.apps`: as kubectl names it before an object's name.
    pub fn full_name(&self) -> String {
        if self.resource.group.is_empty() {
            self.singular.clone()
        } else {
            format!("{}.{}", self.singular, self.resource.group)
        }
    }

    fn answers_to(&self, word: &str) -> bool {
        word == self.resource.plural
            || word == self.singular
            || word == self.resource.kind.to_lowercase()
            || self.short_names.iter().any(|short| short == word)
    }
}

/// What `/version` says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "RawVersion")]
pub struct ServerVersion {
    /// 1.
    pub major: u32,
    /// 20 for Kubernetes 1.20.
    pub minor: u32,
    /// `v1.20.2`.
    pub git_version: String,
}

impl ServerVersion {
    /// Whether the server is of this version or newer.
    pub fn at_least(&self, major: u32, minor: u32) -> bool {
        (self.major, self.minor) >= (major, minor)
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.git_version)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawVersion {
    #[serde(default)]
    major: String,
    #[serde(default)]
    minor: String,
    #[serde(default)]
    git_version: String,
}

impl From<RawVersion> for ServerVersion {
    fn from(raw: RawVersion) -> Self {
        // Providers write `20+`.
        let number = |text: &str| {
            let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().unwrap_or(0)
        };
        Self {
            major: number(&raw.major),
            minor: number(&raw.minor),
            git_version: raw.git_version,
        }
    }
}

/// What is known of one server; filled as it is needed.
#[derive(Default)]
pub struct Discovery {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Group versions (`v1`, `apps/v1`) that were asked for.
    lists: HashMap<String, Arc<[Kind]>>,
    /// All groups with their versions, the best first; the core group is the first of them.
    groups: Option<Vec<Group>>,
    /// Group versions that are announced but do not answer (an aggregated server that is down).
    broken: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
struct Group {
    name: String,
    /// `apps/v1`, `apps/v1beta2`, …
    versions: Vec<String>,
}

/// What a user wrote, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    /// In lower case.
    word: String,
    group: Option<String>,
    version: Option<String>,
}

impl Wanted {
    /// `pods`, `deployments.apps`, `deployments.v1.apps`, `v1/Pod`, `apps/v1/Deployment`, `apps/Deployment`.
    fn parse(text: &str) -> Self {
        let some = |text: &str| Some(text.to_owned());
        if let Some((before, word)) = text.rsplit_once('/') {
            let (group, version) = match before.split_once('/') {
                Some((group, version)) => (some(group), some(version)),
                None if looks_like_version(before) => (some(""), some(before)),
                None => (some(before), None),
            };
            return Self {
                word: word.to_lowercase(),
                group,
                version,
            };
        }
        let lower = text.to_lowercase();
        let Some((word, after)) = lower.split_once('.') else {
            return Self {
                word: lower,
                group: None,
                version: None,
            };
        };
        let (version, group) = match after.split_once('.') {
            Some((version, group)) if looks_like_version(version) => (some(version), group),
            _ if looks_like_version(after) => (some(after), ""),
            _ => (None, after),
        };
        Self {
            word: word.to_owned(),
            group: some(group),
            version,
        }
    }

    fn fits(&self, kind: &Kind) -> bool {
        kind.answers_to(&self.word)
            && self
                .version
                .as_ref()
                .is_none_or(|version| *version == kind.resource.version)
            && self
                .group
                .as_ref()
                .is_none_or(|group| group_fits(group, &kind.resource.group))
    }
}

/// kubectl also takes the beginning of a group: `ingresses.networking`.
fn group_fits(written: &str, group: &str) -> bool {
    written == group || (!written.is_empty() && group.starts_with(&format!("{written}.")))
}

/// `v1`, `v2beta1`.
fn looks_like_version(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next() == Some('v')
        && chars.next().is_some_and(|c| c.is_ascii_digit())
        && chars.all(|c| c.is_ascii_alphanumeric())
}

impl Discovery {
    /// The kind that a user means by `pods`, `po`, `Pod`, `deployments.apps`, `deployments.v1.apps` or
    /// `apps/v1/Deployment`. Without a group the core group wins, then the server's order of groups, with `extensions`
    /// last (old servers list it before `apps`, which has the same objects). What is not known is asked for anew once:
    /// a CRD may have come.
    ///
    /// # Errors
    /// The server knows no such kind, with the closest name that it knows; or it does not answer.
    pub async fn resolve(&self, client: &Client, text: &str) -> Result<Kind, StepError> {
        let wanted = Wanted::parse(text.trim());
        let mut known = self.known.lock().await;
        if let Some(kind) = known.resolve(client, &wanted).await? {
            return Ok(kind);
        }
        *known = Known::default();
        if let Some(kind) = known.resolve(client, &wanted).await? {
            return Ok(kind);
        }
        Err(known.unknown(text))
    }

    /// The kind of an object; `None` when the server has no such kind in this version. What is not known is asked for
    /// anew.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn kind_of(
        &self,
        client: &Client,
        api_version: &str,
        kind: &str,
    ) -> Result<Option<Kind>, StepError> {
        let mut known = self.known.lock().await;
        let find = |kinds: &[Kind]| kinds.iter().find(|k| k.resource.kind == kind).cloned();
        if let Some(found) = known.lists.get(api_version).and_then(|kinds| find(kinds)) {
            return Ok(Some(found));
        }
        Ok(known
            .load(client, api_version)
            .await?
            .and_then(|kinds| find(&kinds)))
    }

    /// All kinds in all versions: the core group first, each group's preferred version before its others.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn kinds(&self, client: &Client) -> Result<Vec<Kind>, StepError> {
        let mut known = self.known.lock().await;
        known.load_all(client).await?;
        Ok(known.all().cloned().collect())
    }

    /// Forgets everything: the next question goes to the server.
    pub async fn forget(&self) {
        *self.known.lock().await = Known::default();
    }
}

/// The server's version. It is asked each time (one small request): a cluster may be another one after a reset.
///
/// # Errors
/// The server does not answer.
pub async fn server_version(client: &Client) -> Result<ServerVersion, StepError> {
    get(client, "/version")
        .await
        .map_err(|error| explain("read the version of the API server", &error))
}

impl Known {
    async fn resolve(&mut self, client: &Client, wanted: &Wanted) -> Result<Option<Kind>, StepError> {
        // The whole group version is given, or it may be the core one.
        let first = match (&wanted.group, &wanted.version) {
            (Some(group), Some(version)) if group.is_empty() => Some(version.clone()),
            (Some(group), Some(version)) => Some(format!("{group}/{version}")),
            (None, _) => Some("v1".to_owned()),
            (Some(group), None) if group.is_empty() => Some("v1".to_owned()),
            _ => None,
        };
        if let Some(first) = first {
            let kinds = match self.lists.get(&first) {
                Some(kinds) => Some(kinds.clone()),
                None => self.load(client, &first).await?,
            };
            if let Some(kind) = kinds.and_then(|kinds| kinds.iter().find(|k| wanted.fits(k)).cloned()) {
                return Ok(Some(kind));
            }
        }
        self.load_all(client).await?;
        Ok(self.all().find(|kind| wanted.fits(kind)).cloned())
    }

    /// Asks for one group version; `None` when the server does not have it.
    async fn load(&mut self, client: &Client, api_version: &str) -> Result<Option<Arc<[Kind]>>, StepError> {
        match fetch(client, api_version).await {
            Ok(kinds) => {
                self.lists.insert(api_version.to_owned(), kinds.clone());
                Ok(Some(kinds))
            }
            Err(error) if is_not_found(&error) => {
                self.lists.remove(api_version);
                Ok(None)
            }
            Err(error) => Err(explain(&format!("list the kinds of {api_version}"), &error)),
        }
    }

    /// Asks for all group versions that are not known yet, in parallel.
    async fn load_all(&mut self, client: &Client) -> Result<(), StepError> {
        let groups = match self.groups.take() {
            Some(groups) => groups,
            None => fetch_groups(client)
                .await
                .map_err(|error| explain("list the API groups", &error))?,
        };
        let missing = groups
            .iter()
            .flat_map(|group| &group.versions)
            .filter(|version| !self.lists.contains_key(*version) && !self.broken.contains_key(*version));
        let fetches: Vec<BoxFuture<'_, _>> = missing
            .map(|version| {
                fetch(client, version)
                    .map(move |result| (version, result))
                    .boxed()
            })
            .collect();
        let fetched = future::join_all(fetches).await;
        for (version, result) in fetched {
            match result {
                Ok(kinds) => {
                    self.lists.insert(version.clone(), kinds);
                }
                Err(error) if version == "v1" => {
                    return Err(explain("list the kinds of v1", &error));
                }
                // One group that is down (an aggregated server) must not hide all others.
                Err(error) => {
                    self.broken.insert(version.clone(), error.to_string());
                }
            }
        }
        self.groups = Some(groups);
        Ok(())
    }

    /// All kinds that are known, in the order in which a name is looked for.
    fn all(&self) -> impl Iterator<Item = &Kind> {
        self.groups
            .iter()
            .flatten()
            .flat_map(|group| &group.versions)
            .filter_map(|version| self.lists.get(version))
            .flat_map(|kinds| kinds.iter())
    }

    fn unknown(&self, text: &str) -> StepError {
        let mut message = format!("the server knows no kind {text:?}");
        let wanted = Wanted::parse(text);
        let elsewhere: Vec<String> = self
            .all()
            .filter(|kind| kind.answers_to(&wanted.word))
            .map(|kind| format!("{}/{}", kind.resource.api_version, kind.resource.kind))
            .collect();
        let names: Vec<&str> = self
            .all()
            .flat_map(|kind| {
                [kind.resource.plural.as_str(), kind.singular.as_str()]
                    .into_iter()
                    .chain(
                        kind.short_names
                            .iter()
                            .map(String::as_str)
                            .filter(|short| short.len() > 2),
                    )
            })
            .collect();
        let help = if !elsewhere.is_empty() {
            format!("it has {}", elsewhere.join(", "))
        } else if let Some((before, after)) = text.split_once('/')
            && self.all().any(|kind| kind.answers_to(&before.to_lowercase()))
        {
            format!("an object's name is an option: {before:?}, #{{ name: {after:?} }}")
        } else if let Some(close) = did_you_mean(&wanted.word, names.iter().copied()) {
            format!("did you mean {close:?}?")
        } else {
            let mut plurals: Vec<&str> = self
                .all()
                .filter(|kind| kind.can("list"))
                .map(|kind| kind.resource.plural.as_str())
                .collect();
            plurals.sort_unstable();
            plurals.dedup();
            format!("it has {}", plurals.join(", "))
        };
        for (version, error) in &self.broken {
            message.push_str(&format!("\n{version} is announced but does not answer: {error}"));
        }
        StepError::new("psprun::cluster::unknown_kind", message).help(help)
    }
}

async fn get<T: serde::de::DeserializeOwned>(client: &Client, path: &str) -> Result<T, kube::Error> {
    let request = http::Request::get(path)
        .body(Vec::new())
        .map_err(kube::Error::HttpError)?;
    client.request(request).await
}

async fn fetch(client: &Client, api_version: &str) -> Result<Arc<[Kind]>, kube::Error> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        resources: Vec<Entry>,
    }
    let path = if api_version.contains('/') {
        format!("/apis/{api_version}")
    } else {
        format!("/api/{api_version}")
    };
    let list: List = get(client, &path).await?;
    Ok(kinds_of(api_version, list.resources).into())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: String,
    #[serde(default)]
    singular_name: String,
    #[serde(default)]
    namespaced: bool,
    kind: String,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    short_names: Vec<String>,
}

/// The kinds of a group version, with their subresources gathered.
fn kinds_of(api_version: &str, entries: Vec<Entry>) -> Vec<Kind> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let (subs, mains): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.name.contains('/'));
    let mut kinds: Vec<Kind> = mains
        .into_iter()
        .map(|entry| Kind {
            singular: if entry.singular_name.is_empty() {
                entry.kind.to_lowercase()
            } else {
                entry.singular_name
            },
            resource: ApiResource {
                group: group.to_owned(),
                version: version.to_owned(),
                api_version: api_version.to_owned(),
                kind: entry.kind,
                plural: entry.name,
            },
            namespaced: entry.namespaced,
            verbs: entry.verbs,
            short_names: entry.short_names,
            subresources: Vec::new(),
        })
        .collect();
    for sub in &subs {
        if let Some((main, name)) = sub.name.split_once('/')
            && let Some(kind) = kinds.iter_mut().find(|kind| kind.resource.plural == main)
        {
            kind.subresources.push(name.to_owned());
        }
    }
    kinds
}

async fn fetch_groups(client: &Client) -> Result<Vec<Group>, kube::Error> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        groups: Vec<Raw>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        name: String,
        #[serde(default)]
        versions: Vec<Version>,
        preferred_version: Option<Version>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        group_version: String,
    }
    // The core group has had one version ever since.
    let mut groups = vec![Group {
        name: String::new(),
        versions: vec!["v1".to_owned()],
    }];
    let list: List = get(client, "/apis").await?;
    groups.extend(list.groups.into_iter().map(|raw| {
        let preferred = raw.preferred_version.map(|version| version.group_version);
        let mut versions: Vec<String> = raw.versions.into_iter().map(|v| v.group_version).collect();
        versions.sort_by_key(|version| Some(version) != preferred.as_ref());
        Group {
            name: raw.name,
            versions,
        }
    }));
    groups.sort_by_key(|group| group.name == "extensions");
    Ok(groups)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn wanted(word: &str, group: Option<&str>, version: Option<&str>) -> Wanted {
        Wanted {
            word: word.to_owned(),
            group: group.map(str::to_owned),
            version: version.map(str::to_owned),
        }
    }

    #[test]
    fn what_users_write_is_taken_apart() {
        for (text, expected) in [
            ("pods", wanted("pods", None, None)),
            ("Pod", wanted("pod", None, None)),
            ("deployments.apps", wanted("deployments", Some("apps"), None)),
            (
                "deployments.v1.apps",
                wanted("deployments", Some("apps"), Some("v1")),
            ),
            ("pods.v1", wanted("pods", Some(""), Some("v1"))),
            ("v1/Pod", wanted("pod", Some(""), Some("v1"))),
            (
                "apps/v1/Deployment",
                wanted("deployment", Some("apps"), Some("v1")),
            ),
            ("apps/Deployment", wanted("deployment", Some("apps"), None)),
            (
                "networking.k8s.io/v1/Ingress",
                wanted("ingress", Some("networking.k8s.io"), Some("v1")),
            ),
            (
                "ippools.crd.projectcalico.org",
                wanted("ippools", Some("crd.projectcalico.org"), None),
            ),
        ] {
            assert_eq!(Wanted::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn subresources_are_no_kinds() {
        let entries: Vec<Entry> = serde_json::from_value(serde_json::json!([
            { "name": "deployments", "singularName": "", "namespaced": true, "kind": "Deployment",
              "verbs": ["get", "list"], "shortNames": ["deploy"] },
            { "name": "deployments/scale", "namespaced": true, "group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": ["get"] },
        ]))
        .unwrap();
        let kinds = kinds_of("apps/v1", entries);
        assert_eq!(kinds.len(), 1);
        assert_eq!(kinds[0].subresources, ["scale"]);
        assert_eq!(
            kinds[0].path(Some("demo")),
            "/apis/apps/v1/namespaces/demo/deployments"
        );
        assert_eq!(kinds[0].full_name(), "deployment.apps");
        for word in ["deployment", "deployments", "deploy"] {
            assert!(wanted(word, None, None).fits(&kinds[0]), "{word}");
        }
        assert!(!wanted("deploy", Some("extensions"), None).fits(&kinds[0]));
    }

    #[test]
    fn a_group_may_be_shortened() {
        assert!(group_fits("networking", "networking.k8s.io"));
        assert!(!group_fits("net", "networking.k8s.io"));
        assert!(!group_fits("", "apps"));
    }

    #[test]
    fn versions_of_providers_are_read() {
        let version: ServerVersion = serde_json::from_value(serde_json::json!({
            "major": "1", "minor": "20+", "gitVersion": "v1.20.15-eks-1"
        }))
        .unwrap();
        assert!(version.at_least(1, 16) && version.at_least(1, 20) && !version.at_least(1, 21));
    }
}
