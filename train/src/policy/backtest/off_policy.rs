//! What the log itself says of a policy, where chance had a part in what was paid.

use domain::Rate;

use super::{Decided, History, Row};
use crate::{
    linear::SingularError,
    policy::{
        Candidate, Contexts, ESTIMATORS, Estimator, Judgement, Log, LogError, Settings, Surrogate,
        cross_fitted, fraction, judge, judge_by_surrogate,
    },
};

/// More rates than these are no grid that propensities could be of.
const MOST_RATES: usize = 24;
/// Partners are parted into so many folds, and each is predicted from the others.
const FOLDS: usize = 5;
const RIDGE: f64 = 1e-3;

/// Rates that are no grid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GridError {
    /// Nothing to judge by.
    #[error("no decision from that period on has a propensity")]
    Unlogged,
    /// Everybody was paid the same.
    #[error("only {0} was paid, and a log of one rate says nothing of others")]
    One(Rate),
    /// Too many.
    #[error(
        "{found} different rates were paid, and at most {most} can be told apart; name those that propensities are of"
    )]
    Many {
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// A rate between those that were named.
    #[error("{rate} was paid, which is not one of the rates that were named: {named}")]
    Unnamed {
        /// Which.
        rate: Rate,
        /// The grid.
        named: String,
    },
}

/// The rates that were tried, lowest first: those that are named, or all that were paid with a propensity from period `from` on.
///
/// # Errors
/// When they are no grid.
pub fn grid(history: &History, from: usize, named: &[Rate]) -> Result<Vec<Rate>, GridError> {
    let logged = || history.rows.iter().filter(|row| from <= row.period && row.propensity.is_some());
    let sorted = |mut rates: Vec<Rate>| {
        rates.sort_unstable();
        rates.dedup();
        rates
    };
    let paid = sorted(logged().map(|row| row.rate).collect());
    let grid = if named.is_empty() { paid.clone() } else { sorted(named.to_vec()) };
    let unnamed = paid.iter().find(|rate| !grid.contains(rate));
    match (paid.len(), grid.as_slice()) {
        (0, _) => Err(GridError::Unlogged),
        (_, [one]) => Err(GridError::One(*one)),
        (_, grid) if MOST_RATES < grid.len() => Err(GridError::Many { found: grid.len(), most: MOST_RATES }),
        (_, grid) => match unnamed {
            Some(rate) => {
                let named: Vec<String> = grid.iter().map(ToString::to_string).collect();
                Err(GridError::Unnamed { rate: *rate, named: named.join(", ") })
            }
            None => Ok(grid.to_vec()),
        },
    }
}

/// What becomes of a rate that was not tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The nearest rate that was tried is paid instead.
    ToTried,
    /// It stands, where it is further from any that was tried than half the least gap between those; the log says nothing of it.
    AsDecided,
}

/// What one estimator says, or why it says nothing.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// Which.
    pub estimator: &'static str,
    /// What it says of a decision.
    pub found: Result<Judgement, LogError>,
}

/// What the log says of a policy.
#[derive(Clone, Debug)]
pub struct OffPolicy {
    /// How many decisions there are.
    pub decisions: usize,
    /// In which share of them what the policy pays is further from any rate that was tried than half the least gap.
    pub beyond: f64,
    /// By each estimator.
    pub estimates: Vec<Estimate>,
}

/// A decision that was logged, and the same decision of the policy.
struct Pair<'a> {
    row: &'a Row,
    decided: &'a Decided,
    /// What a conversion is worth, as it was known when the partner was decided first.
    worth: f64,
}

impl<'a> Pair<'a> {
    fn of(history: &'a History, decided: &'a Decided, worths: &[Option<f64>]) -> Option<Self> {
        let row = history.row(decided.partner, decided.period)?;
        row.propensity.and(worths[decided.partner]).map(|worth| Self { row, decided, worth })
    }
}

