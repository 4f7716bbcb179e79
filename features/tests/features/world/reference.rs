//! The value of a feature, straight from its definition: every event is looked at every time.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    convert::Infallible,
    sync::Arc,
};

use domain::event::Kind;
use domain::event::{Event, Known};
use features::{
    aggregate::{
        distinct::EXACTLY,
        hyperloglog::HyperLogLog,
        quantile::{bucket, middle},
    },
    definition::{Aggregate, Computed, Feature, Filter, Past, counts_from_us},
    entity::{Entity, Key, event_id},
    offline::{PointInTime, Probe},
    reading::{Input, spans},
    value::{Value, real},
    window::NEVER,
};

/// Events, each once: of copies that may count, the one that was known first stands.
pub struct Reference {
    by_key: HashMap<(Entity, Key), Vec<(i64, Event)>>,
}

impl Reference {
    pub fn new(told: &[Known<Event>]) -> Self {
        let mut first: BTreeMap<u128, (i64, Event)> = BTreeMap::new();
        for known in told {
            let Some(from_us) = counts_from_us(known) else { continue };
            let entry = first.entry(event_id(&known.event)).or_insert_with(|| (from_us, known.event.clone()));
            entry.0 = entry.0.min(from_us);
        }
        let mut by_key: HashMap<_, Vec<_>> = HashMap::new();
        for (from_us, event) in first.into_values() {
            for entity in Entity::ALL {
                if let Some(key) = entity.key(&event) {
                    by_key.entry((*entity, key)).or_default().push((from_us, event.clone()));
                }
            }
        }
        Self { by_key }
    }

    fn value(&self, feature: &Feature, probe: &Probe<'_>) -> Value {
        match &feature.computed {
            Computed::Request(fact) => probe.request.as_ref().map_or(Value::Null, |request| fact.of(request)),
            Computed::Past(past) => {
                let Some(key) = probe.keys.get(feature.entity) else { return Value::Null };
                let events = self.by_key.get(&(feature.entity, key)).map_or(&[][..], Vec::as_slice);
                value(past, events, probe.at_us)
            }
        }
    }
}

impl PointInTime for Reference {
    type Error = Infallible;

    fn values(&self, features: &[Arc<Feature>], probes: &[Probe<'_>]) -> Result<Vec<Vec<Value>>, Infallible> {
        let vector = |probe| features.iter().map(|feature| self.value(feature, probe)).collect();
        Ok(probes.iter().map(vector).collect())
    }
}

/// What events that count at an instant bring: when each happened, its id, and its input.
fn inputs(
    past: &Past,
    (source, filter): (Kind, Filter),
    events: &[(i64, Event)],
    at_us: i64,
    input: Input,
) -> Vec<(i64, u128, i64)> {
    let counts = |(from_us, event): &&(i64, Event)| {
        let is_meant = event.kind() == source && filter.passes(event);
        is_meant && *from_us <= at_us && at_us < past.window.leaves(event.occurred_at_us())
    };
    let taken = events.iter().filter(counts);
    taken.filter_map(|(_, event)| Some((event.occurred_at_us(), event_id(event), input.of(event)?))).collect()
}

fn value(past: &Past, events: &[(i64, Event)], at_us: i64) -> Value {
    let own = inputs(past, (past.source, past.filter), events, at_us, past.aggregate.input());
    let latest = own.iter().map(|(occurred_at_us, ..)| *occurred_at_us).max();
    if past.ttl_us.is_some_and(|ttl| latest.is_none_or(|latest| ttl < at_us - latest)) {
        return Value::Null;
    }
    let numbers: Vec<i64> = own.iter().map(|(_, _, number)| *number).collect();
    let count = i128::try_from(own.len()).unwrap();
    let sum = |numbers: &[i64]| numbers.iter().map(|number| i128::from(*number)).sum::<i128>();
    let whole = |number: Option<i64>| number.map_or(Value::Null, Value::Whole);
    match past.aggregate {
        Aggregate::Count => Value::whole(count),
        Aggregate::Sum(_) => Value::whole(sum(&numbers)),
        Aggregate::Mean(_) => Value::ratio(sum(&numbers), count),
        Aggregate::Min(_) => whole(numbers.iter().min().copied()),
        Aggregate::Max(_) => whole(numbers.iter().max().copied()),
        Aggregate::Last(_) => whole(own.iter().max().map(|(_, _, number)| *number)),
        Aggregate::SinceLast(span) => whole(latest.map(|latest| spans(span, latest, at_us))),
        Aggregate::SinceFirst(span) => {
            whole(own.iter().map(|(at, ..)| *at).min().map(|first| spans(span, first, at_us)))
        }
        Aggregate::Repeated => Value::yes_or_no(1 < count),
        Aggregate::Distinct(_) => distinct(&numbers),
        Aggregate::Entropy(_) => entropy(&numbers),
        Aggregate::Quantile(_, thousandths) => quantile(numbers, thousandths),
        Aggregate::LeastGap(_, span) => {
            let events: Vec<(i64, i64)> = own.iter().map(|(at, _, category)| (*at, *category)).collect();
            whole(least_gap(&events).map(|gap| gap.div_euclid(span)))
        }
        Aggregate::Rate(per) => {
            Value::ratio(count * i128::from(per), past.window.length_us().unwrap().into())
        }
        Aggregate::Ratio(part) => {
            let part = inputs(past, (part.source, part.filter), events, at_us, Input::Event);
            Value::ratio(i128::try_from(part.len()).unwrap(), count)
        }
        Aggregate::ShareOf(number, part) => {
            let part = inputs(past, (part.source, part.filter), events, at_us, Input::Number(number));
            let part: Vec<i64> = part.iter().map(|(_, _, number)| *number).collect();
            Value::ratio(sum(&part), sum(&numbers))
        }
    }
}

/// Of all pairs of different categories.
pub fn least_gap(events: &[(i64, i64)]) -> Option<i64> {
    let pairs = events.iter().flat_map(|one| events.iter().map(move |other| (one, other)));
    let differ = pairs.filter(|(one, other)| one.1 != other.1);
    differ.map(|(one, other)| other.0.saturating_sub(one.0)).filter(|gap| 0 <= *gap).min()
}

pub fn distinct(members: &[i64]) -> Value {
    let members: HashSet<i64> = members.iter().copied().collect();
    if members.len() <= EXACTLY {
        return Value::count(members.len() as u64);
    }
    let mut sketch = HyperLogLog::default();
    members.iter().for_each(|member| sketch.add(NEVER, member.cast_unsigned()));
    #[expect(clippy::cast_possible_truncation, reason = "an estimate is a small positive number")]
    let estimate = sketch.estimate().round() as i64;
    Value::Whole(estimate.max(i64::try_from(EXACTLY).unwrap() + 1))
}

pub fn entropy(categories: &[i64]) -> Value {
    let mut counts: BTreeMap<i64, i128> = BTreeMap::new();
    categories.iter().for_each(|category| *counts.entry(*category).or_default() += 1);
    let all: i128 = counts.values().sum();
    let bits = |count: &i128| -(real(*count) / real(all)) * (real(*count) / real(all)).log2();
    if counts.is_empty() { Value::Null } else { Value::Real(counts.values().map(bits).sum::<f64>()) }
}

pub fn quantile(mut numbers: Vec<i64>, thousandths: u16) -> Value {
    numbers.sort_unstable();
    let rank = numbers.len().saturating_sub(1) * usize::from(thousandths) / 1_000;
    numbers.get(rank).map_or(Value::Null, |number| Value::Real(middle(bucket(*number))))
}
