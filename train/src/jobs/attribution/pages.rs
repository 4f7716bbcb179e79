//! The report: models side by side, how sure they are, and the journeys that they were asked about.

use domain::attribution::Credit;

use super::{
    Attribution, Said, Told,
    input::NOBODY,
    learned::{Foretold, Lesson},
    paths::{Paths, To},
    written::interval,
};
use crate::{
    anomaly::metrics::Estimate,
    attribution::Trust,
    report::{Line, Plot, Report, Section, Table},
};

/// How many channels a table shows at most: those with the most credit.
const ROWS: usize = 40;
/// How many channels the matrix of steps shows.
const CORNER: usize = 12;

/// What came of it, for whoever waits at a terminal.
pub(super) fn summary(said: &Said) -> String {
    let mut told = format!(
        "{:.0} conversions worth {:.2} and {:.0} journeys without one, over {} channels",
        said.total.conversions,
        said.total.value,
        said.nulls,
        said.channels.names().len()
    );
    for note in &said.input.notes {
        told.push_str(&format!("\n{note}"));
    }
    for model in &said.told {
        let most = order(said, model).into_iter().take(3).map(|channel| {
            let credit = at(&model.credit, channel);
            format!("{} {:.1}", said.channels.names()[channel], credit.conversions)
        });
        let organic = model.organic.map(|it| format!("{NOBODY} {:.1}", it.conversions));
        let most = most.chain(organic).collect::<Vec<_>>().join(", ");
        told.push_str(&format!("\n{:16} {most}", model.model.name()));
    }
    told.push_str(&format!("\ndecide by {}: {}", said.decide_by.0.name(), said.decide_by.1));
    told
}

/// The whole report.
pub(super) fn report(said: &Said, paths: &Paths, asked: &Attribution) -> Report {
    let mut sections = vec![
        side_by_side(said, "Conversions", |credit| credit.conversions),
        side_by_side(said, "Value", |credit| credit.value),
    ];
    sections.extend(differences(said));
    if let Some(lesson) = &said.lesson {
        sections.extend(foretold(lesson));
        sections.push(what_was_learned(said, lesson));
    }
    sections.push(steps(said, paths));
    sections.push(top(said, paths));
    sections.push(shapes(said, paths));
    Report { title: "Attribution".to_owned(), intro: intro(said, asked), sections }
}

fn intro(said: &Said, asked: &Attribution) -> String {
    let intervals = match (&asked.merge, asked.settings.bootstrap) {
        (Some(_), _) => {
            "Earlier days are in it as statistics, so that no samples can be drawn and no intervals given."
                .to_owned()
        }
        (None, 0) => "No samples were drawn, so that nothing is said of how sure credit is.".to_owned(),
        (None, samples) => format!("Intervals hold 95 of 100 of {samples} samples drawn from the journeys."),
    };
    let mut intro = format!(
        "{:.0} conversions worth {:.2} and {:.0} journeys without one, from {}. {intervals}\nDecide by {}: {}.",
        said.total.conversions,
        said.total.value,
        said.nulls,
        said.input.source,
        said.decide_by.0.name(),
        said.decide_by.1
    );
    said.input.notes.iter().for_each(|note| intro.push_str(&format!("\n{note}.")));
    intro
}

fn at(credit: &[Credit], channel: usize) -> Credit {
    credit.get(channel).copied().unwrap_or_default()
}

/// Channels by what a model credits them with, most first.
fn order(said: &Said, told: &Told) -> Vec<usize> {
    let mut order: Vec<usize> = (0..said.channels.names().len()).collect();
    let of = |channel: &usize| at(&told.credit, *channel).conversions;
    order.sort_by(|one, other| of(other).total_cmp(&of(one)).then(one.cmp(other)));
    order
}

/// The model to decide by, or else the first.
fn leading(said: &Said) -> Option<&Told> {
    said.told.iter().find(|told| told.model == said.decide_by.0).or(said.told.first())
}

fn side_by_side(said: &Said, heading: &str, of: fn(&Credit) -> f64) -> Section {
    let channels = leading(said).map_or_else(Vec::new, |told| order(said, told));
    let mut head = vec!["channel".to_owned()];
    head.extend(said.told.iter().map(|told| told.model.name()));
    let row = |channel: &usize| {
        let mut cells = vec![said.channels.names()[*channel].clone()];
        cells.extend(said.told.iter().map(|told| format!("{:.2}", of(&at(&told.credit, *channel)))));
        cells
    };
    let mut rows: Vec<Vec<String>> = channels.iter().take(ROWS).map(row).collect();
    if said.told.iter().any(|told| told.organic.is_some()) {
        let organic = |told: &Told| told.organic.map_or_else(String::new, |it| format!("{:.2}", of(&it)));
        rows.push([NOBODY.to_owned()].into_iter().chain(said.told.iter().map(organic)).collect());
    }
    let text = if ROWS < channels.len() {
        format!("The {ROWS} channels with the most credit, of {}; all are in credit.csv.", channels.len())
    } else {
        "What each model credits each channel with.".to_owned()
    };
    Section { heading: heading.to_owned(), text, tables: vec![Table { head, rows }], plots: Vec::new() }
}

