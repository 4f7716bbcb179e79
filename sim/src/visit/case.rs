//! What becomes of a conversion: it is booked, looked at where it seems odd, approved when its time is over, and given
//! back where the customer thinks better of it. All that will be tried follows from the case's key.

use domain::{
    ConversionId, Money,
    conversion::{ConversionStatus, ReversalReason},
    event::{Event, Refund, Review, StatusChange, Verdict},
};

use super::{
    actor::Play,
    order::{Order, customer_name},
    told::{Stage, Way, known_at},
};
use crate::{
    dice::{Dice, micros, mixed, real, whole},
    patterns,
    rhythm::{DAY, HOUR, MINUTE},
    world::World,
};

/// How often somebody looks at a fraudulent conversion, and how often at an honest one; the latter finds out how often
/// the look of things deceives (all chosen).
const FRAUD_LOOKS_ODD: f64 = 0.40;
const HONEST_LOOKS_ODD: f64 = 0.015;
const LOOKED_AT_ANYWAY: f64 = 0.01;

/// How often a reviewer sees what is there.
const SEES_FRAUD: f64 = 0.92;
const SEES_HONESTY: f64 = 0.98;

/// How many honest conversions are turned down for other reasons.
const TURNED_DOWN: f64 = 0.02;

/// Where a conversion comes from, which says how much of it is given back and how odd it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A customer.
    Honest,
    /// A customer, whose order somebody seized.
    Seized,
    /// Somebody who ordered for the commission's sake, or nobody.
    Staged,
    /// A report that was sent again: there is nothing to give back.
    Replayed,
    /// Staged by a scheme that reviewers do not know.
    StagedUnseen,
    /// Sent again by a scheme that reviewers do not know.
    ReplayedUnseen,
}

impl Origin {
    /// The same, of a scheme that reviewers do not know. A seized order then looks like any customer's.
    fn unseen(self) -> Self {
        match self {
            Self::Honest | Self::Seized => Self::Honest,
            Self::Staged | Self::StagedUnseen => Self::StagedUnseen,
            Self::Replayed | Self::ReplayedUnseen => Self::ReplayedUnseen,
        }
    }
}

/// That an order will be given back: how long after it, which part, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Returns {
    after_us: i64,
    pub(crate) part: f64,
    reason: ReversalReason,
}

impl Returns {
    /// Whether the order of this case is given back, of which so many are: four in five in whole, after nine days in the
    /// middle.
    pub(crate) fn of(share: f64, case: u64) -> Option<Self> {
        let mut dice = Dice::of(mixed(!case));
        let given = dice.happens(share);
        let after_us = micros(dice.log_normal(9.0 * 86_400.0, 0.8)).clamp(HOUR, 90 * DAY);
        let part = if dice.happens(0.8) { 1.0 } else { dice.between(0.1, 0.9) };
        let chargeback = dice.happens(0.08);
        let reason = if chargeback { ReversalReason::Chargeback } else { ReversalReason::Refund };
        given.then_some(Self { after_us, part, reason })
    }
}

/// A conversion that is not over.
#[derive(Debug)]
pub(crate) struct Case {
    conversion: ConversionId,
    key: u64,
    order_us: i64,
    minor: i64,
    customer: u64,
    campaign: u32,
    /// Whose customer it is: a link's position.
    link: Option<u32>,
    status: ConversionStatus,
    origin: Origin,
    /// Whether the campaign's budget had anything left for it.
    paid: bool,
    /// How much of the agenda is done.
    done: u8,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    Move(ConversionStatus, Option<ReversalReason>),
    Judge(Verdict),
    /// Money goes back, which we learn of later.
    GiveBack(Returns, i64),
}

/// What will be done and when, in order.
type Agenda = Vec<(i64, Deed)>;

impl Case {
    /// The case of an order that has just become known.
    pub(crate) fn opened(
        order: &Order,
        conversion: ConversionId,
        key: u64,
        origin: Origin,
        paid: bool,
    ) -> Self {
        Self {
            conversion,
            key,
            order_us: order.at_us,
            minor: order.amount.minor,
            customer: order.customer,
            campaign: order.campaign,
            link: order.trace.link,
            status: ConversionStatus::Received,
            origin,
            paid,
            done: 0,
        }
    }

    /// The same, of a pattern that reviewers may not know.
    pub(crate) fn of_pattern(self, pattern: usize, world: &World) -> Self {
        let is_known = !world.settings.unknown.contains(patterns::get(pattern).name);
        Self { origin: if is_known { self.origin } else { self.origin.unseen() }, ..self }
    }

    /// Everything that will be tried; what is not legal when its time has come is left out then. Times count from the
    /// order, which is not later than what is known of it; the first wake moves what is past to the present.
    fn agenda(&self, world: &World) -> Agenda {
        let vertical = world.campaign(self.campaign).vertical;
        let mut dice = Dice::of(self.key);
        let booked_us = self.order_us + micros(dice.exponential(5.0));
        let approved_us = booked_us + micros(dice.log_normal((vertical.decides_days + 12.0) * 86_400.0, 0.4));
        let mut agenda = Agenda::with_capacity(8);
        agenda.push((booked_us, Deed::Move(ConversionStatus::Pending, None)));
        let looked_at_us = self.look(booked_us, &mut agenda, &mut dice);
        let approved_us = approved_us.max(looked_at_us.map_or(approved_us, |judged_us| judged_us + HOUR));
        if looked_at_us.is_none() && (!self.paid || dice.happens(TURNED_DOWN)) {
            let reasons = [ReversalReason::Duplicate, ReversalReason::Terms, ReversalReason::Test];
            // What comes when the budget is spent is against the terms.
            let reason = if self.paid { dice.one(&reasons) } else { ReversalReason::Terms };
            let turned_down = Deed::Move(ConversionStatus::Rejected, Some(reason));
            agenda.push((booked_us + dice.span(HOUR, 10 * DAY), turned_down));
        }
        agenda.push((approved_us, Deed::Move(ConversionStatus::Approved, None)));
        self.give_back(world, &mut agenda, &mut dice);
        agenda.sort_by_key(|(at_us, _)| *at_us);
        agenda
    }

