//! NumPy's archives read directly: a table `X` and, where somebody has judged the rows, labels `y`.

use std::{
    fs::File,
    io::{BufReader, Read, Seek},
    path::{Path, PathBuf},
};

use npyz::{DType, NpyFile, Order, TypeChar};
use zip::{ZipArchive, result::ZipError};

use super::matrix::{Matrix, MatrixError};

/// A table and what people found out about its rows. Labels are for measuring; no detector takes them.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// The rows.
    pub table: Matrix,
    /// For each row, whether it is an anomaly; None when the archive has no `y`.
    pub labels: Option<Vec<bool>>,
}

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NpzError {
    /// The file cannot be opened.
    #[error("{path} cannot be opened: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is no archive, or a damaged one.
    #[error("this is no archive as `numpy.savez` writes it: {0}")]
    Archive(#[from] ZipError),
    /// An array that must be there is not.
    #[error("the archive has no array {0}; write it with `numpy.savez(file, X=table, y=labels)`")]
    Absent(&'static str),
    /// An array cannot be parsed.
    #[error("array {name} cannot be read: {source}")]
    Unreadable {
        /// The array.
        name: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// An array of something else than numbers.
    #[error("array {name} has the type {found}; it must hold booleans, integers or floats of 32 or 64 bits")]
    Type {
        /// The array.
        name: &'static str,
        /// Its type as NumPy writes it.
        found: String,
    },
    /// An array of another shape.
    #[error("array {name} has the shape {found:?}; it must have {expected}")]
    Shape {
        /// The array.
        name: &'static str,
        /// Its shape.
        found: Vec<u64>,
        /// What would do.
        expected: &'static str,
    },
    /// A label that is neither.
    #[error("row {row} has the label {found}; labels are 0 for ordinary and 1 for anomalous")]
    Label {
        /// The row, counted from zero.
        row: usize,
        /// Its label.
        found: f64,
    },
    /// The values do not make a table.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
}

/// Reads the arrays `X`, of shape (rows, columns), and `y`, of shape (rows,), if it is there.
///
/// # Errors
/// When the file cannot be read or holds something else.
pub fn read(path: &Path) -> Result<Labelled, NpzError> {
    let file = File::open(path).map_err(|source| NpzError::Open { path: path.to_owned(), source })?;
    read_from(BufReader::new(file))
}

/// As [`read`], from anything that can be read and sought in.
///
/// # Errors
/// When it cannot be read or holds something else.
pub fn read_from(archive: impl Read + Seek) -> Result<Labelled, NpzError> {
    let mut archive = ZipArchive::new(archive)?;
    let features = array(&mut archive, "X", "X.npy")?.ok_or(NpzError::Absent("X"))?;
    let &[rows, width] = features.shape.as_slice() else {
        return Err(features.shape_error("two dimensions, rows and columns"));
    };
    let (rows, width) = (rows as usize, width as usize);
    let values = if features.by_column { transposed(rows, width, &features.values) } else { features.values };
    let labels = array(&mut archive, "y", "y.npy")?.map(|array| labels(rows, array)).transpose()?;
    Ok(Labelled { table: Matrix::from_rows(width, values)?, labels })
}

struct Array {
    name: &'static str,
    shape: Vec<u64>,
    by_column: bool,
    values: Vec<f64>,
}

impl Array {
    fn shape_error(self, expected: &'static str) -> NpzError {
        NpzError::Shape { name: self.name, found: self.shape, expected }
    }
}

fn array(
    archive: &mut ZipArchive<impl Read + Seek>,
    name: &'static str,
    entry: &str,
) -> Result<Option<Array>, NpzError> {
    let entry = match archive.by_name(entry) {
        Ok(entry) => entry,
        Err(ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let unreadable = |source| NpzError::Unreadable { name, source };
    let file = NpyFile::new(BufReader::new(entry)).map_err(unreadable)?;
    let (shape, by_column) = (file.shape().to_vec(), file.order() == Order::Fortran);
    let values = numbers(name, file)?.map_err(unreadable)?;
    Ok(Some(Array { name, shape, by_column, values }))
}

/// The elements as floats, in the order in which they are stored.
fn numbers<R: Read>(name: &'static str, file: NpyFile<R>) -> Result<std::io::Result<Vec<f64>>, NpzError> {
    let DType::Plain(kind) = file.dtype() else {
        return Err(NpzError::Type { name, found: file.dtype().descr() });
    };
    macro_rules! widened {
        ($from:ty, $widen:expr) => {
            file.into_vec::<$from>().map(|values| values.into_iter().map($widen).collect())
        };
    }
    Ok(match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 8) => file.into_vec::<f64>(),
        (TypeChar::Float, 4) => widened!(f32, f64::from),
        (TypeChar::Int, 1) => widened!(i8, f64::from),
        (TypeChar::Int, 2) => widened!(i16, f64::from),
        (TypeChar::Int, 4) => widened!(i32, f64::from),
        (TypeChar::Int, 8) => widened!(i64, |value| value as f64),
        (TypeChar::Uint, 1) => widened!(u8, f64::from),
        (TypeChar::Uint, 2) => widened!(u16, f64::from),
        (TypeChar::Uint, 4) => widened!(u32, f64::from),
        (TypeChar::Uint, 8) => widened!(u64, |value| value as f64),
        (TypeChar::Bool, 1) => widened!(bool, |value| f64::from(u8::from(value))),
        _ => return Err(NpzError::Type { name, found: kind.to_string() }),
    })
}

fn transposed(rows: usize, width: usize, by_column: &[f64]) -> Vec<f64> {
    (0..rows).flat_map(|row| (0..width).map(move |column| by_column[column * rows + row])).collect()
}

fn labels(rows: usize, array: Array) -> Result<Vec<bool>, NpzError> {
    if array.values.len() != rows {
        return Err(array.shape_error("one label for each row of X"));
    }
    let label = |(row, &found): (usize, &f64)| {
        let known = [(0.0_f64, false), (1.0, true)];
        let label = known.into_iter().find(|(number, _)| number.total_cmp(&found).is_eq());
        label.map(|(_, label)| label).ok_or(NpzError::Label { row, found })
    };
    array.values.iter().enumerate().map(label).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;
    use npyz::WriterBuilder;
    use zip::{ZipWriter, write::SimpleFileOptions};

    fn npy<T: npyz::Serialize + npyz::AutoSerialize + Copy>(
        shape: &[u64],
        order: Order,
        values: &[T],
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        let options = npyz::WriteOptions::new().default_dtype().shape(shape).order(order);
        let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
        writer.extend(values.iter().copied()).unwrap();
        writer.finish().unwrap();
        bytes
    }

    fn archive(arrays: &[(&str, Vec<u8>)]) -> Cursor<Vec<u8>> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in arrays {
            archive.start_file(*name, SimpleFileOptions::default()).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap()
    }

    fn error(arrays: &[(&str, Vec<u8>)]) -> String {
        read_from(archive(arrays)).unwrap_err().to_string()
    }

    #[test]
    fn both_orders_and_other_types_become_the_same_table() {
        let expected = Matrix::from_rows(3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let by_row = npy(&[2, 3], Order::C, &[1.0_f64, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let by_column = npy(&[2, 3], Order::Fortran, &[1_i16, 4, 2, 5, 3, 6]);
        let labels = npy(&[2], Order::C, &[0_i64, 1]);
        let first = read_from(archive(&[("X.npy", by_row)])).unwrap();
        assert_eq!(first, Labelled { table: expected.clone(), labels: None });
        let second = read_from(archive(&[("X.npy", by_column), ("y.npy", labels)])).unwrap();
        assert_eq!(second, Labelled { table: expected, labels: Some(vec![false, true]) });
    }

    #[test]
    fn what_cannot_be_read_says_what_would_do() {
        let table = npy(&[2, 1], Order::C, &[1.0_f32, 2.0]);
        assert!(error(&[("x.npy", table.clone())]).starts_with("the archive has no array X"));
        assert!(error(&[("X.npy", npy(&[2], Order::C, &[1.0_f64, 2.0]))]).contains("has the shape [2]"));
        let short = npy(&[1], Order::C, &[1_u8]);
        assert!(error(&[("X.npy", table.clone()), ("y.npy", short)]).contains("one label for each row"));
        let three = npy(&[2], Order::C, &[0_u8, 3]);
        let three = error(&[("X.npy", table.clone()), ("y.npy", three)]);
        assert!(three.starts_with("row 1 has the label 3"), "{three}");
        assert!(error(&[("X.npy", table[..table.len() - 2].to_vec())]).starts_with("array X cannot be read"));
        assert!(
            read_from(Cursor::new(b"PK".to_vec())).unwrap_err().to_string().starts_with("this is no archive")
        );
        let nowhere = read(Path::new("nowhere.npz")).unwrap_err().to_string();
        assert!(nowhere.starts_with("nowhere.npz cannot be opened"), "{nowhere}");
    }
}
