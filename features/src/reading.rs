//! Which measures a feature needs, and how its value is read from them, however they are kept.

use domain::event::{Event, Kind};

use crate::{
    aggregate::Measure,
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

/// How many measures a feature needs at most.
pub const MOST_NEEDED: usize = 3;

/// What is known of somebody at an instant, by the places of measures. A measure is only asked for what it measures.
pub trait Measured {
    /// How many events contribute.
    fn count(&self, place: usize) -> u64;
    /// The sum of their numbers.
    fn sum(&self, place: usize) -> i128;
    /// The smallest of them.
    fn least(&self, place: usize) -> Option<i64>;
    /// The largest of them.
    fn greatest(&self, place: usize) -> Option<i64>;
    /// That of the latest event.
    fn last(&self, place: usize) -> Option<i64>;
    /// When the latest event happened.
    fn latest_us(&self, place: usize) -> Option<i64>;
    /// How many different ones there are.
    fn distinct(&self, place: usize) -> u64;
    /// How evenly they fall into categories, in bits.
    fn entropy(&self, place: usize) -> Option<f64>;
    /// A quantile, in thousandths.
    fn quantile(&self, place: usize, thousandths: u16) -> Option<f64>;
    /// The least time between two of different categories, in microseconds.
    fn least_gap_us(&self, place: usize) -> Option<i64>;
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

    /// The value at `at_us`, from what is known by then: `places` are those of the measures that it
    /// [needs](Past::needs).
    #[must_use]
    pub fn read<M: Measured>(&self, known: &M, places: [usize; MOST_NEEDED], at_us: i64) -> Value {
        let [first, second, last] = places;
        let is_fresh = self.ttl_us.is_none_or(|ttl| {
            let latest = known.latest_us(last);
            latest.is_some_and(|occurred_at_us| at_us.saturating_sub(occurred_at_us) <= ttl)
        });
        if !is_fresh {
            return Value::Null;
        }
        let number = |number: Option<i64>| number.map_or(Value::Null, Value::Whole);
        let real = |value: Option<f64>| value.map_or(Value::Null, Value::Real);
        match self.aggregate {
            Aggregate::Count => Value::count(known.count(first)),
            Aggregate::Repeated => Value::yes_or_no(1 < known.count(first)),
            Aggregate::Rate(per) => self.rate(known.count(first), per),
            Aggregate::Ratio(_) => Value::ratio(known.count(first).into(), known.count(second).into()),
            Aggregate::Sum(_) => Value::whole(known.sum(first)),
            Aggregate::Mean(_) => Value::ratio(known.sum(first), known.count(second).into()),
            Aggregate::ShareOf(..) => Value::ratio(known.sum(first), known.sum(second)),
            Aggregate::Min(_) => number(known.least(first)),
            Aggregate::Max(_) => number(known.greatest(first)),
            Aggregate::Last(_) => number(known.last(first)),
            Aggregate::SinceLast(span) => number(known.latest_us(first).map(|it| spans(span, it, at_us))),
            Aggregate::SinceFirst(span) => number(known.least(first).map(|it| spans(span, it, at_us))),
            Aggregate::Distinct(_) => Value::count(known.distinct(first)),
            Aggregate::Entropy(_) => real(known.entropy(first)),
            Aggregate::Quantile(_, thousandths) => real(known.quantile(first, thousandths)),
            Aggregate::LeastGap(_, span) => number(known.least_gap_us(first).map(|gap| spans(span, 0, gap))),
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
            Self::LeastGap(..) => Measure::Gap,
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
            Self::Distinct(category) | Self::Entropy(category) | Self::LeastGap(category, _) => {
                Input::Category(category)
            }
        }
    }
}

/// How many whole spans lie between one instant and another.
#[must_use]
pub fn spans(span_us: i64, from_us: i64, to_us: i64) -> i64 {
    to_us.saturating_sub(from_us).div_euclid(span_us.max(1))
}