/// What the log says of rates that could have been chosen with known probabilities: `chances` of each decision. A row is one
/// decision; what it brings is what its period brought, and the history before it is as it was, not as the policy would have
/// made it. Early outcomes are commission, conversions by what was known of their worth, and each other early outcome by the
/// same; what they foretell is learned from the periods before.
///
/// # Errors
/// When outcomes or contexts say the same as others.
pub fn judge_all(
    settings: &Settings,
    history: &History,
    (decided, grid, held): (&[Decided], &[Rate], Held),
    chances: impl Fn(&Decided) -> Vec<(Rate, f64)>,
) -> Result<OffPolicy, SingularError> {
    let worths = first_worths(history, decided);
    let pairs: Vec<Pair<'_>> =
        decided.iter().filter_map(|decided| Pair::of(history, decided, &worths)).collect();
    let reach = grid.windows(2).map(|pair| pair[1].ppm - pair[0].ppm).min().unwrap_or(0).div_ceil(2);
    let cells = Cells { grid, reach, held };
    let mut beyond = 0.0;
    for pair in &pairs {
        let far = chances(pair.decided).into_iter().filter(|(rate, _)| cells.is_beyond(*rate));
        beyond += far.map(|(_, chance)| chance).sum::<f64>() / pairs.len() as f64;
    }
    let rewarded = pairs.iter().filter(|pair| pair.row.value.is_some());
    let late = Columns::of(rewarded, &cells, &chances);
    let all = Columns::of(pairs.iter(), &cells, &chances);
    let mut estimates = Vec::new();
    for estimator in ESTIMATORS {
        let found = late.judged(settings, &cells, estimator)?;
        estimates.push(Estimate { estimator: estimator.name, found });
    }
    let from = decided.first().map_or(0, |one| one.period);
    if let Some(surrogate) = surrogate(history, from, &worths)? {
        estimates.push(Estimate {
            estimator: "surrogate_dr",
            found: all.judged_early(settings, &cells, &surrogate)?,
        });
    }
    Ok(OffPolicy { decisions: pairs.len(), beyond, estimates })
}

/// What was known of each partner's worth when it was decided first.
fn first_worths(history: &History, decided: &[Decided]) -> Vec<Option<f64>> {
    let mut worths = vec![None; history.partners.len()];
    for one in decided {
        worths[one.partner].get_or_insert(one.worth);
    }
    worths
}

/// The rates as numbers of a grid; one more for those that are beyond it.
struct Cells<'a> {
    grid: &'a [Rate],
    reach: u32,
    held: Held,
}

impl Cells<'_> {
    fn nearest(&self, rate: Rate) -> usize {
        let places = 0..self.grid.len();
        places.min_by_key(|place| self.grid[*place].ppm.abs_diff(rate.ppm)).unwrap_or(0)
    }

    fn is_beyond(&self, rate: Rate) -> bool {
        self.reach < self.grid[self.nearest(rate)].ppm.abs_diff(rate.ppm)
    }

    fn count(&self) -> usize {
        self.grid.len() + usize::from(self.held == Held::AsDecided)
    }

    fn cell(&self, rate: Rate) -> usize {
        if self.held == Held::AsDecided && self.is_beyond(rate) {
            self.grid.len()
        } else {
            self.nearest(rate)
        }
    }

    /// The rates as numbers of mean zero and variance one; what is beyond is no lower and no higher.
    fn numbers(&self) -> Vec<f64> {
        let rates: Vec<f64> = self.grid.iter().map(|rate| fraction(*rate)).collect();
        let mut numbers = standard(&rates);
        numbers.resize(self.count(), 0.0);
        numbers
    }
}

/// Logged decisions column by column.
struct Columns {
    partners: Vec<u32>,
    actions: Vec<u32>,
    propensities: Vec<f64>,
    rewards: Vec<f64>,
    /// Commission, conversions and other early outcomes by what they are worth.
    outcomes: Vec<f64>,
    /// How many conversions were known to come, and what they would be worth, as far as rows differ in that.
    contexts: Vec<f64>,
    probabilities: Vec<f64>,
}

/// Commission, and early outcomes by what a conversion is worth.
fn outcomes(row: &Row, worth: f64) -> impl Iterator<Item = f64> {
    let counts = std::iter::once(row.conversions).chain(row.early.iter().copied());
    std::iter::once(row.spend()).chain(counts.map(move |count| worth * count))
}

