//! Who hangs together is found in all that partners were seen with, and what is another ring than before is kept.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, Chance, EventId, RingId,
    fraud::graph::{self, Declared, Limits, Link, continued},
};
use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio::task::spawn_blocking;
use tracking::{
    intake::Intake,
    store::{begin, outbox},
};

use crate::store::{
    ring_edges::{self, KeptEdge},
    rings::{self, NewRevision, Ring, RingLink, RingMember},
};

/// Evidence that moved by less, in millionths of log-odds, makes no other revision.
const NUDGE: u64 = 1_000_000;

/// Rings as they were found, and of each the pairs that are joined.
struct Found {
    rings: Vec<graph::Ring>,
    links: Vec<Vec<Link>>,
}

/// Looks for rings where anything has changed since it was last done; says how many were found, changed or dissolved.
///
/// # Errors
/// When the database fails; then it is done the next time.
pub async fn find(intake: &Intake) -> anyhow::Result<u64> {
    let mut db = intake.pool.acquire().await?;
    // Read before all else: what changes meanwhile is another change.
    let progress = ring_edges::progress(&mut db).await?;
    if progress.changes == progress.found_after {
        return Ok(0);
    }
    let kept = ring_edges::all(&mut db).await?;
    let declared = declared(&mut db).await?;
    drop(db);
    let found = spawn_blocking(move || {
        let found = graph::rings(edges(&kept), &declared, &Limits::USUAL);
        let links = found.rings.iter().map(|ring| found.links(ring)).collect();
        Found { rings: found.rings, links }
    });
    let found = found.await.context("looking for rings was cut off")?;
    let mut tx = begin(&intake.pool).await?;
    if ring_edges::count_changes(&mut tx, 0).await? != progress.changes {
        // Somebody declared or read something meanwhile: the next time finds what is true then.
        return Ok(0);
    }
    let news = keep(&mut tx, &found, intake.clock.now(), &intake.chance).await?;
    ring_edges::note_found(&mut tx, progress.changes).await?;
    tx.commit().await?;
    Ok(news)
}

/// An edge that more than one conversion says is told twice.
fn edges(kept: &[KeptEdge]) -> Vec<graph::Edge> {
    let edges = kept.iter().flat_map(|kept| {
        let thing = u128::from_be_bytes(kept.thing.0);
        let edge = graph::Edge { kind: kept.kind, thing, affiliate: kept.affiliate_id };
        std::iter::repeat_n(edge, if kept.is_repeated { 2 } else { 1 })
    });
    edges.collect()
}

/// Who belongs together by what they or people say: partners with those above and below them, and declared groups.
async fn declared(db: &mut PgConnection) -> sqlx::Result<Declared> {
    let parents = ring_edges::parents(db).await?;
    let pairs = parents.iter().map(|one| (one.affiliate_id, one.parent_id));
    let groups = ring_edges::declared(db).await?;
    let of_groups =
        groups.iter().flat_map(|group| group.windows(2).map(|pair| (pair[0].into(), pair[1].into())));
    Ok(Declared { agencies: agencies(pairs.chain(of_groups)), ..Declared::default() })
}

/// Everybody of pairs that belong together, with the number of their group: that of its first member.
fn agencies(pairs: impl Iterator<Item = (AffiliateId, AffiliateId)>) -> BTreeMap<AffiliateId, u128> {
    let mut near: BTreeMap<AffiliateId, Vec<AffiliateId>> = BTreeMap::new();
    for (one, other) in pairs {
        near.entry(one).or_default().push(other);
        near.entry(other).or_default().push(one);
    }
    let mut agencies = BTreeMap::new();
    for first in near.keys() {
        let mut next = vec![*first];
        while let Some(member) = next.pop() {
            if agencies.contains_key(&member) {
                continue;
            }
            agencies.insert(member, first.uuid().as_u128());
            next.extend(&near[&member]);
        }
    }
    agencies
}

/// Keeps what is another ring than before, and announces it. First everybody leaves, then everybody joins: each partner is in
/// one ring at most at any moment.
async fn keep(tx: &mut PgConnection, found: &Found, at: DateTime<Utc>, chance: &Chance) -> sqlx::Result<u64> {
    let known = rings::open(tx).await?;
    let members: Vec<(RingId, Vec<AffiliateId>)> =
        known.iter().map(|ring| (ring.id, affiliates(&ring.members.0).collect())).collect();
    let continued = continued(&members, &found.rings);
    let mut news = 0;
    for ring in known.iter().filter(|ring| !continued.contains(&Some(ring.id))) {
        dissolve(tx, ring, "apart", at, chance).await?;
        news += 1;
    }
    let mut revised = Vec::new();
    for ((ring, links), id) in found.rings.iter().zip(&found.links).zip(continued) {
        let before = known.iter().find(|ring| Some(ring.id) == id);
        let new = revision((ring, links), before, || RingId::new_at(at, chance));
        if before.is_some_and(|before| is_same(before, &new)) {
            continue;
        }
        rings::revise(tx, &new, at).await?;
        revised.push((before, new));
    }
    for (before, new) in &revised {
        rings::admit(tx, new, at).await?;
        if let Some((kind, payload)) = announcement(*before, new) {
            announce(tx, (kind, new.id, payload), at, chance).await?;
            news += 1;
        }
    }
    Ok(news)
}

