//! Numbers in JSON as they are, to the last bit: tables as base64 of their little-endian doubles, single ones as text.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number that is read as it was written, also where it is infinite or none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exact(pub f64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        one::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one::deserialize(deserializer).map(Self)
    }
}

/// One number, as the shortest text that reads back.
pub mod one {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    /// Writes it.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&number.to_string())
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is no number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A table of numbers.
pub mod many {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    /// Writes it.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn serialize<S: Serializer>(numbers: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is no base64 of whole numbers.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        let bytes = STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        let (numbers, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(D::Error::custom("a table of numbers ends within a number"));
        }
        Ok(numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
    }
}

/// Two tables of numbers.
pub mod both {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Table(#[serde(with = "super::many")] Vec<f64>);

    /// Writes them.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn serialize<S: Serializer>(tables: &[Vec<f64>; 2], serializer: S) -> Result<S::Ok, S::Error> {
        tables.clone().map(Table).serialize(serializer)
    }

    /// Reads them.
    ///
    /// # Errors
    /// When one is no base64 of whole numbers.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[Vec<f64>; 2], D::Error> {
        <[Table; 2]>::deserialize(deserializer).map(|tables| tables.map(|table| table.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Row {
        one: Exact,
        #[serde(with = "many")]
        many: Vec<f64>,
        #[serde(with = "both")]
        both: [Vec<f64>; 2],
    }

    proptest! {
        #[test]
        fn every_number_reads_back_to_the_bit(numbers: Vec<f64>, one: f64) {
            let row = Row { one: Exact(one), many: numbers.clone(), both: [numbers.clone(), vec![one]] };
            let read: Row = serde_json::from_str(&serde_json::to_string(&row).unwrap()).unwrap();
            let bits = |numbers: &[f64]| numbers.iter().map(|it| it.to_bits()).collect::<Vec<_>>();
            prop_assert!(read.one.0.to_bits() == one.to_bits() || one.is_nan() && read.one.0.is_nan());
            prop_assert_eq!(bits(&read.many), bits(&numbers));
            prop_assert_eq!(bits(&read.both[1]), bits(&[one]));
        }
    }

    #[test]
    fn half_a_number_is_refused() {
        let read = serde_json::from_str::<Row>(r#"{"one": "1", "many": "AAAA", "both": ["", ""]}"#);
        assert!(read.unwrap_err().to_string().contains("ends within a number"));
    }
}
