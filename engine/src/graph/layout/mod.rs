//! A layered layout: rows of boxes, and ways for the lines between them that cross no box.
//!
//! The rows are given (they are the waves). A line that spans several rows runs through a gap of its own in each row
//! between; lines that have the same begin and look share these gaps, as branches of one trunk. Then it is the usual
//! two steps: [`order`] arranges each row so that few lines cross, [`place`] gives each box its column.
//!
//! Everything is done in a fixed order and with plain arithmetic, so the same graph gives the same numbers anywhere.

mod order;
mod place;

use std::collections::BTreeMap;

/// What is to be laid out. A box is known by its index.
#[derive(Debug)]
pub(super) struct Rows {
    /// The boxes of each row, from above.
    pub rows: Vec<Vec<usize>>,
    /// Width and height of each box.
    pub sizes: Vec<(f64, f64)>,
    /// Lines from a box to one in a lower row.
    pub lines: Vec<Line>,
    /// Boxes that are to be in one column: at most one a row.
    pub spine: Vec<usize>,
}

/// A line from one box to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub from: usize,
    pub to: usize,
    /// Lines of one begin and the same look may share their way.
    pub look: u8,
    /// How much it is worth that the line is straight.
    pub weight: f64,
}

/// Where everything is.
pub(super) struct Layout {
    pub width: f64,
    pub height: f64,
    /// The left upper corner of each box.
    pub boxes: Vec<(f64, f64)>,
    /// Top and height of each row.
    pub rows: Vec<(f64, f64)>,
    /// The pieces of the lines.
    pub pieces: Vec<Piece>,
}

/// A piece of one or more lines: it leaves and arrives vertically.
pub(super) struct Piece {
    pub from: (f64, f64),
    pub to: (f64, f64),
    /// Down to here it must go straight, past the boxes of the row where it begins.
    pub straight_to: f64,
    /// Whether it ends at a box, not in a gap of a row.
    pub arrives: bool,
    /// The lines that take it, by index.
    pub lines: Vec<usize>,
}

/// Between two boxes of a row.
const BOX_GAP: f64 = 28.0;
/// Between two lines that pass through a row, and between such a line and a box.
const LINE_GAP: f64 = 14.0;
/// Between two lines at the edge of a box.
const PORT_GAP: f64 = 12.0;
/// Between two rows, at least.
const ROW_GAP: f64 = 44.0;

/// A box, or the gap in a row through which lines pass.
struct Vertex {
    width: f64,
    row: usize,
    is_gap: bool,
}

/// From a vertex to one in the next row.
struct Link {
    from: usize,
    to: usize,
    weight: f64,
    lines: Vec<usize>,
}

/// The graph with all lines cut into links from row to row.
struct Net {
    vertices: Vec<Vertex>,
    links: Vec<Link>,
    rows: Vec<Vec<usize>>,
    /// Each vertex's links to the row above and to the row below.
    up: Vec<Vec<usize>>,
    down: Vec<Vec<usize>>,
}

/// Lays out.
pub(super) fn lay_out(graph: &Rows) -> Layout {
    let mut net = Net::new(graph);
    order::reduce_crossings(&mut net);
    let x = place::columns(&net, &graph.spine);
    draw(graph, &net, &x)
}

impl Net {
    fn new(graph: &Rows) -> Self {
        let mut row_of = vec![0; graph.sizes.len()];
        for (row, boxes) in graph.rows.iter().enumerate() {
            for index in boxes {
                row_of[*index] = row;
            }
        }
        let mut net = Self {
            vertices: graph
                .sizes
                .iter()
                .zip(&row_of)
                .map(|(size, row)| Vertex {
                    width: size.0,
                    row: *row,
                    is_gap: false,
                })
                .collect(),
            links: Vec::new(),
            rows: graph.rows.clone(),
            up: Vec::new(),
            down: Vec::new(),
        };
        let mut gaps: BTreeMap<(usize, u8, usize), usize> = BTreeMap::new();
        let mut known: BTreeMap<(usize, usize, u8), usize> = BTreeMap::new();
        for (index, line) in graph.lines.iter().enumerate() {
            let mut here = line.from;
            for row in row_of[line.from] + 1..row_of[line.to] {
                let gap = *gaps.entry((line.from, line.look, row)).or_insert_with(|| {
                    net.vertices.push(Vertex {
                        width: 0.0,
                        row,
                        is_gap: true,
                    });
                    net.rows[row].push(net.vertices.len() - 1);
                    net.vertices.len() - 1
                });
                net.link(&mut known, here, gap, line, index);
                here = gap;
            }
            net.link(&mut known, here, line.to, line, index);
        }
        net.up = vec![Vec::new(); net.vertices.len()];
        net.down = vec![Vec::new(); net.vertices.len()];
        for (index, link) in net.links.iter().enumerate() {
            net.down[link.from].push(index);
            net.up[link.to].push(index);
        }
        net
    }

