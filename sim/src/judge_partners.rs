//! What an estimate of partners' worth is worth: held against what their customers were really to be expected to bring.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use domain::{ConversionId, Currency};
use serde::Serialize;

use crate::{
    dice::real,
    judge_table::Table,
    sink::{NETWORK, TRUTH},
    visit::customer::expected_left,
    world::campaign::{VERTICALS, Vertical},
};

/// Amounts of history: at least so many conversions, and at most so many.
const HISTORIES: [(u64, u64, &str); 4] =
    [(0, 4, "0 to 4"), (5, 19, "5 to 19"), (20, 99, "20 to 99"), (100, u64::MAX, "100 or more")];
/// What stands for all of them.
const ANY: &str = "any";
/// Fewer partners have no ranks that are worth telling.
const LEAST_RANKED: usize = 3;

/// What was said of partners, and where the truth of their world is.
#[derive(Clone, Debug)]
pub struct Case {
    /// The folder that the world was written to, with its `truth/` and `network/`.
    pub world: PathBuf,
    /// The `partners.csv` of the partner job: `partner_id`, `conversions`, `mean_value`, `log_value`,
    /// `value_per_conversion_lower`, `value_per_conversion_upper`. Of these `log_value` is judged, the logarithm of the median, beside
    /// that of `mean_value`, and whether the truth is between both ends; `conversions` sort partners into lines.
    pub partners: PathBuf,
}

/// What counts as a partner's true worth.
#[derive(Clone, Copy, Debug)]
pub struct Horizon {
    /// What customers bring within so many days of their first order.
    pub days: f64,
    /// Only customers who pay in this currency; it may be left out where there is one only.
    pub currency: Option<Currency>,
    /// A partner with fewer customers does not count, as what it sells is chance, and its truth with it.
    pub least_customers: u32,
}

/// How good what was said of partners with so much history is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measures {
    /// How many conversions they had.
    pub conversions: String,
    /// How many partners.
    pub partners: u64,
    /// Of the logarithm, with the level of each world taken out.
    pub log_rmse: f64,
    /// The same of the mean value of their conversions, with its own level taken out, of those who have one above zero.
    pub raw_log_rmse: Option<f64>,
    /// With the level as it is.
    pub log_rmse_with_level: f64,
    /// Between what was said and the truth: the mean over worlds, each as much as it has partners.
    pub spearman: Option<f64>,
    /// Between mean values and the truth; no conversion is a mean value of nothing.
    pub raw_spearman: Option<f64>,
    /// Which part of the intervals hold the truth, with the level of each world taken out.
    pub coverage: f64,
    /// The standard error of that.
    pub coverage_error: f64,
    /// With the level as it is.
    pub coverage_with_level: f64,
}

/// How good what was said of partners is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// For each amount of history, and for any.
    pub by_conversions: Vec<Measures>,
    /// Of each world, by how much of its logarithm what was said is below the truth.
    pub levels: Vec<f64>,
    /// How many partners follow a scheme of fraud, and do not count.
    pub fraudulent: u64,
    /// How many have too few customers in the truth, and do not count either.
    pub too_few_customers: u64,
    /// Fewer than that.
    pub least_customers: u32,
}

/// Holds what was said of partners against the truth.
///
/// # Errors
/// When a file cannot be read or lacks a column, says what cannot be, or something of a partner twice; when what was said is of
/// another world, or a world is there twice.
pub fn judge(cases: &[Case], horizon: Horizon) -> Result<Judgement> {
    let (mut judged, mut worlds) = (Judged::default(), BTreeSet::new());
    for case in cases {
        let world = case.world.canonicalize();
        let world = world.with_context(|| format!("there is no world in {}", case.world.display()))?;
        ensure!(
            worlds.insert(world),
            "the world in {} is there twice, and its partners would count twice",
            case.world.display()
        );
        judged.take(case, horizon)?;
    }
    Ok(judged.judgement(horizon))
}

/// What was said of a partner, with the logarithm of the truth taken out of all of it.
struct Apart {
    world: usize,
    conversions: u64,
    truth: f64,
    said: f64,
    /// Of mean values above zero.
    raw: Option<f64>,
    lower: f64,
    upper: f64,
}

#[derive(Default)]
struct Judged {
    all: Vec<Apart>,
    /// By world: how much lower what was said is than the truth, and how much lower mean values are.
    levels: Vec<(f64, f64)>,
    fraudulent: u64,
    too_few_customers: u64,
}