/// What a ring is that was found, as the next revision of one that is known or as the first of a new one.
fn revision(
    (ring, links): (&graph::Ring, &[Link]),
    before: Option<&Ring>,
    new_id: impl FnOnce() -> RingId,
) -> NewRevision {
    let shared = |member: &AffiliateId| {
        let own = links.iter().filter(|link| link.from == *member || link.to == *member);
        let closest = own.max_by(|one, other| one.surprise.total_cmp(&other.surprise));
        closest.map(Link::words).unwrap_or_default()
    };
    let members = ring.members.iter().zip(&ring.evidence).map(|(member, log_odds)| RingMember {
        affiliate_id: *member,
        log_odds: *log_odds,
        shared: shared(member),
    });
    let link = |link: &Link| RingLink {
        from: link.from,
        to: link.to,
        shared: link.shared.clone(),
        surprise: link.surprise,
        words: link.words(),
    };
    NewRevision {
        id: before.map_or_else(new_id, |before| before.id),
        revision: before.map_or(1, |before| before.revision + 1),
        density: ring.density,
        members: members.collect(),
        links: links.iter().map(link).collect(),
    }
}

/// Whether nothing is worth another revision: the same members are joined by the same kinds of things, none of them twice as
/// many as before, and the evidence is about the same. Members who go on ordering would make one every minute otherwise.
fn is_same(before: &Ring, new: &NewRevision) -> bool {
    let shape = |links: &[RingLink]| -> Vec<_> {
        let size = |(kind, count): (&graph::Kind, &u32)| (*kind, count.checked_ilog2());
        let shape = |link: &RingLink| (link.from, link.to, link.shared.iter().map(size).collect::<Vec<_>>());
        links.iter().map(shape).collect()
    };
    let mut odds = before.members.iter().zip(&new.members);
    let is_near =
        |(one, other): (&RingMember, &RingMember)| one.log_odds.0.abs_diff(other.log_odds.0) < NUDGE;
    affiliates(&before.members).eq(affiliates(&new.members))
        && shape(&before.links) == shape(&new.links)
        && odds.all(is_near)
}

fn affiliates(members: &[RingMember]) -> impl Iterator<Item = AffiliateId> {
    members.iter().map(|member| member.affiliate_id)
}

/// What there is to tell of a revision: nothing where nobody joined or left.
fn announcement(before: Option<&Ring>, new: &NewRevision) -> Option<(&'static str, Value)> {
    let now: BTreeSet<AffiliateId> = affiliates(&new.members).collect();
    let told = |kind, joined: Vec<AffiliateId>, left: Vec<AffiliateId>| {
        let payload = json!({"id": new.id, "revision": new.revision, "members": now, "density": new.density,
                             "links": new.links, "joined": joined, "left": left});
        (kind, payload)
    };
    let Some(before) = before else {
        return Some(told("ring.found", now.iter().copied().collect(), Vec::new()));
    };
    let then: BTreeSet<AffiliateId> = affiliates(&before.members).collect();
    let (joined, left): (Vec<_>, Vec<_>) =
        (now.difference(&then).copied().collect(), then.difference(&now).copied().collect());
    (!joined.is_empty() || !left.is_empty()).then(|| told("ring.changed", joined, left))
}

/// A ring is none any more, and that is announced.
pub(super) async fn dissolve(
    tx: &mut PgConnection,
    ring: &Ring,
    because: &str,
    at: DateTime<Utc>,
    chance: &Chance,
) -> sqlx::Result<()> {
    rings::dissolve(tx, ring.id, because, at).await?;
    let members: Vec<AffiliateId> = affiliates(&ring.members).collect();
    let payload = json!({"id": ring.id, "members": members, "because": because});
    announce(tx, ("ring.dissolved", ring.id, payload), at, chance).await
}

async fn announce(
    tx: &mut PgConnection,
    (kind, ring, payload): (&'static str, RingId, Value),
    at: DateTime<Utc>,
    chance: &Chance,
) -> sqlx::Result<()> {
    let announcement = outbox::Announcement { kind, subject: ring.to_string(), payload };
    outbox::insert(tx, EventId::new_at(at, chance), &announcement, at).await
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn partner(number: u128) -> AffiliateId {
        Uuid::from_u128(number).into()
    }

    #[test]
    fn whoever_belongs_to_somebody_of_a_group_belongs_to_it() {
        let pairs = [(5, 3), (3, 9), (7, 8), (8, 2)].map(|(one, other)| (partner(one), partner(other)));
        let found: Vec<(AffiliateId, u128)> = agencies(pairs.into_iter()).into_iter().collect();
        let expected = [(2, 2), (3, 3), (5, 3), (7, 2), (8, 2), (9, 3)];
        assert_eq!(found, expected.map(|(number, group)| (partner(number), group)));
    }
}
