//! A scale on which nine of ten conversions of risk 90 are fraud.

use super::{LogOdds, MILLION, Reason, Scale, Score};

/// A score of an earlier scale, and what people found.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled<'a> {
    /// The score.
    pub score: &'a Score,
    /// Whether it was fraud.
    pub guilty: bool,
}

/// Labels that no scale can be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScaleError {
    /// One side is not known.
    #[error(
        "{guilty} guilty and {honest} honest conversions cannot calibrate; give at least {LEAST} of each"
    )]
    Few {
        /// How many were fraud.
        guilty: usize,
        /// How many were not.
        honest: usize,
    },
    /// Reasons speak for honesty.
    #[error(
        "conversions with more reasons were fraud less often; look at the rules and models before you calibrate them"
    )]
    Backwards,
}

const LEAST: usize = 20;

impl Scale {
    /// Finds the line from what was said to log-odds that explains the labels best (Platt 1999, with the targets and the
    /// Newton steps of Lin, Lin and Weng 2007). A line leaves parts additive and their order alone; points and models
    /// keep their proportions.
    ///
    /// # Errors
    /// When one side has fewer than twenty labels, or when the line falls.
    pub fn fit(&self, labelled: &[Labelled<'_>]) -> Result<Self, ScaleError> {
        let guilty = labelled.iter().filter(|it| it.guilty).count();
        let honest = labelled.len() - guilty;
        if guilty < LEAST || honest < LEAST {
            return Err(ScaleError::Few { guilty, honest });
        }
        let said: Vec<f64> =
            labelled.iter().map(|it| (it.score.log_odds.0 - it.score.base.0) as f64 / MILLION).collect();
        let (above, below) = (guilty as f64, honest as f64);
        let targets: Vec<f64> = labelled
            .iter()
            .map(|it| if it.guilty { (above + 1.0) / (above + 2.0) } else { 1.0 / (below + 2.0) })
            .collect();
        let (slope, base) = line(&said, &targets, libm::log((above + 1.0) / (below + 1.0)));
        if slope.is_nan() || slope <= 0.0 {
            return Err(ScaleError::Backwards);
        }
        let models = libm::round(slope * f64::from(self.models_ppm)).clamp(0.0, f64::from(u32::MAX));
        Ok(Self {
            version: self.version + 1,
            base: LogOdds(libm::round(base * MILLION) as i64),
            point: super::scaled(slope, self.point),
            models_ppm: models as u32,
        })
    }
}

/// Slope and intercept of the logistic regression of the targets on `x`, by Newton's method with halved steps where one
/// would make it worse.
fn line(x: &[f64], targets: &[f64], start: f64) -> (f64, f64) {
    let loss = |slope: f64, base: f64| -> f64 {
        let one = |(x, target): (&f64, &f64)| {
            let z = slope * x + base;
            // ln(1 + eᶻ) − t z, without overflow.
            z.max(0.0) + libm::log1p(libm::exp(-z.abs())) - target * z
        };
        x.iter().zip(targets).map(one).sum()
    };
    let (mut slope, mut base) = (0.0, start);
    let mut least = loss(slope, base);
    for _ in 0..100 {
        let (mut g, mut h) = ([0.0, 0.0], [1e-12, 0.0, 1e-12]);
        for (x, target) in x.iter().zip(targets) {
            let p = 1.0 / (1.0 + libm::exp(-(slope * x + base)));
            let (gap, weight) = (p - target, p * (1.0 - p));
            g = [g[0] + gap * x, g[1] + gap];
            h = [h[0] + weight * x * x, h[1] + weight * x, h[2] + weight];
        }
        if g[0].abs() < 1e-9 && g[1].abs() < 1e-9 {
            break;
        }
        let determinant = h[0] * h[2] - h[1] * h[1];
        let step = [(h[2] * g[0] - h[1] * g[1]) / determinant, (h[0] * g[1] - h[1] * g[0]) / determinant];
        let mut length = 1.0;
        loop {
            let (next_slope, next_base) = (slope - length * step[0], base - length * step[1]);
            let next = loss(next_slope, next_base);
            if next < least {
                (slope, base, least) = (next_slope, next_base, next);
                break;
            }
            length /= 2.0;
            if length < 1e-10 {
                return (slope, base);
            }
        }
    }
    (slope, base)
}

/// What one reason is worth by the labels: the logarithm of how much more often it is among the guilty than among the
/// honest, with half a conversion added to each count (Good 1985). For an operator who wonders about a weight.
#[must_use]
pub fn weight_of_evidence(reason: Reason, labelled: &[Labelled<'_>]) -> f64 {
    let count = |guilty: bool| {
        let side = labelled.iter().filter(move |it| it.guilty == guilty);
        let with = side.clone().filter(|it| it.score.parts.iter().any(|part| part.reason == reason)).count();
        (with as f64 + 0.5) / (side.count() as f64 + 1.0)
    };
    libm::log(count(true) / count(false))
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::fraud::{
        rules::Code,
        score::{Model, Part},
    };

    /// Scores by a scale that says `stretch` times too much, of a world with a base of `base`.
    fn world(seed: u64, stretch: f64, base: f64) -> Vec<(Score, bool)> {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let row = |_| {
            let truth: f64 = 3.0 * (dice.random::<f64>() + dice.random::<f64>()) - 1.0;
            let guilty = dice.random_bool(LogOdds::new(base + truth).unwrap().probability());
            let half = LogOdds::new(stretch * truth / 2.0).unwrap();
            let parts = [Reason::Rule(Code::Listed), Reason::Model(Model::Forest)]
                .map(|reason| Part { reason, log_odds: half });
            (Score::sum(Scale::UNCALIBRATED, parts.to_vec()), guilty)
        };
        (0..20_000).map(row).collect()
    }

    fn labelled(world: &[(Score, bool)]) -> Vec<Labelled<'_>> {
        world.iter().map(|(score, guilty)| Labelled { score, guilty: *guilty }).collect()
    }

    #[test]
    fn a_scale_that_says_too_much_is_mended() {
        let world = world(1, 2.0, -5.0);
        let scale = Scale::UNCALIBRATED.fit(&labelled(&world)).unwrap();
        assert_eq!(scale.version, 1);
        assert!((scale.base.value() + 5.0).abs() < 0.2, "{scale:?}");
        assert!((f64::from(scale.models_ppm) / MILLION - 0.5).abs() < 0.04, "{scale:?}");
        assert!((scale.point.value() / Scale::UNCALIBRATED.point.value() - 0.5).abs() < 0.04, "{scale:?}");
    }

    #[test]
    fn a_calibrated_risk_is_how_often_it_is_fraud() {
        let (train, test) = (world(2, 0.7, -3.0), world(3, 0.7, -3.0));
        let scale = Scale::UNCALIBRATED.fit(&labelled(&train)).unwrap();
        let factor = f64::from(scale.models_ppm) / MILLION;
        for (from, to) in [(0.02, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 0.9)] {
            let (mut expected, mut found, mut rows) = (0.0, 0.0, 0.0);
            for (score, guilty) in &test {
                let said = (score.log_odds.0 - score.base.0) as f64 / MILLION;
                let p = LogOdds::new(scale.base.value() + factor * said).unwrap().probability();
                if (from..to).contains(&p) {
                    (expected, found, rows) =
                        (expected + p, found + f64::from(u8::from(*guilty)), rows + 1.0);
                }
            }
            assert!(
                100.0 < rows && (expected - found).abs() / rows < 0.03,
                "{from}: {expected} {found} of {rows}"
            );
        }
    }

    #[test]
    fn labels_that_say_nothing_or_the_contrary_are_refused() {
        let world = world(4, -1.0, -2.0);
        assert_eq!(Scale::UNCALIBRATED.fit(&labelled(&world)), Err(ScaleError::Backwards));
        let honest: Vec<_> = labelled(&world).into_iter().filter(|it| !it.guilty).take(50).collect();
        assert_eq!(Scale::UNCALIBRATED.fit(&honest), Err(ScaleError::Few { guilty: 0, honest: 50 }));
    }

    #[test]
    fn a_reason_of_the_guilty_is_evidence() {
        let part = |reason| Part { reason, log_odds: LogOdds(1) };
        let listed = Score::sum(Scale::UNCALIBRATED, vec![part(Reason::Rule(Code::Listed))]);
        let none = Score::sum(Scale::UNCALIBRATED, Vec::new());
        let rows: Vec<_> = (0..200)
            .map(|row| Labelled {
                score: if row % 10 == 0 || row < 80 { &listed } else { &none },
                guilty: row < 100,
            })
            .collect();
        // 82 of 100 guilty and 10 of 100 honest ones have it.
        let found = weight_of_evidence(Reason::Rule(Code::Listed), &rows);
        assert!((found - libm::log(82.5 / 10.5)).abs() < 1e-12, "{found}");
    }
}
