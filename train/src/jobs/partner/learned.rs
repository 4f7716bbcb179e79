//! What is learned of all partners, and where each of them stands.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{
    foreseen::{Foreseen, foreseen},
    habits::{self, Habits},
    input::{Input, Listed, Trait, UNKNOWN_SOURCE, Won},
    profile::{Profile, Profiled},
};
use crate::{
    jobs::table::date_of,
    partner::{
        self, Efforts, Leaving, Mixes, Partner, Posterior, Sold, Widening, WorthError, Worths, churn_ratios,
    },
};

/// Of a partner's cost for a conversion, what is usual counts for so many conversions.
const USUAL_COSTS: f64 = 10.0;

/// Why a partner's logarithm of value is what it is: these sum to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Reasons {
    /// What a conversion of somebody of whom nothing is known is worth.
    pub(super) program: f64,
    pub(super) source: f64,
    /// By the numbers of the profile.
    pub(super) profile: Vec<f64>,
    /// The campaigns that it advertises.
    pub(super) campaigns: f64,
    /// Its own customers, beside what all of the above let expect.
    pub(super) own: f64,
}

/// Where a partner stands.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) source: usize,
    pub(super) conversions: usize,
    pub(super) clicks: u64,
    /// The mean value of its conversions.
    pub(super) raw: Option<f64>,
    pub(super) per_conversion: Posterior,
    /// The same in the usual mix of campaigns.
    pub(super) in_usual_mix: Posterior,
    pub(super) per_click: Posterior,
    pub(super) reasons: Reasons,
    /// Of a conversion.
    pub(super) cost: f64,
    /// Value over cost.
    pub(super) returns: Posterior,
    pub(super) churn: Option<f64>,
    pub(super) habits: Habits,
}

impl Standing {
    /// Makes it less sure; what is to be expected stays.
    fn widen(&mut self, widening: &Widening) {
        for posterior in [&mut self.per_conversion, &mut self.per_click, &mut self.returns] {
            *posterior = widening.widen(posterior);
        }
        self.reasons.program -= widening.variance / 2.0;
    }
}

/// What all of it costs, and brings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program {
    /// The mean value of a conversion.
    pub(super) value: f64,
    /// The mean cost of a conversion; its value where nobody says what conversions cost.
    pub(super) cost: f64,
    /// Whether anybody says what conversions cost.
    pub(super) has_costs: bool,
}

/// All that was learned until some day.
pub(super) struct Learned {
    /// By number; the last is of those who have none.
    pub(super) sources: Vec<String>,
    /// What the numbers of profiles say.
    pub(super) columns: Vec<String>,
    pub(super) program: Program,
    /// In the order of the partners.
    pub(super) standings: Vec<Standing>,
    pub(super) notes: Vec<String>,
    /// What campaigns are worth.
    pub(super) mixes: Mixes,
    /// How much less sure standings are than they would be by themselves; none where that could not be told.
    pub(super) foreseen: Option<Foreseen>,
}

/// What of all that is told counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// What was known at the end of this day; all of it without.
    pub(super) until: Option<i32>,
    pub(super) half: Half,
}

/// Which conversions of those that are known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Half {
    /// All of them.
    Both,
    /// Those until the end of a day.
    Until(i32),
    /// Half of each partner's, drawn without regard to time.
    Drawn,
}

impl Cut {
    /// Of a partner's conversions those that count and those that do not, with what was known of them.
    pub(super) fn halves(&self, listed: &Listed, input: &Input) -> (Vec<Won>, Vec<Won>) {
        let after = input.known_after.unwrap_or(0);
        let is_known = |day: Option<i32>| {
            day.zip(self.until).is_none_or(|(day, until)| day.saturating_add(after) <= until)
        };
        let known = listed.won.iter().filter(|won| is_known(won.day));
        let known = known.filter_map(|won| won.known_at(self.until));
        let mut dice = Xoshiro256PlusPlus::seed_from_u64(
            listed.name.bytes().fold(0, |all: u64, byte| all.wrapping_mul(257).wrapping_add(byte.into())),
        );
        known.partition(|won| match self.half {
            Half::Both => true,
            Half::Until(until) => won.day.is_none_or(|day| day <= until),
            Half::Drawn => dice.random_range(0..2) == 0,
        })
    }

