//! Columns being filled, and columns being read: row after row, each value in the order of the table's list.

use std::{fmt::Write, net::IpAddr, str::FromStr};

use domain::{
    id::{Id, PRINTED},
    money::{Currency, Money},
};
use polars::prelude::{
    Column, DataFrame, Int64Chunked, IntoSeries, NamedFrom, PolarsResult, Series, StringChunked,
    StringChunkedBuilder,
};

use super::schema::{Table, Type};

/// Columns that grow by one value each with every event.
pub(super) struct Filling {
    table: &'static Table,
    columns: Vec<Values>,
    rows: usize,
    /// Reused for values that are printed piece by piece.
    text: String,
}

enum Values {
    Text(StringChunkedBuilder),
    Whole(Vec<i64>),
    WholeOrNull(Vec<Option<i64>>),
}

impl Filling {
    /// Empty columns with room for `rows`.
    pub(super) fn new(table: &'static Table, rows: usize) -> Self {
        let empty = |column: &super::schema::Column| match column.kind {
            Type::Text => Values::Text(StringChunkedBuilder::new(column.name.into(), rows)),
            Type::Time | Type::Integer if column.nullable => Values::WholeOrNull(Vec::with_capacity(rows)),
            Type::Time | Type::Integer => Values::Whole(Vec::with_capacity(rows)),
        };
        Self { table, columns: table.columns().map(empty).collect(), rows: 0, text: String::new() }
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// A new row, to be given all its values.
    pub(super) fn row(&mut self) -> NewRow<'_> {
        self.rows += 1;
        NewRow { columns: &mut self.columns, next: 0, text: &mut self.text }
    }

    /// The columns as a frame; new ones begin to fill.
    pub(super) fn take(&mut self) -> PolarsResult<DataFrame> {
        let full = std::mem::replace(self, Self::new(self.table, self.rows));
        let rows = full.rows;
        let finish = |(column, values): (&super::schema::Column, Values)| {
            let series = match values {
                Values::Text(builder) => builder.finish().into_series(),
                Values::Whole(values) => {
                    Series::new(column.name.into(), values).cast(&column.kind.dtype())?
                }
                Values::WholeOrNull(values) => {
                    Series::new(column.name.into(), values).cast(&column.kind.dtype())?
                }
            };
            Ok(Column::from(series))
        };
        let columns = full.table.columns().zip(full.columns).map(finish).collect::<PolarsResult<_>>()?;
        DataFrame::new(rows, columns)
    }
}

/// A row that is given its values, in the order of its table's columns.
pub(super) struct NewRow<'a> {
    columns: &'a mut [Values],
    next: usize,
    text: &'a mut String,
}

impl NewRow<'_> {
    fn next(&mut self) -> &mut Values {
        self.next += 1;
        self.columns.get_mut(self.next - 1).expect("a row has as many values as its table has columns")
    }

    fn builder(&mut self) -> &mut StringChunkedBuilder {
        match self.next() {
            Values::Text(builder) => builder,
            Values::Whole(_) | Values::WholeOrNull(_) => unreachable!("a text goes into a column of texts"),
        }
    }

    /// A number, or a moment in microseconds.
    pub(super) fn whole(&mut self, value: i64) -> &mut Self {
        match self.next() {
            Values::Whole(values) => values.push(value),
            Values::WholeOrNull(values) => values.push(Some(value)),
            Values::Text(_) => unreachable!("a number goes into a column of numbers"),
        }
        self
    }

    /// The same, where the column may be null.
    pub(super) fn whole_or_null(&mut self, value: Option<i64>) -> &mut Self {
        match self.next() {
            Values::WholeOrNull(values) => values.push(value),
            Values::Whole(_) | Values::Text(_) => unreachable!("the column takes numbers and nulls"),
        }
        self
    }

    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        self.builder().append_value(value);
        self
    }

    pub(super) fn text_or_null(&mut self, value: &str) -> &mut Self {
        self.builder().append_option((!value.is_empty()).then_some(value));
        self
    }

    pub(super) fn id(&mut self, id: impl Id) -> &mut Self {
        self.text(id.print(&mut [0; PRINTED]))
    }

    pub(super) fn id_or_null(&mut self, id: Option<impl Id>) -> &mut Self {
        match id {
            Some(id) => self.id(id),
            None => self.null(),
        }
    }

    pub(super) fn hash(&mut self, hash: &[u8; 16]) -> &mut Self {
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(hash) {
            pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
            pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
        }
        self.text(str::from_utf8(&digits).expect("hexadecimal digits are ASCII"))
    }

    pub(super) fn hash_or_null(&mut self, hash: Option<&[u8; 16]>) -> &mut Self {
        match hash {
            Some(hash) => self.hash(hash),
            None => self.null(),
        }
    }

    pub(super) fn network(&mut self, network: IpAddr) -> &mut Self {
        self.text.clear();
        write!(self.text, "{network}/{}", prefix_length(network))
            .expect("a text takes what is written to it");
        let Values::Text(builder) = self.columns.get_mut(self.next).expect("a network has its column") else {
            unreachable!("a network goes into a column of texts")
        };
        builder.append_value(self.text.as_str());
        self.next += 1;
        self
    }

    pub(super) fn network_or_null(&mut self, network: Option<IpAddr>) -> &mut Self {
        match network {
            Some(network) => self.network(network),
            None => self.null(),
        }
    }

    pub(super) fn money(&mut self, money: Money) -> &mut Self {
        self.whole(money.minor).text(money.currency.code())
    }

    pub(super) fn null(&mut self) -> &mut Self {
        self.builder().append_null();
        self
    }

    /// Says that the row has all its values.
    pub(super) fn end(&mut self) {
        assert_eq!(self.next, self.columns.len(), "a row has as many values as its table has columns");
    }
}

