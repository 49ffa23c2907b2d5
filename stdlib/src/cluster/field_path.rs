//! The way to a field of an object, as kubectl's JSONPath writes the simple ones: `.status.phase`,
//! `{.spec.containers[0].image}`, `.metadata.annotations['kubernetes.io/psp']`.

use psprun_engine::plan::{Key, follow};
use serde_json::Value;

/// The way to a field.
#[derive(Debug, Clone)]
pub(crate) struct FieldPath {
    text: String,
    keys: Vec<Key>,
}

impl FieldPath {
    /// Reads a path.
    ///
    /// # Errors
    /// Says what is not understood.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!(
                "`{text}` is no path of a field ({why}); write `.status.phase`, `.spec.containers[0].image` or \
                 `.metadata.annotations['a.b/c']`, and a closure for what looks at more"
            )
        };
        let mut rest = text.trim();
        if let Some(inner) = rest.strip_prefix('{') {
            rest = inner
                .strip_suffix('}')
                .ok_or_else(|| wrong("the `}` is missing"))?
                .trim();
        }
        rest = rest.strip_prefix('$').unwrap_or(rest);
        let mut keys = Vec::new();
        let mut first = true;
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let end = closing(inner).ok_or_else(|| wrong("the `]` is missing"))?;
                keys.push(
                    bracket(&inner[..end])
                        .ok_or_else(|| wrong("in brackets stands a number or a quoted name"))?,
                );
                rest = &inner[end + 1..];
            } else {
                let inner = rest.strip_prefix('.');
                if inner.is_none() && !first {
                    return Err(wrong("a name follows a dot"));
                }
                let inner = inner.unwrap_or(rest);
                let end = inner.find(['.', '[']).unwrap_or(inner.len());
                let name = &inner[..end];
                if name.is_empty() || name.contains(['*', '?', '@', '(', '\'', '"', ' ']) {
                    return Err(wrong("a name is missing or is none"));
                }
                keys.push(Key::Name(name.into()));
                rest = &inner[end..];
            }
            first = false;
        }
        if keys.is_empty() {
            return Err(wrong("it is empty"));
        }
        Ok(Self {
            text: text.to_owned(),
            keys,
        })
    }

    /// The field's value, if it is there.
    pub(crate) fn of<'o>(&self, object: &'o Value) -> Option<&'o Value> {
        follow(object, &self.keys).ok()
    }

    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

/// Where the bracket closes: quotes may hold one.
fn closing(inner: &str) -> Option<usize> {
    let quote = inner.chars().next().filter(|c| matches!(c, '\'' | '"'));
    match quote {
        Some(quote) => {
            let end = inner[1..].find(quote)? + 2;
            (inner[end..].starts_with(']')).then_some(end)
        }
        None => inner.find(']'),
    }
}

fn bracket(inner: &str) -> Option<Key> {
    for quote in ['\'', '"'] {
        if let Some(name) = inner
            .strip_prefix(quote)
            .and_then(|name| name.strip_suffix(quote))
        {
            return (!name.is_empty()).then(|| Key::Name(name.into()));
        }
    }
    inner.trim().parse().ok().map(Key::Index)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_to_fields() {
        let object = json!({ "status": { "phase": "Running", "podIPs": [{ "ip": "1" }, { "ip": "2" }] },
            "metadata": { "annotations": { "kubernetes.io/psp": "x", "a]b": "y" } } });
        for (path, value) in [
            (".status.phase", json!("Running")),
            ("{.status.phase}", json!("Running")),
            ("status.phase", json!("Running")),
            ("$.status.podIPs[-1].ip", json!("2")),
            (".metadata.annotations['kubernetes.io/psp']", json!("x")),
            (".metadata.annotations[\"a]b\"]", json!("y")),
        ] {
            assert_eq!(
                FieldPath::parse(path).unwrap().of(&object),
                Some(&value),
                "{path}"
            );
        }
        assert_eq!(FieldPath::parse(".status.nothing").unwrap().of(&object), None);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in [
            "",
            "{.a",
            ".a..b",
            ".a[",
            ".a[x]",
            ".a[*]",
            ".c[?(@.type=='Ready')].status",
            ".a['b",
            "a b",
            ".a[0]b",
        ] {
            assert!(FieldPath::parse(path).is_err(), "{path}");
        }
    }
}
