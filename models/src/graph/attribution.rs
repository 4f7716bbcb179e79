//! Learned attribution: which share of the credit for a conversion each touch before it has, by an additive hazard.

use std::collections::BTreeMap;

use super::{Dim, ElementType, Graph, GraphError, Tensor, Value};

const FAMILY: &str = "attribution";

const DAY_S: f64 = 86_400.0;

/// A hazard that is a sum: what is organic, and for each touch
/// `effect[campaign] · channel[channel] · later · repeat · factors`, where the touches' effects fade also
/// `· decay · exp(−decay · age)` (Zhang, Wei and Ren 2014, "Multi-Touch Attribution in Online Advertising with Survival
/// Theory"). Each table by number has one row more than numbers, for whatever number is not among them.
#[derive(Clone, Debug, PartialEq)]
pub struct AdditiveHazard {
    /// By campaign: what happens without any touch.
    pub organic: Vec<f64>,
    /// By campaign: what a touch does there.
    pub effect: Vec<f64>,
    /// By campaign: what a touch counts that is not the journey's first.
    pub later: Vec<f64>,
    /// What the first, second, … touch of a channel counts; the last stands for all that follow.
    pub repeat: Vec<f64>,
    /// By name, each an input: what a touch counts by its value.
    pub factors: Vec<(String, Vec<f64>)>,
    /// By channel.
    pub channel: Vec<f64>,
    /// By channel, a day; none where the age of a touch makes no difference.
    pub decay_per_day: Option<Vec<f64>>,
    /// Touches that add less than this part of what is organic are divided by the rule.
    pub nothing: f64,
    /// The rule for journeys whose touches add nothing, or are all of channels that are not known.
    pub rule: Rule,
}

/// A rule of attribution that needs no table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// All for the last touch.
    #[default]
    LastClick,
    /// The same for each.
    Linear,
}

impl Rule {
    /// The name by which campaigns choose it.
    pub fn name(self) -> &'static str {
        match self {
            Self::LastClick => "last_click",
            Self::Linear => "linear",
        }
    }
}

/// The touches before each conversion, oldest first, in as many places as there are for the longest journey.
#[derive(Clone, Debug)]
pub struct Touches {
    /// int64, batch × touches: numbers of channels, below zero where there is no touch.
    pub channel: Value,
    /// double, batch × touches: seconds before the conversion; a touch after it counts as made at it.
    pub age: Value,
    /// int64, batch: numbers of campaigns.
    pub campaign: Value,
    /// int64, batch × touches, one for each factor: numbers of values.
    pub factors: Vec<Value>,
}

/// Who gets what; each row sums to one.
#[derive(Clone, Debug)]
pub struct Credit {
    /// double, batch × touches; zero where there is no touch.
    pub weights: Value,
    /// double, batch × 1: what would have happened without any touch; everything where there is none.
    pub organic: Value,
    /// bool, batch × 1: whether the rule divided the credit.
    pub by_rule: Value,
}

/// What is known of each place for a touch.
struct Places {
    /// How many there are in a row.
    count: usize,
    /// Whether there is a touch.
    is_touch: Value,
    /// The same as 0 or 1.
    touch: Value,
    zero: Value,
}

impl AdditiveHazard {
    /// What a file should say of itself beside its graph: how it reads time, and which rule stands in.
    pub fn properties(&self) -> BTreeMap<String, String> {
        let time = if self.decay_per_day.is_some() { "decaying" } else { "deciding" };
        [("time", time), ("rule", self.rule.name())]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }

    /// The credit of each touch and of none.
    pub fn add(&self, graph: &mut Graph, touches: &Touches) -> Result<Credit, GraphError> {
        self.check(touches)?;
        let places = Places::of(graph, &touches.channel)?;
        let (known, channel) = row_of(graph, &touches.channel, self.channel.len())?;
        let (_, campaign) = row_of(graph, &touches.campaign, self.organic.len())?;
        let hazard = self.hazard(graph, (touches, &places), (&channel, &campaign))?;
        let touched = graph.sum(&hazard, 1)?;
        let organic = look_up(graph, "organic", &self.organic, &campaign)?;
        let organic = graph.unsqueeze(&organic, 1)?;
        let by_rule = self.by_rule(graph, (&places, &known), (&touched, &organic))?;
        let total = graph.add(&touched, &organic)?;
        let learned = graph.div(&hazard, &total)?;
        let ruled = self.ruled(graph, &places)?;
        let rest = graph.div(&organic, &total)?;
        let weights = graph.choose(&by_rule, &ruled, &learned)?;
        let organic = graph.choose(&by_rule, &places.zero, &rest)?;
        Ok(Credit { weights, organic, by_rule })
    }

