//! Cases are decided: by one person or by two, alone or in a batch, each conversion once and all of it in one transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    CaseId, Chance, Clock, Currency, EventId, Money, Rate,
    conversion::{ConversionStatus, ReversalReason},
    event::Verdict,
    fraud::cases::{Actor, CaseSettings, CaseState, Outcome, Proposal, SamePerson},
    state::StateError,
};
use serde_json::json;
use sqlx::{PgConnection, types::Uuid};
use tracking::{
    intake::{
        Act, Claim,
        life::{self, MoveError},
    },
    store::{cases::leave, conversions::lock},
};

use super::working::{Work, locked};
use crate::store::{
    appeals,
    case_events::{self, NewEvent},
    case_labels::{self, CaseLabel},
    cases::{self, Case, Member},
};

/// What was decided about a case alone counts whole.
const WHOLE: Rate = Rate { ppm: 1_000_000 };
/// In a batch people look less at each.
const IN_A_BATCH: Rate = Rate { ppm: 500_000 };

/// Who decides, and when.
#[derive(Clone, Copy, Debug)]
pub struct Decider<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// What time it is.
    pub clock: &'a Clock,
    /// Where ids come from.
    pub chance: &'a Chance,
}

/// What somebody wants to be decided about a case.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Which case.
    pub case: CaseId,
    /// How many events it had when it was looked at.
    pub revision: i32,
    /// What.
    pub decision: Decision,
}

/// What is decided.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What.
    pub outcome: Outcome,
    /// Why, where it turns down.
    pub reason: Option<ReversalReason>,
    /// In words.
    pub note: String,
}

