//! The event lake as jobs read it: each event once.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
};

use anyhow::{Result, ensure};
use domain::{
    AffiliateId, CampaignId, Money, Rate,
    conversion::ConversionStatus,
    event::{Event, Kind, Known},
};
use features::{
    entity::event_id,
    lake::{Lake, Told},
};

/// The lake at an address, where there is one.
pub(super) fn open(address: &Path) -> Result<Lake> {
    let lake = Lake::open(address)?;
    ensure!(lake.exists()?, "there is no event lake in {}", address.display());
    Ok(lake)
}

/// An amount in whole units of its currency.
pub(super) fn amount(money: Money) -> f64 {
    money.minor as f64 / libm::pow(10.0, f64::from(money.currency.places()))
}

/// Tells each event of a kind once, with when it became known, in the order of knowing.
pub(super) fn each(
    lake: &Lake,
    kind: Kind,
    columns: &[&'static str],
    range: &std::ops::Range<i64>,
    mut tell: impl FnMut(&Known<Event>),
) -> Result<()> {
    let told = Told { kind, occurred_us: range.clone(), columns: columns.iter().copied().collect() };
    let mut replay = lake.replay(vec![told], i64::MIN..i64::MAX)?;
    let mut seen = HashSet::new();
    while let Some(block) = replay.next_block()? {
        for known in block.iter().flatten() {
            if seen.insert(event_id(&known.event)) {
                tell(known);
            }
        }
    }
    Ok(())
}

/// What became of orders.
pub(super) struct Fates(HashMap<u128, Vec<Turn>>);

/// Something that became of an order, and when that became known.
struct Turn {
    known_us: i64,
    what: Change,
}

enum Change {
    Moved(ConversionStatus),
    /// So many minor units were given back.
    Refunded(i64),
}

impl Fates {
    pub(super) fn read(lake: &Lake) -> Result<Self> {
        let mut turns: HashMap<u128, Vec<Turn>> = HashMap::new();
        let always = i64::MIN..i64::MAX;
        let columns = ["conversion_id", "amount_minor", "currency"];
        for (kind, columns) in
            [(Kind::StatusChange, &["conversion_id", "status"][..]), (Kind::Refund, &columns)]
        {
            each(lake, kind, columns, &always, |known| {
                let (conversion, what) = match &known.event {
                    Event::StatusChange(change) => (change.conversion, Change::Moved(change.to)),
                    Event::Refund(refund) => (refund.conversion, Change::Refunded(refund.amount.minor)),
                    _ => return,
                };
                let turn = Turn { known_us: known.known_at_us, what };
                turns.entry(conversion.uuid().as_u128()).or_default().push(turn);
            })?;
        }
        turns.values_mut().for_each(|turns| turns.sort_by_key(|turn| turn.known_us));
        Ok(Self(turns))
    }

    /// When something became known of an order.
    pub(super) fn known_us(&self, order: u128) -> impl Iterator<Item = i64> {
        self.0.get(&order).into_iter().flatten().map(|turn| turn.known_us)
    }

    /// What is left of an order's amount by what was known before an instant, in minor units. None where it has come to
    /// nothing: it was rejected, or all of it was given back. A reversal may be of a part; how much that was, refunds say,
    /// and without any it was of everything.
    pub(super) fn left(&self, order: u128, minor: i64, until_us: i64) -> Option<i64> {
        let (mut status, mut refunded) = (None, None);
        let turns = self.0.get(&order).map_or(&[][..], Vec::as_slice);
        for turn in turns.iter().take_while(|turn| turn.known_us < until_us) {
            match turn.what {
                Change::Moved(to) => status = Some(to),
                Change::Refunded(minor) => refunded = Some(refunded.unwrap_or(0) + minor),
            }
        }
        match (status, refunded) {
            (Some(ConversionStatus::Rejected), _) | (Some(ConversionStatus::Reversed), None) => None,
            (_, None) => Some(minor.max(0)),
            (_, Some(refunded)) => Some(minor - refunded).filter(|left| 0 < *left),
        }
    }
}

/// What campaigns pay, from when on.
pub(super) struct Rates(BTreeMap<(CampaignId, Option<AffiliateId>), History>);

/// Rates by when they began, and by the event that said so.
type History = BTreeMap<(i64, u128), Rate>;

impl Rates {
    pub(super) fn read(lake: &Lake) -> Result<Self> {
        let mut rates: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        let always = i64::MIN..i64::MAX;
        each(lake, Kind::RateChange, &["campaign_id", "affiliate_id", "rate_ppm"], &always, |known| {
            let Event::RateChange(change) = &known.event else { return };
            let at = (change.occurred_at_us, change.id.uuid().as_u128());
            rates.entry((change.campaign, change.affiliate)).or_default().insert(at, change.rate);
        })?;
        Ok(Self(rates))
    }

    /// The affiliate's own rate at that time, or everybody's.
    pub(super) fn at(
        &self,
        campaign: CampaignId,
        affiliate: Option<AffiliateId>,
        at_us: i64,
    ) -> Option<Rate> {
        let of = |affiliate| {
            let changes = self.0.get(&(campaign, affiliate))?;
            changes.range(..=(at_us, u128::MAX)).next_back().map(|(_, rate)| *rate)
        };
        of(affiliate).or_else(|| of(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reversal_takes_what_was_given_back_and_everything_where_nobody_says_how_much() {
        let turn = |known_us, what| Turn { known_us, what };
        let moved = |to| Change::Moved(to);
        let fates = Fates(HashMap::from([
            (1, vec![turn(5, Change::Refunded(30)), turn(5, moved(ConversionStatus::Reversed))]),
            (2, vec![turn(5, moved(ConversionStatus::Reversed))]),
            (3, vec![turn(5, moved(ConversionStatus::Rejected)), turn(9, moved(ConversionStatus::Approved))]),
            (4, vec![turn(5, Change::Refunded(60)), turn(7, Change::Refunded(40))]),
        ]));
        assert_eq!([4, 5, 6].map(|until| fates.left(1, 100, until)), [Some(100), Some(100), Some(70)]);
        assert_eq!((fates.left(2, 100, 5), fates.left(2, 100, 6)), (Some(100), None));
        assert_eq!([6, 10].map(|until| fates.left(3, 100, until)), [None, Some(100)]);
        assert_eq!([6, 8].map(|until| fates.left(4, 100, until)), [Some(40), None]);
        assert_eq!(fates.left(5, 0, i64::MAX), Some(0));
    }
}
