//! A benchmark's report as people read it: on the terminal, and in its own section of docs/BENCHMARKS.md.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use super::{
    figure::{Figure, Report},
    machine::Machine,
};
use crate::workspace;

/// The page that benchmarks write, below the workspace's folder.
const PAGE: &str = "docs/BENCHMARKS.md";
const HEAD: &str = "\
# Benchmarks

What we promise, measured. `cargo xtask bench` and `cargo xtask torture` write this page: each renews its own section,
with the machine, the command and the date. A speed stands beside a floor or a peer that was measured in the same run;
it is the median of the runs, and ± is half of what lies between the slowest and the fastest. `cargo xtask bench --help`
names the benchmarks.
";

/// A table with a row for each case and a column for each thing measured.
pub fn table(figures: &[Figure]) -> String {
    let mut columns: Vec<&str> = Vec::new();
    let mut rows: Vec<(&str, &str)> = Vec::new();
    for figure in figures {
        if !columns.contains(&&*figure.of) {
            columns.push(&figure.of);
        }
        let row = (&*figure.case, figure.unit);
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    let head: Vec<String> = ["", "unit"].iter().chain(&columns).map(|&cell| cell.to_owned()).collect();
    let body = rows.iter().map(|(case, unit)| {
        let value = |of: &&str| {
            let found = figures.iter().find(|it| it.case == *case && it.unit == *unit && it.of == **of);
            found.map_or_else(|| "–".to_owned(), Figure::text)
        };
        [(*case).to_owned(), (*unit).to_owned()].into_iter().chain(columns.iter().map(value)).collect()
    });
    aligned(&[head].into_iter().chain(body).collect::<Vec<Vec<String>>>())
}

/// Markdown whose columns are aligned, words to the left and numbers to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(3);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column < 2 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        text.push_str(&format!("| {} |\n", cells.collect::<Vec<_>>().join(" | ")));
        if number == 0 {
            let rules = widths.iter().enumerate().map(|(column, &width)| {
                if column < 2 { "-".repeat(width) } else { format!("{}:", "-".repeat(width - 1)) }
            });
            text.push_str(&format!("| {} |\n", rules.collect::<Vec<_>>().join(" | ")));
        }
    }
    text
}

/// The whole report, as markdown.
pub fn text(report: &Report) -> String {
    let mut text = table(&report.figures);
    if !report.promises.is_empty() {
        text.push_str("\nPromised:\n\n");
        report.promises.iter().for_each(|promise| text.push_str(&item(&promise.text())));
    }
    if !report.notes.is_empty() {
        text.push_str("\nHow, and what else was seen:\n\n");
        report.notes.iter().for_each(|note| text.push_str(&item(note)));
    }
    text
}

/// A list item, broken into lines as a person would.
fn item(sentence: &str) -> String {
    const WIDTH: usize = 118;
    let mut lines = vec![String::from("-")];
    for word in sentence.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if WIDTH < line.chars().count() + word.chars().count() {
            lines.push(format!("  {word}"));
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}

/// Renews a benchmark's section of the page.
pub fn write(name: &str, doc: &str, command: &str, machine: &Machine, report: &Report) -> Result<()> {
    let section = format!(
        "## {name}\n\n{doc}\n\n- `{command}`\n{machine}\n{text}",
        machine = machine.lines().iter().map(|line| item(line)).collect::<String>(),
        text = text(report),
    );
    let path = workspace::root().join(PAGE);
    let page = read(&path)?;
    fs::write(&path, renewed(&page, name, &section)).with_context(|| format!("{PAGE} cannot be written"))
}

fn read(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Ok(page) => Ok(page),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(HEAD.to_owned()),
        Err(error) => Err(error).with_context(|| format!("{PAGE} cannot be read")),
    }
}

/// The page with this section in place of the older one of that name, or behind the others.
fn renewed(page: &str, name: &str, section: &str) -> String {
    let (begin, end) = (format!("<!-- bench {name} -->\n"), format!("<!-- end of {name} -->\n"));
    let section = format!("{begin}{section}{end}");
    let around = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    match around {
        Some((before, after)) => format!("{before}{section}{after}"),
        None => format!("{page}\n{section}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_rows_and_what_was_measured_are_columns() {
        let figures = [
            Figure::new("64 connections", "commit", 30_000.0, "req/s"),
            Figure::new("64 connections", "bare hyper", 134_000.0, "req/s"),
            Figure::new("p99", "commit", 2.5, "ms"),
        ];
        let expected = "\
|                | unit  | commit | bare hyper |
| -------------- | ----- | -----: | ---------: |
| 64 connections | req/s | 30,000 |    134,000 |
| p99            | ms    |   2.50 |          – |
";
        assert_eq!(table(&figures), expected);
    }

    #[test]
    fn a_section_is_renewed_in_its_place() {
        let first = renewed("# Head\n", "a", "one\n");
        assert_eq!(first, "# Head\n\n<!-- bench a -->\none\n<!-- end of a -->\n");
        let both = renewed(&first, "b", "two\n");
        assert_eq!(renewed(&both, "a", "three\n"), both.replace("one", "three"));
    }

    #[test]
    fn a_long_sentence_becomes_lines() {
        let text = item(&"word ".repeat(40));
        assert!(text.lines().all(|line| line.len() <= 120));
        assert_eq!(text.split_whitespace().count(), 41);
    }
}
