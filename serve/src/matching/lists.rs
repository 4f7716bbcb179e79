//! One list: who is open, who of them is best, which places chance fills, and why.

use std::sync::Arc;

use domain::{Chance, affiliate::AffiliateStatus, campaign::CampaignStatus};
use models::{
    best::{Best, Eligible, Scored},
    explore::{Draw, RateError, Shown, fill},
    matching::{Part, Party, Reason},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    joined::{Joined, Side},
    known::Known,
    records::Records,
};
use crate::store::recommendations::Around;

/// So many bits of chance make a number from 0 to 1.
const UNIT: u64 = 1 << 53;

/// What a list rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// What the one who gets it has brought so far.
    History,
    /// What is told of it, as it is too new for a history.
    Profile,
    /// What suits everybody, as nothing is told of it.
    Popular,
    /// What the records say, without a model.
    Records,
}

/// For whom a list is, and whom it may hold.
pub struct Asked<'a> {
    /// Everybody.
    pub known: &'a Known,
    /// Where the one is who gets it.
    pub one: usize,
    /// Whether it holds campaigns.
    pub holds_campaigns: bool,
    /// What is true of the one.
    pub around: &'a Around,
    /// Which others are asked for, by their places; all, unless told.
    pub wanted: Option<&'a (dyn Fn(usize) -> bool + Sync)>,
    /// How many.
    pub limit: usize,
    /// The rate at which chance fills places.
    pub exploring: f64,
}

/// A place of a list.
#[derive(Clone, Debug)]
pub struct Place {
    /// Who has it, by its place among all.
    pub other: usize,
    /// The score; none where chance chose whom nobody can score.
    pub score: Option<f64>,
    /// How probable that was.
    pub propensity: f64,
    /// Whether chance chose.
    pub explored: bool,
    /// Whether it is too new for a history of its own.
    pub is_new: bool,
    /// What adds to the score.
    pub reasons: Vec<Reason>,
    /// The same in a line.
    pub why: String,
    /// What both have in common and the like, without a number in it.
    pub briefly: Vec<String>,
}

/// A list, and what it rests on.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What it rests on.
    pub basis: Basis,
    /// From the first place on.
    pub places: Vec<Place>,
}

struct Dice<'a>(&'a Chance);

impl Draw for Dice<'_> {
    fn unit(&mut self) -> f64 {
        self.0.below(UNIT) as f64 / UNIT as f64
    }

    fn index(&mut self, length: usize) -> usize {
        self.0.below(length as u64) as usize
    }
}

