//! What happens to raw features before a model: missing values are filled, outliers clipped, scales made alike,
//! categories made columns; all of it inside the graph, so that a model file takes raw features.
//!
//! Raw features are double, because seconds since the epoch and amounts in minor units do not fit into float. What
//! comes out is small numbers, and may be cast to float for a network.

use super::{
    ElementType, Graph, GraphError, Tensor, TensorType, Value,
    lookup::{Segments, add_segments, fill},
};

const FAMILY: &str = "preprocessing";

/// What happens to the columns of a matrix of raw features.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preprocess {
    /// One for each raw column.
    pub columns: Vec<Column>,
}

/// What happens to a raw column.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// It is a number and stays one.
    Numeric(Numeric),
    /// It is the code of a category: a column for each of these codes, 1 where it is that and else 0.
    OneHot(Vec<f64>),
    /// It is left out.
    Drop,
}

/// The steps of a numeric column, in this order; the default does nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Numeric {
    /// What stands for a missing value; NaN where it stays missing.
    pub fill: f64,
    /// No value is below this.
    pub lowest: f64,
    /// No value is above this.
    pub highest: f64,
    /// What bends the scale.
    pub bend: Bend,
    /// Then this is subtracted,
    pub center: f64,
    /// and it is divided by this.
    pub scale: f64,
    /// Whether a column says 1 where the value was missing and else 0.
    pub tells_missing: bool,
}

impl Default for Numeric {
    fn default() -> Self {
        Self {
            fill: f64::NAN,
            lowest: f64::NEG_INFINITY,
            highest: f64::INFINITY,
            bend: Bend::Straight,
            center: 0.0,
            scale: 1.0,
            tells_missing: false,
        }
    }
}

/// What bends the scale of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Bend {
    /// Nothing.
    Straight,
    /// sign(x) · ln(1 + |x|)
    SignedLog,
    /// A broken line, such as from quantiles to ranks or to normal scores.
    Quantiles(Segments),
}

/// The columns that a model works on.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Batch × columns: the numeric ones in their order, those that tell of missing values, those of categories.
    pub value: Value,
    /// The raw column that each of them comes from.
    pub sources: Vec<usize>,
    /// How many raw columns there are.
    raw: usize,
}

impl Prepared {
    /// Reasons by raw column, from reasons by prepared column: each raw column's are added up.
    pub fn fold(&self, graph: &mut Graph, reasons: &Value) -> Result<Value, GraphError> {
        if reasons.width(FAMILY)? != self.sources.len() {
            let reason = format!("{} are not reasons for {} columns", reasons.kind(), self.sources.len());
            return Err(GraphError::table(FAMILY, reason));
        }
        if self.raw == self.sources.len() && self.sources.iter().enumerate().all(|(at, source)| at == *source)
        {
            return Ok(reasons.clone());
        }
        let mut to_raw = vec![0.0; self.sources.len() * self.raw];
        for (at, source) in self.sources.iter().enumerate() {
            to_raw[at * self.raw + source] = 1.0;
        }
        let to_raw = graph.floats("to_raw", reasons, &[self.sources.len(), self.raw], &to_raw)?;
        graph.matmul(reasons, &to_raw)
    }
}

