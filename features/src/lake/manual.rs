//! The tables of the lake and the fields of imported files as a page, made from the lists that the code works by.

use super::{
    partition::hourly,
    schema::{TABLES, Table, VERSION},
};
use crate::import::fields::Rows;

/// All tables with their columns and all fields of files, in Markdown: the second half of docs/lake.md.
#[must_use]
pub fn tables() -> String {
    let about = format!("Version {VERSION} of the schema.\n");
    let tables = TABLES.iter().fold(about, |page, table| page + "\n" + &section(table));
    Rows::ALL
        .iter()
        .fold(tables + "\n## Fields of imported files\n", |page, rows| page + "\n" + &fields(*rows))
}

fn fields(rows: Rows) -> String {
    let head = format!("### {rows}\n\n| field | must be there | |\n|---|---|---|\n");
    rows.fields().fold(head, |page, field| {
        let must = if field.required { "yes" } else { "" };
        page + &format!("| `{}` | {must} | {} |\n", field.name, field.doc)
    })
}

fn section(table: &Table) -> String {
    let name = table.kind.name();
    let each = if hourly(table.kind) { "hour" } else { "day" };
    let head = format!("### {name}\n\n{} One file for each {each}.\n\n", table.doc);
    let head = head + "| column | type | null | |\n|---|---|---|---|\n";
    table.columns().fold(head, |page, column| {
        let null = if column.nullable { "yes" } else { "" };
        page + &format!("| `{}` | {} | {null} | {} |\n", column.name, column.kind.name(), column.doc)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_the_tables_as_they_are() {
        let manual = include_str!("../../../docs/lake.md");
        let (_, written) = manual.split_once("## Tables\n\n").unwrap();
        let hint = "renew it: put what `cargo run -p serve -- lake tables` prints below «## Tables»";
        assert!(
            written.trim_end() == tables().trim_end(),
            "docs/lake.md is not what the schema says; {hint}"
        );
    }
}