    /// Whether somebody looks at it, and when they have judged.
    fn look(&self, booked_us: i64, agenda: &mut Agenda, dice: &mut Dice) -> Option<i64> {
        let fraud = matches!(self.origin, Origin::Seized | Origin::Staged | Origin::Replayed);
        let odd = if fraud { FRAUD_LOOKS_ODD } else { HONEST_LOOKS_ODD };
        if !dice.happens(odd + LOOKED_AT_ANYWAY) {
            return None;
        }
        let held_us = booked_us + dice.span(MINUTE, 10 * MINUTE);
        let judged_us = held_us + micros(dice.log_normal(2.0 * 86_400.0, 0.8));
        let right = dice.happens(if fraud { SEES_FRAUD } else { SEES_HONESTY });
        let verdict = if fraud == right { Verdict::Fraud } else { Verdict::Honest };
        agenda.push((held_us, Deed::Move(ConversionStatus::OnHold, None)));
        agenda.push((judged_us, Deed::Judge(verdict)));
        if verdict == Verdict::Fraud {
            let rejected = Deed::Move(ConversionStatus::Rejected, Some(ReversalReason::Fraud));
            agenda.push((judged_us + MINUTE, rejected));
        }
        Some(judged_us)
    }

    /// The refund, and what it means for the conversion's state when it is known.
    fn give_back(&self, world: &World, agenda: &mut Agenda, dice: &mut Dice) {
        let campaign = world.campaign(self.campaign);
        let share = match self.origin {
            Origin::Honest | Origin::Seized => campaign.vertical.refunded,
            Origin::Staged | Origin::StagedUnseen => 2.0 * campaign.vertical.refunded,
            Origin::Replayed | Origin::ReplayedUnseen => 0.0,
        };
        let Some(returns) = Returns::of(share, self.key) else { return };
        let at_us = self.order_us + returns.after_us;
        let nightly = world.advertiser(campaign.advertiser).reports_nightly;
        let way = if nightly { Way::NightlyReport } else { Way::Report };
        let known_at_us = known_at(world, at_us, way, dice);
        agenda.push((at_us, Deed::GiveBack(returns, known_at_us)));
        for to in [ConversionStatus::Reversed, ConversionStatus::Rejected] {
            // Of the two, at most one is legal when the time has come.
            agenda.push((known_at_us.max(at_us + 1), Deed::Move(to, Some(returns.reason))));
        }
    }

    fn perform(&mut self, at_us: i64, deed: Deed, world: &World, stage: &mut Stage) {
        let mut dice = Dice::of(mixed(self.key ^ u64::from(self.done)));
        let (conversion, campaign) = (self.conversion, world.campaign(self.campaign));
        let affiliate = self.link.map(|link| world.link(link).affiliate_id);
        match deed {
            Deed::Move(to, reason) => {
                let Ok(status) = self.status.to(to) else { return };
                self.status = status;
                let (id, campaign) = (dice.id(at_us), campaign.id);
                stage.enter(Event::StatusChange(StatusChange {
                    id,
                    occurred_at_us: at_us,
                    conversion,
                    campaign,
                    affiliate,
                    to,
                    reason,
                }));
            }
            Deed::Judge(verdict) if self.status == ConversionStatus::OnHold => {
                let (id, campaign) = (dice.id(at_us), campaign.id);
                stage.enter(Event::Review(Review {
                    id,
                    occurred_at_us: at_us,
                    conversion,
                    campaign,
                    affiliate,
                    verdict,
                }));
            }
            Deed::Judge(_) => {}
            Deed::GiveBack(returns, known_at_us) => {
                let known_at_us = known_at_us.max(at_us);
                let minor = whole(real(self.minor.unsigned_abs()) * returns.part);
                let minor = i64::try_from(minor).unwrap_or(0).max(1);
                let event = Event::Refund(Refund {
                    id: dice.id(known_at_us),
                    occurred_at_us: at_us,
                    conversion,
                    campaign: campaign.id,
                    advertiser: campaign.advertiser_id,
                    affiliate,
                    customer: customer_name(self.customer),
                    amount: Money::new(minor, campaign.currency()),
                    reason: returns.reason,
                });
                stage.tell(world, event, known_at_us, &mut dice);
            }
        }
    }
}

impl Play for Case {
    fn wake(&mut self, at_us: i64, world: &World, stage: &mut Stage) -> Option<i64> {
        let agenda = self.agenda(world);
        if let Some((_, deed)) = agenda.get(usize::from(self.done)).filter(|(due_us, _)| *due_us <= at_us) {
            self.perform(at_us, *deed, world, stage);
            self.done += 1;
        }
        // Two things that a person does are never done in one microsecond.
        agenda.get(usize::from(self.done)).map(|(due_us, _)| (*due_us).max(at_us + 1))
    }
}
