//! Stable names of steps.
//!
//! An explicit `.named()` wins; then the name of the top-level variable that holds the step's handle; then the builtin's
//! name with the number of the call's place in the script (`apply-3`). A place that is passed several times, by a loop
//! or a function, appends which time it was (`apply-3.0`). Two runs of an unchanged playbook name alike.

use std::collections::HashMap;
use std::sync::Arc;

use rhai::{Array, Dynamic, Map, Scope};

use super::builder::Builder;
use super::handle::{Group, Handle};
use crate::diagnostic::{Diagnostic, Location};
use crate::plan::StepId;

/// Gives every step its name.
pub(crate) fn assign(builder: &mut Builder, scope: &Scope) -> Vec<Diagnostic> {
    let count = builder.graph.node_count();
    let mut names: Vec<Option<Arc<str>>> = vec![None; count];
    explicit(builder, &mut names);
    let mut from_variables: Vec<Option<String>> = vec![None; count];
    // The scope lists variables in the order of their definition; the first that holds a step names it.
    for (variable, _, value) in scope.iter_raw() {
        variables(builder, variable, value, &mut from_variables);
    }
    for (name, variable) in names.iter_mut().zip(from_variables) {
        if name.is_none() {
            *name = variable.map(Arc::from);
        }
    }
    numbered(builder, &mut names);
    let problems = twice(builder, &names);
    for (index, name) in names.into_iter().enumerate() {
        if let Some(name) = name {
            builder.graph[StepId::new(index)].name = name;
        }
    }
    problems
}

/// `.named()`; in a loop the same place names several steps, which get an index.
fn explicit(builder: &Builder, names: &mut [Option<Arc<str>>]) {
    type Place<'a> = (&'a str, (&'a str, u32, u32));
    let mut by_place: HashMap<Place, Vec<StepId>> = HashMap::new();
    let mut steps: Vec<_> = builder.explicit_names.iter().collect();
    steps.sort();
    for (step, name) in steps {
        let at = &builder.graph[*step].at;
        by_place
            .entry((name, (&at.file, at.line, at.column)))
            .or_default()
            .push(*step);
    }
    for ((name, _), steps) in by_place {
        let alone = steps.len() == 1;
        for (index, step) in steps.into_iter().enumerate() {
            names[step.index()] = Some(if alone {
                name.into()
            } else {
                format!("{name}.{index}").into()
            });
        }
    }
}

fn variables(builder: &Builder, name: &str, value: &Dynamic, names: &mut [Option<String>]) {
    if let Some(handle) = value.read_lock::<Handle>() {
        if handle.plan == builder.id && handle.is_whole() {
            names[handle.step.index()].get_or_insert_with(|| name.to_owned());
        }
    } else if let Some(group) = value.read_lock::<Group>() {
        if group.plan == builder.id {
            let mut used: HashMap<&str, usize> = HashMap::new();
            for step in group.members.iter() {
                let builtin = short(builder.graph[*step].builtin());
                let times = used.entry(builtin).or_default();
                *times += 1;
                let name = if *times == 1 {
                    format!("{name}.{builtin}")
                } else {
                    format!("{name}.{builtin}-{times}")
                };
                names[step.index()].get_or_insert(name);
            }
        }
    } else if let Some(items) = value.read_lock::<Array>() {
        for (index, item) in items.iter().enumerate() {
            variables(builder, &format!("{name}.{index}"), item, names);
        }
    } else if let Some(map) = value.read_lock::<Map>() {
        for (key, item) in map.iter() {
            variables(builder, &format!("{name}.{key}"), item, names);
        }
    }
}

/// The last part of a builtin's name: `run` of `host::run`.
fn short(builtin: &str) -> &str {
    builtin.rsplit("::").next().unwrap_or(builtin)
}

fn numbered(builder: &Builder, names: &mut [Option<Arc<str>>]) {
    // What is taken already must not be given again.
    let taken: std::collections::HashSet<Arc<str>> = names.iter().flatten().cloned().collect();
    let mut order: Vec<(&Location, &str, Vec<usize>)> = Vec::new();
    let mut places: HashMap<(&str, u32, u32, &str), usize> = HashMap::new();
    for (index, name) in names.iter().enumerate() {
        if name.is_none() {
            let step = &builder.graph[StepId::new(index)];
            let builtin = short(step.builtin());
            let place = *places
                .entry((&step.at.file, step.at.line, step.at.column, builtin))
                .or_insert_with(|| {
                    order.push((&step.at, builtin, Vec::new()));
                    order.len() - 1
                });
            order[place].2.push(index);
        }
    }
    let mut counters: HashMap<&str, usize> = HashMap::new();
    for (_, builtin, steps) in order {
        let counter = counters.entry(builtin).or_default();
        let base = loop {
            *counter += 1;
            let base = format!("{builtin}-{counter}");
            if !taken.contains(base.as_str()) {
                break base;
            }
        };
        let alone = steps.len() == 1;
        for (time, index) in steps.into_iter().enumerate() {
            names[index] = Some(if alone {
                base.as_str().into()
            } else {
                format!("{base}.{time}").into()
            });
        }
    }
}

fn twice(builder: &Builder, names: &[Option<Arc<str>>]) -> Vec<Diagnostic> {
    let mut first: HashMap<&str, usize> = HashMap::new();
    let mut problems = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let Some(name) = name else { continue };
        if let Some(earlier) = first.get(&**name) {
            problems.push(
                Diagnostic::new(
                    "psprun::plan::same_name",
                    format!("two steps have the name `{name}`"),
                )
                .at(builder.graph[StepId::new(index)].at.clone(), "this step")
                .at(builder.graph[StepId::new(*earlier)].at.clone(), "and this one")
                .help("give one of them another name: `.named(\"…\")`"),
            );
        } else {
            first.insert(name, index);
        }
    }
    problems
}
