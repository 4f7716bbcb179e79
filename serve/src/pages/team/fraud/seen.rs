//! What is seen of a case, in words: its conversions with why they are held, what the partner answered, and all that happened.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    ConversionId,
    conversion::{ConversionStatus, ReversalReason},
    fraud::{
        Evidence, Flag,
        cases::{Actor, Outcome},
    },
};
use serde_json::Value;

use super::{decided, who};
use crate::{
    api::cases::{CaseConversion, CaseDetail},
    pages::{
        affiliate::conversions,
        reader::Reader,
        words::{say, tell},
    },
    store::{case_events::CaseEvent, cases::CaseClick},
};

/// How far a bar reaches from its middle at most.
const REACH: f64 = 50.0;
/// Less than this says nothing that a bar could show.
const LEAST: f64 = 0.005;

/// A conversion of a case.
pub struct Seen {
    pub id: String,
    pub order: String,
    pub at: String,
    pub amount: String,
    pub stake: String,
    pub status: String,
    pub look: &'static str,
    pub score: Option<Scored>,
}

/// Why a conversion is held.
pub struct Scored {
    pub probability: String,
    pub threshold: String,
    pub reasons: Vec<Reason>,
    pub evidence: Vec<Fact>,
    pub features: Vec<Fact>,
    pub degraded: Vec<String>,
}

/// What spoke for or against fraud, with its bar.
pub struct Reason {
    pub words: String,
    pub by: String,
    pub is_less: bool,
    pub from: String,
    pub width: String,
}

/// Something that was known, and what is usual of it.
pub struct Fact {
    pub name: String,
    pub value: String,
    pub usual: String,
}

/// The conversions of a case.
pub fn conversions(detail: &CaseDetail, reader: &Reader) -> Vec<Seen> {
    let scores = detail.members.iter().filter_map(|member| member.score.as_ref());
    let odds = scores.flat_map(|score| &score.reasons).map(|reason| reason.log_odds.abs());
    let most = odds.fold(1.0, f64::max);
    detail.members.iter().map(|one| seen(one, reader, most)).collect()
}

fn seen(one: &CaseConversion, reader: &Reader, most: f64) -> Seen {
    let member = &one.member;
    let (status, look) = conversions::status(member.status);
    Seen {
        id: member.conversion_id.to_string(),
        order: member.order_id.clone().unwrap_or_default(),
        at: reader.time(&member.occurred_at),
        amount: reader.money(&member.amount),
        stake: reader.money(&member.stake),
        status,
        look,
        score: one.score.as_ref().map(|score| {
            let flags: Vec<Flag> = score.reasons.iter().filter_map(|reason| reason.flag).collect();
            let reasons = score.reasons.iter();
            let features = score.features.iter().map(|because| Fact {
                name: because.feature.clone(),
                value: because
                    .value
                    .map_or_else(|| say("evidence-unknown"), |value| reader.decimal(value, 3)),
                usual: reader.decimal(because.credit, 3),
            });
            Scored {
                probability: reader.share(score.probability),
                threshold: reader.share(score.threshold),
                reasons: reasons.map(|reason| bar(&reason.words, reason.log_odds, (most, reader))).collect(),
                evidence: evidence(&one.evidence, &flags, reader),
                features: features.collect(),
                degraded: score.degraded.clone(),
            }
        }),
    }
}

/// A reason with its bar: to the right what speaks for fraud, to the left what speaks against it.
fn bar(words: &str, log_odds: f64, (most, reader): (f64, &Reader)) -> Reason {
    let width = (REACH * log_odds.abs() / most).min(REACH);
    let is_less = log_odds < 0.0;
    let sign = if is_less { "" } else { "+" };
    Reason {
        words: words.to_owned(),
        by: if log_odds.abs() < LEAST {
            "0".to_owned()
        } else {
            format!("{sign}{}", reader.decimal(log_odds, 2))
        },
        is_less,
        from: format!("{:.1}", if is_less { REACH - width } else { REACH }),
        width: format!("{width:.1}"),
    }
}

/// What was known, first of all what rules flagged, with what they compare it with.
fn evidence(known: &Value, flags: &[Flag], reader: &Reader) -> Vec<Fact> {
    let read = |flag: &Flag, name: &str| flag.code.rule().needs.iter().any(|group| group.contains(&name));
    let mut facts: Vec<(bool, Fact)> = Evidence::FIELDS
        .iter()
        .filter_map(|field| {
            let value = known.get(field.name)?;
            let flag = flags.iter().find(|flag| read(flag, field.name));
            let fact = Fact {
                name: field.doc.trim().trim_end_matches('.').to_owned(),
                value: written(value, reader),
                usual: flag.and_then(|flag| usual(flag, value, reader)).unwrap_or_default(),
            };
            Some((flag.is_none(), fact))
        })
        .collect();
    facts.sort_by_key(|(is_aside, _)| *is_aside);
    facts.into_iter().map(|(_, fact)| fact).collect()
}

