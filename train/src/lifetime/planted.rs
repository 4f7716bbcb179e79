//! Customers drawn from BG/NBD and Gamma-Gamma themselves, for tests.

use super::{BgNbd, GammaGamma, Summary, Transactions};
use crate::anomaly::dice::Dice;

/// What is drawn from.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) customers: u32,
    /// First purchases fall evenly on this many days.
    pub(super) joining_days: f64,
    pub(super) days: i32,
    pub(super) bg_nbd: BgNbd,
    pub(super) gamma_gamma: GammaGamma,
}

impl Default for World {
    fn default() -> Self {
        Self {
            customers: 10_000,
            joining_days: 300.0,
            days: 720,
            bg_nbd: BgNbd { r: 0.6, alpha: 20.0, a: 1.2, b: 4.0 },
            gamma_gamma: GammaGamma { p: 6.0, q: 4.0, gamma: 15.0, regularised: false },
        }
    }
}

/// A gamma distributed number of rate one (Marsaglia and Tsang 2000).
fn gamma(dice: &mut Dice, shape: f64) -> f64 {
    if shape < 1.0 {
        let power = libm::pow(1.0 - dice.unit(), 1.0 / shape);
        return power * gamma(dice, shape + 1.0);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let normal = dice.normal();
        let v = (1.0 + c * normal) * (1.0 + c * normal) * (1.0 + c * normal);
        if 0.0 < v && libm::log(1.0 - dice.unit()) < 0.5 * normal * normal + d - d * v + d * libm::log(v) {
            return d * v;
        }
    }
}

impl World {
    pub(super) fn draw(&self, seed: u64) -> Transactions {
        let (mut customers, mut days, mut amounts) = (Vec::new(), Vec::new(), Vec::new());
        for customer in 0..self.customers {
            let mut dice = Dice::new(seed, u64::from(customer));
            let rate = gamma(&mut dice, self.bg_nbd.r) / self.bg_nbd.alpha;
            let [stays, leaves] = [self.bg_nbd.b, self.bg_nbd.a].map(|shape| gamma(&mut dice, shape));
            let spend = gamma(&mut dice, self.gamma_gamma.q) / self.gamma_gamma.gamma;
            let mut at = self.joining_days * dice.unit();
            while at < f64::from(self.days) {
                let day = at as i32;
                customers.push(customer);
                days.push(day);
                amounts.push(gamma(&mut dice, self.gamma_gamma.p) / spend);
                let first = customers.len() < 2 || customers[customers.len() - 2] != customer;
                if !first && dice.unit() * (stays + leaves) < leaves {
                    break;
                }
                at += -libm::log(1.0 - dice.unit()) / rate;
            }
        }
        Transactions::of_days(&customers, &days, &amounts).expect("drawn amounts are finite")
    }
}

/// The summaries of all who had bought by the end of a day.
pub(super) fn summaries(transactions: &Transactions, day: i32) -> Vec<Summary> {
    let known = transactions.known_at(day);
    known.iter().filter_map(|customer| transactions.summary(*customer, day)).collect()
}
