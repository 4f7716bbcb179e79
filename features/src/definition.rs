//! What a feature is: one value from which serving, training and the manual are made, so that they cannot differ.
//!
//! An event *counts* from the instant at which it has happened and is known, `max(occurred_at, known_at)`, until it
//! leaves the window ([`Window::leaves`]). The value of a feature for a key at an instant is over the events with that
//! key that pass the filter and count at that instant, each id once. Events at one and the same instant all count.

use std::{collections::HashSet, fmt, ops::Deref};

use domain::event::{Event, Kind, Known};

use crate::{
    entity::Entity,
    fact::Fact,
    field::{Category, Number},
    hash::of_text,
    window::{DAY, Window},
};

/// How far ahead of our clock somebody else's may be. What claims to happen later than this after we learned of it
/// never counts: it would have to be kept until then.
pub const CLOCK_AHEAD_US: i64 = DAY;

/// From when on an event counts; none when its clock is too far ahead for it to count at all.
#[must_use]
pub fn counts_from_us(known: &Known<Event>) -> Option<i64> {
    let occurred_at_us = known.event.occurred_at_us();
    let is_plausible = occurred_at_us <= known.known_at_us.saturating_add(CLOCK_AHEAD_US);
    is_plausible.then(|| known.known_at_us.max(occurred_at_us))
}

/// A feature as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Unique: `ip_clicks_24h`.
    pub name: String,
    /// What it describes.
    pub entity: Entity,
    /// How it is computed.
    pub computed: Computed,
    /// Who answers for it.
    pub owner: &'static str,
    /// What it says and what for, as a sentence.
    pub doc: String,
}

/// Where a feature's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Computed {
    /// From what has happened.
    Past(Past),
    /// From the event alone that is being judged, and the click that led to it.
    Request(Fact),
}

/// An aggregate over past events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// Which kind of events.
    pub source: Kind,
    /// Which of them.
    pub filter: Filter,
    /// From when to when.
    pub window: Window,
    /// What is made of them.
    pub aggregate: Aggregate,
    /// The value is null when no event of the last so many microseconds contributes; without it, an empty window
    /// counts as zero, and is null only for what has no value without events.
    pub ttl_us: Option<i64>,
}

/// What is made of events. An event without the number or category that is asked for does not contribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// How many.
    Count,
    /// The number's exact sum.
    Sum(Number),
    /// The number's mean; null without events.
    Mean(Number),
    /// The smallest; null without events.
    Min(Number),
    /// The largest; null without events.
    Max(Number),
    /// That of the latest event, by time and then by id; null without events.
    Last(Number),
    /// How many whole spans of so many microseconds passed since the latest event; null without events.
    SinceLast(i64),
    /// How many whole spans of so many microseconds passed since the first event; null without events.
    SinceFirst(i64),
    /// Whether there is more than one event: one, or zero.
    Repeated,
    /// How many different ones: exact up to [`EXACTLY`](crate::aggregate::distinct::EXACTLY), HyperLogLog beyond.
    Distinct(Category),
    /// Shannon's entropy of the category, in bits; null without events.
    Entropy(Category),
    /// A quantile of the number, in thousandths, by DDSketch: within one part in a hundred; null without events.
    Quantile(Number, u16),
    /// How many whole spans of so many microseconds lie between the two nearest events of different categories; null
    /// where there are no two such.
    LeastGap(Category, i64),
    /// Events in so many microseconds, on the average of the window.
    Rate(i64),
    /// Events of this part for each event of the feature's own source and filter; null when there is none of those.
    Ratio(Part),
    /// The number's sum over this part for each unit of its sum over the feature's own events; null when that is zero.
    ShareOf(Number, Part),
}

/// The events above the line of a ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// Which kind of events.
    pub source: Kind,
    /// Which of them.
    pub filter: Filter,
}

/// Which events of a kind: those for which every condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Filter(pub &'static [Condition]);

/// Something that must hold of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// The category has this name.
    Is(Category, &'static str),
    /// The category has another name, or none.
    IsNot(Category, &'static str),
    /// The event falls into some such category.
    Has(Category),
    /// The number is there, and is this or more.
    AtLeast(Number, i64),
    /// The number is there, and is less.
    Below(Number, i64),
}

/// A definition that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature(Definition);

/// What is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// The name is no name.
    #[error("{0:?} is not a feature's name: it takes 1 to 64 of a-z, 0-9 and `_`, and begins with a letter")]
    Name(String),
    /// The document is missing.
    #[error("{0} has to say what it is in a sentence of more than 20 characters that ends with a full stop")]
    Doc(String),
    /// Nobody answers for it.
    #[error("{0} has no owner")]
    Owner(String),
    /// A window or a time to live of nothing.
    #[error("{0} looks back over no time at all: give its window and its time to live more than 0 µs")]
    NoTime(String),
    /// Memory that only grows.
    #[error("{name} keeps every {entity} for ever: give it a window, or describe a partner or an offer")]
    Endless {
        /// Which feature.
        name: String,
        /// What it describes.
        entity: Entity,
    },
    /// A quantile outside a thousand thousandths.
    #[error("{0} asks for a quantile beyond 1000 thousandths")]
    Quantile(String),
    /// A rate of a window without a length.
    #[error("{0} is a rate, which needs a sliding window and a unit of more than 0 µs")]
    Rate(String),
    /// Two features of one name.
    #[error("there are two features of the name {0}")]
    Twice(String),
}

