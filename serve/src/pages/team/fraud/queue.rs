//! The queue of cases as they are to be looked at, and many of them decided at once.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use chrono::DateTime;
use domain::{
    CaseId, Money,
    conversion::ReversalReason,
    fraud::cases::{Actor, ActorKind, CaseState, Outcome, Place as QueuePlace},
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::{Choice, deadline, decided, reasons, state, who, why, work};
use crate::{
    api::{
        cases::{self as api, CaseShown},
        text::Prose,
    },
    cases::{self, Decider, Decision, Refusal, Wish},
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        live::amounts,
        role::Role,
        session::{Posted, Visitor},
        words::{say, tell},
    },
    store::{
        self,
        cases::{About, Wanted},
    },
};

/// So many stand on a page.
const SHOWN: usize = 50;
/// So many combinations of partner, campaign and reason are offered.
const OFFERED: i64 = 1_000;

/// Which cases are shown, as the address has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    #[serde(skip_serializing_if = "String::is_empty")]
    state: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    partner: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    campaign: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    mine: String,
    #[serde(skip_serializing)]
    after: String,
    #[serde(skip_serializing)]
    pub(super) done: String,
}

impl Asked {
    /// As an address has it, without the place in the list.
    pub(super) fn query(&self) -> String {
        serde_urlencoded::to_string(self).unwrap_or_default()
    }

    /// As an address of a page of ours had it; nothing where it did not.
    pub(super) fn of(query: &str) -> Self {
        serde_urlencoded::from_str(query).unwrap_or_default()
    }

    /// What the API would be asked.
    pub(super) fn wanted<'a>(&'a self, me: &'a str) -> Result<Wanted<'a>, Fault> {
        fn id<T: std::str::FromStr>(text: &str) -> Result<Option<T>, Fault> {
            (!text.is_empty()).then(|| text.parse().map_err(|_| Fault::NotFound)).transpose()
        }
        let after: Option<QueuePlace> = id(&self.after)?;
        Ok(Wanted {
            id: None,
            state: id(&self.state)?,
            assignee: (!self.mine.is_empty()).then_some(me),
            affiliate: id(&self.partner)?,
            campaign: id(&self.campaign)?,
            reason: Some(self.reason.as_str()).filter(|reason| !reason.is_empty()),
            after,
        })
    }

    fn is_filtered(&self) -> bool {
        !self.query().is_empty()
    }
}

/// A case in a list.
pub struct Line {
    pub id: String,
    pub revision: i32,
    pub partner: String,
    pub campaign: String,
    pub why: String,
    pub conversions: String,
    pub count: String,
    pub stakes: String,
    pub deadline: String,
    pub state: String,
    pub look: &'static str,
    pub who: Option<String>,
    pub is_late: bool,
    pub is_appealed: bool,
    pub is_proposed: bool,
    pub is_decided: bool,
    /// Whether it was ticked in a form that was sent back.
    pub is_ticked: bool,
}

#[derive(Template)]
#[template(path = "cases.html")]
struct QueuePage {
    frame: Frame,
    asked: Asked,
    query: String,
    faults: Vec<String>,
    states: Vec<Choice>,
    partners: Vec<Choice>,
    campaigns: Vec<Choice>,
    causes: Vec<Choice>,
    reasons: Vec<Choice>,
    outcomes: Vec<Choice>,
    note: String,
    lines: Vec<Line>,
    more: Option<String>,
    may_decide: bool,
}

