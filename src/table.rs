//! Columns for people.

use crate::terminal::Paint;

/// Rows with a heading; the last column is wrapped at `width`, if there is one.
pub fn draw(headings: &[&str], rows: &[Vec<String>], width: Option<usize>, paint: Paint) -> String {
    let columns = headings.len();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| console::measure_text_width(cell))
                .chain([console::measure_text_width(headings[column])])
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    let heading: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    line(&mut text, &heading, &widths, width, |cell| paint.dim(cell));
    for row in rows {
        line(&mut text, row, &widths, width, str::to_owned);
    }
    text
}

const GAP: usize = 2;
/// Below this, a wrapped column would be a column of single words.
const NARROWEST: usize = 20;

fn line(
    text: &mut String,
    row: &[String],
    widths: &[usize],
    width: Option<usize>,
    paint: impl Fn(&str) -> String,
) {
    let last = widths.len() - 1;
    let before: usize = widths[..last].iter().map(|width| width + GAP).sum();
    let mut out = String::new();
    for (cell, width) in row.iter().zip(&widths[..last]) {
        let pad = width.saturating_sub(console::measure_text_width(cell)) + GAP;
        out.push_str(&paint(cell));
        out.push_str(&" ".repeat(pad));
    }
    let cell = row.get(last).map_or("", String::as_str);
    // Where the columns leave no room, the last one goes below.
    let (indent, below) = match width {
        Some(width) if before + NARROWEST > width && !cell.is_empty() => (4, true),
        _ => (before, false),
    };
    if below {
        out.truncate(out.trim_end().len());
        out.push('\n');
        out.push_str(&" ".repeat(indent));
    }
    let room = width.map(|width| width.saturating_sub(indent).max(NARROWEST));
    for (index, piece) in wrap(cell, room).iter().enumerate() {
        if index > 0 {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(&paint(piece));
    }
    for line in out.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if out.is_empty() {
        text.push('\n');
    }
}

/// Lines of at most `width` columns, broken between words; the text's own line ends stay.
pub fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else {
        return text.lines().map(str::to_owned).collect();
    };
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let fits = console::measure_text_width(&line) + 1 + console::measure_text_width(word) <= width;
            if !line.is_empty() && !fits {
                lines.push(std::mem::take(&mut line));
            } else if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(width: Option<usize>) -> String {
        let rows = [
            [
                "cni",
                "string",
                "pod network: a module of plugins/cni, or of the playbook's own folder cni",
            ],
            ["kubernetes_version", "string", ""],
        ]
        .map(|row| row.map(str::to_owned).to_vec());
        draw(&["name", "type", "what it is"], &rows, width, Paint { on: false })
    }

    #[test]
    fn columns_line_up_and_the_last_one_wraps() {
        insta::assert_snapshot!(format!(
            "{}\n{}\n{}",
            sample(None),
            sample(Some(60)),
            sample(Some(40))
        ));
    }
}