impl Feature {
    /// Checks a definition.
    ///
    /// # Errors
    /// When it has no proper name, document or owner, when it could not be kept in bounded memory, or when its numbers
    /// make no sense.
    pub fn new(definition: Definition) -> Result<Self, DefinitionError> {
        let Definition { name, entity, computed, owner, doc } = &definition;
        let is_name = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
        if name.is_empty()
            || 64 < name.len()
            || !name.chars().all(is_name)
            || !name.starts_with(char::is_alphabetic)
        {
            return Err(DefinitionError::Name(name.clone()));
        }
        if doc.len() <= 20 || !doc.ends_with('.') {
            return Err(DefinitionError::Doc(name.clone()));
        }
        if owner.is_empty() {
            return Err(DefinitionError::Owner(name.clone()));
        }
        if let Computed::Past(past) = computed {
            past.check(name, *entity)?;
        }
        Ok(Self(definition))
    }
}

impl Past {
    fn check(&self, name: &str, entity: Entity) -> Result<(), DefinitionError> {
        let lengths = [self.window.length_us(), self.ttl_us];
        if lengths.into_iter().flatten().any(|length| length <= 0) {
            return Err(DefinitionError::NoTime(name.to_owned()));
        }
        let are_few = matches!(entity, Entity::Affiliate | Entity::Campaign | Entity::AffiliateCampaign);
        if self.window == Window::AllTime && !are_few {
            return Err(DefinitionError::Endless { name: name.to_owned(), entity });
        }
        match self.aggregate {
            Aggregate::Quantile(_, thousandths) if 1_000 < thousandths => {
                Err(DefinitionError::Quantile(name.to_owned()))
            }
            Aggregate::Rate(per) if per <= 0 || !matches!(self.window, Window::Last(_)) => {
                Err(DefinitionError::Rate(name.to_owned()))
            }
            Aggregate::SinceLast(span) | Aggregate::SinceFirst(span) | Aggregate::LeastGap(_, span)
                if span <= 0 =>
            {
                Err(DefinitionError::NoTime(name.to_owned()))
            }
            _ => Ok(()),
        }
    }
}

impl Deref for Feature {
    type Target = Definition;
    fn deref(&self) -> &Definition {
        &self.0
    }
}

/// Checks a list of definitions, each by itself and all of them for names that stand twice.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_all(definitions: Vec<Definition>) -> Result<Vec<Feature>, DefinitionError> {
    let features: Vec<Feature> = definitions.into_iter().map(Feature::new).collect::<Result<_, _>>()?;
    let mut names = HashSet::new();
    match features.iter().find(|feature| !names.insert(feature.name.clone())) {
        Some(twice) => Err(DefinitionError::Twice(twice.name.clone())),
        None => Ok(features),
    }
}

impl Filter {
    /// All events.
    pub const NONE: Self = Self(&[]);

    /// Whether an event is meant.
    #[must_use]
    pub fn passes(self, event: &Event) -> bool {
        self.0.iter().all(|condition| condition.holds(event))
    }
}

impl Condition {
    /// Whether it holds of an event.
    #[must_use]
    pub fn holds(self, event: &Event) -> bool {
        match self {
            Self::Is(category, name) => category.of(event) == Some(of_text(name)),
            Self::IsNot(category, name) => category.of(event) != Some(of_text(name)),
            Self::Has(category) => category.of(event).is_some(),
            Self::AtLeast(number, least) => number.of(event).is_some_and(|value| least <= value),
            Self::Below(number, bound) => number.of(event).is_some_and(|value| value < bound),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(category, name) => write!(f, "{category} is {name}"),
            Self::IsNot(category, name) => write!(f, "{category} is not {name}"),
            Self::Has(category) => write!(f, "{category} is known"),
            Self::AtLeast(number, least) => write!(f, "{least} ≤ {number}"),
            Self::Below(number, bound) => write!(f, "{number} < {bound}"),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_events(f, self.source, self.filter)
    }
}

fn write_events(f: &mut fmt::Formatter<'_>, source: Kind, filter: Filter) -> fmt::Result {
    f.write_str(source.name())?;
    for (place, condition) in filter.0.iter().enumerate() {
        write!(f, " {} {condition}", if place == 0 { "where" } else { "and" })?;
    }
    Ok(())
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => f.write_str("count"),
            Self::Sum(number) => write!(f, "sum of {number}"),
            Self::Mean(number) => write!(f, "mean of {number}"),
            Self::Min(number) => write!(f, "least {number}"),
            Self::Max(number) => write!(f, "greatest {number}"),
            Self::Last(number) => write!(f, "last {number}"),
            Self::SinceLast(span) => write!(f, "time since the last, in spans of {},", Window::Last(*span)),
            Self::SinceFirst(span) => write!(f, "time since the first, in spans of {},", Window::Last(*span)),
            Self::Repeated => f.write_str("more than one"),
            Self::Distinct(category) => write!(f, "distinct {category}"),
            Self::Entropy(category) => write!(f, "entropy of {category}"),
            Self::Quantile(number, thousandths) => write!(f, "{thousandths}/1000 quantile of {number}"),
            Self::LeastGap(category, span) => {
                write!(f, "least time from one {category} to another, in spans of {},", Window::Last(*span))
            }
            Self::Rate(per) => write!(f, "count in {}", Window::Last(*per)),
            Self::Ratio(part) => write!(f, "count of {part} for each"),
            Self::ShareOf(number, part) => write!(f, "sum of {number} of {part} for each {number}"),
        }
    }
}

