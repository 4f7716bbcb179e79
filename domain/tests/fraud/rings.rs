//! Planted rings are found among offices, carriers, agencies, households and common customers, all at once and as they
//! form, each pair with its evidence.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    AffiliateId, Chance, Clock,
    fraud::graph::{Declared, Edge, Kind, Limits, Online, rings},
};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// A network of affiliates with known rings.
struct World {
    affiliates: Vec<AffiliateId>,
    edges: Vec<Edge>,
    declared: Declared,
    /// The ring of each affiliate that is in one.
    planted: BTreeMap<AffiliateId, u32>,
}

const AFFILIATES: usize = 400;
const RINGS: u32 = 14;
/// Shops of one kind: whoever reads about tents orders through several blogs about tents.
const TRADES: usize = 10;

fn world(seed: u64) -> World {
    let clock =
        Clock::standing_at(chrono::DateTime::from_timestamp(1_769_947_200, 0).expect("a time of 2026"));
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let chance = Chance::seeded(seed);
    let affiliates: Vec<AffiliateId> = (0..AFFILIATES).map(|_| AffiliateId::new(&clock, &chance)).collect();
    let mut world =
        World { affiliates, edges: Vec::new(), declared: Declared::default(), planted: BTreeMap::new() };
    world.own_things(&mut dice);
    world.agencies();
    world.customers(&mut dice);
    world.households(&mut dice);
    world.rings(&mut dice);
    world.edges.shuffle(&mut dice);
    world
}

/// Bits that no other thing has.
fn thing(class: u128, number: u128) -> u128 {
    (class << 100) | number
}

impl World {
    fn see(&mut self, affiliate: usize, kind: Kind, thing: u128) {
        self.edges.push(Edge { kind, thing, affiliate: self.affiliates[affiliate] });
    }

    fn own_things(&mut self, dice: &mut ChaCha8Rng) {
        for affiliate in 0..AFFILIATES {
            let number = affiliate as u128;
            self.see(affiliate, Kind::PayoutAccount, thing(1, number));
            self.see(affiliate, Kind::Mailbox, thing(2, number));
            self.see(affiliate, Kind::Device, thing(3, number));
            self.see(affiliate, Kind::Address, thing(4, number));
            // Some work in shared offices, whose address dozens sign in from.
            if dice.random_bool(0.15) {
                self.see(affiliate, Kind::Address, thing(5, dice.random_range(0..3)));
            }
        }
    }

    /// Three agencies of six sub-accounts, each paid to one account; they have declared it.
    fn agencies(&mut self) {
        for agency in 0..3 {
            for affiliate in 380 + agency * 6..386 + agency * 6 {
                self.see(affiliate, Kind::PayoutAccount, thing(6, agency as u128));
                self.declared.agencies.insert(self.affiliates[affiliate], agency as u128);
            }
        }
    }

    /// Eight thousand people who order through one to five affiliates, mostly of one trade; at home, at work, by
    /// telephone.
    fn customers(&mut self, dice: &mut ChaCha8Rng) {
        for person in 0..8_000_u128 {
            let trade = dice.random_range(0..TRADES);
            for _ in 0..dice.random_range(1..=5) {
                // A Pareto tail: the first of each trade have most of the customers.
                let size = (AFFILIATES / TRADES) as f64;
                let place = (size * dice.random::<f64>().powi(3)) as usize;
                let trade = if dice.random_bool(0.8) { trade } else { dice.random_range(0..TRADES) };
                let affiliate = place * TRADES + trade;
                self.see(affiliate, Kind::Device, thing(7, person));
                let address = match dice.random_range(0..10) {
                    0..5 => thing(8, person),
                    5..8 => thing(9, dice.random_range(0..12)),
                    8 => thing(10, person % 60),
                    _ => thing(11, person % 400),
                };
                self.see(affiliate, Kind::Address, address);
            }
        }
    }

    /// Couples of affiliates who share a home and a tablet, and are paid apart.
    fn households(&mut self, dice: &mut ChaCha8Rng) {
        for couple in 0..12_u128 {
            let first = dice.random_range(0..AFFILIATES / 2) * 2;
            for affiliate in [first, first + 1] {
                self.see(affiliate, Kind::Address, thing(12, couple));
                self.see(affiliate, Kind::Device, thing(13, couple));
            }
        }
    }

