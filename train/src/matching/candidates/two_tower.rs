//! A network for users and one for items, whose vectors have large products where users choose items: batches of pairs in
//! which each user's item stands against those of the others, with each item's logit lowered by how often it is in a
//! batch (Yi et al. 2019, "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations").
//!
//! A tower begins with a vector of one's own and one of one's features. The own one is left out by chance while it learns,
//! so that newcomers, who have none, are placed by their features (Volkovs, Yu and Poutanen 2017, "DropoutNet").

use std::sync::Arc;

use models::graph::towers::Tower;
use tch::{
    Kind, TchError, Tensor,
    nn::{self, OptimizerConfig},
    no_grad,
};

use super::Factors;
use crate::{
    anomaly::dice::Dice,
    matching::{Candidate, Interactions, MatchingError, Parts, Profiles, Seen, Split},
};

pub(super) const TWO_TOWER: Candidate = Candidate {
    name: "two-tower",
    doc: "Vectors by two networks over ids and features, each pair against the others of its batch.",
    fit: |seen, seed| Ok(Box::new(fit(&TwoTower::default(), seen, seed)?)),
};

/// The part of the interactions that says when to stop, and how many of them are asked at most; also by how many items.
const INNER: f64 = 0.1;
const MOST_ASKED: usize = 2_000;
const MOST_SCORES: usize = 8_000_000;
/// How often they are asked in an epoch, after how many steps at least, and after how many times without a better answer
/// training ends.
const ASKED_IN_EPOCH: usize = 2;
const LEAST_STEPS: usize = 25;
const PATIENCE: usize = 8;
/// Batches at most.
const MOST_STEPS: usize = 8_000;
/// Streams of chance.
const WEIGHTS: u64 = 0x7477_0000;
const BATCHES: u64 = 0x7477_0010;
const ASKED: u64 = 0x7477_0020;

/// How vectors are learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoTower {
    /// How long vectors are, beside the items' own number.
    pub factors: usize,
    /// Pairs of one batch; fewer where there are few pairs.
    pub batch: usize,
    /// How far a step of Adam goes.
    pub learning_rate: f64,
    /// What squared weights cost.
    pub decay: f64,
    /// How often one's own vector is left out.
    pub dropout: f64,
}

impl Default for TwoTower {
    fn default() -> Self {
        Self { factors: 32, batch: 512, learning_rate: 2e-3, decay: 1e-4, dropout: 0.3 }
    }
}

/// One tower while it learns: `h = own + features · weights + bias`, and then `h + max(h, 0) · bend`.
struct Side<'a> {
    profiles: Option<&'a Profiles>,
    own: Tensor,
    weights: Tensor,
    bias: Tensor,
    bend: Tensor,
}

/// What a tower has learned.
struct Learned {
    tower: Tower,
    own: Vec<f32>,
}

/// Learns both towers on a part, until those held out are placed no better, and again for as long on all.
///
/// # Errors
/// When libtorch fails.
pub fn fit(plan: &TwoTower, seen: &Arc<Seen>, seed: u64) -> Result<Factors, MatchingError> {
    let torch = |error: TchError| MatchingError::Torch(error.to_string());
    // Several threads would add up in another order, and so give other bytes.
    tch::set_num_threads(1);
    let inner = Split::Random { test: INNER }.part(&seen.interactions, seed ^ ASKED);
    let all = &seen.interactions;
    let steps = match &inner {
        Ok(parts) => {
            let steps = Training::new(plan, seen, &parts.train, seed).best_steps(parts).map_err(torch)?;
            (steps * all.len()).div_ceil(parts.train.len())
        }
        // Of a handful of pairs none is held out.
        Err(_) => PATIENCE * LEAST_STEPS,
    };
    let [users, items] = Training::new(plan, seen, all, seed).learn(steps).map_err(torch)?;
    let active: Vec<bool> = (0..all.users()).map(|user| !all.of_user(user).is_empty()).collect();
    let known: Vec<bool> = all.popularity().into_iter().map(|count| 0 < count).collect();
    let of_items = items.vectors(seen.items.as_ref(), &known);
    let narrow = |wide: &[f64]| wide[..plan.factors].iter().map(|it| *it as f32).collect::<Vec<f32>>();
    let vectors: Vec<f32> = of_items.iter().flat_map(|vector| narrow(vector)).collect();
    let bias: Vec<f32> = of_items.iter().map(|vector| vector[plan.factors] as f32).collect();
    let of_users = users.vectors(seen.users.as_ref(), &active);
    let of_users: Vec<f32> = of_users.iter().flat_map(|vector| narrow(vector)).collect();
    Ok(Factors::placed(seen, of_users, (vectors, bias), users.tower))
}

