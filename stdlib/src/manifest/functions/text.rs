//! Functions on texts: JSON, base64, sha256, regular expressions.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use psprun_engine::Function;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{pattern, text_of};

pub(super) const ALL: &[Function] = &[
    Function {
        name: "to_json",
        summary: "A value as JSON, in one line",
        params: &["value"],
        call: |args| Ok(args[0].to_string().into()),
        example: "to_json([1, \"a\"])",
        gives: r#""[1,\"a\"]""#,
    },
    Function {
        name: "from_json",
        summary: "The value of a JSON text",
        params: &["text"],
        call: |args| {
            let text = text_of(args, 0, "text")?;
            serde_json::from_str(text).map_err(|error| format!("the text is no JSON: {error}"))
        },
        example: "from_json(\"{\\\"a\\\": [1, 2]}\")",
        gives: r#"{"a": [1, 2]}"#,
    },
    Function {
        name: "base64_encode",
        summary: "A text in base64, as the data of Secrets has it",
        params: &["text"],
        call: |args| Ok(STANDARD.encode(text_of(args, 0, "text")?).into()),
        example: "base64_encode(\"secret\")",
        gives: r#""c2VjcmV0""#,
    },
    Function {
        name: "base64_decode",
        summary: "The text behind base64",
        params: &["text"],
        call: base64_decode,
        example: "base64_decode(\"c2VjcmV0\")",
        gives: r#""secret""#,
    },
    Function {
        name: "sha256",
        summary: "The SHA-256 of a text, in hexadecimal digits",
        params: &["text"],
        call: |args| {
            let digest = Sha256::digest(text_of(args, 0, "text")?.as_bytes());
            Ok(digest
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
                .into())
        },
        example: "sha256(\"abc\")",
        gives: r#""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""#,
    },
    Function {
        name: "regex_match",
        summary: "Whether a regular expression is found in a text",
        params: &["text", "pattern"],
        call: |args| {
            Ok(pattern(text_of(args, 1, "pattern")?)?
                .is_match(text_of(args, 0, "text")?)
                .into())
        },
        example: "regex_match(\"v1.20.2\", \"^v1[.]20\")",
        gives: "true",
    },
    Function {
        name: "regex_find",
        summary: "The first part of a text that a regular expression finds, or of that its first group; `()` when there is none",
        params: &["text", "pattern"],
        call: |args| {
            let pattern = pattern(text_of(args, 1, "pattern")?)?;
            let found = pattern.captures(text_of(args, 0, "text")?);
            let found = found.and_then(|found| {
                if pattern.captures_len() > 1 {
                    found.get(1)
                } else {
                    found.get(0)
                }
            });
            Ok(found.map(|found| found.as_str()).into())
        },
        example: "regex_find(\"kubeadm version v1.20.2\", \"v([0-9]+[.][0-9]+)\")",
        gives: r#""1.20""#,
    },
    Function {
        name: "regex_replace",
        summary: "A text in which all that a regular expression finds is replaced; `$1` is its first group",
        params: &["text", "pattern", "replacement"],
        call: |args| {
            let (text, replacement) = (text_of(args, 0, "text")?, text_of(args, 2, "replacement")?);
            Ok(pattern(text_of(args, 1, "pattern")?)?
                .replace_all(text, replacement)
                .into())
        },
        example: "regex_replace(\"image: nginx\", \"image: (.*)\", \"image: registry.local/$1\")",
        gives: r#""image: registry.local/nginx""#,
    },
];

fn base64_decode(args: &[Value]) -> Result<Value, String> {
    let text: String = text_of(args, 0, "text")?.split_whitespace().collect();
    let padded = STANDARD.decode(&text);
    let bytes = padded
        .or_else(|error| {
            STANDARD_NO_PAD
                .decode(&text)
                .or_else(|_| URL_SAFE_NO_PAD.decode(&text))
                .map_err(|_| error)
        })
        .map_err(|error| format!("the text is no base64: {error}"))?;
    String::from_utf8(bytes)
        .map(Value::from)
        .map_err(|_| "what is behind the base64 is no UTF-8 text".into())
}
