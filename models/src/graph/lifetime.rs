//! What customers will buy and what they pay for it, by probability models whose formulas are closed.

use super::{Graph, GraphError, Value, trees::check};

const FAMILY: &str = "lifetime";

/// More terms than this are no formula any more.
const MOST_TERMS: usize = 8192;

/// BG/NBD (Fader, Hardie and Lee 2005, "Counting Your Customers the Easy Way"): customers buy at rates that are gamma
/// distributed with shape `r` and rate `alpha`, and leave after a purchase with probabilities that are beta distributed with
/// `a` and `b`. All above zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BgNbd {
    /// The shape of the buying rates.
    pub r: f64,
    /// The rate of the buying rates, in the unit of all times.
    pub alpha: f64,
    /// The first parameter of the chances to leave.
    pub a: f64,
    /// The second one.
    pub b: f64,
}

/// Gamma-Gamma (Fader and Hardie 2013, "The Gamma-Gamma Model of Monetary Value"): amounts of a customer are gamma
/// distributed with shape `p` and a rate that is gamma distributed with shape `q`, above one, and rate `gamma`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GammaGamma {
    /// The shape of the amounts of one customer.
    pub p: f64,
    /// The shape of the customers' rates.
    pub q: f64,
    /// The rate of the customers' rates, an amount.
    pub gamma: f64,
}

/// What is known of customers; each double, batch × 1.
#[derive(Clone, Debug)]
pub struct Histories {
    /// Purchases after the first.
    pub frequency: Value,
    /// The time from the first purchase to the last.
    pub recency: Value,
    /// The time since the first purchase.
    pub age: Value,
    /// The mean amount of the purchases after the first; it does not matter where there is none.
    pub mean_amount: Value,
}

/// What BG/NBD expects; each double, batch × 1.
#[derive(Clone, Debug)]
pub struct Purchases {
    /// Purchases in the span.
    pub expected: Value,
    /// The chance to be still a customer: one before the second purchase.
    pub p_alive: Value,
    /// Purchases in a unit of time of a customer who is.
    pub rate: Value,
}

impl GammaGamma {
    /// The amount that is expected of a purchase, batch × 1.
    pub fn add(self, graph: &mut Graph, known: &Histories) -> Result<Value, GraphError> {
        let Self { p, q, gamma } = self;
        if ![p, q, gamma].iter().all(|it| 0.0 < *it && it.is_finite()) || q <= 1.0 {
            return Err(GraphError::table(FAMILY, format!("{self:?} has no finite mean above zero")));
        }
        let mut sum = Formula { graph, like: &known.frequency };
        let own = sum.times(&known.frequency, p)?;
        let paid = sum.graph.mul(&own, &known.mean_amount)?;
        // A mean of nothing may be anything, also not a number.
        let one = sum.number(1.0)?;
        let bought_once = sum.graph.less(&known.frequency, &one)?;
        let zero = sum.number(0.0)?;
        let paid = sum.graph.choose(&bought_once, &zero, &paid)?;
        let all = sum.plus(&paid, p * gamma)?;
        let count = sum.plus(&own, q - 1.0)?;
        sum.graph.div(&all, &count)
    }
}

impl BgNbd {
    /// What is expected in the next `span` of time: equation 10 after Euler's transformation of the hypergeometric
    /// function, whose series is summed as far as a customer of no age needs.
    pub fn add(self, graph: &mut Graph, known: &Histories, span: f64) -> Result<Purchases, GraphError> {
        let Self { r, alpha, a, b } = self;
        if ![r, alpha, a, b, span].iter().all(|it| 0.0 < *it && it.is_finite()) {
            return Err(GraphError::table(FAMILY, format!("{self:?} over {span} is not all above zero")));
        }
        let widths = [&known.frequency, &known.recency, &known.age, &known.mean_amount];
        for value in widths {
            check(FAMILY, "columns of a history", 1, value.width(FAMILY)?)?;
        }
        let mut of = Formula { graph, like: &known.frequency };
        let x = &known.frequency;
        let until_now = of.plus(&known.age, alpha)?;
        let until_last = of.plus(&known.recency, alpha)?;
        let shape = of.plus(x, r)?;
        let p_alive = self.alive(&mut of, (x, &shape), (&until_now, &until_last))?;
        let rate = of.graph.div(&shape, &until_now)?;
        // At one the formula is 0 / 0, and continuous around it.
        let a = if (a - 1.0).abs() < 1e-6 { 1.0 + 1e-6 } else { a };
        let both = of.plus(x, a + b - 1.0)?;
        let both = of.apart_from_zero(&both)?;
        let until_then = of.plus(&until_now, span)?;
        let ahead = of.number(span)?;
        let z = of.graph.div(&ahead, &until_then)?;
        let left = of.graph.div(&until_now, &until_then)?;
        let left = of.graph.log(&left)?;
        let left = of.times(&left, a - 1.0)?;
        let left = of.graph.exp(&left)?;
        // The series is longest for who has bought once, just now.
        let series =
            Series { a: a + b - 1.0 - r, b: a - 1.0, least: a + b - 1.0, most: span / (alpha + span) };
        let series = series.add(&mut of, &both, &z)?;
        let stays = of.graph.mul(&left, &series)?;
        let one = of.number(1.0)?;
        let bought = of.graph.sub(&one, &stays)?;
        let times = of.times(&both, 1.0 / (a - 1.0))?;
        let expected = of.graph.mul(&times, &bought)?;
        let zero = of.number(0.0)?;
        let expected = of.graph.max(&expected, &zero)?;
        let expected = of.graph.mul(&expected, &p_alive)?;
        Ok(Purchases { expected, p_alive, rate })
    }