    /// The last day that counts.
    fn end(&self) -> Option<i32> {
        match self.half {
            Half::Until(day) => Some(day),
            Half::Both | Half::Drawn => self.until,
        }
    }
}

/// What was known of a partner on that day.
struct Known<'a> {
    listed: &'a Listed,
    won: Vec<Won>,
    source: usize,
    clicks: u64,
    habits: Habits,
    efforts: Efforts,
    /// What its conversions would have brought in the usual mix of campaigns.
    values: Vec<f64>,
    profile: Vec<f64>,
}

/// Learns from all that was known at the end of a day, or from everything; intervals are as wide as earlier ones should have been.
pub(super) fn learn(input: &Input, until: Option<i32>) -> Result<Learned> {
    let mut learned = learn_as_it_seems(input, Cut { until, half: Half::Both })?;
    learned.foreseen = foreseen(input, until);
    if let Some(Foreseen { widening, .. }) = learned.foreseen {
        learned.standings.iter_mut().for_each(|standing| standing.widen(&widening));
    }
    Ok(learned)
}

/// Learns from what counts as if partners stayed as they are.
pub(super) fn learn_as_it_seems(input: &Input, cut: Cut) -> Result<Learned> {
    let names: BTreeSet<&str> =
        input.partners.iter().filter_map(|partner| partner.source.as_deref()).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| *name != UNKNOWN_SOURCE).collect();
    let of = |listed| Known::of(listed, &names, (cut, input));
    let mut known: Vec<Known<'_>> = input.partners.iter().map(of).collect();
    habits::compare(known.iter_mut().map(|it| &mut it.habits));
    let campaigns = known.iter().map(Known::campaigns).max().unwrap_or(0);
    let all: Vec<Efforts> = known.iter().map(|it| it.efforts.clone()).collect();
    let mixes = Mixes::fit(&all, campaigns);
    for it in &mut known {
        it.values = it.efforts.sold.iter().map(|sold| mixes.without_campaign(sold)).collect();
    }
    let says: Vec<_> = known.iter().map(Known::says).collect();
    let profiled: Vec<Profiled<'_>> = says
        .iter()
        .zip(&known)
        .map(|(says, it)| Profiled {
            says,
            source: it.source,
            won: it.values.iter().any(|value| 0.0 < *value),
        })
        .collect();
    let profile = Profile::of(&profiled);
    known.iter_mut().zip(profile.rows).for_each(|(it, row)| it.profile = row);
    let partners: Vec<Partner<'_>> = known.iter().map(Known::partner).collect();
    let worths = partner::fit(&partners, names.len() + 1).map_err(|error| named(error, input, cut))?;
    let program = Program::of(&known);
    let paid: Vec<Efforts> = known.iter().map(Known::paid_for).collect();
    let costs = Mixes::fit(&paid, campaigns);
    let churn = churn(&known, names.len() + 1);
    let unknown =
        Partner { source: names.len(), profile: &vec![0.0; profile.names.len()], clicks: 0, values: &[] };
    let usual = worths.worth(&unknown)?.per_conversion.log_mean;
    let standing = |(it, churn): (&Known<'_>, Option<f64>)| {
        it.standing((&worths, &mixes, usual), (&program, &costs), churn)
    };
    let standings = known.iter().zip(churn).map(standing).collect::<Result<_, WorthError>>()?;
    let sources = names.iter().copied().chain([UNKNOWN_SOURCE]).map(str::to_owned).collect();
    Ok(Learned {
        sources,
        columns: profile.names,
        program,
        standings,
        notes: profile.notes,
        mixes,
        foreseen: None,
    })
}

