//! Rings: groups of affiliates that hang together closely, with the evidence for each pair.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Declared, Edge, KINDS, Kind, Limits,
    communities::{Neighbours, communities, densest},
    evidence,
    pairs::{Pair, joined},
    words,
};
use crate::{fraud::score::LogOdds, id::AffiliateId};

/// Affiliates that hang together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Ring {
    /// Who, in order of their ids; two or more.
    pub members: Vec<AffiliateId>,
    /// Which share of the pairs is joined directly.
    pub density: f64,
    /// What being in it is evidence of, for each member in the members' order: by its closest tie.
    pub evidence: Vec<LogOdds>,
}

/// Why two affiliates hang together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Link {
    /// One of them.
    pub from: AffiliateId,
    /// The other.
    pub to: AffiliateId,
    /// How many things of each kind they share.
    pub shared: BTreeMap<Kind, u32>,
    /// How surprising that is of strangers, in nats.
    pub surprise: f64,
}

/// What a job found.
#[derive(Clone, Debug)]
pub struct Rings {
    /// The rings, in order of their first members.
    pub rings: Vec<Ring>,
    /// How many things joined nobody because they are hubs.
    pub hubs: usize,
    affiliates: Vec<AffiliateId>,
    links: BTreeMap<(u32, u32), Pair>,
    graph: Neighbours,
}

/// Finds all rings in what affiliates were seen with.
#[must_use]
pub fn rings(edges: Vec<Edge>, declared: &Declared, limits: &Limits) -> Rings {
    let joined = joined(edges, declared, limits);
    let mut graph: Neighbours = vec![Vec::new(); joined.affiliates.len()];
    for pair in &joined.pairs {
        graph[pair.one as usize].push((pair.other, pair.tie.surprise));
        graph[pair.other as usize].push((pair.one, pair.tie.surprise));
    }
    graph.iter_mut().for_each(|near| near.sort_unstable_by_key(|it| it.0));
    let mut groups = Vec::new();
    for group in connected(&graph) {
        part(&graph, group, limits.density, &mut groups);
    }
    groups.sort_unstable();
    let all = joined.affiliates.len();
    let links: BTreeMap<(u32, u32), Pair> =
        joined.pairs.iter().map(|pair| ((pair.one, pair.other), *pair)).collect();
    let ring = |group: &Vec<u32>| Ring {
        members: group.iter().map(|it| joined.affiliates[*it as usize]).collect(),
        density: density(&graph, group),
        evidence: group.iter().map(|it| evidence(closest(&links, *it, group), all, limits)).collect(),
    };
    let rings = groups.iter().map(ring).collect();
    Rings { rings, hubs: joined.hubs, affiliates: joined.affiliates, links, graph }
}

/// A group that is dense enough is a ring; another is parted, and what cannot be parted is cut down to its dense part.
fn part(graph: &Neighbours, group: Vec<u32>, least: f64, rings: &mut Vec<Vec<u32>>) {
    if group.len() < 2 {
        return;
    }
    if least <= density(graph, &group) {
        let close = close(graph, group, least);
        if 2 <= close.len() {
            rings.push(close);
        }
        return;
    }
    let mut parts: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (node, community) in group.iter().zip(communities(&local(graph, &group))) {
        parts.entry(community).or_default().push(*node);
    }
    if parts.len() == 1 {
        let core = densest(graph, &group);
        // What is left outside of the core may hold another.
        let rest: Vec<u32> = group.iter().filter(|node| core.binary_search(node).is_err()).copied().collect();
        if rest.is_empty() {
            return;
        }
        part(graph, core, least, rings);
        for group in connected(&local(graph, &rest)) {
            let group = group.into_iter().map(|place| rest[place as usize]).collect();
            part(graph, group, least, rings);
        }
        return;
    }
    for group in parts.into_values() {
        part(graph, group, least, rings);
    }
}

/// A group without those who are joined to less than this share of the others, the loosest first: one tie to one member
/// is a tie to that member.
fn close(graph: &Neighbours, mut group: Vec<u32>, least: f64) -> Vec<u32> {
    loop {
        let ties = group.iter().map(|node| inside(graph, *node, &group).count()).enumerate();
        let Some((place, ties)) = ties.min_by_key(|(_, ties)| *ties) else { return group };
        if least * (group.len() as f64 - 1.0) <= ties as f64 {
            return group;
        }
        group.remove(place);
    }
}