    fn alive(
        self,
        of: &mut Formula<'_>,
        (x, shape): (&Value, &Value),
        (until_now, until_last): (&Value, &Value),
    ) -> Result<Value, GraphError> {
        let one = of.number(1.0)?;
        let bought_once = of.graph.less(x, &one)?;
        let again = of.graph.max(x, &one)?;
        let again = of.plus(&again, self.b - 1.0)?;
        let again = of.graph.log(&again)?;
        let apart = of.graph.div(until_now, until_last)?;
        let apart = of.graph.log(&apart)?;
        let silence = of.graph.mul(shape, &apart)?;
        let stays = of.graph.sub(&again, &silence)?;
        let stays = of.plus(&stays, -libm::log(self.a))?;
        let stays = of.graph.sigmoid(&stays)?;
        of.graph.choose(&bought_once, &one, &stays)
    }
}

/// Gauss's hypergeometric series ₂F₁(a, b; c; z), where c is a column from `least` on and z one up to `most`, below one.
struct Series {
    a: f64,
    b: f64,
    least: f64,
    most: f64,
}

impl Series {
    /// One, and the first term times what the others are of it: the factors that all rows share are constants, and the
    /// others are added as logarithms.
    fn add(&self, of: &mut Formula<'_>, c: &Value, z: &Value) -> Result<Value, GraphError> {
        let terms = self.terms()?;
        let (mut log, mut sign) = (0.0, 1.0);
        let (mut logs, mut signs) = (vec![0.0], vec![1.0]);
        for k in (1..terms).map(|k| k as f64) {
            let factor = (self.a + k) * (self.b + k) / (k + 1.0);
            log += libm::log(factor.abs());
            sign *= if factor.abs() < f64::MIN_POSITIVE { 0.0 } else { factor.signum() };
            logs.push(if sign.abs() < 0.5 { 0.0 } else { log });
            signs.push(sign);
        }
        let places: Vec<f64> = (0..terms).map(|k| k as f64).collect();
        let like = of.like;
        let mut row = |hint, values: &[f64]| of.graph.floats(hint, like, &[1, terms], values);
        let (places, logs, signs) = (row("k", &places)?, row("logs", &logs)?, row("signs", &signs)?);
        let shifted = of.graph.add(c, &places)?;
        // The first term, whose c may be below zero, is multiplied with at the end.
        let zero = of.number(0.0)?;
        let one = of.number(1.0)?;
        let first = of.graph.at_most(&places, &zero)?;
        let shifted = of.graph.choose(&first, &one, &shifted)?;
        let shifted = of.graph.log(&shifted)?;
        let shifted = of.graph.cumulative_sum(&shifted, 1)?;
        let log_z = of.graph.log(z)?;
        let powers = of.graph.mul(&log_z, &places)?;
        let sum = of.graph.add(&powers, &logs)?;
        let sum = of.graph.sub(&sum, &shifted)?;
        let sum = of.graph.exp(&sum)?;
        let sum = of.graph.mul(&sum, &signs)?;
        let sum = of.graph.sum(&sum, 1)?;
        let first = of.graph.div(z, c)?;
        let first = of.times(&first, self.a * self.b)?;
        let rest = of.graph.mul(&first, &sum)?;
        of.plus(&rest, 1.0)
    }

    /// How many terms it takes until they say nothing any more.
    fn terms(&self) -> Result<usize, GraphError> {
        let (mut term, mut sum) = (1.0_f64, 1.0_f64);
        for terms in 1..MOST_TERMS {
            let k = (terms - 1) as f64;
            term *= (self.a + k) * (self.b + k) / ((self.least + k) * (k + 1.0)) * self.most;
            sum += term;
            // What is left is no more than a geometric series.
            if term.abs() <= 1e-13 * (1.0 - self.most) * sum.abs() {
                return Ok(terms);
            }
        }
        let reason =
            format!("its series takes more than {MOST_TERMS} terms: alpha is too small beside the span");
        Err(GraphError::table(FAMILY, reason))
    }
}

/// Arithmetic with numbers beside columns.
struct Formula<'a> {
    graph: &'a mut Graph,
    like: &'a Value,
}

impl Formula<'_> {
    fn number(&mut self, number: f64) -> Result<Value, GraphError> {
        self.graph.scalar("number", self.like, number)
    }

    fn plus(&mut self, value: &Value, number: f64) -> Result<Value, GraphError> {
        let number = self.number(number)?;
        self.graph.add(value, &number)
    }

    fn times(&mut self, value: &Value, number: f64) -> Result<Value, GraphError> {
        let number = self.number(number)?;
        self.graph.mul(value, &number)
    }

    /// Where a value is nearly zero, a little more.
    fn apart_from_zero(&mut self, value: &Value) -> Result<Value, GraphError> {
        let least = self.number(1e-9)?;
        let size = self.graph.abs(value)?;
        let small = self.graph.less(&size, &least)?;
        self.graph.choose(&small, &least, value)
    }
}
