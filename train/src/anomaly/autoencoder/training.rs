//! How the network learns: batches of rows with some values replaced by other rows', Adam, steps that shrink, and a
//! held-out part that says when to stop.

use tch::{
    Kind, TchError, Tensor,
    nn::{self, OptimizerConfig},
    no_grad,
};

use super::{Device, Layer, Network, NormalScores, Settings};
use crate::anomaly::{dice::Dice, matrix::Matrix};

/// Rows that are looked at at most: more teach a network of this size nothing new.
const MOST_ROWS: usize = 100_000;
/// One row of so many is held out, and at most so many.
const HELD_OUT: (usize, usize) = (10, 4_096);
/// How often the held-out rows are asked, in steps; and after how many times without a better answer training ends.
const ASKED_EVERY: usize = 50;
const PATIENCE: usize = 12;
/// Streams of chance, by what they are for.
const ROWS: u64 = 0;
const WEIGHTS: u64 = 1;
const HELD_OUT_SWAPS: u64 = 2;
const BATCHES: u64 = 3;

/// Rows on the scale of the network, in random order, held-out ones first.
pub(super) struct Rows {
    width: usize,
    held_out: usize,
    /// Row after row; zero where a value is missing.
    values: Vec<f32>,
    /// One where there is a value, zero where it is missing.
    present: Vec<f32>,
}

/// What the network is to repair, what it is to come to, and where that counts.
struct Task {
    swapped: Tensor,
    whole: Tensor,
    present: Tensor,
}

impl Rows {
    pub(super) fn new(table: &Matrix, inputs: &[NormalScores], settings: &Settings) -> Self {
        let mut dice = Dice::new(settings.seed, ROWS);
        let mut chosen = dice.sample(u32::try_from(table.rows()).unwrap_or(u32::MAX), MOST_ROWS);
        dice.shuffle(&mut chosen);
        let (width, count) = (table.width(), chosen.len());
        let (mut values, mut present) =
            (Vec::with_capacity(count * width), Vec::with_capacity(count * width));
        for row in chosen {
            for (input, &value) in inputs.iter().zip(table.row(row as usize)) {
                values.push(input.apply(value) as f32);
                present.push(f32::from(u8::from(!value.is_nan())));
            }
        }
        Self { width, held_out: (count / HELD_OUT.0).min(HELD_OUT.1), values, present }
    }

    fn count(&self) -> usize {
        self.values.len() / self.width
    }

    /// Trains a network, and says how well it repairs the held-out rows.
    pub(super) fn train(&self, settings: &Settings) -> Result<(Network, f64), TchError> {
        // Several threads would add up in another order, and so give other bytes.
        tch::set_num_threads(1);
        let device = match settings.device {
            Device::Cpu => tch::Device::Cpu,
            Device::GpuIfAny => tch::Device::cuda_if_available(),
        };
        let shape = [self.count() as i64, self.width as i64];
        let values = Tensor::f_from_slice(&self.values)?.f_view(shape)?.f_to_device(device)?;
        let present = Tensor::f_from_slice(&self.present)?.f_view(shape)?.f_to_device(device)?;
        let task =
            |rows: &[usize], dice: &mut Dice| self.task(&values, &present, rows, settings.swapped, dice);
        // Of very few rows none is held out; the same ones say when to stop.
        let asked: Vec<usize> = if self.held_out == 0 { 0..self.count() } else { 0..self.held_out }.collect();
        let asked = task(&asked, &mut Dice::new(settings.seed, HELD_OUT_SWAPS))?;
        let store = nn::VarStore::new(device);
        let layers = self.initial(&store, settings)?;
        let mut optimizer = nn::Adam::default().build(&store, settings.learning_rate)?;
        let mut dice = Dice::new(settings.seed, BATCHES);
        let (mut best, mut since) = ((f64::INFINITY, weights_of(&layers)?), 0);
        for step in 0..settings.steps {
            let left = 1.0 - step as f64 / settings.steps as f64;
            optimizer.set_lr(settings.learning_rate * left);
            let learned = self.count() - self.held_out;
            let rows: Vec<usize> = (0..settings.batch).map(|_| self.held_out + dice.index(learned)).collect();
            optimizer.backward_step(&task(&rows, &mut dice)?.error(&layers)?);
            if (step + 1) % ASKED_EVERY == 0 || step + 1 == settings.steps {
                let error = no_grad(|| asked.error(&layers)?.f_double_value(&[]))?;
                since += 1;
                if error < best.0 {
                    (best, since) = ((error, weights_of(&layers)?), 0);
                }
                if PATIENCE < since {
                    break;
                }
            }
        }
        Ok((Network { layers: best.1 }, best.0))
    }

