//! What a partner's mix of campaigns is worth beside that of the program: some campaigns sell cheap things to many, and others
//! dear ones to few, which says nothing about whoever advertises them.

/// A campaign's conversions count as many of the program's besides.
const OF_PROGRAM: f64 = 20.0;
/// A campaign's clicks count as many of the program's besides as bring so many conversions.
const USUAL_CONVERSIONS: f64 = 5.0;
/// The usual mix counts for so many conversions in what clicks let expect.
const USUAL_CLICKED: f64 = 1.0;

/// A conversion of a campaign.
#[derive(Clone, Copy, Debug)]
pub struct Sold {
    /// The number of the campaign.
    pub campaign: usize,
    /// What it brought.
    pub value: f64,
}

/// What a partner did for which campaigns.
#[derive(Clone, Debug, Default)]
pub struct Efforts {
    /// Its conversions.
    pub sold: Vec<Sold>,
    /// How many clicks it sent to which campaign; none where that is not known.
    pub clicks: Vec<(usize, u64)>,
}

/// What a partner's mix is worth over the usual one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    /// The logarithm.
    pub log: f64,
    /// How unsure it is which campaigns the partner sells, as the logarithm's variance.
    pub variance: f64,
    /// How unsure it is what these campaigns are worth; own conversions, which say that of themselves, make it matter less.
    pub of_campaigns: f64,
}

/// What was learned of campaigns.
#[derive(Clone, Debug)]
pub struct Mixes {
    /// The mean value of each over that of the program.
    campaigns: Vec<f64>,
    /// How many conversions were learned from of each.
    counts: Vec<f64>,
    /// The variance of these means, as parts of them.
    unsure: Vec<f64>,
    /// How many conversions a click of each brings.
    rates: Vec<f64>,
    /// Over all conversions.
    usual: f64,
    /// As many conversions the mix that clicks let expect counts for in a partner's.
    strength: f64,
    /// The variance of partners' mixes around it.
    between: f64,
}

impl Mixes {
    /// Learns from what partners did for `campaigns` campaigns: each campaign's mean is drawn towards the program's, and each
    /// partner's mix towards what its clicks let expect, as far as that was right of others (Bühlmann and Straub 1970).
    #[must_use]
    pub fn fit(partners: &[Efforts], campaigns: usize) -> Self {
        let (mut sums, mut all) = (vec![(0.0, 0.0); campaigns], (0.0, 0.0));
        let mut clicks = vec![0.0; campaigns];
        for partner in partners {
            for sold in &partner.sold {
                for sum in [&mut sums[sold.campaign], &mut all] {
                    sum.0 += sold.value;
                    sum.1 += 1.0;
                }
            }
            partner.clicks.iter().for_each(|(campaign, count)| clicks[*campaign] += *count as f64);
        }
        let mean = if 0.0 < all.0 { all.0 / all.1 } else { 1.0 };
        let index = |(value, count): &(f64, f64)| {
            let drawn = (f64::max(*value, 0.0) + OF_PROGRAM * mean) / (count + OF_PROGRAM);
            drawn / mean
        };
        let campaigns: Vec<f64> = sums.iter().map(index).collect();
        let usual = sums.iter().zip(&campaigns).map(|((_, count), index)| count * index).sum::<f64>();
        let usual = if all.1 < 1.0 { 1.0 } else { usual / all.1 };
        let usual_clicks = USUAL_CONVERSIONS * clicks.iter().sum::<f64>() / f64::max(all.1, 1.0);
        let rate = |((_, count), clicks): (&(f64, f64), &f64)| {
            (count + USUAL_CONVERSIONS) / f64::max(clicks + usual_clicks, 1.0)
        };
        let rates = sums.iter().zip(&clicks).map(rate).collect();
        let unsure = unsure(partners, &sums);
        let counts = sums.iter().map(|(_, count)| *count).collect();
        let mut mixes = Self { campaigns, counts, unsure, rates, usual, strength: 0.0, between: 0.0 };
        mixes.compare(partners, all.1);
        mixes
    }

