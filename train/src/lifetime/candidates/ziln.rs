//! Zero-inflated log-normal network: the chance that a customer spends at all, and how much, from one network with three
//! outputs (Wang, Liu and Miao 2019, "A Deep Probabilistic Model for Customer Lifetime Value Prediction").
//!
//! Like all candidates it learns how customers differ from what is expected of them: the chance beside that of purchases
//! that come independently, the amount beside what is expected of those who buy. Naive means of log-normal amounts
//! overshoot, because an error of σ counts as a power of e: centre and σ stay within bounds, and the mean is brought to what
//! was spent.

use models::graph::{ElementType, Graph, GraphError, Value};
use tch::{
    Kind, TchError, Tensor,
    nn::{self, OptimizerConfig},
    no_grad,
};

use super::{Candidate, Fit, Model, deviance};
use crate::{
    anomaly::{
        autoencoder::{Layer, Network},
        dice::Dice,
        matrix::Matrix,
    },
    lifetime::{LifetimeError, graph::number, linear::Linear, windows::Training},
};

/// How wide the hidden layers are.
const HIDDEN: [usize; 2] = [32, 16];
/// Networks that differ by chance, of which the mean is taken.
const NETWORKS: usize = 3;
/// Batches at most, and the rows of one.
const STEPS: usize = 2_000;
const BATCH: usize = 512;
const LEARNING_RATE: f64 = 3e-3;
/// What each weight adds to its own gradient, as a part of it: a penalty on squared weights, which Adam scales with the rest.
const DECAY: f64 = 1e-3;
/// How often the held-out customers are asked, in steps; after how many times without a better answer training ends; and how
/// many rows are asked at most.
const ASKED_EVERY: usize = 50;
const PATIENCE: usize = 8;
const MOST_ASKED: usize = 20_000;
/// The bounds of σ.
const SIGMA: (f64, f64) = (0.2, 1.5);
/// The bounds of the chance that is expected, so that it has odds; and of what e is raised to.
const CHANCES: (f64, f64) = (1e-6, 1.0 - 1e-6);
const MOST: f64 = 30.0;
/// The part of buyers beyond each of the bounds of the centre.
const BEYOND: f64 = 0.001;
/// The column that the chance to buy is expected by.
const PURCHASES: &str = "expected_purchases";
/// The streams of chance: of weights and of batches, one for each network.
const WEIGHTS: u64 = 0x6c74_7610;
const BATCHES: u64 = 0x6c74_7620;

pub(super) static CANDIDATE: Candidate = Candidate {
    name: "ziln",
    doc: "A network that says the chance to spend, and a log-normal amount, beside what BG/NBD and Gamma-Gamma expect.",
    fit: Fit::Alone(fit),
};

/// What was learned; it needs no libtorch to predict.
#[derive(Debug, Clone, PartialEq)]
pub struct Ziln {
    /// How columns are read; weights of its terms are not looked at.
    pub inputs: Linear,
    /// The column of purchases that are expected, where it was learned from.
    pub purchases: Option<usize>,
    /// Each with outputs for the chance, the centre and σ.
    pub networks: Vec<Network>,
    /// What is added to the second output, and the bounds of their sum.
    pub centre: [f64; 3],
    /// What ratios are multiplied with, so that the rows that were learned from have the total that was spent.
    pub level: f64,
}

impl Ziln {
    /// How many times its expectation the customer of each row spends, without bounds.
    pub(super) fn ratios(&self, table: &Matrix) -> Vec<f64> {
        let (readings, width) = (self.inputs.readings(table), self.inputs.terms.len());
        let of_row = |row: usize| {
            let inputs: Vec<f32> =
                readings[row * width..(row + 1) * width].iter().map(|reading| *reading as f32).collect();
            let expected = self.expected_chance(table.row(row));
            let ratio = |network: &Network| {
                let outputs: Vec<f64> = network.apply(&inputs).into_iter().map(f64::from).collect();
                self.mean(expected, [outputs[0], outputs[1], outputs[2]])
            };
            self.level * self.networks.iter().map(ratio).sum::<f64>() / self.networks.len() as f64
        };
        (0..table.rows()).map(of_row).collect()
    }

