//! `tree`: the graph for people, in a terminal. Two lines a step, in the order in which a run can start them:
//!
//! ```text
//!  4 ● policies     apply default-psp.yaml, privileged-psp.yaml      :31
//!      apply        uses cluster · after refused · timeout 5m
//! ```

use super::style::{Paint, Style};
use super::text::{break_at, fit, head, one_line, width, wrap};
use super::view::{Node, View, count, show_param};
use super::{Format, Options};
use crate::diagnostic::Location;
use crate::plan::Plan;

pub(super) const FORMAT: Format = Format {
    name: "tree",
    summary: "for people: the steps by waves, as wide as the terminal",
    render,
};

/// With fewer columns for what a step does, that goes below the step's name instead of beside it.
const NARROW: usize = 24;

/// Nothing can be shown in less.
const NARROWEST: usize = 20;

fn render(plan: &Plan, options: &Options) -> String {
    let view = View::new(plan, options);
    let mut page = Page::new(&view, options);
    page.header(&view);
    for wave in &view.waves {
        for (place, id) in wave.iter().enumerate() {
            page.step(&view, &view.nodes[id.index()], place == 0);
        }
    }
    page.chain(&view);
    page.params(&view);
    page.out
}

/// A piece of a line that is not broken if it can be helped.
struct Word {
    text: String,
    style: Style,
    /// Whether it begins a new thought: ` · ` comes before it.
    begins: bool,
}

struct Page {
    out: String,
    paint: Paint,
    width: usize,
    details: bool,
    /// Columns of a wave's number.
    number: usize,
    /// Columns of a step's name and its builtin; `None` when all goes into one column.
    left: Option<usize>,
}

impl Page {
    fn new(view: &View<'_>, options: &Options) -> Self {
        let page = options.width.max(NARROWEST);
        let number = view.waves.len().to_string().len();
        // Names that are longer than this do not widen the column for all.
        let limit = page * 3 / 10;
        let left = view
            .nodes
            .iter()
            .flat_map(|node| [width(&node.name), width(node.step.builtin())])
            .filter(|columns| *columns <= limit)
            .max()
            .unwrap_or(limit);
        let right = page.saturating_sub(number + 3 + left + 2);
        Self {
            out: String::new(),
            paint: Paint { on: options.color },
            width: page,
            details: options.details,
            number,
            left: (right >= NARROW).then_some(left),
        }
    }

    fn put(&mut self, style: Style, text: &str) {
        self.paint.push(&mut self.out, style, text);
    }

    fn pad(&mut self, columns: usize) {
        self.out.extend(std::iter::repeat_n(' ', columns));
    }

    fn end_line(&mut self) {
        let end = self.out.trim_end_matches(' ').len();
        self.out.truncate(end);
        self.out.push('\n');
    }

    /// Words from where the line is (column `first`) on, further lines from column `indent`.
    fn words(&mut self, words: &[Word], first: usize, indent: usize) {
        let mut at = first;
        let mut fresh = true;
        for word in words {
            let glue = if word.begins { " · " } else { " " };
            if !fresh && at + width(glue) + width(&word.text) <= self.width {
                self.put(Style::Dim, glue);
                at += width(glue);
            } else if !fresh {
                self.end_line();
                self.pad(indent);
                at = indent;
            }
            fresh = false;
            let mut rest = &*word.text;
            while at + width(rest) > self.width && at < self.width {
                let piece = break_at(rest, (self.width - at).max(2));
                self.put(word.style, piece);
                rest = rest[piece.len()..].trim_start();
                self.end_line();
                self.pad(indent);
                at = indent;
            }
            self.put(word.style, rest);
            at += width(rest);
        }
        self.end_line();
    }

    fn header(&mut self, view: &View<'_>) {
        let steps = view.nodes.len();
        let mut words = vec![Word::new(Style::Bold, one_line(&view.plan.playbook))];
        words.push(Word::begin(Style::Plain, count(steps, "step")));
        if steps > 0 {
            let widest = view.waves.iter().map(Vec::len).max().unwrap_or(0);
            let waves = count(view.waves.len(), "wave");
            words.push(Word::begin(
                Style::Plain,
                if widest > 1 {
                    format!("{waves} of up to {widest}")
                } else {
                    waves
                },
            ));
            words.push(Word::begin(
                Style::Plain,
                format!("longest chain {}", view.chain.len()),
            ));
        }
        let left_out = view.nodes.iter().filter(|node| node.left_out.is_some()).count();
        if left_out > 0 {
            words.push(Word::begin(Style::Note, format!("{left_out} left out")));
        }
        self.words(&words, 0, 2);
        if steps > 0 {
            self.out.push('\n');
        }
    }

