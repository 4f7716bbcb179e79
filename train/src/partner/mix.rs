//! What a partner's mix of campaigns is worth beside that of the program: some campaigns sell cheap things to many, and others
//! dear ones to few, which says nothing about whoever advertises them.

/// A campaign's conversions count as many of the program's besides.
const OF_PROGRAM: f64 = 20.0;

/// A conversion of a campaign.
#[derive(Clone, Copy, Debug)]
pub struct Sold {
    /// The number of the campaign.
    pub campaign: usize,
    /// What it brought.
    pub value: f64,
}

/// What was learned of campaigns.
#[derive(Clone, Debug)]
pub struct Mixes {
    /// The mean value of each over that of the program.
    campaigns: Vec<f64>,
    /// Over all conversions.
    usual: f64,
    /// As many conversions the usual mix counts for in a partner's.
    strength: f64,
    /// The variance of partners' mixes.
    between: f64,
}

impl Mixes {
    /// Learns from partners' conversions in `campaigns` campaigns: each campaign's mean is drawn towards the program's, and
    /// each partner's mix towards the usual one, as far as partners are alike (Bühlmann and Straub 1970).
    #[must_use]
    pub fn fit(partners: &[Vec<Sold>], campaigns: usize) -> Self {
        let (mut sums, mut all) = (vec![(0.0, 0.0); campaigns], (0.0, 0.0));
        for sold in partners.iter().flatten() {
            for sum in [&mut sums[sold.campaign], &mut all] {
                sum.0 += sold.value;
                sum.1 += 1.0;
            }
        }
        let mean = if 0.0 < all.0 { all.0 / all.1 } else { 1.0 };
        let index = |(value, count): &(f64, f64)| {
            let drawn = (f64::max(*value, 0.0) + OF_PROGRAM * mean) / (count + OF_PROGRAM);
            drawn / mean
        };
        let campaigns: Vec<f64> = sums.iter().map(index).collect();
        let usual = sums.iter().zip(&campaigns).map(|((_, count), index)| count * index).sum::<f64>();
        let mut mixes = Self { campaigns, usual: usual / f64::max(all.1, 1.0), strength: 0.0, between: 0.0 };
        if all.1 < 1.0 {
            mixes.usual = 1.0;
        }
        mixes.compare(partners, all.1);
        mixes
    }

    /// How partners' mixes differ, and the campaigns within them.
    fn compare(&mut self, partners: &[Vec<Sold>], all: f64) {
        let (mut within, mut freedom, mut between, mut squares, mut count) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for partner in partners.iter().filter(|partner| !partner.is_empty()) {
            let many = partner.len() as f64;
            let mean = partner.iter().map(|sold| self.of(sold.campaign)).sum::<f64>() / many;
            within += partner.iter().map(|sold| square(self.of(sold.campaign) - mean)).sum::<f64>();
            freedom += many - 1.0;
            between += many * square(mean - self.usual);
            squares += many * many;
            count += 1.0;
        }
        let within = within / f64::max(freedom, 1.0);
        let spread = all - squares / f64::max(all, 1.0);
        if spread <= 0.0 || within <= 0.0 {
            return;
        }
        // Alike partners still have mixes of their own: a thousandth of what campaigns differ by.
        self.between = f64::max((between - (count - 1.0) * within) / spread, 1e-3 * within);
        self.strength = within / self.between;
    }

    /// What a campaign's conversions are worth over the program's.
    #[must_use]
    pub fn of(&self, campaign: usize) -> f64 {
        self.campaigns[campaign]
    }

    /// What a partner's mix is worth over the usual one, from its conversions: the logarithm's mean and variance.
    #[must_use]
    pub fn log_mix(&self, partner: &[Sold]) -> (f64, f64) {
        let count = partner.len() as f64;
        let weight = count + self.strength;
        if weight <= 0.0 {
            return (0.0, 0.0);
        }
        let sum: f64 = partner.iter().map(|sold| self.of(sold.campaign)).sum();
        let mix = (sum + self.strength * self.usual) / weight;
        (libm::log(mix / self.usual), self.between * self.strength / weight / square(mix))
    }

    /// What a conversion would have brought if its campaign were like the usual mix.
    #[must_use]
    pub fn without_campaign(&self, sold: &Sold) -> f64 {
        sold.value * self.usual / self.of(sold.campaign)
    }
}

fn square(number: f64) -> f64 {
    number * number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sold(campaign: usize, value: f64) -> Sold {
        Sold { campaign, value }
    }

    #[test]
    fn a_mix_is_told_from_many_conversions_and_not_from_few() {
        let cheap = |count| vec![sold(0, 10.0); count];
        let dear = |count| vec![sold(1, 90.0); count];
        let both = [cheap(500), dear(500)].concat();
        let mixes = Mixes::fit(&[cheap(1_000), dear(1_000), both.clone(), both], 2);
        assert!((mixes.of(0) / mixes.of(1) - 1.0 / 9.0).abs() < 0.05);
        let (nobody, _) = mixes.log_mix(&[]);
        let ((few, unsure), (many, sure)) = (mixes.log_mix(&dear(1)), mixes.log_mix(&dear(1_000)));
        assert!(nobody.abs() < 1e-12 && nobody < few && few < many && sure < unsure);
        assert!((many - libm::log(90.0 / 50.0)).abs() < 0.05, "{many}");
        let adjusted = [mixes.without_campaign(&sold(0, 10.0)), mixes.without_campaign(&sold(1, 90.0))];
        assert!((adjusted[0] / adjusted[1] - 1.0).abs() < 0.1, "{adjusted:?}");
    }

    #[test]
    fn one_campaign_changes_nothing() {
        let mixes = Mixes::fit(&[vec![sold(0, 3.0), sold(0, 9.0)], vec![sold(0, 1.0)]], 1);
        assert!((mixes.without_campaign(&sold(0, 7.0)) - 7.0).abs() < 1e-12);
        let (log, variance) = mixes.log_mix(&[sold(0, 3.0)]);
        assert!(log.abs() < 1e-12 && variance.abs() < 1e-12);
    }
}