/// What a flag compares a value with, where it is that value that it saw.
fn usual(flag: &Flag, value: &Value, reader: &Reader) -> Option<String> {
    let is_it = value.as_f64().is_some_and(|value| (value - flag.counts.seen).abs() < 1e-9);
    let limit = reader.decimal(flag.counts.limit, 3);
    let told = match flag.baseline {
        Some(usual) => tell("evidence-usual", &[("usual", &reader.decimal(usual, 3)), ("limit", &limit)]),
        None => tell("evidence-limit", &[("limit", &limit)]),
    };
    is_it.then_some(told)
}

fn written(value: &Value, reader: &Reader) -> String {
    match value {
        Value::Null => say("evidence-unknown"),
        Value::Bool(true) => say("yes"),
        Value::Bool(false) => say("no"),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => reader.number(whole),
            None => reader.decimal(number.as_f64().unwrap_or_default(), 4),
        },
        Value::String(text) if text.is_empty() => say("evidence-empty"),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(|one| written(one, reader)).collect::<Vec<_>>().join(", "),
        Value::Object(_) => value.to_string(),
    }
}

/// What a partner answered about a conversion.
pub struct Answered {
    pub conversion: String,
    pub at: String,
    pub until: String,
    pub waits: bool,
    pub text: String,
    pub links: Vec<String>,
}

/// What the partner answered, in order.
pub fn answers(detail: &CaseDetail, reader: &Reader) -> Vec<Answered> {
    let answers = detail.timeline.iter().filter(|event| event.kind == "appealed");
    let told = |event: &CaseEvent| {
        let id = conversion_of(&event.detail)?;
        let waits = detail.members.iter().any(|one| one.member.conversion_id == id && one.member.is_appealed);
        let until = event.detail["due_at"].as_str().and_then(|at| at.parse::<DateTime<Utc>>().ok());
        let links = event.detail["links"].as_array().into_iter().flatten();
        Some(Answered {
            conversion: id.to_string(),
            at: reader.time(&event.at),
            until: until.map(|at| reader.time(&at)).unwrap_or_default(),
            waits,
            text: event.note.clone(),
            // They were checked when they came, and are checked where they become links.
            links: links
                .filter_map(Value::as_str)
                .filter(|link| is_web(link))
                .map(ToOwned::to_owned)
                .collect(),
        })
    };
    answers.filter_map(told).collect()
}

/// The conversion that an event is about.
fn conversion_of(detail: &Value) -> Option<ConversionId> {
    detail["conversion_id"].as_str()?.parse().ok()
}

fn is_web(link: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| link.starts_with(scheme))
}

/// Something that happened.
pub struct Happened {
    at: DateTime<Utc>,
    pub when: String,
    pub what: String,
    pub who: String,
    pub note: String,
    pub kind: &'static str,
}

/// All that happened, in order: clicks, conversions, decisions, and what people did.
pub fn timeline(detail: &CaseDetail, clicks: &[CaseClick], reader: &Reader) -> Vec<Happened> {
    let orders = orders(detail);
    let clicks = clicks.iter().map(|click| clicked(click, &orders, reader));
    let orders_made = detail.members.iter().map(|one| {
        let (at, amount) = (one.member.occurred_at, reader.money(&one.member.amount));
        let id = one.member.conversion_id;
        let what = tell("happened-conversion", &[("order", &called(id, &orders)), ("amount", &amount)]);
        happened(at, what, ("", "", "order"), reader)
    });
    let scored = detail.members.iter().filter_map(|one| {
        let score = one.score.as_ref()?;
        let probability = reader.share(score.probability);
        let values = [("order", &*called(one.member.conversion_id, &orders)), ("probability", &probability)];
        Some(happened(score.at, tell("happened-scored", &values), ("", "", "scored"), reader))
    });
    let events = detail.timeline.iter().map(|event| done(event, &orders, reader));
    let mut all: Vec<Happened> = clicks.chain(orders_made).chain(scored).chain(events).collect();
    all.sort_by_key(|one| one.at);
    all
}

/// What happened to a case since a revision.
pub fn since(detail: &CaseDetail, revision: i32, reader: &Reader) -> Vec<Happened> {
    let orders = orders(detail);
    detail
        .timeline
        .iter()
        .filter(|event| revision <= event.position)
        .map(|event| done(event, &orders, reader))
        .collect()
}

