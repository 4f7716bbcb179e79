//! What was found, beside what is promised.

use super::{Found, Open, Options, Who, half, reloads::Outcome, replay, stage::Stage};
use crate::bench::{
    figure::{Bound, Figure, Promise, Report, count, median, readable},
    load::Seen,
};

const OF_FLOOR_AT_LEAST: f64 = 0.8;
const TIMES_PEER_AT_LEAST: f64 = 15.0;
const INFERENCE_AT_MOST_MS: f64 = 0.25;
const SCORE_AT_MOST_MS: f64 = 1.0;
/// So many decisions are to be made again.
const AIMED: f64 = 100_000.0;
const POSTBACK_AT_MOST_MS: f64 = 20.0;

impl Who {
    const ALL: [Self; 4] = [Self::Ours, Self::Alone, Self::Floor, Self::Peer];

    fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Alone => "ours, the API alone",
            Self::Floor => "JSON echo",
            Self::Peer => "FastAPI",
        }
    }
}

pub(super) fn report(options: &Options, stage: &Stage, found: &Found) -> Report {
    let mut report = Report::default();
    of_inferences(&found.inferences, &found.paced, &mut report);
    let says = "a decision about a conversion";
    of_open(says, &found.scores, (super::SCORES_S, SCORE_AT_MOST_MS), &mut report);
    let says = "a postback with its decision and its postings";
    of_open(says, &found.postbacks, (super::POSTBACKS_S, POSTBACK_AT_MOST_MS), &mut report);
    if let Some(reloads) = &found.reloads {
        of_reloads(reloads, &mut report);
    }
    if let Some(replay) = &found.replay {
        of_replay(replay, &mut report);
    }
    report.notes.extend(notes(options, stage));
    report
}

fn values(found: impl Iterator<Item = f64>) -> Vec<f64> {
    found.collect()
}

/// Inferences by who answered them: in closed loops, and in open ones at so many a second.
fn of_inferences(closed: &[(Who, Seen)], paced: &[(Who, u32, Seen)], report: &mut Report) {
    let mut per_second = Vec::new();
    for who in Who::ALL {
        let runs = values(closed.iter().filter(|it| it.0 == who).map(|it| it.1.per_second()));
        if runs.is_empty() {
            continue;
        }
        per_second.push((who, median(&runs)));
        report.figures.push(Figure::median("inferences, 64 connections", who.name(), &runs, "req/s"));
        let of =
            |value: fn(&Seen) -> f64| values(paced.iter().filter(|it| it.0 == who).map(|it| value(&it.2)));
        let rate = readable(f64::from(paced.iter().find(|it| it.0 == who).map_or(0, |it| it.1)));
        let case = format!("inferences, {rate} a second");
        let mut add = |what: &str, values: &[f64]| {
            report.figures.push(Figure::median(format!("{case}, {what}"), who.name(), values, "ms"));
        };
        add("median", &of(|it| it.latency.p50_ms));
        add("p99", &of(|it| it.latency.p99_ms));
        if matches!(who, Who::Ours | Who::Alone) {
            let says = format!("{case}: p99 at most 0.25 ms, {}", who.name());
            let value = median(&of(|it| it.latency.p99_ms));
            let bound = Bound::AtMost(INFERENCE_AT_MOST_MS);
            report.promises.push(Promise { says, value, unit: "ms", bound });
        }
        if who == Who::Ours {
            report.notes.push(format!(
                "In the open loop of {rate} a second the load itself was {} ms late at the 99th percentile, which is part of \
                 what is told.",
                readable(median(&of(|it| it.lateness.p99_ms)))
            ));
        }
    }
    of_ratios(&per_second, report);
}

