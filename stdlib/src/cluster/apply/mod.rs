//! Applies objects: files, folders, text, values or downloads.

mod diff;
mod fetch;
mod item;
mod order;
mod prune;
mod request;
mod resolve;
mod rewrite;
mod same;
mod schema;
mod source;
mod three_way;
mod validate;
mod write;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use kube::core::params::GetParams;
use psprun_engine::builtin::show_short;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::item::{Item, Live};
use self::order::Rank;
use self::prune::Inventory;
use self::request::Api;
pub use self::validate::Validate;
use self::validate::Validator;
use self::write::{Writer, Written, resource_version};
use super::connection::{Clusters, Connection};
use super::discovery::ServerVersion;
use super::heal::Patience;
use super::requests::FIELD_MANAGER;
use crate::target::ClusterRef;

/// How many requests are under way at once.
const IN_FLIGHT: usize = 32;

/// How long a CRD has to become established, and its kind to be served.
const ESTABLISHED_WITHIN: Duration = Duration::from_secs(60);

/// `cluster.apply(what, #{ … })`.
pub struct Apply {
    clusters: Clusters,
    validator: Validator,
}

impl Apply {
    /// Applies to the clusters of a target.
    pub fn new(clusters: &Clusters) -> Self {
        Self {
            clusters: clusters.clone(),
            validator: Validator::default(),
        }
    }
}

/// Arguments of `apply`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ApplyArgs {
    /// The cluster.
    cluster: ClusterRef,
    /// What to apply: the name of a manifest or of a folder of manifests (relative to the playbook, or absolute on the
    /// host), the manifest's text (anything with a line break), an object as a map, the output of a `curl`, or a list of
    /// these. A manifest may have several documents, and Lists.
    #[schemars(extend("x-psprun-file" = true))]
    what: Value,
    /// The namespace of objects that need one and name none; without it the kubeconfig's, which is `default` as a rule.
    #[serde(default)]
    namespace: Option<String>,
    /// A name for the bundle. With it, what an earlier apply of the same name made and this one no longer has is deleted.
    /// The names of its objects are kept in the ConfigMap `psprun-NAME` of the namespace.
    #[serde(default)]
    prune: Option<String>,
    /// Takes over fields that belong to other managers, instead of failing.
    #[serde(default)]
    force: bool,
    /// Whether the server merges (server-side apply, field manager `psprun`) or psprun does, with kubectl's annotation
    /// of what was applied last. Without it: the server where it can, from Kubernetes 1.16 on.
    #[serde(default)]
    server_side: Option<bool>,
    /// What to do about fields that a kind does not have: `strict` (the default) fails before anything is written,
    /// `warn` tells and leaves them out, `ignore` sends them.
    #[serde(default)]
    validate: Validate,
}

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It was not there.
    Created,
    /// It was there and is different now.
    Changed,
    /// It is as it was.
    Unchanged,
    /// It was deleted, since the bundle no longer has it.
    Pruned,
}

/// An object that was applied or pruned.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// Its API version, e.g. `apps/v1`.
    api_version: String,
    /// Its kind, e.g. `Deployment`.
    kind: String,
    /// Its namespace, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    /// Its name.
    name: String,
    /// What became of it.
    action: Action,
    /// Its version on the server: it is another one after each change.
    #[serde(rename = "resource_version")]
    resource_version: String,
    /// The API version in which the manifest has it, when it was rewritten for this server.
    #[serde(rename = "written_as", skip_serializing_if = "Option::is_none")]
    written_as: Option<String>,
}

/// Output of `apply`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ApplyOutput {
    /// The objects in the order of the manifest, then those that were pruned.
    objects: Vec<Applied>,
    /// How many were created.
    created: usize,
    /// How many were changed.
    changed: usize,
    /// How many were as they should be.
    unchanged: usize,
    /// How many were deleted.
    pruned: usize,
}

#[async_trait]
impl Builtin for Apply {
    type Args = ApplyArgs;
    type Output = ApplyOutput;

