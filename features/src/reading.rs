//! Which measures a feature needs, and how its value is read from them.

use domain::event::{Event, Kind};

use crate::{
    aggregate::{Cell, Measure},
    definition::{Aggregate, Filter, Past},
    entity::Entity,
    field::{Category, Number},
    value::Value,
    window::Window,
};

/// What an event brings to a measure; an event that does not have it does not contribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input {
    /// That it happened.
    Event,
    /// A number.
    Number(Number),
    /// A category.
    Category(Category),
}

impl Input {
    /// A number, or a category's bits as one.
    #[must_use]
    pub fn of(self, event: &Event) -> Option<i64> {
        match self {
            Self::Event => Some(0),
            Self::Number(number) => number.of(event),
            Self::Category(category) => category.of(event).map(u64::cast_signed),
        }
    }
}

/// One measure over some events of one key: features that need the same one share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Needed {
    /// Whose events.
    pub entity: Entity,
    /// Which kind of events.
    pub source: Kind,
    /// Which of them.
    pub filter: Filter,
    /// From when to when.
    pub window: Window,
    /// What is measured.
    pub measure: Measure,
    /// Of what.
    pub input: Input,
}

impl Past {
    /// The measures that the value is read from, in the order in which [`Past::read`] takes them: those of the
    /// aggregate, and behind them, where there is a time to live, the latest event that contributes.
    #[must_use]
    pub fn needs(&self, entity: Entity) -> Vec<Needed> {
        let own = |measure, input| Needed {
            entity,
            source: self.source,
            filter: self.filter,
            window: self.window,
            measure,
            input,
        };
        let mut needed = match self.aggregate {
            Aggregate::Mean(of) => {
                vec![own(Measure::Sum, Input::Number(of)), own(Measure::Count, Input::Number(of))]
            }
            Aggregate::Ratio(part) => {
                let part =
                    Needed { source: part.source, filter: part.filter, ..own(Measure::Count, Input::Event) };
                vec![part, own(Measure::Count, Input::Event)]
            }
            Aggregate::ShareOf(of, part) => {
                let whole = own(Measure::Sum, Input::Number(of));
                vec![Needed { source: part.source, filter: part.filter, ..whole }, whole]
            }
            simple => vec![own(simple.measure(), simple.input())],
        };
        if self.ttl_us.is_some() {
            needed.push(own(Measure::Last, self.aggregate.input()));
        }
        needed
    }

    /// The value at `at_us`, from the measures that it [needs](Past::needs), without what has left by then.
    #[must_use]
    pub fn read(&self, cells: &[&Cell], at_us: i64) -> Value {
        let is_fresh = self.ttl_us.is_none_or(|ttl| {
            let latest = cells.last().and_then(|cell| latest(cell));
            latest.is_some_and(|occurred_at_us| at_us.saturating_sub(occurred_at_us) <= ttl)
        });
        if !is_fresh {
            return Value::Null;
        }
        match (self.aggregate, cells) {
            (Aggregate::Rate(per), [Cell::Count(count), ..]) => self.rate(count.total(), per),
            (Aggregate::Mean(_), [Cell::Sum(sum), Cell::Count(count), ..]) => {
                Value::ratio(sum.total(), count.total().into())
            }
            (Aggregate::Ratio(_), [Cell::Count(part), Cell::Count(whole), ..]) => {
                Value::ratio(part.total().into(), whole.total().into())
            }
            (Aggregate::ShareOf(..), [Cell::Sum(part), Cell::Sum(whole), ..]) => {
                Value::ratio(part.total(), whole.total())
            }
            (simple, [cell, ..]) => simple.read(cell, at_us),
            (_, []) => Value::Null,
        }
    }

    /// So many events in `per`, on the average of the window.
    #[must_use]
    pub fn rate(&self, events: u64, per: i64) -> Value {
        let window = self.window.length_us().unwrap_or_default();
        Value::ratio(i128::from(events) * i128::from(per), window.into())
    }
}

impl Aggregate {
    /// The measure of an aggregate that needs no other.
    fn measure(self) -> Measure {
        match self {
            Self::Count | Self::Repeated | Self::Rate(_) | Self::Ratio(_) => Measure::Count,
            Self::Sum(_) | Self::Mean(_) | Self::ShareOf(..) => Measure::Sum,
            Self::Min(_) | Self::SinceFirst(_) => Measure::Least,
            Self::Max(_) => Measure::Greatest,
            Self::Last(_) | Self::SinceLast(_) => Measure::Last,
            Self::Distinct(_) => Measure::Distinct,
            Self::Entropy(_) => Measure::Entropy,
            Self::Quantile(..) => Measure::Quantile,
        }
    }

    /// What an event has to bring to contribute.
    #[must_use]
    pub fn input(self) -> Input {
        match self {
            Self::Count | Self::Repeated | Self::Rate(_) | Self::Ratio(_) | Self::SinceLast(_) => {
                Input::Event
            }
            Self::Sum(number)
            | Self::Mean(number)
            | Self::Min(number)
            | Self::Max(number)
            | Self::Last(number)
            | Self::Quantile(number, _)
            | Self::ShareOf(number, _) => Input::Number(number),
            Self::SinceFirst(_) => Input::Number(Number::OccurredAt),
            Self::Distinct(category) | Self::Entropy(category) => Input::Category(category),
        }
    }

    fn read(self, cell: &Cell, at_us: i64) -> Value {
        let number = |number: Option<i64>| number.map_or(Value::Null, Value::Whole);
        let real = |value: Option<f64>| value.map_or(Value::Null, Value::Real);
        match (self, cell) {
            (Self::Repeated, Cell::Count(count)) => Value::yes_or_no(1 < count.total()),
            (Self::SinceLast(span), Cell::Last(last)) => {
                number(last.occurred_at_us().map(|it| spans(span, it, at_us)))
            }
            (Self::SinceFirst(span), Cell::Least(first)) => {
                number(first.number().map(|it| spans(span, it, at_us)))
            }
            (Self::Quantile(_, thousandths), Cell::Quantile(sketch)) => real(sketch.quantile(thousandths)),
            (_, Cell::Count(count)) => Value::count(count.total()),
            (_, Cell::Sum(sum)) => Value::whole(sum.total()),
            (_, Cell::Least(least)) => number(least.number()),
            (_, Cell::Greatest(least)) => number(least.number().map(|turned| !turned)),
            (_, Cell::Last(last)) => number(last.number()),
            (_, Cell::Distinct(distinct)) => Value::count(distinct.size()),
            (_, Cell::Entropy(entropy)) => real(entropy.bits()),
            (_, Cell::Quantile(_)) => Value::Null,
        }
    }
}

/// How many whole spans lie between one instant and another.
#[must_use]
pub fn spans(span_us: i64, from_us: i64, to_us: i64) -> i64 {
    to_us.saturating_sub(from_us).div_euclid(span_us.max(1))
}

fn latest(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Last(last) => last.occurred_at_us(),
        _ => None,
    }
}