impl Learned {
    /// Everybody's vector; of those who are not known, without one of their own.
    fn vectors(&self, profiles: Option<&Profiles>, known: &[bool]) -> Vec<Vec<f64>> {
        let Tower { weights, bias, bend, .. } = &self.tower;
        let width = bias.len();
        let vector = |row: usize| {
            let mut sum = bias.clone();
            let mut add = |times: f64, row: &[f64]| {
                sum.iter_mut().zip(row).for_each(|(sum, it)| *sum += times * it);
            };
            for (feature, _) in profiles.map_or(&[][..], |profiles| profiles.row(row)) {
                add(1.0, &weights[*feature as usize * width..(*feature as usize + 1) * width]);
            }
            if known[row] {
                let own: Vec<f64> =
                    self.own[row * width..(row + 1) * width].iter().map(|it| f64::from(*it)).collect();
                add(1.0, &own);
            }
            let above: Vec<f64> = sum.iter().map(|it| it.max(0.0)).collect();
            for (above, row) in above.iter().zip(bend.chunks_exact(width)) {
                sum.iter_mut().zip(row).for_each(|(sum, it)| *sum += above * it);
            }
            sum
        };
        (0..known.len()).map(vector).collect()
    }
}

impl<'a> Side<'a> {
    fn new(
        store: &nn::VarStore,
        name: &str,
        (profiles, rows): (Option<&'a Profiles>, usize),
        width: usize,
        dice: &mut Dice,
    ) -> Result<Self, TchError> {
        let features = profiles.map_or(0, |profiles| profiles.names().len());
        let root = store.root();
        let mut drawn = |what: &str, rows: usize, deviation: f64| -> Result<Tensor, TchError> {
            let numbers: Vec<f32> = (0..rows * width).map(|_| (deviation * dice.normal()) as f32).collect();
            let numbers = Tensor::f_from_slice(&numbers)?.f_view([rows as i64, width as i64])?;
            Ok(root.var_copy(&format!("{name}_{what}"), &numbers))
        };
        Ok(Self {
            profiles,
            own: drawn("own", rows, 0.1)?,
            weights: drawn("weights", features, 0.1)?,
            bend: drawn("bend", width, 0.02)?,
            bias: root.f_zeros(&format!("{name}_bias"), &[width as i64])?,
        })
    }

    /// The vectors of some rows, whose own ones count as `keep` says.
    fn vectors(&self, rows: &[u32], keep: &[f32]) -> Result<Tensor, TchError> {
        let count = rows.len() as i64;
        let places: Vec<i64> = rows.iter().map(|row| i64::from(*row)).collect();
        let keep = Tensor::f_from_slice(keep)?.f_view([count, 1])?;
        let own = Tensor::f_embedding(&self.own, &Tensor::f_from_slice(&places)?, -1, false, false)?;
        let mut sum = own.f_mul(&keep)?.f_add(&self.bias)?;
        if let Some(profiles) = self.profiles.filter(|profiles| !profiles.names().is_empty()) {
            let features = profiles.names().len();
            let mut told = vec![0.0_f32; rows.len() * features];
            for (row, told) in rows.iter().zip(told.chunks_exact_mut(features)) {
                profiles.row(*row as usize).iter().for_each(|(feature, _)| told[*feature as usize] = 1.0);
            }
            let told = Tensor::f_from_slice(&told)?.f_view([count, features as i64])?;
            sum = sum.f_add(&told.f_matmul(&self.weights)?)?;
        }
        sum.f_add(&sum.f_relu()?.f_matmul(&self.bend)?)
    }

    fn learned(&self) -> Result<Learned, TchError> {
        let narrow = |tensor: &Tensor| Vec::<f32>::try_from(tensor.detach().f_contiguous()?.f_view([-1])?);
        let wide = |tensor: &Tensor| -> Result<Vec<f64>, TchError> {
            Ok(narrow(tensor)?.into_iter().map(f64::from).collect())
        };
        let tower = Tower {
            told: self.profiles.map(Profiles::told).unwrap_or_default(),
            weights: wide(&self.weights)?,
            bias: wide(&self.bias)?,
            bend: wide(&self.bend)?,
        };
        Ok(Learned { tower, own: narrow(&self.own)? })
    }
}

/// Pairs to learn from.
struct Training<'a> {
    plan: TwoTower,
    seen: &'a Seen,
    pairs: &'a Interactions,
    /// The logarithm of how often each item is drawn.
    drawn: Vec<f32>,
    seed: u64,
}

