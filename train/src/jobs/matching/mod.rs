//! `tributary-train match`: the right items for each user, by candidates that are judged on interactions that were held out.

mod assigned;
mod export;
mod gaps;
mod input;
mod judged;
mod logged;
mod lookalikes;
mod pages;
mod places;
mod rules;
mod served;
mod words;
mod written;

use std::sync::Arc;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use domain::Clock;
use models::{matching::Usual, registry::Publication};

use self::{
    assigned::Shares,
    gaps::{Gap, GapArgs},
    input::{InputArgs, Market},
    judged::{Judge, Judged},
    logged::{LogArgs, Would},
    lookalikes::Lookalikes,
    places::{PlaceArgs, Placed},
    rules::{RuleArgs, Rules},
};
use super::{folder::Folder, publish::RegistryArgs, run::RunArgs};
use crate::{
    matching::{Blend, BlendPlan, MatchingError, OrPopular, Parts, Scorer, Seen, Split, candidates::named},
    watch::Watch,
};

/// What the job is told.
#[derive(Args, Clone, Debug)]
pub struct Matching {
    #[command(flatten)]
    input: InputArgs,
    /// Which interactions judge; the others are learned from, and in the end all are
    #[arg(long, value_enum, default_value_t = Held::Random)]
    split: Held,
    /// The part of all interactions that judges, with `random` and `time` [default: 0.25]
    #[arg(long, value_name = "SHARE")]
    test_share: Option<f64>,
    /// Who recommends; `auto` judges the blend, and beside it `value` where lists are by value and both sides have features;
    /// `all` judges everybody; the best for --objective recommends
    #[arg(long, value_enum, default_value_t = Model::Auto)]
    model: Model,
    /// What lists are best by [default: value, where values differ and both sides have features, or of a lake; otherwise
    /// interactions]
    #[arg(long, value_enum)]
    objective: Option<Objective>,
    /// How many items each user gets
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    k: usize,
    /// Also find the best users for each item, learned and judged from the items' side: prospects.csv
    #[arg(long)]
    both_ways: bool,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    places: PlaceArgs,
    /// Also share out who gets what by a column capacity of --user-features, how many items a user takes, and a column budget of
    /// --item-features, of which each user costs the item's column cost, or 1: assignments.csv
    #[arg(long)]
    assign: bool,
    /// Also find users who are like each item's best ones, and like each other: lookalikes.csv and similar.csv
    #[arg(long)]
    lookalikes: bool,
    #[command(flatten)]
    gaps: GapArgs,
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    run: RunArgs,
}

/// Which interactions judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Held {
    /// The last one of each user.
    LeaveLast,
    /// Some, drawn by chance.
    Random,
    /// The latest.
    Time,
}

/// What lists are best by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Objective {
    /// Whether users will have to do with an item.
    Interactions,
    /// What a pair is worth if it happens, such as margin for each click.
    Value,
}

/// Who recommends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Model {
    /// The blend, and `value` where lists are by value.
    Auto,
    /// What most had to do with.
    Popularity,
    /// Items like those that the user had to do with, by who else had.
    Knn,
    /// Items whose features are like those of the user's items.
    Cosine,
    /// Each item by all others at once, in closed form.
    Ease,
    /// Factors by alternating least squares.
    Als,
    /// Factors by pairwise ranking.
    Bpr,
    /// Vectors by two networks, over ids and features.
    TwoTower,
    /// What pairs are worth: boosted trees on the features of both, and what is particular to each.
    Value,
    /// Several of them with weights that were learned.
    Blend,
    /// All of them.
    All,
}

impl Model {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |it| it.get_name().to_owned())
    }

    /// Those that are asked for.
    fn asked(self, objective: Objective, seen: &Seen) -> Vec<Self> {
        let has_value = objective == Objective::Value && seen.users.is_some() && seen.items.is_some();
        match self {
            Self::Auto if has_value => vec![Self::Value, Self::Blend],
            Self::Auto => vec![Self::Blend],
            Self::All => {
                let is_one = |it: &&Self| ![Self::Auto, Self::All].contains(it);
                Self::value_variants().iter().filter(is_one).copied().collect()
            }
            one => vec![one],
        }
    }

    fn fit(self, seen: &Arc<Seen>, k: usize, seed: u64) -> Result<Fitted, MatchingError> {
        if self == Self::Blend {
            let blend = Blend::fit(&BlendPlan::for_data(seen, k), seen, seed)?;
            let weights = blend.weights().map(|(name, known, new)| (name.to_owned(), [known, new])).collect();
            return Ok(Fitted { weights, scorer: Box::new(OrPopular::new(Box::new(blend), seen, seed)?) });
        }
        let candidate = named(&self.name()).ok_or_else(|| MatchingError::NotBuiltIn(self.name()))?;
        let scorer = Box::new(OrPopular::new((candidate.fit)(seen, seed)?, seen, seed)?);
        Ok(Fitted { weights: Vec::new(), scorer })
    }
}

/// Who recommends, and of a blend whose voice counts how much, for items that are known and for new ones.
struct Fitted {
    scorer: Box<dyn Scorer>,
    weights: Vec<(String, [f64; 2])>,
}

/// Lists of all users, and how good they are.
struct Way {
    market: Market,
    objective: Objective,
    parts: Parts,
    judged: Vec<Judged>,
    /// Who recommends: its place among those that were judged.
    chosen: usize,
    scorer: Box<dyn Scorer>,
    placed: Placed,
    /// What pairs were worth.
    usual: Usual,
}

