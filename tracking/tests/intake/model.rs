//! What the intake should do, in a few lines and in memory: the reference that random histories are held against.

use std::collections::BTreeMap;

use domain::conversion::ConversionStatus::{self, Approved, OnHold, Pending, Rejected, Reversed};

/// Events of the test program: what a second report means, and what is earned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A second report is ignored.
    Sale,
    /// It replaces the amount.
    Booking,
    /// It adds to the amount.
    Basket,
    /// It is another conversion.
    Topup,
    /// Ignored, and below 50 EUR nothing is earned.
    Deposit,
    /// Ignored, and always earns 5 EUR.
    Lead,
}

impl Event {
    pub const ALL: [Self; 6] =
        [Self::Sale, Self::Booking, Self::Basket, Self::Topup, Self::Deposit, Self::Lead];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Booking => "booking",
            Self::Basket => "basket",
            Self::Topup => "topup",
            Self::Deposit => "deposit",
            Self::Lead => "lead",
        }
    }
}

/// One report. Clicks 0 and 2 are Ann's, who has the boss above her; click 1 is Bob's. Click 2 arrives late.
#[derive(Debug, Clone)]
pub struct Report {
    pub click: usize,
    pub event: Event,
    pub order: Option<u8>,
    pub amount: Option<i64>,
    pub status: Option<ConversionStatus>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Order(Event, u8),
    Click(usize, Event),
}

impl Report {
    fn key(&self) -> Key {
        self.order.map_or(Key::Click(self.click, self.event), |order| Key::Order(self.event, order))
    }
}

/// A conversion as the model has it; amounts in cents.
#[derive(Debug, Clone)]
pub struct Order {
    click: usize,
    event: Event,
    status: ConversionStatus,
    amount: i64,
    reversed: i64,
    number: Option<u8>,
    /// When it was reported, as a count of reports.
    at: usize,
    was_held: bool,
}

/// What has been earned: (accrued, payable) of the boss, of Ann and of Bob.
pub type Owed = [(i64, i64); 3];

#[derive(Debug, Default)]
pub struct Model {
    orders: Vec<Order>,
    keys: BTreeMap<Key, usize>,
    waiting: Vec<(usize, Report)>,
    reports: usize,
    late_click_is_here: bool,
}

/// An HTTP status, and whether the answer is a repeat.
pub type Told = (u16, bool);

impl Model {
    pub fn report(&mut self, report: &Report) -> Told {
        self.reports += 1;
        self.take_in(report, self.reports)
    }

    /// How an order goes on, where every report is a conversion: the latest of the order moves.
    fn latest(&self, report: &Report) -> Option<usize> {
        report.status.filter(|status| *status != Pending)?;
        report.order.filter(|_| report.event == Event::Topup)?;
        let of_order = |order: &&Order| order.event == Event::Topup && order.number == report.order;
        let latest = self.orders.iter().filter(of_order).map(|order| order.at).max()?;
        self.orders.iter().position(|order| order.at == latest)
    }

    fn take_in(&mut self, report: &Report, at: usize) -> Told {
        let is_here = report.click != 2 || self.late_click_is_here;
        if let Some(index) = self.keys.get(&report.key()).copied().or_else(|| self.latest(report)) {
            return repeat(&mut self.orders[index], report);
        }
        if !is_here {
            self.waiting.push((at, report.clone()));
            return (202, false);
        }
        let status = report.status.unwrap_or(Pending);
        if report.event == Event::Topup && matches!(status, Rejected | Reversed) {
            return (422, false);
        }
        if status == Reversed {
            return (409, false);
        }
        if report.event != Event::Topup {
            self.keys.insert(report.key(), self.orders.len());
        }
        let Report { click, event, amount, order: number, .. } = *report;
        let (amount, was_held) = (amount.unwrap_or(0), status == OnHold);
        self.orders.push(Order { click, event, status, amount, reversed: 0, number, at, was_held });
        (200, false)
    }

    pub fn late_click_arrives(&mut self) {
        self.late_click_is_here = true;
        for (at, report) in std::mem::take(&mut self.waiting) {
            self.take_in(&report, at);
        }
    }

    /// Every conversion in words, sorted.
    pub fn told(&self) -> Vec<String> {
        let tell = |order: &Order| {
            format!("{} {} {} {}", order.event.name(), order.status, order.amount, order.reversed)
        };
        let mut told: Vec<_> = self.orders.iter().map(tell).collect();
        told.sort();
        told
    }

    pub fn owed(&self) -> Owed {
        let mut owed = Owed::default();
        for order in &self.orders {
            let first = if order.click == 1 { 2 } else { 1 };
            earn(&mut owed[first], order, order.whole(10));
            if order.click != 1 && order.event != Event::Lead {
                earn(&mut owed[0], order, order.whole(2));
            }
        }
        owed
    }
}

impl Order {
    /// What the order earns while nothing is taken back, at so many per cent.
    fn whole(&self, percent: i64) -> i64 {
        match self.event {
            Event::Lead => 500,
            Event::Deposit if self.amount < 5_000 => 0,
            _ => rounded(self.amount * percent, 100),
        }
    }
}

/// Halves upwards, of what is not negative.
fn rounded(dividend: i64, divisor: i64) -> i64 {
    (2 * dividend + divisor) / (2 * divisor)
}

fn earn((accrued, payable): &mut (i64, i64), order: &Order, whole: i64) {
    match order.status {
        Pending | OnHold => *accrued += whole,
        Approved => *payable += whole,
        Reversed if order.amount != 0 => {
            *payable += rounded(whole * (order.amount - order.reversed), order.amount);
        }
        _ => {}
    }
}

fn repeat(order: &mut Order, report: &Report) -> Told {
    let left = order.amount - order.reversed;
    let has_ended = matches!(order.status, Rejected | Reversed);
    let is_late = match (order.status, report.status) {
        (Rejected, Some(Rejected)) => true,
        (Reversed, Some(Reversed)) => left == 0,
        (OnHold, Some(Pending | Approved)) => true,
        (Approved | Rejected | Reversed, Some(Pending)) | (Reversed, Some(Approved)) => true,
        (Approved | Rejected | Reversed, Some(OnHold)) => order.was_held,
        _ => false,
    };
    if is_late {
        return (200, true);
    }
    let step = report.status.filter(|to| *to != order.status || (*to == Reversed && 0 < left));
    if let Some(to) = step {
        let is_legal = matches!(
            (order.status, to),
            (Pending, Approved | Rejected | OnHold) | (OnHold, Rejected) | (Approved | Reversed, Reversed)
        );
        if !is_legal {
            return (409, false);
        }
        if to == Reversed {
            let back = report.amount.filter(|amount| left != 0 || *amount != 0).unwrap_or(left);
            if left < back || (left != 0 && back == 0) {
                return (422, false);
            }
            order.reversed += back;
        }
        if let (Event::Booking, Approved | OnHold | Pending, Some(amount)) = (order.event, to, report.amount)
        {
            order.amount = amount;
        }
        order.status = to;
        order.was_held |= to == OnHold;
        return (200, false);
    }
    let changed = match (order.event, report.amount) {
        (Event::Booking, Some(amount)) => amount,
        (Event::Basket, Some(amount)) => order.amount + amount,
        _ => order.amount,
    };
    if changed == order.amount {
        return (200, true);
    }
    if has_ended {
        return (409, false);
    }
    order.amount = changed;
    (200, false)
}
