//! What a model said of conversions, from its file of scores.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, bail, ensure};
use domain::{
    ConversionId,
    fraud::{
        LogOdds,
        score::{Model, ModelEvidence},
    },
};
use models::fraud::Measure;

use crate::jobs::table::Table;

/// Log-odds of conversions.
pub(super) struct Said {
    pub(super) model: Model,
    pub(super) version: String,
    pub(super) log_odds: BTreeMap<ConversionId, LogOdds>,
}

impl Said {
    /// Reads a file with `conversion_id` and either `probability` (evidence is what it says beyond the mean of the file) or `rank`
    /// (from 0 to 1, of a model without labels: one less it is a p-value).
    pub(super) fn read(model: Model, path: &Path) -> Result<Self> {
        let table = Table::read(path, &BTreeMap::new())?;
        let field = ["probability", "rank"].into_iter().find(|field| table.has(field));
        let Some(field) = field else {
            bail!("{} has neither probability nor rank; it has {}", table.source(), table.names())
        };
        let values = table.numbers(field)?.context("the column is there")?;
        let measure = if field == "rank" { Measure::Rank } else { Measure::Probability };
        let mut each = Vec::with_capacity(table.rows());
        for (row, id) in table.names_of("conversion_id")?.into_iter().enumerate() {
            let Some(value) = values.at(row) else { continue };
            ensure!(value <= 1.0, "{}: {value} is above one", table.place(row, field));
            let id: ConversionId = id.parse().with_context(|| table.place(row, "conversion_id"))?;
            each.push((id, measure(value)));
        }
        let version = format!("sha256:{}", &table.data.to_string()[..12]);
        Self::of_measures(model, version, each)
    }

    /// What a version said of conversions: of probabilities, evidence is what they say beyond their mean.
    ///
    /// # Errors
    /// When one is no number.
    fn of_measures(model: Model, version: String, each: Vec<(ConversionId, Measure)>) -> Result<Self> {
        let probabilities = each.iter().filter_map(|(_, measure)| match measure {
            Measure::Probability(probability) => Some(*probability),
            Measure::Rank(_) => None,
        });
        let (sum, count) = probabilities.fold((0.0, 0.0), |(sum, count), one| (sum + one, count + 1.0));
        let mean = sum / f64::max(count, 1.0);
        let of = |measure: Measure| match measure {
            Measure::Rank(rank) => LogOdds::of_p_value(1.0 - rank),
            Measure::Probability(probability) => LogOdds::new(logit(probability) - logit(mean)),
        };
        let log_odds = each.into_iter().map(|(id, measure)| Ok((id, of(measure)?))).collect::<Result<_>>()?;
        Ok(Self { model, version, log_odds })
    }

    /// What it said of a conversion, if anything.
    pub(super) fn of(&self, conversion: ConversionId) -> Option<ModelEvidence> {
        let log_odds = *self.log_odds.get(&conversion)?;
        Some(ModelEvidence { model: self.model, log_odds, version: self.version.clone() })
    }
}

/// Held a little away from certainty, which no model has.
fn logit(probability: f64) -> f64 {
    let held = probability.clamp(1e-4, 1.0 - 1e-4);
    libm::log(held / (1.0 - held))
}
