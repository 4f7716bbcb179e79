//! What a job tells people: a page of words, tables and pictures that is one file and needs no network.

mod plot;

use anyhow::Result;
use askama::Template;

pub use plot::{Line, Plot, Shape};

/// A report.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it is about.
    pub title: String,
    /// What there is to know first.
    pub intro: String,
    /// The rest, in the order of reading.
    pub sections: Vec<Section>,
}

/// A part of a report.
#[derive(Clone, Debug)]
pub struct Section {
    /// What it is about.
    pub heading: String,
    /// What its tables and pictures say, in words.
    pub text: String,
    /// Its tables.
    pub tables: Vec<Table>,
    /// Its pictures.
    pub plots: Vec<Plot>,
}

/// Rows of words and numbers.
#[derive(Clone, Debug)]
pub struct Table {
    /// What each column is.
    pub head: Vec<String>,
    /// As many cells each.
    pub rows: Vec<Vec<String>>,
}

/// The page.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    title: &'a str,
    intro: &'a str,
    sections: Vec<Drawn<'a>>,
}

struct Drawn<'a> {
    section: &'a Section,
    pictures: Vec<Picture<'a>>,
}

struct Picture<'a> {
    title: &'a str,
    svg: String,
}

impl Report {
    /// The page as HTML.
    ///
    /// # Errors
    /// When a picture cannot be drawn.
    pub fn render(&self) -> Result<String> {
        let sections = self.sections.iter().map(|section| {
            let pictures =
                section.plots.iter().map(|plot| Ok(Picture { title: &plot.title, svg: plot.svg()? }));
            Ok(Drawn { section, pictures: pictures.collect::<Result<_>>()? })
        });
        let page =
            Page { title: &self.title, intro: &self.intro, sections: sections.collect::<Result<_>>()? };
        Ok(page.render()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_page_in_which_nothing_foreign_is_markup() {
        let line = Line::new("a < b", vec![[0.0, 0.0], [0.5, 0.8], [1.0, 1.0]]);
        let plot = Plot::new("ROC", ("false positives", "found")).with(line);
        let table = Table { head: vec!["name".to_owned()], rows: vec![vec!["<script>".to_owned()]] };
        let section = Section {
            heading: "How good".to_owned(),
            text: "Better than chance.".to_owned(),
            tables: vec![table],
            plots: vec![plot],
        };
        let report =
            Report { title: "fraud & more".to_owned(), intro: String::new(), sections: vec![section] };
        let page = report.render().unwrap();
        assert!(page.contains("<title>fraud &#38; more</title>"), "{page}");
        assert!(!page.contains("<script>") && page.contains("&#60;script&#62;"));
        assert!(page.contains("<svg") && page.contains("<polyline"), "{page}");
        assert!(!page.contains("http://") || !page.contains("src="), "it is one file");
    }
}
