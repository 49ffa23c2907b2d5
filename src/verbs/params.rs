//! `psprun params PLAYBOOK`.

use psprun_engine::builtin::show_short;
use psprun_engine::script::Param;
use psprun_engine::secrets::MASK;
use serde_json::Value;

use super::{ListFormat, to_json};
use crate::cli::Surroundings;
use crate::exit::{Exit, Stop};
use crate::session::Session;
use crate::terminal::{self, Paint};
use crate::{playbook, table, values};

/// List a playbook's parameters
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  psprun params kubeadm-psp
  psprun params deploy.rhai --values production.yaml -o json")]
pub struct Args {
    /// The playbook: a file, or the name of a bundled one
    #[arg(value_hint = clap::ValueHint::FilePath)]
    playbook: String,

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

    #[command(flatten)]
    values: values::Args,
}

/// Lists.
///
/// # Errors
/// The playbook cannot be evaluated far enough.
pub fn run(args: &Args, surroundings: &Surroundings) -> Result<Exit, Stop> {
    let playbook = playbook::open(&args.playbook)?;
    let values = args.values.read()?;
    let mut params = Session::live().params(&playbook, &values)?;
    for param in &mut params {
        // The planner went on with a stand-in.
        if param.default.is_none() && !values.contains_key(&param.name) {
            param.value = None;
        }
    }
    params.iter_mut().filter(|param| param.secret).for_each(mask);
    let text = match args.format {
        ListFormat::Json => to_json(&params),
        ListFormat::Table if params.is_empty() => format!("{} has no parameters\n", playbook.name),
        ListFormat::Table => draw(&params, surroundings),
    };
    terminal::print(&text)?;
    Ok(Exit::Done)
}

fn mask(param: &mut Param) {
    let masked = |value: &Option<Value>| value.as_ref().map(|_| Value::from(MASK));
    (param.default, param.value) = (masked(&param.default), masked(&param.value));
}

fn draw(params: &[Param], surroundings: &Surroundings) -> String {
    let given = params
        .iter()
        .any(|param| param.value.is_some() && param.value != param.default);
    let mut headings = vec!["NAME", "TYPE", "DEFAULT"];
    if given {
        headings.push("VALUE");
    }
    headings.push("WHAT IT IS");
    let rows: Vec<Vec<String>> = params
        .iter()
        .map(|param| {
            let mut row = vec![
                param.name.clone(),
                param.kind.clone(),
                param
                    .default
                    .as_ref()
                    .map_or_else(|| "(required)".to_owned(), show),
            ];
            if given {
                row.push(param.value.as_ref().map_or_else(String::new, show));
            }
            row.push(about(param));
            row
        })
        .collect();
    let paint = Paint {
        on: surroundings.terminal.stdout_colour,
    };
    table::draw(&headings, &rows, surroundings.terminal.stdout_width, paint)
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
        other => show_short(other),
    }
}

/// The doc, and what limits the values.
fn about(param: &Param) -> String {
    let mut notes = Vec::new();
    if let Some(choices) = &param.choices {
        let choices: Vec<String> = choices.iter().map(show).collect();
        notes.push(format!("one of {}", choices.join(", ")));
    }
    if let Some(pattern) = &param.pattern {
        notes.push(format!("matches {pattern}"));
    }
    match (param.min, param.max) {
        (Some(min), Some(max)) => notes.push(format!("{min} to {max}")),
        (Some(min), None) => notes.push(format!("at least {min}")),
        (None, Some(max)) => notes.push(format!("at most {max}")),
        (None, None) => {}
    }
    if param.secret {
        notes.push("secret".to_owned());
    }
    let doc = param.doc.trim();
    match (doc.is_empty(), notes.is_empty()) {
        (_, true) => doc.to_owned(),
        (true, false) => notes.join("; "),
        (false, false) => format!("{doc} ({})", notes.join("; ")),
    }
}
