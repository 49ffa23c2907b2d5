//! The command line: what there is to say, and who does it.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use clap::{ArgAction, Args as _, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::diagnose::{self, Style};
use crate::exit::{Exit, Stop, reason};
use crate::report::Verbosity;
use crate::terminal::{self, Colour, Terminal};
use crate::verbs::{builtins, completions, fork, graph, man, params, playbooks, run};

/// Runs Rhai playbooks that bootstrap kubeadm clusters: planned as a graph, run in parallel, explained when they fail
#[derive(Debug, Parser)]
#[command(
    name = "psprun",
    version,
    override_usage = "psprun <PLAYBOOK> [OPTIONS]\n       psprun <VERB> ...",
    arg_required_else_help = true,
    subcommand_required = true,
    subcommand_value_name = "VERB",
    subcommand_help_heading = "Verbs",
    subcommand_negates_reqs = true,
    disable_help_subcommand = false,
    max_term_width = 100
)]
pub struct Cli {
    #[command(flatten)]
    common: Common,

    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  psprun kubeadm-psp --dry-run            print the graph of the bundled playbook, touch nothing
  sudo psprun kubeadm-psp                 run it
  psprun params kubeadm-psp               list its parameters
  sudo psprun kubeadm-psp --set cni=calico
  psprun fork kubeadm-psp my-cluster      make a playbook of your own from it
  psprun builtins wait_ready              what a builtin takes and gives

Exit status: 0 done, 1 a step or check failed, 2 wrong usage or a playbook that does not plan,
3 an internal error, 130 interrupted";

/// What every verb takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
struct Common {
    /// Tell more: starts, progress, diffs and the output of commands; in graphs, what will be written
    #[arg(short, long, global = true, action = ArgAction::SetTrue, conflicts_with = "quiet")]
    verbose: bool,

    /// Tell failures only
    #[arg(short, long, global = true)]
    quiet: bool,