    fn step(&mut self, view: &View<'_>, node: &Node<'_>, first_of_wave: bool) {
        let indent = self.number + 3;
        let number = if first_of_wave {
            (node.wave + 1).to_string()
        } else {
            String::new()
        };
        self.pad(self.number - number.len());
        self.put(Style::Dim, &number);
        self.pad(1);
        match node {
            Node {
                left_out: Some(_), ..
            } => self.put(Style::Dim, "-"),
            Node { on_chain: true, .. } => self.put(Style::Chain, "●"),
            _ => self.put(Style::Dim, "○"),
        }
        self.pad(1);
        match self.left {
            Some(left) => self.step_in_columns(view, node, indent, left),
            None => self.step_in_lines(view, node, indent),
        }
        if self.details {
            self.details(node, indent);
        }
    }

    fn step_in_columns(&mut self, view: &View<'_>, node: &Node<'_>, indent: usize, left: usize) {
        let (strong, plain) = styles(node);
        let column = indent + left + 2;
        let builtin = node.step.builtin();
        // A name that is too long for the left column has a line of its own.
        let long = width(&node.name) > left;
        if long {
            self.words(&[Word::new(strong, node.name.clone())], indent, indent);
            self.pad(indent);
            self.left(family(node), builtin, left);
        } else {
            self.left(strong, &node.name, left);
        }
        self.what(node, plain, column, &place(view, &node.step.at));
        let meta = meta(view, node);
        if !long {
            self.pad(indent);
            self.left(family(node), builtin, left);
        } else if !meta.is_empty() {
            self.pad(column);
        } else {
            return;
        }
        self.words(&meta, column, column);
    }

    /// The left column, and the gap after it.
    fn left(&mut self, style: Style, text: &str, columns: usize) {
        let text = fit(text, columns);
        self.put(style, &text);
        self.pad(columns + 2 - width(&text));
    }

    fn step_in_lines(&mut self, view: &View<'_>, node: &Node<'_>, indent: usize) {
        let (strong, plain) = styles(node);
        self.words(&[Word::new(strong, node.name.clone())], indent, indent);
        self.pad(indent);
        self.what(node, plain, indent, &place(view, &node.step.at));
        self.pad(indent);
        let mut words = meta(view, node);
        words.insert(0, Word::new(family(node), node.step.builtin().to_owned()));
        self.words(&words, indent, indent);
    }