fn happened(
    at: DateTime<Utc>,
    what: String,
    (who, note, kind): (&str, &str, &'static str),
    reader: &Reader,
) -> Happened {
    Happened { at, when: reader.exact(&at), what, who: who.to_owned(), note: note.to_owned(), kind }
}

/// The advertiser's orders, by which people speak of conversions.
fn orders(detail: &CaseDetail) -> BTreeMap<ConversionId, &str> {
    let members = detail.members.iter().map(|one| &one.member);
    members.filter_map(|member| Some((member.conversion_id, member.order_id.as_deref()?))).collect()
}

fn called(id: ConversionId, orders: &BTreeMap<ConversionId, &str>) -> String {
    orders.get(&id).map_or_else(|| id.to_string(), |order| (*order).to_owned())
}

fn clicked(click: &CaseClick, orders: &BTreeMap<ConversionId, &str>, reader: &Reader) -> Happened {
    let subs: Vec<&str> = click.subs.iter().map(String::as_str).filter(|sub| !sub.is_empty()).collect();
    let from = if click.referrer.is_empty() { say("evidence-empty") } else { click.referrer.clone() };
    let order = called(click.conversion_id, orders);
    let values = [
        ("order", order.as_str()),
        ("from", from.as_str()),
        ("device", &click.device),
        ("country", &click.country),
        ("agent", &click.user_agent),
    ];
    let mut what = tell("happened-click", &values);
    if !subs.is_empty() {
        what += " ";
        what += &tell("happened-subs", &[("subs", &subs.join(", "))]);
    }
    happened(click.occurred_at, what, ("", "", "click"), reader)
}

/// What somebody did about a case.
fn done(event: &CaseEvent, orders: &BTreeMap<ConversionId, &str>, reader: &Reader) -> Happened {
    let detail = &event.detail;
    let order = conversion_of(detail).map(|id| called(id, orders)).unwrap_or_default();
    let order = [("order", order.as_str())];
    let outcome: Option<Outcome> = detail["outcome"].as_str().and_then(|name| name.parse().ok());
    let reason: Option<ReversalReason> = detail["reason"].as_str().and_then(|name| name.parse().ok());
    let what = match event.kind.as_str() {
        "opened" => tell("happened-opened", &order),
        "joined" => tell("happened-joined", &order),
        "assigned" => match serde_json::from_value::<Actor>(detail["to"].clone()) {
            Ok(to) => tell("happened-assigned", &[("to", &who(&to))]),
            Err(_) => say("happened-unassigned"),
        },
        "commented" => say("happened-commented"),
        "asked" => say("happened-asked"),
        "appealed" => tell("happened-appealed", &order),
        "proposed" => tell("happened-proposed", &[("what", &decided(outcome, reason))]),
        "refused" => say("happened-refused"),
        "decided" => decided(outcome, reason),
        "elsewhere" => {
            let to: Option<ConversionStatus> = detail["status"].as_str().and_then(|name| name.parse().ok());
            let to = to.map(|to| conversions::status(to).0).unwrap_or_default();
            tell("happened-elsewhere", &[order[0], ("to", &to)])
        }
        "changed" => tell("happened-changed", &order),
        other => other.to_owned(),
    };
    happened(event.at, what, (&who(&event.actor), &event.note, "done"), reader)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bar_reaches_as_far_as_its_part_of_the_most() {
        let reader = Reader::default();
        let bars = [4.0, 2.0, -1.0, 0.001].map(|odds| {
            let Reason { by, from, width, is_less, .. } = bar("", odds, (4.0, &reader));
            format!("{by} {from}+{width} {is_less}")
        });
        assert_eq!(
            bars,
            ["+4 50.0+50.0 false", "+2 50.0+25.0 false", "−1 37.5+12.5 true", "0 50.0+0.0 false"]
        );
    }

    #[test]
    fn what_a_rule_flagged_comes_first_beside_its_limit() {
        let seen: Evidence = serde_json::from_str(
            r#"{"click_to_conversion_seconds": 4, "user_agent": "", "ip_country_match": true}"#,
        )
        .unwrap();
        let campaign = uuid::Uuid::nil().into();
        let flags: Vec<Flag> =
            domain::fraud::RuleSet::defaults().flags(&seen, campaign, DateTime::UNIX_EPOCH).collect();
        let flags: Vec<Flag> =
            flags.into_iter().filter(|flag| flag.code.name() == "quick_conversion").collect();
        let facts = evidence(&json!(seen), &flags, &Reader::default());
        let told: Vec<String> = facts
            .iter()
            .map(|fact| format!("{}: {} {}", fact.name, fact.value, fact.usual).trim_end().to_owned())
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        Whole seconds from the click to the conversion; below zero when clocks disagree: 4 limit 10
        Whether the click came from the same country as the conversion: Yes
        The browser's user agent; empty when none was told: none
        ");
    }

    #[test]
    fn only_pages_of_the_web_become_links() {
        assert!(
            is_web("https://ana.example/may")
                && !is_web("javascript:alert(1)")
                && !is_web("data:text/html,x")
        );
    }
}
