//! The demo keeps its own book beside the product's, by plain arithmetic, and compares the two to the cent.

use std::collections::BTreeMap;

/// What each affiliate should have earned, in cents, by the demo's own count.
#[derive(Debug, Default)]
pub struct Book {
    earned: BTreeMap<String, i64>,
}

impl Book {
    /// Adds to (or takes from) what an affiliate should have.
    pub fn earn(&mut self, affiliate: &str, cents: i64) {
        *self.earned.entry(affiliate.to_owned()).or_default() += cents;
    }

    /// What an affiliate should have.
    pub fn of(&self, affiliate: &str) -> i64 {
        self.earned.get(affiliate).copied().unwrap_or(0)
    }
}

/// `percent` of so many cents, halves rounded up: the arithmetic of a pocket calculator.
pub fn percent_of(cents: i64, percent: i64) -> i64 {
    (cents * percent + 50) / 100
}

/// Cents as people write them.
pub fn euros(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}

/// Reads an amount with two places, as the API prints it, back into cents.
pub fn cents(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.')?;
    (fraction.len() == 2).then(|| format!("{whole}{fraction}").parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_survive_being_printed() {
        for amount in [0, 5, -5, 12_345, -99_999] {
            assert_eq!(cents(&euros(amount)), Some(amount));
        }
    }

    #[test]
    fn half_a_cent_is_rounded_up() {
        assert_eq!(percent_of(1_005, 10), 101);
        assert_eq!(percent_of(1_004, 10), 100);
    }
}
