//! Values of the script and JSON, both ways.

use rhai::{Array, Dynamic, ImmutableString, Map};
use serde_json::{Number, Value};

/// JSON as a value of the script.
pub(crate) fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(b) => (*b).into(),
        Value::Number(n) => match n.as_i64() {
            Some(int) => int.into(),
            None => n.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => ImmutableString::from(text.as_str()).into(),
        Value::Array(items) => items.iter().map(to_dynamic).collect::<Array>().into(),
        Value::Object(map) => map
            .iter()
            .map(|(key, item)| (key.as_str().into(), to_dynamic(item)))
            .collect::<Map>()
            .into(),
    }
}

/// A plain value of the script as JSON; `Err` has the name of a type that has no JSON form.
pub(crate) fn to_json(value: &Dynamic) -> Result<Value, String> {
    if value.is_unit() {
        Ok(Value::Null)
    } else if let Ok(b) = value.as_bool() {
        Ok(Value::Bool(b))
    } else if let Ok(int) = value.as_int() {
        Ok(int.into())
    } else if let Ok(float) = value.as_float() {
        Number::from_f64(float)
            .map(Value::Number)
            .ok_or_else(|| format!("the number {float}"))
    } else if let Ok(c) = value.as_char() {
        Ok(Value::String(c.to_string()))
    } else if let Some(text) = value.read_lock::<ImmutableString>() {
        Ok(Value::String(text.as_str().to_owned()))
    } else if let Some(items) = value.read_lock::<Array>() {
        items
            .iter()
            .map(to_json)
            .collect::<Result<_, _>>()
            .map(Value::Array)
    } else if let Some(map) = value.read_lock::<Map>() {
        map.iter()
            .map(|(key, item)| Ok((key.to_string(), to_json(item)?)))
            .collect()
    } else {
        Err(format!("a {}", super::errors::plain_type(value.type_name())))
    }
}