/// How many inferences we answer beside others.
fn of_ratios(per_second: &[(Who, f64)], report: &mut Report) {
    let of = |who| per_second.iter().find(|it| it.0 == who).map(|it| it.1);
    for who in [Who::Ours, Who::Alone] {
        for (other, says, bound) in [
            (Who::Floor, "at least 0.8 of the inferences that an echo of JSON answers", OF_FLOOR_AT_LEAST),
            (Who::Peer, "at least 15 times the inferences of FastAPI on the same file", TIMES_PEER_AT_LEAST),
        ] {
            if let (Some(ours), Some(other)) = (of(who), of(other)) {
                let (says, bound) = (format!("{says}, {}", who.name()), Bound::AtLeast(bound));
                report.promises.push(Promise { says, value: ours / other, unit: "×", bound });
            }
        }
    }
    if let Some(floor) = of(Who::Floor).filter(|floor| half(*floor) < super::INFERENCES_S) {
        report.notes.push(format!(
            "This machine's echo answers {} a second, so the open loop asks for half of that and not for 20,000.",
            readable(floor)
        ));
    }
}

fn of_open(says: &str, Open { rate, closed, seen }: &Open, (aim, bound): (u32, f64), report: &mut Report) {
    let case = format!("{says}, {} a second", readable(f64::from(*rate)));
    report.figures.extend([
        Figure::new(format!("{says}, 16 connections"), "ours", *closed, "req/s"),
        Figure::new(format!("{case}, median"), "ours", seen.latency.p50_ms, "ms"),
        Figure::new(format!("{case}, p99"), "ours", seen.latency.p99_ms, "ms"),
    ]);
    let (says, unit) = (format!("{case}: p99 at most {bound} ms"), "ms");
    report.promises.push(Promise { says, value: seen.latency.p99_ms, unit, bound: Bound::AtMost(bound) });
    let (says, value) =
        (format!("{case}: {} a second are aimed at", readable(f64::from(aim))), f64::from(*rate));
    report.promises.push(Promise { says, value, unit: "req/s", bound: Bound::AtLeast(f64::from(aim)) });
}

fn of_reloads(reloads: &Outcome, report: &mut Report) {
    let Outcome { moves_ms, offered, taken, unexplained, kinds, seen, rate } = reloads;
    let sum = |of: fn(&Seen) -> u64| count(seen.iter().map(of).sum());
    let moves = readable(count(moves_ms.len() as u64));
    let case = format!("{moves} moves of the champion at {} inferences a second", readable(f64::from(*rate)));
    report.figures.push(Figure::median(format!("{case}, a move"), "ours", moves_ms, "ms"));
    let p99 = values(seen.iter().map(|it| it.latency.p99_ms));
    report.figures.push(Figure::median(format!("{case}, p99 of inferences"), "ours", &p99, "ms"));
    let mut none = |says: String, value: f64| {
        report.promises.push(Promise { says, value, unit: "answers", bound: Bound::AtMost(0.0) });
    };
    none(format!("{case}: none fails"), sum(|it| it.unexpected() + it.broken));
    none(format!("{case}: none is of two versions"), sum(|it| it.strange));
    let [by_api, by_folder] = offered;
    let all = format!("{by_api} bad versions offered through the API and {by_folder} named in the folder");
    none(format!("{all}: none serves"), f64::from(*taken));
    none(format!("{all}: none is refused without a reason"), f64::from(*unexplained));
    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    report.notes.push(format!(
        "{} inferences were answered meanwhile; each body is compared with what each of the two versions says of that row. Bad \
         versions are: {}. Refusals are explained in the answer to the move, in `GET /api/v1/models`, and in the log.",
        readable(sum(|it| it.answered)),
        kinds.join(", ")
    ));
}

