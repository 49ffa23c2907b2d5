//! `psprun completions SHELL`.

use clap_complete::Shell;

use crate::exit::{Exit, Stop};
use crate::{cli, terminal};

/// Print a shell's completion script
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  psprun completions bash > /etc/bash_completion.d/psprun
  psprun completions zsh > \"${fpath[1]}/_psprun\"
  psprun completions fish > ~/.config/fish/completions/psprun.fish")]
pub struct Args {
    /// bash, elvish, fish, powershell or zsh
    #[arg(value_enum, hide_possible_values = true)]
    shell: Shell,
}

/// Prints.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &Args) -> Result<Exit, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli::command(), "psprun", &mut script);
    terminal::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
