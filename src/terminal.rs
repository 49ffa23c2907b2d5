//! Where text goes: data to standard output, everything else to standard error; how wide, and in colour or not.

use std::io::{self, IsTerminal, Write};

use crate::exit::Stop;

/// `--color`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// In colour on a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always in colour.
    Always,
    /// Never in colour.
    Never,
}

/// What is known of the two output streams.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Standard output in colour.
    pub stdout_colour: bool,
    /// Standard error in colour.
    pub stderr_colour: bool,
    /// Standard error is a terminal that can move its cursor: a live display is possible.
    pub live: bool,
    /// Marks and lines may be more than ASCII.
    pub unicode: bool,
    /// Columns of standard error, when it is a terminal.
    pub stderr_width: Option<usize>,
    /// Columns of standard output, when it is a terminal.
    pub stdout_width: Option<usize>,
}

impl Terminal {
    /// Looks at the streams and the environment.
    pub fn detect(colour: Colour) -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let terminal = variable("TERM");
        let dumb = terminal.as_deref() == Some("dumb");
        let wanted = |is_terminal: bool| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => is_terminal && !dumb && variable("NO_COLOR").is_none(),
        };
        let stderr_is_terminal = io::stderr().is_terminal();
        let locale = variable("LC_ALL")
            .or_else(|| variable("LC_CTYPE"))
            .or_else(|| variable("LANG"));
        Self {
            stdout_colour: wanted(io::stdout().is_terminal()),
            stderr_colour: wanted(stderr_is_terminal),
            live: stderr_is_terminal && !dumb,
            unicode: speaks_unicode(terminal.as_deref(), locale.as_deref()),
            stderr_width: columns(&console::Term::stderr()),
            stdout_width: columns(&console::Term::stdout()),
        }
    }
}

/// The console of a bare machine (`TERM=linux`) has few glyphs; a log without a locale is read elsewhere, as UTF-8.
fn speaks_unicode(terminal: Option<&str>, locale: Option<&str>) -> bool {
    let locale_can = locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    terminal != Some("linux") && locale_can
}

/// `None` when it is no terminal.
fn columns(stream: &console::Term) -> Option<usize> {
    if !stream.is_term() {
        return None;
    }
    stream
        .size_checked()
        .map(|(_, columns)| usize::from(columns))
        .filter(|columns| *columns > 0)
}

/// Writes data to standard output.
///
/// # Errors
/// Nobody reads it any more, or it cannot be written.
pub fn print(text: &str) -> Result<(), Stop> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Writes to standard error. There is nobody to tell when that fails.
pub fn complain(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}

/// A line that cannot move the cursor, ring the bell or paint: what commands print is not ours.
pub fn plain_text(line: &str) -> String {
    let line = line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or("");
    let line = console::strip_ansi_codes(line);
    let mut text = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '\t' => text.push_str("    "),
            c if c.is_control() => {}
            c => text.push(c),
        }
    }
    text
}

/// Paints text, or does not.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    /// Whether it paints.
    pub on: bool,
}

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Headings and names.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What matters less.
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// Failures.
    pub fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    /// What went well.
    pub fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Warnings.
    pub fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    /// What is code: names of builtins, values.
    pub fn cyan(self, text: &str) -> String {
        self.with("36", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unicode_where_it_can_be_read() {
        assert!(speaks_unicode(Some("xterm-256color"), Some("en_GB.UTF-8")));
        assert!(speaks_unicode(Some("xterm"), Some("C.utf8")));
        assert!(speaks_unicode(None, None), "a log of a CI job");
        assert!(
            !speaks_unicode(Some("linux"), Some("en_GB.UTF-8")),
            "the console of a bare machine"
        );
        assert!(!speaks_unicode(Some("xterm"), Some("POSIX")));
    }

    #[test]
    fn paint_only_when_on() {
        assert_eq!(Paint { on: false }.red("x"), "x");
        assert_eq!(Paint { on: true }.red("x"), "\x1b[31mx\x1b[0m");
        assert_eq!(Paint { on: true }.red(""), "");
    }

    #[test]
    fn output_of_commands_cannot_move_the_cursor() {
        let plain = plain_text;
        assert_eq!(plain("a\tb"), "a    b");
        assert_eq!(plain("\x1b[31mred\x1b[0m \x1b[2Jx\x07"), "red x");
        assert_eq!(
            plain("10%\r50%\r100%"),
            "100%",
            "the last state of a progress bar"
        );
        assert_eq!(plain("done\r"), "done");
        assert_eq!(plain(""), "");
    }
}
