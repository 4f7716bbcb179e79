//! Every decision of a lake made again: the same to the bit from what was noted, and from the same values of features as the
//! lake's events give up to the instant that it names.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    fmt,
};

use anyhow::Context;
use domain::{
    ClickId, ConversionId,
    click::Click,
    event::{Conversion, Decided, Decision, Event, Kind, Known, Visit},
    fraud::{Evidence, Networks, evidence::Origin},
};
use features::{
    entity::Keys,
    evidence::{self, Findings, Records},
    fact::Request,
    lake::{Lake, Told},
    online::{Bounds, Prepared, State},
    set::union,
    value::Value,
};
use serde_json::{Map, Value as Json};

use super::{
    Consulted, Record, as_kept, definitions, model,
    settings::{FraudSettings, InForce},
};

/// A state in service may be so far behind; what decided by an older one is not compared.
const MOST_BEHIND_US: i64 = 15 * 60 * 1_000_000;
/// So many findings are told.
const TOLD: usize = 20;
/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Decisions that were made again.
    pub decisions: u64,
    /// Of these, how many came out otherwise.
    pub different: u64,
    /// Decisions whose features were computed again.
    pub compared: u64,
    /// Of these, values that were held against each other.
    pub values: u64,
    /// Values that are others.
    pub mismatches: u64,
    /// Decisions about what was only asked, made without features, by features of other definitions, or by a state that was
    /// minutes behind.
    pub not_compared: u64,
    /// The first of what is not as it should be, each in a sentence.
    pub findings: Vec<String>,
}

impl Replayed {
    fn finds(&mut self, sentence: String) {
        if self.findings.len() < TOLD {
            self.findings.push(sentence);
        }
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { decisions, different, compared, values, mismatches, not_compared, .. } = self;
        write!(
            f,
            "{decisions} decisions were made again, {different} came out otherwise; features of {compared} were computed again, \
             {mismatches} of {values} values are others; {not_compared} could not be compared"
        )
    }
}

/// A decision that waits until everything that was known before it is told.
struct Judged {
    conversion: ConversionId,
    is_stored: bool,
    evidence: Evidence,
    model: Option<Consulted>,
}

struct Walk {
    /// By their versions; what this release refuses, with why.
    settings: BTreeMap<String, Result<InForce, String>>,
    state: State,
    rules: Prepared,
    model: Prepared,
    /// What is known and was not told to the state yet, in the order in which it became known.
    held: VecDeque<Known<Event>>,
    /// The newest that was told.
    told_us: i64,
    /// By from when their features count, up to when, and one after the other.
    waiting: BTreeMap<(i64, i64, u64), Judged>,
    wanted: (HashSet<ConversionId>, HashSet<ClickId>),
    conversions: HashMap<ConversionId, Conversion>,
    clicks: HashMap<ClickId, Visit<Click>>,
    found: Replayed,
}

/// Makes every decision of the lake again; `tell` is told how many events were read.
///
/// # Errors
/// When a file of the lake cannot be read, or says what cannot be meant.
pub fn replay(lake: &Lake, mut tell: impl FnMut(u64)) -> anyhow::Result<Replayed> {
    let always = i64::MIN..i64::MAX;
    let mut walk = Walk::begin(lake)?;
    let kinds = Kind::HAPPENS.iter().chain(&[Kind::Decision]);
    let told = kinds.map(|kind| Told::whole(*kind, always.clone())).collect();
    let mut replay = lake.replay(told, always)?;
    let mut read = 0;
    while let Some(block) = replay.next_block()? {
        for known in block.into_iter().flatten() {
            walk.follow(known)?;
            read += 1;
        }
        tell(read);
    }
    walk.decide_until(i64::MAX);
    Ok(walk.found)
}

impl Walk {
    fn begin(lake: &Lake) -> anyhow::Result<Self> {
        let mut settings = BTreeMap::from([("0".to_owned(), Ok(InForce::defaults()))]);
        let mut wanted = (HashSet::new(), HashSet::new());
        for known in lake.events(&[Kind::Decision], i64::MIN..i64::MAX)? {
            let Event::Decision(decision) = known?.event else { continue };
            match decision.decided {
                Decided::Score => wanted.0.extend(decision.conversion),
                Decided::Settings => {
                    let in_force = in_force(&decision);
                    settings.insert(decision.version, in_force);
                }
                Decided::Rate | Decided::List => {}
            }
        }
        for known in lake.events(&[Kind::Conversion], i64::MIN..i64::MAX)? {
            let Event::Conversion(conversion) = known?.event else { continue };
            wanted.1.extend(conversion.click.filter(|_| wanted.0.contains(&conversion.id)));
        }
        let state = State::new(&union([evidence::set(), model::set()]), Bounds::default());
        let (rules, model) = (state.prepare(evidence::set())?, state.prepare(model::set())?);
        Ok(Self {
            settings,
            state,
            rules,
            model,
            held: VecDeque::new(),
            told_us: i64::MIN,
            waiting: BTreeMap::new(),
            wanted,
            conversions: HashMap::new(),
            clicks: HashMap::new(),
            found: Replayed::default(),
        })
    }

    fn follow(&mut self, known: Known<Event>) -> anyhow::Result<()> {
        self.decide_until(known.known_at_us);
        match known.event {
            Event::Decision(decision) if decision.decided == Decided::Score => return self.again(decision),
            Event::Decision(_) => return Ok(()),
            Event::Conversion(ref conversion) if self.wanted.0.contains(&conversion.id) => {
                self.conversions.insert(conversion.id, conversion.clone());
            }
            Event::Click(ref visit) if self.wanted.1.contains(&visit.seen.id) => {
                self.clicks.insert(visit.seen.id, visit.clone());
            }
            _ => {}
        }
        let now_us = known.known_at_us;
        self.held.push_back(known);
        self.tell_until(now_us - MOST_BEHIND_US);
        Ok(())
    }