    fn spec(&self) -> Spec {
        const EXAMPLES: &[Example] = &[
            Example {
                title: "A manifest of the playbook, into a namespace",
                script: "let demo = cluster.apply(\"apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: settings}\\ndata: {greeting: hello}\\n\", #{ namespace: \"default\" });\ncheck(\"it is there\", || demo.objects[0].name == \"settings\");",
                runs: Runs::OnCluster,
            },
            Example {
                title: "Objects as maps, of which those that are no longer listed are deleted",
                script: "let names = [\"a\", \"b\"];\nlet objects = names.map(|name| #{ apiVersion: \"v1\", kind: \"ConfigMap\", metadata: #{ name: name } });\ncluster.apply(objects, #{ namespace: \"default\", prune: \"settings\" });",
                runs: Runs::OnCluster,
            },
        ];
        Spec::new("apply", "Applies objects to the cluster")
            .on("cluster")
            .subject("what")
            .examples(EXAMPLES)
    }

    fn describe(&self, args: &Value) -> String {
        let mut text = format!("apply {}", describe_what(&args["what"]));
        if let Some(namespace) = args["namespace"].as_str() {
            text.push_str(&format!(" in {namespace}"));
        }
        if let Some(name) = args["prune"].as_str() {
            text.push_str(&format!(", prune {name}"));
        }
        if args["force"] == true {
            text.push_str(", take over fields");
        }
        text
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        if let Some(name) = args["prune"].as_str().filter(|name| !name.contains("${")) {
            prune::check_name(name)?;
        }
        match &args["what"] {
            Value::String(text) if text.contains('\n') && !text.contains("${") => {
                crate::manifest::Manifest::read("inline", text)?;
            }
            Value::Array(items) if items.is_empty() => return Err(empty("the list")),
            _ => {}
        }
        Ok(())
    }

    async fn run(&self, args: ApplyArgs, context: Context) -> Result<Outcome<ApplyOutput>, StepError> {
        let target = self.clusters.target();
        let host = target.host(None)?;
        let manifest = source::read(&args.what, &context, &*host).await?;
        for finding in &manifest.findings {
            context.warn(finding.to_string());
        }
        if manifest.documents.is_empty() {
            return Err(empty(&describe_what(&args.what)));
        }
        let mut items = Vec::with_capacity(manifest.documents.len());
        let mut errors = Vec::new();
        for document in manifest.documents {
            match Item::new(document) {
                Ok(item) => items.push(item),
                Err(error) => errors.push(error),
            }
        }
        if let Some(error) = all(errors) {
            return Err(error);
        }

        let connection = self.clusters.connect(&args.cluster).await?;
        let patience = Patience::new(&context, target);
        let version = patience.attempt(|| connection.server_version()).await?;
        let server_side = args.server_side.unwrap_or_else(|| version.at_least(1, 16));
        let bundle = Bundle {
            apply: self,
            args: &args,
            context: &context,
            connection: &connection,
            patience: &patience,
            version: &version,
            writer: Writer {
                api: Api {
                    client: &connection.client,
                    patience: &patience,
                },
                target: &**target,
                version: &version,
                server_side,
                force: args.force,
                validate: args.validate,
            },
        };
        bundle.apply(items).await
    }
}

fn empty(what: &str) -> StepError {
    StepError::new(
        "psprun::apply::empty",
        format!("there is nothing to apply: {what} has no objects"),
    )
    .help("is it the right file, or are all its lines comments?")
}

fn describe_what(what: &Value) -> String {
    match what {
        Value::String(text) if text.contains('\n') => match crate::manifest::Manifest::read("inline", text) {
            Ok(manifest) => objects(manifest.documents.iter().map(|document| &document.value)),
            Err(_) => "text".into(),
        },
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object) => {
            objects(items.iter())
        }
        Value::Object(map) if map.contains_key("kind") => objects(std::iter::once(what)),
        Value::Object(map) if map.contains_key("body") => "a download".into(),
        other => show_short(other),
    }
}

