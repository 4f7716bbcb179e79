//! The report: what was predicted, what came, and why one candidate predicts and not another.

use super::{Said, date_of};
use crate::{
    lifetime::{LEVEL, Measures, Metrics},
    report::{Line, Plot, Report, Section, Table},
};

/// What came of it, for whoever waits at a terminal.
pub(super) fn summary(said: &Said) -> String {
    let learned = &said.learned;
    let total: f64 = said.predictions.iter().map(|it| it.mean).sum();
    let mut told = format!(
        "{} customers known by {} will spend {total:.2} within {} days, by {}",
        said.predictions.len(),
        date_of(learned.plan.calibration_end),
        learned.plan.horizon_days,
        learned.best().name
    );
    for it in &said.judged {
        let Measures { gini, spearman, decile_wmape, rmse, total_ratio, coverage, .. } = it.metrics.all;
        told.push_str(&format!(
            "\n{:12} gini {gini:.3}, spearman {spearman:.3}, decile error {decile_wmape:.3}, rmse {rmse:.2}, total {total_ratio:.3}, \
             in interval {:.1} %",
            it.name,
            100.0 * coverage
        ));
    }
    if let Some(why) = &said.unjudged {
        told.push_str(&format!("\n{why}"));
    }
    told
}

/// The whole report.
pub(super) fn report(said: &Said) -> Report {
    let mut sections = vec![chosen(said)];
    if let Some(best) = said.best() {
        sections.push(came(said, &best.metrics));
        sections.push(segments(&best.metrics));
    }
    sections.push(shift(said));
    Report { title: "What customers will spend".to_owned(), intro: summary(said), sections }
}

fn cells(name: &str, it: &Measures) -> Vec<String> {
    vec![
        name.to_owned(),
        it.customers.to_string(),
        format!("{:.4}", it.gini),
        format!("{:.4}", it.spearman),
        format!("{:.4}", it.decile_wmape),
        format!("{:.2}", it.rmse),
        format!("{:.4}", it.total_ratio),
        format!("{:.1} %", 100.0 * it.coverage),
    ]
}

fn head(of: &str) -> Vec<String> {
    let measures =
        ["customers", "Gini, normalised", "Spearman", "error by deciles", "RMSE", "total", "in interval"];
    [of].into_iter().chain(measures).map(str::to_owned).collect()
}

/// Who was compared, and who predicts.
fn chosen(said: &Said) -> Section {
    let learned = &said.learned;
    let row = |fitted: &crate::lifetime::Fitted| {
        let mut cells = cells(fitted.name, &fitted.inner);
        cells.push(format!("{:.4}", fitted.score));
        cells
    };
    let mut head = head("candidate");
    head.push("score".to_owned());
    Section {
        heading: "Who predicts, and why".to_owned(),
        text: format!(
            "Candidates learned from what was known on {} and were compared by the {} days after it, all totals brought to \
             what was spent there. The score is the Gini coefficient plus the rank correlation, less the error by deciles, less the \
             root mean squared error beside that of BG/NBD. {} predicts: the first whose score is within 0.005 of the highest. Then all \
             learned from everything until {}.",
            date_of(learned.inner.cutoff),
            learned.inner.days,
            learned.best().name,
            date_of(learned.plan.calibration_end)
        ),
        tables: vec![Table { head, rows: learned.fitted.iter().map(row).collect() }],
        plots: Vec::new(),
    }
}

/// What was predicted beside what came.
fn came(said: &Said, best: &Metrics) -> Section {
    let rows = said.judged.iter().map(|it| cells(it.name, &it.metrics.all)).collect();
    let place = |place: usize| place as f64 + 1.0;
    let predicted = best.deciles.iter().enumerate().map(|(at, it)| [place(at), it.predicted]).collect();
    let actual = best.deciles.iter().enumerate().map(|(at, it)| [place(at), it.actual]).collect();
    let gini = best.gini_curve.iter().map(|(customers, spent)| [*customers, *spent]).collect();
    Section {
        heading: "What came".to_owned(),
        text: format!(
            "The horizon has passed in this file, so that what was predicted can be held against what was spent. Nothing \
             of it was seen while learning or choosing. {:.0} of 100 customers should lie within their interval.",
            100.0 * LEVEL
        ),
        tables: vec![Table { head: head("model"), rows }],
        plots: vec![
            Plot::new("By tenths of the customers", ("tenth, by prediction", "spent by a customer"))
                .with(Line::new("predicted", predicted))
                .with(Line::new("spent", actual)),
            Plot::new("Where the money is", ("share of customers, best first", "share of what was spent"))
                .with(Line::new("by prediction", gini))
                .with(Line::new("by chance", vec![[0.0, 0.0], [1.0, 1.0]])),
        ],
    }
}

fn segments(best: &Metrics) -> Section {
    let rows = best.segments.iter().map(|(segment, it)| cells(segment.name(), it)).collect();
    Section {
        heading: "Kinds of customers".to_owned(),
        text: "New ones bought first less than 90 days before the end; of the others, those who bought once, and those who \
               came back."
            .to_owned(),
        tables: vec![Table { head: head("customers"), rows }],
        plots: Vec::new(),
    }
}

/// What moved between learning and predicting.
fn shift(said: &Said) -> Section {
    let (moved, level) = (&said.learned.moved, &said.learned.level);
    let aside = match moved.set_aside.as_slice() {
        [] => "No column was set aside.".to_owned(),
        names => {
            format!("Set aside, as most of their values lie outside of what was seen: {}.", names.join(", "))
        }
    };
    let rows = level.forecasts.iter().map(|(day, log)| {
        vec![date_of(*day).to_string(), level.days.to_string(), format!("{:.3}", libm::exp(*log))]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    Section {
        heading: "What has moved".to_owned(),
        text: format!(
            "Ages of those who are predicted beside those learned from: stability index {:.3} (below 0.1 alike, above 0.25 \
             not). {aside} Earlier forecasts of totals, and what was spent over what was foretold; totals are therefore \
             multiplied by {:.3}.",
            moved.age_index, level.correction
        ),
        tables: vec![Table { head: ["from", "days", "spent / foretold"].map(str::to_owned).to_vec(), rows }],
        plots: Vec::new(),
    }
}
