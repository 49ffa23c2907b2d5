//! Layers of no-op steps, each of which reads two of the layer before: what the engine itself costs.
//!
//! `cargo bench -p psprun-engine --bench layers`; with ` -- graph` only what drawing them costs

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use psprun_engine::run::{Interrupt, RunOptions, run};
use psprun_engine::script::{Planner, Playbook, Values};
use psprun_engine::{Builtin, Context, Event, Outcome, Plan, Registry, Spec, StepError};
use serde_json::Value;

struct Noop;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Args {
    /// Anything.
    #[serde(default)]
    #[expect(dead_code, reason = "only the edges matter")]
    of: Value,
}

#[async_trait::async_trait]
impl Builtin for Noop {
    type Args = Args;
    type Output = u32;

    fn spec(&self) -> Spec {
        Spec::new("noop", "Does nothing").subject("of")
    }

    async fn run(&self, _args: Args, _context: Context) -> Result<Outcome<u32>, StepError> {
        Ok(Outcome::changed(1))
    }
}

fn planner() -> Planner {
    let mut registry = Registry::new();
    registry.add(Noop);
    Planner::new(Arc::new(registry))
}

fn playbook(layers: usize) -> Playbook {
    let script = format!(
        "let last = [];
         for i in 0..100 {{ last.push(noop(i)); }}
         for layer in 1..{layers} {{
             let next = [];
             for i in 0..100 {{ next.push(noop([last[i], last[(i + 1) % 100]])); }}
             last = next;
         }}"
    );
    Playbook {
        name: "layers.rhai".into(),
        script,
        folder: None,
    }
}

fn plan(planner: &Planner, layers: usize) -> Plan {
    match planner.plan(&playbook(layers), &Values::new()) {
        Ok(plan) => plan,
        Err(problems) => unreachable!("{problems:?}"),
    }
}

/// Writes every event as a JSON line, as `--events` and a journal do.
fn json_lines() -> impl FnMut(&Event) + Send {
    let mut buffer = Vec::with_capacity(1 << 20);
    move |event: &Event| {
        if buffer.len() > (1 << 20) - (1 << 14) {
            buffer.clear();
        }
        serde_json::to_writer(&mut buffer, event).ok();
        buffer.push(b'\n');
        std::hint::black_box(&buffer);
    }
}

fn layers(criterion: &mut Criterion) {
    let Ok(runtime) = tokio::runtime::Runtime::new() else {
        unreachable!("a runtime starts")
    };
    let planner = planner();
    let mut group = criterion.benchmark_group("layers");
    group.sample_size(10);
    for layers in [100, 1000] {
        let steps = layers as u64 * 100;
        group.throughput(Throughput::Elements(steps));
        group.bench_with_input(BenchmarkId::new("plan", steps), &layers, |bencher, layers| {
            bencher.iter(|| plan(&planner, *layers));
        });
        let ready = plan(&planner, layers);
        group.bench_with_input(BenchmarkId::new("run", steps), &ready, |bencher, ready| {
            bencher.to_async(&runtime).iter(|| async {
                let consumers: Vec<Box<dyn psprun_engine::Consumer>> = vec![Box::new(json_lines())];
                run(ready, &RunOptions::default(), &Interrupt::default(), consumers).await
            });
        });
    }
    let drawn = plan(&planner, 100);
    for format in psprun_engine::graph::FORMATS {
        group.throughput(Throughput::Elements(10_000));
        group.bench_function(
            BenchmarkId::new(format!("graph_{}", format.name), 10_000),
            |bencher| {
                bencher.iter(|| (format.render)(&drawn, &psprun_engine::graph::Options::default()));
            },
        );
    }
    group.finish();
}

criterion_group!(benches, layers);
criterion_main!(benches);