    /// The same in a graph, on rows of the columns that were learned from; networks calculate in float there, too.
    pub(in crate::lifetime) fn add(&self, graph: &mut Graph, rows: &Value) -> Result<Value, GraphError> {
        let readings = self.inputs.add_readings(graph, rows)?;
        let readings = graph.cast(&readings, ElementType::F32)?;
        let one = number(graph, 1.0)?;
        let expected = match self.purchases {
            None => one.clone(),
            Some(column) => graph.columns(rows, &[column])?,
        };
        let none = graph.neg(&expected)?;
        let none = graph.exp(&none)?;
        let expected = graph.sub(&one, &none)?;
        let expected = between(graph, &expected, (CHANCES.0, CHANCES.1))?;
        let rest = graph.sub(&one, &expected)?;
        let odds = graph.div(&expected, &rest)?;
        let odds = graph.log(&odds)?;
        let mut sum: Option<Value> = None;
        for network in &self.networks {
            let outputs = network.table().add(graph, &readings)?;
            let outputs = graph.cast(&outputs, ElementType::F64)?;
            let mean = self.add_mean(graph, &outputs, (&odds, &expected))?;
            sum = Some(match sum {
                None => mean,
                Some(sum) => graph.add(&sum, &mean)?,
            });
        }
        let times = number(graph, self.level / self.networks.len() as f64)?;
        graph.mul(&sum.unwrap_or(one), &times)
    }

    fn add_mean(
        &self,
        graph: &mut Graph,
        outputs: &Value,
        (odds, expected): (&Value, &Value),
    ) -> Result<Value, GraphError> {
        let [start, low, high] = self.centre;
        let mut output = |place: usize| graph.columns(outputs, &[place]);
        let (chance, centre, sigma) = (output(0)?, output(1)?, output(2)?);
        let chance = graph.add(odds, &chance)?;
        let chance = graph.sigmoid(&chance)?;
        let start = number(graph, start)?;
        let centre = graph.add(&centre, &start)?;
        let centre = between(graph, &centre, (low, high))?;
        let most = number(graph, MOST)?;
        let sigma = graph.min(&sigma, &most)?;
        let (exp, one) = (graph.exp(&sigma)?, number(graph, 1.0)?);
        let more = graph.add(&exp, &one)?;
        let sigma = graph.log(&more)?;
        let sigma = between(graph, &sigma, SIGMA)?;
        let square = graph.mul(&sigma, &sigma)?;
        let half = number(graph, 0.5)?;
        let square = graph.mul(&square, &half)?;
        let log = graph.add(&centre, &square)?;
        let amount = graph.exp(&log)?;
        let share = graph.div(&chance, expected)?;
        graph.mul(&share, &amount)
    }

    /// The chance of at least one purchase where so many are expected and each comes by itself.
    fn expected_chance(&self, row: &[f64]) -> f64 {
        let purchases = self.purchases.map_or(1.0, |column| row[column]);
        (-libm::expm1(-purchases)).clamp(CHANCES.0, CHANCES.1)
    }

    /// p / p₀ · exp(μ + σ² / 2): the mean of a zero-inflated log-normal amount, as a multiple of the expectation.
    fn mean(&self, expected: f64, outputs: [f64; 3]) -> f64 {
        let [start, low, high] = self.centre;
        let chance = 1.0 / (1.0 + libm::exp(-(log_odds(expected) + outputs[0])));
        let centre = (start + outputs[1]).clamp(low, high);
        let sigma = libm::log1p(libm::exp(outputs[2].min(MOST))).clamp(SIGMA.0, SIGMA.1);
        chance / expected * libm::exp(centre + 0.5 * sigma * sigma)
    }
}

fn between(graph: &mut Graph, value: &Value, (low, high): (f64, f64)) -> Result<Value, GraphError> {
    let (low, high) = (number(graph, low)?, number(graph, high)?);
    let value = graph.max(value, &low)?;
    graph.min(&value, &high)
}

fn log_odds(chance: f64) -> f64 {
    libm::log(chance / (1.0 - chance))
}

fn fit(training: &Training) -> Result<Model, LifetimeError> {
    let torch = |error: TchError| LifetimeError::Torch(error.to_string());
    // Several threads would add up in another order, and so give other bytes.
    tch::set_num_threads(1);
    let mut model = Ziln {
        inputs: Linear::over(&training.table, &training.shapes, training.unit),
        purchases: training.table.columns().iter().position(|column| column.name == PURCHASES),
        networks: Vec::new(),
        centre: [0.0; 3],
        level: 1.0,
    };
    let targets = Targets::of(training, &mut model);
    let task = Task::of(training, &model, &targets).map_err(torch)?;
    for number in 0..NETWORKS {
        let network = task.learn(&model, number as u64).map_err(torch)?;
        model.networks.push(network);
    }
    let foretold: f64 = (model.ratios(&training.table).iter())
        .zip(training.expected.iter().zip(&training.weights))
        .map(|(ratio, (expected, weight))| weight * expected * ratio)
        .sum();
    let spent: f64 =
        training.actual.iter().zip(&training.weights).map(|(actual, weight)| weight * actual).sum();
    model.level = spent / foretold;
    Ok(Model::ZeroInflated(Box::new(model)))
}

