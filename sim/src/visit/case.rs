//! What becomes of a conversion: it is booked, looked at where it seems odd, approved when its time is over, and given
//! back where the customer thinks better of it.

use domain::{
    AffiliateId, ConversionId, Money,
    conversion::{ConversionStatus, ReversalReason},
    event::{Event, Refund, Review, StatusChange, Verdict},
};

use super::{
    sale::Order,
    told::{Actor, Stage, Way, known_at},
};
use crate::{
    dice::{Dice, micros, real, whole},
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

/// That an order will be given back: how long after it, which part, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct GivenBack {
    pub(crate) after_us: i64,
    pub(crate) part: f64,
    pub(crate) reason: ReversalReason,
}

/// A conversion that is not over.
pub(crate) struct Case {
    conversion: ConversionId,
    campaign: u32,
    affiliate: Option<AffiliateId>,
    customer: String,
    amount: Money,
    status: ConversionStatus,
    /// What will be done and when, the last thing first.
    agenda: Vec<(i64, Deed)>,
    dice: Dice,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    Move(ConversionStatus, Option<ReversalReason>),
    Judge(Verdict),
    GiveBack(GivenBack),
}

impl Case {
    /// Whether an order is given back, of which so many are: four in five in whole, after nine days in the middle.
    pub(crate) fn refund(share: f64, dice: &mut Dice) -> Option<GivenBack> {
        let given = dice.happens(share);
        let after_us = micros(dice.log_normal(9.0 * 86_400.0, 0.8)).clamp(HOUR, 90 * DAY);
        let part = if dice.happens(0.8) { 1.0 } else { dice.between(0.1, 0.9) };
        let chargeback = dice.happens(0.08);
        let reason = if chargeback { ReversalReason::Chargeback } else { ReversalReason::Refund };
        given.then_some(GivenBack { after_us, part, reason })
    }

    /// The case of an order that has just become known.
    pub(crate) fn opened(
        world: &World,
        order: &Order,
        conversion: ConversionId,
        refund: Option<GivenBack>,
        fraud: bool,
        key: u64,
    ) -> Self {
        let mut case = Self {
            conversion,
            campaign: order.campaign,
            affiliate: order.trace.affiliate,
            customer: order.customer.clone(),
            amount: order.amount,
            status: ConversionStatus::Received,
            agenda: Vec::with_capacity(6),
            dice: Dice::of(key),
        };
        case.plan(world, order.at_us, refund, fraud);
        case
    }

    /// Everything that will be tried; what is not legal when its time has come is left out then. Times count from the
    /// order, which is not later than what is known of it; the first wake moves what is past to the present.
    fn plan(&mut self, world: &World, order_us: i64, refund: Option<GivenBack>, fraud: bool) {
        let days = world.campaign(self.campaign).vertical.decides_days + 12.0;
        let dice = &mut self.dice;
        let booked_us = order_us + micros(dice.exponential(5.0));
        let mut approved_us = booked_us + micros(dice.log_normal(days * 86_400.0, 0.4));
        self.agenda.push((booked_us, Deed::Move(ConversionStatus::Pending, None)));
        let odd = if fraud { FRAUD_LOOKS_ODD } else { HONEST_LOOKS_ODD };
        if dice.happens(odd + LOOKED_AT_ANYWAY) {
            let held_us = booked_us + dice.span(MINUTE, 10 * MINUTE);
            let judged_us = held_us + micros(dice.log_normal(2.0 * 86_400.0, 0.8));
            let right = dice.happens(if fraud { SEES_FRAUD } else { SEES_HONESTY });
            let verdict = if fraud == right { Verdict::Fraud } else { Verdict::Honest };
            self.agenda.push((held_us, Deed::Move(ConversionStatus::OnHold, None)));
            self.agenda.push((judged_us, Deed::Judge(verdict)));
            if verdict == Verdict::Fraud {
                let rejected = Deed::Move(ConversionStatus::Rejected, Some(ReversalReason::Fraud));
                self.agenda.push((judged_us + MINUTE, rejected));
            }
            approved_us = approved_us.max(judged_us + HOUR);
        } else if dice.happens(TURNED_DOWN) {
            let reasons = [ReversalReason::Duplicate, ReversalReason::Terms, ReversalReason::Test];
            let turned_down = Deed::Move(ConversionStatus::Rejected, Some(dice.one(&reasons)));
            self.agenda.push((booked_us + dice.span(HOUR, 10 * DAY), turned_down));
        }
        self.agenda.push((approved_us, Deed::Move(ConversionStatus::Approved, None)));
        self.agenda.extend(refund.map(|refund| (order_us + refund.after_us, Deed::GiveBack(refund))));
        self.agenda.sort_by_key(|(at_us, _)| std::cmp::Reverse(*at_us));
    }

