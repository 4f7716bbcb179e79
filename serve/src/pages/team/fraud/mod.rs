//! What may be fraud, for those who look at it: the queue of cases, one case on one screen, rings, and the rules.

mod case;
mod change;
mod drawing;
mod lists;
mod queue;
mod rings;
mod rule;
mod rules;
mod seen;
mod tuning;
mod work;

use axum::{
    Router,
    routing::{get, post},
};
use chrono::{DateTime, Utc};
use domain::{
    conversion::ReversalReason,
    fraud::{
        Code,
        cases::{Actor, ActorKind, CaseState, Outcome},
        score::Model,
    },
};

use crate::{
    api::cases::CaseShown,
    pages::{
        Pages,
        affiliate::conversions,
        words::{say, tell},
    },
};

/// The pages of whoever looks at what may be fraud.
pub fn routes() -> Router<Pages> {
    Router::new()
        .route("/team/cases", get(queue::show))
        .route("/team/cases/chosen", post(queue::chosen))
        .route("/team/cases/decide", post(queue::decide))
        .route("/team/cases/{id}", get(case::show).post(work::act))
        .route("/team/rings", get(rings::list))
        .route("/team/rings/{id}", get(rings::one))
        .route("/team/rings/{id}/declare", post(rings::declare))
        .route("/team/rules", get(rules::list))
        .route("/team/rules/{name}", get(rule::one).post(rule::post))
        .route("/team/lists", get(lists::show).post(lists::post))
}

/// What most spoke for fraud, as the team reads it.
fn why(reason: &str) -> String {
    if let Ok(code) = reason.parse::<Code>() {
        return sentence(code.rule().coarse);
    }
    match reason.parse::<Model>() {
        Ok(Model::Ring) => say("why-ring"),
        Ok(Model::External) => say("why-external"),
        Ok(_) => say("why-model"),
        Err(_) => say("why-by-hand"),
    }
}

/// A text that begins with a capital.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// Where a case is in its life, and how that looks.
fn state(state: CaseState) -> (String, &'static str) {
    match state {
        CaseState::Open => (say("case-open"), "open"),
        CaseState::InReview => (say("case-in-review"), "open"),
        CaseState::Waiting => (say("case-waiting"), "held"),
        CaseState::Decided => (say("case-decided"), "open"),
    }
}

/// What was decided.
fn decided(outcome: Option<Outcome>, why: Option<ReversalReason>) -> String {
    match (outcome, why) {
        (Some(Outcome::Approve), _) => say("outcome-approve"),
        (Some(Outcome::Release), _) => say("outcome-release"),
        (Some(Outcome::Reject), Some(why)) => {
            tell("outcome-reject-because", &[("why", &conversions::reason(why))])
        }
        (Some(Outcome::Reject), None) => say("outcome-reject"),
        (None, _) => say("outcome-elsewhere"),
    }
}

/// Who did something.
fn who(actor: &Actor) -> String {
    let name = if actor.name.is_empty() { &actor.id } else { &actor.name };
    match actor.kind {
        ActorKind::Key => tell("actor-key", &[("name", name)]),
        ActorKind::User => name.clone(),
        ActorKind::Affiliate => say("actor-partner"),
        ActorKind::System if actor.id == "system" => say("actor-system"),
        ActorKind::System => name.clone(),
    }
}

/// How long it is from one moment to another, in the largest unit that it fills.
fn span(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let length = (to - from).abs();
    let (key, count) = match (length.num_days(), length.num_hours()) {
        (0, 0) => ("span-minutes", length.num_minutes()),
        (0, hours) => ("span-hours", hours),
        (days, _) => ("span-days", days),
    };
    tell(key, &[("count", &count.to_string())])
}

/// How long a case is open, and when it is to be decided.
fn deadline(shown: &CaseShown, now: DateTime<Utc>) -> String {
    let case = &shown.case;
    let left = span(now, case.due_at);
    let open = span(case.opened_at, now);
    let key = if shown.is_late { "case-late" } else { "case-due" };
    tell(key, &[("open", &open), ("left", &left)])
}

/// For which reasons something is turned down, as a form offers them.
struct Choice {
    value: String,
    name: String,
    is_chosen: bool,
}

fn reasons(chosen: Option<ReversalReason>) -> Vec<Choice> {
    // What was paid back was no decision about fraud.
    let fits = |why: &&ReversalReason| !matches!(why, ReversalReason::Refund | ReversalReason::Chargeback);
    let choice = |why: &ReversalReason| Choice {
        value: why.name().to_owned(),
        name: sentence(&conversions::reason(*why)),
        is_chosen: chosen.unwrap_or(ReversalReason::Fraud) == *why,
    };
    let mut all: Vec<_> = ReversalReason::ALL.iter().filter(fits).map(choice).collect();
    all.sort_by_key(|choice| choice.value != ReversalReason::Fraud.name());
    all
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain::fraud::cases::BY_HAND;

    use super::*;

    #[test]
    fn every_reason_of_a_case_is_a_sentence_of_its_own() {
        let codes = Code::ALL.iter().map(|code| code.name());
        for reason in codes.chain(Model::ALL.iter().map(|model| model.name())).chain([BY_HAND]) {
            let told = why(reason);
            assert!(told != reason && told.starts_with(char::is_uppercase), "{reason}: {told}");
        }
    }

    #[test]
    fn whoever_did_something_is_named() {
        let named = ["usr_1", "key_1", "system", "postback"].map(|id| who(&Actor::of_history(id)));
        assert_eq!(named, ["usr_1", "key_1 (API key)", "Tributary", "postback"]);
        assert_eq!(Actor::of_history("usr_1").kind, ActorKind::User);
    }

    #[test]
    fn a_span_is_told_in_its_largest_unit() {
        let (from, told) = (DateTime::UNIX_EPOCH, |minutes| {
            span(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes))
        });
        assert_eq!(
            [told(0), told(59), told(60), told(1_439), told(1_440)],
            ["0 minutes", "59 minutes", "1 hour", "23 hours", "1 day"]
        );
        assert_eq!(span(from + TimeDelta::days(3), from), "3 days", "backwards, too");
    }
}
