//! `psprun playbooks`.

use serde_json::json;

use super::{ListFormat, to_json};
use crate::cli::Surroundings;
use crate::exit::{Exit, Stop};
use crate::terminal::{self, Paint};
use crate::{bundled, table};

/// List the bundled playbooks
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A bundled playbook runs by its name: psprun kubeadm-psp. To change it, make it your own: psprun fork kubeadm-psp DIR")]
pub struct Args {
    /// table or json
    #[arg(
        short = 'o',
        long,
        visible_alias = "output",
        value_name = "FORMAT",
        value_enum,
        default_value_t
    )]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    format: ListFormat,
}

/// Lists.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &Args, surroundings: &Surroundings) -> Result<Exit, Stop> {
    let all: Vec<(&str, &str)> = bundled::playbook_names()
        .into_iter()
        .map(|name| {
            let script = bundled::playbook_path(name)
                .and_then(psprun_plugins::read)
                .unwrap_or_default();
            let about = std::str::from_utf8(script)
                .map(bundled::first_comment)
                .unwrap_or_default();
            (name, about)
        })
        .collect();
    let text = match args.format {
        ListFormat::Json => {
            let all: Vec<_> = all
                .iter()
                .map(|(name, about)| json!({"name": name, "summary": about}))
                .collect();
            to_json(&all)
        }
        ListFormat::Table => {
            let rows: Vec<Vec<String>> = all
                .iter()
                .map(|(name, about)| vec![(*name).into(), (*about).into()])
                .collect();
            let paint = Paint {
                on: surroundings.terminal.stdout_colour,
            };
            table::draw(
                &["NAME", "WHAT IT DOES"],
                &rows,
                surroundings.terminal.stdout_width,
                paint,
            )
        }
    };
    terminal::print(&text)?;
    Ok(Exit::Done)
}
