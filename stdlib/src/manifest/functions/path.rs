//! Paths into objects: `spec.template.spec.containers[name=web].args[0]`, `metadata.annotations["a.b/c"]`,
//! `spec.rules[*].host`.

use serde_json::{Map, Value};

use super::kind_of;

/// One turn of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// `.name`, `["name"]`: a key of a map.
    Key(String),
    /// `[0]`, `[-1]`: an item of a list; negative ones count from the end.
    Index(i64),
    /// `[name=web]`: the items of a list that have this field.
    Where(String, String),
    /// `[*]`: all items.
    All,
}

/// Takes a path apart.
pub(super) fn parse(path: &str) -> Result<Vec<Turn>, String> {
    let wrong = |why: &str| format!("`{path}` is no path: {why}");
    let mut turns = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (turn, after) = match inside.chars().next() {
                Some(quote @ ('"' | '\'')) => {
                    let (key, after) = inside[1..]
                        .split_once(quote)
                        .ok_or_else(|| wrong("a quote is not closed"))?;
                    (
                        Turn::Key(key.to_owned()),
                        after.strip_prefix(']').ok_or_else(|| wrong("a `]` is missing"))?,
                    )
                }
                _ => {
                    let (word, after) = inside.split_once(']').ok_or_else(|| wrong("a `]` is missing"))?;
                    (
                        bracket(word).ok_or_else(|| {
                            wrong("in brackets stands a number, `*`, `field=value` or a quoted key")
                        })?,
                        after,
                    )
                }
            };
            turns.push(turn);
            rest = after;
        } else {
            let start = match rest.strip_prefix('.') {
                Some(after) => after,
                None if turns.is_empty() => rest,
                None => return Err(wrong("a `.` or `[` is missing")),
            };
            let end = start.find(['.', '[']).unwrap_or(start.len());
            if end == 0 {
                return Err(wrong("a name is missing"));
            }
            turns.push(Turn::Key(start[..end].to_owned()));
            rest = &start[end..];
        }
    }
    if turns.is_empty() {
        Err(wrong("it is empty"))
    } else {
        Ok(turns)
    }
}

fn bracket(word: &str) -> Option<Turn> {
    if word == "*" {
        return Some(Turn::All);
    }
    if let Ok(index) = word.parse() {
        return Some(Turn::Index(index));
    }
    let (field, value) = word.split_once('=')?;
    let value = value.trim().trim_matches(['"', '\'']);
    Some(Turn::Where(field.trim().to_owned(), value.to_owned()))
}

/// Changes what a path leads to. The last key, and maps on the way to it, are made where they are missing; items are not.
pub(super) fn change(
    value: &mut Value,
    turns: &[Turn],
    change_it: &mut dyn FnMut(&mut Value) -> Result<(), String>,
) -> Result<(), String> {
    let Some((turn, rest)) = turns.split_first() else {
        return change_it(value);
    };
    if value.is_null() && matches!(turn, Turn::Key(_)) {
        *value = Value::Object(Map::new());
    }
    match (turn, value) {
        (Turn::Key(key), Value::Object(map)) => {
            change(map.entry(key.clone()).or_insert(Value::Null), rest, change_it)
        }
        (Turn::Key(key), other) => Err(format!(
            "`{key}` is looked for in {}, not in a map",
            kind_of(other)
        )),
        (Turn::Index(index), Value::Array(items)) => {
            let length = items.len();
            let at = if *index < 0 {
                *index + i64::try_from(length).unwrap_or(i64::MAX)
            } else {
                *index
            };
            let item = usize::try_from(at).ok().and_then(|at| items.get_mut(at));
            change(
                item.ok_or_else(|| format!("there is no item {index} in a list of {length}"))?,
                rest,
                change_it,
            )
        }
        (Turn::Where(field, wanted), Value::Array(items)) => {
            let mut found = false;
            let names: Vec<String> = items
                .iter()
                .filter_map(|item| Some(plain(item.get(field)?)))
                .collect();
            for item in items
                .iter_mut()
                .filter(|item| item.get(field).is_some_and(|value| plain(value) == *wanted))
            {
                found = true;
                change(item, rest, change_it)?;
            }
            if found {
                Ok(())
            } else if names.is_empty() {
                Err(format!("no item has a `{field}`"))
            } else {
                Err(format!(
                    "no item has `{field}` {wanted}; there is {}",
                    names.join(", ")
                ))
            }
        }
        (Turn::All, Value::Array(items)) => items
            .iter_mut()
            .try_for_each(|item| change(item, rest, change_it)),
        (_, other) => Err(format!(
            "an item is looked for in {}, not in a list",
            kind_of(other)
        )),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use serde_json::json;

    #[test]
    fn paths_are_taken_apart() {
        assert_eq!(
            parse("spec.containers[name=web].args[-1]").unwrap(),
            [
                Turn::Key("spec".into()),
                Turn::Key("containers".into()),
                Turn::Where("name".into(), "web".into()),
                Turn::Key("args".into()),
                Turn::Index(-1)
            ]
        );
        assert_eq!(
            parse("a[\"b.c/d\"][*]").unwrap(),
            [Turn::Key("a".into()), Turn::Key("b.c/d".into()), Turn::All]
        );
        for wrong in ["", "a..b", "a[", "a[x]", "a[\"b]", "a[0]b", "."] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_there_is_said() {
        let mut value = json!({"list": [{"name": "a"}, {"name": "b"}], "text": "x"});
        let mut try_it = |path: &str| change(&mut value, &parse(path).unwrap(), &mut |_| Ok(()));
        assert_eq!(
            try_it("list[name=c].x").unwrap_err(),
            "no item has `name` c; there is a, b"
        );
        assert_eq!(
            try_it("list[2]").unwrap_err(),
            "there is no item 2 in a list of 2"
        );
        assert_eq!(
            try_it("text.x").unwrap_err(),
            "`x` is looked for in a text, not in a map"
        );
        assert_eq!(
            try_it("text[0]").unwrap_err(),
            "an item is looked for in a text, not in a list"
        );
    }
}
