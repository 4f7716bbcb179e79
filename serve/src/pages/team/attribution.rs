//! What each model of attribution would have given the partners of a campaign, on screen and as a file.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use domain::{CampaignId, Money, money::decimal};
use serde::Deserialize;

use crate::{
    api::attribution::compared::{
        self, AttributionComparison, ComparedCredit, ComparedModel, ComparedPartner, MOST,
    },
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        live::amounts,
        reader::Reader,
        session::Visitor,
        sheet::{harmless, saved},
        span::Span,
        words::{say, tell},
    },
    store,
};

/// So many partners stand on a page; the file has all of them.
const MOST_LINES: usize = 200;
/// Days that are chosen with one click, until today.
const PRESETS: [u64; 3] = [7, 30, 90];
/// How wide a bar is that stands for everything.
const WIDTH: f64 = 100.0;
/// Smaller differences in conversions are none to read.
const LEAST_PPM: i64 = 5_000;

/// What is asked for, as the form says it.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    from: Option<String>,
    to: Option<String>,
}

struct Preset {
    query: String,
    name: String,
    is_here: bool,
}

struct Model {
    name: String,
    words: String,
    is_in_force: bool,
}

/// What a model gives somebody.
struct Cell {
    conversions: String,
    value: String,
    width: String,
    difference: Option<String>,
    is_less: bool,
}

struct Line {
    id: Option<String>,
    name: String,
    cells: Vec<Cell>,
}

#[derive(Template)]
#[template(path = "team_attribution.html")]
struct Page {
    frame: Frame,
    id: String,
    campaign: String,
    from: String,
    to: String,
    fault: Option<String>,
    presets: Vec<Preset>,
    notes: Vec<String>,
    models: Vec<Model>,
    lines: Vec<Line>,
    totals: Vec<Cell>,
    more: Option<String>,
    export: String,
}

/// What was compared, of which days.
struct Found {
    campaign: String,
    span: Span,
    comparison: AttributionComparison,
}

async fn find(pages: &Pages, by: &Visitor, id: &str, asked: &Asked) -> Result<Found, Fault> {
    by.must_be_team()?;
    let id: CampaignId = id.parse().map_err(|_| Fault::NotFound)?;
    let now = pages.app.clock.now();
    let span = Span::read((asked.from.as_deref(), asked.to.as_deref()), &by.reader, now);
    let mut db = pages.app.db.acquire().await?;
    let campaign = store::campaigns::find(&mut db, id, None).await?.ok_or(Fault::NotFound)?;
    let moments = span.moments(&by.reader);
    let comparison = compared::of_campaign(&pages.app, &mut db, &campaign, moments).await?;
    Ok(Found { campaign: campaign.name, span, comparison })
}

/// The table.
pub async fn show(
    State(pages): State<Pages>,
    by: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let Found { campaign, span, comparison } = find(&pages, &by, &id, &asked).await?;
    let id = comparison.campaign_id.to_string();
    let preset = |days: u64| {
        let last = Span::last(days - 1, &by.reader, pages.app.clock.now());
        Preset {
            name: tell("compare-last", &[("count", &days.to_string())]),
            is_here: (last.from, last.to) == (span.from, span.to),
            query: last.query(),
        }
    };
    let line = |partner: &ComparedPartner| Line {
        id: partner.affiliate_id.map(|id| id.to_string()),
        name: name(partner),
        cells: cells(&by.reader, &partner.credits, &comparison),
    };
    let model = |model: &ComparedModel| Model {
        name: model.model.clone(),
        words: model.words.clone(),
        is_in_force: model.in_force,
    };
    let lines: Vec<_> = comparison.partners.iter().take(MOST_LINES).map(line).collect();
    let left = comparison.partners.len() - lines.len();
    let page = Page {
        frame: by.frame(Place::Matches),
        campaign,
        from: span.from.to_string(),
        to: span.to.to_string(),
        presets: PRESETS.map(preset).into(),
        notes: notes(&by.reader, &comparison),
        models: comparison.models.iter().map(model).collect(),
        lines,
        totals: cells(&by.reader, &comparison.totals, &comparison),
        more: (left != 0).then(|| tell("compare-lines", &[("count", &left.to_string())])),
        export: format!("/team/campaigns/{id}/attribution.csv?{}", span.query()),
        fault: span.fault,
        id,
    };
    Ok(rendered(&page))
}

fn name(partner: &ComparedPartner) -> String {
    match (partner.affiliate_id, &partner.name) {
        (None, _) => say("compare-nobody"),
        (Some(_), Some(name)) => name.clone(),
        (Some(id), None) => id.to_string(),
    }
}