/// What the model to decide by says otherwise than the first, and how sure that is.
fn differences(said: &Said) -> Option<Section> {
    let (told, first) = (leading(said)?, said.told.first()?);
    interval(told, 0)?;
    let head = ["channel", "conversions", "95 % interval", "more than", "95 % interval"].map(str::to_owned);
    let rows = order(said, told).into_iter().take(ROWS).map(|channel| {
        let span = |low: f64, high: f64| format!("{low:.2} to {high:.2}");
        let credit = at(&told.credit, channel).conversions;
        let of_credit = interval(told, channel).map(|[low, high]| span(low.conversions, high.conversions));
        let of_more = told.sampled.as_ref().and_then(|it| it.more.get(channel));
        let of_more = of_more.map(|it| span(it.low.conversions, it.high.conversions));
        vec![
            said.channels.names()[channel].clone(),
            format!("{credit:.2}"),
            of_credit.unwrap_or_default(),
            format!("{:+.2}", credit - at(&first.credit, channel).conversions),
            of_more.unwrap_or_default(),
        ]
    });
    let table = Table { head: head.to_vec(), rows: rows.collect() };
    Some(Section {
        heading: format!("How sure {} is, and how it differs from {}", told.model.name(), first.model.name()),
        text: "An interval of a difference that does not hold zero is a difference that other samples of these customers \
               would show, too."
            .to_owned(),
        tables: vec![table],
        plots: Vec::new(),
    })
}

/// How well the model foretold what it had not seen.
fn foretold(lesson: &Lesson) -> Option<Section> {
    let held_out = lesson.held_out.as_ref()?;
    let span = |it: Estimate| format!("{:.4} ({:.4} to {:.4})", it.value, it.low, it.high);
    let row = |told: &Foretold| vec![told.by.to_owned(), span(told.roc_auc), span(told.log_loss)];
    let learned = held_out.told.first()?;
    let curve = learned.reliability.iter().map(|bin| [bin.said, bin.came]).collect();
    let most = learned.reliability.iter().map(|bin| bin.said.max(bin.came)).fold(0.0, f64::max);
    let plot = Plot::new("Calibration", ("probability that was said", "share that converted"))
        .with(Line::new("learned", curve))
        .with(Line::new("perfect", vec![[0.0, 0.0], [most, most]]));
    Some(Section {
        heading: "What learned foretells".to_owned(),
        text: format!(
            "It learned once more from what had happened when four fifths of the journeys had begun, and said of the {} that \
             began since, of which {} converted, whether they convert after the last touch that they had. That a journey \
             goes on tells of itself that it did not convert, so that this says less of who causes conversions than of how \
             well the model fits.",
            held_out.journeys, held_out.conversions
        ),
        tables: vec![Table {
            head: ["foretold by", "ROC-AUC", "log loss, nats"].map(str::to_owned).to_vec(),
            rows: held_out.told.iter().map(row).collect(),
        }],
        plots: vec![plot],
    })
}

/// What a touch of each channel does, as the model has it, and what its file is.
fn what_was_learned(said: &Said, lesson: &Lesson) -> Section {
    let learned = lesson.learned();
    let table = learned.table();
    let channels = leading(said).map_or_else(Vec::new, |told| order(said, told));
    let mut head = vec!["channel".to_owned(), "effect of a first touch".to_owned()];
    let fades = table.decay_per_day.is_some();
    if fades {
        head.push("half of it gone after".to_owned());
    }
    let row = |channel: &usize| {
        let effect = table.channel.get(*channel).copied().unwrap_or(f64::NAN);
        let usual = table.effect.last().copied().unwrap_or(f64::NAN);
        let mut cells = vec![said.channels.names()[*channel].clone(), format!("{:.6}", effect * usual)];
        if fades {
            let days = u32::try_from(*channel).ok().and_then(|channel| learned.half_life_days(channel));
            cells.push(days.map_or_else(String::new, |days| format!("{days:.2} days")));
        }
        cells
    };
    let trust = match learned.trust {
        Trust::Full => "enough to trust",
        Trust::Limited => "too few for full trust",
    };
    Section {
        heading: "What was learned".to_owned(),
        text: format!(
            "{} From {} conversions after a touch, which is {trust}. An effect is the expected number of conversions that a \
             touch adds in a usual campaign. The model's file takes a journey's touches and gives each one's share; the \
             registry's manifest says what goes in and out, and has journeys that prove it.",
            lesson.doc(),
            learned.conversions
        ),
        tables: vec![Table { head, rows: channels.iter().take(ROWS).map(row).collect() }],
        plots: Vec::new(),
    }
}

