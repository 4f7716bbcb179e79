//! What is found out about sources is the same in whatever order it became known, and bursts are told from busy days.

use chrono::DateTime;
use domain::{
    AffiliateId, Chance, ClickId, ConversionId,
    campaign::EventKind,
    click::Click,
    event::{Conversion, Event, Known, Visit},
    fraud::statistics::Oddity,
};
use features::{
    evidence::Findings,
    sources::Sources,
    window::{DAY, HOUR, SECOND},
};

use super::evidence::sale;

/// Midnight of a Monday.
const MONDAY: i64 = 1_769_990_400 * SECOND;
const MINUTE: i64 = 60 * SECOND;
/// Partners of the program.
const PARTNERS: u128 = 6;

/// Makes events of partners in one campaign.
struct Program {
    sale: Conversion,
    click: Visit<Click>,
    chance: Chance,
    told: Vec<Known<Event>>,
}

fn partner(number: u128) -> AffiliateId {
    uuid::Uuid::from_u128(0xaff + number).into()
}

fn no_kinds(_: AffiliateId) -> String {
    "blog".to_owned()
}

impl Program {
    fn new() -> Self {
        let (sale, click) = sale();
        Self { sale, click, chance: Chance::seeded(5), told: Vec::new() }
    }

    fn clicked(&mut self, of: AffiliateId, at_us: i64) -> ClickId {
        let at = DateTime::from_timestamp_micros(at_us).unwrap();
        let id = ClickId::new_at(at, &self.chance);
        let mut visit = self.click.clone();
        (visit.seen.id, visit.seen.affiliate, visit.seen.occurred_at_us) = (id, of, at_us);
        visit.seen.campaign = self.sale.campaign;
        self.told.push(Known { event: Event::Click(visit), known_at_us: at_us });
        id
    }

    /// A conversion that is not told.
    fn conversion(&self, of: AffiliateId, click: Option<ClickId>, at_us: i64) -> Conversion {
        let at = DateTime::from_timestamp_micros(at_us).unwrap();
        let id = ConversionId::new_at(at, &self.chance);
        Conversion {
            id,
            click,
            affiliate: Some(of),
            occurred_at_us: at_us,
            kind: EventKind::Sale,
            ..self.sale.clone()
        }
    }

    fn sold(&mut self, of: AffiliateId, click: Option<ClickId>, at_us: i64) {
        let event = Event::Conversion(self.conversion(of, click, at_us));
        self.told.push(Known { event, known_at_us: at_us });
    }

    /// Clicks spread over a stretch of time; every so many of them sells, after ten minutes and a while that differs.
    fn traffic(&mut self, of: AffiliateId, (begin_us, end_us): (i64, i64), clicks: i64, sells: i64) {
        for number in 0..clicks {
            let at_us = begin_us + (end_us - begin_us) * number / clicks;
            let click = self.clicked(of, at_us);
            if number % sells == 0 {
                let delay = 10 * MINUTE + i64::try_from(self.chance.below(3_600)).unwrap() * SECOND;
                self.sold(of, Some(click), at_us + delay);
            }
        }
    }

    /// A fortnight of two hundred clicks a day of each partner, of which one in forty sells.
    fn usual() -> Self {
        let mut program = Self::new();
        for number in 0..PARTNERS {
            for day in 0..14 {
                let begin_us = MONDAY + day * DAY + 6 * HOUR;
                program.traffic(partner(number), (begin_us, begin_us + 16 * HOUR), 200, 40);
            }
        }
        program
    }

    /// What is found of each conversion of a partner from an instant on, at its own moment.
    fn findings(mut self, of: AffiliateId, from_us: i64) -> Vec<Findings> {
        self.told.sort_by_key(|known| known.known_at_us);
        let mut sources = Sources::default();
        let mut found = Vec::new();
        for known in &self.told {
            sources.advance(known.known_at_us, no_kinds);
            if let Event::Conversion(conversion) = &known.event
                && conversion.affiliate == Some(of)
                && from_us <= known.known_at_us
            {
                found.push(sources.findings(conversion, "blog", (known.known_at_us, false)));
            }
            sources.observe(known);
        }
        found
    }
}

/// Noon of the fifteenth day.
const NOON: i64 = MONDAY + 14 * DAY + 12 * HOUR;

/// How many of some findings are bursts beyond chance.
fn bursts(found: &[Findings]) -> usize {
    found.iter().filter(|it| it.burst_excess.is_some_and(|excess| excess.q < 1e-6)).count()
}

