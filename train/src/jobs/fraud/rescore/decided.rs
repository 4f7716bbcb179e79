//! What would have been decided: the scale and the thresholds from what was known when calibration ended.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use domain::{
    AffiliateId, ConversionId,
    conversion::ConversionStatus,
    event::Verdict,
    fraud::{
        Decision, LogOdds, Policy, Scale, Score,
        score::{Calibrated, Costs, Labelled, Limits, Record, Standing, Subject, Verdict as Fate},
    },
};

use super::past::{Past, Row};

/// On which terms conversions are held.
pub(super) struct Terms {
    /// Before it conversions calibrate; later than it nothing is known when that happens.
    pub calibrated_us: i64,
    pub false_positive_rate: f64,
    /// What a look costs, and what holding somebody honest does, in minor units.
    pub review: i64,
    pub harm: i64,
    /// Whether the scale is learned from what reviewers found.
    pub with_reviews: bool,
    /// From how many points on conversions are held, where that is not taken from calibration.
    pub hold_from: Option<f64>,
}

/// Scores and decisions of all rows, in their order.
pub(super) struct Decided {
    pub scale: Scale,
    /// Why the scale was not calibrated, if it was not.
    pub uncalibrated: Option<String>,
    pub policy: Policy,
    pub scores: Vec<Score>,
    pub decisions: Vec<Decision>,
    /// How many rows, from the first, calibrated.
    pub calibrating: usize,
}

impl Decided {
    pub(super) fn of(past: &Past, terms: &Terms) -> Result<Self> {
        let calibrating = past.rows.partition_point(|row| row.known_us < terms.calibrated_us);
        let verdicts = past.verdicts(terms.calibrated_us);
        let (scale, uncalibrated) = scale(past, calibrating, &verdicts, terms);
        let scores: Vec<Score> =
            past.rows.iter().map(|row| Score::of(&row.flags, &row.models, &scale)).collect();
        let rows: Vec<Calibrated<'_>> = past.rows[..calibrating]
            .iter()
            .zip(&scores)
            .map(|(row, score)| Calibrated {
                log_odds: score.log_odds,
                segment: row.segment,
                affiliate: row.affiliate,
                standing: standing(past, row, &verdicts, terms.calibrated_us),
            })
            .collect();
        let rate = terms.false_positive_rate;
        let limits = Limits { rate, affiliate_rate: rate, ..Limits::USUAL };
        let policy = match terms.hold_from {
            Some(points) => frozen(points, &scale, limits)?,
            None => Policy::fit(1, &rows, limits)?,
        };
        let decisions = decide(past, &policy, &scores, terms);
        Ok(Self { scale, uncalibrated, policy, scores, decisions, calibrating })
    }
}

/// What is worth so many points is held.
fn frozen(points: f64, scale: &Scale, limits: Limits) -> Result<Policy> {
    // Of exactly so many, too.
    let threshold = LogOdds::new(scale.base.value() + points * scale.point.value() - 1e-6)?;
    let (segments, affiliates) = (BTreeMap::new(), BTreeMap::new());
    Ok(Policy { version: 1, limits, threshold, segments, affiliates })
}

/// The scale from what reviewers had found in time.
fn scale(
    past: &Past,
    calibrating: usize,
    verdicts: &HashMap<ConversionId, Verdict>,
    terms: &Terms,
) -> (Scale, Option<String>) {
    if !terms.with_reviews {
        return (Scale::UNCALIBRATED, Some("reviews were not to be learned from".to_owned()));
    }
    let reviewed: Vec<(Score, bool)> = past.rows[..calibrating]
        .iter()
        .filter_map(|row| Some((row, *verdicts.get(&row.conversion)? == Verdict::Fraud)))
        .map(|(row, guilty)| (Score::of(&row.flags, &row.models, &Scale::UNCALIBRATED), guilty))
        .collect();
    let labelled: Vec<Labelled<'_>> =
        reviewed.iter().map(|(score, guilty)| Labelled { score, guilty: *guilty }).collect();
    match Scale::UNCALIBRATED.fit(&labelled) {
        Ok(scale) => (scale, None),
        Err(why) => (Scale::UNCALIBRATED, Some(why.to_string())),
    }
}

fn standing(past: &Past, row: &Row, verdicts: &HashMap<ConversionId, Verdict>, before_us: i64) -> Standing {
    match (verdicts.get(&row.conversion), past.status(row.conversion, before_us)) {
        (Some(Verdict::Fraud), _) => Standing::Guilty,
        (Some(Verdict::Honest), _) | (None, ConversionStatus::Approved) => Standing::Vouched,
        (None, _) => Standing::Unreviewed,
    }
}

/// Decides row by row, by what had become of each partner's honest conversions by then.
fn decide(past: &Past, policy: &Policy, scores: &[Score], terms: &Terms) -> Vec<Decision> {
    let mut reviews = past.reviews.iter().peekable();
    let mut records: HashMap<AffiliateId, Record> = HashMap::new();
    let mut held: HashMap<ConversionId, (AffiliateId, bool)> = HashMap::new();
    let mut decisions = Vec::with_capacity(past.rows.len());
    for (row, score) in past.rows.iter().zip(scores) {
        while let Some((_, conversion, verdict)) = reviews.next_if(|(known_us, ..)| *known_us <= row.known_us)
        {
            if let (Some((affiliate, was_held)), Verdict::Honest) = (held.get(conversion), verdict) {
                let record = records.entry(*affiliate).or_default();
                record.honest += 1;
                record.held += u64::from(*was_held);
            }
        }
        // A promise to those of whom enough is known: one wrong verdict on a held conversion would free a cheat else.
        let enough = u64::from(policy.limits.affiliate_least);
        let record = records.get(&row.affiliate).copied().filter(|record| enough <= record.honest);
        let subject = Subject { segment: row.segment, affiliate: row.affiliate, record };
        let loss = row.commission.unwrap_or(row.amount).minor;
        let costs = Costs { loss, harm: terms.harm, review: terms.review };
        let decision = policy.decide(score, &subject, costs);
        held.insert(row.conversion, (row.affiliate, decision.verdict == Fate::Hold));
        decisions.push(decision);
    }
    decisions
}
