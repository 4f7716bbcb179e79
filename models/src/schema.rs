//! The features that a model takes: which set, which definitions, and their names in the order of the vector.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;

/// A feature set as a model and whoever asks it know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureSchema {
    /// Its name with its version: `fraud_v1`; for a file of one's own, a name of one's own.
    pub set: String,
    /// SHA-256 over the definitions (`features::set::FeatureSet::fingerprint`), or over the names of a file's columns.
    pub fingerprint: Fingerprint,
    /// The features, in the order of the vector.
    pub names: Vec<String>,
}

/// Why values cannot be given to a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Features that the model takes are not there.
    #[error(
        "the model takes {}, which the features that are given lack: train on the set that is served, or serve the set {set}",
        list(names)
    )]
    Missing {
        /// The model's set.
        set: String,
        /// Which features.
        names: Vec<String>,
    },
    /// Features are there that the model does not take.
    #[error(
        "{} is given, and the model takes no such feature: give the features of the set {set} and no others",
        list(names)
    )]
    Extra {
        /// The model's set.
        set: String,
        /// Which features.
        names: Vec<String>,
    },
    /// The same features in another order.
    #[error(
        "{name:?} is given at place {given} of the vector, and the model takes it at place {taken}: give the features in the order of the set {set}"
    )]
    Order {
        /// The model's set.
        set: String,
        /// The first feature that is out of place.
        name: String,
        /// Its place in what is given, from one.
        given: usize,
        /// Its place in the model's vector, from one.
        taken: usize,
    },
    /// The same names, and other definitions.
    #[error(
        "the model was trained on {set} with the definitions {trained}, and the features that are given have {given}: a definition has changed since, so train a version on what is served"
    )]
    Definitions {
        /// The model's set.
        set: String,
        /// The fingerprint of its definitions.
        trained: Fingerprint,
        /// The fingerprint of those that are given.
        given: Fingerprint,
    },
    /// A feature is named twice.
    #[error("{name:?} is given twice: name every feature once")]
    Twice {
        /// Which one.
        name: String,
    },
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

impl FeatureSchema {
    /// The columns of a file, which have no definitions but their names.
    #[must_use]
    pub fn of_columns(set: &str, names: &[&str]) -> Self {
        let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Self { set: set.to_owned(), fingerprint: Fingerprint::of(lines.as_bytes()), names }
    }

    /// That vectors of `given` are what a model with this schema was trained on.
    ///
    /// # Errors
    /// The first of what differs: features that are missing, that are too many, their order, their definitions.
    pub fn takes(&self, given: &Self) -> Result<(), SchemaError> {
        self.takes_names(given.names.iter().map(String::as_str))?;
        let out_of_place = self.names.iter().zip(&given.names).position(|(taken, given)| taken != given);
        if let Some(place) = out_of_place {
            let name = given.names.get(place).cloned().unwrap_or_default();
            let taken = self.names.iter().position(|it| *it == name).unwrap_or_default() + 1;
            return Err(SchemaError::Order { set: self.set.clone(), name, given: place + 1, taken });
        }
        if self.fingerprint != given.fingerprint {
            let (trained, given) = (self.fingerprint, given.fingerprint);
            return Err(SchemaError::Definitions { set: self.set.clone(), trained, given });
        }
        Ok(())
    }

    /// The vector of named values, in order; not a number stands for a value that is not known.
    ///
    /// # Errors
    /// When a feature is missing, is not one of the set's, or is named twice.
    pub fn vector(&self, values: &[(&str, f64)]) -> Result<Vec<f64>, SchemaError> {
        self.takes_names(values.iter().map(|(name, _)| *name))?;
        let by_name: BTreeMap<&str, f64> = values.iter().copied().collect();
        Ok(self.names.iter().filter_map(|name| by_name.get(name.as_str()).copied()).collect())
    }

    fn takes_names<'a>(&self, given: impl Iterator<Item = &'a str>) -> Result<(), SchemaError> {
        let taken: BTreeSet<&str> = self.names.iter().map(String::as_str).collect();
        let mut seen = BTreeSet::new();
        for name in given {
            if !seen.insert(name) {
                return Err(SchemaError::Twice { name: name.to_owned() });
            }
        }
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let missing = owned(self.names.iter().map(String::as_str).filter(|it| !seen.contains(it)).collect());
        if !missing.is_empty() {
            return Err(SchemaError::Missing { set: self.set.clone(), names: missing });
        }
        let extra = owned(seen.difference(&taken).copied().collect());
        if !extra.is_empty() {
            return Err(SchemaError::Extra { set: self.set.clone(), names: extra });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], expected: &str) {
        let model = FeatureSchema::of_columns("fraud_v1", &["amount", "hour", "clicks"]);
        let error = model.takes(&FeatureSchema::of_columns("fraud_v1", names)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_is_missing_too_much_or_out_of_place_is_named() {
        check(&["amount", "clicks"], r#"takes "hour", which"#);
        check(&["amount"], r#"takes "hour", "clicks", which"#);
        check(&["amount", "hour", "clicks", "age"], r#""age" is given, and the model takes no such"#);
        check(
            &["amount", "clicks", "hour"],
            r#""clicks" is given at place 2 of the vector, and the model takes it at place 3"#,
        );
        check(&["amount", "hour", "clicks", "hour"], r#""hour" is given twice"#);
    }

    #[test]
    fn the_same_names_with_other_definitions_are_refused() {
        let model = FeatureSchema::of_columns("fraud_v1", &["amount"]);
        assert_eq!(model.takes(&model), Ok(()));
        let other = FeatureSchema { fingerprint: Fingerprint::of(b"another definition"), ..model.clone() };
        assert!(model.takes(&other).unwrap_err().to_string().contains("a definition has changed since"));
    }

    #[test]
    fn named_values_become_the_vector_in_any_order() {
        let model = FeatureSchema::of_columns("fraud_v1", &["amount", "hour"]);
        assert_eq!(model.vector(&[("hour", 3.0), ("amount", 9.5)]), Ok(vec![9.5, 3.0]));
        let error = model.vector(&[("hour", 3.0)]).unwrap_err();
        assert_eq!(
            error,
            SchemaError::Missing { set: "fraud_v1".to_owned(), names: vec!["amount".to_owned()] }
        );
    }
}