/// What there is to know of the numbers, in sentences.
fn notes(reader: &Reader, comparison: &AttributionComparison) -> Vec<String> {
    let count =
        |key: &str, count: u32| (count != 0).then(|| tell(key, &[("count", &reader.number(count.into()))]));
    let most = i64::try_from(MOST).unwrap_or(i64::MAX);
    let cut = comparison.has_more.then(|| tell("compare-cut", &[("most", &reader.number(most))]));
    let known = [
        count("compare-counted", comparison.conversions),
        cut,
        count("compare-untouched", comparison.untouched),
        count("compare-incomplete", comparison.incomplete),
    ];
    let degraded = comparison.degraded.iter().map(|why| tell("compare-degraded", &[("why", why)]));
    known.into_iter().flatten().chain(degraded).collect()
}

/// What each model gives somebody; a bar is as long as its share of all that the model gives.
fn cells(reader: &Reader, credits: &[ComparedCredit], comparison: &AttributionComparison) -> Vec<Cell> {
    let cell = |(credit, total): (&ComparedCredit, &ComparedCredit)| {
        let share = millions(credit.conversions_ppm) / millions(total.conversions_ppm.max(1));
        let parts = difference(reader, credit);
        Cell {
            conversions: reader.decimal(millions(credit.conversions_ppm), 2),
            value: amounts(reader, &credit.value, "–"),
            width: format!("{:.1}", WIDTH * share.clamp(0.0, 1.0)),
            difference: (!parts.is_empty()).then(|| parts.join(", ")),
            is_less: credit.difference_ppm < 0,
        }
    };
    credits.iter().zip(&comparison.totals).map(cell).collect()
}

/// How far that is from what the model in force gives, in conversions and in each currency; nothing where it is not.
fn difference(reader: &Reader, credit: &ComparedCredit) -> Vec<String> {
    let signed = |number: i64, written: String| if 0 < number { format!("+{written}") } else { written };
    let ppm = Some(credit.difference_ppm).filter(|ppm| LEAST_PPM <= ppm.abs());
    let conversions = ppm.map(|ppm| signed(ppm, reader.decimal(millions(ppm), 2)));
    let money = credit.difference.iter().filter(|amount| amount.minor != 0);
    let money = money.map(|amount| signed(amount.minor, reader.money(amount)));
    conversions.into_iter().chain(money).collect()
}

/// Millionths as a number to be shown; they are counted with elsewhere.
fn millions(ppm: i64) -> f64 {
    ppm as f64 / 1e6
}

/// The file: a line for each partner, model and currency.
pub async fn export(
    State(pages): State<Pages>,
    by: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let Found { span, comparison, .. } = find(&pages, &by, &id, &asked).await?;
    if let Some(fault) = span.fault {
        return Err(Fault::Form(fault));
    }
    let head = [
        "partner",
        "affiliate_id",
        "model",
        "in_force",
        "conversions",
        "conversions_difference",
        "value",
        "value_difference",
        "currency",
    ];
    let mut file = vec![head.map(str::to_owned).to_vec()];
    for partner in &comparison.partners {
        for (credit, model) in partner.credits.iter().zip(&comparison.models) {
            file.extend(lines(partner, credit, model));
        }
    }
    saved(&format!("attribution-{}-{}", span.from, span.to), &file)
}

/// What a model gives a partner, a line for each currency. Conversions stand in the first of them only, so that they sum to
/// what there were.
fn lines(partner: &ComparedPartner, credit: &ComparedCredit, model: &ComparedModel) -> Vec<Vec<String>> {
    let value = |amount: &Money| decimal(amount.minor.into(), amount.currency);
    let line = |(place, (given, above)): (usize, (&Money, &Money))| {
        let (ppm, difference_ppm) =
            if place == 0 { (credit.conversions_ppm, credit.difference_ppm) } else { (0, 0) };
        vec![
            harmless(&name(partner)),
            partner.affiliate_id.map(|id| id.to_string()).unwrap_or_default(),
            credit.model.clone(),
            model.in_force.to_string(),
            exactly(ppm),
            exactly(difference_ppm),
            value(given),
            value(above),
            given.currency.code().to_owned(),
        ]
    };
    credit.value.iter().zip(&credit.difference).enumerate().map(line).collect()
}

/// Millionths as a decimal that nothing is rounded away of.
fn exactly(ppm: i64) -> String {
    let sign = if ppm < 0 { "-" } else { "" };
    format!("{sign}{}.{:06}", ppm.unsigned_abs() / 1_000_000, ppm.unsigned_abs() % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::exactly;

    #[test]
    fn millionths_are_written_exactly() {
        let written = [0, 1, -500_000, 12_333_334].map(exactly);
        assert_eq!(written, ["0.000000", "0.000001", "-0.500000", "12.333334"]);
    }
}
