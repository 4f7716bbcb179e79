//! The past told again: each conversion judged at the moment at which it became known.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    iter,
    ops::Range,
};

use anyhow::{Context, Error, Result};
use chrono::DateTime;
use domain::{
    AffiliateId, CampaignId, ClickId, ConversionId, Money,
    click::Click,
    conversion::ConversionStatus,
    event::{Conversion, Event, Kind, Known, Verdict, Visit},
    fraud::{
        Evidence, Flag, LogOdds, Networks, RuleSet,
        graph::{Edge, Kind as Thing, Limits, Online},
        score::{Model, ModelEvidence},
    },
};
use features::{
    entity::Keys,
    evidence::{self, Records},
    fact::Request,
    hash,
    lake::{Lake, Told},
    online::{Bounds, Observed, Prepared, State},
    set::union,
    sources::Sources,
    value::Value,
};

use super::{
    book::Book,
    said::Said,
    served::{self, Served},
};
use crate::{
    jobs::lake::{Rates, each},
    watch::Watch,
};

/// What is known about the past.
pub(super) struct Past {
    /// Conversions, in the order in which they became known.
    pub rows: Vec<Row>,
    /// What reviewers found, in the order in which that became known.
    pub reviews: Vec<(i64, ConversionId, Verdict)>,
    /// What became of conversions, and when that became known.
    pub moves: HashMap<ConversionId, Vec<(i64, ConversionStatus)>>,
    /// For each rule that could not be asked, of how many conversions, and which fields it lacked first.
    pub missing: BTreeMap<String, (u64, Vec<String>)>,
    /// Pairs of partners that hang together, and why.
    pub joined: Vec<(AffiliateId, AffiliateId, String)>,
}

/// A conversion, and what was said of it.
pub(super) struct Row {
    pub conversion: ConversionId,
    pub affiliate: AffiliateId,
    pub campaign: CampaignId,
    pub known_us: i64,
    pub amount: Money,
    /// What the partner earns with it, where the campaign's rate is known.
    pub commission: Option<Money>,
    /// What is alike in risk: the kind of conversion. Finer ones would have too few conversions for bounds of their own.
    pub segment: &'static str,
    pub flags: Vec<Flag>,
    pub models: Vec<ModelEvidence>,
}

/// What follows the past event by event.
struct Walk<'a> {
    rules: &'a RuleSet,
    book: &'a Book,
    networks: &'a Networks,
    said: &'a [Said],
    rates: Rates,
    state: State,
    prepared: Prepared,
    /// What the registry's version is asked with, if one is.
    asked: Option<(Served, Prepared)>,
    values: Vec<Value>,
    sources: Sources,
    rings: Online,
    /// Clicks that conversions name.
    wanted: HashSet<ClickId>,
    clicks: HashMap<ClickId, Visit<Click>>,
    /// How often each order was reported.
    orders: HashMap<u128, u64>,
    past: Past,
}

impl Past {
    pub(super) fn told(
        lake: &Lake,
        rules: &RuleSet,
        (book, networks, said): (&Book, &Networks, &[Said]),
        served: Option<Served>,
        judged_us: Range<i64>,
        watch: &Watch,
    ) -> Result<Self> {
        let always = i64::MIN..i64::MAX;
        let mut wanted = HashSet::new();
        each(lake, Kind::Conversion, &["click_id"], &always, |known| {
            let Event::Conversion(conversion) = &known.event else { return };
            wanted.extend(conversion.click);
        })?;
        let mut walk = Walk::new(rules, (book, networks, said), served, (Rates::read(lake)?, wanted))?;
        let kinds = [Kind::Click, Kind::Conversion, Kind::StatusChange, Kind::Review];
        let told = kinds.map(|kind| Told::whole(kind, always.clone())).to_vec();
        let mut replay = lake.replay(told, i64::MIN..judged_us.end)?;
        while let Some(block) = replay.next_block()? {
            watch.step("judging the past")?;
            for known in block.iter().flatten() {
                walk.follow(known, judged_us.start)?;
            }
        }
        walk.past()
    }

    /// Where a conversion stood before an instant; pending if nothing was known.
    pub(super) fn status(&self, conversion: ConversionId, before_us: i64) -> ConversionStatus {
        let moves = self.moves.get(&conversion).map_or(&[][..], Vec::as_slice);
        let known = moves.iter().take_while(|(known_us, _)| *known_us < before_us);
        known.last().map_or(ConversionStatus::Pending, |(_, to)| *to)
    }

    /// What reviewers had found before an instant.
    pub(super) fn verdicts(&self, before_us: i64) -> HashMap<ConversionId, Verdict> {
        let known = self.reviews.iter().take_while(|(known_us, ..)| *known_us < before_us);
        known.map(|(_, conversion, verdict)| (*conversion, *verdict)).collect()
    }
}

