//! What an affiliate is paid now, why and since when, what would raise it, what is announced, and how it has been.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use domain::{CampaignId, commission::dynamic::RateReason};

use crate::{
    api::rates::{Paid, RatePeriod},
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        reader::Reader,
        session::Visitor,
        words::{say, tell},
    },
    store::{self, rate_contracts::RateContract},
};

/// So many changes of the past stand on a page; the API has all of them.
const MOST: usize = 100;

struct Line {
    id: String,
    name: String,
    rate: String,
    since: String,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "rates.html")]
struct ListPage {
    frame: Frame,
    lines: Vec<Line>,
}

struct Reason {
    words: &'static str,
    by: String,
    is_less: bool,
}

struct Period {
    rate: String,
    from: String,
    until: Option<String>,
    why: String,
    reasons: Vec<Reason>,
    final_after: Option<String>,
    model: Option<String>,
    is_own: bool,
}

struct Bound {
    name: String,
    value: String,
}

#[derive(Template)]
#[template(path = "rate.html")]
struct OnePage {
    frame: Frame,
    campaign: String,
    now: Option<Period>,
    announced: Vec<Period>,
    past: Vec<Period>,
    bounds: Vec<Bound>,
    advice: Vec<String>,
}

fn written(reader: &Reader, period: &RatePeriod) -> String {
    period.rate.as_ref().map_or_else(|| say("rate-other-terms"), |rate| reader.rate(rate))
}

fn told(reader: &Reader, period: &RatePeriod) -> Period {
    let reasons = period.reasons.iter().filter(|reason| reason.ppm != 0);
    let reasons = reasons.map(|reason| Reason {
        words: reason.words,
        by: reader.points(reason.ppm),
        is_less: reason.ppm < 0,
    });
    Period {
        rate: written(reader, period),
        from: reader.time(&period.from),
        until: period.until.map(|until| reader.time(&until)),
        why: period.why.clone(),
        reasons: reasons.collect(),
        final_after: period
            .final_after_days
            .map(|days| tell("rate-final-after", &[("days", &days.to_string())])),
        model: period.model_version.clone(),
        is_own: period.is_own,
    }
}

/// The rate in each campaign that the affiliate takes part in.
pub async fn list(State(pages): State<Pages>, by: Visitor) -> Result<Response, Fault> {
    let (affiliate, now) = (by.affiliate()?, pages.app.clock.now());
    let mut db = pages.app.db.acquire().await?;
    let mut lines = Vec::new();
    for campaign in store::dashboard::joined(&mut db, affiliate).await? {
        let paid = Paid::find(&mut db, affiliate, campaign.id, now).await?;
        let current = paid.now.as_ref();
        let next = paid.announced.first().map(|next| {
            tell("rate-next", &[("rate", &written(&by.reader, next)), ("from", &by.reader.time(&next.from))])
        });
        lines.push(Line {
            id: campaign.id.to_string(),
            name: campaign.name,
            rate: current.map_or_else(|| say("rate-none"), |period| written(&by.reader, period)),
            since: current.map_or_else(String::new, |period| by.reader.time(&period.from)),
            next,
        });
    }
    Ok(rendered(&ListPage { frame: by.frame(Place::Rates), lines }))
}

/// The rate in one campaign.
pub async fn one(State(pages): State<Pages>, by: Visitor, Path(id): Path<String>) -> Result<Response, Fault> {
    let affiliate = by.affiliate()?;
    let id: CampaignId = id.parse().map_err(|_| Fault::NotFound)?;
    let mut db = pages.app.db.acquire().await?;
    let campaign = store::campaigns::find(&mut db, id, Some(affiliate)).await?.ok_or(Fault::NotFound)?;
    let paid = Paid::find(&mut db, affiliate, id, pages.app.clock.now()).await?;
    let advice = advice(&by.reader, paid.now.as_ref(), paid.contract.as_ref());
    let period = |period: &RatePeriod| told(&by.reader, period);
    let page = OnePage {
        frame: by.frame(Place::Rates),
        campaign: campaign.name,
        now: paid.now.as_ref().map(period),
        announced: paid.announced.iter().map(period).collect(),
        past: paid.past.iter().skip(1).take(MOST).map(period).collect(),
        bounds: paid.contract.as_ref().map(|contract| bounds(&by.reader, contract)).unwrap_or_default(),
        advice,
    };
    Ok(rendered(&page))
}

fn bounds(reader: &Reader, contract: &RateContract) -> Vec<Bound> {
    let days = |days: u16| tell("bound-days", &[("count", &days.to_string())]);
    let bound = |name, value| Bound { name, value };
    vec![
        bound(say("bound-floor"), reader.rate(&contract.floor)),
        bound(say("bound-cap"), reader.rate(&contract.cap)),
        bound(say("bound-step"), reader.points(contract.step.ppm.into()).trim_start_matches('+').to_owned()),
        bound(say("bound-period"), days(contract.period_days)),
        bound(say("bound-notice"), days(contract.notice_days)),
    ]
}

/// What kept the rate down, in words that say what would raise it; largest first.
fn advice(reader: &Reader, now: Option<&RatePeriod>, contract: Option<&RateContract>) -> Vec<String> {
    let Some(contract) = contract else { return vec![say("advice-agreed")] };
    let at_cap = now.and_then(|now| now.rate).is_some_and(|rate| contract.cap.ppm <= rate.ppm);
    if at_cap {
        return vec![tell("advice-at-cap", &[("cap", &reader.rate(&contract.cap))])];
    }
    let mut less: Vec<_> = now.iter().flat_map(|now| &now.reasons).filter(|reason| reason.ppm < 0).collect();
    less.sort_by_key(|reason| reason.ppm);
    let mut advice: Vec<String> = less.iter().filter_map(|reason| raises(reason.reason)).collect();
    if advice.is_empty() {
        advice.push(say("advice-value"));
    }
    advice
}

/// What would make a reason weigh less; nothing where it is not the affiliate's to change.
fn raises(reason: RateReason) -> Option<String> {
    let advice = match reason {
        RateReason::Value => say("advice-value"),
        RateReason::Uncertainty => say("advice-uncertainty"),
        RateReason::FraudRisk => say("advice-fraud"),
        RateReason::Quality => say("advice-quality"),
        RateReason::Elasticity => say("advice-elasticity"),
        RateReason::Churn => say("advice-churn"),
        RateReason::Step => say("advice-step"),
        RateReason::Budget => say("advice-budget"),
        RateReason::Notice => say("advice-notice"),
        RateReason::Rounding
        | RateReason::Floor
        | RateReason::Cap
        | RateReason::Hysteresis
        | RateReason::Exploration => return None,
    };
    Some(advice)
}