    fn move_to(
        &mut self,
        at_us: i64,
        to: ConversionStatus,
        reason: Option<ReversalReason>,
        world: &World,
        stage: &mut Stage,
    ) {
        let Ok(status) = self.status.to(to) else { return };
        self.status = status;
        stage.enter(Event::StatusChange(StatusChange {
            id: self.dice.id(at_us),
            occurred_at_us: at_us,
            conversion: self.conversion,
            campaign: world.campaign(self.campaign).id,
            affiliate: self.affiliate,
            to,
            reason,
        }));
    }

    fn judge(&mut self, at_us: i64, verdict: Verdict, world: &World, stage: &mut Stage) {
        if self.status != ConversionStatus::OnHold {
            return;
        }
        stage.enter(Event::Review(Review {
            id: self.dice.id(at_us),
            occurred_at_us: at_us,
            conversion: self.conversion,
            campaign: world.campaign(self.campaign).id,
            affiliate: self.affiliate,
            verdict,
        }));
    }

    /// Gives money back; what that means for the conversion's state is decided when it is known.
    fn give_back(&mut self, at_us: i64, given: GivenBack, world: &World, stage: &mut Stage) {
        let minor =
            i64::try_from(whole(real(self.amount.minor.unsigned_abs()) * given.part)).unwrap_or(0).max(1);
        let campaign = world.campaign(self.campaign);
        let nightly = world.advertiser(campaign.advertiser).reports_nightly;
        let way = if nightly { Way::NightlyReport } else { Way::Report };
        let known_at_us = known_at(world, at_us, way, &mut self.dice);
        let event = Event::Refund(Refund {
            id: self.dice.id(known_at_us),
            occurred_at_us: at_us,
            conversion: self.conversion,
            campaign: campaign.id,
            advertiser: campaign.advertiser_id,
            affiliate: self.affiliate,
            customer: self.customer.clone(),
            amount: Money::new(minor, self.amount.currency),
            reason: given.reason,
        });
        stage.tell(world, event, known_at_us, &mut self.dice);
        for to in [ConversionStatus::Reversed, ConversionStatus::Rejected] {
            // Of the two, at most one is legal when the time has come.
            self.agenda.push((known_at_us.max(at_us + 1), Deed::Move(to, Some(given.reason))));
        }
        self.agenda.sort_by_key(|(at_us, _)| std::cmp::Reverse(*at_us));
    }
}

impl Actor for Case {
    fn wake(&mut self, at_us: i64, world: &World, stage: &mut Stage) -> Option<i64> {
        if self.agenda.last().is_some_and(|(due_us, _)| *due_us <= at_us)
            && let Some((_, deed)) = self.agenda.pop()
        {
            match deed {
                Deed::Move(to, reason) => self.move_to(at_us, to, reason, world, stage),
                Deed::Judge(verdict) => self.judge(at_us, verdict, world, stage),
                Deed::GiveBack(given) => self.give_back(at_us, given, world, stage),
            }
        }
        // Two things that a person does are never done in one microsecond.
        self.agenda.last().map(|(due_us, _)| (*due_us).max(at_us + 1))
    }
}