/// `Deployment web, Service web and 3 more`.
fn objects<'v>(values: impl Iterator<Item = &'v Value>) -> String {
    const SHOWN: usize = 3;
    let names: Vec<String> = values
        .map(|value| {
            let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
            format!("{} {}", text(&value["kind"]), text(&value["metadata"]["name"]))
        })
        .collect();
    let mut text = names
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

/// Several errors as one: the first with all that it has, the others as lines.
fn all(errors: Vec<StepError>) -> Option<StepError> {
    const SHOWN: usize = 10;
    let more = errors.len().saturating_sub(SHOWN);
    let heals = errors.iter().all(|error| error.heals);
    let mut errors = errors.into_iter();
    let mut first = errors.next()?;
    for error in errors.take(SHOWN - 1) {
        first.message.push_str("\nand ");
        if let Some(at) = &error.at {
            first.message.push_str(&format!("{at}: "));
        }
        first.message.push_str(&error.message);
        if let Some(help) = &error.help
            && first.help.as_ref() != Some(help)
        {
            first.message.push_str(&format!(" ({help})"));
        }
    }
    if more > 0 {
        first.message.push_str(&format!("\nand {more} more"));
    }
    first.heals = heals;
    Some(first)
}

/// One apply.
struct Bundle<'a> {
    apply: &'a Apply,
    args: &'a ApplyArgs,
    context: &'a Context,
    connection: &'a Connection,
    patience: &'a Patience,
    version: &'a ServerVersion,
    writer: Writer<'a>,
}

