//! What the job writes: partners, tiers, measures, and the report.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::{
    Partner, Said,
    foreseen::Foreseen,
    input::Listed,
    judged::{Judged, Measures},
    learned::Standing,
    pages,
    perks::Perks,
    placed::{Place, Placed, name},
    prospects::Pace,
};
use crate::{
    jobs::{folder::Folder, table::date_of},
    partner::{Chances, Posterior, Tier},
};

/// Where an interval begins and ends that nine of ten truths lie in.
const BOUNDS: [f64; 2] = [0.05, 0.95];

const HEAD: [&str; 35] = [
    "rank",
    "partner_id",
    "source",
    "basis",
    "conversions",
    "expected_conversions",
    "clicks",
    "mean_value",
    "value_per_conversion",
    "value_per_conversion_lower",
    "value_per_conversion_upper",
    "value_per_click",
    "value_per_click_lower",
    "value_per_click_upper",
    "cost_per_conversion",
    "expected_return",
    "expected_return_lower",
    "expected_return_upper",
    "churn_ratio",
    "conversion_rate_90d",
    "steadiness",
    "p_bronze",
    "p_silver",
    "p_gold",
    "tier",
    "previous_tier",
    "perks",
    "perks_change",
    "log_value",
    "log_program",
    "log_source",
    "log_profile",
    "log_campaigns",
    "log_own",
    "reasons",
];

/// Writes them.
pub(super) fn write(folder: &Folder, said: &Said, asked: &Partner) -> Result<()> {
    folder.put("partners.csv", &partners(said)?)?;
    folder.put("values.json", &serde_json::to_vec(&values(said, asked))?)?;
    folder.put("tiers.json", &serde_json::to_vec_pretty(&tiers(said, asked))?)?;
    folder.put("metrics.json", &serde_json::to_vec_pretty(&metrics(said, asked))?)?;
    folder.put("report.html", pages::report(said).render()?.as_bytes())
}

/// What a partner's worth was learned from.
pub(super) fn basis(standing: &Standing) -> &'static str {
    if 0 < standing.conversions { "customers" } else { "source and profile" }
}

fn partners(said: &Said) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEAD)?;
    let pace = Pace::of(&said.input);
    for (rank, place) in said.ranking.iter().enumerate() {
        let (partner, standing) = (&said.input.partners[*place], &said.learned.standings[*place]);
        let mut cells = vec![(rank + 1).to_string()];
        cells.extend(of_partner((said, pace), partner, standing));
        cells.extend(of_tier(&said.placed, &said.placed.places[*place]));
        cells.extend(of_reasons(standing));
        cells.push(pages::reasons(&said.learned, standing));
        writer.write_record(&cells)?;
    }
    Ok(writer.into_inner()?)
}

/// What a service takes up: the same numbers, each partner by its id there.
fn values(said: &Said, asked: &Partner) -> Value {
    let [low, high] = BOUNDS;
    let expected = |of: &Posterior| json!({"expected": of.expected(), "lower": of.quantile(low), "upper": of.quantile(high)});
    let partner = |place: &usize| {
        let (partner, standing) = (&said.input.partners[*place], &said.learned.standings[*place]);
        let placed = &said.placed.places[*place];
        let Chances { bronze, silver, gold } = placed.chances;
        let perks = said.placed.perks.as_ref();
        let value = json!({
            "tier": name(placed.tier),
            "chances": {"bronze": bronze, "silver": silver, "gold": gold},
            "basis": basis(standing),
            "conversions": standing.conversions,
            "value_per_conversion": expected(&standing.per_conversion),
            "value_per_click": said.input.has_clicks.then(|| expected(&standing.per_click)),
            "cost_per_conversion": standing.cost,
            "expected_return": expected(&standing.returns),
            "churn_ratio": standing.churn,
            "reasons": pages::reasons(&said.learned, standing),
            "gives": perks.map(|perks| perks.of(placed.tier)).unwrap_or_default(),
        });
        json!({"affiliate_id": partner.name, "value": value})
    };
    let partners: Vec<Value> = said.ranking.iter().map(partner).collect();
    json!({"currency": asked.input.currency.map(|currency| currency.code()), "partners": partners})
}

