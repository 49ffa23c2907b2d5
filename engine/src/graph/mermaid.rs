//! `mermaid`: the graph for Markdown files and wikis. A subgraph is a wave; a dotted line is an order, a solid one reads
//! what it is labelled with, a thick one is on the longest chain.

use std::fmt::Write as _;

use super::text::{fit, one_line, wrap_at_most};
use super::view::{Node, View};
use super::{Format, Options};
use crate::plan::Plan;

pub(super) const FORMAT: Format = Format {
    name: "mermaid",
    summary: "for Markdown files and wikis",
    render,
};

/// Columns of the text in a step's box.
const COLUMNS: usize = 40;

fn render(plan: &Plan, options: &Options) -> String {
    let view = View::new(plan, options);
    let mut out = String::with_capacity(400 * (1 + view.nodes.len()));
    // Writing to a string cannot fail, so these results carry nothing.
    let _ = header(&mut out, &view);
    let _ = waves(&mut out, &view, options);
    let _ = edges(&mut out, &view);
    let _ = classes(&mut out, &view);
    out
}

fn header(out: &mut String, view: &View<'_>) -> std::fmt::Result {
    let playbook = one_line(&view.plan.playbook);
    // A JSON string is a YAML string.
    let title = serde_json::Value::from(format!("{playbook}: {}", view.summary())).to_string();
    writeln!(
        out,
        "---\ntitle: {}\n---\nflowchart TD",
        title.replace("%%", "%\\u0025")
    )?;
    for param in view.params() {
        writeln!(out, "  %% {}", param.replace(['{', '}'], ""))?;
    }
    Ok(())
}

fn waves(out: &mut String, view: &View<'_>, options: &Options) -> std::fmt::Result {
    for (wave, steps) in view.waves.iter().enumerate() {
        writeln!(out, "  subgraph w{0}[\"wave {0}\"]", wave + 1)?;
        for id in steps {
            let node = &view.nodes[id.index()];
            let (open, close) = if node.step.unfolds() {
                ("[[", "]]")
            } else {
                ("[", "]")
            };
            writeln!(
                out,
                "    s{}{open}\"{}\"{close}",
                id.index(),
                guarded(label(node, options))
            )?;
        }
        writeln!(out, "  end")?;
    }
    Ok(())
}

fn label(node: &Node<'_>, options: &Options) -> String {
    let mut label = format!(
        "<b>{}</b> <i>{}</i>",
        escaped(&fit(&node.name, 60)),
        escaped(node.step.builtin())
    );
    let mut line = |text: &str| {
        if !text.is_empty() {
            label.push_str("<br/>");
            label.push_str(&escaped(text));
        }
    };
    wrap_at_most(&node.what, COLUMNS, 3)
        .iter()
        .for_each(|text| line(text));
    if let Some(reason) = node.left_out {
        line(&fit(&format!("left out: {}", one_line(reason)), COLUMNS));
    }
    wrap_at_most(&node.notes().join(" · "), COLUMNS, 2)
        .iter()
        .for_each(|text| line(text));
    line(&one_line(&node.step.at.to_string()));
    if options.details {
        node.details.as_deref().unwrap_or_default().lines().for_each(line);
    }
    label
}

fn edges(out: &mut String, view: &View<'_>) -> std::fmt::Result {
    let mut thick = Vec::new();
    let mut faint = Vec::new();
    for (index, link) in view.links().iter().enumerate() {
        let need = &view.nodes[link.to.index()].needs[link.need];
        let paths: Vec<String> = need
            .paths()
            .iter()
            .filter(|path| !path.is_empty())
            .map(|path| escaped(&fit(path, 30)))
            .collect();
        let arrow = if need.has_data() { "-->" } else { "-.->" };
        let text = if paths.is_empty() {
            String::new()
        } else {
            format!("|\"{}\"|", guarded(paths.join("<br/>")))
        };
        writeln!(out, "  s{} {arrow}{text} s{}", link.from.index(), link.to.index())?;
        if link.on_chain {
            thick.push(index.to_string());
        } else if link.implied {
            faint.push(index.to_string());
        }
    }
    if !thick.is_empty() {
        writeln!(
            out,
            "  linkStyle {} stroke:#0f172a,stroke-width:3px",
            thick.join(",")
        )?;
    }
    if !faint.is_empty() {
        writeln!(out, "  linkStyle {} stroke:#cbd5e1", faint.join(","))?;
    }
    Ok(())
}

