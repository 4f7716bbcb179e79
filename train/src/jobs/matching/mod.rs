//! `tributary-train match`: the right items for each user, by candidates that are judged on interactions that were held out.

mod export;
mod input;
mod pages;
mod written;

use std::{path::PathBuf, sync::Arc};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use domain::Clock;
use models::registry::Publication;
use rayon::prelude::*;

use self::input::Market;
use super::{folder::Folder, publish::RegistryArgs, run::RunArgs};
use crate::{
    anomaly::dice::Dice,
    matching::{
        Blend, BlendPlan, MatchingError, OrPopular, Parts, Reason, Scorer, Seen, Split,
        candidates::named,
        lists,
        metrics::{List, Metrics, judge, of_list},
    },
    watch::Watch,
};

/// What the job is told.
#[derive(Args, Clone, Debug)]
pub struct Matching {
    /// A file with a row for each time that a user had to do with an item, as CSV or Parquet: user, item, and perhaps value and ts
    #[arg(long, value_name = "FILE")]
    interactions: PathBuf,
    /// A file with a row for each user: user, and any other columns; who is only here is a newcomer
    #[arg(long, value_name = "FILE")]
    user_features: Option<PathBuf>,
    /// A file with a row for each item: item, and any other columns; what is only here is a newcomer
    #[arg(long, value_name = "FILE")]
    item_features: Option<PathBuf>,
    /// Another name of a column: user=affiliate; may be repeated
    #[arg(long, value_name = "FIELD=NAME", value_parser = input::renamed)]
    column: Vec<(String, String)>,
    /// Which interactions judge; the others are learned from, and in the end all are
    #[arg(long, value_enum, default_value_t = Held::Random)]
    split: Held,
    /// The part of all interactions that judges, with `random` and `time`
    #[arg(long, default_value_t = 0.25, value_name = "SHARE")]
    test_share: f64,
    /// Who recommends; `all` judges everybody, and the best recommends
    #[arg(long, value_enum, default_value_t = Model::Blend)]
    model: Model,
    /// How many items each user gets
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    k: usize,
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

/// Who recommends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Model {
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
    fn asked(self) -> Vec<Self> {
        let one = |it: &&Self| **it != Self::All && (self == Self::All || **it == self);
        Self::value_variants().iter().filter(one).copied().collect()
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

/// How good a model is on what was held out.
struct Judged {
    model: Model,
    metrics: Metrics,
    /// Where the normalised discounted cumulative gain lies, by drawing users again.
    ndcg: [f64; 2],
    /// What users had of the items in their lists, over the most that as many items could have brought them; none where
    /// all interactions are worth the same.
    value: Option<f64>,
    weights: Vec<(String, [f64; 2])>,
}

/// Items for one user, best first, with their scores and what these come from.
struct Recommended {
    item: u32,
    score: f64,
    reasons: Vec<Reason>,
}

/// All that is said.
struct Said {
    market: Market,
    parts: Parts,
    judged: Vec<Judged>,
    /// Who recommends: its place among those that were judged.
    chosen: usize,
    recommended: Vec<Vec<Recommended>>,
    scorer: Box<dyn Scorer>,
}

/// The confidence of intervals, and of how many drawings of users they come.
const LEVEL: f64 = 0.95;
const DRAWN: u64 = 400;
/// The stream of chance that draws users.
const STREAM: u64 = 0x6d61_7463;

impl Matching {
    /// Does the job; says what came of it.
    ///
    /// # Errors
    /// When it cannot be done; nothing is written then.
    pub fn run(&self, clock: &Clock) -> Result<String> {
        ensure!(0 < self.k, "--k is 0, and must be at least 1");
        let asked = self.model.asked();
        let (folder, stopped) = self.run.begin()?;
        let watch = Watch::new(asked.len() as u64 + 3, stopped);
        watch.step("reading interactions")?;
        let mut market = self.market()?;
        watch.done();
        let items = market.items.len();
        if items < self.k {
            market.notes.push(format!("--k is {}, and there are {items} items: lists end with them", self.k));
        }
        let asked = Self { k: self.k.min(items), ..self.clone() };
        let (mut told, publication) = asked.recommend(market, &folder, (&watch, clock))?;
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
        let split = match self.split {
            Held::Random => Split::Random { test: self.test_share },
            Held::Time => Split::Time { test: self.test_share },
            Held::LeaveLast => Split::LeaveLast,
        };
        let parts = split.part(&market.seen.interactions, self.run.seed)?;
        let learned = market.seen.with(parts.train.clone())?;
        let mut judged = Vec::new();
        for model in self.model.asked() {
            watch.step(format!("judging {}", model.name()))?;
            match model.fit(&learned, self.k, self.run.seed) {
                Ok(fitted) => judged.push(self.judged(model, fitted, &parts)),
                Err(error) if self.model == Model::All => {
                    market.notes.push(format!("{} is left out: {error}", model.name()));
                }
                Err(error) => return Err(error.into()),
            }
            watch.done();
        }
        let best = |one: &usize, other: &usize| {
            let ndcg = |place: usize| judged[place].metrics.all.ndcg;
            ndcg(*one).total_cmp(&ndcg(*other)).then(other.cmp(one))
        };
        let chosen = (0..judged.len()).max_by(best).unwrap_or_default();
        watch.step("recommending")?;
        let fitted = judged[chosen].model.fit(&market.seen, self.k, self.run.seed)?;
        let recommended = recommended(&*fitted.scorer, &market.seen, self.k);
        watch.done();
        watch.step("writing files")?;
        let said = Said { market, parts, judged, chosen, recommended, scorer: fitted.scorer };
        written::write(folder, &said, self)?;
        let publication = export::publication(&said, self, clock);
        watch.done();
        Ok((pages::summary(&said, self), publication))
    }

    fn market(&self) -> Result<Market> {
        let market = Market::read(
            &self.interactions,
            (self.user_features.as_deref(), self.item_features.as_deref()),
            &self.column,
        )?;
        ensure!(
            market.is_timed || self.split == Held::Random,
            "{} has no column ts, so that nobody knows which interactions are the latest: say --split random, or \
             --column ts=NAME",
            market.source
        );
        Ok(market)
    }

    fn judged(&self, model: Model, fitted: Fitted, parts: &Parts) -> Judged {
        let lists = lists(&*fitted.scorer, &parts.train, self.k);
        let metrics = judge(&lists, &parts.train, &parts.test, self.k);
        let ndcg = interval(&lists, parts, (self.k, self.run.seed));
        let is_valued =
            parts.test.rows().windows(2).any(|pair| pair[0].value.total_cmp(&pair[1].value).is_ne());
        let value = is_valued.then(|| value_share(&lists, parts, self.k));
        Judged { model, metrics, ndcg, value, weights: fitted.weights }
    }
}

/// What the first `k` items of each list were worth to its user, over what the `k` best would have been; values below zero
/// count as they are, and a user whose best is worth nothing does not count.
fn value_share(lists: &[List], parts: &Parts, k: usize) -> f64 {
    let (mut had, mut best) = (0.0, 0.0);
    for (user, list) in lists.iter().enumerate() {
        let held = parts.test.of_user(user);
        let mut values: Vec<f64> = held.iter().map(|row| row.value).collect();
        values.sort_unstable_by(|one, other| other.total_cmp(one));
        let most: f64 = values.iter().take(k).filter(|value| 0.0 < **value).sum();
        if 0.0 < most {
            best += most;
            let shown = held.iter().filter(|row| list.iter().take(k).any(|item| *item == row.item));
            had += shown.map(|row| row.value).sum::<f64>();
        }
    }
    if 0.0 < best { had / best } else { 0.0 }
}

/// Between which values the mean over users lies (percentile bootstrap, Efron 1979).
fn interval(lists: &[List], parts: &Parts, (k, seed): (usize, u64)) -> [f64; 2] {
    let ndcg = |(user, list): (usize, &List)| {
        let relevant: Vec<u32> = parts.test.of_user(user).iter().map(|row| row.item).collect();
        of_list(list, &relevant, k).map(|[_, ndcg, _]| ndcg)
    };
    let of_users: Vec<f64> = lists.iter().enumerate().filter_map(ndcg).collect();
    let mean = |number: u64| {
        let mut dice = Dice::new(seed ^ STREAM, number);
        let sum: f64 = of_users.iter().map(|_| of_users[dice.index(of_users.len())]).sum();
        sum / of_users.len() as f64
    };
    let mut means: Vec<f64> = (0..DRAWN).into_par_iter().map(mean).collect();
    means.sort_unstable_by(f64::total_cmp);
    [0.5 - 0.5 * LEVEL, 0.5 + 0.5 * LEVEL].map(|part| means[(part * (DRAWN - 1) as f64).round() as usize])
}

fn recommended(scorer: &dyn Scorer, seen: &Seen, k: usize) -> Vec<Vec<Recommended>> {
    let known = &seen.interactions;
    let of_user = |(user, list): (usize, List)| {
        let scores = scorer.scores(user);
        let one = |item: u32| Recommended {
            item,
            score: scores[item as usize],
            reasons: scorer.reasons(user, item as usize),
        };
        list.into_iter().map(one).collect()
    };
    lists(scorer, known, k).into_par_iter().enumerate().map(of_user).collect()
}
