//! Finds every cycle of a plan.

use petgraph::algo::kosaraju_scc;
use petgraph::visit::EdgeRef;

use super::{EdgeKind, Plan, StepId, show_path};
use crate::diagnostic::Diagnostic;

/// Reports each group of steps that wait for each other, with the position of every edge in the group.
pub(crate) fn check(plan: &Plan) -> Vec<Diagnostic> {
    if plan.topological().len() == plan.len() {
        return Vec::new();
    }
    // Not Tarjan's algorithm, which petgraph has as a recursion: a long chain would overflow the stack.
    let mut groups: Vec<Vec<StepId>> = kosaraju_scc(&plan.graph)
        .into_iter()
        .filter(|group| group.len() > 1 || plan.graph.contains_edge(group[0], group[0]))
        .collect();
    groups.iter_mut().for_each(|group| group.sort());
    groups.sort();
    groups.iter().map(|group| describe(plan, group)).collect()
}

fn describe(plan: &Plan, group: &[StepId]) -> Diagnostic {
    let name = |id: StepId| &*plan.graph[id].name;
    let way = shortest_cycle(plan, group);
    let drawn = way.iter().map(|id| name(*id)).collect::<Vec<_>>().join("` → `");
    let mut diagnostic = Diagnostic::new(
        "psprun::plan::cycle",
        if group.len() == 1 {
            format!("`{}` waits for itself", name(group[0]))
        } else {
            format!("steps wait for each other: `{drawn}`")
        },
    );
    let mut edges: Vec<_> = plan
        .graph
        .edge_references()
        .filter(|edge| group.contains(&edge.source()) && group.contains(&edge.target()))
        .collect();
    edges.sort_by_key(|edge| (edge.weight().at.line, edge.weight().at.column));
    for edge in edges {
        let why = match &edge.weight().kind {
            EdgeKind::Order => format!("`{}` runs after `{}`", name(edge.target()), name(edge.source())),
            EdgeKind::Data(path) => {
                format!(
                    "`{}` uses `{}{}`",
                    name(edge.target()),
                    name(edge.source()),
                    show_path(path)
                )
            }
        };
        diagnostic = diagnostic.at(edge.weight().at.clone(), why);
    }
    diagnostic.help("take one of these away")
}

/// The way from the first step of the group back to itself.
fn shortest_cycle(plan: &Plan, group: &[StepId]) -> Vec<StepId> {
    let start = group[0];
    let mut from = std::collections::BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(id) = queue.pop_front() {
        let mut next: Vec<StepId> = plan.graph.neighbors(id).filter(|n| group.contains(n)).collect();
        next.sort();
        for neighbour in next {
            if neighbour == start {
                let mut way = vec![start];
                let mut here = id;
                while here != start {
                    way.push(here);
                    here = from[&here];
                }
                way.push(start);
                way.reverse();
                return way;
            }
            if let std::collections::btree_map::Entry::Vacant(place) = from.entry(neighbour) {
                place.insert(id);
                queue.push_back(neighbour);
            }
        }
    }
    group.to_vec()
}
