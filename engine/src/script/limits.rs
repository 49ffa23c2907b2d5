//! What a playbook may use while it is planned: enough for any honest one, and an end to any other.

use std::cell::Cell;
use std::time::Duration;

use rhai::Engine;

/// Operations of the script: a plan of 100,000 steps takes about two million, and none of these steps long.
const OPERATIONS: u64 = 5_000_000;
/// Calls inside calls.
const CALL_LEVELS: usize = 64;
/// Brackets inside brackets, at the top level and in functions.
const EXPRESSION_DEPTH: usize = 128;
/// Bytes of one string, or of all strings in one list or map.
const STRING_SIZE: usize = 2 << 20;
/// Items of one list, with the lists in it. Rhai counts them anew at each change, so that a long list is slow to build.
const ARRAY_SIZE: usize = 10_000;
/// Entries of one map, with the maps in it.
const MAP_SIZE: usize = 4_000;
/// Variables at one time.
const VARIABLES: usize = 4_096;
/// Modules that are imported, repeats included.
const MODULES: usize = 256;

/// What a script may cost: this long, and a little more for each operation. An honest operation takes a tenth of that; one that
/// copies a huge list at each turn takes many times as much.
const COST: Duration = Duration::from_millis(800);
const COST_OF_OPERATION: Duration = Duration::from_micros(2);
/// Builds without optimisation are that much slower.
const SLOWNESS: u32 = if cfg!(debug_assertions) { 25 } else { 1 };

/// How many steps a plan may have.
pub(crate) const STEPS: usize = 1_000_000;
/// How many bytes the known arguments of a plan may have in all.
pub(crate) const ARGUMENT_BYTES: usize = 256 << 20;
/// How large a file of the playbook may be.
pub(crate) const FILE_SIZE: u64 = 16 << 20;

/// Sets the limits of the script.
pub(crate) fn set(engine: &mut Engine) {
    engine
        .set_max_operations(OPERATIONS)
        .set_max_call_levels(CALL_LEVELS)
        .set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH)
        .set_max_string_size(STRING_SIZE)
        .set_max_array_size(ARRAY_SIZE)
        .set_max_map_size(MAP_SIZE)
        .set_max_variables(VARIABLES)
        .set_max_modules(MODULES);
    engine.on_progress(|operations| {
        if !operations.is_multiple_of(256) {
            return None;
        }
        let allowed = (COST + COST_OF_OPERATION * u32::try_from(operations).unwrap_or(u32::MAX)) * SLOWNESS;
        (work_time() > START.get() + allowed).then_some(rhai::Dynamic::UNIT)
    });
}

thread_local! {
    static START: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// The costs of the evaluation that follows on this thread count from now on.
pub(crate) fn start() {
    START.set(work_time());
}

/// How long this thread has worked, waits not counted: a busy machine must not end a plan.
fn work_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}
