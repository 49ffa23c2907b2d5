//! `docs/events.md` says what the events are.

use std::fmt::Write as _;

use psprun_engine::Event;
use serde_json::Value;

const BOOK: &str = include_str!("../../docs/events.md");
const START: &str =
    "<!-- made from the types by tests/cli/events.rs; UPDATE_DOCS=1 cargo test writes it -->\n";
const END: &str = "<!-- end of what is made -->\n";

#[test]
fn the_book_is_in_step_with_the_types() {
    let start = BOOK.find(START).expect("the mark") + START.len();
    let end = BOOK.find(END).expect("the mark");
    let made = reference();
    if BOOK[start..end] == made {
        return;
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/events.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, format!("{}{made}{}", &BOOK[..start], &BOOK[end..])).expect("it can be written");
    } else {
        panic!(
            "docs/events.md is not in step with engine/src/event.rs: run UPDATE_DOCS=1 cargo test events\n{made}"
        );
    }
}

#[test]
fn the_example_is_made_of_events() {
    let example = BOOK
        .split("```json\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("an example");
    let events: Vec<Event> = example
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    assert!(events.len() > 5);
    for (position, event) in events.iter().enumerate() {
        assert_eq!(event.seq, u64::try_from(position).expect("few"));
    }
    let back: Vec<String> = events
        .iter()
        .map(|event| serde_json::to_string(event).expect("JSON"))
        .collect();
    assert_eq!(
        back.join("\n"),
        example.trim_end(),
        "the example is written as psprun writes it"
    );
}

#[test]
fn the_version_is_the_engine_s() {
    assert!(BOOK.contains(&format!("The version is {}.", psprun_engine::event::VERSION)));
}

/// The part of the book that is made.
fn reference() -> String {
    let schema = schemars::schema_for!(Event).to_value();
    let mut text = String::from("\n### Fields of every event\n\n");
    text.push_str(&table(&schema, &["event"]));
    for kind in schema["oneOf"].as_array().expect("kinds") {
        let name = kind["properties"]["event"]["const"].as_str().expect("a name");
        write!(text, "\n### `{name}`\n\n{}\n\n", one_line(&kind["description"])).expect("a string");
        text.push_str(&table(kind, &["event"]));
    }
    text.push_str("\n## Parts of events\n");
    for (name, part) in schema["$defs"].as_object().expect("definitions") {
        write!(text, "\n### {name}\n\n{}\n\n", one_line(&part["description"])).expect("a string");
        match part["oneOf"].as_array() {
            Some(words) => {
                text.push_str("| word | |\n|---|---|\n");
                for word in words {
                    let name = word["const"].as_str().expect("a word");
                    writeln!(text, "| `{name}` | {} |", one_line(&word["description"])).expect("a string");
                }
            }
            None => text.push_str(&table(part, &[])),
        }
    }
    text.push('\n');
    text
}

fn table(schema: &Value, without: &[&str]) -> String {
    let mut text = String::from("| field | type | | |\n|---|---|---|---|\n");
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, field) in schema["properties"].as_object().expect("fields") {
        if without.contains(&name.as_str()) {
            continue;
        }
        let always = if required.iter().any(|required| required == name) {
            "always"
        } else {
            "or absent"
        };
        writeln!(
            text,
            "| `{name}` | {} | {always} | {} |",
            kind(field),
            one_line(&field["description"])
        )
        .expect("a string");
    }
    text
}

fn kind(field: &Value) -> String {
    if let Some(reference) = field["$ref"].as_str() {
        let name = reference.trim_start_matches("#/$defs/");
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(forms) = field["anyOf"].as_array() {
        return forms
            .iter()
            .map(kind)
            .filter(|kind| kind != "null")
            .collect::<Vec<_>>()
            .join(" or ");
    }
    match &field["type"] {
        Value::String(kind) if kind == "array" => format!("list of {}", self::kind(&field["items"])),
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let kinds = kinds
                .iter()
                .filter_map(Value::as_str)
                .filter(|kind| *kind != "null");
            kinds.collect::<Vec<_>>().join(" or ")
        }
        _ => "any JSON".to_owned(),
    }
}

fn one_line(text: &Value) -> String {
    let text = text.as_str().unwrap_or_default();
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace("[`VERSION`]", "the version")
}