fn steps(said: &Said, paths: &Paths) -> Section {
    let names = said.channels.names();
    let mut left: Vec<f64> = vec![0.0; names.len() + 1];
    let row_of = |from: Option<u32>| from.map_or(0, |channel| channel as usize + 1);
    paths.steps.iter().for_each(|step| left[row_of(step.from)] += step.count);
    let mut busiest: Vec<usize> = (0..names.len()).collect();
    busiest.sort_by(|one, other| left[other + 1].total_cmp(&left[one + 1]).then(one.cmp(other)));
    busiest.truncate(CORNER);
    let share = |from: Option<u32>, to: To| {
        let count =
            paths.steps.iter().find(|step| step.from == from && step.to == to).map_or(0.0, |it| it.count);
        let all = left[row_of(from)];
        if 0.0 < all { format!("{:.1} %", 100.0 * count / all) } else { String::new() }
    };
    let mut head = vec!["from \\ to".to_owned()];
    head.extend(busiest.iter().map(|channel| names[*channel].clone()));
    head.extend(["conversion", "nothing"].map(str::to_owned));
    let row = |from: Option<u32>| {
        let name = from.map_or("begin", |channel| &names[channel as usize]);
        let mut cells = vec![name.to_owned()];
        cells.extend(busiest.iter().map(|channel| share(from, To::Channel(*channel as u32))));
        cells.extend([share(from, To::Conversion), share(from, To::Nothing)]);
        cells
    };
    let begins = std::iter::once(None).chain(busiest.iter().map(|channel| Some(*channel as u32)));
    Section {
        heading: "From channel to channel".to_owned(),
        text: format!(
            "How often a touch is followed by which other one, of the {} busiest channels and {} rows.",
            busiest.len(),
            paths.rows
        ),
        tables: vec![Table { head, rows: begins.map(row).collect() }],
        plots: Vec::new(),
    }
}

fn top(said: &Said, paths: &Paths) -> Section {
    let head = ["path", "conversions", "journeys", "rate"].map(str::to_owned).to_vec();
    let rows = paths.top.iter().map(|path| {
        let names = path.channels.iter().map(|channel| said.channels.names()[*channel as usize].as_str());
        let all = path.conversions + path.nulls;
        vec![
            names.collect::<Vec<_>>().join(" > "),
            format!("{:.0}", path.conversions),
            format!("{all:.0}"),
            format!("{:.2} %", 100.0 * path.conversions / all),
        ]
    });
    Section {
        heading: "The paths that convert most".to_owned(),
        text: String::new(),
        tables: vec![Table { head, rows: rows.collect() }],
        plots: Vec::new(),
    }
}

fn shapes(said: &Said, paths: &Paths) -> Section {
    let shares = |counts: Vec<f64>, first: usize| -> Vec<[f64; 2]> {
        let all: f64 = counts.iter().sum();
        let bar =
            |(at, count): (usize, f64)| [(at + first) as f64, if 0.0 < all { count / all } else { 0.0 }];
        counts.into_iter().chain([0.0]).enumerate().map(bar).collect()
    };
    let lengths = |of: fn(&(f64, f64)) -> f64| shares(paths.lengths.iter().skip(1).map(of).collect(), 1);
    let mut plots = vec![
        Plot::new("Touches of a journey", ("touches", "share of journeys"))
            .with(Line::bars("converted", lengths(|it| it.0)))
            .with(Line::bars("did not", lengths(|it| it.1))),
    ];
    if said.input.timed && !paths.days.is_empty() {
        plots.push(
            Plot::new("From the first touch to the conversion", ("days", "share of conversions"))
                .with(Line::bars("converted", shares(paths.days.clone(), 0))),
        );
    }
    Section {
        heading: "How long journeys are".to_owned(),
        text: "Thirty touches stand for thirty and more, ninety days for ninety and more.".to_owned(),
        tables: Vec::new(),
        plots,
    }
}
