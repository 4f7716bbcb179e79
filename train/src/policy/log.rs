//! Decisions that were made with a known probability, and the policy that is judged by them.

/// Logged decisions, a row each.
#[derive(Clone, Copy, Debug)]
pub struct Log<'a> {
    /// Whom each was about. Rows of one partner are not independent, and all intervals know that.
    pub partners: &'a [u32],
    /// Which rate of the grid was paid.
    pub actions: &'a [u32],
    /// How probable that rate was when it was chosen, above 0 up to 1.
    pub propensities: &'a [f64],
    /// What came of it, in whatever unit; estimates are in the same.
    pub rewards: &'a [f64],
    /// How many rates the grid has.
    pub rates: usize,
}

/// A policy to be judged, and what a model of rewards says of its choices.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// How probable each rate of the grid is under the policy, row by row: rows × rates, each row sums to one.
    pub probabilities: &'a [f64],
    /// Which reward a model expects of each rate of the grid, row by row: rows × rates. The model must not have seen the
    /// row's own partner, see [`super::cross_fitted`].
    pub predicted: &'a [f64],
}

/// Why a log judges nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LogError {
    /// Columns of different length.
    #[error("the log's {what} has {found} entries where {expected} are needed")]
    Length {
        /// Which column.
        what: &'static str,
        /// How many it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// A rate that the grid does not have.
    #[error("row {row} paid rate number {action} of a grid of {rates}")]
    Action {
        /// Which row.
        row: usize,
        /// Its action.
        action: u32,
        /// How many there are.
        rates: usize,
    },
    /// A probability that is none.
    #[error("the {what} of row {row} is {found}, which is no probability of something that can happen")]
    Probability {
        /// Of what.
        what: &'static str,
        /// Which row.
        row: usize,
        /// Its value.
        found: f64,
    },
    /// The candidate's probabilities of a row.
    #[error("the policy's probabilities of row {row} sum to {sum} instead of 1")]
    Sum {
        /// Which row.
        row: usize,
        /// To what they sum.
        sum: f64,
    },
    /// Not a number.
    #[error("the {what} of row {row} is not a finite number")]
    NotANumber {
        /// Of what.
        what: &'static str,
        /// Which row.
        row: usize,
    },
    /// A propensity that makes a row count for too many.
    #[error(
        "row {row} has a propensity of {found}, below the floor of {floor}; leave such decisions out of what is judged, \
         explore more evenly, or declare that propensities are clipped"
    )]
    Propensity {
        /// Which row.
        row: usize,
        /// Its propensity.
        found: f64,
        /// The floor.
        floor: f64,
    },
    /// Too little in common with what was done.
    #[error(
        "the policy has as much in common with the log as {found:.1} partners have, and {needed} are needed; judge one nearer \
         to what was done, or log more months"
    )]
    TooFew {
        /// The effective number of partners.
        found: f64,
        /// How many there must be.
        needed: f64,
    },
    /// The policy does what was never tried, or the propensities are wrong.
    #[error(
        "the mean weight is {mean:.3} (99.9 % interval {low:.3} to {high:.3}) and should be 1: the policy pays rates that \
         were never tried, or the logged propensities are wrong"
    )]
    Unsupported {
        /// The mean weight.
        mean: f64,
        /// The interval's low end.
        low: f64,
        /// The interval's high end.
        high: f64,
    },
}

/// The row's probabilities and numbers can be meant.
pub(super) fn check(log: &Log<'_>, candidate: &Candidate<'_>) -> Result<(), LogError> {
    let rows = log.partners.len();
    let lengths = [
        ("column of actions", log.actions.len(), rows),
        ("column of propensities", log.propensities.len(), rows),
        ("column of rewards", log.rewards.len(), rows),
        ("table of probabilities", candidate.probabilities.len(), rows * log.rates),
        ("table of predictions", candidate.predicted.len(), rows * log.rates),
    ];
    if let Some((what, found, expected)) = lengths.into_iter().find(|(_, found, expected)| found != expected)
    {
        return Err(LogError::Length { what, found, expected });
    }
    (0..rows).try_for_each(|row| check_row(log, candidate, row))
}

fn check_row(log: &Log<'_>, candidate: &Candidate<'_>, row: usize) -> Result<(), LogError> {
    let (action, propensity) = (log.actions[row], log.propensities[row]);
    if log.rates <= action as usize {
        return Err(LogError::Action { row, action, rates: log.rates });
    }
    if !(0.0..=1.0).contains(&propensity) || propensity <= 0.0 {
        return Err(LogError::Probability { what: "propensity", row, found: propensity });
    }
    let probabilities = &candidate.probabilities[row * log.rates..(row + 1) * log.rates];
    if let Some(found) = probabilities.iter().find(|one| !(0.0..=1.0).contains(*one)) {
        return Err(LogError::Probability { what: "policy's probability", row, found: *found });
    }
    let sum: f64 = probabilities.iter().sum();
    if 1e-6 < (sum - 1.0).abs() {
        return Err(LogError::Sum { row, sum });
    }
    let predicted = &candidate.predicted[row * log.rates..(row + 1) * log.rates];
    if predicted.iter().any(|one| !one.is_finite()) {
        return Err(LogError::NotANumber { what: "prediction", row });
    }
    if log.rewards[row].is_finite() { Ok(()) } else { Err(LogError::NotANumber { what: "reward", row }) }
}
