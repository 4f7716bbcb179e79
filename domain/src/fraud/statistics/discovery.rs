//! Many tests at once, and no more false alarms among the alarms than was agreed.

use super::real;

/// The p-values of many tests, adjusted so that all tests at or below `q` together hold a share of false discoveries of at
/// most `q` on average (Benjamini and Hochberg 1995), whether they are independent or hang together positively
/// (Benjamini and Yekutieli 2001). In the order of the tests; a p-value that is not a number counts as one.
#[must_use]
pub fn adjusted(p_values: &[f64]) -> Vec<f64> {
    let count = real(u64::try_from(p_values.len()).unwrap_or(u64::MAX));
    let p = |place: usize| if p_values[place].is_nan() { 1.0 } else { p_values[place].clamp(0.0, 1.0) };
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|one, other| p(*one).total_cmp(&p(*other)).then(one.cmp(other)));
    let (mut adjusted, mut least, mut rank) = (vec![1.0; p_values.len()], 1.0_f64, count);
    for place in order.into_iter().rev() {
        least = least.min(p(place) * (count / rank));
        adjusted[place] = least;
        rank -= 1.0;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn adjusted_values_are_those_of_the_textbook() {
        // SciPy 1.17's false_discovery_control.
        let found = adjusted(&[0.01, 0.04, 0.03, 0.005, 0.5]);
        for (found, expected) in found.iter().zip([0.025, 0.05, 0.05, 0.025, 0.5]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert!(adjusted(&[]).is_empty());
        assert!((adjusted(&[f64::NAN])[0] - 1.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn adjusting_keeps_the_order_and_never_makes_anything_more_significant(
            p_values in proptest::collection::vec(0.0..1.0_f64, 1..60)
        ) {
            let found = adjusted(&p_values);
            for (one, p) in p_values.iter().enumerate() {
                prop_assert!(*p <= found[one] && found[one] <= 1.0);
                for (other, another) in p_values.iter().enumerate() {
                    prop_assert!(another < p || found[one] <= found[other]);
                }
            }
        }
    }
}
