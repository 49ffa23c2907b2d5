//! `dot`: the graph for Graphviz. A rank is a wave; a dashed line is an order, a solid one reads what it is labelled
//! with, a thick one is on the longest chain, and a faint one follows from others.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::text::{fit, one_line, visible, wrap_at_most, xml};
use super::view::{Link, Node, View};
use super::{Format, Options};
use crate::plan::Plan;

pub(super) const FORMAT: Format = Format {
    name: "dot",
    summary: "for Graphviz: dot -Tsvg",
    render,
};

/// Columns of the text in a step's box.
const COLUMNS: usize = 38;

fn render(plan: &Plan, options: &Options) -> String {
    let view = View::new(plan, options);
    let ids = ids(&view);
    // What a step and its edges take, more or less.
    let mut out = String::with_capacity(1_000 * (1 + view.nodes.len()));
    // Writing to a string cannot fail, so these results carry nothing.
    let _ = header(&mut out, &view);
    let _ = waves(&mut out, &view, &ids, options);
    let _ = edges(&mut out, &view, &ids);
    out.push_str("}\n");
    out
}

fn header(out: &mut String, view: &View<'_>) -> std::fmt::Result {
    let playbook = one_line(&view.plan.playbook);
    writeln!(out, "// {}: {}", playbook, view.summary())?;
    writeln!(out, "digraph {} {{", quoted(&playbook))?;
    let mut title = format!("<b>{}</b><br/>{}", html(&playbook), html(&view.summary()));
    title.push_str("<br/>thick: longest chain, dashed: order, faint: follows from other edges");
    for line in wrap_at_most(&view.params().join("  "), 100, 4) {
        if !line.is_empty() {
            write!(title, "<br/>{}", html(&line))?;
        }
    }
    writeln!(
        out,
        "  graph [rankdir=TB, newrank=true, nodesep=0.3, ranksep=0.45, labelloc=t, fontname=\"Helvetica\", fontsize=12,"
    )?;
    writeln!(out, "    label=<{title}>]")?;
    writeln!(
        out,
        "  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=11, margin=\"0.12,0.06\"]"
    )?;
    writeln!(
        out,
        "  edge [fontname=\"Helvetica\", fontsize=9, color=\"#475569\", fontcolor=\"#475569\", arrowsize=0.7]"
    )
}

fn waves(out: &mut String, view: &View<'_>, ids: &[String], options: &Options) -> std::fmt::Result {
    // No step's name begins like this.
    let mut prefix = "wave ".to_owned();
    while view.nodes.iter().any(|node| node.name.starts_with(&prefix)) {
        prefix.insert(0, ' ');
    }
    let wave_id = |wave: usize| quoted(&format!("{prefix}{}", wave + 1));
    for (wave, steps) in view.waves.iter().enumerate() {
        writeln!(out, "\n  {{ rank=same")?;
        writeln!(
            out,
            "    {} [shape=plaintext, style=\"\", fontcolor=\"#64748b\", label=\"wave {}\"]",
            wave_id(wave),
            wave + 1
        )?;
        for id in steps {
            step(out, view, &view.nodes[id.index()], &ids[id.index()], options)?;
        }
        writeln!(out, "  }}")?;
    }
    if view.waves.len() > 1 {
        let all: Vec<String> = (0..view.waves.len()).map(wave_id).collect();
        writeln!(out, "\n  {} [style=invis]", all.join(" -> "))?;
    }
    Ok(())
}

fn step(out: &mut String, view: &View<'_>, node: &Node<'_>, id: &str, options: &Options) -> std::fmt::Result {
    let out_of_run = node.left_out.is_some();
    let (ink, fill) = if out_of_run {
        ("#94a3b8", "#f8fafc")
    } else {
        (node.colour.ink, node.colour.fill)
    };
    let mut label = format!(
        "<b>{}</b>  <font color=\"{ink}\">{}</font>",
        wrap_at_most(&node.name, COLUMNS, 3)
            .iter()
            .map(|line| html(line))
            .collect::<Vec<_>>()
            .join("<br/>"),
        html(node.step.builtin())
    );
    let mut line = |text: &str, size: usize| {
        if !text.is_empty() {
            let _ = write!(
                label,
                "<br align=\"left\"/><font point-size=\"{size}\">{}</font>",
                html(text)
            );
        }
    };
    wrap_at_most(&node.what, COLUMNS, 3)
        .iter()
        .for_each(|text| line(text, 10));
    if let Some(reason) = node.left_out {
        line(&fit(&format!("left out: {}", one_line(reason)), COLUMNS), 9);
    }
    wrap_at_most(&node.notes().join(" · "), COLUMNS + 4, 2)
        .iter()
        .for_each(|text| line(text, 9));
    line(&fit(&one_line(&node.step.at.to_string()), COLUMNS + 4), 9);
    if options.details {
        let details = node.details.as_deref().unwrap_or_default();
        details.lines().for_each(|text| line(&fit(text, COLUMNS * 2), 9));
    }
    label.push_str("<br align=\"left\"/>");

    write!(
        out,
        "    {id} [label=<{label}>, color=\"{ink}\", fillcolor=\"{fill}\""
    )?;
    if out_of_run {
        write!(out, ", fontcolor=\"#64748b\", style=\"rounded,filled,dashed\"")?;
    }
    if node.on_chain {
        write!(out, ", penwidth=2.5")?;
    }
    if node.step.unfolds() {
        write!(out, ", peripheries=2")?;
    }
    writeln!(out, ", tooltip={}]", quoted_text(&view.explain_step(node, true)))
}

fn edges(out: &mut String, view: &View<'_>, ids: &[String]) -> std::fmt::Result {
    out.push('\n');
    for link in view.links() {
        let need = &view.nodes[link.to.index()].needs[link.need];
        let (from, to) = (&ids[link.from.index()], &ids[link.to.index()]);
        write!(out, "  {from} -> {to} [")?;
        let mut paths = need.paths();
        paths.retain(|path| !path.is_empty());
        if !paths.is_empty() {
            paths.iter_mut().for_each(|path| *path = fit(path, 30));
            write!(out, "label={}, ", quoted_text(&paths.join("\n")))?;
        }
        if !need.has_data() {
            out.push_str("style=dashed, ");
        }
        match link {
            Link { on_chain: true, .. } => out.push_str("penwidth=2.2, color=\"#0f172a\", "),
            Link { implied: true, .. } => out.push_str("color=\"#cbd5e1\", "),
            _ => {}
        }
        writeln!(out, "tooltip={}]", quoted_text(&view.explain(&link)))?;
    }
    Ok(())
}

/// The steps' names as identifiers, as long as they differ when cleaned.
fn ids(view: &View<'_>) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::with_capacity(view.nodes.len());
    let mut ids = Vec::with_capacity(view.nodes.len());
    for node in &view.nodes {
        let mut id = visible(&node.step.name);
        while !taken.insert(id.clone()) {
            id.push('\'');
        }
        ids.push(quoted(&id));
    }
    ids
}

/// A text between tags. Graphviz 2.42 refuses nothing there, and `]` or `]]` and nothing else.
fn html(text: &str) -> String {
    match text {
        "" => " ".to_owned(),
        text if text.bytes().all(|byte| byte == b']') => text.replace(']', "&#93;"),
        text => xml(text),
    }
}

/// An identifier.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 8);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '\\' | '"') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// A text with lines.
fn quoted_text(text: &str) -> String {
    quoted(text).replace('\n', "\\n")
}
