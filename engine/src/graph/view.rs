//! What every format shows of a plan, computed once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Options;
use super::style::{self, Colour};
use super::text::{one_line, visible};
use crate::plan::{Edge, EdgeKind, Modifiers, Plan, Retries, Step, StepId, show_path};
use crate::script::Param;

/// A plan as it is drawn.
pub(super) struct View<'p> {
    pub plan: &'p Plan,
    /// In the plan's order: the index is the step's.
    pub nodes: Vec<Node<'p>>,
    pub waves: Vec<Vec<StepId>>,
    pub chain: Vec<StepId>,
    /// The families of builtins that the plan has.
    pub families: BTreeMap<&'static str, &'static Colour>,
}

/// All the edges between two steps, as one line of a drawing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub from: StepId,
    pub to: StepId,
    /// Which of the needs of `to` it is.
    pub need: usize,
    /// Whether the longest chain takes it.
    pub on_chain: bool,
    /// Whether the order follows from other edges, too: a drawing is clearer when such a line is fainter.
    pub implied: bool,
}

/// A step as it is drawn.
pub(super) struct Node<'p> {
    pub id: StepId,
    pub step: &'p Step,
    /// The step's name in one line.
    pub name: String,
    /// Its arguments, for people.
    pub args: Value,
    /// What it will do, in one line.
    pub what: String,
    /// More of that, in several lines.
    pub details: Option<String>,
    pub family: &'static str,
    pub colour: &'static Colour,
    /// From 0.
    pub wave: usize,
    /// Whether it is marked as part of the longest chain.
    pub on_chain: bool,
    /// What it waits for, one entry a step.
    pub needs: Vec<Need<'p>>,
    /// Why the run leaves it out.
    pub left_out: Option<&'p str>,
}

/// All the edges between two steps.
pub(super) struct Need<'p> {
    pub from: StepId,
    pub edges: Vec<&'p Edge>,
}

impl<'p> View<'p> {
    pub(super) fn new(plan: &'p Plan, options: &'p Options) -> Self {
        let waves = plan.waves();
        let mut wave_of = vec![0; plan.len()];
        for (wave, steps) in waves.iter().enumerate() {
            for id in steps {
                wave_of[id.index()] = wave;
            }
        }
        let chain = plan.longest_chain();
        let mut on_chain = vec![false; plan.len()];
        // A single step is no chain that is worth a mark.
        for id in chain.iter().filter(|_| chain.len() > 1) {
            on_chain[id.index()] = true;
        }
        let families = style::colours(plan.steps().map(|(_, step)| style::family(step.builtin.spec())));
        let left_out = options.selection.as_deref().unwrap_or_default();
        let nodes = plan
            .steps()
            .map(|(id, step)| {
                let family = style::family(step.builtin.spec());
                let args = plan.shown_args(id);
                Node {
                    id,
                    step,
                    name: one_line(&step.name),
                    what: one_line(&step.builtin.describe(&args)),
                    details: step.builtin.details(&args).map(|text| lines(&text)),
                    args,
                    family,
                    colour: families[family],
                    wave: wave_of[id.index()],
                    on_chain: on_chain[id.index()],
                    needs: plan
                        .needs(id)
                        .into_iter()
                        .map(|(from, edges)| Need { from, edges })
                        .collect(),
                    left_out: left_out.get(id.index()).and_then(Option::as_deref),
                }
            })
            .collect();
        Self {
            plan,
            nodes,
            waves,
            chain,
            families,
        }
    }

    /// The lines of a drawing, in the order of the steps that wait.
    pub(super) fn links(&self) -> Vec<Link> {
        let followed: BTreeSet<(StepId, StepId)> =
            self.chain.windows(2).map(|pair| (pair[0], pair[1])).collect();
        let implied = self.implied();
        let mut links = Vec::new();
        for node in &self.nodes {
            for (need, Need { from, .. }) in node.needs.iter().enumerate() {
                links.push(Link {
                    from: *from,
                    to: node.id,
                    need,
                    on_chain: followed.contains(&(*from, node.id)),
                    implied: implied.contains(&(*from, node.id)),
                });
            }
        }
        links
    }

    /// The pairs of steps whose order would be the same without their own edges.
    fn implied(&self) -> BTreeSet<(StepId, StepId)> {
        let mut implied = BTreeSet::new();
        // One bit for each pair of steps: beyond this, the memory is worth more than the fainter lines.
        if self.nodes.len() > 20_000 {
            return implied;
        }
        let words = self.nodes.len().div_ceil(64);
        let mut before: Vec<Vec<u64>> = vec![Vec::new(); self.nodes.len()];
        for id in self.waves.iter().flatten() {
            let needs = &self.nodes[id.index()].needs;
            let mut all = vec![0_u64; words];
            for need in needs {
                for (word, other) in all.iter_mut().zip(&before[need.from.index()]) {
                    *word |= other;
                }
            }
            for Need { from, .. } in needs {
                let (word, bit) = (from.index() / 64, 1 << (from.index() % 64));
                if all[word] & bit != 0 {
                    implied.insert((*from, *id));
                }
            }
            for Need { from, .. } in needs {
                all[from.index() / 64] |= 1 << (from.index() % 64);
            }
            before[id.index()] = all;
        }
        implied
    }
}

