//! The report: what an analyst would look at first, which rules are worth their flags, and whether anything has moved.

use domain::fraud::score::Bound;

use super::{
    Found,
    measures::Judged,
    written::{Proposal, instant},
};
use crate::{
    jobs::lake::amount,
    report::{Line, Plot, Report, Section, Table},
};

/// How many held conversions the table of the queue shows.
const FIRST: usize = 25;

pub(super) fn report(found: &Found<'_>) -> Report {
    let mut sections = vec![queue(found), rules(found), drift(found), changes(found)];
    sections.extend(found.judged().map(|judged| truth(&judged)));
    Report { title: "Fraud rules over the past".to_owned(), intro: summary(found), sections }
}

fn summary(found: &Found<'_>) -> String {
    let held = found.test().filter(|row| found.is_held(*row)).count();
    let many = found.test().len();
    let mut told = found.job.hold_from.map_or_else(
        || {
            format!(
                "{held} of {many} conversions would have been held, at most {} of honest ones, by thresholds from the {} before {}",
                found.job.false_positive_rate, found.decided.calibrating, found.job.calibrate_until
            )
        },
        |points| format!("{held} of {many} conversions would have been held, from {points} points on"),
    );
    if let Some(why) = &found.decided.uncalibrated {
        told.push_str(&format!("; probabilities are a guess, as {why}"));
    }
    if let Some(judged) = found.judged() {
        let [count, value] = judged.fraud.shares();
        let [wrong, _] = judged.honest.shares();
        told.push_str(&format!(
            "; of fraud {:.1} % by count and {:.1} % by value is held, and of honest conversions {:.2} %",
            100.0 * count,
            100.0 * value,
            100.0 * wrong
        ));
    }
    told
}

fn queue(found: &Found<'_>) -> Section {
    let queue = found.queue();
    let all: f64 = queue.iter().map(|place| place.stake).sum();
    let mut sum = 0.0;
    let mut points = vec![[0.0, 0.0]];
    points.extend(queue.iter().enumerate().map(|(place, it)| {
        sum += it.stake;
        [(place + 1) as f64, sum]
    }));
    let half = points.iter().position(|[_, sum]| all <= 2.0 * sum).unwrap_or(0);
    let rows = queue.iter().take(FIRST).enumerate().map(|(place, it)| {
        let row = &found.past.rows[it.row];
        let first = found.decided.scores[it.row].reasons();
        let reasons =
            first.iter().map(|part| super::measures::name(part.reason)).collect::<Vec<_>>().join(", ");
        vec![
            (place + 1).to_string(),
            row.conversion.to_string(),
            row.affiliate.to_string(),
            instant(row.known_us),
            format!("{:.2} {}", amount(row.commission.unwrap_or(row.amount)), row.amount.currency.code()),
            found.decided.scores[it.row].risk().to_string(),
            format!("{:.2}", it.stake),
            reasons,
        ]
    });
    let head = ["place", "conversion", "affiliate", "known", "commission", "risk", "stake", "reasons"];
    let plot = Plot::new("Value at stake", ("place in the queue", "sum of stakes"));
    Section {
        heading: "What to look at first".to_owned(),
        text: format!(
            "A stake is the probability of fraud times the commission (the amount, where no rate is known). {} held conversions \
             have {all:.2} at stake, half of it among the first {half}. Currencies are not exchanged.",
            queue.len()
        ),
        tables: vec![table(&head, rows)],
        plots: if queue.is_empty() {
            Vec::new()
        } else {
            vec![plot.with(Line::new("value at stake", points))]
        },
    }
}