fn classes(out: &mut String, view: &View<'_>) -> std::fmt::Result {
    let class = |out: &mut String, name: &str, style: &str, belongs: &dyn Fn(&Node<'_>) -> bool| {
        let steps: Vec<String> = view
            .nodes
            .iter()
            .filter(|node| belongs(node))
            .map(|node| format!("s{}", node.id.index()))
            .collect();
        if steps.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "  classDef {name} {style}\n  class {} {name}",
            steps.join(",")
        )
    };
    for (index, (family, colour)) in view.families.iter().enumerate() {
        let style = format!(
            "fill:{},stroke:{},color:#0f172a,text-align:left",
            colour.fill, colour.ink
        );
        class(out, &format!("family{index}"), &style, &|node| {
            node.family == *family
        })?;
    }
    let waves: Vec<String> = (1..=view.waves.len()).map(|wave| format!("w{wave}")).collect();
    if !waves.is_empty() {
        writeln!(
            out,
            "  classDef wave fill:#f8fafc,stroke:#e2e8f0,color:#64748b\n  class {} wave",
            waves.join(",")
        )?;
    }
    class(out, "chain", "stroke-width:3px", &|node| node.on_chain)?;
    class(
        out,
        "left_out",
        "fill:#f8fafc,stroke:#94a3b8,color:#64748b,stroke-dasharray:4",
        &|node| node.left_out.is_some(),
    )
}

/// A text as it is, whatever Mermaid makes of its characters elsewhere: the end of a string, entities, HTML, Markdown
/// (it reads every text as such: lists, links, emphasis), directives (`%%{`), line breaks (`\n`), formulas (`$$`),
/// icons (`fa:fa-x`).
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 16);
    let mut before = ' ';
    let mut only_digits = true;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let after = rest.peek().copied().unwrap_or(' ');
        let starts = safe.is_empty();
        let plain = match c {
            ' ' | ',' | '/' | '(' | '{' | '}' | '\'' | '?' | '|' => true,
            '.' | ')' => !(safe.ends_with("www") || only_digits && before.is_ascii_digit()),
            // No link to a page, see below for icons.
            ':' => after != '/' && after != 'f',
            '-' | '+' | '=' => !starts && before != c && after != c,
            '_' => before.is_alphanumeric() && after.is_alphanumeric(),
            '$' => true,
            c => c.is_alphanumeric() || !c.is_ascii(),
        };
        if plain {
            safe.push(c);
        } else {
            let _ = write!(safe, "#{};", u32::from(c));
        }
        // These it reads after it has put the characters back for their codes: something unseen between keeps them apart.
        if matches!((c, after), ('$', '$') | ('\\', 'n') | (':', 'f')) {
            safe.push_str("#8203;");
        }
        only_digits &= c.is_ascii_digit();
        before = c;
    }
    safe
}

/// A label whose line Mermaid's preprocessor leaves alone: it takes the last `;` from what looks like `style …:#…;`.
fn guarded(label: String) -> String {
    if label.contains("style") || label.contains("classDef") {
        // The only colons in a label are those of its texts.
        label.replace(':', "#58;")
    } else {
        label
    }
}

#[cfg(test)]
mod tests {
    use super::{escaped, guarded};

    #[test]
    fn what_mermaid_reads_is_escaped() {
        assert_eq!(escaped("pod_network (v1.20.2)"), "pod_network (v1.20.2)");
        assert_eq!(escaped("http://x"), "http#58;//x");
        assert_eq!(
            escaped("x.rhai:3:5 host::run .name"),
            "x.rhai:3:5 host::run .name"
        );
        assert_eq!(guarded("style: x#1;".to_owned()), "style#58; x#1;");
        assert_eq!(escaped("1. a"), "1#46; a");
        assert_eq!(escaped("- a"), "#45; a");
        assert_eq!(escaped("\"%%{<b>#\\n"), "#34;#37;#37;{#60;b#62;#35;#92;#8203;n");
        assert_eq!(escaped("$$x$$ ${a}"), "$#8203;$x$#8203;$ ${a}");
        assert_eq!(escaped("__x__"), "#95;#95;x#95;#95;");
    }
}
