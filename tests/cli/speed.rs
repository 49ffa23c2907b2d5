//! Starting up takes no time worth noticing.

use std::time::{Duration, Instant};

use crate::support::Psprun;

#[test]
fn a_graph_starts_no_runtime() {
    // The real measure is in docs/benchmarks.md, for a release build; this only catches work that does not belong here.
    let start = Instant::now();
    let told = Psprun::new()
        .file("p.rhai", "check(\"x\", || true);")
        .args(["graph", "p.rhai"])
        .run();
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
