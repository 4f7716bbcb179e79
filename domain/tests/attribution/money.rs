//! Credit becomes money: shares, lines and refunds sum to the minor unit.

use domain::{
    AffiliateId, Money, PlanId, Rate,
    attribution::{RULES, share},
    campaign::EventKind,
    commission::{Credit, Percentage, Plan, Rule, Sale, Terms, settle, take_back},
};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

use crate::orders::{Order, path};

fn plan(rate: Rate) -> Plan {
    let terms = Terms::Percentage(Percentage { rate });
    Plan { id: PlanId::from(Uuid::nil()), version: 1, rules: vec![Rule { event: None, terms }] }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn orders_are_divided_to_the_cent_and_refunded_to_nothing(seed: u64) {
        prop_assert!(Order::random(&mut ChaCha8Rng::seed_from_u64(seed)).is_right());
    }

    #[test]
    fn lines_of_commission_sum_to_what_one_affiliate_would_earn(
        seed: u64,
        rule in 0..RULES.len(),
        minor in 1..1_000_000_i64,
        ppm in 1..=1_000_000_u32,
        refunded in 0.0..1.0,
    ) {
        let amount = Money::new(minor, "EUR".parse().unwrap());
        let (rate, path) = (Rate { ppm }, path(&mut ChaCha8Rng::seed_from_u64(seed)));
        prop_assume!(!path.touches().is_empty());
        let plan = plan(rate);
        let credit = |(share_ppm, affiliate): (u32, AffiliateId)| Credit {
            affiliate, share_ppm, because: String::new(), plan: &plan, upline: Vec::new(),
        };
        let shares = share(RULES[rule], &path);
        let credits: Vec<_> = shares.iter().map(|share| credit((share.ppm, path.touches()[share.touch].affiliate))).collect();
        let lines = settle(&Sale { event: "sale", kind: EventKind::Sale, amount }, &credits);
        prop_assert_eq!(lines.iter().map(|line| line.amount.minor).sum::<i64>(), rate.of(amount).minor);

        let zero = Money::zero(amount.currency);
        let part = Money::new((minor as f64 * refunded) as i64, amount.currency);
        for line in lines {
            let first = take_back(line.amount, zero, amount, part);
            let second = take_back(line.amount, first, amount, amount);
            prop_assert!(0 <= first.minor && 0 <= second.minor);
            prop_assert_eq!(first.minor + second.minor, line.amount.minor);
        }
    }
}
