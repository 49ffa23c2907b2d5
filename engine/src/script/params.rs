//! Parameters: `param(name, default, doc)`.

use serde::Serialize;
use serde_json::Value;

/// A parameter that a playbook declares.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Param {
    /// Its name, for `--set NAME=VALUE`.
    pub name: String,
    /// What it is for.
    pub doc: String,
    /// `string`, `int`, `float`, `bool`, `list` or `map`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value without `--set`; `None` when it must be given.
    pub default: Option<Value>,
    /// The value in force.
    pub value: Option<Value>,
    /// The only values that are allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<Value>>,
    /// The regular expression that a string must match as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The smallest number allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The largest number allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Whether the value must not be shown.
    pub secret: bool,
}