impl Columns {
    fn of<'a>(
        pairs: impl Iterator<Item = &'a Pair<'a>>,
        cells: &Cells<'_>,
        chances: &impl Fn(&Decided) -> Vec<(Rate, f64)>,
    ) -> Self {
        let mut columns = Self {
            partners: Vec::new(),
            actions: Vec::new(),
            propensities: Vec::new(),
            rewards: Vec::new(),
            outcomes: Vec::new(),
            contexts: Vec::new(),
            probabilities: Vec::new(),
        };
        let (mut levels, mut worths) = (Vec::new(), Vec::new());
        for Pair { row, decided, worth } in pairs {
            columns.partners.push(row.partner as u32);
            columns.actions.push(cells.nearest(row.rate) as u32);
            columns.propensities.extend(row.propensity);
            columns.rewards.push(row.value.unwrap_or(0.0) - row.spend());
            columns.outcomes.extend(outcomes(row, *worth));
            levels.push(decided.level);
            worths.push(decided.level * decided.worth);
            let begin = columns.probabilities.len();
            columns.probabilities.resize(begin + cells.count(), 0.0);
            for (rate, chance) in chances(decided) {
                columns.probabilities[begin + cells.cell(rate)] += chance;
            }
        }
        let mut contexts = [standard(&levels), standard(&worths)].to_vec();
        contexts.retain(|column| column.iter().any(|one| 1e-6 < one.abs()));
        columns.contexts =
            (0..levels.len()).flat_map(|row| contexts.iter().map(move |column| column[row])).collect();
        columns
    }

    fn log(&self, rates: usize) -> Log<'_> {
        let Self { partners, actions, propensities, rewards, .. } = self;
        Log { partners, actions, propensities, rewards, rates }
    }

    fn predicted(&self, log: &Log<'_>, cells: &Cells<'_>) -> Result<Vec<f64>, SingularError> {
        let contexts = Contexts { rows: &self.contexts, width: self.contexts.len() / self.partners.len() };
        cross_fitted(log, contexts, &cells.numbers(), FOLDS, RIDGE)
    }

    fn judged(
        &self,
        settings: &Settings,
        cells: &Cells<'_>,
        estimator: &Estimator,
    ) -> Result<Result<Judgement, LogError>, SingularError> {
        if self.partners.is_empty() {
            return Ok(Err(LogError::TooFew { found: 0.0, needed: settings.least_partners }));
        }
        let log = self.log(cells.count());
        let predicted = self.predicted(&log, cells)?;
        let candidate = Candidate { probabilities: &self.probabilities, predicted: &predicted };
        Ok(judge(settings, &log, &candidate, estimator))
    }

    /// The same by early outcomes, whose rewards need not have come.
    fn judged_early(
        &self,
        settings: &Settings,
        cells: &Cells<'_>,
        surrogate: &Surrogate,
    ) -> Result<Result<Judgement, LogError>, SingularError> {
        if self.partners.is_empty() {
            return Ok(Err(LogError::TooFew { found: 0.0, needed: settings.least_partners }));
        }
        let index: Vec<f64> =
            self.outcomes.chunks_exact(surrogate.width()).map(|outcomes| surrogate.index(outcomes)).collect();
        let log = Log { rewards: &index, ..self.log(cells.count()) };
        let predicted = self.predicted(&log, cells)?;
        let candidate = Candidate { probabilities: &self.probabilities, predicted: &predicted };
        Ok(judge_by_surrogate(settings, &log, &candidate, surrogate, &self.outcomes))
    }
}

/// What early outcomes foretell, by the periods before `from`; none where too little has come of them.
fn surrogate(
    history: &History,
    from: usize,
    worths: &[Option<f64>],
) -> Result<Option<Surrogate>, SingularError> {
    let (mut whose, mut early, mut late) = (Vec::new(), Vec::new(), Vec::new());
    for row in history.rows.iter().filter(|row| row.period < from) {
        let (Some(value), Some(worth)) = (row.value, worths[row.partner]) else { continue };
        whose.push(row.partner as u32);
        early.extend(outcomes(row, worth));
        late.push(value - row.spend());
    }
    let width = early.len() / whose.len().max(1);
    if whose.len() <= width + 1 {
        return Ok(None);
    }
    Surrogate::fit(&whose, &early, width, &late).map(Some)
}

/// Numbers of mean zero and variance one; a little noise of rounding is no difference.
fn standard(numbers: &[f64]) -> Vec<f64> {
    let many = f64::max(numbers.len() as f64, 1.0);
    let mean = numbers.iter().sum::<f64>() / many;
    let squares: f64 = numbers.iter().map(|one| (one - mean) * (one - mean)).sum();
    let sd = f64::max((squares / many).sqrt(), 1e-12);
    numbers.iter().map(|one| (one - mean) / sd).collect()
}