/// Why a case is not decided.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such case.
    #[error("{0} does not exist")]
    Unknown(CaseId),
    /// Something happened since it was looked at.
    #[error("{case} is at revision {now} and not {seen}: read it again, and decide then")]
    Stale {
        /// Which case.
        case: CaseId,
        /// Its revision.
        now: i32,
        /// The one that was looked at.
        seen: i32,
    },
    /// It is decided.
    #[error("{0} is decided already")]
    Decided(CaseId),
    /// A decision waits for a second person.
    #[error("a decision about {0} waits for a second person: confirm or refuse it")]
    Proposed(CaseId),
    /// Nothing waits for a second person.
    #[error("no decision about {0} waits for a second person")]
    NotProposed(CaseId),
    /// The second person is the first.
    #[error(transparent)]
    SamePerson(#[from] SamePerson),
    /// A rejection without a reason, or a reason without a rejection.
    #[error("a rejection has a reason, and nothing else has one")]
    Reason,
    /// Nobody is credited with its conversions.
    #[error("nobody is credited with the conversions of {0}")]
    NobodyToAsk(CaseId),
    /// It is not where that can be done.
    #[error(transparent)]
    Illegal(#[from] StateError),
    /// It is twice in one batch.
    #[error("{0} is in the batch twice")]
    Twice(CaseId),
    /// A conversion does not move as it should.
    #[error(transparent)]
    Move(#[from] MoveError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] sqlx::Error),
}

/// A case that may be decided, with what waits in it.
struct Admitted {
    case: Case,
    waiting: Vec<Member>,
}

/// Decides cases, or proposes what is above the limit for one person: all of them or none. Refusals carry the place in the
/// list of what they are about.
///
/// # Errors
/// What was refused, each with its place; nothing may be committed then.
pub async fn decide(
    db: &mut PgConnection,
    by: Decider<'_>,
    wishes: &[Wish],
) -> Result<(), Vec<(usize, Refusal)>> {
    let at_first = |error: sqlx::Error| vec![(0, Refusal::Store(error))];
    let ids: Vec<Uuid> = wishes.iter().map(|wish| wish.case.uuid()).collect();
    lock_all(db, &ids).await.map_err(at_first)?;
    let settings = settings(db).await.map_err(at_first)?;
    let (mut admitted, mut refused) = (Vec::new(), Vec::new());
    for (place, wish) in wishes.iter().enumerate() {
        let is_twice = ids[..place].contains(&wish.case.uuid());
        let found = if is_twice { Err(Refusal::Twice(wish.case)) } else { admit(db, wish).await };
        match found {
            Ok(one) => admitted.push(one),
            Err(refusal) => refused.push((place, refusal)),
        }
    }
    if !refused.is_empty() {
        return Err(refused);
    }
    let weight = if wishes.len() == 1 { WHOLE } else { IN_A_BATCH };
    for (place, (wish, one)) in wishes.iter().zip(admitted).enumerate() {
        let stakes = stakes(&one.waiting);
        let done = if settings.needs_two(&stakes) {
            propose(db, by, &one.case, &wish.decision, &stakes).await.map_err(Refusal::Store)
        } else {
            carry_out(db, by, one, &wish.decision, weight).await
        };
        done.map_err(|refusal| vec![(place, refusal)])?;
    }
    Ok(())
}

/// Carries out what somebody else proposed about a case; a note is for the record.
///
/// # Errors
/// When nothing is proposed, by the same person, or something happened since.
pub async fn confirm(
    db: &mut PgConnection,
    by: Decider<'_>,
    (id, revision): (CaseId, i32),
    note: &str,
) -> Result<(), Refusal> {
    lock_all(db, &[id.uuid()]).await?;
    let case = at_revision(db, id, revision).await?;
    let Some(proposal) = case.proposal.clone() else { return Err(Refusal::NotProposed(id)) };
    proposal.confirmed_by(by.actor)?;
    let waiting = waiting(db, id).await?;
    let Proposal { outcome, reason, note: proposed, .. } = proposal;
    let decision = Decision { outcome, reason, note: proposed };
    carry_out(db, by, Admitted { case, waiting }, &decision, WHOLE).await?;
    if !note.is_empty() {
        let at = by.clock.now();
        let event = NewEvent { kind: "commented", actor: by.actor, note, detail: json!({}), at };
        case_events::append(db, id, &event).await?;
    }
    Ok(())
}

/// Refuses what was proposed about a case, as the second person, or takes it back, as the first: it is undecided again.
///
/// # Errors
/// When nothing is proposed, or something happened since.
pub async fn refuse(
    db: &mut PgConnection,
    by: Decider<'_>,
    (id, revision): (CaseId, i32),
    note: &str,
) -> Result<(), Refusal> {
    let at = by.clock.now();
    let case = locked(db, Work { case: id, seen: None, by: by.actor, at }).await?;
    let Some(proposal) = &case.proposal else { return Err(Refusal::NotProposed(id)) };
    if case.revision != revision {
        return Err(Refusal::Stale { case: id, now: case.revision, seen: revision });
    }
    case_events::propose(db, id, None).await?;
    let detail = json!({"outcome": proposal.outcome, "proposed_by": proposal.by});
    let event = NewEvent { kind: "refused", actor: by.actor, note, detail, at };
    Ok(case_events::append(db, id, &event).await?)
}

/// Locks the conversions that wait in cases, and then the cases: in the order in which whoever moves a conversion does.
async fn lock_all(db: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<()> {
    for member in cases::members(db, ids).await?.iter().filter(|member| member.is_waiting()) {
        lock(db, member.conversion_id).await?;
    }
    cases::lock(db, ids).await
}

async fn settings(db: &mut PgConnection) -> sqlx::Result<CaseSettings> {
    Ok(cases::settings(db).await?.map_or_else(CaseSettings::default, |stored| stored.settings.0))
}

/// The case, unless something happened since it was looked at: then a conversion may have joined that nobody has locked.
async fn at_revision(db: &mut PgConnection, id: CaseId, revision: i32) -> Result<Case, Refusal> {
    let case = cases::find(db, id).await?.ok_or(Refusal::Unknown(id))?;
    if case.state == CaseState::Decided {
        return Err(Refusal::Decided(id));
    }
    if case.revision != revision {
        return Err(Refusal::Stale { case: id, now: case.revision, seen: revision });
    }
    Ok(case)
}

async fn waiting(db: &mut PgConnection, id: CaseId) -> sqlx::Result<Vec<Member>> {
    let members = cases::members(db, &[id.uuid()]).await?;
    Ok(members.into_iter().filter(Member::is_waiting).collect())
}

async fn admit(db: &mut PgConnection, wish: &Wish) -> Result<Admitted, Refusal> {
    let Decision { outcome, reason, .. } = &wish.decision;
    if (*outcome == Outcome::Reject) != reason.is_some() {
        return Err(Refusal::Reason);
    }
    let case = at_revision(db, wish.case, wish.revision).await?;
    if case.proposal.is_some() {
        return Err(Refusal::Proposed(case.id));
    }
    Ok(Admitted { waiting: waiting(db, case.id).await?, case })
}

/// The commissions that hang on conversions, added up for each currency.
pub fn stakes<'a>(members: impl IntoIterator<Item = &'a Member>) -> Vec<Money> {
    let mut sums = BTreeMap::<Currency, i64>::new();
    for Money { minor, currency, .. } in members.into_iter().map(|member| member.stake) {
        let sum = sums.entry(currency).or_default();
        *sum = sum.saturating_add(minor);
    }
    sums.into_iter().map(|(currency, minor)| Money::new(minor, currency)).collect()
}

async fn propose(
    db: &mut PgConnection,
    by: Decider<'_>,
    case: &Case,
    decision: &Decision,
    stakes: &[Money],
) -> sqlx::Result<()> {
    let at = by.clock.now();
    let Decision { outcome, reason, note } = decision.clone();
    let proposal = Proposal { outcome, reason, note, by: by.actor.clone(), at };
    case_events::propose(db, case.id, Some(&proposal)).await?;
    let detail = json!({"outcome": outcome, "reason": reason, "stakes": stakes});
    let event = NewEvent { kind: "proposed", actor: by.actor, note: &decision.note, detail, at };
    case_events::append(db, case.id, &event).await
}

async fn carry_out(
    db: &mut PgConnection,
    by: Decider<'_>,
    Admitted { case, waiting }: Admitted,
    decision: &Decision,
    weight: Rate,
) -> Result<(), Refusal> {
    let at = by.clock.now();
    let Decision { outcome, reason, note } = decision;
    case_events::decide(db, case.id, *outcome, *reason, at).await?;
    let ids: Vec<_> = waiting.iter().map(|member| member.conversion_id).collect();
    let detail = json!({"outcome": outcome, "reason": reason, "conversions": ids, "proposed_by": case.proposal.as_ref().map(|proposal| &proposal.by)});
    let event = NewEvent { kind: "decided", actor: by.actor, note, detail, at };
    case_events::append(db, case.id, &event).await?;
    let told = if note.is_empty() { case.id.to_string() } else { format!("{}: {note}", case.id) };
    let act = Act::now(&by.actor.id, by.clock, by.chance).noting(&told);
    for member in &waiting {
        let Some(from) = settle(db, act, member, *outcome, *reason).await? else { continue };
        // Who takes a rejection back takes back what was found, too.
        let is_undone = from == ConversionStatus::Rejected && *outcome == Outcome::Release;
        if let Some(verdict) = outcome.label(*reason).or(is_undone.then_some(Verdict::Honest)) {
            let label = label(by, &case, member, (verdict, *reason, weight, at));
            case_labels::insert(db, &label).await?;
        }
    }
    Ok(())
}

/// Sends a conversion where it was decided that it goes; the answer of its partner is decided with it. Nothing becomes of one
/// that went its way while nobody told the case, as a process of an older release does not: it leaves the case as it is. Says
/// where it was.
async fn settle(
    db: &mut PgConnection,
    act: Act<'_>,
    member: &Member,
    outcome: Outcome,
    reason: Option<ReversalReason>,
) -> Result<Option<ConversionStatus>, Refusal> {
    let id = member.conversion_id;
    // A foreign key keeps it: it is locked, and was there a moment ago.
    let Some(mut conversion) = lock(db, id).await? else { return Ok(None) };
    if conversion.status != ConversionStatus::OnHold && !member.is_appealed {
        leave(db, id, conversion.status, act.actor, act.at).await?;
        return Ok(None);
    }
    let from = conversion.status;
    let stays = conversion.status == ConversionStatus::Rejected && outcome == Outcome::Reject;
    if !stays {
        if conversion.status == ConversionStatus::Rejected {
            life::reinstate(db, act, &mut conversion).await?;
        }
        if conversion.status != outcome.status() {
            let claim = Claim { status: outcome.status(), reason };
            life::advance(db, act, &mut conversion, claim, None).await?;
        }
    }
    appeals::decide(db, id, outcome.of_appeal(), act.at).await?;
    Ok(Some(from))
}

fn label(
    by: Decider<'_>,
    case: &Case,
    member: &Member,
    (verdict, reason, weight, at): (Verdict, Option<ReversalReason>, Rate, DateTime<Utc>),
) -> CaseLabel {
    CaseLabel {
        id: EventId::new_at(at, by.chance),
        case_id: case.id,
        conversion_id: member.conversion_id,
        campaign_id: case.campaign_id,
        affiliate_id: case.affiliate_id,
        verdict,
        reason: reason.map_or_else(|| case.reason.clone(), |reason| reason.name().to_owned()),
        weight,
        actor: by.actor.clone(),
        decided_at: at,
    }
}