#[test]
fn orders_without_visitors_are_a_burst_and_a_viral_day_is_none() {
    let mut spike = Program::usual();
    for order in 0..40 {
        let at_us = NOON + order * 3 * MINUTE;
        let click = spike.clicked(partner(0), at_us);
        if order % 2 == 1 {
            spike.clicked(partner(0), at_us + MINUTE);
        }
        spike.sold(partner(0), Some(click), at_us + 2 * MINUTE);
    }
    let found = spike.findings(partner(0), NOON);
    assert_eq!(found.len(), 40);
    assert_eq!(bursts(&found[..5]), 0, "five orders may be chance");
    assert!(28 <= bursts(&found), "{} of 40 are seen at once", bursts(&found));

    let mut viral = Program::usual();
    viral.traffic(partner(0), (NOON, NOON + 2 * HOUR), 2_000, 40);
    let found = viral.findings(partner(0), NOON);
    assert_eq!((found.len(), bursts(&found)), (50, 0), "as many more clicks as orders");
}

#[test]
fn a_partner_who_is_alone_in_a_campaign_is_seen_too() {
    let mut alone = Program::new();
    for day in 0..14 {
        let begin_us = MONDAY + day * DAY + 6 * HOUR;
        alone.traffic(partner(0), (begin_us, begin_us + 16 * HOUR), 200, 40);
    }
    // Two orders of yesterday's visitors, and then a burst.
    for _ in 0..2 {
        let click = alone.clicked(partner(0), NOON - DAY);
        alone.sold(partner(0), Some(click), NOON + MINUTE);
    }
    for order in 0..30 {
        let at_us = NOON + order * MINUTE;
        let click = alone.clicked(partner(0), at_us);
        alone.sold(partner(0), Some(click), at_us + 2 * MINUTE);
    }
    let found = alone.findings(partner(0), NOON);
    assert!(15 <= bursts(&found), "{} of {} are seen", bursts(&found), found.len());
}

#[test]
fn what_comes_once_a_night_and_what_has_no_clicks_is_no_burst() {
    // The advertiser reports all orders of a day at once.
    let mut nightly = Program::usual();
    for number in 0..PARTNERS {
        nightly.traffic(partner(number), (NOON, NOON + 4 * HOUR), 400, 40);
    }
    for known in &mut nightly.told {
        if NOON <= known.known_at_us && matches!(known.event, Event::Conversion(_)) {
            known.known_at_us = NOON + 6 * HOUR;
        }
    }
    let found = nightly.findings(partner(0), NOON);
    assert_eq!((found.len(), bursts(&found)), (10, 0));

    // A code that was read aloud.
    let mut aloud = Program::usual();
    for order in 0..40 {
        aloud.sold(partner(0), None, NOON + order * MINUTE);
    }
    let found = aloud.findings(partner(0), NOON);
    assert_eq!((found.len(), bursts(&found)), (40, 0));
}

#[test]
fn the_order_in_which_events_are_taken_in_does_not_matter_to_a_comparison() {
    let program = {
        let mut program = Program::usual();
        // One partner's clicks come around the clock and sell within seconds: a script.
        for day in 0..14 {
            for number in 0..240 {
                let at_us = MONDAY + day * DAY + number * 6 * MINUTE;
                let click = program.clicked(partner(9), at_us);
                if number % 40 == 0 {
                    program.sold(partner(9), Some(click), at_us + 4 * SECOND);
                }
            }
        }
        program
    };
    let found = |told: &mut dyn Iterator<Item = &Known<Event>>| {
        let mut sources = Sources::default();
        told.for_each(|known| sources.observe(known));
        sources.advance(NOON, no_kinds);
        let of = |number| {
            let asked = program.conversion(partner(number), None, NOON);
            sources.findings(&asked, "blog", (NOON, false))
        };
        [of(0), of(9)]
    };
    let forwards = found(&mut program.told.iter());
    assert_eq!(forwards, found(&mut program.told.iter().rev()));
    let [usual, script] = forwards;
    assert!(
        script.time_shape.is_some_and(|shape| shape.oddity == Oddity::Spike && shape.q < 1e-6),
        "{script:?}"
    );
    assert!(script.hour_excess.is_some_and(|excess| excess.q < 1e-6), "{script:?}");
    assert!(usual.time_shape.is_none_or(|shape| shape.oddity != Oddity::Spike), "{usual:?}");
    assert!(usual.hour_excess.is_none_or(|excess| 0.01 < excess.q), "{usual:?}");

    // What lies four weeks back says nothing any more.
    let mut sources = Sources::default();
    program.told.iter().for_each(|known| sources.observe(known));
    sources.advance(NOON + 30 * DAY, no_kinds);
    let asked = program.conversion(partner(9), None, NOON + 30 * DAY);
    assert_eq!(sources.findings(&asked, "blog", (NOON + 30 * DAY, false)), Findings::default());
}
