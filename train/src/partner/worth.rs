//! A partner's worth per conversion and per click, with how sure that is.

use statrs::function::erf::{erfc, erfc_inv};

use super::{
    effects::{Effects, Measured, Moment},
    profile::Profiles,
    shares::{Seen, Shares},
};
use crate::linear::SingularError;

/// What is known of a partner.
#[derive(Clone, Debug)]
pub struct Partner<'a> {
    /// The number of its traffic source.
    pub source: usize,
    /// What else is known of it, as many numbers for each partner: content, audience, whatever an applicant tells. Numbers of
    /// like size are best; none where nothing is known.
    pub profile: &'a [f64],
    /// How many clicks it sent.
    pub clicks: u64,
    /// What each of its conversions brought: one number each, zero or below for customers who brought nothing.
    pub values: &'a [f64],
}

/// A number's logarithm, as a normal distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Posterior {
    /// The mean of the logarithm; its exponential is the median of the number.
    pub log_mean: f64,
    /// The standard deviation of the logarithm.
    pub log_sd: f64,
}

impl Posterior {
    /// The number to expect.
    #[must_use]
    pub fn expected(&self) -> f64 {
        libm::exp(self.log_mean + self.log_sd * self.log_sd / 2.0)
    }

    /// The number that is exceeded with probability `1 - share`, for a share above 0 and below 1.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        libm::exp(self.log_mean - std::f64::consts::SQRT_2 * self.log_sd * erfc_inv(2.0 * share))
    }

    /// How probable it is that the number's logarithm is above `log`.
    #[must_use]
    pub fn chance_above(&self, log: f64) -> f64 {
        erfc((log - self.log_mean) / self.log_sd / std::f64::consts::SQRT_2) / 2.0
    }

    /// The same number for each unit of `cost`: what is earned for what is spent.
    #[must_use]
    pub fn per(&self, cost: f64) -> Self {
        Self { log_mean: self.log_mean - libm::log(cost), ..*self }
    }
}

/// A partner's worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    /// The mean value of a conversion.
    pub per_conversion: Posterior,
    /// The mean value of a click.
    pub per_click: Posterior,
}

/// Why nothing is known of what partners are worth.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorthError {
    /// A source without a number.
    #[error("partner {partner} comes from source number {source_number}, and there are {sources}")]
    Source {
        /// Which partner.
        partner: usize,
        /// Its source.
        source_number: usize,
        /// How many there are.
        sources: usize,
    },
    /// Not a number.
    #[error("partner {0} has a value or a number in its profile that is not finite")]
    NotANumber(usize),
    /// Profiles of different length.
    #[error("the profile of partner {partner} has {found} numbers where that of others has {expected}")]
    Profile {
        /// Which partner.
        partner: usize,
        /// How many its profile has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// A number of the profile says the same as others.
    #[error("of partners' profiles, {0}")]
    Same(#[from] SingularError),
    /// More conversions than clicks.
    #[error("partner {0} has more conversions than clicks; count the clicks of all its conversions")]
    Clicks(usize),
    /// Nobody brought anything.
    #[error("{found} customers brought something, and at least {needed} are needed to tell partners apart")]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many there must be.
        needed: usize,
    },
}

/// With fewer customers who brought something nothing is fitted.
const LEAST_PAYING: usize = 50;

/// How far the sum of all values may be from what a lognormal shape lets expect, as a standard deviation of the logarithm.
const MISFIT: f64 = 0.1;

/// What was learned of sources, which says what any partner is worth.
#[derive(Clone, Debug)]
pub struct Worths {
    converting: Shares,
    paying: Shares,
    spreads: Effects,
    levels: Profiles,
    /// The variance of logarithms within a partner, over all.
    spread: f64,
    /// What the shape of values adds to every logarithm, so that totals are right.
    misfit: f64,
    sources: usize,
    profile: usize,
}