    /// Decides again from what was noted, and waits with the features.
    fn again(&mut self, decision: Decision) -> anyhow::Result<()> {
        let id = decision.id;
        let record: Record = serde_json::from_str(&decision.record)
            .with_context(|| format!("decision {id} cannot be read"))?;
        self.found.decisions += 1;
        match self.settings.get(&decision.version) {
            Some(Ok(in_force)) if record.again(in_force) == record => {}
            Some(Err(why)) => {
                self.found.different += 1;
                self.found.finds(format!(
                    "decision {id} was made by settings {} that cannot be used: {why}",
                    decision.version
                ));
            }
            Some(Ok(_)) => {
                self.found.different += 1;
                self.found.finds(format!("decision {id} of {} comes out otherwise", record.at));
            }
            None => {
                self.found.different += 1;
                self.found.finds(format!(
                    "decision {id} was made by settings {} that are not there",
                    decision.version
                ));
            }
        }
        let is_as_defined = record.definitions == Some(definitions());
        match (decision.conversion, record.features_as_of.filter(|_| is_as_defined)) {
            (Some(conversion), Some(as_of)) => {
                let at_us = record.counted_at.unwrap_or(record.at).timestamp_micros();
                let judged = Judged {
                    conversion,
                    is_stored: record.is_stored,
                    evidence: record.evidence,
                    model: record.model,
                };
                self.waiting.insert((at_us, as_of.timestamp_micros(), self.found.decisions), judged);
            }
            _ => self.found.not_compared += 1,
        }
        Ok(())
    }

    /// Compares what waits from before an instant.
    fn decide_until(&mut self, until_us: i64) {
        while let Some(first) = self.waiting.first_entry().filter(|first| first.key().0 < until_us) {
            let ((at_us, as_of_us, _), judged) = first.remove_entry();
            self.tell_until(as_of_us);
            self.compare(&judged, (at_us, as_of_us));
        }
    }

    fn tell_until(&mut self, until_us: i64) {
        while let Some(known) = self.held.pop_front_if(|known| known.known_at_us <= until_us) {
            self.told_us = known.known_at_us;
            self.state.observe(&known);
        }
    }

    fn compare(&mut self, judged: &Judged, (at_us, as_of_us): (i64, i64)) {
        let conversion = self.conversions.get(&judged.conversion).filter(|_| self.told_us <= as_of_us);
        let Some(conversion) = conversion.cloned() else {
            self.found.not_compared += 1;
            return;
        };
        let click = conversion.click.and_then(|id| self.clicks.get(&id));
        let event = Event::Conversion(conversion);
        let request = Request { event: &event, click };
        let mut computed = |prepared: &Prepared, keys: &Keys| {
            let mut values = Vec::new();
            if judged.is_stored {
                self.state.vector(prepared, keys, Some(&request), at_us, &mut values);
            } else {
                self.state.vector_if_told(prepared, keys, &request, at_us, &mut values);
            }
            values
        };
        let rules = computed(&self.rules, &evidence::keys(&request));
        let model = judged.model.as_ref().map(|_| computed(&self.model, &Keys::of(&event)));
        let again = evidence::gather(
            &rules,
            &request,
            &Records::default(),
            &Findings::default(),
            &Networks::default(),
        );
        let again = again.unwrap_or_default();
        self.found.compared += 1;
        self.hold_against(judged, (&again, model.as_deref()));
    }

    fn hold_against(&mut self, judged: &Judged, (again, model): (&Evidence, Option<&[Value]>)) {
        // What was noted has been written and read, which may move the last digit.
        let (noted, again) = (fields(&judged.evidence), fields(&as_kept(again.clone())));
        let features = Evidence::FIELDS.iter().filter(|field| matches!(field.origin, Origin::Feature(_)));
        let mut pairs: Vec<(&str, Option<Json>, Option<Json>)> = features
            .map(|field| (field.name, noted.get(field.name).cloned(), again.get(field.name).cloned()))
            .collect();
        if let Some((noted, again)) = judged.model.as_ref().zip(model) {
            let number = |value: Option<f64>| value.map(Json::from);
            let read = |value: f64| serde_json::from_str(&Json::from(value).to_string()).unwrap_or(value);
            let again = again.iter().map(|value| Some(read(value.as_f64())).filter(|value| !value.is_nan()));
            let named = model::set().features.iter().zip(&noted.values).zip(again);
            pairs.extend(
                named.map(|((feature, noted), again)| (feature.name.as_str(), number(*noted), number(again))),
            );
        }
        for (name, noted, again) in pairs {
            self.found.values += 1;
            if noted != again {
                self.found.mismatches += 1;
                let said =
                    |value: Option<Json>| value.map_or_else(|| "nothing".to_owned(), |it| it.to_string());
                self.found.finds(format!(
                    "{name} of {} was {} in service and is {} by the lake",
                    judged.conversion,
                    said(noted),
                    said(again)
                ));
            }
        }
    }
}

fn in_force(decision: &Decision) -> Result<InForce, String> {
    let said: FraudSettings = serde_json::from_str(&decision.record).map_err(|error| error.to_string())?;
    let version = decision.version.parse().map_err(|_| "its version is no number".to_owned())?;
    InForce::check(said, version).map_err(|error| error.to_string())
}

fn fields(evidence: &Evidence) -> Map<String, Json> {
    match serde_json::to_value(evidence) {
        Ok(Json::Object(fields)) => fields,
        _ => Map::new(),
    }
}