impl<'a> Walk<'a> {
    fn new(
        rules: &'a RuleSet,
        (book, networks, said): (&'a Book, &'a Networks, &'a [Said]),
        served: Option<Served>,
        (rates, wanted): (Rates, HashSet<ClickId>),
    ) -> Result<Self> {
        let sets = iter::once(evidence::set()).chain(served.as_ref().map(|_| served::set()));
        let state = State::new(&union(sets), Bounds::default());
        let prepare = |set| state.prepare(set).context("the state is made for the set");
        let prepared = prepare(evidence::set())?;
        let asked = served.map(|served| Ok::<_, Error>((served, prepare(served::set())?))).transpose()?;
        let mut walk = Self {
            rules,
            book,
            networks,
            said,
            rates,
            state,
            prepared,
            asked,
            values: Vec::new(),
            sources: Sources::default(),
            rings: Online::new(book.declared(), Limits::USUAL),
            wanted,
            clicks: HashMap::new(),
            orders: HashMap::new(),
            past: Past {
                rows: Vec::new(),
                reviews: Vec::new(),
                moves: HashMap::new(),
                missing: BTreeMap::new(),
                joined: Vec::new(),
            },
        };
        book.edges().into_iter().for_each(|edge| walk.meet(edge));
        Ok(walk)
    }

    fn follow(&mut self, known: &Known<Event>, from_us: i64) -> Result<()> {
        if self.state.observe(known) == Observed::Duplicate {
            return Ok(());
        }
        let known_us = known.known_at_us;
        self.sources.advance(known_us, |partner| self.book.kind(partner).to_owned());
        match &known.event {
            Event::Click(visit) if self.wanted.contains(&visit.seen.id) => {
                self.clicks.insert(visit.seen.id, visit.clone());
            }
            Event::Conversion(conversion) => self.convert(conversion, known, from_us)?,
            Event::StatusChange(change) => {
                self.past.moves.entry(change.conversion).or_default().push((known_us, change.to));
            }
            Event::Review(review) => self.past.reviews.push((known_us, review.conversion, review.verdict)),
            _ => {}
        }
        self.sources.observe(known);
        Ok(())
    }

    /// A conversion of a partner; what nobody is paid for is not judged.
    fn convert(&mut self, conversion: &Conversion, known: &Known<Event>, from_us: i64) -> Result<()> {
        let Some(affiliate) = conversion.affiliate else { return Ok(()) };
        let known_us = known.known_at_us;
        let click = conversion.click.and_then(|id| self.clicks.get(&id));
        let request = Request { event: &known.event, click };
        let keys = evidence::keys(&request);
        self.state.vector(&self.prepared, &keys, Some(&request), known_us, &mut self.values);
        let records = Records {
            order_reports: reports(&mut self.orders, conversion),
            ..self.book.records(affiliate, conversion.campaign)
        };
        let findings = self.sources.findings(conversion, self.book.kind(affiliate), (known_us, false));
        let seen = evidence::gather(&self.values, &request, &records, &findings, self.networks)?;
        if let Some((served, prepared)) = self.asked.as_mut().filter(|_| from_us <= known_us) {
            let keys = Keys::of(&known.event);
            self.state.vector(prepared, &keys, Some(&request), known_us, &mut self.values);
            served.ask(conversion.id, &self.values)?;
        }
        let things = things(&seen);
        self.connect(&things, affiliate);
        if from_us <= known_us {
            let at = DateTime::from_timestamp_micros(known_us).context("a time of the calendar")?;
            let judgement = self.rules.judge(&seen, conversion.campaign, at);
            for (rule, fields) in judgement.missing {
                self.past.missing.entry(rule).or_insert((0, fields)).0 += 1;
            }
            let rate = self.rates.at(conversion.campaign, Some(affiliate), conversion.occurred_at_us);
            self.past.rows.push(Row {
                conversion: conversion.id,
                affiliate,
                campaign: conversion.campaign,
                known_us,
                amount: conversion.amount,
                commission: rate.map(|rate| rate.of(conversion.amount)),
                segment: conversion.kind.name(),
                flags: judgement.flags,
                models: self.models(conversion.id, (affiliate, &things)),
            });
        }
        Ok(())
    }

    /// What was walked through, with what the registry's version said of it.
    fn past(mut self) -> Result<Past> {
        let asked = self.asked.take().map(|(served, _)| served.said()).transpose()?.flatten();
        if let Some(said) = asked {
            for row in &mut self.past.rows {
                row.models.extend(said.of(row.conversion));
            }
        }
        Ok(self.past)
    }

    fn models(
        &self,
        conversion: ConversionId,
        (affiliate, things): (AffiliateId, &[(Thing, u128)]),
    ) -> Vec<ModelEvidence> {
        let mut models: Vec<ModelEvidence> =
            self.said.iter().filter_map(|said| said.of(conversion)).collect();
        let ring = self.rings.evidence(affiliate, things);
        if LogOdds::EVEN < ring {
            models.push(ModelEvidence { model: Model::Ring, log_odds: ring, version: "graph".to_owned() });
        }
        models
    }

    /// Joins the partner with the device and the address of a conversion.
    fn connect(&mut self, things: &[(Thing, u128)], affiliate: AffiliateId) {
        for (kind, thing) in things {
            if *kind != Thing::Mailbox {
                self.meet(Edge { kind: *kind, thing: *thing, affiliate });
            }
        }
    }

    fn meet(&mut self, edge: Edge) {
        let joined = self.rings.observe(edge);
        self.past.joined.extend(joined.into_iter().map(|it| (it.affiliate, it.with, it.why)));
    }
}

/// What the customer of a conversion has; an address that many share says nothing.
fn things(seen: &Evidence) -> Vec<(Thing, u128)> {
    let is_shared = seen.address_class.is_some_and(|class| class.is_shared());
    let address = seen.address_hash.filter(|_| !is_shared);
    let device = seen.device_id.as_ref().map(|device| (Thing::Device, hash::name(&[device.as_bytes()])));
    let hashed = [(Thing::Address, address), (Thing::Mailbox, seen.email_hash)];
    let hashed = hashed.into_iter().filter_map(|(kind, hash)| Some((kind, u128::from_be_bytes(hash?.0))));
    device.into_iter().chain(hashed).collect()
}

/// How often the order was reported by now, this report among them; none where it has no number.
fn reports(orders: &mut HashMap<u128, u64>, conversion: &Conversion) -> Option<u64> {
    if conversion.order_id.is_empty() {
        return None;
    }
    let order = hash::name(&[conversion.advertiser.uuid().as_bytes(), conversion.order_id.as_bytes()]);
    let reports = orders.entry(order).or_default();
    *reports += 1;
    Some(*reports)
}