    /// What each touch adds, batch × touches.
    fn hazard(
        &self,
        graph: &mut Graph,
        (touches, places): (&Touches, &Places),
        (channel, campaign): (&Value, &Value),
    ) -> Result<Value, GraphError> {
        let effect = look_up(graph, "effect", &self.effect, campaign)?;
        let effect = graph.unsqueeze(&effect, 1)?;
        let own = look_up(graph, "channel", &self.channel, channel)?;
        let mut whole = graph.mul(&effect, &own)?;
        let later = self.later(graph, places, campaign)?;
        whole = graph.mul(&whole, &later)?;
        let repeat = self.repeat(graph, places, &touches.channel)?;
        whole = graph.mul(&whole, &repeat)?;
        for ((name, table), values) in self.factors.iter().zip(&touches.factors) {
            let (_, row) = row_of(graph, values, table.len())?;
            let told = look_up(graph, name, table, &row)?;
            whole = graph.mul(&whole, &told)?;
        }
        if let Some(decay) = &self.decay_per_day {
            let decay = look_up(graph, "decay", decay, channel)?;
            let day_s = graph.scalar("day", &decay, DAY_S)?;
            let age = graph.max(&touches.age, &places.zero)?;
            let days = graph.div(&age, &day_s)?;
            let faded = graph.mul(&days, &decay)?;
            let faded = graph.neg(&faded)?;
            let left = graph.exp(&faded)?;
            let pace = graph.mul(&decay, &left)?;
            whole = graph.mul(&whole, &pace)?;
        }
        graph.choose(&places.is_touch, &whole, &places.zero)
    }

    fn later(&self, graph: &mut Graph, places: &Places, campaign: &Value) -> Result<Value, GraphError> {
        let later = look_up(graph, "later", &self.later, campaign)?;
        let later = graph.unsqueeze(&later, 1)?;
        let one = graph.scalar("one", &later, 1.0)?;
        let before = places.beside(graph, |other, place| other < place)?;
        let is_later = graph.less(&places.zero, &before)?;
        graph.choose(&is_later, &later, &one)
    }

    /// By how many touches before are of the same channel: each place is compared with each.
    fn repeat(&self, graph: &mut Graph, places: &Places, channel: &Value) -> Result<Value, GraphError> {
        let (down, across) = (graph.unsqueeze(channel, 2)?, graph.unsqueeze(channel, 1)?);
        let same = graph.equal(&down, &across)?;
        let same = graph.cast(&same, ElementType::F64)?;
        let before = square(places.count, |place, other| other < place);
        let before = graph.floats("before", &same, &[places.count, places.count], &before)?;
        let same = graph.mul(&same, &before)?;
        let times = graph.sum(&same, 2)?;
        let times = graph.squeeze(&times, 2)?;
        let most = graph.scalar("most_repeats", &times, (self.repeat.len() - 1) as f64)?;
        let times = graph.min(&times, &most)?;
        let times = graph.cast(&times, ElementType::I64)?;
        look_up(graph, "repeat", &self.repeat, &times)
    }

    fn by_rule(
        &self,
        graph: &mut Graph,
        (places, known): (&Places, &Value),
        (touched, organic): (&Value, &Value),
    ) -> Result<Value, GraphError> {
        let known = graph.cast(known, ElementType::F64)?;
        let known = graph.sum(&known, 1)?;
        let strange = graph.at_most(&known, &places.zero)?;
        let nothing = graph.scalar("nothing", organic, self.nothing)?;
        let nothing = graph.mul(organic, &nothing)?;
        let silent = graph.at_most(touched, &nothing)?;
        let count = graph.sum(&places.touch, 1)?;
        let touched = graph.less(&places.zero, &count)?;
        let helpless = graph.or(&strange, &silent)?;
        graph.and(&touched, &helpless)
    }

    /// What the rule gives each place.
    fn ruled(&self, graph: &mut Graph, places: &Places) -> Result<Value, GraphError> {
        match self.rule {
            Rule::LastClick => {
                let after = places.beside(graph, |other, place| place < other)?;
                let is_last = graph.at_most(&after, &places.zero)?;
                graph.choose(&is_last, &places.touch, &places.zero)
            }
            Rule::Linear => {
                let count = graph.sum(&places.touch, 1)?;
                let one = graph.scalar("one", &count, 1.0)?;
                let count = graph.max(&count, &one)?;
                graph.div(&places.touch, &count)
            }
        }
    }

