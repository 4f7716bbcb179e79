//! One rule, and a change of it: seen on the past before it counts.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use domain::{
    CampaignId,
    fraud::{Rule, cases::Family, rule, rule_set::MOST_POINTS},
};
use sqlx::PgConnection;

use super::{
    Choice,
    change::{self, Foreseen},
    rules::{Asked, campaign, campaigns, family, unit},
    sentence,
    tuning::Tuned,
};
use crate::{
    api::fraud_settings as api,
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        reader::Reader,
        role::Role,
        session::{Posted, Visitor},
        words::{say, tell},
    },
    scoring::settings::FraudSettings,
};

struct Field {
    name: String,
    what: String,
    value: String,
    unit: String,
    least: f64,
    most: f64,
    step: &'static str,
    release: String,
}

#[derive(Template)]
#[template(path = "rule.html")]
struct OnePage {
    frame: Frame,
    name: &'static str,
    code: &'static str,
    why: String,
    family: String,
    doc: String,
    look_alike: String,
    told_partner: &'static str,
    campaign: String,
    campaigns: Vec<Choice>,
    on: bool,
    fields: Vec<Field>,
    replaces: i32,
    note: String,
    faults: Vec<String>,
    foreseen: Option<Foreseen>,
    may_change: bool,
}

/// A rule's form, filled in.
struct Filled {
    campaign: Option<CampaignId>,
    on: bool,
    /// The weight and the numbers, as they were typed.
    numbers: Vec<String>,
    replaces: i32,
    note: String,
    saves: bool,
}

impl Filled {
    fn of(tuned: &Tuned, campaign: Option<CampaignId>, replaces: i32) -> Self {
        let numbers = std::iter::once(&tuned.weight).chain(&tuned.values).map(ToString::to_string).collect();
        Self { campaign, on: tuned.on, numbers, replaces, note: String::new(), saves: false }
    }

    fn read(rule: &Rule, pairs: &[(String, String)]) -> Result<Self, Fault> {
        let field =
            |name: &str| pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
        let numbers = names(rule).map(|name| field(name).trim().to_owned()).collect();
        Ok(Self {
            campaign: campaign(field("campaign"))?,
            on: field("on") == "yes",
            numbers,
            replaces: field("replaces").parse().map_err(|_| Fault::NotFound)?,
            note: field("note").to_owned(),
            saves: field("step") == "save",
        })
    }

    /// The rule as it would be, or what cannot be read.
    fn tuned(&self, rule: &Rule) -> Result<Tuned, Vec<String>> {
        let (mut numbers, mut faults) = (Vec::new(), Vec::new());
        for (name, text) in names(rule).zip(&self.numbers) {
            match text.parse::<f64>().ok().filter(|number| number.is_finite()) {
                Some(number) => numbers.push(number),
                None => faults.push(tell("rule-no-number", &[("field", name), ("text", text)])),
            }
        }
        match (numbers.split_first(), faults.is_empty()) {
            (Some((weight, values)), true) => {
                Ok(Tuned { on: self.on, weight: *weight, values: values.to_vec() })
            }
            _ => Err(faults),
        }
    }
}

/// The names of a rule's numbers in its form: the weight, and its own.
fn names(rule: &Rule) -> impl Iterator<Item = &'static str> {
    std::iter::once("weight").chain(rule.parameters.iter().map(|parameter| parameter.name))
}

/// One rule with its form.
pub async fn one(
    State(pages): State<Pages>,
    by: Visitor,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    by.must_be_team()?;
    let rule = rule(&name).ok_or(Fault::NotFound)?;
    let campaign = campaign(&asked.campaign)?;
    let mut db = pages.app.db.acquire().await?;
    let newest = api::newest(&mut db).await?;
    let tuned = Tuned::of(rule, &newest.settings.rules, campaign);
    let filled = Filled::of(&tuned, campaign, newest.version);
    let done = (asked.done == "saved").then(|| say("rule-saved"));
    page(&mut db, &by, (rule, filled), (Vec::new(), None, done)).await
}