    fn link(
        &mut self,
        known: &mut BTreeMap<(usize, usize, u8), usize>,
        from: usize,
        to: usize,
        line: &Line,
        index: usize,
    ) {
        let link = *known.entry((from, to, line.look)).or_insert_with(|| {
            let weight = match (self.vertices[from].is_gap, self.vertices[to].is_gap) {
                (true, true) => 8.0,
                (true, false) | (false, true) => line.weight * 1.5,
                (false, false) => line.weight,
            };
            self.links.push(Link {
                from,
                to,
                weight,
                lines: Vec::new(),
            });
            self.links.len() - 1
        });
        self.links[link].lines.push(index);
    }

    /// How far apart the middles of two neighbours in a row must be.
    fn distance(&self, left: usize, right: usize) -> f64 {
        let (left, right) = (&self.vertices[left], &self.vertices[right]);
        let gap = if left.is_gap || right.is_gap {
            LINE_GAP
        } else {
            BOX_GAP
        };
        (left.width + right.width) / 2.0 + gap
    }
}

fn draw(graph: &Rows, net: &Net, x: &[f64]) -> Layout {
    let ends = ports(net, x);
    let mut rows = Vec::with_capacity(graph.rows.len());
    let mut top = 0.0;
    for (row, boxes) in graph.rows.iter().enumerate() {
        let height = boxes
            .iter()
            .map(|index| graph.sizes[*index].1)
            .fold(0.0, f64::max);
        rows.push((top, height));
        // The farther lines go aside, the more room they need to do so at an angle that the eye can follow.
        let aside = net
            .links
            .iter()
            .zip(&ends)
            .filter(|(link, _)| net.vertices[link.from].row == row)
            .map(|(_, (from, to))| (from - to).abs())
            .fold(0.0, f64::max);
        top += height + ROW_GAP + (aside * 0.06).min(60.0);
    }
    let height = rows.last().map_or(0.0, |(top, height)| top + height);
    let boxes = graph
        .sizes
        .iter()
        .enumerate()
        .map(|(index, size)| (x[index] - size.0 / 2.0, rows[net.vertices[index].row].0))
        .collect();
    let width = net
        .vertices
        .iter()
        .zip(x)
        .map(|(vertex, x)| x + vertex.width / 2.0)
        .fold(0.0, f64::max);
    let pieces = net
        .links
        .iter()
        .zip(ends)
        .map(|(link, (from, to))| {
            let (top, height) = rows[net.vertices[link.from].row];
            let start = if net.vertices[link.from].is_gap {
                top
            } else {
                top + graph.sizes[link.from].1
            };
            Piece {
                from: (from, start),
                to: (to, rows[net.vertices[link.to].row].0),
                straight_to: top + height,
                arrives: !net.vertices[link.to].is_gap,
                lines: link.lines.clone(),
            }
        })
        .collect();
    Layout {
        width,
        height,
        boxes,
        rows,
        pieces,
    }
}