    fn check(&self, touches: &Touches) -> Result<(), GraphError> {
        let [Dim::Batch, Dim::Fixed(places)] = touches.channel.kind().shape[..] else {
            return Err(wrong("channels", "int64[batch, touches]", &touches.channel));
        };
        let rows = |value: &Value, element| {
            value.kind().element == element && value.kind().shape == [Dim::Batch, Dim::Fixed(places)]
        };
        if !rows(&touches.channel, ElementType::I64) || places < 1 {
            return Err(wrong("channels", "int64[batch, touches]", &touches.channel));
        }
        if !rows(&touches.age, ElementType::F64) {
            return Err(wrong("ages", "double[batch, touches]", &touches.age));
        }
        if let Some(values) = touches.factors.iter().find(|values| !rows(values, ElementType::I64)) {
            return Err(wrong("a factor", "int64[batch, touches]", values));
        }
        let campaign = touches.campaign.kind();
        if campaign.element != ElementType::I64 || campaign.shape != [Dim::Batch] {
            return Err(wrong("campaigns", "int64[batch]", &touches.campaign));
        }
        self.check_tables(touches.factors.len())
    }

    fn check_tables(&self, factors: usize) -> Result<(), GraphError> {
        let refuse = |reason: &str| Err(GraphError::table(FAMILY, reason));
        if self.factors.len() != factors {
            return refuse("there must be an input for each factor");
        }
        if self.effect.len() != self.organic.len() || self.later.len() != self.organic.len() {
            return refuse("organic, effect and later must know the same campaigns");
        }
        let decay = self.decay_per_day.iter();
        if decay.clone().any(|decay| decay.len() != self.channel.len()) {
            return refuse("decay must know the same channels as the effects");
        }
        let factors = self.factors.iter().map(|(_, table)| table);
        let tables = [&self.organic, &self.effect, &self.later, &self.repeat, &self.channel];
        for table in tables.into_iter().chain(factors).chain(decay) {
            if table.is_empty() {
                return refuse("each table needs a row for what is not known");
            }
            if !table.iter().all(|rate| rate.is_finite() && 0.0 <= *rate) {
                return refuse("rates must be numbers from zero up");
            }
        }
        if !self.organic.iter().all(|rate| 0.0 < *rate) {
            return refuse(
                "something must be organic in every campaign, or a journey may have nobody to credit",
            );
        }
        Ok(())
    }
}

impl Places {
    fn of(graph: &mut Graph, channel: &Value) -> Result<Self, GraphError> {
        let Some(Dim::Fixed(count)) = channel.kind().shape.get(1).copied() else {
            return Err(wrong("channels", "int64[batch, touches]", channel));
        };
        let first = graph.constant("first_channel", Tensor::i64(&[], vec![0])?);
        let is_touch = graph.at_most(&first, channel)?;
        let touch = graph.cast(&is_touch, ElementType::F64)?;
        let zero = graph.scalar("zero", &touch, 0.0)?;
        Ok(Self { count, is_touch, touch, zero })
    }

    /// How many touches are in those of the other places that `counts` names, for each place.
    fn beside(&self, graph: &mut Graph, counts: fn(usize, usize) -> bool) -> Result<Value, GraphError> {
        let others = square(self.count, counts);
        let others = graph.floats("others", &self.touch, &[self.count, self.count], &others)?;
        graph.matmul(&self.touch, &others)
    }
}

/// 1 where the row and the column are as wanted, else 0.
fn square(count: usize, wanted: fn(usize, usize) -> bool) -> Vec<f64> {
    let cells = (0..count).flat_map(|row| (0..count).map(move |column| (row, column)));
    cells.map(|(row, column)| f64::from(u8::from(wanted(row, column)))).collect()
}

/// Whether each number is among those known, and its row: the last one where it is not.
fn row_of(graph: &mut Graph, numbers: &Value, rows: usize) -> Result<(Value, Value), GraphError> {
    let first = graph.constant("first", Tensor::i64(&[], vec![0])?);
    let unknown = graph.constant("unknown", Tensor::i64(&[], vec![rows as i64 - 1])?);
    let above = graph.at_most(&first, numbers)?;
    let below = graph.less(numbers, &unknown)?;
    let known = graph.and(&above, &below)?;
    let row = graph.choose(&known, numbers, &unknown)?;
    Ok((known, row))
}

fn look_up(graph: &mut Graph, hint: &str, table: &[f64], rows: &Value) -> Result<Value, GraphError> {
    let table = graph.constant(hint, Tensor::f64(&[table.len()], table.to_vec())?);
    graph.gather(&table, 0, rows)
}

fn wrong(what: &str, expected: &str, found: &Value) -> GraphError {
    GraphError::table(FAMILY, format!("{what} must be {expected}, not {}", found.kind()))
}
