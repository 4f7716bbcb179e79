//! The rules of fraud as they are in force, the lists that they ask, and who changed what of them.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use domain::{
    CampaignId,
    fraud::{RULES, Rule, cases::Family, rule_set::Settings, rules::Unit},
};
use serde::Deserialize;
use sqlx::PgConnection;

use super::{Choice, lists, lists::Listed, sentence, tuning::Tuned};
use crate::{
    api::fraud_settings::{self as api, FraudSettingsVersion},
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        reader::Reader,
        session::Visitor,
        words::{say, tell},
    },
    scoring::settings::Mode,
    store,
};

/// So many versions of the settings stand on the page.
const VERSIONS: i64 = 20;

/// Where rules are looked at, and what was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    pub campaign: String,
    pub done: String,
}

/// The campaign of an address, if it names one.
pub fn campaign(text: &str) -> Result<Option<CampaignId>, Fault> {
    (!text.is_empty()).then(|| text.parse().map_err(|_| Fault::NotFound)).transpose()
}

struct Row {
    name: &'static str,
    code: &'static str,
    why: String,
    family: String,
    on: bool,
    weight: String,
    values: Vec<String>,
    is_changed: bool,
}

struct Version {
    number: i32,
    at: String,
    who: String,
    note: String,
}

#[derive(Template)]
#[template(path = "rules.html")]
struct ListPage {
    frame: Frame,
    mode: String,
    is_live: bool,
    version: i32,
    campaign: String,
    campaigns: Vec<Choice>,
    rows: Vec<Row>,
    listed: Vec<Listed>,
    may_change: bool,
    versions: Vec<Version>,
}

/// What kind of thing a rule flags.
pub fn family(family: Family) -> String {
    match family {
        Family::Traffic => say("family-traffic"),
        Family::Origin => say("family-origin"),
        Family::Identity => say("family-identity"),
        Family::Report => say("family-report"),
        Family::Check => say("family-check"),
    }
}

/// Of what a number is one.
pub fn unit(unit: Unit) -> String {
    match unit {
        Unit::Seconds => say("unit-seconds"),
        Unit::PerDevice => say("unit-per-device"),
        Unit::Times => say("unit-times"),
        Unit::Count | Unit::Share | Unit::Probability => String::new(),
    }
}

fn row(rule: &'static Rule, settings: &Settings, campaign: Option<CampaignId>, reader: &Reader) -> Row {
    let tuned = Tuned::of(rule, settings, campaign);
    let value = |(parameter, value): (&domain::fraud::rules::Parameter, &f64)| {
        format!("{} {} {}", parameter.name, reader.decimal(*value, 6), unit(parameter.unit))
            .trim_end()
            .to_owned()
    };
    Row {
        name: rule.name,
        code: rule.code.name(),
        why: sentence(rule.coarse),
        family: family(Family::of(rule.code.name())),
        on: tuned.on,
        weight: reader.decimal(tuned.weight, 2),
        values: rule.parameters.iter().zip(&tuned.values).map(value).collect(),
        is_changed: tuned != Tuned::of_the_release(rule),
    }
}

/// All rules.
pub async fn list(
    State(pages): State<Pages>,
    by: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    by.must_be_team()?;
    let chosen = campaign(&asked.campaign)?;
    let mut db = pages.app.db.acquire().await?;
    let FraudSettingsVersion { version, settings, .. } = api::newest(&mut db).await?;
    let campaigns = campaigns(&mut db, chosen).await?;
    let is_live = settings.mode == Mode::Live;
    let page = ListPage {
        frame: by.frame(Place::Rules),
        mode: if is_live { say("rules-live") } else { say("rules-shadow") },
        is_live,
        version,
        campaign: asked.campaign,
        campaigns,
        rows: RULES.iter().map(|rule| row(rule, &settings.rules, chosen, &by.reader)).collect(),
        listed: lists::listed(&settings.rules.lists, &by.reader),
        may_change: by.user.role.reviews_fraud(),
        versions: versions(&mut db, &by.reader).await?,
    };
    Ok(rendered(&page))
}

/// The campaigns to choose from; the one that is chosen is one of them.
pub async fn campaigns(db: &mut PgConnection, chosen: Option<CampaignId>) -> Result<Vec<Choice>, Fault> {
    let all = store::recommendations::campaigns(db, None).await?;
    let choice = |card: store::recommendations::CampaignCard| Choice {
        value: card.id.to_string(),
        is_chosen: chosen == Some(card.id),
        name: card.name,
    };
    let choices: Vec<_> = all.into_iter().map(choice).collect();
    let is_known = chosen.is_none() || choices.iter().any(|choice| choice.is_chosen);
    if is_known { Ok(choices) } else { Err(Fault::NotFound) }
}

async fn versions(db: &mut PgConnection, reader: &Reader) -> Result<Vec<Version>, Fault> {
    let mut told = Vec::new();
    let people = store::users::list(db, None).await?;
    for one in api::versions(db, VERSIONS).await? {
        let actor = one.actor.unwrap_or_default();
        let person = people.iter().find(|person| person.id.to_string() == actor);
        let key = match actor.parse() {
            Ok(key) => {
                store::api_keys::name(db, key).await?.map(|name| tell("actor-key", &[("name", &name)]))
            }
            Err(_) => None,
        };
        told.push(Version {
            number: one.version,
            at: one.created_at.map(|at| reader.time(&at)).unwrap_or_default(),
            who: person.map(|person| person.name.clone()).or(key).unwrap_or(actor),
            note: one.note,
        });
    }
    Ok(told)
}
