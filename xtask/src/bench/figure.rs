//! A measured figure, for people as a row of a table and for programs as a line of JSON.

use serde_json::{Value, json};

/// One measured value, with what it is held against where there is such a thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What was measured, with its sizes and seed: `redirect/512_connections`.
    pub case: String,
    /// The value.
    pub value: f64,
    /// Its unit: `req/s`, `ms`, `rows`.
    pub unit: &'static str,
    /// The same measured of a peer or of a bare minimum in the same run.
    pub floor: Option<f64>,
}

impl Figure {
    /// A figure that stands alone.
    pub fn new(case: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { case: case.into(), value, unit, floor: None }
    }

    /// The same figure, held against a floor.
    pub fn against(self, floor: f64) -> Self {
        Self { floor: Some(floor), ..self }
    }

    /// The value in floors; none without a floor, or where the floor is nothing.
    pub fn ratio(&self) -> Option<f64> {
        self.floor.map(|floor| self.value / floor).filter(|ratio| ratio.is_finite())
    }

    /// One line of JSON: `bench, case, value, unit, floor, ratio`; what is absent is null.
    pub fn json(&self, bench: &str) -> Value {
        let Self { case, value, unit, floor } = self;
        json!({ "bench": bench, "case": case, "value": value, "unit": unit, "floor": floor, "ratio": self.ratio() })
    }
}

/// The figures as a table with aligned columns.
pub fn table(figures: &[Figure]) -> String {
    let head = ["case", "value", "unit", "floor", "ratio"].map(str::to_owned);
    let rows: Vec<[String; 5]> = [head].into_iter().chain(figures.iter().map(row)).collect();
    let widths: [usize; 5] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    });
    rows.iter().map(|row| line(row, widths)).collect()
}

fn row(figure: &Figure) -> [String; 5] {
    let floor = figure.floor.map_or_else(|| "–".to_owned(), readable);
    let ratio = figure.ratio().map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}×"));
    [figure.case.clone(), readable(figure.value), figure.unit.to_owned(), floor, ratio]
}

/// Words to the left, numbers to the right.
fn line(row: &[String; 5], [case, value, unit, floor, ratio]: [usize; 5]) -> String {
    let [a, b, c, d, e] = row;
    format!("{a:case$}  {b:>value$}  {c:unit$}  {d:>floor$}  {e:>ratio$}\n")
}

/// Three digits that count: large numbers in groups of three, small ones with decimals.
fn readable(value: f64) -> String {
    let magnitude = value.abs();
    let decimals = if magnitude < 10.0 { 2 } else { usize::from(magnitude < 100.0) };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text.as_str(), String::new()), |(whole, fraction)| (whole, format!(".{fraction}")));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if 0 < index && (digits.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        let cases = [
            (171_234.4, "171 234"),
            (1000.0, "1 000"),
            (999.4, "999"),
            (42.25, "42.2"),
            (2.345, "2.35"),
            (0.0, "0.00"),
            (-1234.0, "-1 234"),
        ];
        for (value, expected) in cases {
            assert_eq!(readable(value), expected);
        }
    }

    #[test]
    fn columns_are_aligned() {
        let figures = [
            Figure::new("redirect/512_connections", 57_000.0, "req/s").against(134_000.0),
            Figure::new("redirect/p99", 2.3, "ms"),
        ];
        let expected = "\
case                       value  unit     floor  ratio
redirect/512_connections  57 000  req/s  134 000  0.43×
redirect/p99                2.30  ms           –      –
";
        assert_eq!(table(&figures), expected);
    }

    #[test]
    fn json_has_every_field_of_every_figure() {
        let with_floor = Figure::new("a", 3.0, "ms").against(2.0).json("redirect");
        let expected = r#"{"bench":"redirect","case":"a","floor":2.0,"ratio":1.5,"unit":"ms","value":3.0}"#;
        assert_eq!(with_floor.to_string(), expected);
        let alone = Figure::new("a", 3.0, "ms").json("redirect").to_string();
        assert_eq!(
            alone,
            r#"{"bench":"redirect","case":"a","floor":null,"ratio":null,"unit":"ms","value":3.0}"#
        );
    }

    #[test]
    fn a_floor_of_nothing_has_no_ratio() {
        assert_eq!(Figure::new("a", 3.0, "ms").against(0.0).ratio(), None);
    }
}