/// What the network is to say of each row.
struct Targets {
    /// Whether something was spent, as zero or one.
    paid: Vec<f32>,
    /// The logarithm of what was spent over what is expected of those who spend; zero where nothing was.
    amounts: Vec<f32>,
    /// The logarithm of the odds to spend that are expected.
    odds: Vec<f32>,
}

impl Targets {
    /// Also finds where the model's centre begins and ends.
    fn of(training: &Training, model: &mut Ziln) -> Self {
        let chance = |row: usize| model.expected_chance(training.table.row(row));
        let amount = |row: usize| {
            let times = training.actual[row] / training.expected[row] * chance(row);
            (0.0 < times).then(|| libm::log(times))
        };
        let rows = 0..training.actual.len();
        let amounts: Vec<Option<f64>> = rows.clone().map(amount).collect();
        let mut sorted: Vec<f64> = amounts.iter().flatten().copied().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let odds = rows.map(|row| log_odds(chance(row)) as f32).collect();
        if let Some(last) = sorted.len().checked_sub(1) {
            let beyond = (BEYOND * last as f64).ceil() as usize;
            let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
            let (low, high) = (sorted[beyond.min(last)], sorted[last - beyond.min(last)]);
            model.centre = [mean, low.min(high), low.max(high)];
        }
        let [_, low, high] = model.centre;
        Self {
            paid: amounts.iter().map(|amount| f32::from(u8::from(amount.is_some()))).collect(),
            amounts: amounts.iter().map(|it| it.map_or(0.0, |it| it.clamp(low, high) as f32)).collect(),
            odds,
        }
    }
}

/// All rows as tensors, and which of them are learned from and asked about.
struct Task<'a> {
    training: &'a Training,
    inputs: Tensor,
    targets: [Tensor; 4],
    seen: Vec<usize>,
    asked: Vec<usize>,
}

impl<'a> Task<'a> {
    fn of(training: &'a Training, model: &Ziln, targets: &Targets) -> Result<Self, TchError> {
        let readings = model.inputs.readings(&training.table);
        let inputs: Vec<f32> = readings.iter().map(|reading| *reading as f32).collect();
        let weights: Vec<f32> = training.weights.iter().map(|weight| *weight as f32).collect();
        let shape = [training.actual.len() as i64, model.inputs.terms.len() as i64];
        let column = |numbers: &[f32]| Tensor::f_from_slice(numbers);
        let mut asked = training.rows(true);
        Dice::new(training.seed, BATCHES).shuffle(&mut asked);
        asked.truncate(MOST_ASKED);
        Ok(Self {
            training,
            inputs: Tensor::f_from_slice(&inputs)?.f_view(shape)?,
            targets: [
                column(&targets.paid)?,
                column(&targets.amounts)?,
                column(&targets.odds)?,
                column(&weights)?,
            ],
            seen: training.rows(false),
            asked,
        })
    }

    /// Trains one network until the deviance of the held-out customers falls no more; the best weights remain.
    fn learn(&self, model: &Ziln, number: u64) -> Result<Network, TchError> {
        let (asked, table) = (positions(&self.asked)?, self.training.table.select(&self.asked));
        let expected: Vec<f64> = (0..table.rows()).map(|row| model.expected_chance(table.row(row))).collect();
        let inputs = self.inputs.f_index_select(0, &asked)?;
        let store = nn::VarStore::new(tch::Device::Cpu);
        let layers = self.initial(&store, number)?;
        let mut optimizer = nn::Adam { wd: DECAY, ..nn::Adam::default() }.build(&store, LEARNING_RATE)?;
        let mut dice = Dice::new(self.training.seed, BATCHES + 1 + number);
        let (mut best, mut since) = ((f64::INFINITY, weights_of(&layers)?), 0);
        for step in 0..STEPS {
            optimizer.set_lr(LEARNING_RATE * (1.0 - step as f64 / STEPS as f64));
            let rows: Vec<usize> = (0..BATCH).map(|_| self.seen[dice.index(self.seen.len())]).collect();
            optimizer.backward_step(&self.surprise(&layers, &rows, model)?);
            if (step + 1) % ASKED_EVERY == 0 {
                let outputs = no_grad(|| Vec::<f32>::try_from(apply(&layers, &inputs)?.f_view([-1])?))?;
                let ratio = |(outputs, expected): (&[f32; 3], &f64)| {
                    model.mean(*expected, outputs.map(f64::from)).clamp(super::RATIOS.0, super::RATIOS.1)
                };
                let ratios: Vec<f64> = outputs.as_chunks().0.iter().zip(&expected).map(ratio).collect();
                let found = deviance(self.training, &self.asked, &ratios);
                since += 1;
                if found < best.0 {
                    (best, since) = ((found, weights_of(&layers)?), 0);
                }
                if PATIENCE < since {
                    break;
                }
            }
        }
        Ok(Network { layers: best.1 })
    }

