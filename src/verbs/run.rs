//! `psprun PLAYBOOK`, or `psprun run PLAYBOOK`.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::RangedU64ValueParser;
use psprun_engine::plan::{Files, Plan, Selection, SelectionError};
use psprun_engine::run::{Interrupt, RunOptions, RunResult};
use psprun_engine::{Consumer, Diagnostic};

use crate::cli::Surroundings;
use crate::diagnose::Source;
use crate::exit::{Exit, Stop, reason};
use crate::report::{EventLog, EventLogState, Live, Look, Plain, Sink, Summary, Timeline, Verbosity};
use crate::session::Session;
use crate::terminal::{self, Paint, Terminal};
use crate::{playbook, signals, values};

/// Run a playbook; the verb may be left out
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  psprun playbooks/kubeadm-psp.rhai --dry-run
  psprun run deploy.rhai --set replicas=3 --values production.yaml
  psprun deploy.rhai --target database        only that step, and what it needs
  psprun deploy.rhai --skip tag:slow --events run.jsonl

Ctrl-C stops a run: nothing more starts, running commands are ended, `finally` steps run.
A second Ctrl-C stops at once.")]
pub struct Args {
    /// The playbook: a file, or the name of a bundled one (see psprun playbooks)
    #[arg(value_hint = clap::ValueHint::FilePath)]
    playbook: String,

    /// Print the graph of what would be done, and touch nothing
    #[arg(long, help_heading = "Run", conflicts_with = "rehearse")]
    dry_run: bool,

    /// Run on a simulated machine and cluster, and touch nothing
    #[arg(long, help_heading = "Run")]
    rehearse: bool,

    /// How many steps may run at once
    #[arg(short, long, value_name = "N", help_heading = "Run", default_value_t = RunOptions::default().jobs)]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    jobs: usize,

    /// Let nothing more start once a step has failed
    #[arg(long, help_heading = "Run")]
    fail_fast: bool,

    /// Write every event as a line of JSON; `-` is standard output
    #[arg(long, value_name = "FILE", help_heading = "Run", value_hint = clap::ValueHint::FilePath)]
    events: Option<PathBuf>,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    values: values::Args,
}

/// Which steps are meant.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Choice {
    /// Only this step and what it needs; may be repeated
    #[arg(long, value_name = "STEP", help_heading = "Choice of steps")]
    target: Vec<String>,

    /// Not this step, or not the steps with this tag (`tag:TAG`); may be repeated
    #[arg(long, value_name = "STEP|tag:TAG", help_heading = "Choice of steps")]
    skip: Vec<String>,

    /// Start at this step: of what comes before it, only what later steps read from
    #[arg(long, value_name = "STEP", help_heading = "Choice of steps")]
    from: Option<String>,
}

impl Choice {
    /// For the engine; an unknown step or tag is told now.
    ///
    /// # Errors
    /// A step or tag that the plan does not have.
    pub fn check(&self, plan: &Plan) -> Result<Selection, Stop> {
        let selection = Selection {
            targets: self.target.clone(),
            skip: self.skip.clone(),
            from: self.from.clone(),
        };
        match selection.apply(plan) {
            Ok(_) => Ok(selection),
            Err(error) => Err(wrong_choice(&error).into()),
        }
    }
}

/// The first line says what is wrong, the others what there is.
fn wrong_choice(error: &SelectionError) -> Diagnostic {
    let (message, help) = error.message.split_once('\n').unwrap_or((&error.message, ""));
    let wrong = Diagnostic::new("psprun::plan::selection", message);
    if help.is_empty() {
        wrong
    } else {
        wrong.help(help.trim())
    }
}

/// Runs, or shows what would be run.
///
/// # Errors
/// The playbook does not plan, or an option is wrong.
pub fn run(args: &Args, surroundings: &Surroundings) -> Result<Exit, Stop> {
    let session = Session::live();
    let playbook = playbook::open(&args.playbook)?;
    let plan = session.plan(&playbook, &args.values.read()?)?;
    let selection = args.choice.check(&plan)?;
    if args.rehearse {
        terminal::complain("psprun: rehearsal is not there yet; this is the dry run instead\n");
    }
    if args.dry_run || args.rehearse {
        return super::graph::print_tree(&plan, &selection, surroundings);
    }
    let source = with_files(session.source(&playbook), plan.files.clone());
    let mut consumers: Vec<Box<dyn Consumer>> = Vec::new();
    let mut events = None;
    if let Some(path) = &args.events {
        let (log, state) = EventLog::new(open_events(path)?, terminal::complain);
        consumers.push(Box::new(log));
        events = Some(state);
    }
    consumers.extend(reporters(&plan, source, surroundings));
    let options = RunOptions {
        jobs: args.jobs,
        fail_fast: args.fail_fast,
        selection,
        ..RunOptions::default()
    };
    let result = execute(&plan, &options, consumers)?;
    Ok(exit(&result, events.as_ref()))
}