impl Judged {
    fn take(&mut self, case: &Case, horizon: Horizon) -> Result<()> {
        let (truth, fraudulent) = (truth(&case.world, horizon)?, fraudulent(&case.world)?);
        let (world, said) = (self.levels.len(), said(&case.partners)?);
        let begin = self.all.len();
        for of in said {
            if fraudulent.contains(&of.partner_id) {
                self.fraudulent += 1;
                continue;
            }
            let Some(truth) = truth.get(&of.partner_id).map(|value| libm::log(*value)) else {
                self.too_few_customers += 1;
                continue;
            };
            let raw = of.mean_value.filter(|value| 0.0 < *value).map(|value| libm::log(value) - truth);
            self.all.push(Apart {
                world,
                conversions: of.conversions,
                truth,
                said: of.log_value - truth,
                raw,
                lower: libm::log(of.value_per_conversion_lower) - truth,
                upper: libm::log(of.value_per_conversion_upper) - truth,
            });
        }
        let here = &self.all[begin..];
        ensure!(
            !here.is_empty(),
            "no partner of {} has customers in the truth of {}: is that the same world{}?",
            case.partners.display(),
            case.world.display(),
            if horizon.currency.is_some() { " and currency" } else { "" }
        );
        let below = |of: &dyn Fn(&Apart) -> Option<f64>| -mean(here.iter().filter_map(of)).unwrap_or(0.0);
        self.levels.push((below(&|it| Some(it.said)), below(&|it| it.raw)));
        Ok(())
    }

    fn judgement(&self, horizon: Horizon) -> Judgement {
        let of_history = |(least, most, name): &(u64, u64, &str)| {
            let of = |it: &&Apart| (*least..=*most).contains(&it.conversions);
            self.measures(name, &self.all.iter().filter(of).collect::<Vec<_>>())
        };
        let histories = HISTORIES.iter().chain([&(0, u64::MAX, ANY)]);
        Judgement {
            by_conversions: histories.filter_map(of_history).collect(),
            levels: self.levels.iter().map(|level| level.0).collect(),
            fraudulent: self.fraudulent,
            too_few_customers: self.too_few_customers,
            least_customers: horizon.least_customers,
        }
    }

    fn measures(&self, name: &str, of: &[&Apart]) -> Option<Measures> {
        let level = |it: &Apart| self.levels[it.world];
        let raw = of.iter().filter_map(|it| Some(square(it.raw? + level(it).1)));
        let holds = |it: &Apart, level: f64| it.lower + level <= 0.0 && 0.0 <= it.upper + level;
        let share = |holds: &dyn Fn(&Apart) -> bool| mean(of.iter().map(|it| f64::from(u8::from(holds(it)))));
        let coverage = share(&|it| holds(it, level(it).0))?;
        Some(Measures {
            conversions: name.to_owned(),
            partners: of.len() as u64,
            log_rmse: mean(of.iter().map(|it| square(it.said + level(it).0)))?.sqrt(),
            raw_log_rmse: mean(raw).map(f64::sqrt),
            log_rmse_with_level: mean(of.iter().map(|it| square(it.said)))?.sqrt(),
            spearman: self.spearman(of, |it| it.said + it.truth),
            raw_spearman: self.spearman(of, |it| it.raw.map_or(f64::NEG_INFINITY, |raw| raw + it.truth)),
            coverage,
            coverage_error: (coverage * (1.0 - coverage) / of.len() as f64).sqrt(),
            coverage_with_level: share(&|it| holds(it, 0.0))?,
        })
    }

    /// The rank correlation within each world.
    fn spearman(&self, of: &[&Apart], said: impl Fn(&Apart) -> f64) -> Option<f64> {
        let (mut sum, mut partners) = (0.0, 0.0);
        for world in 0..self.levels.len() {
            let here: Vec<&Apart> = of.iter().copied().filter(|it| it.world == world).collect();
            if LEAST_RANKED <= here.len() {
                let (said, truth): (Vec<f64>, Vec<f64>) = here.iter().map(|it| (said(it), it.truth)).unzip();
                sum += here.len() as f64 * correlation(&ranks(&said), &ranks(&truth));
                partners += here.len() as f64;
            }
        }
        (0.0 < partners).then(|| sum / partners)
    }
}

