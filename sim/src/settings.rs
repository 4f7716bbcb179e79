//! What a world is asked to be like, and what is refused.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    dice::{Seed, real},
    patterns::{self, Nature},
    rhythm::DAY,
    visit::loss::Losses,
    world::campaign::Together,
};

/// What a world is asked to be like; [`Settings::new`] chooses all but the four that always differ.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The same seed and settings give the same bytes.
    pub seed: Seed,
    /// The world's first midnight (UTC), in microseconds since the Unix epoch.
    pub start_us: i64,
    /// How many days pass.
    pub days: u32,
    /// About how many clicks are recorded, fraudulent ones included.
    pub clicks: u64,
    /// How many affiliates take part.
    pub affiliates: u32,
    /// How many campaigns run.
    pub campaigns: u32,
    /// How many people there are; fewer meet affiliates more often.
    pub people: u64,
    /// How many logged impressions there are for each click.
    pub impressions_per_click: f64,
    /// Which share of the honest journeys is lost to tracking, by cause.
    pub losses: Losses,
    /// Which share of the events is told twice, as deliveries «at least once» do.
    pub told_twice: f64,
    /// Which share of the events is learned of hours late.
    pub told_late: f64,
    /// For how many days the network has run before its first midnight; 0 lets it open then, without anybody there.
    pub warm_up_days: u32,
    /// How many times the expected commissions of a month the budgets of campaigns are, in the middle; 0 for campaigns
    /// that spend without end.
    pub budgets: f64,
    /// Which share of what fraudsters do hides among honest habits.
    pub stealth: f64,
    /// How much of each pattern there is, by its name; what is not named has its usual share.
    pub intensities: BTreeMap<String, f64>,
    /// Schemes that reviewers do not know yet, by name: they look at them as at anything honest, and take them for it.
    pub unknown: BTreeSet<String>,
    /// How visits work together in every campaign; none for campaigns that each have their own way.
    pub together: Option<Together>,
}

/// The first of January 2026.
const NEW_YEAR: i64 = 20_454 * DAY;

/// Settings that no world can be made from.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// Nobody could be a perpetrator without being the whole network.
    #[error("a world of {0} affiliates is too small: it takes {least} to 1,000,000", least = Settings::LEAST_AFFILIATES)]
    Affiliates(u32),
    /// Nothing to advertise, or more than a catalogue holds.
    #[error("a world of {0} campaigns cannot be made: it takes 4 to 100,000")]
    Campaigns(u32),
    /// No time.
    #[error("a world of {0} days cannot be made: it takes 1 to 3,650")]
    Days(u32),
    /// The past has an end.
    #[error("a network cannot have run for {0} days before its first: it takes 0 to 400")]
    WarmUp(u32),
    /// Nothing would happen.
    #[error("a world of {0} clicks cannot be made: it takes 1 to 100,000,000,000")]
    Clicks(u64),
    /// Nobody there.
    #[error("a world of {0} people cannot be made: it takes 1,000 to 1,000,000,000,000")]
    People(u64),
    /// Days begin at midnight.
    #[error("a world begins at midnight UTC between 1970 and 9999, not at {0} microseconds after the epoch")]
    Start(i64),
    /// Not a share.
    #[error("{what} is {value}, which is not between 0 and {most}")]
    Share {
        /// Of what.
        what: String,
        /// What was asked for.
        value: f64,
        /// The most that makes sense.
        most: f64,
    },
    /// More fraud than anything else.
    #[error("the patterns that make clicks would make {0} of all clicks; leave a tenth to honest visitors")]
    NoHonestClicks(f64),
    /// A pattern that nobody has written.
    #[error("{name:?} is not a pattern: expected one of {known}")]
    UnknownPattern {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}

impl Settings {
    /// Fewer could not hold a perpetrator for every scheme besides honest affiliates.
    pub const LEAST_AFFILIATES: u32 = 40;

    /// A world of the usual kind.
    #[must_use]
    pub fn new(seed: u64, affiliates: u32, days: u32, clicks: u64) -> Self {
        Self {
            seed: Seed(seed),
            start_us: NEW_YEAR,
            days,
            clicks,
            affiliates,
            campaigns: (affiliates / 8).clamp(8, 400),
            people: (clicks / 4).max(20_000),
            impressions_per_click: 2.0,
            losses: Losses::default(),
            warm_up_days: 45,
            budgets: 2.0,
            told_twice: 0.001,
            told_late: 0.01,
            stealth: 0.35,
            intensities: BTreeMap::new(),
            unknown: BTreeSet::new(),
            together: None,
        }
    }

    /// The same world without any fraud; the honest crowds stay.
    #[must_use]
    pub fn without_fraud(mut self) -> Self {
        let fraud = patterns::all().filter(|pattern| pattern.nature == Nature::Fraud);
        self.intensities.extend(fraud.map(|pattern| (pattern.name.to_owned(), 0.0)));
        self
    }

    /// The same world with so much of one pattern.
    #[must_use]
    pub fn with(mut self, pattern: &str, intensity: f64) -> Self {
        self.intensities.insert(pattern.to_owned(), intensity);
        self
    }

