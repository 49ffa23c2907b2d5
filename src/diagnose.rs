//! Errors as people see them: code, message, the lines of the playbook that it is about, and what to do.

mod excerpt;

use std::fmt;
use std::sync::Arc;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode, ThemeCharacters, ThemeStyles};
use psprun_engine::event::Failure;
use psprun_engine::{Diagnostic, Location};

use self::excerpt::Excerpt;
use crate::terminal::plain_text;

/// Gives a script or manifest by the name that a [`Location`] has.
pub type Source = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// How errors are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// In colour.
    pub colour: bool,
    /// With Unicode's lines.
    pub unicode: bool,
    /// Columns of the terminal; `None` in a log, where nothing needs to be cut.
    pub width: Option<usize>,
}

/// How wide text is wrapped where no terminal says it.
const FALLBACK_WIDTH: usize = 100;
/// What miette draws left of a script's lines, and what a label's words want at their right.
const MARGIN: usize = 8;

/// Draws everything that is wrong with a playbook or with what was asked for.
pub fn draw_all(diagnostics: &[Diagnostic], source: Option<&Source>, style: Style) -> String {
    let mut text: String = diagnostics
        .iter()
        .map(|diagnostic| {
            draw(
                diagnostic.code,
                &diagnostic.message,
                diagnostic.help.as_deref(),
                &diagnostic.labels,
                source,
                style,
            )
        })
        .collect::<Vec<_>>()
        .join("\n");
    if diagnostics.len() > 1 {
        text.push_str(&format!("\n{} errors\n", diagnostics.len()));
    }
    text
}

/// Draws why a step failed.
pub fn draw_failure(step: &str, failure: &Failure, source: Option<&Source>, style: Style) -> String {
    let mut labels = Vec::new();
    // The place in a manifest says more than the call that used it.
    if let Some(place) = &failure.file {
        labels.push((parse_location(place), "here".to_owned()));
    }
    labels.push((failure.at.clone(), "this step".to_owned()));
    // Messages quote what commands print.
    let said: Vec<String> = failure.message.lines().map(plain_text).collect();
    let said = said.join("\n");
    let message = match said.strip_prefix("check failed") {
        Some(rest) => format!("check `{step}` failed{rest}"),
        None => format!("step `{step}` failed: {said}"),
    };
    draw(
        &failure.code,
        &message,
        failure.help.as_deref(),
        &labels,
        source,
        style,
    )
}

/// Reads `manifests/x.yaml:12:3`; the numbers may be missing.
fn parse_location(place: &str) -> Location {
    let mut numbers = Vec::new();
    let mut file = place;
    while numbers.len() < 2
        && let Some((rest, number)) = file.rsplit_once(':')
        && let Ok(number) = number.parse::<u32>()
    {
        numbers.push(number);
        file = rest;
    }
    numbers.reverse();
    let line = numbers.first().copied().unwrap_or(0);
    Location::new(file, line, numbers.get(1).copied().unwrap_or(u32::from(line > 0)))
}

fn draw(
    code: &str,
    message: &str,
    help: Option<&str>,
    labels: &[(Location, String)],
    source: Option<&Source>,
    style: Style,
) -> String {
    let mut shown = Shown {
        code: Some(code.to_owned()),
        message: message.to_owned(),
        help: help.map(str::to_owned),
        ..Shown::default()
    };
    let mut files: Vec<&str> = Vec::new();
    for (location, _) in labels {
        if !files.contains(&&*location.file) {
            files.push(&location.file);
        }
    }
    for file in files {
        let places: Vec<&(Location, String)> = labels
            .iter()
            .filter(|(location, _)| &*location.file == file)
            .collect();
        let text = source.and_then(|source| source(file));
        let room = style.width.map(|width| width.saturating_sub(MARGIN).max(MARGIN));
        let Some((text, spans)) = text.and_then(|text| Excerpt::of(file, &text, &places, room)) else {
            // Without its text, a place can still be named.
            for (location, words) in places {
                shown.message.push_str(&format!("\nat {location} ({words})"));
            }
            continue;
        };
        let source = Some(text);
        if shown.source.is_none() {
            (shown.source, shown.labels) = (source, spans);
        } else {
            // A report has one source; further files follow as reports of their own.
            shown.related.push(Shown {
                message: format!("called in {file}"),
                source,
                labels: spans,
                advice: true,
                ..Shown::default()
            });
        }
    }
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(theme(style))
        .with_width(style.width.unwrap_or(FALLBACK_WIDTH).max(30))
        .with_links(false)
        .with_context_lines(1);
    if handler.render_report(&mut text, &shown).is_err() {
        text = format!("{code}: {message}\n");
    }
    trim_lines(&text)
}

fn theme(style: Style) -> GraphicalTheme {
    GraphicalTheme {
        characters: if style.unicode {
            ThemeCharacters::unicode()
        } else {
            ThemeCharacters::ascii()
        },
        styles: if style.colour {
            ThemeStyles::ansi()
        } else {
            ThemeStyles::none()
        },
    }
}

/// Without blanks at the ends of lines, and with one line end at the end.
fn trim_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("{}\n", lines.join("\n").trim_matches('\n'))
}