/// Cases as a table has them, with the names of partners and campaigns.
pub async fn lines(
    db: &mut PgConnection,
    by: &Visitor,
    (shown, now): (&[CaseShown], DateTime<chrono::Utc>),
) -> Result<Vec<Line>, Fault> {
    let affiliates: Vec<_> =
        shown.iter().filter_map(|one| one.case.affiliate_id).map(|id| id.uuid()).collect();
    let campaigns: Vec<_> = shown.iter().map(|one| one.case.campaign_id.uuid()).collect();
    let names = store::rings::names(db, &affiliates).await?;
    let campaigns = store::recommendations::campaigns(db, Some(&campaigns)).await?;
    let line = |one: &CaseShown| {
        let case = &one.case;
        let partner = case.affiliate_id.and_then(|id| names.get(&id).cloned());
        let campaign = campaigns.iter().find(|card| card.id == case.campaign_id);
        let is_decided = case.state == CaseState::Decided;
        let (state, look) = state(case.state);
        let (state, count) = if is_decided {
            (decided(case.outcome, case.outcome_reason), case.conversions)
        } else {
            (state, case.waiting)
        };
        Line {
            id: case.id.to_string(),
            revision: case.revision,
            partner: partner.unwrap_or_else(|| say("case-nobody")),
            campaign: campaign.map(|card| card.name.clone()).unwrap_or_default(),
            why: why(&case.reason),
            conversions: by.reader.number(count),
            count: tell("case-count", &[("count", &by.reader.number(count))]),
            stakes: amounts(&by.reader, &one.stakes, "–"),
            deadline: match case.decided_at {
                Some(at) => by.reader.time(&at),
                None => deadline(one, now),
            },
            state,
            look,
            who: case.assignee.as_ref().map(who),
            is_late: one.is_late,
            is_appealed: one.is_appealed,
            is_proposed: case.proposal.is_some(),
            is_decided,
            is_ticked: false,
        }
    };
    Ok(shown.iter().map(line).collect())
}

/// The queue, a page of it.
pub async fn show(
    State(pages): State<Pages>,
    by: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    by.must_be_team()?;
    let done = work::done(&asked.done);
    page(&pages, &by, asked, (Vec::new(), done, &[])).await
}

