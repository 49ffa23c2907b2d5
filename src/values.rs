//! Values for a playbook's parameters: `--set NAME=VALUE` and `--values FILE`.
//!
//! The only place of the program that names a YAML crate.

use std::path::PathBuf;

use psprun_engine::script::Values;
use psprun_engine::{Diagnostic, Location};
use serde_json::Value;

use crate::exit::{Stop, reason};

/// The options that give values.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Sets a parameter; may be repeated, and wins over --values
    #[arg(long = "set", value_name = "NAME=VALUE", help_heading = "Parameters", value_parser = parse_pair)]
    pub set: Vec<(String, String)>,

    /// Reads parameters from a YAML file, a map of names to values; may be repeated, the last one wins
    #[arg(long = "values", value_name = "FILE", help_heading = "Parameters", value_hint = clap::ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE, e.g. --set cni=flannel".to_owned()),
    }
}

impl Args {
    /// All values together.
    ///
    /// # Errors
    /// A file cannot be read, or is no YAML map.
    pub fn read(&self) -> Result<Values, Stop> {
        let mut values = Values::new();
        for file in &self.files {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file).map_err(|error| {
                Diagnostic::new(
                    "psprun::values::unreadable",
                    format!("cannot read the values file `{name}`: {}", reason(&error)),
                )
                .help("--values takes a YAML file with the playbook's parameters, e.g. `cni: flannel`")
            })?;
            match parse(&name, &text) {
                Ok(more) => values.extend(more),
                Err(diagnostic) => {
                    return Err(Stop::with_source(vec![*diagnostic], move |file| {
                        (file == name).then(|| text.clone())
                    }));
                }
            }
        }
        for (name, value) in &self.set {
            values.insert(name.clone(), Value::String(value.clone()));
        }
        Ok(values)
    }
}

/// Reads a YAML map.
fn parse(name: &str, text: &str) -> Result<Values, Box<Diagnostic>> {
    let value: Value = serde_yaml::from_str(text).map_err(|error| {
        let place = error.location().map_or_else(
            || Location::new(name, 0, 0),
            |at| Location::new(name, small(at.line()), small(at.column())),
        );
        let whole = error.to_string();
        // The place is shown with the file's line.
        let message = whole.split(" at line ").next().unwrap_or(&whole);
        Box::new(
            Diagnostic::new(
                "psprun::values::yaml",
                format!("the values file is no YAML: {message}"),
            )
            .at(place, "here")
            .help("write one `name: value` a line; indent with blanks, not with tabs"),
        )
    })?;
    match value {
        Value::Null => Ok(Values::new()),
        Value::Object(map) => Ok(map.into_iter().collect()),
        other => Err(Box::new(
            Diagnostic::new(
                "psprun::values::no_map",
                format!(
                    "the values file is {}, not a map of names to values",
                    kind(&other)
                ),
            )
            .at(Location::new(name, 1, 1), "here")
            .help("write one `name: value` a line"),
        )),
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn pairs_keep_all_after_the_first_equals_sign() {
        assert_eq!(parse_pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(parse_pair("a="), Ok(("a".to_owned(), String::new())));
        assert!(parse_pair("a").is_err());
        assert!(parse_pair("=b").is_err());
    }

    #[test]
    fn a_map_becomes_values() {
        let values = parse("v.yaml", "cni: flannel\nports: [80, 443]\nn: 3\non: true\n").unwrap();
        let json = serde_json::to_value(values).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"cni": "flannel", "ports": [80, 443], "n": 3, "on": true})
        );
        assert!(parse("v.yaml", "").unwrap().is_empty());
        assert!(parse("v.yaml", "# nothing\n").unwrap().is_empty());
    }

    #[test]
    fn errors_say_where() {
        for (text, line) in [("a: b\n\tc: d\n", 2), ("a: [1\nb: 2\n", 2), ("a: b\n c: d\n", 2)] {
            let error = parse("v.yaml", text).unwrap_err();
            assert_eq!(error.labels[0].0.line, line, "{text:?}: {error}");
            assert!(!error.message.contains("at line"), "{error}");
        }
        assert!(parse("v.yaml", "- a\n").unwrap_err().message.contains("a list"));
        assert!(parse("v.yaml", "x").unwrap_err().message.contains("a string"));
    }

    #[test]
    fn set_wins_over_files_and_the_last_wins() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("1.yaml"), folder.path().join("2.yaml"));
        std::fs::write(&one, "a: 1\nb: 1\nc: 1\n").unwrap();
        std::fs::write(&two, "b: 2\nc: 2\n").unwrap();
        let args = Args {
            set: vec![("c".into(), "3".into()), ("c".into(), "4".into())],
            files: vec![one, two],
        };
        let Ok(values) = args.read() else { unreachable!() };
        let json = serde_json::to_value(values).unwrap();
        assert_eq!(json, serde_json::json!({"a": 1, "b": 2, "c": "4"}));
    }
}