    /// How partners' mixes differ from what their clicks let expect, and the campaigns within them.
    fn compare(&mut self, partners: &[Efforts], all: f64) {
        let (mut within, mut freedom, mut between, mut squares, mut count) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for partner in partners.iter().filter(|partner| !partner.sold.is_empty()) {
            let many = partner.sold.len() as f64;
            let indices = || partner.sold.iter().map(|sold| self.of(sold.campaign));
            let mean = indices().sum::<f64>() / many;
            within += indices().map(|index| square(index - mean)).sum::<f64>();
            freedom += many - 1.0;
            between += many * square(mean - self.expected(partner));
            squares += many * many;
            count += 1.0;
        }
        let within = within / f64::max(freedom, 1.0);
        let spread = all - squares / f64::max(all, 1.0);
        if spread <= 0.0 {
            return;
        }
        // Alike partners still have mixes of their own: a thousandth of what campaigns differ by.
        self.between = f64::max((between - (count - 1.0) * within) / spread, 1e-3 * within);
        self.strength = if 0.0 < self.between { within / self.between } else { 0.0 };
    }

    /// The mix that a partner's clicks let expect.
    fn expected(&self, partner: &Efforts) -> f64 {
        let (mut sum, mut weight) = (USUAL_CLICKED * self.usual, USUAL_CLICKED);
        for (campaign, count) in &partner.clicks {
            let conversions = *count as f64 * self.rates[*campaign];
            sum += conversions * self.of(*campaign);
            weight += conversions;
        }
        sum / weight
    }

    /// Whether anybody sold a campaign among what was learned from.
    #[must_use]
    pub fn knows(&self, campaign: usize) -> bool {
        self.counts.get(campaign).is_some_and(|count| 0.0 < *count)
    }

    /// What a campaign's conversions are worth over the program's.
    #[must_use]
    pub fn of(&self, campaign: usize) -> f64 {
        self.campaigns[campaign]
    }

    /// What a partner's mix is worth over the usual one, from its clicks and conversions.
    #[must_use]
    pub fn mix(&self, partner: &Efforts) -> Mix {
        let (count, expected) = (partner.sold.len() as f64, self.expected(partner));
        let weight = count + self.strength;
        let own = if partner.sold.is_empty() { 0.0 } else { count / weight };
        let sum: f64 = partner.sold.iter().map(|sold| self.of(sold.campaign)).sum();
        let mix = own * sum / f64::max(count, 1.0) + (1.0 - own) * expected;
        let parts = self.parts(partner, own);
        let total: f64 = parts.iter().sum();
        let of_campaigns = parts.iter().zip(&self.unsure).map(|(part, unsure)| square(part / total) * unsure);
        Mix {
            log: libm::log(mix / self.usual),
            variance: (1.0 - own) * self.between / square(mix),
            of_campaigns: if 0.0 < total { of_campaigns.sum() } else { 0.0 },
        }
    }

    /// How much of a partner's mix is each campaign's, by value: of its conversions and of those that its clicks let expect.
    fn parts(&self, partner: &Efforts, own: f64) -> Vec<f64> {
        let mut parts = vec![0.0; self.campaigns.len()];
        let count = f64::max(partner.sold.len() as f64, 1.0);
        for sold in &partner.sold {
            parts[sold.campaign] += own / count * self.of(sold.campaign);
        }
        let clicked = || {
            partner.clicks.iter().map(|(campaign, count)| (*campaign, *count as f64 * self.rates[*campaign]))
        };
        let conversions: f64 = clicked().map(|(_, conversions)| conversions).sum();
        for (campaign, conversions_of) in clicked() {
            parts[campaign] +=
                (1.0 - own) * conversions_of / f64::max(conversions, 1e-12) * self.of(campaign);
        }
        parts
    }

