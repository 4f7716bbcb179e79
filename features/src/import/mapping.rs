//! Which column of a file is which field: by its own name, by what was said, or one value for all rows.

use std::collections::BTreeMap;

use super::{error::ImportError, events::HIDDEN, fields::Rows, record::Record};

/// What was said about the columns of a file.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// Columns by the source's names, and the fields that they are; of an empty field, columns that are none.
    pub columns: Vec<(String, String)>,
    /// Values that all rows have.
    pub constants: Vec<(String, String)>,
}

/// The mapping as it fits one file.
#[derive(Debug)]
pub(super) struct Fitted {
    rows: Rows,
    /// For each column of the file, its name and the field that it is.
    columns: Vec<(String, Option<&'static str>)>,
    constants: Record,
    /// The columns that are no field.
    pub(super) unused: Vec<String>,
}

impl Mapping {
    /// Fits what was said to the columns of a file.
    pub(super) fn fit(&self, rows: Rows, columns: &[String], may_hide: bool) -> Result<Fitted, ImportError> {
        let known = |name: &str| {
            let field = rows.field(name).map(|field| field.name);
            field.ok_or_else(|| ImportError::UnknownField { field: name.to_owned(), rows })
        };
        let mut said = BTreeMap::new();
        for (column, field) in &self.columns {
            if !columns.contains(column) {
                let columns = columns.join(", ");
                return Err(ImportError::UnknownColumn { column: column.clone(), columns });
            }
            let field = if field.is_empty() { None } else { Some(known(field)?) };
            said.insert(column.as_str(), field);
        }
        let constants = self.constants.iter().map(|(field, value)| Ok((known(field)?, value.clone())));
        let constants = constants.filter(|constant| !matches!(constant, Ok((_, value)) if value.is_empty()));
        let constants = Record(constants.collect::<Result<_, ImportError>>()?);
        // A column that was mapped elsewhere does not lend its own name, nor does one whose field has a column.
        let taken = |field: &str| said.values().any(|mapped| *mapped == Some(field));
        let own = |column: &String| rows.field(column).map(|field| field.name).filter(|field| !taken(field));
        let fields: Vec<Option<&'static str>> = columns
            .iter()
            .map(|column| said.get(column.as_str()).copied().unwrap_or_else(|| own(column)))
            .collect();
        for field in rows.fields().filter(|field| field.required) {
            if !fields.contains(&Some(field.name)) && constants.get(field.name).is_none() {
                let columns = columns.join(", ");
                return Err(ImportError::MissingField { field: field.name, columns });
            }
        }
        if let Some(field) = HIDDEN.into_iter().find(|field| !may_hide && fields.contains(&Some(field))) {
            return Err(ImportError::NeedsSecret { field });
        }
        let columns: Vec<_> = columns.iter().cloned().zip(fields).collect();
        let unused = columns.iter().filter(|(_, field)| field.is_none());
        let unused = unused.map(|(column, _)| column.clone()).collect();
        Ok(Fitted { rows, columns, constants, unused })
    }
}

impl Fitted {
    /// The record of a row, given the values of its columns in their order; what is empty is not said.
    pub(super) fn record<'a>(&self, values: impl Iterator<Item = &'a str>) -> Record {
        let mut record = self.constants.clone();
        for ((_, field), value) in self.columns.iter().zip(values) {
            record.say(*field, value);
        }
        record
    }

    /// The record of a row that names its values itself; a name that no column of the beginning had is the field that
    /// it names.
    pub(super) fn record_of_named<'a>(&self, values: impl Iterator<Item = (&'a str, String)>) -> Record {
        let mut record = self.constants.clone();
        for (name, value) in values {
            let column = self.columns.iter().find(|(column, _)| column == name);
            let own = || self.rows.field(name).map(|field| field.name).filter(|field| !self.has(field));
            record.say(column.map_or_else(own, |(_, field)| *field), &value);
        }
        record
    }

    fn has(&self, field: &str) -> bool {
        self.columns.iter().any(|(_, has)| *has == Some(field))
    }

    /// Its columns, with the field that each is.
    pub(super) fn columns(&self) -> &[(String, Option<&'static str>)] {
        &self.columns
    }
}