/// How many bits of an address are its network.
fn prefix_length(network: IpAddr) -> u8 {
    if network.is_ipv4() { 24 } else { 48 }
}

/// A value that is not what its column promises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{column}: {why}")]
pub struct CellError {
    /// In which column.
    pub column: &'static str,
    /// What is wrong with it.
    pub why: String,
}

/// The columns of a frame, to be read row by row.
pub(super) struct Reading {
    columns: Vec<(&'static str, Cells)>,
}

struct Cells {
    values: CellValues,
    /// Whether the first row stands for all.
    is_constant: bool,
}

enum CellValues {
    Text(StringChunked),
    Whole(Int64Chunked),
}

impl Cells {
    fn place(&self, row: usize) -> usize {
        if self.is_constant { 0 } else { row }
    }
}

impl Reading {
    /// The columns of `frame`, which has all those of `table` with their types.
    pub(super) fn new(table: &'static Table, frame: &DataFrame) -> PolarsResult<Self> {
        Self::with_template(table, frame, frame)
    }

    /// The same, but every row has the values of the only row of `template` in the columns that `frame` lacks.
    pub(super) fn with_template(
        table: &'static Table,
        frame: &DataFrame,
        template: &DataFrame,
    ) -> PolarsResult<Self> {
        let columns = table.columns().map(|column| {
            let is_constant = frame.get_column_index(column.name).is_none();
            let from = if is_constant { template } else { frame };
            let series = from.column(column.name)?.as_materialized_series().rechunk();
            let values = match column.kind {
                Type::Text => CellValues::Text(series.str()?.clone()),
                Type::Time | Type::Integer => CellValues::Whole(series.to_physical_repr().i64()?.clone()),
            };
            Ok((column.name, Cells { values, is_constant }))
        });
        Ok(Self { columns: columns.collect::<PolarsResult<_>>()? })
    }

    /// The id of a row, as it stands there.
    pub(super) fn id(&self, row: usize) -> &str {
        match self.columns.first() {
            Some((_, Cells { values: CellValues::Text(ids), .. })) => {
                ids.get(row).unwrap_or("an event without id")
            }
            _ => "",
        }
    }

    /// When the event of each row happened, and when it became known, in microseconds since the Unix epoch.
    pub(super) fn times(&self) -> impl Iterator<Item = (i64, i64)> {
        let numbers = |place: usize| match self.columns.get(place) {
            Some((_, Cells { values: CellValues::Whole(numbers), .. })) => numbers.iter(),
            _ => unreachable!("every table begins with an id and two times"),
        };
        numbers(1).zip(numbers(2)).map(|(one, other)| (one.unwrap_or_default(), other.unwrap_or_default()))
    }

    /// The values of one row.
    pub(super) fn row(&self, row: usize) -> OldRow<'_> {
        OldRow { columns: &self.columns, next: 0, row }
    }
}

/// A row that gives its values, in the order of its table's columns.
pub(super) struct OldRow<'a> {
    columns: &'a [(&'static str, Cells)],
    next: usize,
    row: usize,
}

