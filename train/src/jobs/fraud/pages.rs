//! The report: what people look at before they believe a score.

use std::collections::BTreeMap;

use super::{
    Settings,
    evaluate::{Judged, Told, name},
    fitted::Fitted,
};
use crate::{
    anomaly::metrics,
    jobs::Work,
    report::{Line, Plot, Report, Section, Table},
};

/// How many bars a distribution has.
const BARS: usize = 40;
/// How many points a curve has at most: more are not seen.
const POINTS: usize = 400;
const DAY_US: i64 = 86_400_000_000;

/// The whole report.
pub(super) fn report(work: &Work<'_, Settings>, model: &Fitted, judged: &[Judged], told: &[Told]) -> Report {
    let mut sections = Vec::new();
    if !judged.is_empty() {
        sections.push(quality(judged));
    }
    sections.push(distribution(work, model));
    sections.extend(reliability(work, model));
    sections.push(reasons(work, model, told));
    sections.extend(stability(work, told));
    Report {
        title: format!("Fraud anomalies of {}", work.input.schema.set),
        intro: intro(work, model),
        sections,
    }
}

fn intro(work: &Work<'_, Settings>, model: &Fitted) -> String {
    let split = work.split;
    let rows = if split.by_time {
        format!(
            "{} rows were learned from, {} later ones gave the threshold, and the {} last ones judge.",
            split.fit.len(),
            split.calibrate.len(),
            split.test.len()
        )
    } else {
        format!(
            "All {} rows were learned from, and all judge: there was no time to part them by, so that numbers here are of \
             rows that the model has seen.",
            work.input.rows
        )
    };
    let learned = match model.learned_guilty {
        None => "without labels".to_owned(),
        Some(guilty) => format!("with a second stage that learned from {guilty} rows found guilty"),
    };
    format!(
        "{} over {} features, {learned}; seed {}. {rows} A row is flagged above a score of {:.6}, which is meant for \
         at most {} of ordinary rows; {} of them gave it, and the rate to expect is {:.4} ({:.4} to {:.4}).",
        model.published.detector().name(),
        model.table.width(),
        work.seed,
        model.threshold.score,
        model.threshold.target,
        model.threshold.window,
        model.threshold.rate.value,
        model.threshold.rate.low,
        model.threshold.rate.high
    )
}

fn quality(judged: &[Judged]) -> Section {
    let head =
        ["detector", "ROC-AUC", "95 % interval", "average precision", "95 % interval", "recall at that rate"];
    let rows = judged.iter().map(|it| {
        let span = |estimate: &metrics::Estimate| format!("{:.4} to {:.4}", estimate.low, estimate.high);
        vec![
            it.name.clone(),
            format!("{:.4}", it.roc_auc.value),
            span(&it.roc_auc),
            format!("{:.4}", it.average_precision.value),
            span(&it.average_precision),
            format!("{:.4}", it.recall),
        ]
    });
    let table = Table { head: head.map(str::to_owned).to_vec(), rows: rows.collect() };
    let mut roc = Plot::new("ROC", ("share of honest rows above a score", "share of guilty rows above it"));
    let mut precision =
        Plot::new("Precision and recall", ("share of guilty rows found", "guilty among those flagged"));
    for it in judged {
        roc = roc.with(Line::new(&it.name, thinned(it.ranked.roc_curve())));
        precision = precision.with(Line::new(&it.name, thinned(it.ranked.precision_recall_curve())));
    }
    Section {
        heading: "How well rows are told apart".to_owned(),
        text: "The scores of the rows that judge, held against their labels, which no detector has learned from. Where reviewers \
               choose what they look at, these are not all rows, and the measures are of those they looked at."
            .to_owned(),
        tables: vec![table],
        plots: vec![roc, precision],
    }
}

fn thinned(points: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    let step = points.len().div_ceil(POINTS).max(1);
    let last = points.last().copied();
    points.into_iter().step_by(step).chain(last).collect()
}

fn distribution(work: &Work<'_, Settings>, model: &Fitted) -> Section {
    let scores: Vec<f64> = work.split.test.iter().map(|row| model.scores()[*row]).collect();
    let labels = work.input.labels.as_deref();
    let is = |row: usize, label: bool| labels.is_some_and(|labels| labels[row] == Some(label));
    let range = (
        scores.iter().copied().fold(f64::INFINITY, f64::min),
        scores.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    );
    let part = |wanted: &dyn Fn(usize) -> bool| -> Vec<f64> {
        work.split.test.iter().filter(|row| wanted(**row)).map(|row| model.scores()[*row]).collect()
    };
    let mut plot = Plot::new("Scores", ("score", "share of its rows"));
    let (guilty, honest) = (part(&|row| is(row, true)), part(&|row| is(row, false)));
    let rest = part(&|row| !is(row, true) && !is(row, false));
    for (name, scores) in [("not judged", rest), ("honest", honest), ("guilty", guilty)] {
        if !scores.is_empty() {
            plot = plot.with(Line::bars(name, histogram(&scores, range)));
        }
    }
    let threshold = model.threshold.score;
    let plot = plot.with(Line::new("threshold", vec![[threshold, 0.0], [threshold, 0.3]]));
    Section {
        heading: "How scores are distributed".to_owned(),
        text: "Of the rows that judge.".to_owned(),
        tables: Vec::new(),
        plots: vec![plot],
    }
}

