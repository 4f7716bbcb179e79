//! The best question that a node can be divided by, of one feature: numbers up to an edge, or a set of categories.

use super::{
    bins::{Bins, MISSING},
    histogram::Sums,
    settings::{Monotone, Settings},
};

/// Categories up to this many are each tried alone, and no sets of them (as in LightGBM, `max_cat_to_onehot`).
const FEW: usize = 4;
/// What is lost by rounding is no gain.
const NOTHING: f64 = 1e-12;

/// Which rows go left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rule {
    /// Those in the first bins.
    UpTo { bin: u8, missing_left: bool },
    /// Those in these bins, one bit for each; missing values have theirs.
    Among([u64; 4]),
}

impl Rule {
    pub(super) fn goes_left(&self, bin: u8) -> bool {
        match self {
            Self::UpTo { missing_left, .. } if bin == MISSING => *missing_left,
            Self::UpTo { bin: last, .. } => bin <= *last,
            Self::Among(set) => set[usize::from(bin >> 6)] >> (bin & 63) & 1 == 1,
        }
    }
}

/// A question and what comes of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    pub feature: u32,
    pub rule: Rule,
    /// By how much the loss falls, twice, to second order.
    pub gain: f64,
    pub left: Sums,
    /// What both sides would say.
    pub outputs: [f64; 2],
}

/// What a node may be divided by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parent {
    pub sums: Sums,
    /// Between which values its leaves must stay.
    pub bounds: [f64; 2],
}

/// What derivatives as whole numbers are worth, and how leaves are to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search<'a> {
    pub settings: &'a Settings,
    /// The first and the second derivative that one stands for.
    pub unit: [f64; 2],
}