/// All that is said.
struct Said {
    forth: Way,
    /// From the items' side.
    back: Option<Way>,
    shares: Option<Shares>,
    lookalikes: Option<Lookalikes>,
    gaps: Option<Vec<Gap>>,
    would: Option<Would>,
}

/// The part that judges, where nobody says so.
const TEST_SHARE: f64 = 0.25;
/// The confidence of intervals.
const LEVEL: f64 = 0.95;

impl Matching {
    /// Does the job; says what came of it.
    ///
    /// # Errors
    /// When it cannot be done; nothing is written then.
    pub fn run(&self, clock: &Clock) -> Result<String> {
        ensure!(0 < self.k, "--k is 0, and must be at least 1");
        ensure!(
            self.split != Held::LeaveLast || self.test_share.is_none(),
            "--test-share goes with --split random and time: leave-last holds the last interaction of each user"
        );
        self.places.check()?;
        let (folder, stopped) = self.run.begin()?;
        let watch = Watch::new(4, stopped);
        watch.step("reading interactions")?;
        let market = Market::read(&self.input, self.assign, clock)?;
        ensure!(
            market.is_timed || self.split == Held::Random,
            "{} has no column ts, so that nobody knows which interactions are the latest: say --split random, or \
             --column ts=NAME",
            market.source
        );
        watch.done();
        let (mut told, publication) = self.recommend(market, &folder, (&watch, clock))?;
        folder.keep()?;
        if let Some(version) = export::published(publication, &self.registry, &self.run.out)? {
            told = format!("{told}\n{version}");
        }
        Ok(format!("{told}\nrecommendations, measures and the report are in {}", self.run.out.display()))
    }

    fn recommend(
        &self,
        mut market: Market,
        folder: &Folder,
        (watch, clock): (&Watch, &Clock),
    ) -> Result<(String, Result<Publication>)> {
        let rules = Rules::read(&self.rules, &market, &self.input.column)?;
        market.notes.extend(rules.notes.iter().cloned());
        let turned = if self.both_ways { Some(market.turned()?) } else { None };
        let forth = self.way(market, &rules, watch)?;
        watch.done();
        let back = turned.map(|turned| self.way(turned, &rules.turned(), watch)).transpose()?;
        watch.done();
        watch.step("writing files")?;
        let shares = if self.assign { Some(assigned::shares(&forth, &rules, self.k)?) } else { None };
        let lookalikes = self.lookalikes.then(|| Lookalikes::of(&forth.market, &rules, self.k));
        let gaps = self.gaps.of(&forth.market)?;
        let would = self.would(&forth, &rules)?;
        let said = Said { forth, back, shares, lookalikes, gaps, would };
        written::write(folder, &said, self)?;
        let publication = export::publication(&said, self, clock);
        watch.done();
        Ok((pages::summary(&said, self), publication))
    }

    /// Judges who is asked for, and lets the best of them recommend.
    fn way(&self, mut market: Market, rules: &Rules, watch: &Watch) -> Result<Way> {
        let items = market.items.len();
        let k = self.k.min(items);
        if items < self.k {
            let what = market.called[1];
            market
                .notes
                .push(format!("--k is {}, and there are {items} {what}s: lists end with them", self.k));
        }
        let objective = self.objective(&mut market)?;
        let parts = self.split().part(&market.seen.interactions, self.run.seed)?;
        let learned = market.seen.with(parts.train.clone())?;
        let judge = Judge::new(&learned, &parts, k, self.run.seed)?;
        let mut judged = Vec::new();
        for model in self.model.asked(objective, &market.seen) {
            watch.step(format!("judging {}", model.name()))?;
            match model.fit(&learned, k, self.run.seed) {
                Ok(fitted) => judged.push(judge.judged(model, fitted)),
                Err(error) if self.model == Model::All => {
                    market.notes.push(format!("{} is left out: {error}", model.name()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        let chosen = judged::chosen(&judged, objective);
        market.notes.extend(judged::notes(&judged, &parts, &market));
        watch.step("recommending")?;
        let fitted = judged[chosen].model.fit(&market.seen, k, self.run.seed)?;
        let placed = self.places.placed(&*fitted.scorer, rules, &market, (k, self.run.seed))?;
        if 0 < placed.short {
            let one = market.called[0];
            market.notes.push(format!("rules leave {} {one}s fewer than they would be shown", placed.short));
        }
        let usual = served::usual(&market);
        Ok(Way { market, objective, parts, judged, chosen, scorer: fitted.scorer, placed, usual })
    }

    fn split(&self) -> Split {
        let test = self.test_share.unwrap_or(TEST_SHARE);
        match self.split {
            Held::Random => Split::Random { test },
            Held::Time => Split::Time { test },
            Held::LeaveLast => Split::LeaveLast,
        }
    }

    /// What lists are best by, where nobody says so.
    fn objective(&self, market: &mut Market) -> Result<Objective> {
        let has_features = market.seen.users.is_some() && market.seen.items.is_some();
        let (is_valued, is_lake) = (market.is_valued(), market.is_lake);
        if let Some(objective) = self.objective {
            ensure!(
                is_valued || objective == Objective::Interactions,
                "all pairs are worth the same, so that lists cannot be by value: say --objective interactions"
            );
            return Ok(objective);
        }
        if !is_valued || !(has_features || is_lake) {
            return Ok(Objective::Interactions);
        }
        if self.model == Model::Auto && !is_lake {
            let note = "values differ, and lists are by value: --objective interactions makes them of what users \
                        are likely to have to do with";
            market.notes.push(note.to_owned());
        }
        Ok(Objective::Value)
    }
}