    /// The weighted mean negative log-likelihood of some rows.
    fn surprise(&self, layers: &[[Tensor; 2]], rows: &[usize], model: &Ziln) -> Result<Tensor, TchError> {
        let rows = positions(rows)?;
        let [paid, amounts, odds, weights] = &self.targets;
        let of = |numbers: &Tensor| numbers.f_index_select(0, &rows);
        let (paid, weights) = (of(paid)?, of(weights)?);
        let outputs = apply(layers, &self.inputs.f_index_select(0, &rows)?)?;
        let odds = outputs.f_select(1, 0)?.f_add(&of(odds)?)?;
        let chance = odds.f_softplus()?.f_sub(&odds.f_mul(&paid)?)?;
        let centre = outputs.f_select(1, 1)?.f_add_scalar(model.centre[0])?;
        let sigma = outputs.f_select(1, 2)?.f_softplus()?.f_clamp(SIGMA.0, SIGMA.1)?;
        let errors = of(amounts)?.f_sub(&centre)?.f_div(&sigma)?.f_square()?.f_mul_scalar(0.5)?;
        let amount = errors.f_add(&sigma.f_log()?)?.f_mul(&paid)?;
        let total = weights.f_sum(Kind::Float)?;
        chance.f_add(&amount)?.f_mul(&weights)?.f_sum(Kind::Float)?.f_div(&total)
    }

    /// Weights by He et al. (2015), from our own chance; the last layer small, so that it begins at the expectation, with
    /// a σ of about one.
    fn initial(&self, store: &nn::VarStore, number: u64) -> Result<Vec<[Tensor; 2]>, TchError> {
        let mut dice = Dice::new(self.training.seed, WEIGHTS + number);
        let width = self.inputs.size()[1] as usize;
        let sizes = [(width, HIDDEN[0]), (HIDDEN[0], HIDDEN[1]), (HIDDEN[1], 3)];
        let mut layers = Vec::new();
        for (at, (inputs, outputs)) in sizes.into_iter().enumerate() {
            let gain: f64 = if at + 1 == sizes.len() { 0.02 } else { 2.0 };
            let deviation = (gain / inputs as f64).sqrt();
            let drawn: Vec<f32> = (0..inputs * outputs).map(|_| (deviation * dice.normal()) as f32).collect();
            let drawn = Tensor::f_from_slice(&drawn)?.f_view([inputs as i64, outputs as i64])?;
            let biases = if at + 1 == sizes.len() { vec![0.0, 0.0, 0.5] } else { vec![0.0_f32; outputs] };
            let biases = Tensor::f_from_slice(&biases)?;
            let root = store.root();
            layers.push([
                root.var_copy(&format!("weights{at}"), &drawn),
                root.var_copy(&format!("biases{at}"), &biases),
            ]);
        }
        Ok(layers)
    }
}

fn positions(rows: &[usize]) -> Result<Tensor, TchError> {
    Tensor::f_from_slice(&rows.iter().map(|row| *row as i64).collect::<Vec<i64>>())
}

fn apply(layers: &[[Tensor; 2]], inputs: &Tensor) -> Result<Tensor, TchError> {
    let mut values = inputs.shallow_clone();
    for (at, [weights, biases]) in layers.iter().enumerate() {
        if 0 < at {
            values = values.f_relu()?;
        }
        values = biases.f_addmm(&values, weights)?;
    }
    Ok(values)
}

fn weights_of(layers: &[[Tensor; 2]]) -> Result<Vec<Layer>, TchError> {
    let numbers = |tensor: &Tensor| Vec::<f32>::try_from(tensor.detach().f_view([-1])?);
    let layer = |[weights, biases]: &[Tensor; 2]| {
        let size = weights.size();
        let (inputs, outputs) = (size[0] as usize, size[1] as usize);
        Ok(Layer { inputs, outputs, weights: numbers(weights)?, biases: numbers(biases)? })
    };
    layers.iter().map(layer).collect()
}