/// The error with the partner's name.
fn named(error: WorthError, input: &Input, cut: Cut) -> anyhow::Error {
    let after = input.known_after.unwrap_or(0);
    match error {
        WorthError::TooFew { found, needed } if cut.until.is_some() || 0 < after => {
            let last = cut.until.or(input.last_day).map_or_else(String::new, |day| date_of(day).to_string());
            let (lag, fewer) = match after {
                0 => (String::new(), ""),
                days => (format!(" with what they brought within {days} days"), "fewer --follow-days"),
            };
            let later = if cut.until.is_some() { "a later --calibration-end" } else { "" };
            let choices =
                [later, fewer].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(", or ");
            anyhow!(
                "{found} conversions that brought something were known on {last}{lag}, and at least {needed} are needed to tell \
                 partners apart: choose {choices}"
            )
        }
        WorthError::NotANumber(place) => {
            anyhow!(
                "{} has a value or a number in its profile that is not finite",
                input.partners[place].name
            )
        }
        WorthError::Clicks(place) => {
            anyhow!("{} has more conversions than clicks", input.partners[place].name)
        }
        other => other.into(),
    }
}

impl<'a> Known<'a> {
    fn of(listed: &'a Listed, sources: &[&str], (cut, input): (Cut, &Input)) -> Self {
        let (won, _) = cut.halves(listed, input);
        let end = cut.end().or(input.last_day);
        let clicked = &listed.clicked;
        let mut by_campaign: BTreeMap<usize, u64> = BTreeMap::new();
        for ((_, campaign), count) in clicked.range(..=(cut.end().unwrap_or(i32::MAX), u32::MAX)) {
            *by_campaign.entry(*campaign as usize).or_default() += count;
        }
        let clicks = if clicked.is_empty() { listed.clicks } else { by_campaign.values().sum() };
        let source = listed.source.as_deref().and_then(|source| sources.binary_search(&source).ok());
        Self {
            efforts: Efforts {
                sold: won.iter().map(|won| sold(won, won.value)).collect(),
                clicks: by_campaign.into_iter().collect(),
            },
            habits: Habits::of(&won, clicked, end),
            clicks: u64::max(clicks, won.len() as u64),
            source: source.unwrap_or(sources.len()),
            values: Vec::new(),
            profile: Vec::new(),
            listed,
            won,
        }
    }

    /// One more than the highest number of a campaign.
    fn campaigns(&self) -> usize {
        let sold = self.efforts.sold.iter().map(|sold| sold.campaign);
        let clicked = self.efforts.clicks.iter().map(|(campaign, _)| *campaign);
        sold.chain(clicked).max().map_or(0, |most| most + 1)
    }

    /// Its profile, and how it goes about its work; what a file says of that comes first.
    fn says(&self) -> BTreeMap<String, Trait> {
        let mut says = self.listed.profile.clone();
        for (name, number) in self.habits.numbers() {
            says.entry(name.to_owned()).or_insert(Trait::Number(number));
        }
        says
    }

