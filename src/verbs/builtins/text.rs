//! Builtins for people at a terminal.

use super::Pages;
use super::doc::{BuiltinPage, FunctionPage};
use super::schema::Field;
use crate::table;
use crate::terminal::{Paint, Terminal};

/// What every step takes besides its builtin's own arguments.
pub const MODIFIERS: &str =
    "after, when, until, retries, timeout, named, tags, finally, allow_failure, locks";

/// The list, or one page.
pub fn draw(pages: &Pages, one: bool, terminal: &Terminal) -> String {
    let paint = Paint {
        on: terminal.stdout_colour,
    };
    if one {
        let builtins = pages.builtins.iter().map(|page| builtin(page, terminal, paint));
        let functions = pages.functions.iter().map(|page| function(page, paint));
        return builtins.chain(functions).collect::<Vec<_>>().join("\n");
    }
    list(pages, terminal, paint)
}

fn list(pages: &Pages, terminal: &Terminal, paint: Paint) -> String {
    let row = |name: &str, summary: &str| vec![name.to_owned(), summary.to_owned()];
    let mut text = String::new();
    let builtins: Vec<_> = pages
        .builtins
        .iter()
        .map(|page| row(page.name, page.summary))
        .collect();
    text.push_str(&table::draw(
        &["BUILTIN", "WHAT IT DOES"],
        &builtins,
        terminal.stdout_width,
        paint,
    ));
    if !pages.functions.is_empty() {
        let functions: Vec<_> = pages
            .functions
            .iter()
            .map(|page| row(page.name, page.summary))
            .collect();
        text.push('\n');
        text.push_str(&table::draw(
            &["FUNCTION", "WHAT IT GIVES"],
            &functions,
            terminal.stdout_width,
            paint,
        ));
    }
    let note = format!("Every step also takes {MODIFIERS}. psprun builtins NAME explains one.");
    text.push('\n');
    for line in table::wrap(&note, terminal.stdout_width) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn builtin(page: &BuiltinPage, terminal: &Terminal, paint: Paint) -> String {
    let mut text = format!("{}: {}\n\n", paint.bold(page.name), page.summary);
    for call in &page.calls {
        text.push_str(&format!("  {}\n", paint.cyan(call)));
    }
    if !page.aliases.is_empty() {
        text.push_str(&format!("\nalso called {}\n", page.aliases.join(", ")));
    }
    if !page.args.is_empty() {
        text.push('\n');
        let mut rows = Vec::new();
        argument_rows(&page.args, "", &mut rows);
        text.push_str(&table::draw(
            &["ARGUMENT", "TYPE", "DEFAULT", ""],
            &rows,
            terminal.stdout_width,
            paint,
        ));
    }
    if page.output.is_empty() {
        text.push_str(&format!("\n{} {}\n", paint.dim("OUTPUT"), page.output_kind));
    } else {
        text.push('\n');
        let mut rows = Vec::new();
        output_rows(&page.output, "", &mut rows);
        text.push_str(&table::draw(
            &["OUTPUT", "TYPE", ""],
            &rows,
            terminal.stdout_width,
            paint,
        ));
    }
    if let Some(kind) = page.produces {
        text.push_str(&format!(
            "\nIts handle is a {kind}: builtins of a {kind} can be called on it.\n"
        ));
    }
    for (title, script) in &page.examples {
        text.push_str(&format!("\n{}\n", paint.dim(&format!("// {title}"))));
        for line in script.lines() {
            text.push_str(format!("  {line}").trim_end());
            text.push('\n');
        }
    }
    text
}

fn argument_rows(fields: &[Field], before: &str, rows: &mut Vec<Vec<String>>) {
    for field in fields {
        let name = format!("{before}{}", field.name);
        let default = match (&field.default, field.required) {
            (Some(value), _) => value.to_string(),
            (None, true) => "(required)".to_owned(),
            (None, false) => String::new(),
        };
        rows.push(vec![name.clone(), field.kind.clone(), default, field.doc.clone()]);
        argument_rows(&field.fields, &format!("{name}."), rows);
    }
}

fn output_rows(fields: &[Field], before: &str, rows: &mut Vec<Vec<String>>) {
    for field in fields {
        let name = format!("{before}{}", field.name);
        rows.push(vec![name.clone(), field.kind.clone(), field.doc.clone()]);
        let inside = if field.kind.starts_with("list") {
            format!("{name}[].")
        } else {
            format!("{name}.")
        };
        output_rows(&field.fields, &inside, rows);
    }
}

fn function(page: &FunctionPage, paint: Paint) -> String {
    format!(
        "{}: {}\n\n  {}\n\n{}\n  {}\n  // {}\n",
        paint.bold(page.name),
        page.summary,
        paint.cyan(&page.call),
        paint.dim("// example"),
        page.example,
        page.gives,
    )
}
