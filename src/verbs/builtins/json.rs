//! Builtins for programs.

use serde_json::{Value, json};

use super::Pages;
use super::schema::Field;
use crate::verbs::to_json;

/// `{"builtins": […], "functions": […]}`.
pub fn draw(pages: &Pages) -> String {
    let builtins: Vec<Value> = pages
        .builtins
        .iter()
        .map(|page| {
            json!({
                "name": page.name,
                "aliases": page.aliases,
                "summary": page.summary,
                "calls": page.calls,
                "subject": page.subject,
                "arguments": fields(&page.args),
                "output": { "type": page.output_kind, "doc": page.output_doc, "fields": fields(&page.output) },
                "produces": page.produces,
                "examples": page.examples.iter()
                    .map(|(title, script)| json!({"title": title, "script": script}))
                    .collect::<Vec<_>>(),
            })
        })
        .collect();
    let functions: Vec<Value> = pages
        .functions
        .iter()
        .map(|page| {
            json!({
                "name": page.name,
                "summary": page.summary,
                "call": page.call,
                "example": page.example,
                "gives": page.gives,
            })
        })
        .collect();
    to_json(&json!({ "builtins": builtins, "functions": functions }))
}

fn fields(all: &[Field]) -> Vec<Value> {
    all.iter()
        .map(|field| {
            json!({
                "name": field.name,
                "type": field.kind,
                "required": field.required,
                "default": field.default,
                "doc": field.doc,
                "fields": fields(&field.fields),
            })
        })
        .collect()
}
