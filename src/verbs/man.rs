//! `psprun man`.

use std::path::{Path, PathBuf};

use clap_mangen::Man;
use psprun_engine::Diagnostic;

use crate::exit::{Exit, Stop, reason};
use crate::{cli, suggest, terminal};

/// Print a manual page, or write all of them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  psprun man | man -l -
  psprun man graph | man -l -
  psprun man --dir /usr/local/share/man/man1")]
pub struct Args {
    /// The verb whose page is meant; psprun's own page when absent
    verb: Option<String>,

    /// Write the pages of psprun and of every verb into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "verb", value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

/// Prints or writes.
///
/// # Errors
/// There is no such verb, or the folder or standard output cannot be written.
pub fn run(args: &Args) -> Result<Exit, Stop> {
    let pages = pages()?;
    if let Some(dir) = &args.dir {
        write_all(dir, &pages)?;
        return Ok(Exit::Done);
    }
    let wanted = match &args.verb {
        Some(verb) => format!("psprun-{verb}"),
        None => "psprun".to_owned(),
    };
    let Some((_, page)) = pages.iter().find(|(name, _)| *name == wanted) else {
        let verbs: Vec<&str> = pages
            .iter()
            .filter_map(|(name, _)| name.strip_prefix("psprun-"))
            .collect();
        return Err(suggest::among("psprun::usage::verb", "verb", &wanted["psprun-".len()..], &verbs).into());
    };
    terminal::print(&String::from_utf8_lossy(page))?;
    Ok(Exit::Done)
}

/// Names and contents: `psprun`, `psprun-graph`, ….
fn pages() -> Result<Vec<(String, Vec<u8>)>, Stop> {
    let mut command = cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = vec![("psprun".to_owned(), page(command.clone())?)];
    for verb in command.get_subcommands() {
        let name = format!("psprun-{}", verb.get_name());
        let verb = verb.clone().name(name.clone());
        pages.push((name, page(verb)?));
    }
    Ok(pages)
}

fn page(command: clap::Command) -> Result<Vec<u8>, Stop> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}

fn write_all(dir: &Path, pages: &[(String, Vec<u8>)]) -> Result<(), Stop> {
    let cannot = |error: std::io::Error| {
        Diagnostic::new(
            "psprun::man::unwritable",
            format!("cannot write to `{}`: {}", dir.display(), reason(&error)),
        )
    };
    std::fs::create_dir_all(dir).map_err(cannot)?;
    for (name, page) in pages {
        std::fs::write(dir.join(format!("{name}.1")), page).map_err(cannot)?;
    }
    Ok(())
}