    /// The same world, which opens on its first day and whose campaigns spend without end: as many of everything as was
    /// planted.
    #[must_use]
    pub fn cold(self) -> Self {
        Self { warm_up_days: 0, budgets: 0.0, ..self }
    }

    /// When the world is over.
    #[must_use]
    pub fn end_us(&self) -> i64 {
        self.start_us + i64::from(self.days) * DAY
    }

    /// How much there is of each pattern, in the order of [`patterns::all`].
    pub(crate) fn intensities(&self) -> Vec<f64> {
        let asked = |name: &str| self.intensities.get(name).copied();
        patterns::all().map(|pattern| asked(pattern.name).unwrap_or(pattern.usual)).collect()
    }

    /// How many clicks an ordinary minute has.
    pub(crate) fn clicks_per_minute(&self) -> f64 {
        real(self.clicks) / (f64::from(self.days) * 1_440.0)
    }

    /// Checks everything that a person may have got wrong.
    ///
    /// # Errors
    /// With the first thing that cannot be.
    pub fn check(&self) -> Result<(), SettingsError> {
        check_within(self.affiliates, Self::LEAST_AFFILIATES, 1_000_000, SettingsError::Affiliates)?;
        check_within(self.campaigns, 4, 100_000, SettingsError::Campaigns)?;
        check_within(self.days, 1, 3_650, SettingsError::Days)?;
        check_within(self.warm_up_days, 0, 400, SettingsError::WarmUp)?;
        check_within(self.clicks, 1, 100_000_000_000, SettingsError::Clicks)?;
        check_within(self.people, 1_000, 1_000_000_000_000, SettingsError::People)?;
        check_within(self.start_us, 0, 2_932_896 * DAY, SettingsError::Start)?;
        if self.start_us % DAY != 0 {
            return Err(SettingsError::Start(self.start_us));
        }
        self.check_shares()?;
        self.check_patterns()
    }

    fn check_shares(&self) -> Result<(), SettingsError> {
        let Losses { blocker, prevention, consent, cross_device } = self.losses;
        let shares = [
            ("the impressions per click", self.impressions_per_click, 1_000.0),
            ("the share told twice", self.told_twice, 1.0),
            ("the share told late", self.told_late, 1.0),
            ("how many times the expected spending budgets are", self.budgets, 1e6),
            ("the share of stealth", self.stealth, 1.0),
            ("the loss to blockers", blocker, 0.9),
            ("the loss to prevention", prevention, 0.9),
            ("the loss to consent", consent, 0.9),
            ("the loss to changed devices", cross_device, 0.9),
            ("the loss of all causes together", self.losses.total(), 0.9),
        ];
        shares.into_iter().try_for_each(|(what, value, most)| check_share(what, value, most))
    }

    fn check_patterns(&self) -> Result<(), SettingsError> {
        for name in self.intensities.keys().chain(&self.unknown) {
            if !patterns::all().any(|pattern| pattern.name == name) {
                let known = patterns::all().map(|pattern| pattern.name).collect::<Vec<_>>().join(", ");
                return Err(SettingsError::UnknownPattern { name: name.clone(), known });
            }
        }
        for (name, &value) in &self.intensities {
            check_share(&format!("the intensity of {name}"), value, patterns::Pattern::MOST)?;
        }
        let clicks = patterns::share_of_clicks(&self.intensities());
        if 0.9 < clicks {
            return Err(SettingsError::NoHonestClicks(clicks));
        }
        Ok(())
    }
}

fn check_within<T: PartialOrd + Copy>(
    value: T,
    least: T,
    most: T,
    error: fn(T) -> SettingsError,
) -> Result<(), SettingsError> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(error(value)) }
}

fn check_share(what: &str, value: f64, most: f64) -> Result<(), SettingsError> {
    if (0.0..=most).contains(&value) {
        return Ok(());
    }
    Err(SettingsError::Share { what: what.to_owned(), value, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings::new(1, 200, 30, 100_000);
        change(&mut settings);
        settings.check().map_or_else(|error| error.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn settings_are_refused_with_a_reason() {
        assert_eq!(refusal(|_| ()), "fine");
        assert_eq!(
            refusal(|it| it.affiliates = 3),
            "a world of 3 affiliates is too small: it takes 40 to 1,000,000"
        );
        assert_eq!(
            refusal(|it| it.start_us = 7),
            "a world begins at midnight UTC between 1970 and 9999, not at 7 microseconds after the epoch"
        );
        assert_eq!(
            refusal(|it| it.losses.consent = f64::NAN),
            "the loss to consent is NaN, which is not between 0 and 0.9"
        );
        let planted = |names: &[&str]| {
            let share = |name: &&str| ((*name).to_owned(), 0.5);
            refusal(|it| it.intensities = names.iter().map(share).collect())
        };
        assert!(planted(&["theft"]).contains("expected one of click_farm, "));
        let unknown = refusal(|it| it.unknown.extend(["theft".to_owned()]));
        assert!(unknown.contains("expected one of click_farm, "), "{unknown}");
        let all = planted(&["click_farm", "click_flooding"]);
        assert!(all.contains("leave a tenth to honest visitors"), "{all}");
    }
}
