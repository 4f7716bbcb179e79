//! How many conversions a partner is expected to win until its rate is decided again.

use super::{
    habits::WEEKS,
    input::{Input, Listed},
    learned::Standing,
};

/// How long it is until then.
const PERIOD_DAYS: f64 = 30.0;

/// The days that partners' pace is told by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The first day that anything is told of.
    first: i32,
    /// The last day whose conversions are known.
    known: i32,
    /// The last day that is told of.
    last: i32,
    /// Conversions for each click of those who are partners; none where nobody tells of clicks.
    usual_rate: Option<f64>,
}

impl Pace {
    /// None where conversions have no days.
    pub(super) fn of(input: &Input) -> Option<Self> {
        let days = |listed: &Listed| {
            let won = listed.won.iter().filter_map(|won| won.day).min();
            won.into_iter().chain(listed.clicked.keys().next().map(|(day, _)| *day)).min()
        };
        let first = input.partners.iter().filter_map(days).min()?;
        let last = input.last_day?;
        let known = last - input.known_after.unwrap_or(0);
        let partners = || input.partners.iter().filter(|listed| !listed.applies && 0 < listed.clicks);
        let clicks: u64 = partners().map(|listed| listed.clicks).sum();
        let won: usize = partners().map(|listed| listed.won.len()).sum();
        let usual_rate = (0 < clicks).then(|| won as f64 / clicks as f64);
        (first <= known).then_some(Self { first, known, last, usual_rate })
    }

    /// Conversions of a period: as many a day as in the last thirteen weeks; of who has none, its clicks at the rate that is
    /// expected of it, or, as an applicant's clicks could not convert here, at the usual one. None where nothing tells of that.
    pub(super) fn expected(&self, listed: &Listed, standing: &Standing) -> Option<f64> {
        let begin = i32::max(self.known - 7 * WEEKS, self.first - 1);
        let periods = f64::from(self.known - begin) / PERIOD_DAYS;
        if 0 < standing.conversions {
            let days = listed.won.iter().filter_map(|won| won.day);
            return Some(days.filter(|day| begin < *day).count() as f64 / periods);
        }
        let own_rate = standing.per_click.expected() / standing.per_conversion.expected();
        let rate = if listed.applies { self.usual_rate? } else { own_rate };
        if listed.clicked.is_empty() {
            let periods = f64::from(self.last - self.first + 1) / PERIOD_DAYS;
            return (0 < standing.clicks).then(|| standing.clicks as f64 * rate / periods);
        }
        // Clicks are known at once.
        let lag = self.last - self.known;
        let clicked = listed.clicked.range((begin + lag + 1, 0)..).map(|(_, count)| count).sum::<u64>();
        Some(clicked as f64 * rate / periods)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::partner::{input::Won, learned::learn};

    fn partner(name: &str, days: impl Iterator<Item = i32>, clicks: u64) -> Listed {
        let won = days.map(|day| Won { day: Some(day), value: 10.0, ..Won::default() }).collect();
        Listed { name: name.to_owned(), won, clicks, ..Listed::default() }
    }

    #[test]
    fn a_period_brings_what_the_last_weeks_brought_and_clicks_bring_what_is_usual() {
        let mut partners: Vec<Listed> = (0..20).map(|_| partner("steady", 0..300, 3_000)).collect();
        partners.push(partner("gone", 0..100, 1_000));
        partners.push(Listed { applies: true, ..partner("applicant", 0..0, 600) });
        partners.push(partner("idle", 0..0, 600));
        partners.push(partner("unknown", 0..0, 0));
        let (last_day, known_after) = (Some(299), Some(0));
        let (notes, sources) = (Vec::new(), Vec::new());
        let mut input = Input { partners, has_clicks: true, last_day, known_after, notes, sources };
        let expected = |input: &Input| -> Vec<Option<f64>> {
            let (learned, pace) = (learn(input, None).unwrap(), Pace::of(input).unwrap());
            let both = input.partners.iter().zip(&learned.standings).skip(19);
            both.map(|(listed, standing)| pace.expected(listed, standing)).collect()
        };
        let told = expected(&input);
        assert!((told[0].unwrap() - 30.0).abs() < 1e-9 && told[1] == Some(0.0), "{told:?}");
        // Six hundred clicks in ten months, at the rate of all who are partners.
        assert!((told[2].unwrap() - 60.0 * 6_100.0 / 61_600.0).abs() < 1e-9 && told[4].is_none(), "{told:?}");
        assert!(told[3] < told[2], "none of as many clicks has converted: {told:?}");
        // Where what conversions brought is known after ninety days, the last of them have not come.
        (input.last_day, input.known_after) = (Some(389), Some(90));
        assert!((expected(&input)[0].unwrap() - 30.0).abs() < 1e-9);
        input.last_day = None;
        assert!(Pace::of(&input).is_none());
    }
}