fn rules(found: &Found<'_>) -> Section {
    let rows = found.of_rules().into_iter().map(|(code, of)| {
        let reviewed = of.guilty + of.honest;
        let precision = if reviewed == 0 {
            "not reviewed".to_owned()
        } else {
            format!("{:.3}", of.guilty as f64 / reviewed as f64)
        };
        vec![
            code.to_string(),
            of.flagged.to_string(),
            of.held.to_string(),
            of.guilty.to_string(),
            of.honest.to_string(),
            precision,
        ]
    });
    let head =
        ["reason", "flagged", "of these held", "reviewed guilty", "reviewed honest", "precision of reviewed"];
    let silent = found
        .past
        .missing
        .iter()
        .map(|(rule, (many, fields))| vec![rule.clone(), many.to_string(), fields.join(", ")]);
    Section {
        heading: "Rules".to_owned(),
        text: "Precision is among conversions that reviewers looked at, who look at odd ones more often. Rules of the second \
               table could not be asked of so many conversions, because what they need is not known."
            .to_owned(),
        tables: vec![table(&head, rows), table(&["rule", "not asked", "lacks"], silent)],
        plots: Vec::new(),
    }
}

fn drift(found: &Found<'_>) -> Section {
    let weeks = found.weeks();
    let share = |part: u64, all: u64| part as f64 / (all as f64).max(1.0);
    let curve = |of: &dyn Fn(usize) -> f64| (0..weeks.len()).map(|week| [week as f64, of(week)]).collect();
    let plot = Plot::new("Week by week", ("week", "share of conversions"))
        .with(Line::new(
            "flagged by a rule",
            curve(&|week| share(weeks[week].flagged, weeks[week].conversions)),
        ))
        .with(Line::new("held", curve(&|week| share(weeks[week].held, weeks[week].conversions))));
    let rows = weeks.iter().map(|week| {
        vec![
            instant(week.begin_us),
            week.conversions.to_string(),
            format!("{:.4}", share(week.flagged, week.conversions)),
            format!("{:.4}", share(week.held, week.conversions)),
            format!("{:.3}", week.mean_log_odds),
        ]
    });
    let head = ["week from", "conversions", "flagged", "held", "mean log-odds"];
    Section {
        heading: "Drift".to_owned(),
        text: "A share that rises without a reason is fraud, or everybody has changed; then thresholds have to be taken anew."
            .to_owned(),
        tables: vec![table(&head, rows)],
        plots: vec![plot],
    }
}

fn changes(found: &Found<'_>) -> Section {
    let proposals = found.proposals();
    let count = |proposal| proposals.iter().filter(|it| it.2 == proposal).count();
    let bounds = Bound::ALL.iter().map(|bound| {
        let many = found.test().filter(|row| found.decided.decisions[*row].bound == *bound).count();
        vec![bound.to_string(), many.to_string()]
    });
    Section {
        heading: "What would change".to_owned(),
        text: format!(
            "{} approved conversions would be held, and {} that were held or turned down would pass (proposals.csv). Nothing \
             changes by itself: each is for a person to look at. The table says what decided: «none» is held.",
            count(Proposal::Hold),
            count(Proposal::Release)
        ),
        tables: vec![table(&["bound", "conversions"], bounds)],
        plots: Vec::new(),
    }
}

fn truth(judged: &Judged) -> Section {
    let rows = judged.patterns.iter().map(|(name, caught)| {
        let [count, value] = caught.shares();
        vec![
            name.clone(),
            if caught.is_fraud { "fraud" } else { "honest" }.to_owned(),
            caught.events.to_string(),
            caught.held.to_string(),
            format!("{count:.3}"),
            format!("{value:.3}"),
        ]
    });
    let worst = judged.worst.map_or_else(String::new, |(affiliate, events, held)| {
        format!(
            " Worst of {} affiliates with a hundred honest conversions: {held} of {events} of {affiliate}.",
            judged.affiliates
        )
    });
    Section {
        heading: "Beside what really happened".to_owned(),
        text: format!("Only a judge knows this; nothing was learned from it.{worst}"),
        tables: vec![table(&["pattern", "nature", "conversions", "held", "share", "share of value"], rows)],
        plots: Vec::new(),
    }
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Table {
    Table { head: head.iter().map(|&it| it.to_owned()).collect(), rows: rows.collect() }
}
