//! Gives each vertex its column: as near as may be to those that it is linked to, in the order of its row, without
//! touching its neighbours.

use super::Net;

/// The weight of a vertex of the spine against those that would push it aside.
const FIXED: f64 = 1e9;

/// The middle of each vertex; the leftmost edge is at 0.
pub(super) fn columns(net: &Net, spine: &[usize]) -> Vec<f64> {
    let mut x = vec![0.0; net.vertices.len()];
    let mut fixed = vec![false; net.vertices.len()];
    spine.iter().for_each(|vertex| fixed[*vertex] = true);
    for row in &net.rows {
        let mut at = 0.0;
        for (index, vertex) in row.iter().enumerate() {
            if index > 0 {
                at += net.distance(row[index - 1], *vertex);
            }
            x[*vertex] = at;
        }
        // Rows start out centred.
        let middle = at / 2.0;
        row.iter().for_each(|vertex| x[*vertex] -= middle);
    }
    let rounds = if net.links.len() > 20_000 { 4 } else { 16 };
    for round in 0..rounds {
        // Towards the end both sides count, so that the last word is not that of one direction.
        let both = round * 2 >= rounds;
        for row in 0..net.rows.len() {
            pull(net, row, true, both, &fixed, &mut x);
        }
        for row in (0..net.rows.len()).rev() {
            pull(net, row, both, true, &fixed, &mut x);
        }
    }
    for _ in 0..3 {
        straighten(net, &fixed, &mut x);
    }
    let left = net
        .vertices
        .iter()
        .zip(&x)
        .map(|(vertex, x)| x - vertex.width / 2.0)
        .fold(f64::INFINITY, f64::min);
    if left.is_finite() {
        x.iter_mut().for_each(|x| *x -= left);
    }
    x
}

/// Moves a row to where its links above, below or both pull it.
fn pull(net: &Net, row: usize, above: bool, below: bool, fixed: &[bool], x: &mut [f64]) {
    let row = &net.rows[row];
    let mut wanted = Vec::with_capacity(row.len());
    let mut weights = Vec::with_capacity(row.len());
    for vertex in row {
        if fixed[*vertex] {
            wanted.push(0.0);
            weights.push(FIXED);
            continue;
        }
        let (mut sum, mut weight) = (0.0, 0.0);
        let mut add = |link: &usize, other: fn(&super::Link) -> usize| {
            let link = &net.links[*link];
            sum += link.weight * x[other(link)];
            weight += link.weight;
        };
        if above {
            net.up[*vertex]
                .iter()
                .for_each(|link| add(link, |link| link.from));
        }
        if below {
            net.down[*vertex]
                .iter()
                .for_each(|link| add(link, |link| link.to));
        }
        if weight > 0.0 {
            wanted.push(sum / weight);
            weights.push(weight);
        } else {
            // One without links goes as near to the spine as the others let it.
            wanted.push(0.0);
            weights.push(0.01);
        }
    }
    let gaps: Vec<f64> = row
        .windows(2)
        .map(|pair| net.distance(pair[0], pair[1]))
        .collect();
    for (vertex, place) in row.iter().zip(closest(&wanted, &weights, &gaps)) {
        x[*vertex] = place;
    }
}

/// The places nearest to the wanted ones (least weighted squares) that are in order and `gaps` apart: isotonic
/// regression by pooling neighbours that want to be nearer than they may.
pub(super) fn closest(wanted: &[f64], weights: &[f64], gaps: &[f64]) -> Vec<f64> {
    closest_within(wanted, weights, gaps, (f64::NEG_INFINITY, f64::INFINITY))
}