    /// When to use colours; NO_COLOR is honoured
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    #[arg(
        help = "When to use colours: auto, always or never; NO_COLOR is honoured",
        hide_default_value = true
    )]
    color: Colour,

    /// The same as --color never
    #[arg(long, global = true, overrides_with = "color")]
    no_color: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Args),
    Graph(graph::Args),
    Params(params::Args),
    Playbooks(playbooks::Args),
    Fork(fork::Args),
    Builtins(builtins::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// What a verb is given besides its arguments.
pub struct Surroundings {
    /// The output streams.
    pub terminal: Terminal,
    /// How much to tell.
    pub verbosity: Verbosity,
}

/// The whole command line: the verbs, and the options of a run, which need no verb.
pub fn command() -> clap::Command {
    let command = Cli::command();
    let about = command.get_about().cloned();
    // Augmenting puts the verb's own texts in place of the program's.
    let command = run::Args::augment_args(command.next_help_heading(None::<&str>));
    command.about(about.unwrap_or_default()).after_help(EXAMPLES)
}

/// The verbs' names.
pub fn verbs() -> Vec<String> {
    let mut verbs: Vec<String> = Cli::command()
        .get_subcommands()
        .map(|verb| verb.get_name().to_owned())
        .collect();
    verbs.push("help".to_owned());
    verbs
}

/// Does what the command line says.
pub fn main(args: impl Iterator<Item = OsString>) -> Exit {
    catch_unwind(AssertUnwindSafe(|| parse_and_run(args.collect()))).unwrap_or(Exit::Internal)
}

fn parse_and_run(args: Vec<OsString>) -> Exit {
    // Also messages about the command line itself obey the options for colour.
    let colour = colour_option(&args);
    let parsed = name_the_verb(args).and_then(|args| {
        let matches = command()
            .color(colour.into())
            .try_get_matches_from(args)
            .map_err(Wrong::Usage)?;
        Cli::from_arg_matches(&matches).map_err(Wrong::Usage)
    });
    let cli = match parsed {
        Ok(cli) => cli,
        Err(Wrong::Usage(error)) => {
            // Help and version go to standard output, which may be closed.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
        }
        Err(Wrong::Word(diagnostic)) => return end(Terminal::detect(colour), Err((*diagnostic).into())),
    };
    let common = &cli.common;
    let colour = if common.no_color {
        Colour::Never
    } else {
        common.color
    };
    let surroundings = Surroundings {
        terminal: Terminal::detect(colour),
        verbosity: match (common.quiet, common.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        },
    };
    let result = match &cli.verb {
        Verb::Run(args) => run::run(args, &surroundings),
        Verb::Graph(args) => graph::run(args, &surroundings),
        Verb::Params(args) => params::run(args, &surroundings),
        Verb::Playbooks(args) => playbooks::run(args, &surroundings),
        Verb::Fork(args) => fork::run(args, &surroundings),
        Verb::Builtins(args) => builtins::run(args, &surroundings),
        Verb::Completions(args) => completions::run(args),
        Verb::Man(args) => man::run(args),
    };
    end(surroundings.terminal, result)
}

/// Tells what is wrong.
fn end(terminal: Terminal, result: Result<Exit, Stop>) -> Exit {
    match result {
        Ok(exit) => exit,
        Err(Stop::NobodyReads) => Exit::Done,
        Err(Stop::CannotWrite(error)) => {
            terminal::complain(&format!(
                "psprun: cannot write to standard output: {}\n",
                reason(&error)
            ));
            Exit::Failed
        }
        Err(Stop::Wrong(diagnostics, source)) => {
            let style = Style {
                colour: terminal.stderr_colour,
                unicode: terminal.unicode,
                width: terminal.stderr_width,
            };
            terminal::complain(&diagnose::draw_all(&diagnostics, source.as_ref(), style));
            Exit::Usage
        }
    }
}

enum Wrong {
    Usage(clap::Error),
    Word(Box<psprun_engine::Diagnostic>),
}

/// Puts `run` before a command line that names no verb, so that `psprun PLAYBOOK [options]` is a run.
fn name_the_verb(mut args: Vec<OsString>) -> Result<Vec<OsString>, Wrong> {
    const COMMON: &[&str] = &["-v", "--verbose", "-q", "--quiet", "-vq", "-qv", "--no-color"];
    let mut index = 1;
    while let Some(arg) = args.get(index) {
        let text = arg.to_string_lossy();
        match &*text {
            "-h" | "--help" | "-V" | "--version" => return Ok(args),
            "--color" => index += 2,
            text if COMMON.contains(&text) || text.starts_with("--color=") => index += 1,
            text if text.starts_with('-') => break,
            word => {
                if verbs().iter().any(|verb| verb == word) {
                    return Ok(args);
                }
                check_word(word)?;
                break;
            }
        }
    }
    if args.len() > 1 {
        args.insert(1, "run".into());
    }
    Ok(args)
}

/// A word that can be neither a playbook nor a verb is told as such, before what follows it is complained about.
fn check_word(word: &str) -> Result<(), Wrong> {
    let looks_like_file = word.contains('/') || word.contains('.') || std::path::Path::new(word).exists();
    if looks_like_file || crate::bundled::playbook_path(word).is_some() {
        return Ok(());
    }
    Err(Wrong::Word(Box::new(crate::suggest::unknown_word(word))))
}

/// What `--color` and `--no-color` say, before the command line is understood.
fn colour_option(args: &[OsString]) -> Colour {
    let mut colour = Colour::Auto;
    for (index, arg) in args.iter().enumerate() {
        let value = match arg.to_str() {
            Some("--no-color") => Some("never"),
            Some("--color") => args.get(index + 1).and_then(|value| value.to_str()),
            Some(text) => text.strip_prefix("--color="),
            None => None,
        };
        match value {
            Some("always") => colour = Colour::Always,
            Some("never") => colour = Colour::Never,
            Some("auto") => colour = Colour::Auto,
            _ => {}
        }
    }
    colour
}

impl From<Colour> for clap::ColorChoice {
    fn from(colour: Colour) -> Self {
        match colour {
            Colour::Auto => Self::Auto,
            Colour::Always => Self::Always,
            Colour::Never => Self::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(line: &str) -> String {
        let args = line.split(' ').map(OsString::from).collect();
        match name_the_verb(args) {
            Ok(args) => args
                .iter()
                .map(|arg| arg.to_string_lossy())
                .collect::<Vec<_>>()
                .join(" "),
            Err(Wrong::Word(diagnostic)) => format!("error: {}", diagnostic.message),
            Err(Wrong::Usage(error)) => error.to_string(),
        }
    }

    #[test]
    fn a_playbook_without_a_verb_is_run() {
        assert_eq!(named("psprun x.rhai --dry-run"), "psprun run x.rhai --dry-run");
        assert_eq!(named("psprun --dry-run x.rhai"), "psprun run --dry-run x.rhai");
        assert_eq!(named("psprun -v ./x"), "psprun run -v ./x");
        assert_eq!(
            named("psprun --color never x.rhai"),
            "psprun run --color never x.rhai"
        );
    }

    #[test]
    fn verbs_stay() {
        assert_eq!(named("psprun graph x.rhai"), "psprun graph x.rhai");
        assert_eq!(
            named("psprun -q --color=never graph x.rhai"),
            "psprun -q --color=never graph x.rhai"
        );
        assert_eq!(named("psprun help run"), "psprun help run");
        assert_eq!(named("psprun --version"), "psprun --version");
        assert_eq!(named("psprun"), "psprun");
        assert_eq!(named("psprun -v"), "psprun run -v");
    }

    #[test]
    fn a_word_that_is_nothing_is_told_first() {
        assert_eq!(
            named("psprun grahp x.rhai"),
            "error: `grahp` is no file, no bundled playbook and no verb"
        );
    }

    #[test]
    fn colour_is_known_early() {
        let colour = |line: &str| colour_option(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(colour("psprun x --no-color"), Colour::Never);
        assert_eq!(colour("psprun --color always x"), Colour::Always);
        assert_eq!(colour("psprun --color=never x"), Colour::Never);
        assert_eq!(colour("psprun x"), Colour::Auto);
    }

    #[test]
    fn the_command_is_sound() {
        command().debug_assert();
    }
}