    /// What a conversion would have brought if its campaign were like the usual mix.
    #[must_use]
    pub fn without_campaign(&self, sold: &Sold) -> f64 {
        sold.value * self.usual / self.of(sold.campaign)
    }
}

/// The variance of each campaign's mean as a part of it, from how conversions of a campaign differ.
fn unsure(partners: &[Efforts], sums: &[(f64, f64)]) -> Vec<f64> {
    let (mut squares, mut freedom) = (0.0, 0.0);
    for sold in partners.iter().flat_map(|partner| &partner.sold) {
        let (value, count) = sums[sold.campaign];
        if 0.0 < value && 1.0 < count {
            squares += square(sold.value * count / value - 1.0);
            freedom += (count - 1.0) / count;
        }
    }
    let within = squares / f64::max(freedom, 1.0);
    sums.iter().map(|(_, count)| within / (count + OF_PROGRAM)).collect()
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

    fn efforts(sold: Vec<Sold>) -> Efforts {
        Efforts { sold, clicks: Vec::new() }
    }

    #[test]
    fn a_mix_is_told_from_many_conversions_and_not_from_few() {
        let cheap = |count| vec![sold(0, 10.0); count];
        let dear = |count| vec![sold(1, 90.0); count];
        let both = [cheap(500), dear(500)].concat();
        let partners = [cheap(1_000), dear(1_000), both.clone(), both].map(efforts);
        let mixes = Mixes::fit(&partners, 2);
        assert!((mixes.of(0) / mixes.of(1) - 1.0 / 9.0).abs() < 0.05);
        let nobody = mixes.mix(&efforts(Vec::new()));
        let (few, many) = (mixes.mix(&efforts(dear(1))), mixes.mix(&efforts(dear(1_000))));
        assert!(nobody.log.abs() < 1e-12 && nobody.log < few.log && few.log < many.log);
        assert!(many.variance < few.variance && few.variance < nobody.variance);
        assert!((many.log - libm::log(90.0 / 50.0)).abs() < 0.05, "{many:?}");
        let adjusted = [mixes.without_campaign(&sold(0, 10.0)), mixes.without_campaign(&sold(1, 90.0))];
        assert!((adjusted[0] / adjusted[1] - 1.0).abs() < 0.1, "{adjusted:?}");
    }

    #[test]
    fn clicks_tell_of_a_mix_before_anything_is_sold() {
        let partner = |campaign, count: usize| Efforts {
            sold: vec![sold(campaign, [10.0, 90.0][campaign]); count],
            clicks: vec![(campaign, 50 * count as u64)],
        };
        let mut partners: Vec<Efforts> = (1..40).map(|place| partner(place % 2, place)).collect();
        let newcomer = Efforts { sold: Vec::new(), clicks: vec![(1, 400)] };
        partners.push(newcomer.clone());
        let mixes = Mixes::fit(&partners, 2);
        let (told, known) = (mixes.mix(&newcomer), mixes.mix(&partner(1, 1_000)));
        assert!(0.7 * known.log < told.log && told.log <= known.log, "{told:?} of {known:?}");
        assert!(told.variance < 0.05, "{told:?}");
    }

    #[test]
    fn a_campaign_that_nobody_sold_is_not_known() {
        let clicked = Efforts { sold: vec![sold(2, 5.0)], clicks: vec![(0, 50)] };
        let mixes = Mixes::fit(&[clicked], 3);
        assert_eq!([0, 1, 2, 3].map(|campaign| mixes.knows(campaign)), [false, false, true, false]);
    }

    #[test]
    fn one_campaign_changes_nothing() {
        let partners = [efforts(vec![sold(0, 3.0), sold(0, 9.0)]), efforts(vec![sold(0, 1.0)])];
        let mixes = Mixes::fit(&partners, 1);
        assert!((mixes.without_campaign(&sold(0, 7.0)) - 7.0).abs() < 1e-12);
        let mix = mixes.mix(&partners[1]);
        assert!(mix.log.abs() < 1e-12 && mix.variance.abs() < 1e-12);
    }
}