    /// Three to six small accounts that order through each other's links from two homes and on four devices; two rings in
    /// three are paid to one account, undeclared.
    fn rings(&mut self, dice: &mut ChaCha8Rng) {
        for ring in 0..RINGS {
            let first = 150 + ring as usize * 8;
            let members = first..first + dice.random_range(3..=6);
            for affiliate in members {
                self.planted.insert(self.affiliates[affiliate], ring);
                if ring % 3 != 0 {
                    self.see(affiliate, Kind::PayoutAccount, thing(14, u128::from(ring)));
                }
                for _ in 0..dice.random_range(6..25) {
                    let (device, home) = (dice.random_range(0..4), dice.random_range(0..2));
                    self.see(affiliate, Kind::Device, thing(15, u128::from(ring) * 4 + device));
                    self.see(affiliate, Kind::Address, thing(16, u128::from(ring) * 2 + home));
                }
            }
        }
    }

    fn planted_pairs(&self) -> BTreeSet<(AffiliateId, AffiliateId)> {
        let members: Vec<_> = self.planted.iter().collect();
        let mut pairs = BTreeSet::new();
        for (place, (one, ring)) in members.iter().enumerate() {
            let others = members[place + 1..].iter().filter(|(_, other)| other == ring);
            pairs.extend(others.map(|(other, _)| (**one, **other)));
        }
        pairs
    }
}

fn pairs_of(groups: impl Iterator<Item = Vec<AffiliateId>>) -> BTreeSet<(AffiliateId, AffiliateId)> {
    let pairs = groups.flat_map(|group| {
        let pairs = |place: usize| (place + 1..group.len()).map(move |other| (place, other));
        let pairs: Vec<_> = (0..group.len()).flat_map(pairs).map(|(a, b)| (group[a], group[b])).collect();
        pairs
    });
    pairs.collect()
}

/// Found, planted, and both.
#[derive(Default)]
struct Tally {
    found: usize,
    planted: usize,
    right: usize,
}

impl Tally {
    fn add(&mut self, groups: impl Iterator<Item = Vec<AffiliateId>>, world: &World) {
        let (found, planted) = (pairs_of(groups), world.planted_pairs());
        self.right += found.intersection(&planted).count();
        self.found += found.len();
        self.planted += planted.len();
    }

    fn check(&self, name: &str) {
        let right = self.right as f64;
        let (precision, recall) = (right / self.found as f64, right / self.planted as f64);
        assert!(
            0.95 <= precision && 0.8 <= recall,
            "{name}: precision {precision}, recall {recall} of {} pairs",
            self.planted
        );
    }
}

#[test]
fn planted_rings_are_found_and_strangers_left_alone() {
    let mut tally = Tally::default();
    for seed in 0..10 {
        let world = world(seed);
        let rings = rings(world.edges.clone(), &world.declared, &Limits::USUAL);
        tally.add(rings.rings.iter().map(|ring| ring.members.clone()), &world);
        assert!(15 <= rings.hubs, "carriers and offices are hubs: {}", rings.hubs);
    }
    tally.check("all at once");
}

#[test]
fn rings_form_event_by_event() {
    let mut tally = Tally::default();
    for seed in 0..10 {
        let world = world(seed);
        let mut online = Online::new(world.declared.clone(), Limits::USUAL);
        for edge in &world.edges {
            let joined = online.observe(*edge);
            assert!(joined.iter().all(|it| it.affiliate == edge.affiliate && !it.why.is_empty()));
        }
        let groups: BTreeSet<Vec<AffiliateId>> =
            world.affiliates.iter().filter_map(|it| online.ring_of(*it)).collect();
        tally.add(groups.into_iter(), &world);
        for (affiliate, ring) in world.planted.iter().filter(|(_, ring)| **ring % 3 != 0) {
            let of_others = |edge: &&Edge| {
                edge.affiliate != *affiliate && world.planted.get(&edge.affiliate) == Some(ring)
            };
            let of_others: Vec<(Kind, u128)> =
                world.edges.iter().filter(of_others).map(|edge| (edge.kind, edge.thing)).collect();
            let [suspected, anybodys] =
                [&of_others[..], &[]].map(|it| online.evidence(*affiliate, it).value());
            assert!(2.0 < suspected, "who shares an account sends the others: {suspected}");
            assert!(0.0 < anybodys && anybodys < 1.0, "and may sell honestly, too: {anybodys}");
        }
    }
    tally.check("event by event");
}