async fn page(
    pages: &Pages,
    by: &Visitor,
    asked: Asked,
    (faults, done, sent): (Vec<String>, Option<String>, Sent<'_>),
) -> Result<Response, Fault> {
    let field = |name: &str| sent.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let me = by.actor();
    let wanted = asked.wanted(&me)?;
    let now = pages.app.clock.now();
    // Whoever reads on finds the order of the first page, whatever has become late since.
    let at = wanted.after.and_then(|place| DateTime::from_timestamp_micros(place.at_us)).unwrap_or(now);
    let mut db = pages.app.db.acquire().await?;
    let reach = i64::try_from(SHOWN + 1).unwrap_or(i64::MAX);
    let mut found = api::queue(&mut db, &wanted, at, reach).await?;
    let has_more = SHOWN < found.len();
    found.truncate(SHOWN);
    let query = asked.query();
    let more = found.last().filter(|_| has_more).map(|last| {
        let after = form_urlencoded::Serializer::new(query.clone())
            .append_pair("after", &last.place(at).to_string())
            .finish();
        format!("/team/cases?{after}")
    });
    let about = store::cases::about(&mut db, OFFERED).await?;
    let mut lines = lines(&mut db, by, (&found, now)).await?;
    for line in &mut lines {
        line.is_ticked = field(&format!("case-{}", line.id)).is_some();
    }
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let states = CaseState::ALL.iter().map(|one| Choice {
        value: one.name().to_owned(),
        name: state(*one).0,
        is_chosen: one.name() == asked.state,
    });
    let page = QueuePage {
        frame: by.frame(Place::Cases).done(done),
        query,
        faults,
        states: states.collect(),
        partners: choices(&about, &asked.partner, |one| {
            Some((one.affiliate_id?.to_string(), one.affiliate.clone()?))
        }),
        campaigns: choices(&about, &asked.campaign, |one| {
            Some((one.campaign_id.to_string(), one.campaign.clone()))
        }),
        causes: choices(&about, &asked.reason, |one| Some((one.reason.clone(), why(&one.reason)))),
        reasons: reasons(field("reason").and_then(|name| name.parse().ok())),
        outcomes: outcomes(field("outcome")),
        note: field("note").unwrap_or_default().to_owned(),
        lines,
        more,
        may_decide: by.user.role.reviews_fraud(),
        asked,
    };
    Ok((status, rendered(&page)).into_response())
}

/// What can be decided about cases that were ticked.
fn outcomes(chosen: Option<&str>) -> Vec<Choice> {
    let choice = |one: &Outcome| Choice {
        value: one.name().to_owned(),
        name: say(&format!("act-{}", one.name())),
        is_chosen: chosen == Some(one.name()),
    };
    Outcome::ALL.iter().map(choice).collect()
}

/// What can be chosen of something, each once, with what was chosen before.
fn choices(about: &[About], chosen: &str, of: impl Fn(&About) -> Option<(String, String)>) -> Vec<Choice> {
    let mut all: Vec<(String, String)> = about.iter().filter_map(of).collect();
    if !chosen.is_empty() && !all.iter().any(|(value, _)| value == chosen) {
        all.push((chosen.to_owned(), chosen.to_owned()));
    }
    all.sort_by(|(value, name), (other, other_name)| (name, value).cmp(&(other_name, other)));
    all.dedup();
    all.into_iter().map(|(value, name)| Choice { is_chosen: value == chosen, value, name }).collect()
}

/// Cases that were ticked and what is to be done with them.
struct Chosen {
    cases: Vec<(CaseId, i32)>,
    decision: Decision,
    queue: Asked,
}

type Pairs = Vec<(String, String)>;
/// A form that was sent, of which a page keeps what was typed.
type Sent<'a> = &'a [(String, String)];

impl Chosen {
    /// What a form says, or what is wrong with it.
    fn read(pairs: &[(String, String)]) -> Result<Self, String> {
        let field = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let case = |(key, value): &(String, String)| {
            Some((key.strip_prefix("case-")?.parse().ok()?, value.parse().ok()?))
        };
        let cases: Vec<(CaseId, i32)> = pairs.iter().filter_map(case).collect();
        if cases.is_empty() {
            return Err(say("batch-none"));
        }
        let outcome: Outcome =
            field("outcome").and_then(|name| name.parse().ok()).ok_or_else(|| say("batch-no-outcome"))?;
        let why: Option<ReversalReason> = field("reason").and_then(|name| name.parse().ok());
        let note = field("note").map(|text| text.replace("\r\n", "\n").parse::<Prose>()).transpose();
        let note = note.map_err(|error| {
            tell("form-fault", &[("field", &say("case-note")), ("detail", &error.to_string())])
        })?;
        // A reason that stands in a form besides says something of a rejection alone.
        let reason = why.filter(|_| outcome == Outcome::Reject);
        let decision = Decision { outcome, reason, note: note.map(String::from).unwrap_or_default() };
        Ok(Self { cases, decision, queue: Asked::of(field("queue").unwrap_or_default()) })
    }
}

#[derive(Template)]
#[template(path = "cases_chosen.html")]
struct ChosenPage {
    frame: Frame,
    query: String,
    what: String,
    outcome: &'static str,
    reason: &'static str,
    note: String,
    stakes: String,
    conversions: String,
    lines: Vec<Line>,
    gone: usize,
}

/// What would be decided, with sums, before it is.
pub async fn chosen(State(pages): State<Pages>, posted: Posted<Pairs>) -> Result<Response, Fault> {
    let Posted { by, form } = posted;
    by.must(Role::reviews_fraud)?;
    let Chosen { cases, decision, queue } = match Chosen::read(&form) {
        Ok(chosen) => chosen,
        Err(fault) => return page(&pages, &by, queue_of(&form), (vec![fault], None, &form)).await,
    };
    let (mut db, now) = (pages.app.db.acquire().await?, pages.app.clock.now());
    let mut found = Vec::new();
    for (id, revision) in &cases {
        let one = api::find(&mut db, *id, now).await?;
        if one.case.revision == *revision && one.case.state != CaseState::Decided {
            found.push(one);
        }
    }
    let sums = sums(&mut db, &found).await?;
    let page = ChosenPage {
        frame: by.frame(Place::Cases),
        query: queue.query(),
        what: decided(Some(decision.outcome), decision.reason),
        outcome: decision.outcome.name(),
        reason: decision.reason.map(ReversalReason::name).unwrap_or_default(),
        note: decision.note,
        stakes: amounts(&by.reader, &sums, "–"),
        conversions: by.reader.number(found.iter().map(|one| one.case.waiting).sum()),
        gone: cases.len() - found.len(),
        lines: lines(&mut db, &by, (&found, now)).await?,
    };
    Ok(rendered(&page))
}

/// What hangs on cases together, added up for each currency.
async fn sums(db: &mut PgConnection, found: &[CaseShown]) -> Result<Vec<Money>, Fault> {
    let ids: Vec<_> = found.iter().map(|one| one.case.id.uuid()).collect();
    let members = store::cases::members(db, &ids).await?;
    Ok(cases::stakes(members.iter().filter(|member| member.is_waiting())))
}

fn queue_of(form: &[(String, String)]) -> Asked {
    form.iter().find(|(name, _)| name == "queue").map(|(_, query)| Asked::of(query)).unwrap_or_default()
}

/// Decides all that was chosen, or nothing.
pub async fn decide(State(pages): State<Pages>, posted: Posted<Pairs>) -> Result<Response, Fault> {
    let Posted { by, form } = posted;
    by.must(Role::reviews_fraud)?;
    let Chosen { cases: chosen, decision, queue } = match Chosen::read(&form) {
        Ok(chosen) => chosen,
        Err(fault) => return page(&pages, &by, queue_of(&form), (vec![fault], None, &form)).await,
    };
    let actor = actor(&by);
    let wish = |(case, revision): &(CaseId, i32)| Wish {
        case: *case,
        revision: *revision,
        decision: decision.clone(),
    };
    let wishes: Vec<Wish> = chosen.iter().map(wish).collect();
    let app = &pages.app;
    let mut tx = app.begin().await?;
    let by_whom = Decider { actor: &actor, clock: &app.clock, chance: &app.chance };
    if let Err(refused) = cases::decide(&mut tx, by_whom, &wishes).await {
        tx.rollback().await?;
        return again(&pages, &by, (&chosen, queue, &form), refused).await;
    }
    let mut is_proposed = false;
    for (id, _) in &chosen {
        is_proposed |= api::told(&mut tx, app, *id).await?.case.proposal.is_some();
        let subject = id.to_string();
        let deed = by.deed(&pages, "case.decided", (&subject, decision.outcome.name()));
        store::audit::note(&mut tx, &deed).await?;
    }
    tx.commit().await?;
    let done = if is_proposed { "batch_proposed" } else { "batch" };
    let query = form_urlencoded::Serializer::new(queue.query()).append_pair("done", done).finish();
    Ok(Redirect::to(&format!("/team/cases?{query}")).into_response())
}

/// The queue again, with what stood against a batch.
async fn again(
    pages: &Pages,
    by: &Visitor,
    (chosen, queue, sent): (&[(CaseId, i32)], Asked, Sent<'_>),
    refused: Vec<(usize, Refusal)>,
) -> Result<Response, Fault> {
    let mut faults = vec![say("batch-refused")];
    for (place, refusal) in refused {
        if let Refusal::Store(error) = refusal {
            return Err(error.into());
        }
        let Some((id, _)) = chosen.get(place) else { continue };
        let told = work::words(&refusal);
        faults.push(tell("batch-refused-one", &[("case", &id.to_string()), ("why", &told)]));
    }
    page(pages, by, queue, (faults, None, sent)).await
}

/// Who has signed in, as cases name people.
pub fn actor(by: &Visitor) -> Actor {
    Actor { kind: ActorKind::User, id: by.actor(), name: by.user.name.clone() }
}
