//! What all formats must hold.

mod odd;

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

#[test]
fn time_grows_with_the_steps_not_with_their_square() {
    let (small, large) = (layered(300), layered(3_000));
    for format in FORMATS.iter().filter(|format| format.name != "svg") {
        let small = work(format, &small);
        let large = work(format, &large);
        // Ten times, a hundred if it were quadratic.
        assert!(large < small * 40, "{}: {small:?}, then {large:?}", format.name);
    }
}

/// The processor time of the best of three drawings: what else the machine does counts little.
fn work(format: &super::Format, plan: &crate::plan::Plan) -> std::time::Duration {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        std::time::Duration::new(
            time.tv_sec.unsigned_abs(),
            u32::try_from(time.tv_nsec).unwrap_or(0),
        )
    };
    let draw = |_| {
        let start = now();
        (format.render)(plan, &Options::default());
        now() - start
    };
    (0..3).map(draw).min().unwrap_or_default()
}

#[test]
fn svg() {
    insta::assert_snapshot!(draw("svg", &Options::default()));
}