impl fmt::Display for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of ", self.aggregate)?;
        write_events(f, self.source, self.filter)?;
        write!(f, ", {}", self.window)?;
        self.ttl_us.map_or(Ok(()), |ttl| write!(f, ", null after {}", Window::Last(ttl)))
    }
}

impl fmt::Display for Computed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Past(past) => past.fmt(f),
            Self::Request(fact) => write!(f, "{fact} of the request"),
        }
    }
}

/// The canonical text: all that decides the value, and nothing else.
impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: by {}, {}", self.name, self.entity, self.computed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::HOUR;

    fn definition() -> Definition {
        let past = Past {
            source: Kind::Click,
            filter: Filter(&[
                Condition::Is(Category::DeviceType, "mobile"),
                Condition::Has(Category::Country),
            ]),
            window: Window::Last(24 * HOUR),
            aggregate: Aggregate::Count,
            ttl_us: Some(HOUR),
        };
        Definition {
            name: "ip_mobile_clicks_24h".to_owned(),
            entity: Entity::Address,
            computed: Computed::Past(past),
            owner: "fraud",
            doc: "Clicks from the address by mobile devices.".to_owned(),
        }
    }

    fn check(change: impl FnOnce(&mut Definition, &mut Past), expected: &str) {
        let mut definition = definition();
        let Computed::Past(mut past) = definition.computed.clone() else { panic!("it is of the past") };
        change(&mut definition, &mut past);
        definition.computed = Computed::Past(past);
        let found = Feature::new(definition);
        let text = found.map_or_else(|error| error.to_string(), |feature| feature.to_string());
        assert_eq!(text, expected);
    }

    #[test]
    fn the_canonical_text_tells_all_that_decides_the_value() {
        check(
            |_, _| {},
            "ip_mobile_clicks_24h: by address, count of clicks where device_type is mobile and country is known, \
             24 h, null after 1 h",
        );
        let part = Part { source: Kind::Conversion, filter: Filter::NONE };
        check(
            |_, past| past.aggregate = Aggregate::ShareOf(Number::Amount, part),
            "ip_mobile_clicks_24h: by address, sum of amount of conversions for each amount of clicks where \
             device_type is mobile and country is known, 24 h, null after 1 h",
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let name = "ip_mobile_clicks_24h";
        check(
            |it, _| it.name = "Clicks!".to_owned(),
            "\"Clicks!\" is not a feature's name: it takes 1 to 64 of a-z, 0-9 and `_`, and begins with a letter",
        );
        check(
            |it, _| it.doc = "Clicks.".to_owned(),
            &format!(
                "{name} has to say what it is in a sentence of more than 20 characters that ends with a full stop"
            ),
        );
        check(|it, _| it.owner = "", &format!("{name} has no owner"));
        check(
            |_, past| past.window = Window::AllTime,
            &format!(
                "{name} keeps every address for ever: give it a window, or describe a partner or an offer"
            ),
        );
        check(
            |_, past| past.ttl_us = Some(0),
            &format!(
                "{name} looks back over no time at all: give its window and its time to live more than 0 µs"
            ),
        );
        check(
            |_, past| past.aggregate = Aggregate::Quantile(Number::Amount, 1_001),
            &format!("{name} asks for a quantile beyond 1000 thousandths"),
        );
        check(
            |_, past| past.aggregate = Aggregate::Rate(0),
            &format!("{name} is a rate, which needs a sliding window and a unit of more than 0 µs"),
        );
        let twice = check_all(vec![definition(), definition()]).unwrap_err().to_string();
        assert_eq!(twice, format!("there are two features of the name {name}"));
    }
}
