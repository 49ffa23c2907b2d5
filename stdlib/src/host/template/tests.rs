#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use psprun_engine::plan::Files;
use serde_json::json;

use super::*;
use crate::target::live::LiveTarget;

async fn render(template: &str, vars: Value) -> Result<String, StepError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let mut files = Files::default();
    files.insert("templates/x.j2", &b"line one\nvalue: {{ missing_name }}\n"[..]);
    files.insert("templates/binary", &b"\xff"[..]);
    let (context, _told) = Context::detached(files);
    let args = json!({"path": path, "template": template, "vars": vars, "mode": "0600"});
    let builtin = Template(LiveTarget::new());
    builtin.check(&args)?;
    let outcome = builtin
        .run(serde_json::from_value(args.clone()).unwrap(), context.clone())
        .await?;
    assert!(outcome.changed);
    let again = builtin
        .run(serde_json::from_value(args).unwrap(), context)
        .await?;
    assert!(!again.changed);
    Ok(std::fs::read_to_string(path).unwrap())
}

#[tokio::test]
async fn variables_are_put_in_and_the_rest_is_kept() {
    let text = render(
        "a: {{ a.b[1] }}\n{% if on %}on\n{% endif %}<&>\n\n",
        json!({"a": {"b": [1, "<x>"]}, "on": true}),
    )
    .await
    .unwrap();
    assert_eq!(text, "a: <x>\non\n<&>\n\n");
}

#[tokio::test]
async fn an_undefined_variable_is_named_with_its_line() {
    let error = render("one\ntwo {{ nmae }}\n", json!({"name": 1}))
        .await
        .unwrap_err();
    assert_eq!(
        error.message,
        "template:2: `nmae` is not defined\n  2 │ two {{ nmae }}"
    );
    assert_eq!(error.help.unwrap(), "did you mean `name`?");

    let error = render("templates/x.j2", json!({})).await.unwrap_err();
    assert_eq!(error.at.unwrap(), "templates/x.j2:2");
    assert_eq!(
        error.help.unwrap(),
        "give the template its variables: `vars: #{ name: value }`"
    );
}

#[tokio::test]
async fn a_template_that_is_none_is_refused_while_planning() {
    let builtin = Template(LiveTarget::new());
    let error = builtin
        .check(&json!({"path": "x", "template": "a\n{% if %}\n"}))
        .unwrap_err();
    assert!(error.message.starts_with("template:2: "), "{}", error.message);
    builtin
        .check(&json!({"path": "x", "template": "a ${b.c}\n"}))
        .unwrap();
    assert!(
        render("templates/binary", json!({}))
            .await
            .unwrap_err()
            .message
            .contains("no UTF-8")
    );
    assert!(
        render("templates/none", json!({}))
            .await
            .unwrap_err()
            .message
            .contains("there is no file")
    );
}

#[tokio::test]
async fn a_template_without_an_end_ends() {
    let error = render(
        "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}\n",
        json!({}),
    )
    .await
    .unwrap_err();
    assert_eq!(error.code, "psprun::host::template");
}
