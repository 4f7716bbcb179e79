//! Every feature there is, one file for each theme. A new one is a definition in its theme's file, and a line in a set
//! of [`sets`] when a model is to take it; docs/features.md is made from this list.

mod address;
mod affiliate;
mod campaign;
mod customer;
mod device;
mod journey;
mod outcome;
mod pair;
mod purchase;
mod request;
pub mod sets;

use std::sync::{Arc, LazyLock};

use domain::event::Kind;

use crate::{
    definition::{Aggregate, Computed, Condition, Definition, Feature, Filter, Part, Past, check_all},
    entity::Entity,
    window::{DAY, HOUR, Window},
};

/// Every feature, in the order of the manual.
pub static ALL: LazyLock<Vec<Arc<Feature>>> = LazyLock::new(|| {
    let themes = [
        request::all(),
        address::all(),
        device::all(),
        journey::all(),
        outcome::all(),
        affiliate::all(),
        campaign::all(),
        pair::all(),
        customer::all(),
        purchase::all(),
    ];
    let features = check_all(themes.into_iter().flatten().collect());
    let features = features.unwrap_or_else(|error| unreachable!("a test checks every definition: {error}"));
    features.into_iter().map(Arc::new).collect()
});

/// A window that names of features end with.
#[derive(Clone, Copy)]
struct Span {
    suffix: &'static str,
    window: Window,
    /// How a sentence goes on.
    words: &'static str,
}

const HOUR_1: Span = Span { suffix: "1h", window: Window::Last(HOUR), words: "in the last hour" };
const HOURS_12: Span = Span { suffix: "12h", window: Window::Last(12 * HOUR), words: "in the last 12 hours" };
const HOURS_24: Span = Span { suffix: "24h", window: Window::Last(DAY), words: "in the last 24 hours" };
const DAYS_7: Span = Span { suffix: "7d", window: Window::Last(7 * DAY), words: "in the last 7 days" };
const DAYS_30: Span = Span { suffix: "30d", window: Window::Last(30 * DAY), words: "in the last 30 days" };
const DAYS_90: Span = Span { suffix: "90d", window: Window::Last(90 * DAY), words: "in the last 90 days" };
const DAYS_365: Span =
    Span { suffix: "365d", window: Window::Last(365 * DAY), words: "in the last 365 days" };
/// What velocity is asked over.
const VELOCITY: [Span; 4] = [HOUR_1, HOURS_24, DAYS_7, DAYS_90];

/// All clicks.
const CLICKS: Part = Part { source: Kind::Click, filter: Filter::NONE };
/// All conversions.
const CONVERSIONS: Part = Part { source: Kind::Conversion, filter: Filter::NONE };
/// All impressions.
const IMPRESSIONS: Part = Part { source: Kind::Impression, filter: Filter::NONE };
/// All refunds.
const REFUNDS: Part = Part { source: Kind::Refund, filter: Filter::NONE };
/// All changes of a rate.
const RATES: Part = Part { source: Kind::RateChange, filter: Filter::NONE };

/// Those of a kind for which all conditions hold.
const fn only(source: Kind, conditions: &'static [Condition]) -> Part {
    Part { source, filter: Filter(conditions) }
}

/// What a theme's features have in common.
#[derive(Clone, Copy)]
struct Theme {
    entity: Entity,
    owner: &'static str,
}

impl Theme {
    /// A feature over past events.
    fn past(self, name: &str, events: Part, window: Window, aggregate: Aggregate, doc: &str) -> Definition {
        let Part { source, filter } = events;
        let past = Past { source, filter, window, aggregate, ttl_us: None };
        let (name, doc) = (name.to_owned(), doc.to_owned());
        Definition { name, entity: self.entity, computed: Computed::Past(past), owner: self.owner, doc }
    }

    /// The same over several windows: `name` and `doc` without the window, which is added to both.
    fn over(
        self,
        spans: &[Span],
        name: &str,
        events: Part,
        aggregate: Aggregate,
        doc: &str,
    ) -> Vec<Definition> {
        let feature = |span: &Span| {
            let (name, doc) = (format!("{name}_{}", span.suffix), format!("{doc} {}.", span.words));
            self.past(&name, events, span.window, aggregate, &doc)
        };
        spans.iter().map(feature).collect()
    }
}

impl Definition {
    /// The same, but null when no event of the last so many microseconds contributes.
    fn null_after(mut self, ttl_us: i64) -> Self {
        if let Computed::Past(past) = &mut self.computed {
            past.ttl_us = Some(ttl_us);
        }
        self
    }
}
