//! How long customers take to decide: the distribution of the time from the last touch to the conversion.

/// A distribution function as a table of the logarithm of seconds, linear between its knots.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pace {
    /// The share of those who decide at all that have decided after `second(knot)`.
    decided: Vec<f64>,
}

const KNOTS: usize = 128;
/// From a second to half a year.
const LONGEST_S: f64 = 180.0 * 86_400.0;

impl Pace {
    /// The product-limit estimate for times that are only seen up to a limit of their own (Lynden-Bell 1971; Woodroofe
    /// 1985): of those who were decided by a moment, and would have been seen had they decided then, which share decided
    /// just then. `delays` are pairs of the time taken and the longest that would have been seen, in seconds.
    pub(super) fn of(delays: &[(f64, f64)]) -> Self {
        let (mut taken, mut begun, mut over) = ([0.0; KNOTS], [0.0; KNOTS], [0.0; KNOTS + 1]);
        for (delay_s, limit_s) in delays {
            taken[cell(*delay_s)] += 1.0;
            begun[cell(*delay_s)] += 1.0;
            over[cell(limit_s.max(*delay_s)) + 1] += 1.0;
        }
        for knot in 1..KNOTS {
            begun[knot] += begun[knot - 1];
            over[knot] += over[knot - 1];
        }
        let (mut decided, mut share) = (vec![1.0; KNOTS], 1.0);
        for knot in (0..KNOTS).rev() {
            decided[knot] = share;
            let at_risk = begun[knot] - over[knot];
            // Where all that are left decided, the first cell takes them.
            if taken[knot] < at_risk {
                share *= 1.0 - taken[knot] / at_risk;
            }
        }
        Self { decided }
    }

    /// The share that has decided so many seconds after the last touch.
    pub(super) fn decided(&self, seconds: f64) -> f64 {
        let place = place(seconds);
        let knot = (place as usize).min(KNOTS - 1);
        let before = if knot == 0 { 0.0 } else { self.decided[knot - 1] };
        before + (self.decided[knot] - before) * (place - knot as f64).clamp(0.0, 1.0)
    }
}

fn place(seconds: f64) -> f64 {
    libm::log(seconds.clamp(1.0, LONGEST_S)) / libm::log(LONGEST_S) * KNOTS as f64
}

fn cell(seconds: f64) -> usize {
    (place(seconds) as usize).min(KNOTS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_to_its_end_is_its_own_frequency() {
        let delays: Vec<_> = (1..=1000).map(|at| (f64::from(at) * 100.0, LONGEST_S)).collect();
        let pace = Pace::of(&delays);
        for share in [0.25, 0.5, 0.9] {
            assert!((pace.decided(share * 1e5) - share).abs() < 0.02);
        }
        assert!((pace.decided(1e9) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_could_not_be_seen_yet_is_made_up_for() {
        // Half decide after a minute and half after a day, but one in two is only watched for an hour.
        let mut delays = Vec::new();
        for number in 0..4000 {
            let delay_s = if number % 2 == 0 { 60.0 } else { 86_400.0 };
            let limit_s = if number % 4 < 2 { 3600.0 } else { 1e6 };
            if delay_s <= limit_s {
                delays.push((delay_s, limit_s));
            }
        }
        assert!((Pace::of(&delays).decided(7200.0) - 0.5).abs() < 0.01);
    }
}
