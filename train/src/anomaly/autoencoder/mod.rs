//! The autoencoder: a network that learns to repair rows, and finds strange what it would change.
//!
//! It is a denoising autoencoder (Vincent, Larochelle, Bengio and Manzagol 2008). A value of a training row is now and
//! then replaced by the same column's value of another row, which is ordinary by itself but does not go with the others,
//! and the network learns to say what stood there. What it then makes of a value that does not go with the others is what
//! should stand there, so that the squared difference, feature by feature, is both the score and its reasons.

mod network;
mod normal_scores;
mod training;

use rayon::prelude::*;

use super::{Detector, DetectorError, check_learnable, matrix::Matrix};
pub use network::{Layer, Network};
pub use normal_scores::NormalScores;

/// How a network is made and trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How wide its two hidden layers are; by the number of columns where it is zero.
    pub hidden: usize,
    /// The share of values replaced in training.
    pub swapped: f64,
    /// How many batches it is trained on at most; it ends earlier when the held-out rows get no better.
    pub steps: usize,
    /// Rows of a batch.
    pub batch: usize,
    /// How far the first step goes; later ones go less far, down to nothing.
    pub learning_rate: f64,
    /// Where it is trained.
    pub device: Device,
    /// What all chance follows from.
    pub seed: u64,
}

/// Where a network is trained. The same seed gives the same bytes on one kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// On the processor, on one thread, so that sums are always added in the same order.
    Cpu,
    /// On a GPU where there is one, on the processor otherwise.
    GpuIfAny,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hidden: 0,
            swapped: 0.2,
            steps: 3_000,
            batch: 256,
            learning_rate: 2e-3,
            device: Device::Cpu,
            seed: 0,
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), DetectorError> {
        let wrong = |setting, value: String, allowed| Err(DetectorError::Setting { setting, value, allowed });
        if self.swapped.is_nan() || self.swapped <= 0.0 || 1.0 <= self.swapped {
            return wrong("swapped", self.swapped.to_string(), "above 0 and below 1");
        }
        if !self.learning_rate.is_finite() || self.learning_rate <= 0.0 {
            return wrong("learning_rate", self.learning_rate.to_string(), "above 0");
        }
        if self.steps == 0 || self.batch == 0 {
            return wrong("steps or batch", "0".to_owned(), "at least 1");
        }
        Ok(())
    }
}

/// A trained autoencoder. It needs no libtorch to score.
#[derive(Debug, Clone, PartialEq)]
pub struct Autoencoder {
    inputs: Vec<NormalScores>,
    network: Network,
    held_out_error: f64,
}

impl Autoencoder {
    /// Trains on a table; the same table, settings and seed give the same network at any number of threads.
    ///
    /// # Errors
    /// When there is nothing to learn from, the settings are out of bounds, or libtorch fails.
    pub fn fit(table: &Matrix, settings: &Settings) -> Result<Self, DetectorError> {
        settings.check()?;
        check_learnable(table)?;
        let inputs: Vec<NormalScores> = (0..table.width())
            .into_par_iter()
            .map(|column| NormalScores::fit(table.column(column)))
            .collect();
        let rows = training::Rows::new(table, &inputs, settings);
        let (network, held_out_error) =
            rows.train(settings).map_err(|error| DetectorError::Torch(error.to_string()))?;
        Ok(Self { inputs, network, held_out_error })
    }

    /// How each column is brought to the scale of the network, for another format.
    #[must_use]
    pub fn inputs(&self) -> &[NormalScores] {
        &self.inputs
    }

    /// The network, for another format.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The mean squared error of the held-out rows, some of their values replaced, at the end of training.
    #[must_use]
    pub fn held_out_error(&self) -> f64 {
        self.held_out_error
    }

    /// For each feature of one row, the squared difference between what it is and what the network would make of it, on
    /// the scale of normal scores. A missing value has none.
    #[must_use]
    pub fn squared_errors(&self, row: &[f64]) -> Vec<f64> {
        let scaled: Vec<f32> =
            self.inputs.iter().zip(row).map(|(input, &value)| input.apply(value) as f32).collect();
        let repaired = self.network.apply(&scaled);
        let errors = row.iter().zip(scaled.iter().zip(repaired)).map(|(value, (is, should))| {
            let error = f64::from(*is) - f64::from(should);
            if value.is_nan() { 0.0 } else { error * error }
        });
        errors.collect()
    }
}

impl Detector for Autoencoder {
    fn name(&self) -> &'static str {
        "autoencoder"
    }

    /// The mean of a row's squared errors.
    fn scores(&self, table: &Matrix) -> Result<Vec<f64>, DetectorError> {
        table.check_width(self.inputs.len())?;
        let width = table.width() as f64;
        let rows = table.values().par_chunks(table.width()).with_min_len(256);
        Ok(rows.map(|row| self.squared_errors(row).iter().sum::<f64>() / width).collect())
    }

    fn blame(&self, row: &[f64]) -> Vec<f64> {
        self.squared_errors(row)
    }
}

#[cfg(test)]
mod tests;
