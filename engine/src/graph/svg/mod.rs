//! `svg`: the graph as a picture that needs nothing else: a row is a wave, a box a step. A dashed line is an order, a
//! solid one data, a thick one the longest chain, a faint one follows from others.

mod card;
mod font;

use std::fmt::Write as _;

use self::card::Card;
use self::font::Font;
use super::layout::{Layout, Line, Piece, Rows, lay_out};
use super::text::{one_line, xml};
use super::view::{Link, View};
use super::{Format, Options};
use crate::plan::Plan;

pub(super) const FORMAT: Format = Format {
    name: "svg",
    summary: "a picture, for browsers and documents",
    render,
};

/// Around everything.
const MARGIN: f64 = 24.0;
/// For the waves' names, left of the boxes.
const LEFT: f64 = 64.0;
/// Right of the boxes, also for a line that runs there.
const RIGHT: f64 = 14.0;
/// The head needs so much.
const NARROWEST: f64 = 640.0;

const STYLE: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif;fill:#0f172a}
.title{font-size:17px;font-weight:700}
.summary,.legend{font-size:11.5px;fill:#475569}
.wave{font-size:11.5px;fill:#64748b}
.name{font-size:13px;font-weight:700}
.builtin{font-size:10.5px;font-weight:400}
.what{font-size:11.5px}
.reads{font-size:10.5px;fill:#475569}
.note{font-size:10.5px;fill:#92400e}
.place{font-size:10.5px;fill:#64748b;text-anchor:end}
.details{font-family:ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:9.5px;fill:#334155}
.box{stroke-width:1}
.chain .box{stroke-width:2.25}
.out .box{fill:#f8fafc;stroke:#94a3b8;stroke-dasharray:4 3}
.out .name,.out .what,.out .builtin,.out .reads{fill:#64748b}
.line{fill:none;stroke:#64748b;stroke-width:1.25}
.head{fill:#64748b;stroke:none}
.order .line{stroke-dasharray:5 4}
.implied .line{stroke:#cbd5e1}
.implied .head{fill:#cbd5e1}
.chain .line{stroke:#0f172a;stroke-width:2.5}
.chain .head{fill:#0f172a}
.hit{fill:none;stroke:#000;stroke-opacity:0;stroke-width:9;pointer-events:stroke}
.link:hover .line{stroke:#ea580c}
.link:hover .head{fill:#ea580c}
";

fn render(plan: &Plan, options: &Options) -> String {
    let view = View::new(plan, options);
    let width = card::width(&view);
    let cards: Vec<Card> = view
        .nodes
        .iter()
        .map(|node| Card::new(&view, node, width, options))
        .collect();
    let links = view.links();
    let layout = lay_out(&Rows {
        rows: view
            .waves
            .iter()
            .map(|wave| wave.iter().map(|id| id.index()).collect())
            .collect(),
        sizes: cards.iter().map(|card| (card.width, card.height)).collect(),
        lines: links.iter().map(|link| line(&view, link)).collect(),
        spine: view.chain.iter().map(|id| id.index()).collect(),
    });
    let mut body = String::new();
    let page = (LEFT + layout.width + RIGHT).max(NARROWEST);
    // Writing to a string cannot fail, so these results carry nothing.
    let top = head(&mut body, &view, page).unwrap_or_default();
    let origin = (LEFT + (page - LEFT - RIGHT - layout.width) / 2.0, top);
    let _ = waves(&mut body, &layout, page, origin.1);
    let _ = lines(&mut body, &view, &links, &layout, origin);
    for ((node, card), (x, y)) in view.nodes.iter().zip(&cards).zip(&layout.boxes) {
        let _ = card.draw(&mut body, &view, node, (x + origin.0, y + origin.1));
    }

    let size = (page + 2.0 * MARGIN, top + layout.height + 2.0 * MARGIN);
    let (width, height) = (number(size.0), number(size.1));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n<g transform=\"translate({MARGIN} {MARGIN})\">\n{body}</g>\n</svg>\n",
        xml(&format!("{}: {}", one_line(&plan.playbook), view.summary())),
    )
}

fn line(view: &View<'_>, link: &Link) -> Line {
    let reads = view.nodes[link.to.index()].needs[link.need].has_data();
    Line {
        from: link.from.index(),
        to: link.to.index(),
        look: u8::from(reads) + 2 * u8::from(link.implied) + 4 * u8::from(link.on_chain),
        weight: match link {
            Link { on_chain: true, .. } => 1_000.0,
            Link { implied: true, .. } => 0.05,
            _ => 1.0,
        },
    }
}

/// Title, parameters and legend; gives the height that they take.
fn head(out: &mut String, view: &View<'_>, page: f64) -> Result<f64, std::fmt::Error> {
    let title = Font {
        bold: true,
        ..Font::plain(17.0)
    };
    let small = Font::plain(11.5);
    let mut y = 14.0;
    writeln!(
        out,
        "<text class=\"title\" x=\"0\" y=\"{y}\">{}</text>",
        xml(&title.fit(&one_line(&view.plan.playbook), page))
    )?;
    let mut summary = vec![view.summary()];
    summary.extend(small.wrap(&view.params().join(" · "), page, 3));
    for text in summary {
        y += 18.0;
        writeln!(
            out,
            "<text class=\"summary\" x=\"0\" y=\"{}\">{}</text>",
            number(y),
            xml(&text)
        )?;
    }
    if view.nodes.is_empty() {
        return Ok(y + 20.0);
    }

    let mut x = 0.0;
    y += 24.0;
    let mut entry = |out: &mut String, text: &str, sign: &str| {
        let wide = 26.0 + small.width(text) + 18.0;
        if x > 0.0 && x + wide > page {
            x = 0.0;
            y += 20.0;
        }
        let place = format!("translate({} {})", number(x), number(y));
        x += wide;
        writeln!(
            out,
            "<g transform=\"{place}\">{sign}<text class=\"legend\" x=\"26\" y=\"4\">{}</text></g>",
            xml(text)
        )
    };
    for (family, colour) in &view.families {
        let sign = format!(
            "<rect x=\"0.5\" y=\"-6\" width=\"18\" height=\"12\" rx=\"3\" fill=\"{}\" stroke=\"{}\"/>",
            colour.fill, colour.ink
        );
        entry(out, family, &sign)?;
    }
    entry(
        out,
        "white: only reads",
        "<rect x=\"0.5\" y=\"-6\" width=\"18\" height=\"12\" rx=\"3\" fill=\"#ffffff\" stroke=\"#64748b\"/>",
    )?;
    for (class, text) in [
        ("", "uses its output"),
        ("order", "runs after it"),
        ("chain", "longest chain"),
        ("implied", "follows from others"),
    ] {
        entry(
            out,
            text,
            &format!("<g class=\"{class}\"><path class=\"line\" d=\"M0 0H20\"/></g>"),
        )?;
    }
    Ok(y + 28.0)
}

/// The rows' stripes and names.
fn waves(out: &mut String, layout: &Layout, page: f64, top: f64) -> std::fmt::Result {
    for (wave, (y, height)) in layout.rows.iter().enumerate() {
        let y = y + top;
        writeln!(
            out,
            "<rect x=\"0\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"#f8fafc\"/>\n\
             <text class=\"wave\" x=\"10\" y=\"{}\">wave {}</text>",
            number(y - 12.0),
            number(page),
            number(height + 24.0),
            number(y + height / 2.0 + 4.0),
            wave + 1
        )?;
    }
    Ok(())
}

fn lines(
    out: &mut String,
    view: &View<'_>,
    links: &[Link],
    layout: &Layout,
    origin: (f64, f64),
) -> std::fmt::Result {
    // What matters most is drawn last, on top.
    let rank = |piece: &Piece| piece.lines.first().map_or(0, |line| rank(&links[*line]));
    let mut pieces: Vec<&Piece> = layout.pieces.iter().collect();
    pieces.sort_by_key(|piece| rank(piece));
    for piece in pieces {
        let Some(first) = piece.lines.first().map(|line| &links[*line]) else {
            continue;
        };
        let reads = view.nodes[first.to.index()].needs[first.need].has_data();
        let mut classes = "link".to_owned();
        classes.push_str(if reads { "" } else { " order" });
        classes.push_str(["", " implied", "", " chain"][usize::from(self::rank(first))].trim_end());
        let way = way(piece, origin);
        writeln!(
            out,
            "<g class=\"{classes}\"><title>{}</title>",
            xml(&explain(view, links, piece))
        )?;
        write!(
            out,
            "<path class=\"hit\" d=\"{way}\"/><path class=\"line\" d=\"{way}\"/>"
        )?;
        if piece.arrives {
            let (x, y) = (number(piece.to.0 + origin.0), number(piece.to.1 + origin.1));
            write!(out, "<path class=\"head\" d=\"M{x} {y}l-4 -7.5h8z\"/>")?;
        }
        out.push_str("</g>\n");
    }
    Ok(())
}

/// Faint, usual, thick.
fn rank(link: &Link) -> u8 {
    match link {
        Link { on_chain: true, .. } => 3,
        Link { implied: true, .. } => 1,
        _ => 2,
    }
}

/// Straight past the boxes of its row, then a curve to the next one that begins and ends vertically.
fn way(piece: &Piece, (left, top): (f64, f64)) -> String {
    let (x, y) = (piece.from.0 + left, piece.from.1 + top);
    let bend = piece.straight_to + top;
    // An arrow's head covers the end of its line.
    let (to_x, to_y) = (
        piece.to.0 + left,
        piece.to.1 + top - if piece.arrives { 5.0 } else { 0.0 },
    );
    let middle = number((bend + to_y) / 2.0);
    let mut way = format!("M{} {}", number(x), number(y));
    if bend > y {
        let _ = write!(way, "V{}", number(bend));
    }
    if (x - to_x).abs() < 0.5 {
        let _ = write!(way, "V{}", number(to_y));
    } else {
        let _ = write!(
            way,
            "C{} {middle} {} {middle} {} {}",
            number(x),
            number(to_x),
            number(to_x),
            number(to_y)
        );
    }
    way
}

/// What the lines that take a piece stand for; of a trunk with many only the first ones.
fn explain(view: &View<'_>, links: &[Link], piece: &Piece) -> String {
    const SHOWN: usize = 12;
    let mut texts: Vec<String> = piece
        .lines
        .iter()
        .take(SHOWN)
        .map(|line| view.explain(&links[*line]))
        .collect();
    if piece.lines.len() > SHOWN {
        texts.push(format!("… and {} more", piece.lines.len() - SHOWN));
    }
    texts.join("\n")
}

/// A coordinate to a tenth.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