impl Asked<'_> {
    /// Who of these is open and wanted, and has nothing to do with the one yet.
    fn open(&self, mut open: Eligible) -> Eligible {
        let places = self.known.places(self.holds_campaigns);
        let around = self.around.had.iter().chain(&self.around.dismissed);
        around.filter_map(|id| places.get(id)).for_each(|place| open.remove(*place as usize));
        if let Some(wanted) = self.wanted {
            let unwanted: Vec<usize> = open.iter().filter(|other| !wanted(*other)).collect();
            unwanted.into_iter().for_each(|other| open.remove(other));
        }
        open
    }

    /// By a version; none where it cannot say anything of the one.
    ///
    /// # Errors
    /// When the rate of exploration is no probability.
    pub fn by_version(&self, joined: &Joined, chance: &Chance) -> Result<Option<Listed>, RateError> {
        let version = &joined.version;
        let part =
            if self.holds_campaigns == (version.affiliates == Part::User) { Part::User } else { Part::Item };
        let (own, others) = (joined.side(!self.holds_campaigns), joined.side(self.holds_campaigns));
        let one = &own.parties[self.one];
        let mut open = self.open(others.open.clone());
        let had = one.number().map(|number| self.had(joined, part, number)).unwrap_or_default();
        had.iter().filter_map(|it| others.places.get(it)).for_each(|place| open.remove(*place as usize));
        let best = best(joined, (part, one), others, &open, self.limit);
        if best.is_empty() && 0 < open.count() {
            return Ok(None);
        }
        let pair = |other: u32| oriented(part, one, &others.parties[other as usize]);
        let score = |other: u32| {
            let (user, item) = pair(other);
            version.ranker.score(user, item).unwrap_or(f64::NAN)
        };
        let shown = fill(&best, &open, self.exploring, &mut Dice(chance), score)?;
        let place = |shown: &Shown| {
            let (user, item) = pair(shown.item);
            let score = Some(shown.score).filter(|score| !score.is_nan());
            let reasons = version.ranker.reasons(user, item);
            let why = version.ranker.why((user, item), shown.score, &reasons);
            Place {
                other: shown.item as usize,
                score,
                propensity: shown.propensity,
                explored: shown.explored,
                is_new: others.parties[shown.item as usize].number().is_none(),
                why: if score.is_some() {
                    why
                } else {
                    "too new to be scored, and shown by chance".to_owned()
                },
                briefly: reasons.iter().map(|reason| reason.words.clone()).collect(),
                reasons,
            }
        };
        let basis = match (one.number(), one.is_told()) {
            (Some(_), _) => Basis::History,
            (None, true) => Basis::Profile,
            (None, false) => Basis::Popular,
        };
        Ok(Some(Listed { basis, places: shown.iter().map(place).collect() }))
    }

    /// With whom the one had to do when the version was trained, by their numbers.
    fn had(&self, joined: &Joined, part: Part, number: u32) -> Vec<u32> {
        let of = match part {
            Part::User => &joined.version.ranker.matches().pairs,
            Part::Item => &joined.version.users_of,
        };
        of.get(number as usize).cloned().unwrap_or_default()
    }

    /// By the records alone.
    ///
    /// # Errors
    /// When the rate of exploration is no probability.
    pub fn by_records(&self, records: &Records, chance: &Chance) -> Result<Listed, RateError> {
        let known = self.known;
        let (count, is_open): (usize, Box<dyn Fn(usize) -> bool>) = if self.holds_campaigns {
            let all = known.campaigns();
            (all.len(), Box::new(|place| all[place].status == CampaignStatus::Active))
        } else {
            let all = known.affiliates();
            (all.len(), Box::new(|place| all[place].status == AffiliateStatus::Approved))
        };
        let mut open = Eligible::none(count);
        (0..count).filter(|place| is_open(*place)).for_each(|place| open.insert(place));
        let open = self.open(open);
        let fit = |other: u32| {
            let other = other as usize;
            records.fit(known, if self.holds_campaigns { (self.one, other) } else { (other, self.one) })
        };
        let mut best = Best::new(self.limit, count);
        open.iter().for_each(|other| best.offer(other as u32, fit(other as u32).score));
        let shown =
            fill(&best.into_list(), &open, self.exploring, &mut Dice(chance), |other| fit(other).score)?;
        let place = |shown: &Shown| Place {
            other: shown.item as usize,
            score: Some(shown.score),
            propensity: shown.propensity,
            explored: shown.explored,
            is_new: false,
            reasons: Vec::new(),
            why: fit(shown.item).why,
            briefly: Vec::new(),
        };
        Ok(Listed { basis: Basis::Records, places: shown.iter().map(place).collect() })
    }

    /// Who may be shown to the one at all, by their places.
    pub fn open_now(&self, joined: &Joined) -> Eligible {
        self.open(joined.side(self.holds_campaigns).open.clone())
    }
}

/// The best of the open ones. Of whom a version with vectors is told nothing gets what most had to do with.
fn best(
    joined: &Joined,
    (part, one): (Part, &Arc<Party>),
    others: &Side,
    open: &Eligible,
    limit: usize,
) -> Vec<Scored> {
    let ranker = &joined.version.ranker;
    if ranker.is_value() || part == Part::Item || one.is_told() {
        return ranker.best((part, one), &others.parties, open, limit);
    }
    let usual = &ranker.matches().usual.items;
    let mut best = Best::new(limit, others.parties.len());
    for other in open.iter() {
        if let Some(pairs) = others.parties[other].number().and_then(|it| usual.get(it as usize)) {
            best.offer(other as u32, f64::from(pairs.1));
        }
    }
    best.into_list()
}

fn oriented<'a>(part: Part, one: &'a Party, other: &'a Party) -> (&'a Party, &'a Party) {
    match part {
        Part::User => (one, other),
        Part::Item => (other, one),
    }
}