/// What each partner's customers, as far as it won them in the world's time, were to be expected to leave the advertiser on average, before margins, in major units.
pub(crate) fn truth(world: &Path, horizon: Horizon) -> Result<BTreeMap<String, f64>> {
    let campaigns = campaigns(world)?;
    let customers = Table::read(&world.join(TRUTH).join("customers.parquet"))?;
    let (whose, what) = (customers.texts("affiliate")?, customers.texts("campaign")?);
    let (values, currencies) = (customers.numbers("expected_value_minor")?, customers.texts("currency")?);
    let (since_us, began_us) = (customers.numbers("since")?, began_us(world)?);
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    let mut paid_in = BTreeSet::new();
    let is_new: Vec<bool> = since_us.iter().map(|it| it.is_some_and(|it| began_us <= it)).collect();
    let rows = whose.iter().zip(what.iter()).zip(values.iter().zip(currencies.iter())).zip(is_new);
    for (((affiliate, campaign), (value, currency)), _) in rows.filter(|(_, is_new)| *is_new) {
        let (Some(affiliate), Some(campaign), Some(value), Some(code)) =
            (affiliate, campaign, value, currency)
        else {
            continue;
        };
        let currency: Currency = code.parse()?;
        if horizon.currency.is_some_and(|wanted| wanted != currency) {
            continue;
        }
        paid_in.insert(code);
        let known = campaigns.get(campaign);
        let (vertical, price) = known.with_context(|| {
            format!("{} knows nothing of the campaign {campaign}", world.join(NETWORK).display())
        })?;
        let left = expected_left(vertical, *price, value as f64, horizon.days);
        let sum = sums.entry(affiliate.to_owned()).or_default();
        sum.0 += left / real(10_u64.pow(u32::from(currency.places())));
        sum.1 += 1.0;
    }
    ensure!(
        paid_in.len() < 2,
        "customers of {} pay in {}: say which with --currency",
        world.display(),
        paid_in.into_iter().collect::<Vec<_>>().join(", ")
    );
    sums.retain(|_, (_, count)| f64::from(horizon.least_customers) <= *count);
    Ok(sums.into_iter().map(|(name, (sum, count))| (name, sum / count)).collect())
}

/// When the first order of the world was, in microseconds since the Unix epoch: customers from before have left no trace of
/// their first one.
fn began_us(world: &Path) -> Result<i64> {
    let path = world.join(TRUTH).join("credits.parquet");
    let orders = Table::read(&path)?.texts("conversion")?;
    let at_us = |name: &str| -> Option<i64> {
        let (seconds, nanos) = name.parse::<ConversionId>().ok()?.uuid().get_timestamp()?.to_unix();
        Some(i64::try_from(seconds).ok()? * 1_000_000 + i64::from(nanos / 1_000))
    };
    let first = orders.iter().flatten().filter_map(at_us).min();
    first.with_context(|| format!("{} knows of no order", path.display()))
}

/// The vertical and the price, in minor units, of each campaign.
fn campaigns(world: &Path) -> Result<BTreeMap<String, (&'static Vertical, f64)>> {
    let table = Table::read(&world.join(NETWORK).join("campaigns.parquet"))?;
    let (names, verticals, prices) =
        (table.texts("id")?, table.texts("vertical")?, table.numbers("price_minor")?);
    let mut campaigns = BTreeMap::new();
    for ((name, vertical), price) in names.iter().zip(verticals.iter()).zip(prices.iter()) {
        let known = VERTICALS.iter().find(|known| Some(known.name) == vertical);
        if let (Some(name), Some(vertical), Some(price)) = (name, known, price) {
            campaigns.insert(name.to_owned(), (vertical, price as f64));
        }
    }
    Ok(campaigns)
}

/// Who follows a scheme of fraud.
fn fraudulent(world: &Path) -> Result<BTreeSet<String>> {
    let table = Table::read(&world.join(TRUTH).join("affiliates.parquet"))?;
    let (names, schemes) = (table.texts("affiliate")?, table.texts("scheme")?);
    let both = names.iter().zip(schemes.iter());
    Ok(both.filter_map(|(name, scheme)| scheme.and(name).map(str::to_owned)).collect())
}

/// A line of the partner job.
#[derive(serde::Deserialize)]
struct Said {
    partner_id: String,
    conversions: u64,
    mean_value: Option<f64>,
    log_value: f64,
    value_per_conversion_lower: f64,
    value_per_conversion_upper: f64,
}

impl Said {
    /// The first column that says what cannot be, and what is wrong with it.
    fn wrong(&self) -> Option<(&'static str, String)> {
        let (lower, upper) = (self.value_per_conversion_lower, self.value_per_conversion_upper);
        let is_worth = |number: f64| number.is_finite() && 0.0 <= number;
        let no_worth = |number: f64| format!("{number} is no amount from 0 up");
        match () {
            () if self.mean_value.is_some_and(|mean| !mean.is_finite()) => {
                Some(("mean_value", "is no finite number".to_owned()))
            }
            () if !self.log_value.is_finite() => {
                Some(("log_value", format!("{} is no finite number", self.log_value)))
            }
            () if !is_worth(lower) => Some(("value_per_conversion_lower", no_worth(lower))),
            () if !is_worth(upper) => Some(("value_per_conversion_upper", no_worth(upper))),
            () if upper < lower => {
                Some(("value_per_conversion_upper", format!("{upper} is below the lower end, {lower}")))
            }
            () => None,
        }
    }
}

