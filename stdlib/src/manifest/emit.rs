//! Writes values as YAML.

use std::borrow::Cow;

use serde_json::Value;

use super::scalar;

/// A value as YAML text, ending with a line break. Strings that some reader takes for a boolean, a number or a merge key
/// are quoted.
///
/// # Errors
/// Never in practice: every JSON value can be written.
pub fn to_yaml(value: &Value) -> Result<String, String> {
    let mut quoted = Quoted::new(value);
    let value = quoted.mark(value);
    let text = serde_yaml::to_string(&value).map_err(|error| error.to_string())?;
    Ok(quoted.put_back(text))
}

/// Values as YAML documents with `---` between them.
///
/// # Errors
/// As [`to_yaml`].
pub fn to_yaml_documents(values: &[Value]) -> Result<String, String> {
    let documents: Result<Vec<String>, String> = values.iter().map(to_yaml).collect();
    Ok(documents?.join("---\n"))
}

/// serde_yaml quotes what readers of YAML 1.2 would misread; kubectl misreads more (`0644`, `1_000`, `<<`). Such strings
/// are written as plain stand-ins, which are then replaced by the quoted strings.
struct Quoted {
    /// A word that is in no string of the value.
    stand_in: String,
    strings: Vec<String>,
}

impl Quoted {
    fn new(value: &Value) -> Self {
        let mut stand_in = String::from("quoted");
        while any_string(value, &|text| text.contains(&stand_in)) {
            stand_in.push('q');
        }
        Self {
            stand_in,
            strings: Vec::new(),
        }
    }

    fn mark<'v>(&mut self, value: &'v Value) -> Cow<'v, Value> {
        if !any_string(value, &|text| needs_quotes(text)) {
            return Cow::Borrowed(value);
        }
        Cow::Owned(match value {
            Value::String(text) => self.string(text).into(),
            Value::Array(items) => items.iter().map(|item| self.mark(item).into_owned()).collect(),
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| (self.string(key), self.mark(value).into_owned()))
                .collect(),
            other => other.clone(),
        })
    }

    fn string(&mut self, text: &str) -> String {
        if !needs_quotes(text) {
            return text.to_owned();
        }
        self.strings.push(text.to_owned());
        format!("{}x{}x", self.stand_in, self.strings.len() - 1)
    }

    fn put_back(&self, mut text: String) -> String {
        if !self.strings.is_empty() {
            for (index, string) in self.strings.iter().enumerate() {
                let quoted = if string.contains(BREAKS) {
                    escaped(string)
                } else {
                    format!("'{string}'")
                };
                text = text.replacen(&format!("{}x{index}x", self.stand_in), &quoted, 1);
            }
        }
        text
    }
}

/// Line breaks for YAML 1.1 and none for YAML 1.2, and the mark of byte order.
const BREAKS: [char; 4] = ['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}'];

/// As a JSON string, which is YAML, too.
fn escaped(text: &str) -> String {
    let mut quoted = Value::from(text).to_string();
    for character in BREAKS {
        quoted = quoted.replace(character, &format!("\\u{:04x}", u32::from(character)));
    }
    quoted
}

fn needs_quotes(text: &str) -> bool {
    text.contains(BREAKS) || text == "<<" || text == "=" || !scalar::resolve(text).is_string()
}

fn any_string(value: &Value, test: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => test(text),
        Value::Array(items) => items.iter().any(|item| any_string(item, test)),
        Value::Object(map) => map
            .iter()
            .any(|(key, value)| test(key) || any_string(value, test)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn writes_plainly_and_quotes_what_would_be_misread() {
        let value = json!({"on": "off", "mode": "0644", "n": 3, "text": "a\nb\n", "list": ["x", "1_0", "<<", ""], "q": "quoted"});
        assert_eq!(
            to_yaml(&value).as_deref(),
            Ok(
                "'on': 'off'\nmode: '0644'\n'n': 3\ntext: |\n  a\n  b\nlist:\n- x\n- '1_0'\n- '<<'\n- ''\nq: quoted\n"
            )
        );
    }
}
