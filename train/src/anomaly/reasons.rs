//! Why a row is strange, in the order of guilt.

/// One feature's part in a row's strangeness.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reason {
    /// The column.
    pub feature: usize,
    /// What it contributes, in the detector's own units; always above zero.
    pub blame: f64,
}

/// The guiltiest features of a row, at most `count` of them, guiltiest first; of equally guilty ones the first column
/// first. Features that make the row more ordinary are no reasons.
#[must_use]
pub fn guiltiest(blame: &[f64], count: usize) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = blame
        .iter()
        .enumerate()
        .filter(|(_, blame)| 0.0 < **blame)
        .map(|(feature, &blame)| Reason { feature, blame })
        .collect();
    reasons.sort_by(|a, b| b.blame.total_cmp(&a.blame));
    reasons.truncate(count);
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guiltiest_come_first_and_the_innocent_not_at_all() {
        let reasons = guiltiest(&[0.5, -2.0, 3.0, 0.5, f64::NAN, 0.0], 3);
        let features: Vec<usize> = reasons.iter().map(|reason| reason.feature).collect();
        assert_eq!(features, [2, 0, 3]);
        assert_eq!(guiltiest(&[1.0, 2.0], 1), [Reason { feature: 1, blame: 2.0 }]);
    }
}