impl Bundle<'_> {
    async fn apply(&self, mut items: Vec<Item>) -> Result<Outcome<ApplyOutput>, StepError> {
        let told = resolve::resolve(self.connection, self.patience, self.version, &mut items).await?;
        self.tell(told);
        for item in &mut items {
            self.prepare(item);
        }
        let mut items = self.without_doubles(items);

        // All that can be found wrong is found before anything is written.
        self.missing_namespaces(&items).await?;
        fetch::fetch(self.writer.api, &mut items).await?;
        self.validate(&mut items).await?;

        let mut inventory = match &self.args.prune {
            Some(name) => {
                prune::check_name(name)?;
                let namespace = self.default_namespace();
                let server_side = self.writer.server_side;
                Some(Inventory::open(self.connection, self.writer.api, namespace, name, server_side).await?)
            }
            None => None,
        };
        // Its namespace may be one of the bundle.
        let mut announced = false;
        let mut written: HashMap<usize, Written> = HashMap::with_capacity(items.len());
        for rank in Rank::ALL {
            if rank > Rank::Namespaces
                && !announced
                && let Some(inventory) = &mut inventory
            {
                inventory.announce(&items).await?;
                announced = true;
            }
            if rank > Rank::Definitions && items.iter().any(|item| item.kind.is_none()) {
                self.learn_new_kinds(&mut items).await?;
            }
            self.write_rank(rank, &items, &mut written).await?;
            if rank == Rank::Definitions {
                self.wait_until_established(&items).await?;
            }
        }
        let pruned = match &mut inventory {
            Some(inventory) => {
                let (pruned, told) = inventory.prune(&items).await?;
                self.tell(told);
                pruned
            }
            None => Vec::new(),
        };
        Ok(outcome(items, written, pruned))
    }

    fn tell(&self, told: Vec<String>) {
        told.into_iter().for_each(|text| self.context.warn(text));
    }

    fn default_namespace(&self) -> &str {
        self.args
            .namespace
            .as_deref()
            .unwrap_or_else(|| self.connection.client.default_namespace())
    }

    /// Gives an object its namespace, and takes out what is the server's.
    fn prepare(&self, item: &mut Item) {
        let Some(namespaced) = item.kind.as_ref().map(|kind| kind.namespaced) else {
            return;
        };
        let given = item.namespace().map(str::to_owned);
        let show = item.show();
        if let Some(metadata) = item.object["metadata"].as_object_mut() {
            match given {
                None if namespaced => {
                    metadata.insert("namespace".into(), self.default_namespace().into());
                }
                Some(_) if !namespaced => {
                    metadata.remove("namespace");
                    self.context.warn(format!(
                        "{}: {show} names a namespace, which its kind does not have",
                        item.origin.show()
                    ));
                }
                _ => {}
            }
        }
        let told = item.clean();
        self.tell(told);
    }

    /// Of two objects of one name the last one counts, as it would when they are applied one after the other.
    fn without_doubles(&self, items: Vec<Item>) -> Vec<Item> {
        let mut last: HashMap<[String; 4], usize> = HashMap::new();
        let id = |item: &Item| {
            let namespace = item.namespace().unwrap_or_default();
            [item.group(), item.kind_name(), namespace, item.name()].map(str::to_owned)
        };
        for (index, item) in items.iter().enumerate() {
            if let Some(earlier) = last.insert(id(item), index) {
                let earlier = &items[earlier].origin;
                self.context.warn(format!(
                    "{} is in the bundle twice, at {} and {}: the last one counts",
                    item.show(),
                    earlier.show(),
                    item.origin.show()
                ));
            }
        }
        let keep: BTreeSet<usize> = last.into_values().collect();
        items
            .into_iter()
            .enumerate()
            .filter(|(index, _)| keep.contains(index))
            .map(|(_, item)| item)
            .collect()
    }

    /// Namespaces that neither the cluster nor the bundle has are found before half of the bundle is applied.
    async fn missing_namespaces(&self, items: &[Item]) -> Result<(), StepError> {
        let made: BTreeSet<&str> = items
            .iter()
            .filter(|item| item.rank == Rank::Namespaces)
            .map(Item::name)
            .collect();
        let mut wanted: BTreeSet<&str> = items.iter().filter_map(Item::namespace).collect();
        if self.args.prune.is_some() {
            wanted.insert(self.default_namespace());
        }
        wanted.retain(|name| !made.contains(name) && *name != "default" && *name != "kube-system");
        let mut asked = Vec::with_capacity(wanted.len());
        for name in &wanted {
            asked.push(self.is_missing(name, items));
        }
        let errors = futures::future::join_all(asked).await;
        match all(errors.into_iter().flatten().collect()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    async fn is_missing(&self, name: &str, items: &[Item]) -> Option<StepError> {
        let request = kube::core::Request::new("/api/v1/namespaces").get(name, &GetParams::default());
        let there = self
            .writer
            .api
            .find(&format!("read Namespace {name}"), request)
            .await;
        // Who may not look finds out when it writes.
        if !matches!(there, Ok(None)) {
            return there.err().filter(|error| error.heals);
        }
        let inside: Vec<&Item> = items
            .iter()
            .filter(|item| item.namespace() == Some(name))
            .collect();
        let who = match inside.as_slice() {
            [] => "the inventory".to_owned(),
            [one] => one.show(),
            [first, ..] => format!("{} and {} more", first.show(), inside.len() - 1),
        };
        let error = StepError::new(
            "psprun::cluster::no_namespace",
            format!("cannot apply {who}: there is no namespace `{name}`"),
        )
        .help(format!(
            "make it first with `cluster.namespace(\"{name}\")`, or put a Namespace into the same bundle"
        ));
        Some(match inside.first() {
            Some(item) => error.at(item.origin.place_of("metadata.namespace")),
            None => error,
        })
    }

    async fn validate(&self, items: &mut [Item]) -> Result<(), StepError> {
        let writer = &self.writer;
        // What the server has exactly so has no unknown fields.
        let fresh = items
            .iter_mut()
            .filter(|item| item.kind.is_some() && item.live != Live::NotAsked && !writer.is_applied(item));
        let told = self
            .apply
            .validator
            .check(
                &self.args.cluster,
                writer.api,
                self.version,
                self.args.validate,
                fresh,
            )
            .await?;
        self.tell(told);
        Ok(())
    }

    async fn write_rank(
        &self,
        rank: Rank,
        items: &[Item],
        written: &mut HashMap<usize, Written>,
    ) -> Result<(), StepError> {
        let members: Vec<usize> = (0..items.len())
            .filter(|index| items[*index].rank == rank)
            .collect();
        let total = items.len();
        let mut errors: Vec<(usize, StepError)> = Vec::new();
        let mut results = stream::iter(members)
            .map(|index| async move { (index, self.writer.write(&items[index]).await) })
            .buffer_unordered(IN_FLIGHT);
        while let Some((index, result)) = results.next().await {
            match result {
                Ok(done) => {
                    done.warnings
                        .iter()
                        .for_each(|warning| self.context.warn(format!("{}: {warning}", items[index].show())));
                    written.insert(index, done);
                    if total >= 50 && written.len().is_multiple_of(50) {
                        self.context
                            .progress(format!("applied {} of {total} objects", written.len()));
                    }
                }
                Err(error) => errors.push((index, error)),
            }
        }
        errors.sort_by_key(|(index, _)| *index);
        match all(errors.into_iter().map(|(_, error)| error).collect()) {
            Some(error) => Err(error.output(serde_json::json!({
                "applied": written.keys().map(|index| items[*index].show()).collect::<BTreeSet<_>>(),
            }))),
            None => Ok(()),
        }
    }

    async fn wait_until_established(&self, items: &[Item]) -> Result<(), StepError> {
        let target = self.apply.clusters.target();
        let begin = target.now();
        for item in items.iter().filter(|item| item.rank == Rank::Definitions) {
            let mut pause = Duration::from_millis(20);
            loop {
                let doing = format!("read {}", item.show());
                let object = self.writer.api.send(&doing, item.get()).await?.object;
                let conditions = object["status"]["conditions"]
                    .as_array()
                    .map_or(&[][..], Vec::as_slice);
                let is = |kind: &str, status: &str| {
                    conditions
                        .iter()
                        .find(|c| c["type"] == kind && c["status"] == status)
                };
                if is("Established", "True").is_some() {
                    break;
                }
                if let Some(refused) = is("NamesAccepted", "False") {
                    let why = refused["message"].as_str().unwrap_or_default();
                    return Err(StepError::new(
                        "psprun::apply::crd",
                        format!(
                            "{} is not established: its names are not accepted: {why}",
                            item.show()
                        ),
                    )
                    .at(item.origin.place_of("spec.names")));
                }
                if target.now().duration_since(begin).unwrap_or_default() > ESTABLISHED_WITHIN {
                    return Err(StepError::new(
                        "psprun::apply::crd",
                        format!(
                            "{} is not established after {} s",
                            item.show(),
                            ESTABLISHED_WITHIN.as_secs()
                        ),
                    )
                    .heals());
                }
                self.context
                    .progress(format!("waiting until {} is established", item.show()));
                target.sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
        Ok(())
    }

    /// The kinds that the bundle's own CRDs made: the server begins to serve them a moment after they are established.
    async fn learn_new_kinds(&self, items: &mut [Item]) -> Result<(), StepError> {
        let target = self.apply.clusters.target();
        let begin = target.now();
        for item in items.iter_mut().filter(|item| item.kind.is_none()) {
            let (api_version, kind) = (item.api_version().to_owned(), item.kind_name().to_owned());
            let mut pause = Duration::from_millis(20);
            item.kind = loop {
                let found = self
                    .patience
                    .attempt(|| self.connection.kind_of(&api_version, &kind))
                    .await?;
                if found.is_some() {
                    break found;
                }
                if target.now().duration_since(begin).unwrap_or_default() > ESTABLISHED_WITHIN {
                    return Err(StepError::new(
                        "psprun::apply::unknown_kind",
                        format!(
                            "cannot apply {}: the bundle's CRD does not make `{kind}` in `{api_version}`",
                            item.show()
                        ),
                    )
                    .help("compare the CRD's `versions` (one must be `served`) and `names.kind`")
                    .at(item.origin.place_of("apiVersion")));
                }
                target.sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            };
            self.prepare(item);
        }
        fetch::fetch(self.writer.api, items).await?;
        self.validate(items).await
    }
}

fn outcome(
    items: Vec<Item>,
    mut written: HashMap<usize, Written>,
    pruned: Vec<prune::Pruned>,
) -> Outcome<ApplyOutput> {
    let mut objects = Vec::with_capacity(items.len() + pruned.len());
    let mut details = String::new();
    for (index, item) in items.into_iter().enumerate() {
        let Some(done) = written.remove(&index) else {
            continue;
        };
        if let Some(diff) = &done.diff {
            details.push_str(diff);
        }
        objects.push(Applied {
            api_version: item.api_version().to_owned(),
            kind: item.kind_name().to_owned(),
            namespace: item.namespace().map(str::to_owned),
            name: item.name().to_owned(),
            action: done.action,
            resource_version: resource_version(&done.object).to_owned(),
            written_as: item.written_as,
        });
    }
    for gone in pruned {
        let place = gone
            .namespace
            .as_ref()
            .map(|namespace| format!("{namespace}/"))
            .unwrap_or_default();
        details.push_str(&format!("- {} {place}{}\n", gone.kind, gone.name));
        objects.push(Applied {
            api_version: gone.api_version,
            kind: gone.kind,
            namespace: gone.namespace,
            name: gone.name,
            action: Action::Pruned,
            resource_version: gone.resource_version,
            written_as: None,
        });
    }
    let count = |action: Action| objects.iter().filter(|object| object.action == action).count();
    let output = ApplyOutput {
        created: count(Action::Created),
        changed: count(Action::Changed),
        unchanged: count(Action::Unchanged),
        pruned: count(Action::Pruned),
        objects,
    };
    let counts = [
        (output.created, "created"),
        (output.changed, "changed"),
        (output.unchanged, "unchanged"),
        (output.pruned, "pruned"),
    ];
    let summary: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let changed = output.created + output.changed + output.pruned > 0;
    let outcome = Outcome::new(output, changed).summary(summary.join(", "));
    if details.is_empty() {
        outcome
    } else {
        outcome.details(details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_examples_plan() {
        let target = crate::target::live::LiveTarget::new();
        for example in Apply::new(&Clusters::new(&target)).spec().examples {
            crate::testing::plan(&format!("let cluster = kubeconfig();\n{}", example.script));
        }
        crate::testing::plan_examples("kubeconfig");
    }

    #[test]
    fn a_step_says_what_it_will_apply() {
        let say = |args: Value| {
            let target = crate::target::live::LiveTarget::new();
            Apply::new(&Clusters::new(&target)).describe(&args)
        };
        assert_eq!(
            say(json!({"what": ["manifests/a.yaml", "manifests/b.yaml"]})),
            "apply manifests/a.yaml manifests/b.yaml"
        );
        assert_eq!(
            say(json!({"what": "kind: A\nmetadata: {name: x}\n", "namespace": "demo", "prune": "p"})),
            "apply A x in demo, prune p"
        );
        let many: Value = (0..5)
            .map(|i| json!({"kind": "A", "metadata": {"name": format!("x{i}")}}))
            .collect();
        assert_eq!(
            say(json!({"what": many, "force": true})),
            "apply A x0, A x1, A x2 and 2 more, take over fields"
        );
        assert_eq!(say(json!({"what": "${download.body}"})), "apply ${download.body}");
    }

    #[test]
    fn several_errors_become_one() {
        let error = |n: u32| {
            StepError::new("x", format!("error {n}"))
                .at(format!("f:{n}"))
                .help("do it")
        };
        let one = all((1..=12).map(error).collect());
        let Some(one) = one else {
            return assert!(one.is_some());
        };
        assert!(
            one.message.starts_with("error 1\nand f:2: error 2\n"),
            "{}",
            one.message
        );
        assert!(one.message.ends_with("error 10\nand 2 more"), "{}", one.message);
        assert_eq!(one.at.as_deref(), Some("f:1"));
    }
}