/// Learns from `partners` of `sources` traffic sources.
///
/// # Errors
/// When a number cannot be meant, or hardly any customer brought anything.
pub fn fit(partners: &[Partner<'_>], sources: usize) -> Result<Worths, WorthError> {
    let profile = partners.first().map_or(0, |partner| partner.profile.len());
    for (place, partner) in partners.iter().enumerate() {
        check(partner, (sources, profile), place)?;
    }
    let paid: Vec<Paid> = partners.iter().map(Paid::of).collect();
    let found = paid.iter().map(|paid| paid.count).sum::<f64>();
    if found < LEAST_PAYING as f64 {
        return Err(WorthError::TooFew { found: found as usize, needed: LEAST_PAYING });
    }
    let seen = |count: &dyn Fn(usize) -> (f64, f64)| {
        let one = |place: usize| {
            let (successes, tries) = count(place);
            Seen { source: partners[place].source, successes, tries }
        };
        Shares::fit(&(0..partners.len()).map(one).collect::<Vec<_>>(), sources)
    };
    let converting = seen(&|place| (partners[place].values.len() as f64, partners[place].clicks as f64));
    let paying = seen(&|place| (paid[place].count, partners[place].values.len() as f64));
    let squares: f64 = paid.iter().map(|paid| paid.squares).sum();
    let freedom: f64 = paid.iter().map(|paid| (paid.count - 1.0).max(0.0)).sum();
    let spread = squares / freedom.max(1.0);
    let measured = |number: &dyn Fn(&Paid) -> Option<(f64, f64)>| -> Vec<(Measured, &[f64])> {
        let of = |(partner, paid): (&Partner<'_>, &Paid)| {
            number(paid).map(|(value, variance)| Measured { source: partner.source, value, variance })
        };
        let both = partners.iter().zip(&paid);
        both.filter_map(|both| of(both).map(|measured| (measured, both.0.profile))).collect()
    };
    let spreads: Vec<Measured> = measured(&|paid| paid.spread(spread)).iter().map(|one| one.0).collect();
    let spreads = Effects::fit(&spreads, sources);
    let levels = Profiles::fit(&measured(&|paid| paid.level(spread)), sources)?;
    let mut worths = Worths { converting, paying, spreads, levels, spread, misfit: 0.0, sources, profile };
    worths.misfit = worths.misfit(partners);
    Ok(worths)
}

fn check(partner: &Partner<'_>, (sources, profile): (usize, usize), place: usize) -> Result<(), WorthError> {
    match () {
        () if sources <= partner.source => {
            Err(WorthError::Source { partner: place, source_number: partner.source, sources })
        }
        () if partner.profile.len() != profile => {
            Err(WorthError::Profile { partner: place, found: partner.profile.len(), expected: profile })
        }
        () if partner.values.iter().chain(partner.profile).any(|number| !number.is_finite()) => {
            Err(WorthError::NotANumber(place))
        }
        () if partner.clicks < partner.values.len() as u64 => Err(WorthError::Clicks(place)),
        () => Ok(()),
    }
}

impl Worths {
    /// What a partner is worth. An applicant without any history is worth what its source and its profile let expect.
    ///
    /// # Errors
    /// When its numbers cannot be meant; errors name it partner 0.
    pub fn worth(&self, partner: &Partner<'_>) -> Result<Worth, WorthError> {
        check(partner, (self.sources, self.profile), 0)?;
        Ok(self.of(partner))
    }

    fn of(&self, partner: &Partner<'_>) -> Worth {
        let (source, tries) = (partner.source, partner.values.len() as f64);
        let paid = Paid::of(partner);
        let paying = self.paying.log_posterior(source, paid.count, tries);
        let spread = self.spreads.posterior(source, paid.spread(self.spread));
        let level = self.levels.posterior(source, partner.profile, paid.level(spread.mean));
        let value = Moment {
            mean: paying.mean + level.mean + spread.mean / 2.0 + self.misfit,
            variance: paying.variance + level.variance + spread.variance / 4.0,
        };
        let converting = self.converting.log_posterior(source, tries, partner.clicks as f64);
        Worth {
            per_conversion: posterior(value),
            per_click: posterior(Moment {
                mean: value.mean + converting.mean,
                variance: value.variance + converting.variance,
            }),
        }
    }

    /// By how much the total of values is more than lognormal values would sum to, as far as it is not chance.
    fn misfit(&self, partners: &[Partner<'_>]) -> f64 {
        let (mut total, mut expected, mut squares, mut count) = (0.0, 0.0, 0.0, 0.0);
        for partner in partners {
            total += partner.values.iter().sum::<f64>();
            squares += partner.values.iter().map(|value| value * value).sum::<f64>();
            count += partner.values.len() as f64;
            expected += partner.values.len() as f64 * self.of(partner).per_conversion.expected();
        }
        if total <= 0.0 {
            return 0.0;
        }
        let mean = total / count;
        let chance = (squares / count / (mean * mean) - 1.0) / count;
        libm::log(total / expected) * MISFIT * MISFIT / (MISFIT * MISFIT + chance)
    }
}

fn posterior(moment: Moment) -> Posterior {
    Posterior { log_mean: moment.mean, log_sd: moment.variance.sqrt() }
}

/// The logarithms of the values of customers who brought something.
struct Paid {
    count: f64,
    mean: f64,
    /// Of what is apart from the mean, summed.
    squares: f64,
}

impl Paid {
    fn of(partner: &Partner<'_>) -> Self {
        let logs = || partner.values.iter().filter(|value| 0.0 < **value).map(|value| libm::log(*value));
        let count = logs().count() as f64;
        let mean = logs().sum::<f64>() / f64::max(count, 1.0);
        Self { count, mean, squares: logs().map(|log| (log - mean) * (log - mean)).sum() }
    }

    /// The variance of the logarithms, and how sure that is if they are normal and vary by `usual`.
    fn spread(&self, usual: f64) -> Option<(f64, f64)> {
        let freedom = self.count - 1.0;
        (1.0 <= freedom).then(|| (self.squares / freedom, 2.0 * usual * usual / freedom))
    }

    /// The mean of the logarithms, and how sure that is if they vary by `spread`.
    fn level(&self, spread: f64) -> Option<(f64, f64)> {
        (1.0 <= self.count).then(|| (self.mean, f64::max(spread, 1e-9) / self.count))
    }
}
