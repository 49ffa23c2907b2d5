//! The program `psprun`: runs playbooks, shows their graphs, explains builtins.
//!
//! The command line is in [`cli`], one file a verb in [`verbs`]; what people see of a run is drawn by the reporters in
//! [`report`]. All the work is done by the engine and the standard library.

mod bundled;
mod cli;
mod crash;
mod diagnose;
mod exit;
mod playbook;
mod report;
mod session;
mod signals;
mod suggest;
mod table;
mod terminal;
mod values;
mod verbs;

use std::process::ExitCode;

fn main() -> ExitCode {
    crash::install_hook();
    cli::main(std::env::args_os()).into()
}
