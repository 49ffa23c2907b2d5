#![expect(clippy::unwrap_used, reason = "tests")]

use async_trait::async_trait;
use psprun_engine::builtin::{Example, Receiver, Runs};
use psprun_engine::{Builtin, Context, Function, Outcome, Registry, Spec, StepError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{json, markdown, pages, text};
use crate::terminal::{Colour, Terminal};

struct Sample;

/// The arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct SampleArgs {
    /// The cluster to act on.
    cluster: Reference,
    /// How to write it.
    #[serde(default)]
    format: Option<Format>,
    /// What to apply: a file,
    /// or a list of files.
    ///
    /// Folders are taken with all that is in them.
    what: OneOrMany,
    /// How often to try.
    #[serde(default = "three")]
    attempts: u32,
    /// Labels to set.
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
    /// Where to go on, and how.
    #[serde(default)]
    next: Option<Next>,
}

fn three() -> u32 {
    3
}

#[derive(Debug, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Reference {
    path: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is looked at")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// A way to write.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

/// What follows.
#[derive(Debug, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Next {
    /// The step.
    step: String,
    /// What follows that.
    #[serde(default)]
    next: Option<Box<Next>>,
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
struct SampleOutput {
    /// The objects.
    objects: Vec<Object>,
    /// Milliseconds.
    took_ms: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Object {
    /// Its name.
    name: String,
    /// Whether it was changed.
    changed: bool,
}

#[async_trait]
impl Builtin for Sample {
    type Args = SampleArgs;
    type Output = SampleOutput;

    fn spec(&self) -> Spec {
        Spec::new("sample", "Applies samples to the cluster")
            .aliases(&["smp"])
            .on("cluster")
            .subject("what")
            .examples(&[Example {
                title: "a folder",
                script: "cluster.sample(\"manifests\");\n",
                runs: Runs::OnCluster,
            }])
    }

    async fn run(&self, _: SampleArgs, _: Context) -> Result<Outcome<SampleOutput>, StepError> {
        Err(StepError::new("psprun::sample", "never runs"))
    }
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add(Sample).add_function(Function {
        name: "manifest::parse",
        summary: "Reads YAML",
        params: &["text", "options?"],
        call: |_| Err("never called".to_owned()),
        example: "manifest::parse(\"a: 1\")",
        gives: "[{\"a\": 1}]",
    });
    registry
}

fn terminal(width: usize) -> Terminal {
    Terminal {
        stdout_width: Some(width),
        ..Terminal::detect(Colour::Never)
    }
}

fn wanted(name: Option<&str>) -> super::Pages {
    let mut pages = pages(&registry(), name).ok().unwrap();
    // The engine's own builtins have tests where they are.
    pages.builtins.retain(|page| page.name == "sample");
    pages.functions.retain(|page| page.name == "manifest::parse");
    pages
}

#[test]
fn a_page_for_people() {
    insta::assert_snapshot!(text::draw(&wanted(Some("sample")), true, &terminal(90)));
}

#[test]
fn a_page_by_its_alias_and_on_forty_columns() {
    insta::assert_snapshot!(text::draw(&wanted(Some("smp")), true, &terminal(40)));
}

#[test]
fn a_page_of_a_function() {
    insta::assert_snapshot!(text::draw(&wanted(Some("manifest::parse")), true, &terminal(90)));
}

#[test]
fn the_list() {
    insta::assert_snapshot!(text::draw(&wanted(None), false, &terminal(90)));
}

#[test]
fn the_chapter_of_the_book() {
    insta::assert_snapshot!(markdown::draw(&wanted(None), false));
}

#[test]
fn for_programs() {
    let parsed: serde_json::Value = serde_json::from_str(&json::draw(&wanted(None))).unwrap();
    assert_eq!(parsed["builtins"][0]["arguments"][0]["name"], "what");
    assert_eq!(
        parsed["builtins"][0]["arguments"][0]["type"],
        "string or list of string"
    );
    assert_eq!(parsed["functions"][0]["call"], "manifest::parse(text, options?)");
}

#[test]
fn an_unknown_name_is_guessed() {
    let Err(crate::exit::Stop::Wrong(diagnostics, _)) = pages(&registry(), Some("sampel")) else {
        unreachable!()
    };
    assert!(
        diagnostics[0]
            .help
            .as_ref()
            .unwrap()
            .contains("did you mean `sample`?"),
        "{}",
        diagnostics[0]
    );
    assert!(matches!(Sample.spec().receiver, Receiver::Required("cluster")));
}