fn of_replay(replay: &replay::Outcome, report: &mut Report) {
    let replay::Outcome { decisions, different, compared, values, mismatches, took, words } = replay;
    let case = format!("{} decisions made again from the lake", readable(*decisions));
    report.figures.push(Figure::new(&case, "ours", *decisions / took.as_secs_f64(), "decisions/s"));
    let mut none = |says: String, value: f64, unit| {
        report.promises.push(Promise { says, value, unit, bound: Bound::AtMost(0.0) });
    };
    none(format!("{case}: none comes out otherwise"), *different, "decisions");
    let values = format!("{} values of features of {} decisions", readable(*values), readable(*compared));
    none(format!("{values} computed again from the lake's events: none is another"), *mismatches, "values");
    let says = format!("{case}: {} are aimed at", readable(AIMED));
    report.promises.push(Promise {
        says,
        value: *decisions,
        unit: "decisions",
        bound: Bound::AtLeast(AIMED),
    });
    report.notes.push(format!(
        "Decided again is what the loads had decided, and then stored conversions, ten in a request. `tributary lake replay` \
         says: {words}. What was only asked about is no event, so of that no features are compared."
    ));
}

fn notes(options: &Options, stage: &Stage) -> Vec<String> {
    let mut notes = vec![
        format!(
            "An inference is one row of 30 features in JSON through a hundred trees of depth six, with an API key, its quota and \
             the room for requests; {} seconds each, {} by turns. The echo is axum on one thread, which reads and writes the same \
             bodies without a model or a key; FastAPI runs under uvicorn on the same ONNX file.",
            options.seconds, options.repetitions
        ),
        "Open loops count from when a request was due. A decision is a report scored through `POST /api/v1/score/conversions`, \
         alone in its request: features from state, the rules, the model of fraud with its reasons, and the decision written into \
         the database before it is answered; a postback is signed, and answered after its conversion, decision and postings are \
         committed. All of it is `tributary serve --all` with its worker; inferences are measured of `tributary serve` besides, \
         which has no clicks to put first."
            .to_owned(),
        format!("{} The database is {}.", stage.cores.note(), stage.database),
    ];
    if let Err(error) = &stage.peer {
        notes.push(format!("There is no peer: {error:#}"));
    }
    if !stage.degraded.is_empty() {
        notes.push(format!("Decisions went without: {}.", stage.degraded.join("; ")));
    }
    notes
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::*;
    use crate::bench::load::Quantiles;

    fn seen(measured: u64, p99_ms: f64) -> Seen {
        Seen {
            answered: measured,
            measured,
            others: BTreeMap::new(),
            broken: 0,
            strange: 0,
            length: Duration::from_secs(1),
            latency: Quantiles { p99_ms, ..Quantiles::default() },
            lateness: Quantiles::default(),
        }
    }

    fn held(report: &Report) -> Vec<bool> {
        report.promises.iter().map(Promise::is_held).collect()
    }

    #[test]
    fn inferences_are_held_against_the_floor_the_peer_and_the_clock() {
        let closed = [
            (Who::Ours, seen(70_000, 1.0)),
            (Who::Alone, seen(85_000, 1.0)),
            (Who::Floor, seen(100_000, 1.0)),
            (Who::Peer, seen(5_000, 1.0)),
        ];
        let paced = [(Who::Ours, 20_000, seen(1, 0.3)), (Who::Alone, 20_000, seen(1, 0.2))];
        let mut report = Report::default();
        of_inferences(&closed, &paced, &mut report);
        assert_eq!(held(&report), [false, true, false, false, true, true]);
        assert_eq!(report.notes.len(), 1, "the machine is fast enough: {:?}", report.notes);
    }

    #[test]
    fn a_slower_rate_than_was_aimed_at_is_told_beside_its_p99() {
        let mut report = Report::default();
        let open = Open { rate: 3_000, closed: 6_000.0, seen: seen(3_000, 0.9) };
        of_open("a decision", &open, (5_000, 1.0), &mut report);
        assert_eq!(held(&report), [true, false]);
    }

    #[test]
    fn one_answer_of_two_versions_breaks_what_is_promised_of_moves() {
        let mixed = Seen { strange: 1, ..seen(10, 1.0) };
        let moves =
            Outcome { moves_ms: vec![3.0], seen: vec![seen(10, 1.0), mixed], rate: 5, ..Outcome::default() };
        let mut report = Report::default();
        of_reloads(&moves, &mut report);
        assert_eq!(held(&report), [true, false, true, true]);
    }
}