/// The scripts, and the manifests that steps name.
fn with_files(scripts: Source, files: Arc<Files>) -> Source {
    Arc::new(move |name| scripts(name).or_else(|| Some(files.get(name)?.text()?.to_owned())))
}

/// Who tells people of the run.
fn reporters(plan: &Plan, source: Source, surroundings: &Surroundings) -> [Box<dyn Consumer>; 2] {
    let terminal = &surroundings.terminal;
    let verbosity = surroundings.verbosity;
    // Verbose output is a log, also on a terminal: it is read, not watched.
    let live = terminal.live && verbosity == Verbosity::Normal;
    let look = look(plan, terminal, live);
    let lines: Box<dyn Consumer> = if live {
        Box::new(Live::new(look))
    } else {
        Box::new(Plain::new(look, verbosity, Box::new(io::stderr())))
    };
    let look = Look {
        width: terminal.stderr_width,
        ..look
    };
    let summary = Summary::new(
        look,
        verbosity,
        Timeline::of(plan),
        source,
        Box::new(io::stderr()),
    );
    [lines, Box::new(summary)]
}

fn look(plan: &Plan, terminal: &Terminal, live: bool) -> Look {
    let paint = Paint {
        on: terminal.stderr_colour,
    };
    // The steps that a fan-out becomes have longer names than the fan-out: `deploy.0`.
    let names = plan.steps().map(|(_, step)| match step.unfolds() {
        true => format!("{}.0", step.name),
        false => step.name.to_string(),
    });
    Look::new(
        paint,
        terminal.unicode,
        terminal.stderr_width.filter(|_| live),
        names,
    )
}

fn open_events(path: &PathBuf) -> Result<Sink, Stop> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdout()));
    }
    let file = File::create(path).map_err(|error| {
        Diagnostic::new(
            "psprun::events::unwritable",
            format!("cannot write events to `{}`: {}", path.display(), reason(&error)),
        )
        .help("nothing was run; give --events a file that can be written, or `-` for standard output")
    })?;
    Ok(Box::new(file))
}

fn execute(plan: &Plan, options: &RunOptions, consumers: Vec<Box<dyn Consumer>>) -> Result<RunResult, Stop> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let interrupt = Interrupt::default();
        signals::watch(interrupt.clone());
        psprun_engine::run::run(plan, options, &interrupt, consumers).await
    });
    // A blocking call that cannot be stopped (a name look-up, a stuck disk) must not hold up the exit.
    runtime.shutdown_background();
    result.map_err(|error| wrong_choice(&error).into())
}

fn exit(result: &RunResult, events: Option<&EventLogState>) -> Exit {
    if result.failures.iter().any(|(_, failure)| failure.internal) {
        Exit::Internal
    } else if result.interrupted {
        Exit::Interrupted
    } else if !result.ok() || events.is_some_and(EventLogState::failed) {
        Exit::Failed
    } else {
        Exit::Done
    }
}

#[cfg(test)]
mod tests {
    use psprun_engine::Location;
    use psprun_engine::event::{Counts, Failure};

    use super::*;

    fn result(internal: Option<bool>, interrupted: bool) -> RunResult {
        let failure = |internal| Failure {
            code: "psprun::x".to_owned(),
            message: "no".to_owned(),
            help: None,
            file: None,
            at: Location::new("x.rhai", 1, 1),
            allowed: false,
            internal,
        };
        RunResult {
            counts: Counts::default(),
            failures: internal
                .map(|internal| ("step".into(), failure(internal)))
                .into_iter()
                .collect(),
            interrupted,
            outputs: Vec::new(),
        }
    }

    #[test]
    fn the_exit_status_says_how_a_run_ended() {
        assert_eq!(exit(&result(None, false), None), Exit::Done);
        assert_eq!(exit(&result(Some(false), false), None), Exit::Failed);
        assert_eq!(exit(&result(Some(true), false), None), Exit::Internal);
        assert_eq!(exit(&result(None, true), None), Exit::Interrupted);
        assert_eq!(exit(&result(Some(false), true), None), Exit::Interrupted);
    }
}