/// The same between two bounds, which must be as far apart as all gaps together.
pub(super) fn closest_within(
    wanted: &[f64],
    weights: &[f64],
    gaps: &[f64],
    (low, high): (f64, f64),
) -> Vec<f64> {
    let mut offsets = Vec::with_capacity(wanted.len());
    let mut offset = 0.0;
    for index in 0..wanted.len() {
        if index > 0 {
            offset += gaps[index - 1];
        }
        offsets.push(offset);
    }
    // Each pool: the place of its first member if the gaps were nothing, its weight, its size.
    let mut pools: Vec<(f64, f64, usize)> = Vec::with_capacity(wanted.len());
    for (index, want) in wanted.iter().enumerate() {
        let mut pool = (want - offsets[index], weights[index], 1);
        while let Some(last) = pools.last().copied().filter(|last| last.0 > pool.0) {
            pools.pop();
            let weight = last.1 + pool.1;
            pool = (
                (last.0 * last.1 + pool.0 * pool.1) / weight,
                weight,
                last.2 + pool.2,
            );
        }
        pools.push(pool);
    }
    let mut places = Vec::with_capacity(wanted.len());
    // Without the gaps, the last one may go as far right as the bound leaves room for all gaps.
    let high = (high - offset).max(low);
    for (place, _, size) in pools {
        let place = place.clamp(low, high);
        for _ in 0..size {
            places.push(place + offsets[places.len()]);
        }
    }
    places
}

/// Puts the vertices of each way that should be straight into one column where their neighbours let them.
fn straighten(net: &Net, fixed: &[bool], x: &mut [f64]) {
    let mut place = vec![0; net.vertices.len()];
    for row in &net.rows {
        row.iter()
            .enumerate()
            .for_each(|(index, vertex)| place[*vertex] = index);
    }
    for way in ways(net, fixed) {
        let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
        for vertex in &way {
            let row = &net.rows[net.vertices[*vertex].row];
            let index = place[*vertex];
            if let Some(left) = index.checked_sub(1).map(|index| row[index]) {
                low = low.max(x[left] + net.distance(left, *vertex));
            }
            if let Some(right) = row.get(index + 1).copied() {
                high = high.min(x[right] - net.distance(*vertex, right));
            }
        }
        if low <= high {
            let middle = way.iter().map(|vertex| x[*vertex]).sum::<f64>() / way.len() as f64;
            let column = middle.clamp(low, high);
            way.iter().for_each(|vertex| x[*vertex] = column);
        }
    }
}

/// Ways through the graph that follow, from each vertex, its heaviest link: trunks first, then lines between boxes.
fn ways(net: &Net, fixed: &[bool]) -> Vec<Vec<usize>> {
    let mut heaviest: Vec<usize> = (0..net.links.len()).collect();
    heaviest.sort_by(|a, b| {
        net.links[*b]
            .weight
            .total_cmp(&net.links[*a].weight)
            .then(a.cmp(b))
    });
    let mut above: Vec<Option<usize>> = vec![None; net.vertices.len()];
    let mut below: Vec<Option<usize>> = vec![None; net.vertices.len()];
    for link in heaviest {
        let link = &net.links[link];
        if fixed[link.from] || fixed[link.to] {
            continue;
        }
        if below[link.from].is_none() && above[link.to].is_none() {
            below[link.from] = Some(link.to);
            above[link.to] = Some(link.from);
        }
    }
    let mut ways = Vec::new();
    for start in 0..net.vertices.len() {
        if above[start].is_some() || below[start].is_none() {
            continue;
        }
        let mut way = vec![start];
        let mut here = start;
        while let Some(next) = below[here] {
            way.push(next);
            here = next;
        }
        // A way that cannot be straight as a whole may be so in parts.
        ways.extend(way.windows(2).map(<[usize]>::to_vec));
        ways.push(way);
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::{closest, closest_within};

    #[test]
    fn the_closest_places_keep_order_and_gaps() {
        assert_eq!(closest(&[0.0, 10.0], &[1.0, 1.0], &[4.0]), [0.0, 10.0]);
        assert_eq!(closest(&[5.0, 5.0], &[1.0, 1.0], &[4.0]), [3.0, 7.0]);
        assert_eq!(closest(&[5.0, 5.0], &[3.0, 1.0], &[4.0]), [4.0, 8.0]);
        assert_eq!(
            closest(&[9.0, 0.0, 0.0], &[1.0, 1.0, 1.0], &[1.0, 1.0]),
            [2.0, 3.0, 4.0]
        );
        let within = closest_within(&[0.0, 9.0, 9.0], &[1.0, 1.0, 1.0], &[2.0, 2.0], (0.0, 9.0));
        assert_eq!(within, [0.0, 7.0, 9.0]);
        assert!(closest(&[], &[], &[]).is_empty());
    }
}