impl Preprocess {
    /// Prepared columns from raw ones, batch × columns.
    pub fn add(&self, graph: &mut Graph, raw: &Value) -> Result<Prepared, GraphError> {
        let width = raw.width(FAMILY)?;
        if width != self.columns.len() {
            let reason = format!("it describes {} columns, and there are {width}", self.columns.len());
            return Err(GraphError::table(FAMILY, reason));
        }
        let (mut parts, mut sources) = (Vec::new(), Vec::new());
        let numeric: Vec<(usize, &Numeric)> = self.numeric().collect();
        if !numeric.is_empty() {
            sources.extend(numeric.iter().map(|(column, _)| column));
            parts.push(numbers(graph, raw, &numeric)?);
        }
        let telling: Vec<usize> =
            numeric.iter().filter(|(_, steps)| steps.tells_missing).map(|(column, _)| *column).collect();
        if !telling.is_empty() {
            let chosen = chosen(graph, raw, &telling)?;
            let is_missing = graph.is_nan(&chosen)?;
            parts.push(graph.cast(&is_missing, raw.element())?);
            sources.extend(&telling);
        }
        let codes: Vec<(usize, f64)> = self.codes().collect();
        if !codes.is_empty() {
            let columns: Vec<usize> = codes.iter().map(|(column, _)| *column).collect();
            let values: Vec<f64> = codes.iter().map(|(_, code)| *code).collect();
            let repeated = graph.columns(raw, &columns)?;
            let values = graph.floats("codes", raw, &[codes.len()], &values)?;
            let is_it = graph.equal(&repeated, &values)?;
            parts.push(graph.cast(&is_it, raw.element())?);
            sources.extend(&columns);
        }
        let parts: Vec<&Value> = parts.iter().collect();
        let value = match parts.as_slice() {
            [] => return Err(GraphError::table(FAMILY, "it leaves no column")),
            [one] => (*one).clone(),
            several => graph.concat(several, 1)?,
        };
        Ok(Prepared { value, sources, raw: width })
    }

    fn numeric(&self) -> impl Iterator<Item = (usize, &Numeric)> {
        self.columns.iter().enumerate().filter_map(|(at, column)| match column {
            Column::Numeric(steps) => Some((at, steps)),
            Column::OneHot(_) | Column::Drop => None,
        })
    }

    fn codes(&self) -> impl Iterator<Item = (usize, f64)> {
        self.columns.iter().enumerate().flat_map(|(at, column)| match column {
            Column::OneHot(codes) => codes.iter().map(|code| (at, *code)).collect(),
            Column::Numeric(_) | Column::Drop => Vec::new(),
        })
    }
}

fn chosen(graph: &mut Graph, raw: &Value, columns: &[usize]) -> Result<Value, GraphError> {
    let all = columns.len() == raw.width(FAMILY)? && columns.iter().enumerate().all(|(at, it)| at == *it);
    if all { Ok(raw.clone()) } else { graph.columns(raw, columns) }
}

/// All numeric columns at once, each step by one operator with a number for each column; steps that do nothing to any
/// of them are left out.
fn numbers(graph: &mut Graph, raw: &Value, numeric: &[(usize, &Numeric)]) -> Result<Value, GraphError> {
    for (column, steps) in numeric {
        check(steps).map_err(|reason| GraphError::table(FAMILY, format!("column {column}: {reason}")))?;
    }
    let columns: Vec<usize> = numeric.iter().map(|(column, _)| *column).collect();
    let each = |of: fn(&Numeric) -> f64| -> Vec<f64> { numeric.iter().map(|(_, steps)| of(steps)).collect() };
    let shape = [columns.len()];
    let mut value = chosen(graph, raw, &columns)?;
    let fills = each(|steps| steps.fill);
    if fills.iter().any(|it| !it.is_nan()) {
        value = fill(graph, (&value.clone(), &value), &fills)?;
    }
    let (lowest, highest) = (each(|steps| steps.lowest), each(|steps| steps.highest));
    if highest.iter().any(|it| *it < f64::INFINITY) {
        let highest = graph.floats("highest", raw, &shape, &highest)?;
        value = graph.min(&value, &highest)?;
    }
    if lowest.iter().any(|it| f64::NEG_INFINITY < *it) {
        let lowest = graph.floats("lowest", raw, &shape, &lowest)?;
        value = graph.max(&value, &lowest)?;
    }
    value = bent(graph, &value, numeric)?;
    let (centers, scales) = (each(|steps| steps.center), each(|steps| steps.scale));
    if centers.iter().any(|it| 0.0 < it.abs()) {
        let centers = graph.floats("centers", raw, &shape, &centers)?;
        value = graph.sub(&value, &centers)?;
    }
    if scales.iter().any(|it| 0.0 < (it - 1.0).abs()) {
        let scales = graph.floats("scales", raw, &shape, &scales)?;
        value = graph.div(&value, &scales)?;
    }
    Ok(value)
}

