//! Arranges each row so that few lines cross: each vertex goes to the middle of those that it is linked to, row by row,
//! down and up in turns, then neighbours change places where that helps. The best arrangement that was seen is kept.

use super::Net;

/// Rounds down and up; more bring nothing in graphs of the size that people look at.
const ROUNDS: usize = 12;
/// With more links than this, fewer rounds: a drawing of them is no longer read line by line.
const MANY: usize = 4_000;

pub(super) fn reduce_crossings(net: &mut Net) {
    let rounds = if net.links.len() > MANY { 3 } else { ROUNDS };
    let mut place = vec![0; net.vertices.len()];
    // A first arrangement from above, where a row starts in the order of the playbook.
    for row in 0..net.rows.len() {
        settle(net, row, true, &mut place);
    }
    let mut best = (crossings(net, &place), net.rows.clone());
    for _ in 0..rounds {
        if best.0 == 0 {
            break;
        }
        for row in (0..net.rows.len()).rev() {
            settle(net, row, false, &mut place);
        }
        for row in 0..net.rows.len() {
            settle(net, row, true, &mut place);
        }
        if net.links.len() <= MANY {
            swap_neighbours(net, &mut place);
        }
        let now = crossings(net, &place);
        if now < best.0 {
            best = (now, net.rows.clone());
        }
    }
    net.rows = best.1;
}

/// Sorts a row by where its vertices' links lead to in the row above or below.
fn settle(net: &mut Net, row: usize, from_above: bool, place: &mut [usize]) {
    let mut row_now = std::mem::take(&mut net.rows[row]);
    let mut keyed: Vec<(f64, usize)> = row_now
        .iter()
        .enumerate()
        .map(|(index, vertex)| {
            let links = if from_above {
                &net.up[*vertex]
            } else {
                &net.down[*vertex]
            };
            let sum: f64 = links
                .iter()
                .map(|link| {
                    let link = &net.links[*link];
                    place[if from_above { link.from } else { link.to }] as f64
                })
                .sum();
            // One without links stays where it is.
            let middle = if links.is_empty() {
                index as f64
            } else {
                sum / links.len() as f64
            };
            (middle, *vertex)
        })
        .collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    row_now.clear();
    row_now.extend(keyed.iter().map(|(_, vertex)| *vertex));
    for (index, vertex) in row_now.iter().enumerate() {
        place[*vertex] = index;
    }
    net.rows[row] = row_now;
}

/// Lets neighbours change places as long as that takes crossings away.
fn swap_neighbours(net: &mut Net, place: &mut [usize]) {
    for _ in 0..8 {
        let mut better = false;
        for row in 0..net.rows.len() {
            for index in 1..net.rows[row].len() {
                let (left, right) = (net.rows[row][index - 1], net.rows[row][index]);
                let (as_is, swapped) = crossings_of(net, place, left, right);
                if swapped < as_is {
                    net.rows[row].swap(index - 1, index);
                    place[left] = index;
                    place[right] = index - 1;
                    better = true;
                }
            }
        }
        if !better {
            break;
        }
    }
}

/// How often the links of two neighbours cross as they are, and the other way round.
fn crossings_of(net: &Net, place: &[usize], left: usize, right: usize) -> (usize, usize) {
    let mut counts = (0, 0);
    for (links, is_up) in [(&net.up, true), (&net.down, false)] {
        let other = |link: usize| {
            place[if is_up {
                net.links[link].from
            } else {
                net.links[link].to
            }]
        };
        for a in &links[left] {
            for b in &links[right] {
                match other(*a).cmp(&other(*b)) {
                    std::cmp::Ordering::Greater => counts.0 += 1,
                    std::cmp::Ordering::Less => counts.1 += 1,
                    std::cmp::Ordering::Equal => {}
                }
            }
        }
    }
    counts
}

/// All crossings, counted with a Fenwick tree a row.
fn crossings(net: &Net, place: &[usize]) -> usize {
    let mut count = 0;
    for pair in net.rows.windows(2) {
        let mut ends: Vec<(usize, usize)> = pair[0]
            .iter()
            .flat_map(|vertex| &net.down[*vertex])
            .map(|link| (place[net.links[*link].from], place[net.links[*link].to]))
            .collect();
        ends.sort_unstable();
        let mut tree = vec![0_usize; pair[1].len() + 1];
        for (before, (_, end)) in ends.iter().enumerate() {
            // Of the links that began before, those that end farther right cross this one.
            let mut not_farther = 0;
            let mut at = end + 1;
            while at > 0 {
                not_farther += tree[at];
                at &= at - 1;
            }
            count += before - not_farther;
            let mut at = end + 1;
            while at < tree.len() {
                tree[at] += 1;
                at += at & at.wrapping_neg();
            }
        }
    }
    count
}
