//! How a plan runs.

use std::sync::atomic::Ordering;
use std::time::Duration;

use insta::assert_snapshot;
use psprun_engine::State;
use psprun_engine::run::Interrupt;

use super::support::script;

#[test]
fn a_failure_skips_what_needs_it_and_nothing_else() {
    let (result, events) = script(
        r#"
        let bad = fail("broken");
        let next = echo(bad);
        let later = echo(1).after(next);
        let other = echo(2);
        let clean = echo(3).after(later).finally();
        "#,
    )
    .run();
    assert_eq!(result.counts.failed, 1);
    assert_snapshot!(events);
}

#[test]
fn an_allowed_failure_stops_nothing() {
    let (result, events) =
        script("let bad = fail(\"broken\").allow_failure(); let next = echo(bad.error);").run();
    assert!(result.ok());
    assert_snapshot!(events);
}

#[test]
fn conditions_and_order() {
    let (result, events) = script(
        r#"
        let off = echo(1).when(|| 1 == 2);
        let only_after = echo(2).after(off);
        let reads = echo(off);
        let after_that = echo(3).after(reads);
        "#,
    )
    .run();
    assert!(result.ok());
    assert_snapshot!(events);
}

#[test]
fn retries_until_it_heals() {
    let (result, events) = script("let c = count(#{ good_at: 3 }).retries(#{ count: 4, initial: \"1ms\" }); fail(\"x\").retries(#{ count: 1, initial: \"1ms\" }).after(c);").run();
    assert_eq!(result.counts.failed, 1);
    assert_snapshot!(events);
}

#[test]
fn a_timeout_names_itself() {
    let (result, _) = script("pause(\"10s\").timeout(\"20ms\");").run();
    assert_snapshot!(result.failures[0].1.message, @"not done after 20ms");
}

#[test]
fn a_panic_is_an_internal_failure() {
    let (result, _) = script("test::panics(); echo(1);").run();
    assert!(result.failures[0].1.internal);
    assert_eq!(result.counts.done, 1);
}

#[test]
fn jobs_and_locks_bound_what_runs_at_once() {
    let many = "for i in 0..12 { pause(\"20ms\"); }";
    let unbounded = script(many);
    unbounded.run();
    assert_eq!(unbounded.pause.1.load(Ordering::SeqCst), 12);
    let two = script(many).jobs(2);
    two.run();
    assert_eq!(two.pause.1.load(Ordering::SeqCst), 2);
    let locked = script("for i in 0..6 { pause(\"5ms\").locks([\"apt\"]); }");
    let (result, _) = locked.run();
    assert_eq!(result.counts.done, 6);
    assert_eq!(locked.pause.1.load(Ordering::SeqCst), 1);
}

#[test]
fn sequence_and_parallel() {
    let plan = script(
        r#"
        let start = echo(0);
        let chain = sequence([echo(1), parallel([echo(2), echo(3)]), echo(4)]).after(start);
        let end = echo(5).after(chain);
        "#,
    )
    .good();
    let needs = |name: &str| -> Vec<String> {
        plan.needs(plan.find(name).unwrap())
            .iter()
            .map(|(id, _)| plan.graph[*id].name.to_string())
            .collect()
    };
    assert_eq!(needs("chain.echo"), ["start"]);
    assert_eq!(needs("chain.echo-2"), ["chain.echo"]);
    assert_eq!(needs("chain.echo-3"), ["chain.echo"]);
    assert_eq!(needs("chain.echo-4"), ["chain.echo-2", "chain.echo-3"]);
    assert_eq!(needs("end"), ["chain.echo-4"]);
    assert_eq!(plan.waves().len(), 5);
    assert_eq!(plan.longest_chain().len(), 5);
}

#[test]
fn selections() {
    let text = "let a = echo(1); let b = echo(a); let c = echo(2).after(b); let d = echo(a); let e = echo(9).tags([\"slow\"]);";
    let states = |change: &dyn Fn(&mut psprun_engine::plan::Selection)| {
        let (_, events) = script(text)
            .options(|options| change(&mut options.selection))
            .run();
        events
            .lines()
            .filter(|line| line.contains(" started ("))
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(
        states(&|s| s.targets = vec!["b".into()]),
        ["a", "b"].map(str::to_owned).into()
    );
    assert_eq!(
        states(&|s| s.skip = vec!["b".into()]),
        ["a", "c", "d", "e"].map(str::to_owned).into()
    );
    assert_eq!(
        states(&|s| s.skip = vec!["tag:slow".into(), "a".into()]),
        ["c"].map(str::to_owned).into()
    );
    assert_eq!(
        states(&|s| s.from = Some("c".into())),
        ["a", "c", "d", "e"].map(str::to_owned).into()
    );
}

#[test]
fn fail_fast_lets_nothing_more_start() {
    let text =
        "let p = pause(\"30ms\"); fail(\"x\"); let q = echo(1).after(p); let f = echo(2).after(q).finally();";
    let (result, events) = script(text).options(|options| options.fail_fast = true).run();
    assert_eq!(
        (result.counts.failed, result.counts.skipped, result.counts.done),
        (1, 1, 2),
        "{events}"
    );
}

#[test]
fn an_interrupt_cancels_and_runs_finally() {
    let run = script("let p = pause(\"30s\"); let q = echo(1).after(p); let f = echo(2).after(q).finally();");
    let interrupt = Interrupt::default();
    let second = interrupt.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        second.interrupt();
    });
    let (result, events) = run.run_with(&interrupt);
    thread.join().unwrap();
    assert!(result.interrupted);
    assert_snapshot!(events);
}

#[test]
fn a_second_interrupt_stops_at_once() {
    let run = script("let p = pause(\"30s\"); let f = pause(\"30s\").after(p).finally();");
    let interrupt = Interrupt::default();
    let second = interrupt.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        second.interrupt();
        std::thread::sleep(Duration::from_millis(100));
        second.interrupt();
    });
    let (result, events) = run.run_with(&interrupt);
    thread.join().unwrap();
    assert_eq!(result.counts.cancelled, 2, "{events}");
}

#[test]
fn a_long_chain_is_skipped_without_a_deep_stack() {
    let (result, _) = script("let last = fail(\"x\"); for i in 0..20000 { last = echo(last); }").run();
    assert_eq!(result.counts.skipped, 20_000);
    assert!(!State::Skipped.is_good());
}

#[test]
fn files_come_from_the_modules_own_folder() {
    let outputs = script("import \"cni/x\" as x; let c = cluster(); let a = x::install(c);")
        .file(
            "plugins/cni/x.rhai",
            "fn install(cluster) { cluster.apply(\"x.yaml\") }",
        )
        .file("plugins/cni/x.yaml", "kind: X")
        .outputs();
    assert_eq!(outputs["a"]["what"], "plugins/cni/x.yaml");
    assert_eq!(outputs["a"]["text"], "kind: X");
}
