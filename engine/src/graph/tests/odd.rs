//! Plans of random shape with odd names: every format draws them, and what reads the format takes it.

use std::path::Path;
use std::process::Command;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::graph::sample::{Odd, odd};
use crate::graph::{FORMATS, Options, find};
use crate::plan::Plan;

/// Text that breaks what does not escape it.
fn text() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(vec![
        "\"",
        "'",
        "`",
        "\\",
        "\n",
        "\r\n",
        "\t",
        "\u{1b}[31m",
        "\0",
        "]]>",
        "--",
        "-->",
        "<b>",
        "</svg>",
        "&amp;",
        "&",
        "<!--",
        "%%",
        "%%{init: {}}%%",
        "%",
        "#",
        "#quot;",
        ";",
        "|",
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "end",
        "style x:#1;",
        "$$",
        "${a.b}",
        "fa:fa-x",
        "\\n",
        "\\l",
        "\\N",
        "1. ",
        "- ",
        "_a_",
        "**",
        "~~",
        "~",
        "=",
        "===",
        "http://x/y",
        "www.x.y",
        "a@b.c",
        "名前",
        "é",
        "🚀",
        "\u{202e}",
        "\u{200b}",
        "\u{feff}",
        "\u{fffe}",
        " ",
        "  ",
        "a",
        "word",
        "long_word_without_any_end_",
        "/a/b",
        "::",
        ":",
        "subgraph",
        "click",
        "graph",
        "digraph",
        "->",
        "---",
        "\u{85}",
        "\u{2028}",
    ]);
    prop_oneof![
        vec(nasty, 0..8).prop_map(|pieces| pieces.concat()),
        "[a-z]{1,8}",
        ".{0,12}"
    ]
}

fn plans() -> impl Strategy<Value = Odd> {
    let steps = vec((text(), text(), text(), text()), 0..60);
    steps.prop_flat_map(|steps| {
        let count = steps.len().max(1);
        let edges = vec((0..count, 0..count, option::of(text())), 0..count * 2);
        (Just(steps), edges, vec(option::of(text()), count), text()).prop_map(
            |(steps, edges, left_out, playbook)| Odd {
                steps,
                edges,
                left_out,
                playbook,
            },
        )
    })
}

fn draw(format: &str, plan: &Plan, options: &Options) -> String {
    (find(format).expect("the format is there").render)(plan, options)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_format_draws(shape in plans(), width in 0_usize..140, details: bool, color: bool, selected: bool) {
        let plan = odd(&shape);
        let selection = selected.then(|| shape.left_out.clone());
        let options = Options { width, color, details, selection };
        for format in FORMATS {
            let text = (format.render)(&plan, &options);
            prop_assert!(text.ends_with('\n'), "{}", format.name);
            prop_assert_eq!(&text, &(format.render)(&plan, &options), "{} differs", format.name);
            // A terminal, an editor or an XML reader is not steered by what a name says.
            let unseen = text.chars().find(|c| (c.is_control() && *c != '\n' && !(*c == '\u{1b}' && color)) || *c == '\u{202e}');
            prop_assert_eq!(unseen, None, "{}", format.name);
        }
        let svg = draw("svg", &plan, &options);
        let xml = roxmltree::Document::parse(&svg).map_err(|error| TestCaseError::fail(format!("{error}\n{svg}")))?;
        let drawn = xml.descendants().filter(|node| node.attribute("class").is_some_and(|class| class.starts_with("step"))).count();
        prop_assert_eq!(drawn, plan.len());

        let json: serde_json::Value = serde_json::from_str(&draw("json", &plan, &options)).expect("it is JSON");
        let names: Vec<&str> = plan.steps().map(|(_, step)| &*step.name).collect();
        let drawn: Vec<&str> = json["nodes"].as_array().expect("a list").iter().filter_map(|node| node["name"].as_str()).collect();
        prop_assert_eq!(drawn, names);
        prop_assert_eq!(json["edges"].as_array().expect("a list").len(), plan.graph.edge_count());
    }

    #[test]
    fn tree_fits_its_width(shape in plans(), width in 20_usize..140, details: bool) {
        let plan = odd(&shape);
        let text = draw("tree", &plan, &Options { width, details, ..Options::default() });
        for line in text.lines() {
            prop_assert!(crate::graph::text::width(line) <= width, "{} columns: {line:?}", width);
        }
    }
}

#[test]
#[ignore = "needs graphviz: tests/run"]
fn graphviz_takes_dot() {
    let folder = written("dot", "dot");
    for file in files(folder.path()) {
        let told = Command::new("dot")
            .args(["-Tsvg", "-o/dev/null"])
            .arg(&file)
            .output()
            .expect("graphviz is installed");
        let complaints = String::from_utf8_lossy(&told.stderr).into_owned();
        // It complains of sizes when a font has no glyph for a letter; a syntax error ends it with a status.
        assert!(
            told.status.success(),
            "{complaints}\n{}",
            std::fs::read_to_string(&file).expect("it was written")
        );
    }
}

#[test]
#[ignore = "needs node and tests/graph/setup: tests/run"]
fn mermaid_takes_mermaid() {
    let folder = written("mermaid", "mmd");
    let parser = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/graph/parse");
    let told = Command::new(parser)
        .args(files(folder.path()))
        .output()
        .expect("node is installed");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}

/// The sample and some odd plans, always the same, as files.
fn written(format: &str, extension: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder for files");
    let mut runner = TestRunner::deterministic();
    let mut drawn = vec![draw(format, &crate::graph::sample::sample(), &Options::default())];
    for index in 0..40 {
        let shape = plans().new_tree(&mut runner).expect("a plan").current();
        let selection = (index % 2 == 0).then(|| shape.left_out.clone());
        drawn.push(draw(
            format,
            &odd(&shape),
            &Options {
                details: index % 3 == 0,
                selection,
                ..Options::default()
            },
        ));
    }
    for (index, text) in drawn.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{index:02}.{extension}")), text)
            .expect("it can be written");
    }
    folder
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    files
}
