//! Colours: the same family of builtins looks the same in every format and every plan.

use std::collections::BTreeMap;

use crate::builtin::{Receiver, Spec};

/// How a piece of a text for a terminal looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Bold,
    Dim,
    /// What needs attention: conditions, retries, what is left out.
    Note,
    /// The longest chain.
    Chain,
    /// A builtin, by its family's colour.
    Family(&'static Colour),
}

/// Writes pieces of text with or without colours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    pub on: bool,
}

impl Paint {
    pub(super) fn push(self, out: &mut String, style: Style, text: &str) {
        let code = match style {
            _ if !self.on || text.is_empty() => "",
            Style::Plain => "",
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Note => "33",
            Style::Chain => "1;32",
            Style::Family(colour) => colour.ansi,
        };
        if code.is_empty() {
            out.push_str(text);
        } else {
            out.push_str("\x1b[");
            out.push_str(code);
            out.push('m');
            out.push_str(text);
            out.push_str("\x1b[0m");
        }
    }
}

/// A family's colour in each medium.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Colour {
    /// One of the sixteen colours of a terminal, readable on dark and on light.
    pub ansi: &'static str,
    /// For lines and small text on white: dark enough to be read.
    pub ink: &'static str,
    /// For areas below black text.
    pub fill: &'static str,
}

const fn colour(ansi: &'static str, ink: &'static str, fill: &'static str) -> Colour {
    Colour { ansi, ink, fill }
}

const PALETTE: [Colour; 8] = [
    colour("36", "#0e7490", "#e6f6fa"),
    colour("35", "#86198f", "#fbeafc"),
    colour("94", "#1d4ed8", "#e8effe"),
    colour("32", "#15803d", "#e7f7ec"),
    colour("94", "#4338ca", "#edebfd"),
    colour("95", "#be185d", "#fdeaf2"),
    colour("96", "#0f766e", "#e4f6f3"),
    colour("92", "#4d7c0f", "#f0f7e0"),
];

/// The family of a builtin: its namespace, or else the kind of thing that it is called on or makes, or else its name.
pub(super) fn family(spec: &Spec) -> &'static str {
    if let Some((namespace, _)) = spec.name.split_once("::") {
        return namespace;
    }
    match (spec.receiver, spec.produces) {
        (Receiver::Required(kind) | Receiver::Optional(kind), _) | (Receiver::None, Some(kind)) => kind,
        (Receiver::None, None) => spec.name,
    }
}

/// Gives each family its colour: one that hangs on the family's name, so that plans look alike, or the next free one.
pub(super) fn colours<'f>(families: impl IntoIterator<Item = &'f str>) -> BTreeMap<&'f str, &'static Colour> {
    let mut given: BTreeMap<&str, &'static Colour> = families.into_iter().map(|f| (f, &PALETTE[0])).collect();
    let mut taken = [false; PALETTE.len()];
    for (family, place) in &mut given {
        let wanted = family
            .bytes()
            .fold(0_usize, |hash, byte| (hash * 31 + usize::from(byte)) % 65_521)
            % PALETTE.len();
        let free = (0..PALETTE.len())
            .map(|offset| (wanted + offset) % PALETTE.len())
            .find(|index| !taken[*index])
            .unwrap_or(wanted);
        taken[free] = true;
        *place = &PALETTE[free];
    }
    given
}