async fn page(
    db: &mut PgConnection,
    by: &Visitor,
    (rule, filled): (&'static Rule, Filled),
    (faults, foreseen, done): (Vec<String>, Option<Foreseen>, Option<String>),
) -> Result<Response, Fault> {
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = OnePage {
        frame: by.frame(Place::Rules).done(done),
        name: rule.name,
        code: rule.code.name(),
        why: sentence(rule.coarse),
        family: family(Family::of(rule.code.name())),
        doc: rule.doc.replace('`', ""),
        look_alike: rule.look_alike.replace('`', ""),
        told_partner: Family::of(rule.code.name()).sentence(),
        campaign: filled.campaign.map(|id| id.to_string()).unwrap_or_default(),
        campaigns: campaigns(db, filled.campaign).await?,
        on: filled.on,
        fields: fields(rule, &filled.numbers, &by.reader),
        replaces: filled.replaces,
        note: filled.note,
        faults,
        foreseen,
        may_change: by.user.role.reviews_fraud(),
    };
    Ok((status, rendered(&page)).into_response())
}

fn fields(rule: &Rule, numbers: &[String], reader: &Reader) -> Vec<Field> {
    let value = |place: usize| numbers.get(place).cloned().unwrap_or_default();
    let weight = Field {
        name: "weight".to_owned(),
        what: say("rule-weight"),
        value: value(0),
        unit: say("unit-points"),
        least: 0.0,
        most: MOST_POINTS,
        step: "any",
        release: reader.decimal(rule.weight, 2),
    };
    let own = rule.parameters.iter().enumerate().map(|(place, parameter)| Field {
        name: parameter.name.to_owned(),
        what: parameter.doc.replace('`', ""),
        value: value(place + 1),
        unit: unit(parameter.unit),
        least: parameter.least,
        most: parameter.most,
        step: if parameter.unit.is_whole() { "1" } else { "any" },
        release: reader.decimal(parameter.default, 6),
    });
    std::iter::once(weight).chain(own).collect()
}

/// Previews a change of a rule, and saves it once that was seen.
pub async fn post(
    State(pages): State<Pages>,
    Path(name): Path<String>,
    posted: Posted<Vec<(String, String)>>,
) -> Result<Response, Fault> {
    let Posted { by, form } = posted;
    by.must(Role::reviews_fraud)?;
    let rule = rule(&name).ok_or(Fault::NotFound)?;
    let filled = Filled::read(rule, &form)?;
    let mut tx = pages.app.begin().await?;
    let settings = match settings(&mut tx, rule, &filled).await? {
        Ok(settings) => settings,
        Err((faults, newest)) => {
            // What is sent next is a change of what is in force now, which its sender has been told of.
            let filled = Filled { replaces: newest, ..filled };
            return page(&mut tx, &by, (rule, filled), (faults, None, None)).await;
        }
    };
    if filled.saves {
        return save(&pages, tx, &by, (rule, filled, settings)).await;
    }
    match change::preview(&mut tx, &pages.app, &settings, &by.reader).await? {
        Ok(foreseen) => page(&mut tx, &by, (rule, filled), (Vec::new(), Some(foreseen), None)).await,
        Err(faults) => page(&mut tx, &by, (rule, filled), (faults, None, None)).await,
    }
}

/// The settings with a changed rule, or why there are none and which version is in force.
async fn settings(
    db: &mut PgConnection,
    rule: &Rule,
    filled: &Filled,
) -> Result<Result<FraudSettings, change::Refused>, Fault> {
    let (version, mut settings) = match change::newest(db, filled.replaces).await? {
        Ok(newest) => newest,
        Err(stale) => return Ok(Err(stale)),
    };
    campaigns(db, filled.campaign).await?;
    let tuned = match filled.tuned(rule) {
        Ok(tuned) => tuned,
        Err(faults) => return Ok(Err((faults, version))),
    };
    if tuned == Tuned::of(rule, &settings.rules, filled.campaign) {
        return Ok(Err((vec![say("rule-same")], version)));
    }
    tuned.put(rule, &mut settings.rules, filled.campaign);
    Ok(Ok(settings))
}

async fn save(
    pages: &Pages,
    mut tx: sqlx::Transaction<'static, sqlx::Postgres>,
    by: &Visitor,
    (rule, filled, settings): (&'static Rule, Filled, FraudSettings),
) -> Result<Response, Fault> {
    let new = (filled.replaces, settings, filled.note.as_str());
    match change::save(pages, &mut tx, by, new, ("rule.changed", rule.name)).await? {
        Ok(in_force) => change::commit(pages, tx, in_force).await?,
        Err(faults) => return page(&mut tx, by, (rule, filled), (faults, None, None)).await,
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(campaign) = filled.campaign {
        query.append_pair("campaign", &campaign.to_string());
    }
    let query = query.append_pair("done", "saved").finish();
    Ok(Redirect::to(&format!("/team/rules/{}?{query}", rule.name)).into_response())
}