impl Search<'_> {
    /// What a leaf of these rows would say: −G / (H + λ), the minimum of the loss to second order (Chen and Guestrin
    /// 2016, equation 5), within bounds.
    pub(super) fn output(&self, sums: Sums, bounds: [f64; 2]) -> f64 {
        self.judged(sums, self.settings.l2, bounds).0
    }

    /// What a leaf would say and by how much it lowers the loss, twice: −(2 G w + (H + λ) w²).
    fn judged(&self, sums: Sums, l2: f64, bounds: [f64; 2]) -> (f64, f64) {
        let gradient = sums.gradient as f64 * self.unit[0];
        let hessian = sums.hessian as f64 * self.unit[1] + l2;
        if hessian <= 0.0 {
            return (0.0_f64.clamp(bounds[0], bounds[1]), 0.0);
        }
        let best = -gradient / hessian;
        let output = if best < bounds[0] { bounds[0] } else { best };
        let output = if bounds[1] < output { bounds[1] } else { output };
        (output, -(2.0 * gradient + hessian * output) * output)
    }

    /// The best split by a feature whose bins sum up to these.
    pub(super) fn best(&self, feature: usize, bins: &Bins, sums: &[Sums], parent: &Parent) -> Option<Split> {
        let best = match bins {
            Bins::Numbers(_) => self.best_number(feature, sums, parent),
            Bins::Categories { .. } => self.best_category(feature, sums, parent),
        }?;
        let whole = self.judged(parent.sums, self.settings.l2, parent.bounds).1;
        let gain = best.gain - whole;
        (self.settings.min_gain + NOTHING * whole.abs() < gain).then_some(Split { gain, ..best })
    }

    /// Whether a leaf may have these rows.
    fn is_enough(&self, sums: Sums) -> bool {
        self.settings.min_rows <= sums.rows as usize
            && self.settings.min_hessian <= sums.hessian as f64 * self.unit[1]
    }

    /// Both sides' outputs and what they gain together, where both are large enough.
    fn tried(&self, left: Sums, parent: &Parent, l2: f64) -> Option<([f64; 2], f64)> {
        let right = parent.sums - left;
        if !self.is_enough(left) || !self.is_enough(right) {
            return None;
        }
        let (left, right) = (self.judged(left, l2, parent.bounds), self.judged(right, l2, parent.bounds));
        Some(([left.0, right.0], left.1 + right.1))
    }

    fn best_number(&self, feature: usize, sums: &[Sums], parent: &Parent) -> Option<Split> {
        let (missing, bins) = sums.split_last()?;
        let monotone = self.settings.monotone_in(feature);
        let mut best: Option<Split> = None;
        let sides: &[bool] = if missing.rows == 0 { &[false] } else { &[false, true] };
        for missing_left in sides {
            let mut left = if *missing_left { *missing } else { Sums::default() };
            // Having a value or not is a question of its own, asked once.
            let last = if missing.rows == 0 || *missing_left { bins.len() - 1 } else { bins.len() };
            for (bin, sums) in bins[..last].iter().enumerate() {
                if sums.rows == 0 {
                    continue;
                }
                left += *sums;
                if ((parent.sums.rows - left.rows) as usize) < self.settings.min_rows {
                    break;
                }
                let Some((outputs, gain)) = self.tried(left, parent, self.settings.l2) else { continue };
                let is_allowed = match monotone {
                    Monotone::Free => true,
                    Monotone::Rising => outputs[0] <= outputs[1],
                    Monotone::Falling => outputs[1] <= outputs[0],
                };
                if is_allowed && best.is_none_or(|best| best.gain < gain) {
                    // Where none was missing here, one that is missing later goes where most went.
                    let most_left = parent.sums.rows - left.rows <= left.rows;
                    let missing_left = if missing.rows == 0 { most_left } else { *missing_left };
                    let rule = Rule::UpTo { bin: bin as u8, missing_left };
                    best = Some(Split { feature: feature as u32, rule, gain, left, outputs });
                }
            }
        }
        best
    }

    /// Few categories are tried one by one. Of many, those that want most are put first, and then the best sets begin
    /// at one of the ends (Fisher 1958, as in LightGBM); whatever was not seen here goes right.
    fn best_category(&self, feature: usize, sums: &[Sums], parent: &Parent) -> Option<Split> {
        let (missing, bins) = sums.split_last()?;
        let mut all: Vec<(u8, Sums)> =
            bins.iter().enumerate().map(|(bin, sums)| (bin as u8, *sums)).collect();
        all.retain(|(_, sums)| 0 < sums.rows);
        if all.len() <= FEW {
            let singles = all.iter().map(|single| std::slice::from_ref(single).iter());
            return self.best_set(feature, singles, parent, self.settings.l2);
        }
        if 0 < missing.rows {
            all.push((MISSING, *missing));
        }
        let wish = |sums: &Sums| {
            let hessian = sums.hessian as f64 * self.unit[1] + self.settings.category_smoothing;
            if 0.0 < hessian { sums.gradient as f64 * self.unit[0] / hessian } else { 0.0 }
        };
        all.sort_by(|a, b| wish(&a.1).total_cmp(&wish(&b.1)).then(a.0.cmp(&b.0)));
        let most = self.settings.most_categories.min(all.len().div_ceil(2));
        let l2 = self.settings.l2 + self.settings.category_l2;
        let reversed: Vec<(u8, Sums)> = all.iter().rev().copied().collect();
        self.best_set(feature, [all[..most].iter(), reversed[..most].iter()].into_iter(), parent, l2)
    }

    /// The best of the sets that each list begins with.
    fn best_set<'b>(
        &self,
        feature: usize,
        lists: impl Iterator<Item = std::slice::Iter<'b, (u8, Sums)>>,
        parent: &Parent,
        l2: f64,
    ) -> Option<Split> {
        let mut best: Option<Split> = None;
        for list in lists {
            let (mut left, mut set, mut some) = (Sums::default(), [0_u64; 4], false);
            for (bin, sums) in list {
                left += *sums;
                set[usize::from(bin >> 6)] |= 1 << (bin & 63);
                // Missing values alone would be a set without any category.
                some |= *bin != MISSING;
                let tried = if some { self.tried(left, parent, l2) } else { None };
                if let Some((outputs, gain)) = tried
                    && best.is_none_or(|best| best.gain < gain)
                {
                    best =
                        Some(Split { feature: feature as u32, rule: Rule::Among(set), gain, left, outputs });
                }
            }
        }
        best
    }
}
