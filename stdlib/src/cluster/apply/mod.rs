//! Applies objects: files, folders, text, values or downloads.

mod bundle;
mod diff;
mod fetch;
mod item;
mod order;
mod outcome;
mod prune;
mod quantity;
mod request;
mod resolve;
mod rewrite;
mod same;
mod schema;
mod source;
mod three_way;
mod validate;
mod write;

use async_trait::async_trait;
use psprun_engine::builtin::show_short;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use self::bundle::Bundle;
use self::item::Item;
use self::outcome::{Action, ApplyOutput};
use self::request::Api;
use self::validate::{Validate, Validator};
use self::write::Writer;
use super::connection::Clusters;
use super::heal::Patience;
use super::requests::FIELD_MANAGER;
use crate::target::ClusterRef;

/// How many requests are under way at once.
const IN_FLIGHT: usize = 32;

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
