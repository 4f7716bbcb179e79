//! Partners, with what they bring, and one of them with its links, rates and money.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    AffiliateId, Money,
    affiliate::{AffiliateStatus, Tier},
};
use serde::Deserialize;
use sqlx::PgConnection;

use crate::{
    api::rates::Paid,
    pages::{
        Pages,
        affiliate::{Trend, Whose, trend},
        fault::Fault,
        frame::{Frame, Place, rendered},
        live::{amounts, sum},
        session::Visitor,
        words::say,
    },
    store::{
        self,
        partner_values::{Expected, Latest},
    },
};

/// So many stand on a page; who looks for others says whom.
const SHOWN: i64 = 100;

/// A partner in a list.
pub struct Line {
    pub id: String,
    pub name: String,
    pub status: String,
    pub country: String,
    pub clicks: String,
    pub conversions: String,
    pub earned: String,
    pub tier: String,
}

/// Whom the list holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    status: String,
}

struct Choice {
    value: &'static str,
    name: String,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "partners.html")]
struct ListPage {
    frame: Frame,
    asked: Asked,
    statuses: Vec<Choice>,
    lines: Vec<Line>,
    is_cut: bool,
}

struct Joined {
    id: String,
    name: String,
    rate: String,
    why: String,
}

#[derive(Template)]
#[template(path = "partner.html")]
struct OnePage {
    frame: Frame,
    name: String,
    email: String,
    status: String,
    profile: Vec<(String, String)>,
    worth: Vec<(String, String)>,
    joined: Vec<Joined>,
    trend: Trend,
}

/// What a status is called.
fn called(status: AffiliateStatus) -> String {
    match status {
        AffiliateStatus::Pending => say("partner-pending"),
        AffiliateStatus::Approved => say("partner-approved"),
        AffiliateStatus::Suspended => say("partner-suspended"),
        AffiliateStatus::Rejected => say("partner-rejected"),
    }
}

/// What a tier is called.
fn tier(tier: Tier) -> String {
    match tier {
        Tier::Bronze => say("tier-bronze"),
        Tier::Silver => say("tier-silver"),
        Tier::Gold => say("tier-gold"),
    }
}

/// What a partner is worth, line by line; none where nobody said it.
fn worth(latest: &Latest, by: &Visitor) -> Vec<(String, String)> {
    let (said, currency) = (&latest.said.0, latest.currency);
    let amount = |number: f64| {
        let minor = number * 10_f64.powi(currency.places().into());
        by.reader.money(&Money::new(minor.round() as i64, currency))
    };
    let between = |it: &Expected, shown: &dyn Fn(f64) -> String| {
        format!("{} ({} – {})", shown(it.expected), shown(it.lower), shown(it.upper))
    };
    // A click is worth so little that cents would not tell two of them apart.
    let small = |number: f64| format!("{} {currency}", by.reader.decimal(number, 4));
    let plain = |number: f64| by.reader.decimal(number, 2);
    let before = latest.tier_before.filter(|before| *before != said.tier);
    let moved =
        before.map(|before| format!("{} ({} {})", tier(said.tier), say("worth-before"), tier(before)));
    let per_click = said.value_per_click.as_ref().map(|it| between(it, &small));
    let lines = [
        (say("worth-tier"), Some(moved.unwrap_or_else(|| tier(said.tier)))),
        (say("worth-conversion"), Some(between(&said.value_per_conversion, &amount))),
        (say("worth-click"), per_click),
        (say("worth-return"), Some(between(&said.expected_return, &plain))),
        (say("worth-why"), Some(said.reasons.clone())),
        (say("worth-gives"), Some(said.gives.join("; ")).filter(|gives| !gives.is_empty())),
        (say("worth-since"), Some(by.reader.time(&latest.recorded_at))),
    ];
    lines.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Partners as a table has them, with what they earned in the last thirty days.
pub async fn lines(
    db: &mut PgConnection,
    by: &Visitor,
    whom: (Option<&str>, Option<&str>),
    (now, limit): (DateTime<Utc>, i64),
) -> Result<Vec<Line>, Fault> {
    let found = store::program::partners(db, whom, now - TimeDelta::days(30), limit).await?;
    let line = |one: store::program::Partner| {
        let earned: Vec<_> = one.earned.iter().filter_map(|text| sum(text)).collect();
        Line {
            id: one.id.to_string(),
            name: one.name,
            status: one.status.parse().map_or(one.status, called),
            country: one.country.unwrap_or_default(),
            clicks: by.reader.number(one.clicks),
            conversions: by.reader.number(one.conversions),
            earned: amounts(&by.reader, &earned, "–"),
            tier: one.tier.map_or_else(|| "–".to_owned(), tier),
        }
    };
    Ok(found.into_iter().map(line).collect())
}

/// The partners, those who bring most first.
pub async fn list(
    State(pages): State<Pages>,
    by: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    by.must_be_team()?;
    let mut db = pages.app.db.acquire().await?;
    let status = AffiliateStatus::ALL.iter().find(|status| status.name() == asked.status).map(|it| it.name());
    let whom = (Some(asked.q.trim()).filter(|text| !text.is_empty()), status);
    let lines = lines(&mut db, &by, whom, (pages.app.clock.now(), SHOWN)).await?;
    let statuses = AffiliateStatus::ALL.iter().map(|status| Choice {
        value: status.name(),
        name: called(*status),
        is_chosen: status.name() == asked.status,
    });
    let is_cut = usize::try_from(SHOWN).is_ok_and(|shown| shown <= lines.len());
    let page =
        ListPage { frame: by.frame(Place::Partners), statuses: statuses.collect(), asked, lines, is_cut };
    Ok(rendered(&page))
}

/// One partner.
pub async fn one(State(pages): State<Pages>, by: Visitor, Path(id): Path<String>) -> Result<Response, Fault> {
    by.must_be_team()?;
    let id: AffiliateId = id.parse().map_err(|_| Fault::NotFound)?;
    let (mut db, now) = (pages.app.db.acquire().await?, pages.app.clock.now());
    let found = store::affiliates::find(&mut db, id, None).await?.ok_or(Fault::NotFound)?;
    let trend = trend(&mut db, Whose::Affiliate(id), &by.reader, now).await?;
    let mut joined = Vec::new();
    for campaign in store::dashboard::joined(&mut db, id).await? {
        let now = Paid::find(&mut db, id, campaign.id, now).await?.now;
        let rate = now.as_ref().and_then(|period| period.rate).map(|rate| by.reader.rate(&rate));
        joined.push(Joined {
            id: campaign.id.to_string(),
            name: campaign.name,
            rate: rate.unwrap_or_else(|| say("rate-other-terms")),
            why: now.map(|period| period.why).unwrap_or_default(),
        });
    }
    let profile = [
        (say("partner-website"), found.website),
        (say("partner-traffic"), found.traffic_source),
        (say("partner-content"), found.content_type),
        (say("partner-country"), found.country),
        (say("partner-since"), Some(by.reader.time(&found.created_at))),
    ];
    let latest = store::partner_values::latest(&mut db, &[id.uuid()]).await?.pop();
    let page = OnePage {
        frame: by.frame(Place::Partners),
        name: found.name,
        email: found.email,
        status: called(found.status),
        profile: profile.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        worth: latest.map(|latest| worth(&latest, &by)).unwrap_or_default(),
        joined,
        trend,
    };
    Ok(rendered(&page))
}