impl View<'_> {
    /// `25 steps, 14 waves, longest chain 14`.
    pub(super) fn summary(&self) -> String {
        format!(
            "{}, {}, longest chain {}",
            count(self.nodes.len(), "step"),
            count(self.waves.len(), "wave"),
            self.chain.len()
        )
    }

    /// The parameters in force: `cni=flannel`.
    pub(super) fn params(&self) -> Vec<String> {
        let show = |param: &Param| format!("{}={}", one_line(&param.name), show_param(param));
        self.plan.params.iter().map(show).collect()
    }

    /// What a line of a drawing stands for, one edge a line: `reads cluster.kubeconfig (x.rhai:31:5)`.
    pub(super) fn explain(&self, link: &Link) -> String {
        let need = &self.nodes[link.to.index()].needs[link.need];
        let (from, to) = (
            &self.nodes[link.from.index()].name,
            &self.nodes[link.to.index()].name,
        );
        let mut lines = Vec::new();
        for edge in &need.edges {
            let at = one_line(&edge.at.to_string());
            let line = match &edge.kind {
                EdgeKind::Data(path) => format!("{to} reads {from}{} ({at})", one_line(&show_path(path))),
                EdgeKind::Order => format!("{to} runs after {from} ({at})"),
            };
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines.join("\n")
    }

    /// All that is known of a step, for a tooltip.
    pub(super) fn explain_step(&self, node: &Node<'_>, details: bool) -> String {
        let mut lines = vec![
            format!("{} ({})", node.name, node.step.builtin()),
            node.what.clone(),
            one_line(&node.step.at.to_string()),
        ];
        lines.extend(
            node.left_out
                .map(|reason| format!("left out: {}", one_line(reason))),
        );
        lines.extend(node.notes());
        if details {
            lines.extend(node.details.clone());
        }
        lines.retain(|line| !line.is_empty());
        lines.join("\n")
    }
}

impl Node<'_> {
    /// The outputs that the step reads, as the playbook would write them: `cluster.kubeconfig`.
    pub(super) fn reads(&self, view: &View<'_>) -> Vec<String> {
        let mut reads = Vec::new();
        for need in &self.needs {
            let name = &view.nodes[need.from.index()].name;
            for path in need.paths() {
                reads.push(format!("{name}{path}"));
            }
        }
        reads
    }

    /// The steps that this one follows without reading them, or besides reading them.
    pub(super) fn follows<'v>(&self, view: &'v View<'_>) -> Vec<&'v str> {
        self.needs
            .iter()
            .filter(|need| need.has_order())
            .map(|need| &*view.nodes[need.from.index()].name)
            .collect()
    }

    /// Condition, retries, timeout, tags and the like, a few words each.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.step.unfolds() {
            notes.push("unfolds at run time".to_owned());
        }
        if let Some(modifiers) = self.step.modifiers() {
            describe_modifiers(modifiers, &mut notes);
        }
        notes
    }
}

impl Need<'_> {
    /// The parts of the output that are read, each once; empty for all of it.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = Vec::new();
        for edge in &self.edges {
            if let EdgeKind::Data(path) = &edge.kind {
                let path = one_line(&show_path(path));
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
        paths
    }

    /// Whether the order is stated.
    pub(super) fn has_order(&self) -> bool {
        self.edges.iter().any(|edge| edge.kind == EdgeKind::Order)
    }

    /// Whether something is read.
    pub(super) fn has_data(&self) -> bool {
        self.edges.iter().any(|edge| edge.kind != EdgeKind::Order)
    }
}

fn describe_modifiers(modifiers: &Modifiers, notes: &mut Vec<String>) {
    if modifiers.when.is_some() {
        notes.push("when |…|".to_owned());
    }
    if modifiers.until.is_some() {
        notes.push("until |…|".to_owned());
    }
    notes.extend(modifiers.retries.as_ref().map(describe_retries));
    notes.extend(
        modifiers
            .timeout
            .map(|timeout| format!("timeout {}", humantime::format_duration(timeout))),
    );
    if modifiers.finally {
        notes.push("finally".to_owned());
    }
    if modifiers.allow_failure {
        notes.push("allow_failure".to_owned());
    }
    notes.extend(
        modifiers
            .locks
            .iter()
            .map(|lock| format!("lock {}", one_line(lock))),
    );
    notes.extend(modifiers.tags.iter().map(|tag| format!("tag:{}", one_line(tag))));
}

/// The pauses are said only when the playbook sets them.
fn describe_retries(retries: &Retries) -> String {
    let count = retries.count;
    if *retries == Retries::new(count) {
        return format!("retries {count}");
    }
    let initial = humantime::format_duration(retries.initial);
    let cap = humantime::format_duration(retries.cap);
    format!(
        "retries {count} (pause {initial} x {}, at most {cap})",
        retries.factor
    )
}

/// Several lines without control characters.
fn lines(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| visible(&line.replace('\t', "    ")))
        .collect();
    lines.join("\n")
}

/// A parameter's value in force as a person may see it.
pub(super) fn show_param(param: &Param) -> String {
    match &param.value {
        Some(_) if param.secret => crate::secrets::MASK.to_owned(),
        Some(Value::String(text)) if text.trim().is_empty() => "\"\"".to_owned(),
        Some(Value::String(text)) => one_line(text),
        Some(value) => one_line(&value.to_string()),
        None => "(not given)".to_owned(),
    }
}

/// `1 step`, `2 steps`.
pub(super) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