fn said(path: &Path) -> Result<Vec<Said>> {
    let cannot = || format!("cannot read what was said of partners in {}", path.display());
    let mut reader = csv::Reader::from_path(path).with_context(cannot)?;
    let head = reader.headers().with_context(cannot)?.clone();
    let (mut all, mut lines) = (Vec::new(), BTreeMap::new());
    for row in reader.records() {
        let row = row.with_context(cannot)?;
        let line = row.position().map_or(0, csv::Position::line);
        let place = |column: &str| format!("{}, line {line}, column {column}", path.display());
        let said: Said = row.deserialize(Some(&head)).map_err(|error| match error.kind() {
            csv::ErrorKind::Deserialize { err, .. } => {
                let column = err.field().and_then(|field| head.get(usize::try_from(field).ok()?));
                column.map_or_else(
                    || anyhow!("{}: {err}", path.display()),
                    |it| anyhow!("{}: {err}", place(it)),
                )
            }
            _ => anyhow!("{}: {error}", path.display()),
        })?;
        if let Some((column, what)) = said.wrong() {
            bail!("{}: {what}", place(column));
        }
        if let Some(first) = lines.insert(said.partner_id.clone(), line) {
            bail!("{}: a second row of {}, after line {first}", place("partner_id"), said.partner_id);
        }
        all.push(said);
    }
    Ok(all)
}

fn square(number: f64) -> f64 {
    number * number
}

fn mean(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = numbers.fold((0.0, 0.0), |(sum, count), number| (sum + number, count + 1.0));
    (0.0 < count).then(|| sum / count)
}

/// From 0 up; equal numbers share the mean of their ranks.
fn ranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|one, other| numbers[*one].total_cmp(&numbers[*other]));
    let (mut ranks, mut first) = (vec![0.0; numbers.len()], 0);
    for same in order.chunk_by(|one, other| numbers[*one].total_cmp(&numbers[*other]).is_eq()) {
        let rank = first as f64 + (same.len() as f64 - 1.0) / 2.0;
        same.iter().for_each(|place| ranks[*place] = rank);
        first += same.len();
    }
    ranks
}

/// Pearson's; of what does not vary, none.
fn correlation(one: &[f64], other: &[f64]) -> f64 {
    let count = one.len() as f64;
    let (of_one, of_other) = (one.iter().sum::<f64>() / count, other.iter().sum::<f64>() / count);
    let (mut both, mut squares, mut other_squares) = (0.0, 0.0, 0.0);
    for (one, other) in one.iter().zip(other) {
        both += (one - of_one) * (other - of_other);
        squares += square(one - of_one);
        other_squares += square(other - of_other);
    }
    let scale = (squares * other_squares).sqrt();
    if 0.0 < scale { both / scale } else { 0.0 }
}

/// A table in Markdown.
impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| conversions | partners | RMSE of the logarithm | of raw means | rank correlation | of raw means | in 90 % intervals |\n\
             |---|---:|---:|---:|---:|---:|---:|"
        )?;
        let told = |number: Option<f64>| number.map_or_else(|| "–".to_owned(), |it| format!("{it:.2}"));
        for it in &self.by_conversions {
            writeln!(
                f,
                "| {} | {} | {:.2} | {} | {} | {} | {:.1} % ± {:.1} |",
                it.conversions,
                it.partners,
                it.log_rmse,
                told(it.raw_log_rmse),
                told(it.spearman),
                told(it.raw_spearman),
                100.0 * it.coverage,
                100.0 * it.coverage_error
            )?;
        }
        let levels: Vec<String> = self.levels.iter().map(|it| format!("{:+.3}", -it)).collect();
        let as_it_is = self.by_conversions.iter().map(|it| {
            format!(
                "{:.2} and {:.1} % ({})",
                it.log_rmse_with_level,
                100.0 * it.coverage_with_level,
                it.conversions
            )
        });
        writeln!(
            f,
            "\nLevels, taken out above: {} of the logarithm; with them RMSE and coverage are {}.\n{} partners follow a scheme of \
             fraud and {} have fewer than {} customers in the truth; neither count.",
            levels.join(", "),
            as_it_is.collect::<Vec<_>>().join(", "),
            self.fraudulent,
            self.too_few_customers,
            self.least_customers
        )
    }
}