#[test]
fn a_thing_that_turns_out_to_be_a_hub_takes_back_what_it_said() {
    let world = world(4);
    let mut online = Online::new(Declared::default(), Limits { hub: 3, ..Limits::USUAL });
    let (office, ids) = (thing(20, 1), &world.affiliates);
    let see = |online: &mut Online, who: usize, thing: u128| {
        online.observe(Edge { kind: Kind::Address, thing, affiliate: ids[who] })
    };
    for who in 0..4 {
        for _ in 0..3 {
            assert!(see(&mut online, who, office).is_empty(), "one address is no ring");
        }
    }
    // What is left for the first two to share is one home, as strangers' customers do.
    assert!(see(&mut online, 0, thing(20, 2)).is_empty());
    assert!(see(&mut online, 1, thing(20, 2)).is_empty());
    assert_eq!(online.ring_of(ids[0]), None);
    assert_eq!(online.evidence(ids[0], &[(Kind::Address, thing(20, 2))]).0, 0);
}

#[test]
fn two_accounts_of_one_mailbox_are_one_persons_and_no_fraud_for_that() {
    let world = world(5);
    let mut online = Online::new(Declared::default(), Limits::USUAL);
    let (mailbox, ids) = (thing(21, 1), &world.affiliates);
    for affiliate in ids {
        online.observe(Edge {
            kind: Kind::Address,
            thing: thing(22, affiliate.uuid().as_u128()),
            affiliate: *affiliate,
        });
    }
    for affiliate in [ids[0], ids[1]] {
        online.observe(Edge { kind: Kind::Mailbox, thing: mailbox, affiliate });
    }
    assert!(online.ring_of(ids[0]).is_some());
    let of = |who: usize, things: &[(Kind, u128)]| online.evidence(ids[who], things).value();
    assert!(of(0, &[]) < 1.0 && of(0, &[(Kind::Address, thing(22, 7))]) < 1.0);
    assert!(2.0 < of(0, &[(Kind::Mailbox, mailbox)]), "the second account ordered through the first");
    assert_eq!(online.evidence(ids[2], &[(Kind::Mailbox, mailbox)]).0, 0, "of another it says nothing");
    let at_once = [ids[0], ids[1]].map(|affiliate| Edge { kind: Kind::Mailbox, thing: mailbox, affiliate });
    let found = rings(at_once.to_vec(), &Declared::default(), &Limits::USUAL);
    assert!(found.rings[0].evidence.iter().all(|it| it.value() < 1.0));
}

#[test]
fn rings_do_not_depend_on_the_order_of_what_was_seen() {
    let world = world(1);
    let once = rings(world.edges.clone(), &world.declared, &Limits::USUAL);
    let mut edges = world.edges.clone();
    edges.reverse();
    assert_eq!(rings(edges, &world.declared, &Limits::USUAL).rings, once.rings);
}

#[test]
fn every_pair_of_a_ring_has_its_evidence() {
    let world = world(2);
    let rings = rings(world.edges.clone(), &world.declared, &Limits::USUAL);
    let paid_together = world.planted.iter().find(|(_, ring)| **ring == 1).unwrap().0;
    let ring = rings.of(*paid_together).unwrap();
    for other in ring.members.iter().filter(|it| *it != paid_together) {
        let path = rings.path(*paid_together, *other).unwrap();
        assert_eq!(path.len(), 1);
        assert!(path[0].words().starts_with("same payout account, "), "{}", path[0].words());
        assert!(path[0].words().ends_with("addresses shared"), "{}", path[0].words());
    }
    for ring in &rings.rings {
        assert_eq!(ring.members.len(), ring.evidence.len());
        assert!(0.5 <= ring.density && ring.evidence.iter().all(|it| 0 < it.0));
        for other in &ring.members[1..] {
            let path = rings.path(ring.members[0], *other).unwrap();
            assert!(path.windows(2).all(|pair| pair[0].to == pair[1].from) && !path.is_empty());
        }
    }
    let honest = world.affiliates.iter().find(|it| rings.of(**it).is_none()).unwrap();
    assert_eq!(rings.path(*paid_together, *honest), None);
}

#[test]
fn a_declared_agency_is_no_ring_and_an_undeclared_one_is() {
    let world = world(3);
    let agency = world.affiliates[380];
    let declared = rings(world.edges.clone(), &world.declared, &Limits::USUAL);
    assert_eq!(declared.of(agency), None);
    let undeclared = rings(world.edges, &Declared::default(), &Limits::USUAL);
    assert_eq!(undeclared.of(agency).unwrap().members.len(), 6);
}

#[test]
fn nothing_seen_is_no_ring() {
    assert!(rings(Vec::new(), &Declared::default(), &Limits::USUAL).rings.is_empty());
}
