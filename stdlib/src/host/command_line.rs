//! Command lines as playbooks write them: a list of words, or a text for the shell.

use std::borrow::Cow;

use psprun_engine::{Context, StepError};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A program with its arguments, or a text for the shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandLine {
    /// What is started: the text of a shell is the last word of `sh -c …`.
    pub(crate) argv: Vec<String>,
    /// Whether it was a text.
    pub(crate) is_shell: bool,
}

impl CommandLine {
    /// The command as its playbook has it, for messages.
    pub(crate) fn shown(&self) -> String {
        const LIMIT: usize = 200;
        let text = match self.argv.last() {
            Some(text) if self.is_shell => text.trim().to_owned(),
            _ => crate::target::Command::new(self.argv.clone()).to_string(),
        };
        if text.chars().count() > LIMIT {
            let cut: String = text.chars().take(LIMIT).collect();
            return format!("{cut}…");
        }
        text
    }

    /// Refuses a secret on the command line: everybody on the machine may read it there.
    pub(crate) fn holds_no_secret(&self, context: &Context) -> Result<(), StepError> {
        if self.argv.iter().any(|word| context.holds_secret(word)) {
            return Err(StepError::new(
                "psprun::host::secret_in_arguments",
                format!(
                    "the command line of `{}` has a secret in it, which every user of the machine could read with `ps`",
                    self.argv.first().map_or("", String::as_str)
                ),
            )
            .help(
                "give it through the environment, `#{ env: #{ TOKEN: token } }`, and let the shell's text read \"$TOKEN\"; \
                 or through `stdin`",
            ));
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for CommandLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) if text.trim().is_empty() => {
                Err(D::Error::custom("the command is an empty text"))
            }
            Value::String(text) => Ok(Self {
                argv: vec!["sh".to_owned(), "-c".to_owned(), text],
                is_shell: true,
            }),
            Value::Array(words) if words.is_empty() => Err(D::Error::custom("the command is an empty list")),
            Value::Array(words) => Ok(Self {
                argv: words
                    .into_iter()
                    .map(|word| scalar(word).map_err(|word| format!("a word of a command cannot be {word}")))
                    .collect::<Result<_, _>>()
                    .map_err(D::Error::custom)?,
                is_shell: false,
            }),
            other => Err(D::Error::custom(format!(
                "a command is a list of words, [\"kubeadm\", \"version\"], or a text for the shell, not {other}"
            ))),
        }
    }
}

impl JsonSchema for CommandLine {
    fn schema_name() -> Cow<'static, str> {
        "CommandLine".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": ["string", "number", "boolean"] } },
            ]
        })
    }
}

/// A text; a number or a truth value becomes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar(pub(crate) String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar(Value::deserialize(deserializer)?)
            .map(Self)
            .map_err(|other| D::Error::custom(format!("expected a text or a number, not {other}")))
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

fn scalar(value: Value) -> Result<String, Value> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        other => Err(other),
    }
}

/// A command's text for an output: without the one line end that nearly all of them have.
pub(crate) fn without_last_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

/// The last lines of what a failed command said, to show why it failed: of its errors, or of its output if it wrote no
/// errors. Empty when it said nothing.
pub(crate) fn last_words(stdout: &str, stderr: &str) -> String {
    const LINES: usize = 10;
    let text = if stderr.trim().is_empty() { stdout } else { stderr };
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..]
        .iter()
        .map(|line| format!("\n  {}", line.trim_end()))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn parse(value: Value) -> Result<CommandLine, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn lists_are_words_and_texts_are_for_the_shell() {
        assert_eq!(parse(json!(["sleep", 1])).unwrap().argv, ["sleep", "1"]);
        assert_eq!(parse(json!("a | b")).unwrap().argv, ["sh", "-c", "a | b"]);
        assert_eq!(parse(json!(["a b", "it's"])).unwrap().shown(), r"'a b' 'it'\''s'");
        assert_eq!(parse(json!("a | b\n")).unwrap().shown(), "a | b");
        assert!(parse(json!([])).unwrap_err().contains("empty list"));
        assert!(parse(json!([["x"]])).unwrap_err().contains("cannot be [\"x\"]"));
        assert!(parse(json!({"a": 1})).unwrap_err().contains("a list of words"));
    }

    #[test]
    fn last_words_are_of_the_errors_if_there_are_any() {
        assert_eq!(last_words("out", "a\n\nb\n"), "\n  a\n  b");
        assert_eq!(last_words("out\n", " \n"), "\n  out");
        assert_eq!(last_words("", ""), "");
    }
}