    /// Rows with some values replaced by those of any rows of the same part.
    fn task(
        &self,
        values: &Tensor,
        present: &Tensor,
        rows: &[usize],
        swapped: f64,
        dice: &mut Dice,
    ) -> Result<Task, TchError> {
        let (whole, mut sources) = (rows.len() * self.width, Vec::with_capacity(rows.len() * self.width));
        let mut own = Vec::with_capacity(whole);
        for &row in rows {
            for _ in 0..self.width {
                let source = if dice.unit() < swapped { rows[dice.index(rows.len())] } else { row };
                sources.push(source as i64);
                own.push(row as i64);
            }
        }
        let shape = [rows.len() as i64, self.width as i64];
        let at =
            |positions: &[i64]| Tensor::f_from_slice(positions)?.f_view(shape)?.f_to_device(values.device());
        let (sources, own) = (at(&sources)?, at(&own)?);
        Ok(Task {
            swapped: values.f_gather(0, &sources, false)?,
            whole: values.f_gather(0, &own, false)?,
            present: present.f_gather(0, &own, false)?,
        })
    }

    /// Weights by He et al. (2015), from our own chance; the last layer small, so that it begins near zero.
    fn initial(&self, store: &nn::VarStore, settings: &Settings) -> Result<Vec<[Tensor; 2]>, TchError> {
        let hidden = if settings.hidden == 0 { (4 * self.width).clamp(64, 256) } else { settings.hidden };
        let mut dice = Dice::new(settings.seed, WEIGHTS);
        let sizes = [(self.width, hidden), (hidden, hidden), (hidden, self.width)];
        let mut layers = Vec::new();
        for (at, (inputs, outputs)) in sizes.into_iter().enumerate() {
            let gain: f64 = if at + 1 == sizes.len() { 0.1 } else { 2.0 };
            let deviation = (gain / inputs as f64).sqrt();
            let drawn: Vec<f32> = (0..inputs * outputs).map(|_| (deviation * dice.normal()) as f32).collect();
            let drawn = Tensor::f_from_slice(&drawn)?.f_view([inputs as i64, outputs as i64])?;
            let weights = store.root().var_copy(&format!("weights{at}"), &drawn);
            let biases = store.root().f_zeros(&format!("biases{at}"), &[outputs as i64])?;
            layers.push([weights, biases]);
        }
        Ok(layers)
    }
}

impl Task {
    /// The mean squared error of what the network repairs, over all values that are there.
    fn error(&self, layers: &[[Tensor; 2]]) -> Result<Tensor, TchError> {
        let mut values = self.swapped.shallow_clone();
        for (at, [weights, biases]) in layers.iter().enumerate() {
            if 0 < at {
                values = values.f_relu()?;
            }
            values = biases.f_addmm(&values, weights)?;
        }
        let errors = values.f_sub(&self.whole)?.f_mul(&self.present)?.f_square()?;
        let count = self.present.f_sum(Kind::Float)?.f_clamp_min(1.0)?;
        errors.f_sum(Kind::Float)?.f_div(&count)
    }
}

fn weights_of(layers: &[[Tensor; 2]]) -> Result<Vec<Layer>, TchError> {
    let numbers =
        |tensor: &Tensor| Vec::<f32>::try_from(tensor.detach().f_to_device(tch::Device::Cpu)?.f_view([-1])?);
    let layer = |[weights, biases]: &[Tensor; 2]| {
        let size = weights.size();
        let (inputs, outputs) = (size[0] as usize, size[1] as usize);
        Ok(Layer { inputs, outputs, weights: numbers(weights)?, biases: numbers(biases)? })
    };
    layers.iter().map(layer).collect()
}