fn cell(number: Option<f64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

fn of_partner((said, pace): (&Said, Option<Pace>), partner: &Listed, standing: &Standing) -> Vec<String> {
    let has_clicks = said.input.has_clicks;
    let clicks = if has_clicks { standing.clicks.to_string() } else { String::new() };
    let mut cells = vec![
        partner.name.clone(),
        said.learned.sources[standing.source].clone(),
        basis(standing).to_owned(),
        standing.conversions.to_string(),
        cell(pace.and_then(|pace| pace.expected(partner, standing))),
        clicks,
        cell(standing.raw),
    ];
    let [low, high] = BOUNDS;
    for (posterior, is_known) in [(&standing.per_conversion, true), (&standing.per_click, has_clicks)] {
        let numbers = [posterior.expected(), posterior.quantile(low), posterior.quantile(high)];
        cells.extend(numbers.map(|number| cell(is_known.then_some(number))));
    }
    let returns = &standing.returns;
    let numbers = [standing.cost, returns.expected(), returns.quantile(low), returns.quantile(high)];
    cells.extend(numbers.map(|number| number.to_string()));
    cells.extend([standing.churn, standing.habits.rate(), standing.habits.steadiness].map(cell));
    cells
}

fn of_tier(placed: &Placed, place: &Place) -> Vec<String> {
    let chances = &place.chances;
    let mut cells: Vec<String> =
        [chances.bronze, chances.silver, chances.gold].iter().map(ToString::to_string).collect();
    cells.extend([name(place.tier).to_owned(), place.before.map(name).unwrap_or_default().to_owned()]);
    let perks = placed.perks.as_ref();
    cells.push(perks.map_or_else(String::new, |perks| perks.of(place.tier).join("; ")));
    cells.push(placed.change(place).map_or_else(String::new, |change| change.to_string()));
    cells
}

/// The logarithm of the median value of a conversion, and what it is the sum of.
fn of_reasons(standing: &Standing) -> Vec<String> {
    let reasons = &standing.reasons;
    let profile: f64 = reasons.profile.iter().sum();
    let parts = [reasons.program, reasons.source, profile, reasons.campaigns, reasons.own];
    [standing.per_conversion.log_mean].iter().chain(&parts).map(ToString::to_string).collect()
}

fn tiers(said: &Said, asked: &Partner) -> Value {
    let placed = &said.placed;
    let count = |tier: Tier| placed.places.iter().filter(|place| place.tier == tier).count();
    let partners = said.ranking.iter().map(|place| (&said.input.partners[*place], &placed.places[*place]));
    let moves: Vec<Value> = partners
        .filter_map(|(partner, place)| {
            let before = place.before.filter(|before| *before != place.tier)?;
            let (from, to) = (name(before), name(place.tier));
            let mut told = json!({"partner_id": partner.name, "from": from, "to": to, "p_gold": place.chances.gold,
                "p_silver": place.chances.silver, "p_bronze": place.chances.bronze});
            if let Some(change) = placed.change(place) {
                (told["gains"], told["loses"]) = change.json();
            }
            Some(told)
        })
        .collect();
    let (moved, known) = placed.moved();
    let months: Vec<Value> = placed
        .months
        .iter()
        .map(|month| json!({"end": date_of(month.end), "moved": month.moved, "partners": month.of}))
        .collect();
    json!({
        "silver_from": placed.silver,
        "gold_from": placed.gold,
        "rise": asked.tiers.rise,
        "fall": asked.tiers.fall,
        "partners": {"gold": count(Tier::Gold), "silver": count(Tier::Silver), "bronze": count(Tier::Bronze)},
        "gives": placed.perks.as_ref().map(Perks::json),
        "previous": asked.tiers.previous,
        "previous_known": known,
        "moved": moved,
        "moved_share": if 0 < known { json!(moved as f64 / known as f64) } else { Value::Null },
        "moves": moves,
        "months": months,
    })
}

fn metrics(said: &Said, asked: &Partner) -> Value {
    let learned = &said.learned;
    let read: Vec<Value> =
        said.input.sources.iter().map(|(source, data)| json!({"source": source, "sha256": data})).collect();
    let conversions: usize = learned.standings.iter().map(|it| it.conversions).sum();
    let applicants = learned.standings.iter().filter(|it| it.conversions == 0).count();
    let notes: Vec<&String> =
        said.input.notes.iter().chain(&learned.notes).chain(&said.placed.notes).collect();
    json!({
        "read": read,
        "partners": learned.standings.len(),
        "without_conversions": applicants,
        "conversions": conversions,
        "sources": learned.sources,
        "profile": learned.columns,
        "program": {
            "value_per_conversion": learned.program.value,
            "cost_per_conversion": learned.program.cost,
            "return": learned.program.returns(),
            "costs_known": learned.program.has_costs,
        },
        "foreseen": learned.foreseen.map(of_foreseen),
        "judged": said.judged.as_ref().map(of_judged),
        "settings": {
            "follow_days": asked.input.follow_days,
            "rate_ppm": asked.input.rate.map(|rate| rate.ppm),
            "cost_per_conversion": asked.input.cost_per_conversion,
            "calibration_end": asked.calibration_end,
        },
        "notes": notes,
        "seed": asked.run.seed,
    })
}

fn of_foreseen(it: Foreseen) -> Value {
    let widening = it.widening;
    json!({
        "split": date_of(it.split),
        "partners": widening.partners,
        "added_log_variance": widening.variance,
        "standard_error": widening.error,
        "log_shift": widening.shift,
    })
}

fn of_judged(judged: &Judged) -> Value {
    let of = |it: &Measures| {
        let measures = json!({
            "partners": it.partners,
            "log_rmse": it.rmse,
            "log_rmse_by_chance": it.by_chance,
            "spearman": it.spearman,
            "raw_log_rmse": it.raw_rmse,
            "raw_spearman": it.raw_spearman,
            "coverage": it.covered,
        });
        (it.history.to_owned(), measures)
    };
    let histories: Map<String, Value> = judged.measures.iter().map(of).collect();
    let tenths: Vec<Value> = judged
        .tenths
        .iter()
        .map(|it| json!({"conversions": it.conversions, "expected": it.expected, "came": it.came}))
        .collect();
    json!({
        "calibration_end": date_of(judged.until),
        "by_conversions": histories,
        "tenths": tenths,
        "not_judged": judged.unjudged,
    })
}