fn check(steps: &Numeric) -> Result<(), String> {
    if steps.lowest.is_nan() || steps.highest.is_nan() || steps.highest < steps.lowest {
        return Err(format!("nothing is from {} to {}", steps.lowest, steps.highest));
    }
    if !steps.center.is_finite() || !steps.scale.is_finite() || steps.scale.abs() <= 0.0 {
        return Err(format!("it cannot be centred at {} and divided by {}", steps.center, steps.scale));
    }
    Ok(())
}

fn bent(graph: &mut Graph, value: &Value, numeric: &[(usize, &Numeric)]) -> Result<Value, GraphError> {
    let is_log: Vec<bool> = numeric.iter().map(|(_, steps)| steps.bend == Bend::SignedLog).collect();
    let mut result = value.clone();
    if is_log.contains(&true) {
        let log = signed_log(graph, value)?;
        let is_log = graph.constant("is_log", Tensor::bool(&[numeric.len()], is_log)?);
        result = graph.choose(&is_log, &log, value)?;
    }
    let lines = numeric.iter().enumerate().filter_map(|(at, (_, steps))| match &steps.bend {
        Bend::Quantiles(line) => Some((at, line.clone())),
        Bend::Straight | Bend::SignedLog => None,
    });
    let (places, lines): (Vec<usize>, Vec<Segments>) = lines.unzip();
    if lines.is_empty() {
        return Ok(result);
    }
    let straight = chosen(graph, value, &places)?;
    let ranks = add_segments(graph, FAMILY, &straight, &lines)?;
    if places.len() == numeric.len() {
        return Ok(ranks);
    }
    let both = graph.concat(&[&result, &ranks], 1)?;
    let from =
        |at: usize| places.iter().position(|place| *place == at).map_or(at, |rank| numeric.len() + rank);
    let order: Vec<usize> = (0..numeric.len()).map(from).collect();
    graph.columns(&both, &order)
}

fn signed_log(graph: &mut Graph, value: &Value) -> Result<Value, GraphError> {
    let one = graph.scalar("one", value, 1.0)?;
    let size = graph.abs(value)?;
    let more = graph.add(&size, &one)?;
    let log = graph.log(&more)?;
    let sign = graph.sign(value)?;
    graph.mul(&sign, &log)
}

/// Categories by name: an input of texts, batch × 1, for a feature that is no number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Categories {
    /// Each has its place as its code.
    pub names: Vec<String>,
}

impl Categories {
    /// Batch × names: 1 where the text is that name and else 0, so that a text that is not known is 0 everywhere.
    pub fn add_one_hot(
        &self,
        graph: &mut Graph,
        texts: &Value,
        element: ElementType,
    ) -> Result<Value, GraphError> {
        let kind = TensorType::rows(ElementType::Text, 1);
        if *texts.kind() != kind || self.names.is_empty() {
            let reason = format!("it takes names, at least one, for {kind}, not {}", texts.kind());
            return Err(GraphError::table(FAMILY, reason));
        }
        let names = Tensor::text(&[self.names.len()], self.names.clone())?;
        let names = graph.constant("names", names);
        let is_it = graph.equal(texts, &names)?;
        graph.cast(&is_it, element)
    }

    /// Batch × 1: the code of the text, NaN (missing) where it is not known; what trees take.
    pub fn add_codes(
        &self,
        graph: &mut Graph,
        texts: &Value,
        element: ElementType,
    ) -> Result<Value, GraphError> {
        let is_it = self.add_one_hot(graph, texts, element)?;
        let count = self.names.len();
        let codes: Vec<f64> = (0..count).map(|code| code as f64).collect();
        let codes = graph.floats("codes", &is_it, &[count, 1], &codes)?;
        let code = graph.matmul(&is_it, &codes)?;
        let found = graph.largest(&is_it, 1)?;
        let half = graph.scalar("half", &is_it, 0.5)?;
        let unknown = graph.less(&found, &half)?;
        let nothing = graph.scalar("unknown", &is_it, f64::NAN)?;
        graph.choose(&unknown, &nothing, &code)
    }
}