/// Where each link begins and ends: below or above the other end if the box reaches so far, without two at one place.
fn ports(net: &Net, x: &[f64]) -> Vec<(f64, f64)> {
    let mut ends: Vec<(f64, f64)> = net.links.iter().map(|link| (x[link.from], x[link.to])).collect();
    for (vertex, Vertex { width, is_gap, .. }) in net.vertices.iter().enumerate() {
        if *is_gap {
            continue;
        }
        for (links, is_begin) in [(&net.down[vertex], true), (&net.up[vertex], false)] {
            let other = |link: usize| {
                if is_begin {
                    net.links[link].to
                } else {
                    net.links[link].from
                }
            };
            let mut sorted: Vec<usize> = links.clone();
            sorted.sort_by(|a, b| x[other(*a)].total_cmp(&x[other(*b)]).then(a.cmp(b)));
            let reach = (width / 2.0 - 16.0).max(0.0);
            let wanted: Vec<f64> = sorted
                .iter()
                .map(|link| {
                    let other = other(*link);
                    // Two boxes meet half way.
                    let there = if net.vertices[other].is_gap {
                        x[other]
                    } else {
                        (x[other] + x[vertex]) / 2.0
                    };
                    there.clamp(x[vertex] - reach, x[vertex] + reach)
                })
                .collect();
            let gap = if sorted.len() > 1 {
                PORT_GAP.min(reach * 2.0 / (sorted.len() - 1) as f64)
            } else {
                0.0
            };
            let weights: Vec<f64> = sorted.iter().map(|link| net.links[*link].weight).collect();
            let gaps = vec![gap; sorted.len().saturating_sub(1)];
            let within = (x[vertex] - reach, x[vertex] + reach);
            let places = place::closest_within(&wanted, &weights, &gaps, within);
            for (link, place) in sorted.iter().zip(places) {
                if is_begin {
                    ends[*link].0 = place;
                } else {
                    ends[*link].1 = place;
                }
            }
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Boxes in rows, and lines that lead down.
    fn graphs() -> impl Strategy<Value = Rows> {
        let boxes = vec((0_usize..7, 20.0..200.0_f64, 10.0..90.0_f64), 0..40);
        (boxes, vec((0_usize..40, 0_usize..40, 0_u8..3), 0..80)).prop_map(|(boxes, lines)| {
            let mut rows = vec![Vec::new(); 7];
            boxes
                .iter()
                .enumerate()
                .for_each(|(index, (row, ..))| rows[*row].push(index));
            let lines = lines
                .into_iter()
                .filter(|(from, to, _)| boxes.len() > *from.max(to) && boxes[*from].0 < boxes[*to].0)
                .map(|(from, to, look)| Line {
                    from,
                    to,
                    look,
                    weight: 1.0,
                })
                .collect();
            let spine = rows.iter().filter_map(|row| row.first().copied()).collect();
            Rows {
                rows,
                sizes: boxes.iter().map(|(_, width, height)| (*width, *height)).collect(),
                lines,
                spine,
            }
        })
    }

    proptest! {
        #[test]
        fn boxes_are_apart_and_no_line_crosses_one(graph in graphs()) {
            let layout = lay_out(&graph);
            for (row, boxes) in graph.rows.iter().enumerate() {
                let mut edges: Vec<(f64, f64)> =
                    boxes.iter().map(|index| (layout.boxes[*index].0, layout.boxes[*index].0 + graph.sizes[*index].0)).collect();
                edges.sort_by(|a, b| a.0.total_cmp(&b.0));
                for pair in edges.windows(2) {
                    prop_assert!(pair[0].1 + BOX_GAP <= pair[1].0 + 0.01, "{pair:?}");
                }
                // A line that passes a row does so beside its boxes.
                let (top, height) = layout.rows[row];
                for piece in layout.pieces.iter().filter(|piece| piece.from.1 <= top && piece.straight_to >= top + height && height > 0.0) {
                    for (left, right) in &edges {
                        prop_assert!(piece.from.0 < left - 1.0 || piece.from.0 > right + 1.0, "{} in {left}..{right}", piece.from.0);
                    }
                }
            }
            for piece in &layout.pieces {
                prop_assert!(piece.from.1 <= piece.straight_to && piece.straight_to < piece.to.1);
            }
            let ends: Vec<usize> = layout.pieces.iter().filter(|piece| piece.arrives).flat_map(|piece| piece.lines.clone()).collect();
            prop_assert_eq!(ends.len(), graph.lines.len(), "every line arrives once");
            prop_assert!(layout.boxes.iter().zip(&graph.sizes).all(|(at, size)| at.0 >= -0.01 && at.0 + size.0 <= layout.width + 0.01));
        }
    }
}
