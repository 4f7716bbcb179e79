//! Groups within a weighted graph: communities, and the dense part of each.

use std::collections::BTreeMap;

/// A weighted graph without direction: for each node its neighbours in order, each once, with a weight above zero. A
/// node may be its own neighbour.
pub(super) type Neighbours = Vec<Vec<(u32, f64)>>;

/// Passes over all nodes within one level; improvements of later ones hardly show.
const PASSES: usize = 16;

/// Parts the nodes into communities, so that edges within are far more than chance would put there: the method of Louvain
/// (Blondel et al. 2008). Nodes are visited in order and ties go to the lower number, so that the same graph is always
/// parted alike. One number for each node.
pub(super) fn communities(graph: &Neighbours) -> Vec<u32> {
    let mut of_node: Vec<u32> = (0..graph.len()).map(|node| node as u32).collect();
    let mut level = graph.clone();
    loop {
        let (moved, count) = local_moves(&level);
        for community in &mut of_node {
            *community = moved[*community as usize];
        }
        if count == level.len() {
            return of_node;
        }
        level = aggregated(&level, &moved, count);
    }
}

/// Moves nodes to the community of a neighbour while that helps. Communities are numbered from 0 by their first node.
fn local_moves(graph: &Neighbours) -> (Vec<u32>, usize) {
    let degree: Vec<f64> = graph.iter().enumerate().map(|(node, near)| weight(node, near)).collect();
    let twice: f64 = degree.iter().sum();
    let mut of_node: Vec<u32> = (0..graph.len()).map(|node| node as u32).collect();
    let mut total = degree.clone();
    let mut links: BTreeMap<u32, f64> = BTreeMap::new();
    for _ in 0..PASSES {
        let mut moves = 0;
        for (node, near) in graph.iter().enumerate() {
            links.clear();
            for (other, weight) in near.iter().filter(|(other, _)| *other as usize != node) {
                *links.entry(of_node[*other as usize]).or_default() += weight;
            }
            let own = of_node[node];
            total[own as usize] -= degree[node];
            let gain = |community: u32, link: f64| link - degree[node] * total[community as usize] / twice;
            let mut best = (own, gain(own, links.get(&own).copied().unwrap_or(0.0)));
            for (community, link) in &links {
                let found = gain(*community, *link);
                if best.1 + 1e-9 < found {
                    best = (*community, found);
                }
            }
            total[best.0 as usize] += degree[node];
            moves += usize::from(best.0 != own);
            of_node[node] = best.0;
        }
        if moves == 0 {
            break;
        }
    }
    renumbered(of_node)
}

/// The weight at a node; an edge to itself has two ends there.
fn weight(node: usize, near: &[(u32, f64)]) -> f64 {
    near.iter().map(|(other, weight)| if *other as usize == node { 2.0 * weight } else { *weight }).sum()
}

fn renumbered(mut of_node: Vec<u32>) -> (Vec<u32>, usize) {
    let mut numbers = vec![u32::MAX; of_node.len()];
    let mut count = 0;
    for community in &mut of_node {
        let number = &mut numbers[*community as usize];
        if *number == u32::MAX {
            *number = count;
            count += 1;
        }
        *community = *number;
    }
    (of_node, count as usize)
}

/// Communities become nodes; what is within one becomes an edge to itself.
fn aggregated(graph: &Neighbours, of_node: &[u32], count: usize) -> Neighbours {
    let mut next: Vec<BTreeMap<u32, f64>> = vec![BTreeMap::new(); count];
    for (node, near) in graph.iter().enumerate() {
        let own = of_node[node];
        for (other, weight) in near {
            let theirs = of_node[*other as usize];
            // An edge within is met from both ends, but one from a node to itself only once.
            let part = if theirs == own && *other as usize != node { 0.5 } else { 1.0 };
            *next[own as usize].entry(theirs).or_default() += part * weight;
        }
    }
    next.into_iter().map(|near| near.into_iter().collect()).collect()
}

