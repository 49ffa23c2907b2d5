//! What all formats must hold.

use super::sample::{layered, sample};
use super::{FORMATS, Options, find};

fn draw(format: &str, options: &Options) -> String {
    (find(format).expect("the format is there").render)(&sample(), options)
}

#[test]
fn tree() {
    insta::assert_snapshot!(draw("tree", &Options::default()));
}

#[test]
fn tree_of_forty_columns() {
    insta::assert_snapshot!(draw(
        "tree",
        &Options {
            width: 40,
            ..Options::default()
        }
    ));
}

#[test]
fn tree_with_details_and_a_selection() {
    let plan = sample();
    let selection = crate::plan::Selection {
        targets: vec!["nodes".to_owned()],
        skip: vec!["tag:network".to_owned()],
        from: None,
    };
    let options = Options {
        details: true,
        selection: Some(selection.apply(&plan).expect("the words are there")),
        ..Options::default()
    };
    insta::assert_snapshot!((find("tree").expect("it is there").render)(&plan, &options));
}

#[test]
fn dot() {
    insta::assert_snapshot!(draw("dot", &Options::default()));
}

#[test]
fn mermaid() {
    insta::assert_snapshot!(draw("mermaid", &Options::default()));
}

#[test]
fn json() {
    insta::assert_snapshot!(draw("json", &Options::default()));
}

#[test]
fn an_unknown_format_is_guessed() {
    let error = find("tre").expect_err("there is none");
    assert_eq!(
        error.message,
        "there is no graph format `tre`; did you mean `tree`?"
    );
    assert!(error.help.is_some_and(|help| help.starts_with("formats: tree, ")));
}

#[test]
fn a_plan_without_steps_is_drawn() {
    let plan = super::sample::Builder::new("empty.rhai").build();
    assert_eq!(
        (find("tree").expect("it is there").render)(&plan, &Options::default()),
        "empty.rhai · 0 steps\n"
    );
}

/// Nothing may be quadratic.
#[test]
fn ten_thousand_steps_are_drawn_fast() {
    let plan = layered(10_000);
    for format in FORMATS.iter().filter(|format| format.name != "svg") {
        let start = std::time::Instant::now();
        let text = (format.render)(&plan, &Options::default());
        let taken = start.elapsed();
        // A build without optimisation on a busy machine gets much more than the 100 ms of the release.
        assert!(
            taken.as_secs() < 5,
            "{}: {taken:?} for {} bytes",
            format.name,
            text.len()
        );
    }
}
