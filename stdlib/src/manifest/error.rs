//! Why a text is no manifest, and what usually is behind it.

use std::fmt;

use psprun_engine::StepError;

use super::compose::Mark;

/// Why a text cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// The file; empty until it is known.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// What is wrong, in lower case, without a final period.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl ReadError {
    pub(super) fn at(mark: Mark, message: String) -> Self {
        Self {
            file: String::new(),
            line: mark.line,
            column: mark.column,
            message,
            help: None,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}:", self.file)?;
        }
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<ReadError> for StepError {
    fn from(error: ReadError) -> Self {
        let place = format!("{}:{}:{}", error.file, error.line, error.column);
        let what = if error.file.is_empty() {
            "the manifest"
        } else {
            &error.file
        };
        let step = Self::new(
            "psprun::manifest::unreadable",
            format!("{what} is no YAML: {}", error.message),
        )
        .at(place);
        match error.help {
            Some(help) => step.help(help),
            None => step,
        }
    }
}

// --- what usually is behind an error ---------------------------------------------------------------------------------

/// Makes the parser's words a help: what usually is wrong in such a place.
pub(super) fn guess(text: &str, mut error: ReadError) -> ReadError {
    let lines: Vec<&str> = text.lines().collect();
    let here = (error.line as usize).saturating_sub(1);
    let from = here.saturating_sub(2);
    let near = |wanted: &dyn Fn(&str) -> bool| {
        (from..=(here + 1).min(lines.len().saturating_sub(1)))
            .rev()
            .find(|line| lines.get(*line).is_some_and(|text| wanted(text)))
    };
    let is_wrong_separator = |line: &str| {
        let line = line.trim_end();
        line != "---" && line.len() >= 2 && line.bytes().all(|byte| byte == b'-')
    };
    // `--` may be taken for a value that goes on: look at the whole text.
    let separator = lines
        .iter()
        .take(here + 1)
        .rposition(|line| is_wrong_separator(line));
    let indent = |line: &str| line[..line.len() - line.trim_start().len()].to_owned();
    let at = |error: &mut ReadError, line: usize, column: usize| {
        error.line = u32::try_from(line + 1).unwrap_or(u32::MAX);
        error.column = u32::try_from(column + 1).unwrap_or(u32::MAX);
    };
    if let Some(line) = separator {
        at(&mut error, line, 0);
        error.message = format!("`{}` does not separate documents", lines[line].trim_end());
        error.help = Some("write `---`, three dashes".into());
    } else if let Some(line) = near(&|line| indent(line).contains('\t')) {
        at(&mut error, line, lines[line].find('\t').unwrap_or(0));
        error.message = "a tab indents this line".into();
        error.help = Some("YAML is indented with blanks: replace the tab".into());
    } else if let Some(line) = near(&|line| line.contains("{{")) {
        error.help = Some(format!(
            "line {} has `{{{{`: is it a template that was not filled in?",
            line + 1
        ));
    } else if near(&|line| {
        ["<<<<<<<", "=======", ">>>>>>>"]
            .iter()
            .any(|mark| line.starts_with(mark))
    })
    .is_some()
    {
        error.help = Some("is it an unfinished merge of git?".into());
    } else if text.trim_start().starts_with('<') {
        error.help = Some("it begins like an HTML page: was it downloaded from the right address?".into());
    } else if error.message.contains("unexpected character") {
        error.help = Some("a value cannot begin with this character: quote it".into());
    } else if error.message.contains("unknown anchor") {
        error.help = Some("quote a value that begins with `*`".into());
    } else if error.message.contains("quoted scalar") {
        error.help = Some("is a quote not closed?".into());
    } else if error.message.contains("illegal placement of ':'") {
        error.help = Some("is a `[` or `{` above not closed?".into());
    } else if [
        "mapping values",
        "did not find expected",
        "block mapping",
        "block collection",
        "block sequence",
        "indent",
        "simple key",
        "implicit key",
    ]
    .iter()
    .any(|words| error.message.to_lowercase().contains(words))
    {
        error.help = Some("look at the indentation and the `:` of this line and the one above".into());
    }
    error
}
