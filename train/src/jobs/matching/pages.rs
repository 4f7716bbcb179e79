//! The report: who recommends, how well, to whom, and what is shown.

use super::{Held, LEVEL, Matching, Said};
use crate::{
    matching::metrics::Accuracy,
    report::{Line, Plot, Report, Section, Table},
};

/// What came of it, for whoever waits at a terminal.
pub(super) fn summary(said: &Said, asked: &Matching) -> String {
    let (known, k) = (&said.market.seen.interactions, asked.k);
    let mut told = format!(
        "{} pairs of {} users and {} items; learned from {}, judged on {}; {} recommends",
        known.len(),
        known.users(),
        known.items(),
        said.parts.train.len(),
        said.parts.test.len(),
        said.judged[said.chosen].model.name()
    );
    for note in &said.market.notes {
        told.push_str(&format!("\n{note}"));
    }
    for it in &said.judged {
        let (all, [low, high]) = (&it.metrics.all, it.ndcg);
        told.push_str(&format!(
            "\n{:10} ndcg@{k} {:.4} ({low:.4} to {high:.4}), recall@{k} {:.4}, map@{k} {:.4}, coverage {:.3}",
            it.model.name(),
            all.ndcg,
            all.recall,
            all.map,
            it.metrics.coverage
        ));
    }
    told
}

/// The whole report.
pub(super) fn report(said: &Said, asked: &Matching) -> Report {
    Report {
        title: "What suits whom".to_owned(),
        intro: summary(said, asked),
        sections: vec![compared(said, asked), newcomers(said), shown(said)],
    }
}

fn number(value: f64) -> String {
    format!("{value:.4}")
}

fn head(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn compared(said: &Said, asked: &Matching) -> Section {
    let row = |it: &super::Judged| {
        let (all, [low, high]) = (&it.metrics.all, it.ndcg);
        vec![
            it.model.name(),
            number(all.ndcg),
            format!("{low:.4} to {high:.4}"),
            number(all.recall),
            number(all.map),
            it.value.map_or_else(|| "–".to_owned(), number),
        ]
    };
    let held = match asked.split {
        Held::LeaveLast => "the last interaction of each user".to_owned(),
        Held::Random => format!("{:.0} % of all interactions, drawn by chance", 100.0 * asked.test_share),
        Held::Time => format!("the latest {:.0} % of all interactions", 100.0 * asked.test_share),
    };
    let points =
        said.judged.iter().enumerate().map(|(at, it)| [at as f64 + 1.0, it.metrics.all.ndcg]).collect();
    let names: Vec<String> =
        said.judged.iter().enumerate().map(|(at, it)| format!("{} {}", at + 1, it.model.name())).collect();
    let blend = said.judged.iter().find(|it| !it.weights.is_empty());
    let weights = blend.map(|it| Table {
        head: head(&["in the blend", "weight", "for new items"]),
        rows: it
            .weights
            .iter()
            .map(|(name, [known, new])| vec![name.clone(), format!("{known:.2}"), format!("{new:.2}")])
            .collect(),
    });
    let measures = Table {
        head: head(&["model", "NDCG", "95 % interval", "recall", "MAP", "share of value"]),
        rows: said.judged.iter().map(row).collect(),
    };
    Section {
        heading: "Who recommends, and how well".to_owned(),
        text: format!(
            "Judged on {held}, at {} items for each user, against everything that could have been recommended; {:.0} % \
             intervals are from drawing users again. The model with the highest NDCG learns again from everything and \
             recommends.",
            asked.k,
            100.0 * LEVEL
        ),
        tables: [Some(measures), weights].into_iter().flatten().collect(),
        plots: vec![Plot::new("NDCG", (&names.join(", "), "NDCG")).with(Line::bars("NDCG", points))],
    }
}

fn newcomers(said: &Said) -> Section {
    let cell = |it: &Accuracy| {
        if it.users == 0 { "–".to_owned() } else { format!("{:.4} ({})", it.ndcg, it.users) }
    };
    let row = |it: &super::Judged| {
        let of = &it.metrics;
        vec![it.model.name(), cell(&of.warm), cell(&of.new), cell(&of.warm_items), cell(&of.new_items)]
    };
    Section {
        heading: "Newcomers".to_owned(),
        text: "NDCG and of how many users it is the mean: of users who had something to learn from and those who had not; \
               and as if only items that somebody had to do with were relevant, or only those that nobody had."
            .to_owned(),
        tables: vec![Table {
            head: head(&["model", "known users", "new users", "known items", "new items"]),
            rows: said.judged.iter().map(row).collect(),
        }],
        plots: Vec::new(),
    }
}

fn shown(said: &Said) -> Section {
    let row = |it: &super::Judged| {
        let of = &it.metrics;
        vec![it.model.name(), number(of.coverage), number(of.gini), format!("{:.2}", of.novelty)]
    };
    Section {
        heading: "What is shown".to_owned(),
        text: "Coverage is the part of the items that anybody is shown; the Gini coefficient is zero where all are shown \
               equally often and near one where few have all places; novelty is the mean surprise, in bits, that somebody \
               had to do with an item."
            .to_owned(),
        tables: vec![Table {
            head: head(&["model", "coverage", "Gini of exposure", "novelty"]),
            rows: said.judged.iter().map(row).collect(),
        }],
        plots: Vec::new(),
    }
}
