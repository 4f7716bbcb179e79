//! Tables as files that spreadsheets open.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use csv::QuoteStyle;

use super::fault::Fault;
use crate::api::failure::Failure;

/// A file of these lines, the first of them its head, to be kept under this name.
pub fn saved(name: &str, lines: &[Vec<String>]) -> Result<Response, Fault> {
    let broken = |error: csv::Error| Fault::Failed(Failure::Broken(error.into()));
    // Between quotation marks, no list separator of anybody's locale ends a cell.
    let mut file = csv::WriterBuilder::new().quote_style(QuoteStyle::NonNumeric).from_writer(Vec::new());
    for line in lines {
        file.write_record(line).map_err(broken)?;
    }
    let file = file.into_inner().map_err(|error| broken(error.into_error().into()))?;
    let name = format!("attachment; filename=\"{name}.csv\"");
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, file).into_response())
}

/// What somebody else wrote, such as a sub-id of a visitor's URL: spreadsheets must not take it for a formula.
pub fn harmless(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}