/// The part of a group whose mean weight for each node is highest: nodes are taken away, the least connected first, and
/// the best state on the way is kept, which is at least half as dense as the densest (Charikar 2000). In order.
pub(super) fn densest(graph: &Neighbours, group: &[u32]) -> Vec<u32> {
    let is_in: BTreeMap<u32, usize> = group.iter().enumerate().map(|(place, node)| (*node, place)).collect();
    let inside = |node: u32| {
        graph[node as usize].iter().filter_map(|(other, weight)| Some((*is_in.get(other)?, *weight)))
    };
    let mut weights: Vec<f64> = group.iter().map(|node| inside(*node).map(|it| it.1).sum()).collect();
    let mut all = weights.iter().sum::<f64>() / 2.0;
    let mut gone = vec![usize::MAX; group.len()];
    let (mut best, mut best_at) = (f64::MIN, 0);
    for step in 0..group.len() {
        let left = (group.len() - step) as f64;
        if best + 1e-9 < all / left {
            (best, best_at) = (all / left, step);
        }
        let still = (0..group.len()).filter(|place| gone[*place] == usize::MAX);
        let Some(least) = still.min_by(|one, other| weights[*one].total_cmp(&weights[*other])) else { break };
        gone[least] = step;
        for (other, weight) in inside(group[least]) {
            if gone[other] == usize::MAX {
                weights[other] -= weight;
                all -= weight;
            }
        }
    }
    let kept = (0..group.len()).filter(|place| best_at <= gone[*place]);
    let mut kept: Vec<u32> = kept.map(|place| group[place]).collect();
    kept.sort_unstable();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(nodes: usize, edges: &[(u32, u32, f64)]) -> Neighbours {
        let mut graph: Neighbours = vec![Vec::new(); nodes];
        for (one, other, weight) in edges {
            graph[*one as usize].push((*other, *weight));
            graph[*other as usize].push((*one, *weight));
        }
        graph.iter_mut().for_each(|near| near.sort_by_key(|it| it.0));
        graph
    }

    /// Cliques of so many nodes each, and a bridge from each to the next.
    fn cliques(sizes: &[u32]) -> Neighbours {
        let (mut edges, mut first) = (Vec::new(), 0);
        for size in sizes {
            for one in first..first + size {
                edges.extend((one + 1..first + size).map(|other| (one, other, 1.0)));
            }
            if first != 0 {
                edges.push((first - 1, first, 1.0));
            }
            first += size;
        }
        graph(first as usize, &edges)
    }

    #[test]
    fn cliques_are_communities_in_spite_of_bridges() {
        let found = communities(&cliques(&[4, 5, 6]));
        assert_eq!(found, [0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
    }

    #[test]
    fn communities_of_zacharys_club_are_as_modular_as_louvain_finds_them() {
        // Zachary 1977; Blondel et al. report a modularity of 0.42.
        let near: [&[u32]; 34] = [
            &[1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31],
            &[2, 3, 7, 13, 17, 19, 21, 30],
            &[3, 7, 8, 9, 13, 27, 28, 32],
            &[7, 12, 13],
            &[6, 10],
            &[6, 10, 16],
            &[16],
            &[],
            &[30, 32, 33],
            &[33],
            &[],
            &[],
            &[],
            &[33],
            &[32, 33],
            &[32, 33],
            &[],
            &[],
            &[32, 33],
            &[33],
            &[32, 33],
            &[],
            &[32, 33],
            &[25, 27, 29, 32, 33],
            &[25, 27, 31],
            &[31],
            &[29, 33],
            &[33],
            &[31, 33],
            &[32, 33],
            &[32, 33],
            &[32, 33],
            &[33],
            &[],
        ];
        let edges: Vec<(u32, u32, f64)> = near
            .iter()
            .enumerate()
            .flat_map(|(one, others)| others.iter().map(move |other| (one as u32, *other, 1.0)))
            .collect();
        assert_eq!(edges.len(), 78);
        let club = graph(34, &edges);
        let found = communities(&club);
        let (mut modularity, twice) = (0.0, 156.0);
        for (node, near) in club.iter().enumerate() {
            for (other, far) in club.iter().enumerate() {
                if found[node] == found[other] {
                    let joined = near.iter().any(|it| it.0 as usize == other);
                    let by_chance = near.len() as f64 * far.len() as f64 / twice;
                    modularity += (f64::from(u8::from(joined)) - by_chance) / twice;
                }
            }
        }
        assert!(0.41 < modularity && modularity < 0.42, "{modularity}");
    }

    #[test]
    fn the_dense_part_is_found_among_hangers_on() {
        let mut edges: Vec<(u32, u32, f64)> =
            (0..5).flat_map(|one| (one + 1..5).map(move |other| (one, other, 3.0))).collect();
        edges.extend((5..12).map(|node| (node - 1, node, 1.0)));
        let group: Vec<u32> = (0..12).collect();
        assert_eq!(densest(&graph(12, &edges), &group), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn nobody_is_a_community_of_their_own() {
        assert_eq!(communities(&graph(3, &[])), [0, 1, 2]);
        assert!(communities(&Vec::new()).is_empty());
    }
}