/// The graph of a group alone, its nodes numbered by their places in it.
fn local(graph: &Neighbours, group: &[u32]) -> Neighbours {
    let near = |node: &u32| {
        let inside = graph[*node as usize].iter();
        let inside = inside.filter_map(|(other, weight)| Some((group.binary_search(other).ok()?, *weight)));
        inside.map(|(place, weight)| (place as u32, weight)).collect()
    };
    group.iter().map(near).collect()
}

/// The components of a graph that have more than one node, each in order.
fn connected(graph: &Neighbours) -> Vec<Vec<u32>> {
    let (mut is_seen, mut groups) = (vec![false; graph.len()], Vec::new());
    for start in 0..graph.len() {
        if is_seen[start] || graph[start].is_empty() {
            continue;
        }
        let (mut group, mut next) = (Vec::new(), vec![start as u32]);
        is_seen[start] = true;
        while let Some(node) = next.pop() {
            group.push(node);
            for (other, _) in &graph[node as usize] {
                if !std::mem::replace(&mut is_seen[*other as usize], true) {
                    next.push(*other);
                }
            }
        }
        group.sort_unstable();
        groups.push(group);
    }
    groups
}

fn density(graph: &Neighbours, group: &[u32]) -> f64 {
    let ends: usize = group.iter().map(|node| inside(graph, *node, group).count()).sum();
    let size = group.len() as f64;
    ends as f64 / (size * (size - 1.0))
}

/// What the closest tie of a member to another speaks for.
fn closest(links: &BTreeMap<(u32, u32), Pair>, node: u32, group: &[u32]) -> f64 {
    let ties = group.iter().filter_map(|other| links.get(&(node.min(*other), node.max(*other))));
    ties.map(|pair| pair.tie.suspicion).fold(0.0, f64::max)
}

fn inside<'a>(graph: &'a Neighbours, node: u32, group: &'a [u32]) -> impl Iterator<Item = &'a (u32, f64)> {
    graph[node as usize].iter().filter(|(other, _)| group.binary_search(other).is_ok())
}

impl Rings {
    /// The ring that an affiliate is in.
    #[must_use]
    pub fn of(&self, affiliate: AffiliateId) -> Option<&Ring> {
        self.rings.iter().find(|ring| ring.members.binary_search(&affiliate).is_ok())
    }

    /// How two affiliates hang together: the shortest chain of links, and of those the first by the members' order. None
    /// when nothing connects them.
    #[must_use]
    pub fn path(&self, from: AffiliateId, to: AffiliateId) -> Option<Vec<Link>> {
        let number = |affiliate| self.affiliates.binary_search(&affiliate).ok().map(|it| it as u32);
        let (start, end) = (number(from)?, number(to)?);
        let (mut before, mut next) = (BTreeMap::from([(start, start)]), VecDeque::from([start]));
        while let Some(node) = next.pop_front() {
            if node == end {
                break;
            }
            for (other, _) in &self.graph[node as usize] {
                if !before.contains_key(other) {
                    before.insert(*other, node);
                    next.push_back(*other);
                }
            }
        }
        let mut links = Vec::new();
        let mut node = end;
        while node != start {
            let previous = *before.get(&node)?;
            links.push(self.link(previous, node)?);
            node = previous;
        }
        links.reverse();
        Some(links)
    }

    /// Why the members of a ring hang together: every pair of them that is joined, in the members' order.
    #[must_use]
    pub fn links(&self, ring: &Ring) -> Vec<Link> {
        let number = |affiliate| self.affiliates.binary_search(affiliate).ok().map(|it| it as u32);
        let members: Vec<u32> = ring.members.iter().filter_map(number).collect();
        let pairs = members
            .iter()
            .enumerate()
            .flat_map(|(place, from)| members[place + 1..].iter().filter_map(|to| self.link(*from, *to)));
        pairs.collect()
    }

    fn link(&self, from: u32, to: u32) -> Option<Link> {
        let pair = self.links.get(&(from.min(to), from.max(to)))?;
        let counts = Kind::ALL.iter().map(|kind| (*kind, pair.shared[0][kind.place()]));
        Some(Link {
            from: self.affiliates[from as usize],
            to: self.affiliates[to as usize],
            shared: counts.filter(|(_, count)| *count != 0).collect(),
            surprise: pair.tie.surprise,
        })
    }
}

impl Link {
    /// What they share, as people read it: «same payout account, 2 devices shared».
    #[must_use]
    pub fn words(&self) -> String {
        let all = std::array::from_fn(|place| self.shared.get(&Kind::ALL[place]).copied().unwrap_or(0));
        words(&[all, [0; KINDS]])
    }
}