impl<'a> Training<'a> {
    fn new(plan: &TwoTower, seen: &'a Seen, pairs: &'a Interactions, seed: u64) -> Self {
        let often = |count: usize| libm::log(count.max(1) as f64 / pairs.len() as f64) as f32;
        let drawn = pairs.popularity().into_iter().map(often).collect();
        let batch = plan.batch.min(pairs.len().div_ceil(8)).max(2);
        Self { plan: TwoTower { batch, ..*plan }, seen, pairs, drawn, seed }
    }

    fn sides(&self, store: &nn::VarStore) -> Result<[Side<'a>; 2], TchError> {
        let mut dice = Dice::new(self.seed, WEIGHTS);
        let (users, items) = (self.pairs.users(), self.pairs.items());
        let width = self.plan.factors;
        Ok([
            Side::new(store, "user", (self.seen.users.as_ref(), users), width, &mut dice)?,
            Side::new(store, "item", (self.seen.items.as_ref(), items), width + 1, &mut dice)?,
        ])
    }

    /// Takes steps, and after each asks whether that was the last.
    fn steps(
        &self,
        mut is_last: impl FnMut(usize, &[Side<'a>; 2]) -> Result<bool, TchError>,
    ) -> Result<[Side<'a>; 2], TchError> {
        let store = nn::VarStore::new(tch::Device::Cpu);
        let sides = self.sides(&store)?;
        let adam = nn::Adam { wd: self.plan.decay, ..nn::Adam::default() };
        let mut optimizer = adam.build(&store, self.plan.learning_rate)?;
        let mut dice = Dice::new(self.seed, BATCHES);
        for step in 1.. {
            optimizer.backward_step(&self.surprise(&sides, &mut dice)?);
            if is_last(step, &sides)? {
                break;
            }
        }
        Ok(sides)
    }

    fn learn(&self, steps: usize) -> Result<[Learned; 2], TchError> {
        let [users, items] = self.steps(|step, _| Ok(steps <= step))?;
        Ok([users.learned()?, items.learned()?])
    }

    /// After how many steps those held out are placed best.
    fn best_steps(&self, parts: &Parts) -> Result<usize, TchError> {
        let epoch = self.pairs.len().div_ceil(self.plan.batch);
        let every = epoch.div_ceil(ASKED_IN_EPOCH).max(LEAST_STEPS);
        let asked = self.asked(&parts.test);
        let (mut best, mut since) = ((f64::NEG_INFINITY, every), 0);
        self.steps(|step, sides| {
            if step % every == 0 {
                let found = no_grad(|| self.placed(sides, &parts.test, &asked))?;
                since += 1;
                if best.0 < found {
                    (best, since) = ((found, step), 0);
                }
            }
            Ok(PATIENCE < since || MOST_STEPS <= step)
        })?;
        Ok(best.1)
    }

    /// Some of the pairs that were held out, by place.
    fn asked(&self, held_out: &Interactions) -> Vec<u32> {
        let most = MOST_ASKED.min((MOST_SCORES / self.pairs.items().max(1)).max(1));
        let mut asked = Dice::new(self.seed, ASKED).sample(held_out.len() as u32, most);
        asked.sort_unstable();
        asked
    }

    /// How well pairs are placed among all items that the user is not known to have: the mean of 1 / log₂(1 + rank).
    fn placed(&self, sides: &[Side<'a>; 2], held_out: &Interactions, asked: &[u32]) -> Result<f64, TchError> {
        let pairs: Vec<(u32, u32)> = asked
            .iter()
            .map(|at| (held_out.rows()[*at as usize].user, held_out.rows()[*at as usize].item))
            .collect();
        let popularity = self.pairs.popularity();
        let every: Vec<u32> = (0..self.pairs.items() as u32).collect();
        let known: Vec<f32> = popularity.iter().map(|count| f32::from(u8::from(0 < *count))).collect();
        let users: Vec<u32> = pairs.iter().map(|(user, _)| *user).collect();
        let active = |user: &u32| f32::from(u8::from(!self.pairs.of_user(*user as usize).is_empty()));
        let active: Vec<f32> = users.iter().map(active).collect();
        let logits = self.logits(&sides[0].vectors(&users, &active)?, &sides[1].vectors(&every, &known)?)?;
        let scores = Vec::<f32>::try_from(logits.f_contiguous()?.f_view([-1])?)?;
        let of = |((user, item), scores): (&(u32, u32), &[f32])| {
            let own = scores[*item as usize];
            let ahead = scores.iter().filter(|score| own < **score).count();
            let mine = self.pairs.of_user(*user as usize).iter();
            let mine = mine.filter(|row| own < scores[row.item as usize]).count();
            1.0 / libm::log2(2.0 + (ahead - mine) as f64)
        };
        let sum: f64 = pairs.iter().zip(scores.chunks_exact(every.len())).map(of).sum();
        Ok(sum / pairs.len() as f64)
    }

    /// Each user's products with all items, and what items have of their own.
    fn logits(&self, users: &Tensor, items: &Tensor) -> Result<Tensor, TchError> {
        let factors = self.plan.factors as i64;
        let vectors = items.f_narrow(1, 0, factors)?;
        let own = items.f_select(1, factors)?;
        users.f_matmul(&vectors.f_transpose(0, 1)?)?.f_add(&own)
    }

    /// The mean negative logarithm of the chance of each pair's item among those of its batch.
    fn surprise(&self, sides: &[Side<'a>; 2], dice: &mut Dice) -> Result<Tensor, TchError> {
        let batch = self.plan.batch;
        let rows = (0..batch).map(|_| &self.pairs.rows()[dice.index(self.pairs.len())]);
        let (users, items): (Vec<u32>, Vec<u32>) = rows.map(|row| (row.user, row.item)).unzip();
        let mut keep = || -> Vec<f32> {
            (0..batch).map(|_| f32::from(u8::from(self.plan.dropout <= dice.unit()))).collect()
        };
        let (of_users, of_items) = (keep(), keep());
        let asking = users;
        let users = sides[0].vectors(&asking, &of_users)?;
        let logits = self.logits(&users, &sides[1].vectors(&items, &of_items)?)?;
        let drawn: Vec<f32> = items.iter().map(|item| self.drawn[*item as usize]).collect();
        let others = self.others(&asking, &items);
        let shape = [batch as i64, batch as i64];
        let logits = logits.f_sub(&Tensor::f_from_slice(&drawn)?)?;
        let logits = logits.f_add(&Tensor::f_from_slice(&others)?.f_view(shape)?)?;
        let own = logits.f_log_softmax(1, Kind::Float)?.f_diagonal(0, 0, 1)?;
        own.f_mean(Kind::Float)?.f_neg()
    }

    /// What is added to the logits of a batch: of other pairs' items that the user has as well, so much less that they do not
    /// stand against the user's own.
    fn others(&self, users: &[u32], items: &[u32]) -> Vec<f32> {
        let batch = items.len();
        let (mut others, mut had) = (vec![0.0_f32; batch * batch], vec![usize::MAX; self.pairs.items()]);
        for (at, (user, others)) in users.iter().zip(others.chunks_exact_mut(batch)).enumerate() {
            self.pairs.of_user(*user as usize).iter().for_each(|row| had[row.item as usize] = at);
            for (place, other) in items.iter().enumerate() {
                if place != at && had[*other as usize] == at {
                    others[place] = f32::MIN / 2.0;
                }
            }
        }
        others
    }
}
