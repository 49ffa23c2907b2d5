//! Builtins for the book: `docs/builtins.md` is this.

use super::Pages;
use super::doc::{BuiltinPage, FunctionPage};
use super::schema::Field;
use super::text::MODIFIERS;

/// A chapter, or one section.
pub fn draw(pages: &Pages, one: bool) -> String {
    let mut text = String::new();
    if !one {
        text.push_str(
            "# Builtins\n\nMade by `psprun builtins -o markdown`; do not edit.\n\n\
             The subject comes first, then a map of options: `cluster.apply(what, #{ namespace: \"demo\" })`. Every step\n",
        );
        text.push_str(&format!("also takes `{}`.\n\n", MODIFIERS.replace(", ", "`, `")));
        for page in &pages.builtins {
            text.push_str(&format!(
                "- [`{}`](#{}): {}\n",
                page.name,
                anchor(page.name),
                page.summary
            ));
        }
        text.push('\n');
    }
    let sections: Vec<String> = pages.builtins.iter().map(builtin).collect();
    text.push_str(&sections.join("\n"));
    if !pages.functions.is_empty() {
        if !one {
            text.push_str("\n# Functions\n\n");
            text.push_str(
                "Functions compute values: at once when their arguments are known, as steps when they are not.\n\n",
            );
        }
        let sections: Vec<String> = pages.functions.iter().map(function).collect();
        text.push_str(&sections.join("\n"));
    }
    text
}

/// As GitHub and mdBook make them.
fn anchor(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric() || *c == '_' || *c == '-')
        .collect()
}

fn builtin(page: &BuiltinPage) -> String {
    let mut text = format!(
        "## `{}`\n\n{}.\n\n```rhai\n{}\n```\n",
        page.name,
        page.summary,
        page.calls.join("\n")
    );
    if !page.aliases.is_empty() {
        text.push_str(&format!("\nAlso called `{}`.\n", page.aliases.join("`, `")));
    }
    if !page.args.is_empty() {
        text.push_str("\n| argument | type | default | |\n|---|---|---|---|\n");
        argument_rows(&page.args, "", &mut text);
    }
    if page.output.is_empty() {
        text.push_str(&format!("\nOutput: {}.\n", page.output_kind));
    } else {
        text.push_str("\n| output | type | |\n|---|---|---|\n");
        output_rows(&page.output, "", &mut text);
    }
    if let Some(kind) = page.produces {
        text.push_str(&format!(
            "\nIts handle is a {kind}: builtins of a {kind} can be called on it.\n"
        ));
    }
    for (title, script) in &page.examples {
        text.push_str(&format!("\n```rhai\n// {title}\n{script}\n```\n"));
    }
    text
}

fn argument_rows(fields: &[Field], before: &str, text: &mut String) {
    for field in fields {
        let name = format!("{before}{}", field.name);
        let default = match (&field.default, field.required) {
            (Some(value), _) => format!("`{value}`"),
            (None, true) => "required".to_owned(),
            (None, false) => String::new(),
        };
        text.push_str(&format!(
            "| `{name}` | {} | {} | {} |\n",
            cell(&field.kind),
            cell(&default),
            cell(&field.doc)
        ));
        argument_rows(&field.fields, &format!("{name}."), text);
    }
}

fn output_rows(fields: &[Field], before: &str, text: &mut String) {
    for field in fields {
        let name = format!("{before}{}", field.name);
        text.push_str(&format!(
            "| `{name}` | {} | {} |\n",
            cell(&field.kind),
            cell(&field.doc)
        ));
        let inside = if field.kind.starts_with("list") {
            format!("{name}[].")
        } else {
            format!("{name}.")
        };
        output_rows(&field.fields, &inside, text);
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', "<br>")
}

fn function(page: &FunctionPage) -> String {
    format!(
        "## `{}`\n\n{}.\n\n```rhai\n{} // {}\n```\n",
        page.call, page.summary, page.example, page.gives
    )
}