fn histogram(values: &[f64], (least, greatest): (f64, f64)) -> Vec<[f64; 2]> {
    let width = (greatest - least).max(f64::MIN_POSITIVE) / BARS as f64;
    let mut counts = vec![0_usize; BARS + 1];
    for value in values {
        counts[(((value - least) / width) as usize).min(BARS - 1)] += 1;
    }
    let bar = |(at, count): (usize, &usize)| [least + at as f64 * width, *count as f64 / values.len() as f64];
    counts.iter().enumerate().map(bar).collect()
}

/// What was said and what came, on rows that judge.
fn reliability(work: &Work<'_, Settings>, model: &Fitted) -> Option<Section> {
    let labels = work.input.labels.as_ref().filter(|_| model.calibration.is_probability())?;
    let rows = work.split.test.iter().filter_map(|row| Some((model.scores()[*row], labels[*row]?)));
    let (said, came): (Vec<f64>, Vec<bool>) =
        rows.map(|(score, label)| (model.calibration.apply(score), label)).unzip();
    let bins = metrics::reliability(&said, &came, 10).ok()?;
    let curve = bins.iter().map(|bin| [bin.said, bin.came]).collect();
    let plot = Plot::new("Calibration", ("probability that was said", "share that was guilty"))
        .with(Line::new("model", curve))
        .with(Line::new("perfect", vec![[0.0, 0.0], [1.0, 1.0]]));
    let head = ["said", "came", "rows"].map(str::to_owned).to_vec();
    let cells = |bin: &metrics::Reliability| {
        vec![format!("{:.4}", bin.said), format!("{:.4}", bin.came), bin.rows.to_string()]
    };
    Some(Section {
        heading: "Whether probabilities are true".to_owned(),
        text: if work.split.by_time {
            "Rows that judge, by the probability that was said of them.".to_owned()
        } else {
            "Rows by the probability that was said of them. They gave the calibration, too, so that it fits them by \
             construction; only rows with times can show whether it is true."
                .to_owned()
        },
        tables: vec![Table { head, rows: bins.iter().map(cells).collect() }],
        plots: vec![plot],
    })
}

fn reasons(work: &Work<'_, Settings>, model: &Fitted, told: &[Told]) -> Section {
    let mut first: BTreeMap<usize, usize> = BTreeMap::new();
    let flagged = work.split.test.iter().filter(|row| told[**row].flagged);
    for row in flagged.clone() {
        if let Some((feature, _)) = told[*row].reasons.first() {
            *first.entry(*feature).or_default() += 1;
        }
    }
    let count = flagged.count();
    let mut ordered: Vec<(usize, usize)> =
        first.into_iter().map(|(feature, times)| (times, feature)).collect();
    ordered.sort_unstable_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
    let rows = ordered.iter().take(15).map(|(times, feature)| {
        vec![
            name(model, *feature),
            times.to_string(),
            format!("{:.1} %", 100.0 * *times as f64 / count as f64),
        ]
    });
    let head = ["guiltiest feature", "flagged rows", "share"].map(str::to_owned).to_vec();
    Section {
        heading: "Why rows are flagged".to_owned(),
        text: format!("The guiltiest feature of each of the {count} flagged rows among those that judge."),
        tables: vec![Table { head, rows: rows.collect() }],
        plots: Vec::new(),
    }
}

/// Which share was flagged each day.
fn stability(work: &Work<'_, Settings>, told: &[Told]) -> Option<Section> {
    let times = work.input.times_us.as_ref()?;
    let mut days: BTreeMap<i64, (usize, usize)> = BTreeMap::new();
    for told in told {
        let (flagged, all) = days.entry(times[told.row].div_euclid(DAY_US)).or_default();
        *flagged += usize::from(told.flagged);
        *all += 1;
    }
    let begin = *days.keys().next()?;
    let curve =
        days.iter().map(|(day, (flagged, all))| [(day - begin) as f64, *flagged as f64 / *all as f64]);
    let plot = Plot::new("Flagged, day by day", ("days since the first row", "share of the day's rows"))
        .with(Line::new("flagged", curve.collect()));
    Some(Section {
        heading: "Whether it stays so".to_owned(),
        text: "All rows, those that were learned from included.".to_owned(),
        tables: Vec::new(),
        plots: vec![plot],
    })
}