impl<'a> OldRow<'a> {
    fn next(&mut self) -> &'a (&'static str, Cells) {
        self.next += 1;
        self.columns.get(self.next - 1).expect("a row has as many values as its table has columns")
    }

    fn cell(&mut self) -> (&'static str, Option<&'a str>) {
        match self.next() {
            (column, cells @ Cells { values: CellValues::Text(texts), .. }) => {
                (column, texts.get(cells.place(self.row)))
            }
            _ => unreachable!("a text comes from a column of texts"),
        }
    }

    pub(super) fn whole(&mut self) -> Result<i64, CellError> {
        let (column, number) = self.number();
        number.ok_or_else(|| missing(column))
    }

    /// The number, of a type that holds it.
    pub(super) fn whole_or_none<T: TryFrom<i64>>(&mut self) -> Result<Option<T>, CellError> {
        let (column, number) = self.number();
        let fitting = |number: i64| {
            T::try_from(number)
                .map_err(|_| CellError { column, why: format!("{number} is out of its range") })
        };
        number.map(fitting).transpose()
    }

    /// Yes is one and no is zero.
    pub(super) fn yes_or_none(&mut self) -> Result<Option<bool>, CellError> {
        Ok(self.whole_or_none::<u64>()?.map(|number| number != 0))
    }

    fn number(&mut self) -> (&'static str, Option<i64>) {
        match self.next() {
            (column, cells @ Cells { values: CellValues::Whole(numbers), .. }) => {
                (column, numbers.get(cells.place(self.row)))
            }
            _ => unreachable!("a number comes from a column of numbers"),
        }
    }

    pub(super) fn text(&mut self) -> Result<String, CellError> {
        let (column, text) = self.cell();
        text.map(str::to_owned).ok_or_else(|| missing(column))
    }

    /// The text, empty where it is null.
    pub(super) fn text_or_empty(&mut self) -> String {
        self.cell().1.unwrap_or_default().to_owned()
    }

    /// What the text says: an id, a name, a currency.
    pub(super) fn parsed<T: FromStr<Err: ToString>>(&mut self) -> Result<T, CellError> {
        let (column, text) = self.cell();
        parse(column, text.ok_or_else(|| missing(column))?)
    }

    pub(super) fn parsed_or_none<T: FromStr<Err: ToString>>(&mut self) -> Result<Option<T>, CellError> {
        let (column, text) = self.cell();
        text.map(|text| parse(column, text)).transpose()
    }

    pub(super) fn hash_or_none(&mut self) -> Result<Option<[u8; 16]>, CellError> {
        let (column, text) = self.cell();
        text.map(|text| parse_hash(column, text)).transpose()
    }

    pub(super) fn hash(&mut self) -> Result<[u8; 16], CellError> {
        let (column, text) = self.cell();
        parse_hash(column, text.ok_or_else(|| missing(column))?)
    }

    pub(super) fn network_or_none(&mut self) -> Result<Option<IpAddr>, CellError> {
        let (column, text) = self.cell();
        text.map(|text| parse_network(column, text)).transpose()
    }

    pub(super) fn network(&mut self) -> Result<IpAddr, CellError> {
        let (column, text) = self.cell();
        parse_network(column, text.ok_or_else(|| missing(column))?)
    }

    pub(super) fn money(&mut self) -> Result<Money, CellError> {
        let minor = self.whole()?;
        let currency: Currency = self.parsed()?;
        Ok(Money::new(minor, currency))
    }
}

fn missing(column: &'static str) -> CellError {
    CellError { column, why: "has no value where one must be".to_owned() }
}

fn parse<T: FromStr<Err: ToString>>(column: &'static str, text: &str) -> Result<T, CellError> {
    text.parse().map_err(|error: T::Err| CellError { column, why: error.to_string() })
}

fn parse_hash(column: &'static str, text: &str) -> Result<[u8; 16], CellError> {
    let wrong = || CellError { column, why: format!("{:?} is not 32 hexadecimal digits", short(text)) };
    let number = (text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten();
    number.map(u128::to_be_bytes).ok_or_else(wrong)
}

fn parse_network(column: &'static str, text: &str) -> Result<IpAddr, CellError> {
    let wrong = || CellError {
        column,
        why: format!("{:?} is not a network such as 203.0.113.0/24 or 2001:db8:1::/48", short(text)),
    };
    let (address, length) = text.split_once('/').ok_or_else(wrong)?;
    let network: IpAddr = address.parse().map_err(|_| wrong())?;
    (length.parse() == Ok(prefix_length(network))).then_some(network).ok_or_else(wrong)
}

fn short(text: &str) -> String {
    text.chars().take(64).collect()
}
