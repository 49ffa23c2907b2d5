//! A step's box: what is written in it, and how large it is.

use std::fmt::Write as _;

use super::font::Font;
use super::number;
use crate::graph::Options;
use crate::graph::text::{one_line, xml};
use crate::graph::view::{Node, View};

const PAD_LEFT: f64 = 14.0;
const PAD: f64 = 10.0;
const NAME: Font = Font {
    size: 13.0,
    bold: true,
    mono: false,
};
const WHAT: Font = Font::plain(11.5);
const SMALL: Font = Font::plain(10.5);
const MONO: Font = Font {
    size: 9.5,
    bold: false,
    mono: true,
};

/// All boxes are of one width: within these, as wide as the names need.
const NARROWEST: f64 = 200.0;
const WIDEST: f64 = 290.0;

pub(super) struct Card {
    lines: Vec<Line>,
    pub width: f64,
    pub height: f64,
}

struct Line {
    text: String,
    font: Font,
    /// A class of the drawing's style sheet.
    class: &'static str,
    /// At the right edge of the same line.
    right: Option<String>,
}

/// How wide all boxes are.
pub(super) fn width(view: &View<'_>) -> f64 {
    let needed = view
        .nodes
        .iter()
        .map(|node| {
            NAME.width(&node.name)
                .max(SMALL.width(&title(node)) + 16.0 + SMALL.width(&place(view, node)))
        })
        .fold(0.0, f64::max);
    (needed + PAD_LEFT + PAD).clamp(NARROWEST, WIDEST).ceil()
}

fn title(node: &Node<'_>) -> String {
    one_line(node.step.builtin())
}

/// `:31` in the playbook itself, the file's path before it in a module.
fn place(view: &View<'_>, node: &Node<'_>) -> String {
    let at = &node.step.at;
    match (at.file == view.plan.playbook, at.line) {
        (_, 0) => one_line(&at.file),
        (true, line) => format!("line {line}"),
        (false, line) => format!(
            "{}:{line}",
            one_line(at.file.rsplit('/').next().unwrap_or_default())
        ),
    }
}

impl Card {
    pub(super) fn new(view: &View<'_>, node: &Node<'_>, width: f64, options: &Options) -> Self {
        let room = width - PAD_LEFT - PAD;
        let mut lines = Vec::new();
        let mut add = |texts: Vec<String>, font: Font, class: &'static str| {
            lines.extend(texts.into_iter().map(|text| Line {
                text,
                font,
                class,
                right: None,
            }));
        };
        add(NAME.wrap(&node.name, room, 2), NAME, "name");
        let place = SMALL.fit(&place(view, node), room * 0.6);
        add(
            vec![SMALL.fit(&title(node), room - SMALL.width(&place) - 8.0)],
            SMALL,
            "builtin",
        );
        if let Some(line) = lines.last_mut() {
            line.right = Some(place);
        }
        let mut add = |texts: Vec<String>, font: Font, class: &'static str| {
            lines.extend(texts.into_iter().map(|text| Line {
                text,
                font,
                class,
                right: None,
            }));
        };
        let what = WHAT.wrap(&node.what, room, 3);
        let said = what.concat().replace(' ', "");
        add(what, WHAT, "what");
        // A whole output is seen by its line; a part of one needs words, unless what the step does says it already.
        let reads: Vec<String> = node
            .needs
            .iter()
            .flat_map(|need| need.paths().into_iter().map(move |path| (need.from, path)))
            .filter(|(_, path)| !path.is_empty())
            .map(|(from, path)| format!("{}{path}", view.nodes[from.index()].name))
            .filter(|read| !said.contains(&format!("${{{read}}}").replace(' ', "")))
            .collect();
        if !reads.is_empty() {
            add(
                SMALL.wrap(&format!("← {}", reads.join(", ")), room, 2),
                SMALL,
                "reads",
            );
        }
        match node.left_out {
            Some(reason) => add(
                SMALL.wrap(&format!("left out: {}", one_line(reason)), room, 2),
                SMALL,
                "note",
            ),
            None => add(SMALL.wrap(&node.notes().join(" · "), room, 2), SMALL, "note"),
        }
        if options.details {
            let details = node.details.as_deref().unwrap_or_default();
            add(
                details.lines().map(|line| MONO.fit(line, room)).collect(),
                MONO,
                "details",
            );
        }
        let height = lines.iter().map(Line::height).sum::<f64>() + PAD + 8.0;
        Self { lines, width, height }
    }

    /// Draws it with its left upper corner at a place.
    pub(super) fn draw(
        &self,
        out: &mut String,
        view: &View<'_>,
        node: &Node<'_>,
        (x, y): (f64, f64),
    ) -> std::fmt::Result {
        let (ink, fill) = (node.colour.ink, node.colour.fill);
        let mut classes = "step".to_owned();
        if node.on_chain {
            classes.push_str(" chain");
        }
        if node.left_out.is_some() {
            classes.push_str(" out");
        }
        // One that only reads is white.
        let fill = if node.step.builtin.spec().reads_only {
            "#ffffff"
        } else {
            fill
        };
        let (width, height) = (number(self.width), number(self.height));
        writeln!(
            out,
            "<g class=\"{classes}\" transform=\"translate({} {})\">",
            number(x),
            number(y)
        )?;
        writeln!(out, "<title>{}</title>", xml(&view.explain_step(node, true)))?;
        if node.step.unfolds() {
            for offset in ["8", "4"] {
                writeln!(
                    out,
                    "<rect class=\"box\" x=\"{offset}\" y=\"{offset}\" width=\"{width}\" height=\"{height}\" rx=\"6\" \
                     fill=\"{fill}\" stroke=\"{ink}\"/>"
                )?;
            }
        }
        writeln!(
            out,
            "<rect class=\"box\" width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"{fill}\" stroke=\"{ink}\"/>"
        )?;
        writeln!(
            out,
            "<path d=\"M6 0H5A5 5 0 0 0 0 5V{0}A5 5 0 0 0 5 {1}H6Z\" fill=\"{ink}\"/>",
            number(self.height - 5.0),
            number(self.height)
        )?;
        let mut at = 8.0;
        for line in &self.lines {
            at += line.height();
            let baseline = number(at - line.font.size * 0.3);
            // Leading blanks of a config file count.
            let keep = if line.font.mono {
                " xml:space=\"preserve\""
            } else {
                ""
            };
            let colour = if line.class == "builtin" {
                format!(" style=\"fill:{ink}\"")
            } else {
                String::new()
            };
            writeln!(
                out,
                "<text class=\"{}\" x=\"{}\" y=\"{baseline}\"{colour}{keep}>{}</text>",
                line.class,
                number(PAD_LEFT),
                xml(&line.text)
            )?;
            if let Some(right) = &line.right {
                writeln!(
                    out,
                    "<text class=\"place\" x=\"{}\" y=\"{baseline}\">{}</text>",
                    number(self.width - PAD),
                    xml(right)
                )?;
            }
        }
        out.push_str("</g>\n");
        Ok(())
    }
}

impl Line {
    fn height(&self) -> f64 {
        (self.font.size * 1.35).ceil()
    }
}
