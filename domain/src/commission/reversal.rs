//! Taking back: what is left of a commission stays proportional to what is left of the order.

use crate::money::Money;

/// How much of a line is to be taken back now (as a positive amount), when `reversed` of the order's
/// `order` has been reversed in all and `already` of the line was taken back before. What stays is the
/// line's part of what is left of the order, rounded to the nearest minor unit, halves away from zero;
/// an order reversed whole leaves exactly nothing. An order without an amount can only be reversed whole.
#[must_use]
pub fn take_back(line: Money, already: Money, order: Money, reversed: Money) -> Money {
    let left = i128::from(order.minor) - i128::from(reversed.minor);
    let kept = if left <= 0 || order.minor <= 0 {
        0
    } else {
        (i128::from(line.minor) * left * 2 + i128::from(order.minor)) / (i128::from(order.minor) * 2)
    };
    let kept = i64::try_from(kept).expect("what is kept is never more than the line");
    Money::new(line.minor - already.minor - kept, line.currency)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn eur(minor: i64) -> Money {
        Money::new(minor, "EUR".parse().unwrap())
    }

    #[test]
    fn half_an_order_keeps_half_the_commission() {
        assert_eq!(take_back(eur(1_001), eur(0), eur(10_000), eur(5_000)), eur(500));
    }

    proptest! {
        #[test]
        fn a_whole_reversal_in_any_steps_leaves_nothing(
            line in 0..10_000_000_i64,
            steps in prop::collection::vec(1..1_000_000_i64, 1..12),
        ) {
            let order: i64 = steps.iter().sum();
            let (mut already, mut reversed) = (0, 0);
            for step in steps {
                reversed += step;
                let back = take_back(eur(line), eur(already), eur(order), eur(reversed));
                prop_assert!(0 <= back.minor);
                already += back.minor;
            }
            prop_assert_eq!(already, line);
        }
    }
}
