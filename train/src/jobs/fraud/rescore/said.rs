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

use crate::jobs::table::Table;

/// Log-odds of conversions.
pub(super) struct Said {
    model: Model,
    version: String,
    log_odds: BTreeMap<ConversionId, LogOdds>,
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
        let mut each = Vec::with_capacity(table.rows());
        for (row, id) in table.names_of("conversion_id")?.into_iter().enumerate() {
            let Some(value) = values.at(row) else { continue };
            ensure!(value <= 1.0, "{}: {value} is above one", table.place(row, field));
            let id: ConversionId = id.parse().with_context(|| table.place(row, "conversion_id"))?;
            each.push((id, value));
        }
        let mean = each.iter().map(|(_, value)| value).sum::<f64>() / (each.len() as f64).max(1.0);
        let of = |value: f64| {
            if field == "rank" {
                LogOdds::of_p_value(1.0 - value)
            } else {
                LogOdds::new(logit(value) - logit(mean))
            }
        };
        let log_odds = each.into_iter().map(|(id, value)| Ok((id, of(value)?))).collect::<Result<_>>()?;
        let version = format!("sha256:{}", &table.data.to_string()[..12]);
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
