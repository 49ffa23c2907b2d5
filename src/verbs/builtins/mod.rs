//! `psprun builtins [NAME]`.

mod doc;
mod json;
mod markdown;
mod schema;
mod text;

use clap::ValueEnum;
use psprun_engine::Registry;

use self::doc::{BuiltinPage, FunctionPage};
use crate::cli::Surroundings;
use crate::exit::{Exit, Stop};
use crate::session::Session;
use crate::{suggest, terminal};

/// List what playbooks can call, or explain one of it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  psprun builtins
  psprun builtins wait_ready
  psprun builtins -o markdown > builtins.md")]
pub struct Args {
    /// A builtin or a function: apply, host::run, …
    name: Option<String>,

    /// text, markdown or json
    #[arg(
        short = 'o',
        long,
        visible_alias = "output",
        value_name = "FORMAT",
        value_enum,
        default_value_t
    )]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For a book.
    Markdown,
    /// For programs.
    Json,
}

/// All pages, or the one that was asked for.
struct Pages {
    builtins: Vec<BuiltinPage>,
    functions: Vec<FunctionPage>,
}

/// Explains.
///
/// # Errors
/// There is nothing of this name.
pub fn run(args: &Args, surroundings: &Surroundings) -> Result<Exit, Stop> {
    let session = Session::live();
    let pages = pages(session.registry(), args.name.as_deref())?;
    let one = args.name.is_some();
    let text = match args.format {
        Format::Json => json::draw(&pages),
        Format::Markdown => markdown::draw(&pages, one),
        Format::Text => text::draw(&pages, one, &surroundings.terminal),
    };
    terminal::print(&text)?;
    Ok(Exit::Done)
}

fn pages(registry: &Registry, name: Option<&str>) -> Result<Pages, Stop> {
    let wanted = |own: &str, aliases: &[&str]| name.is_none_or(|name| own == name || aliases.contains(&name));
    let pages = Pages {
        builtins: registry
            .builtins()
            .filter(|builtin| wanted(builtin.spec.name, builtin.spec.aliases))
            .map(|builtin| BuiltinPage::of(&builtin))
            .collect(),
        functions: registry
            .functions()
            .filter(|function| wanted(function.name, &[]))
            .map(FunctionPage::of)
            .collect(),
    };
    match name {
        Some(name) if pages.builtins.is_empty() && pages.functions.is_empty() => {
            let builtins = registry.builtins().flat_map(|builtin| {
                std::iter::once(builtin.spec.name).chain(builtin.spec.aliases.iter().copied())
            });
            let known: Vec<&str> = builtins
                .chain(registry.functions().map(|function| function.name))
                .collect();
            Err(suggest::among("psprun::builtins::unknown", "builtin or function", name, &known).into())
        }
        _ => Ok(pages),
    }
}

#[cfg(test)]
mod tests;