/// What miette is given.
#[derive(Default)]
struct Shown {
    code: Option<String>,
    message: String,
    help: Option<String>,
    source: Option<Excerpt>,
    labels: Vec<LabeledSpan>,
    related: Vec<Shown>,
    advice: bool,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl miette::Diagnostic for Shown {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code
            .as_ref()
            .map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        self.advice.then_some(miette::Severity::Advice)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty())
            .then(|| Box::new(self.labels.iter().cloned()) as Box<dyn Iterator<Item = _>>)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        (!self.related.is_empty()).then(|| {
            Box::new(self.related.iter().map(|shown| shown as &dyn miette::Diagnostic))
                as Box<dyn Iterator<Item = _>>
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "let cluster = kubeadm::init(#{});\nlet größe = cluster.aply(\"x.yaml\");\n";

    fn source() -> Source {
        Arc::new(|file| match file {
            "wide.rhai" => Some(format!(
                "{} wrong({}\n",
                "let x = 1; ".repeat(20),
                "1, ".repeat(50)
            )),
            "a.rhai" => Some(SCRIPT.to_owned()),
            "x.yaml" => Some("kind: Pod\nspec:\n  colour: red\n".to_owned()),
            _ => None,
        })
    }

    fn style(width: usize) -> Style {
        Style {
            colour: false,
            unicode: true,
            width: Some(width),
        }
    }

    fn unknown_builtin() -> Diagnostic {
        Diagnostic::new("psprun::plan::unknown_builtin", "a cluster has no builtin `aply`")
            .at(Location::new("a.rhai", 2, 21), "not known")
            .help("did you mean `apply`?")
    }

    #[test]
    fn shows_the_line_and_the_word() {
        insta::assert_snapshot!(draw_all(&[unknown_builtin()], Some(&source()), style(80)));
    }

    #[test]
    fn shows_every_error() {
        let cycle = Diagnostic::new(
            "psprun::plan::cycle",
            "steps wait for each other: `a` → `b` → `a`",
        )
        .at(Location::new("a.rhai", 1, 5), "`a` runs after `b`")
        .at(Location::new("a.rhai", 2, 13), "`b` uses `a.x`")
        .help("take one of these away");
        let both = [unknown_builtin(), cycle];
        insta::assert_snapshot!(draw_all(&both, Some(&source()), style(80)));
    }

    #[test]
    fn fits_forty_columns() {
        let text = draw_all(&[unknown_builtin()], Some(&source()), style(40));
        for line in text.lines() {
            assert!(console::measure_text_width(line) <= 40, "{line:?}");
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn shows_the_part_of_a_long_line_that_matters() {
        let far_right =
            Diagnostic::new("psprun::x", "it is wrong").at(Location::new("wide.rhai", 1, 222), "here");
        let shown = draw_all(std::slice::from_ref(&far_right), Some(&source()), style(60));
        for line in shown.lines() {
            assert!(console::measure_text_width(line) <= 60, "{line:?}");
        }
        insta::assert_snapshot!(shown);
        let in_a_log = Style {
            width: None,
            ..style(0)
        };
        assert!(draw_all(&[far_right], Some(&source()), in_a_log).contains("1, 1, 1,\n"));
    }

    #[test]
    fn ascii_and_colour() {
        let style = Style {
            colour: true,
            unicode: false,
            width: Some(80),
        };
        let text = draw_all(&[unknown_builtin()], Some(&source()), style);
        assert!(text.is_ascii() || text.contains("größe"), "{text}");
        assert!(text.contains("\x1b["), "{text}");
    }

    #[test]
    fn names_a_place_whose_text_is_not_there() {
        let elsewhere = Diagnostic::new("psprun::x", "it is wrong").at(Location::new("b.rhai", 3, 1), "here");
        insta::assert_snapshot!(draw_all(&[elsewhere], Some(&source()), style(80)));
    }

    #[test]
    fn a_place_beyond_the_text_is_no_panic() {
        for (line, column) in [(0, 0), (1, 0), (1, 999), (99, 1), (u32::MAX, u32::MAX)] {
            let wrong =
                Diagnostic::new("psprun::x", "it is wrong").at(Location::new("a.rhai", line, column), "here");
            assert!(draw_all(&[wrong], Some(&source()), style(80)).contains("it is wrong"));
        }
    }

    #[test]
    fn a_step_failure_shows_manifest_and_call() {
        let failure = Failure {
            code: "psprun::apply::unknown_field".to_owned(),
            message: "Pod/x: unknown field `spec.colour`".to_owned(),
            help: Some("take the field out".to_owned()),
            file: Some("x.yaml:3:3".to_owned()),
            at: Location::new("a.rhai", 2, 21),
            allowed: false,
            internal: false,
        };
        insta::assert_snapshot!(draw_failure("größe", &failure, Some(&source()), style(80)));
    }

    #[test]
    fn locations_are_read_with_and_without_numbers() {
        assert_eq!(parse_location("a/b.yaml:12:3"), Location::new("a/b.yaml", 12, 3));
        assert_eq!(parse_location("a/b.yaml:12"), Location::new("a/b.yaml", 12, 1));
        assert_eq!(parse_location("a/b.yaml"), Location::new("a/b.yaml", 0, 0));
        assert_eq!(parse_location("a:b.yaml"), Location::new("a:b.yaml", 0, 0));
    }
}
