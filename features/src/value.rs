//! The value of a feature: nothing, a whole number that is exact, or a real one made from whole numbers at the end.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a feature says at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// There is nothing to say: no such key, nothing happened, or what is known is too old.
    Null,
    /// A count, a sum of minor units, seconds; yes is 1 and no is 0.
    Whole(i64),
    /// A mean, a share, a quantile.
    Real(f64),
}

impl Value {
    /// A sum, held at the ends of what 64 bits hold.
    #[must_use]
    pub fn whole(sum: i128) -> Self {
        let end = if sum < 0 { i64::MIN } else { i64::MAX };
        Self::Whole(i64::try_from(sum).unwrap_or(end))
    }

    /// A count, held at the end of what 64 bits hold.
    #[must_use]
    pub fn count(count: u64) -> Self {
        Self::whole(i128::from(count))
    }

    /// One for yes, zero for no.
    #[must_use]
    pub fn yes_or_no(is_so: bool) -> Self {
        Self::Whole(i64::from(is_so))
    }

    /// `part` in `whole`; null when the whole is nothing.
    #[must_use]
    pub fn ratio(part: i128, whole: i128) -> Self {
        if whole == 0 { Self::Null } else { Self::Real(real(part) / real(whole)) }
    }

    /// The number as models take it; not a number where there is none.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Null => f64::NAN,
            Self::Whole(whole) => real(i128::from(whole)),
            Self::Real(value) => value,
        }
    }

    /// Whether two computations agree: whole numbers exactly, real ones to 1e-12 of the larger or of one.
    #[must_use]
    pub fn agrees_with(self, other: Self) -> bool {
        match (self, other) {
            (Self::Real(one), Self::Real(two)) => {
                let scale = one.abs().max(two.abs()).max(1.0);
                (one - two).abs() <= 1e-12 * scale
            }
            (one, two) => one == two,
        }
    }
}

/// A whole number as a real one, rounded where it is beyond 2⁵³.
#[must_use]
pub fn real(whole: i128) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "the one place where an exact number becomes a float")]
    let value = whole as f64;
    value
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Whole(whole) => write!(f, "{whole}"),
            Self::Real(value) => write!(f, "{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_agree_exactly_and_real_ones_nearly() {
        assert!(Value::Whole(3).agrees_with(Value::Whole(3)));
        assert!(!Value::Whole(3).agrees_with(Value::Whole(4)));
        assert!(!Value::Whole(3).agrees_with(Value::Real(3.0)));
        assert!(Value::Real(1e6).agrees_with(Value::Real(1e6 + 5e-7)));
        assert!(!Value::Real(1.0).agrees_with(Value::Real(1.0 + 5e-12)));
        assert!(Value::Null.agrees_with(Value::Null));
        assert!(!Value::Null.agrees_with(Value::Whole(0)));
    }

    #[test]
    fn a_sum_beyond_its_range_stays_at_the_end() {
        assert_eq!(Value::whole(i128::MAX), Value::Whole(i64::MAX));
        assert_eq!(Value::whole(i128::MIN), Value::Whole(i64::MIN));
        assert_eq!(Value::ratio(1, 0), Value::Null);
    }
}
