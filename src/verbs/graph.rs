//! `psprun graph PLAYBOOK`.

use clap::builder::{PossibleValue, PossibleValuesParser};
use psprun_engine::graph;
use psprun_engine::plan::{Plan, Selection};

use super::run::Choice;
use crate::cli::Surroundings;
use crate::exit::{Exit, Stop};
use crate::report::Verbosity;
use crate::session::Session;
use crate::{playbook, terminal, values};

/// Print a playbook's graph: every step, what it will do, and what it waits for
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  psprun graph kubeadm-psp
  psprun graph kubeadm-psp --format dot | dot -Tpng -o graph.png
  psprun graph deploy.rhai --format svg > graph.svg")]
pub struct Args {
    /// The playbook: a file, or the name of a bundled one
    #[arg(value_hint = clap::ValueHint::FilePath)]
    playbook: String,

    /// How to draw it
    #[arg(short = 'o', long, visible_alias = "output", value_name = "FORMAT")]
    #[arg(value_parser = formats(), default_value = graph::FORMATS[0].name)]
    format: String,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    values: values::Args,
}

fn formats() -> PossibleValuesParser {
    let formats = graph::FORMATS.iter();
    PossibleValuesParser::new(formats.map(|format| PossibleValue::new(format.name).help(format.summary)))
}

/// Draws.
///
/// # Errors
/// The playbook does not plan, or there is no such format.
pub fn run(args: &Args, surroundings: &Surroundings) -> Result<Exit, Stop> {
    let format = graph::find(&args.format)?;
    let session = Session::live();
    let playbook = playbook::open(&args.playbook)?;
    let plan = session.plan(&playbook, &args.values.read()?)?;
    let selection = args.choice.check(&plan)?;
    print(&plan, &selection, format, surroundings)
}

/// The graph for people.
///
/// # Errors
/// Standard output cannot be written.
pub fn print_tree(plan: &Plan, selection: &Selection, surroundings: &Surroundings) -> Result<Exit, Stop> {
    print(plan, selection, &graph::FORMATS[0], surroundings)
}

fn print(
    plan: &Plan,
    selection: &Selection,
    format: &graph::Format,
    surroundings: &Surroundings,
) -> Result<Exit, Stop> {
    let options = graph::Options {
        width: surroundings.terminal.stdout_width.unwrap_or(80),
        color: surroundings.terminal.stdout_colour,
        details: surroundings.verbosity == Verbosity::Verbose,
        selection: (*selection != Selection::default())
            .then(|| selection.apply(plan).ok())
            .flatten(),
    };
    terminal::print(&(format.render)(plan, &options))?;
    Ok(Exit::Done)
}