    fn partner(&self) -> Partner<'_> {
        Partner { source: self.source, profile: &self.profile, clicks: self.clicks, values: &self.values }
    }

    fn standing(
        &self,
        (worths, mixes, usual): (&Worths, &Mixes, f64),
        (program, costs): (&Program, &Mixes),
        churn: Option<f64>,
    ) -> Result<Standing, WorthError> {
        let without_history = |profile: &[f64]| {
            let partner = Partner { source: self.source, profile, clicks: 0, values: &[] };
            worths.worth(&partner).map(|worth| worth.per_conversion)
        };
        let mut profile = vec![0.0; self.profile.len()];
        let of_source = without_history(&profile)?.log_mean;
        let mut by_profile = Vec::with_capacity(profile.len());
        for (place, number) in self.profile.iter().enumerate() {
            profile[place] = *number;
            by_profile.push(without_history(&profile)?.log_mean - of_source);
            profile[place] = 0.0;
        }
        let (worth, expected) = (worths.worth(&self.partner())?, without_history(&self.profile)?);
        let mix = mixes.mix(&self.efforts);
        // What own conversions say of the partner, they say of its campaigns, too.
        let unsaid = worth.per_conversion.log_sd / expected.log_sd;
        let variance = mix.variance + mix.of_campaigns * unsaid.powi(4);
        let mixed = |it: Posterior| Posterior {
            log_mean: it.log_mean + mix.log,
            log_sd: (it.log_sd * it.log_sd + variance).sqrt(),
        };
        let (conversions, cost) = (self.won.len(), self.cost(program, costs));
        let per_conversion = mixed(worth.per_conversion);
        Ok(Standing {
            source: self.source,
            conversions,
            clicks: self.clicks,
            raw: (0 < conversions).then(|| self.value() / conversions as f64),
            per_conversion,
            in_usual_mix: worth.per_conversion,
            per_click: mixed(worth.per_click),
            reasons: Reasons {
                program: usual,
                source: of_source - usual,
                campaigns: mix.log,
                own: worth.per_conversion.log_mean - expected.log_mean,
                profile: by_profile,
            },
            cost,
            returns: per_conversion.per(cost),
            churn,
            habits: self.habits,
        })
    }

    fn value(&self) -> f64 {
        self.won.iter().map(|won| won.value).sum()
    }

    /// What was paid, for how many conversions: what a file of partners says comes first.
    fn paid(&self) -> Option<(f64, f64)> {
        let count = self.won.len() as f64;
        if let Some(cost) = self.listed.cost.filter(|_| !self.won.is_empty()) {
            // Of the part that is known by then.
            return Some((cost * count / self.listed.won.len() as f64, count));
        }
        let costs: Vec<f64> = self.won.iter().filter_map(|won| won.cost).collect();
        (!costs.is_empty()).then(|| (costs.iter().sum(), costs.len() as f64))
    }

    /// Its conversions by what was paid for them.
    fn paid_for(&self) -> Efforts {
        let paid = self.won.iter().filter_map(|won| Some(sold(won, won.cost?)));
        Efforts { sold: paid.collect(), clicks: self.efforts.clicks.clone() }
    }

    /// What a conversion costs: what its campaigns cost others, and, as far as there are many, what was paid for its own.
    fn cost(&self, program: &Program, costs: &Mixes) -> f64 {
        let (paid, count) = self.paid().filter(|_| program.has_costs).unwrap_or_default();
        let usual = program.cost * libm::exp(costs.mix(&self.paid_for()).log);
        (paid + USUAL_COSTS * usual) / (count + USUAL_COSTS)
    }
}

pub(super) fn sold(won: &Won, value: f64) -> Sold {
    Sold { campaign: won.campaign.unwrap_or(0) as usize, value }
}

impl Program {
    fn of(known: &[Known<'_>]) -> Self {
        let sum = |numbers: &mut dyn Iterator<Item = (f64, f64)>| {
            numbers.fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1))
        };
        let (value, count) = sum(&mut known.iter().map(|it| (it.value(), it.won.len() as f64)));
        let (cost, paid) = sum(&mut known.iter().filter_map(Known::paid));
        let value = value / f64::max(count, 1.0);
        let has_costs = 0.0 < cost;
        Self { value, has_costs, cost: if has_costs { cost / paid } else { value } }
    }

    /// Value over cost.
    pub(super) fn returns(&self) -> f64 {
        self.value / self.cost
    }
}

/// Each partner's churn over the program's; none where nobody's customers are known to have stayed or left.
fn churn(known: &[Known<'_>], sources: usize) -> Vec<Option<f64>> {
    let leaving = |it: &Known<'_>| {
        let told = || it.won.iter().filter_map(|won| won.came_back);
        let left = told().filter(|came_back| !came_back).count() as u64;
        Leaving { source: it.source, left, of: told().count() as u64 }
    };
    let leaving: Vec<Leaving> = known.iter().map(leaving).collect();
    if leaving.iter().all(|it| it.of == 0) {
        return vec![None; known.len()];
    }
    churn_ratios(&leaving, sources).into_iter().map(Some).collect()
}
