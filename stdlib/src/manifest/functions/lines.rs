//! `manifest::drop_lines`: what `sed '/pattern/d'` does to a manifest, also to one that is read already.

use psprun_engine::Function;
use regex::Regex;
use serde_json::Value;

use super::{kind_of, pattern, text_of};

pub(super) const ALL: &[Function] = &[Function {
    name: "manifest::drop_lines",
    summary: "Drops what matches a regular expression: the lines of a text; in objects the items of lists that are texts, \
              and the lines of texts with several",
    params: &["what", "pattern"],
    call: drop_lines,
    example: "manifest::drop_lines(#{ args: [\"/controller\", \"--publish-service=x\"] }, \"--publish-service\")",
    gives: r#"{"args": ["/controller"]}"#,
}];

fn drop_lines(args: &[Value]) -> Result<Value, String> {
    let pattern = pattern(text_of(args, 1, "pattern")?)?;
    match args.first() {
        Some(Value::String(text)) => Ok(without(text, &pattern).into()),
        Some(value @ (Value::Array(_) | Value::Object(_))) => {
            let mut value = value.clone();
            drop_inside(&mut value, &pattern);
            Ok(value)
        }
        other => Err(format!(
            "`what` has to be a text or objects, not {}",
            kind_of(other.unwrap_or(&Value::Null))
        )),
    }
}

fn without(text: &str, pattern: &Regex) -> String {
    let is_kept = |line: &&str| !pattern.is_match(line.trim_end_matches(['\n', '\r']));
    text.split_inclusive('\n').filter(is_kept).collect()
}

fn drop_inside(value: &mut Value, pattern: &Regex) {
    match value {
        Value::Array(items) => {
            items.retain(|item| {
                !item
                    .as_str()
                    .is_some_and(|text| !text.contains('\n') && pattern.is_match(text))
            });
            items.iter_mut().for_each(|item| drop_inside(item, pattern));
        }
        Value::Object(map) => map.values_mut().for_each(|item| drop_inside(item, pattern)),
        Value::String(text) if text.contains('\n') => *text = without(text, pattern),
        _ => {}
    }
}