    /// What the step does, in one line, or with the details in full; at the right edge its place. Ends the line.
    fn what(&mut self, node: &Node<'_>, style: Style, column: usize, place: &str) {
        let place = tail(place, (self.width - column) / 2);
        let room = self.width - column - width(&place) - 2;
        let lines = if self.details {
            wrap(&node.what, room)
        } else {
            vec![fit(&node.what, room)]
        };
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                self.pad(column);
            }
            self.put(style, line);
            if index == 0 {
                self.pad(room + 2 - width(line));
                self.put(Style::Dim, &place);
            }
            self.end_line();
        }
    }

    fn details(&mut self, node: &Node<'_>, indent: usize) {
        let Some(details) = &node.details else { return };
        for line in details.lines() {
            let mut rest = line.trim_end();
            loop {
                let piece = head(rest, (self.width - indent - 2).max(2));
                self.pad(indent);
                self.put(Style::Dim, "│ ");
                self.put(Style::Plain, piece);
                self.end_line();
                rest = &rest[piece.len()..];
                if rest.is_empty() {
                    break;
                }
            }
        }
    }

    fn chain(&mut self, view: &View<'_>) {
        if view.chain.len() < 2 {
            return;
        }
        self.out.push('\n');
        let mut words = vec![
            Word::new(Style::Chain, "●".to_owned()),
            Word::new(Style::Plain, "longest chain:".to_owned()),
        ];
        for (index, id) in view.chain.iter().enumerate() {
            let arrow = if index + 1 < view.chain.len() { " →" } else { "" };
            words.push(Word::new(
                Style::Plain,
                format!("{}{arrow}", view.nodes[id.index()].name),
            ));
        }
        self.words(&words, 0, 2);
    }

    fn params(&mut self, view: &View<'_>) {
        let params = &view.plan.params;
        if params.is_empty() {
            return;
        }
        self.out.push('\n');
        self.put(Style::Plain, "parameters");
        self.end_line();
        let names: Vec<String> = params.iter().map(|param| one_line(&param.name)).collect();
        let name_column = widest(&names).min(self.width / 2);
        let values: Vec<String> = params.iter().map(show_param).collect();
        let value_column = widest(&values).min(self.width / 4);
        for ((param, name), value) in params.iter().zip(names).zip(values) {
            let name = fit(&name, name_column);
            self.pad(2);
            self.put(Style::Bold, &name);
            self.pad(name_column + 2 - width(&name));
            // What was set on the command line stands out.
            let style = if param.value == param.default {
                Style::Plain
            } else {
                Style::Note
            };
            let doc = one_line(&param.doc);
            let column = 2 + name_column + 2;
            let doc_column = column + value_column + 2;
            if width(&value) > value_column || self.width < doc_column + NARROW {
                self.put(style, &fit(&value, self.width - column));
            } else {
                self.put(style, &value);
                self.pad(value_column + 2 - width(&value));
                self.put(Style::Dim, &fit(&doc, self.width - doc_column));
            }
            self.end_line();
        }
    }
}

impl Word {
    fn new(style: Style, text: String) -> Self {
        Self {
            text,
            style,
            begins: false,
        }
    }

    fn begin(style: Style, text: String) -> Self {
        Self {
            begins: true,
            ..Self::new(style, text)
        }
    }
}

/// The style of a step's name, and of the rest of it.
fn styles(node: &Node<'_>) -> (Style, Style) {
    if node.left_out.is_some() {
        (Style::Dim, Style::Dim)
    } else {
        (Style::Bold, Style::Plain)
    }
}

fn family(node: &Node<'_>) -> Style {
    if node.left_out.is_some() {
        Style::Dim
    } else {
        Style::Family(node.colour)
    }
}

/// What the step waits for, and what its modifiers say.
fn meta(view: &View<'_>, node: &Node<'_>) -> Vec<Word> {
    if let Some(reason) = node.left_out {
        return vec![Word::begin(
            Style::Note,
            format!("left out: {}", one_line(reason)),
        )];
    }
    let mut words = Vec::new();
    let mut list = |verb: &str, items: &[&str]| {
        for (index, item) in items.iter().enumerate() {
            let comma = if index + 1 < items.len() { "," } else { "" };
            words.push(if index == 0 {
                Word::begin(Style::Dim, format!("{verb} {item}{comma}"))
            } else {
                Word::new(Style::Dim, format!("{item}{comma}"))
            });
        }
    };
    let reads = node.reads(view);
    list("uses", &reads.iter().map(String::as_str).collect::<Vec<_>>());
    list("after", &node.follows(view));
    words.extend(
        node.notes()
            .into_iter()
            .map(|note| Word::begin(Style::Note, note)),
    );
    words
}

/// `:31` in the playbook itself, `flannel.rhai:9` in a module.
fn place(view: &View<'_>, at: &Location) -> String {
    let file = if at.file == view.plan.playbook && at.line > 0 {
        String::new()
    } else {
        one_line(at.file.rsplit('/').next().unwrap_or_default())
    };
    if at.line == 0 {
        file
    } else {
        format!("{file}:{}", at.line)
    }
}

/// The end of a text that fits, with `…` before it.
fn tail(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut rest = text;
    while width(rest) + 1 > columns {
        let mut letters = rest.chars();
        if letters.next().is_none() {
            return String::new();
        }
        rest = letters.as_str();
    }
    format!("…{rest}")
}

fn widest(texts: &[String]) -> usize {
    texts.iter().map(|text| width(text)).max().unwrap_or(0)
}
