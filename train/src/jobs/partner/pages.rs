//! The report: who is worth what, which tier that is, why, and how good earlier expectations were.

use super::{
    Said,
    foreseen::Foreseen,
    judged::{Judged, LEVEL, Measures},
    learned::{Learned, Standing},
    placed::name,
    written::basis,
};
use crate::{
    jobs::table::date_of,
    partner::Tier,
    report::{Line, Plot, Report, Section, Table},
};

/// How many partners are told of in the table.
const BEST: usize = 50;
/// Reasons of less than this are not worth a word.
const LEAST_REASON: f64 = 0.005;
/// How many numbers of a profile are named.
const MOST_NAMED: usize = 3;

/// What came of it, for whoever waits at a terminal.
pub(super) fn summary(said: &Said) -> String {
    let (learned, placed) = (&said.learned, &said.placed);
    let conversions: usize = learned.standings.iter().map(|it| it.conversions).sum();
    let count = |tier: Tier| placed.places.iter().filter(|place| place.tier == tier).count();
    let program = &learned.program;
    let mut told = format!(
        "{} partners with {conversions} conversions worth {:.2} each, {}: {} gold from a return of {:.2} on, {} silver from {:.2} \
         on, {} bronze",
        learned.standings.len(),
        program.value,
        if program.has_costs { format!("for {:.2}", program.cost) } else { "at an unknown cost".to_owned() },
        count(Tier::Gold),
        placed.gold,
        count(Tier::Silver),
        placed.silver,
        count(Tier::Bronze),
    );
    let (moved, known) = placed.moved();
    if let Some(foreseen) = &learned.foreseen {
        told.push_str(&format!("\n{}", widened(foreseen)));
    }
    if 0 < known {
        told.push_str(&format!("\n{moved} of {known} partners changed their tier since the last run"));
    }
    for it in said.judged.iter().flat_map(|judged| &judged.measures) {
        told.push_str(&format!(
            "\n{:11} conversions, {} partners: rmse of the logarithm {:.3} (raw means {:.3}), spearman {:.3} ({:.3}), in interval \
             {:.1} %",
            it.history, it.partners, it.rmse, it.raw_rmse, it.spearman, it.raw_spearman, 100.0 * it.covered
        ));
    }
    let unjudged = said.judged.as_ref().and_then(|judged| judged.unjudged.as_ref());
    for note in unjudged.into_iter().chain(&said.input.notes).chain(&learned.notes).chain(&placed.notes) {
        told.push_str(&format!("\n{note}"));
    }
    told
}

/// By how much intervals were widened, in words.
fn widened(Foreseen { split, widening }: &Foreseen) -> String {
    let (day, count) = (date_of(*split), widening.partners);
    match () {
        () if count == 0 => format!(
            "too few partners won enough after {day} to tell whether intervals are wide enough; they hold if partners stay as they are"
        ),
        () if widening.variance <= 0.0 => {
            format!(
                "what was expected on {day} of {count} partners was as near to what came as it should have been"
            )
        }
        () => format!(
            "what was expected on {day} of {count} partners was farther from what came than it should have been: the variance of \
             logarithms is taken to be {:.4} more",
            widening.variance
        ),
    }
}

/// Why a partner is worth what it is, in words: each factor on the value of a conversion.
pub(super) fn reasons(learned: &Learned, standing: &Standing) -> String {
    let reasons = &standing.reasons;
    let mut parts = Vec::new();
    if 0 < standing.conversions {
        let count = standing.conversions;
        parts.push((reasons.own, format!("its own {count} conversions beside what else lets expect")));
    }
    parts.push((reasons.source, format!("source {}", learned.sources[standing.source])));
    let mut profile: Vec<(f64, &String)> = reasons.profile.iter().copied().zip(&learned.columns).collect();
    profile.sort_by(|one, other| other.0.abs().total_cmp(&one.0.abs()).then_with(|| one.1.cmp(other.1)));
    let named: Vec<String> = profile
        .iter()
        .take(MOST_NAMED)
        .filter(|(by, _)| LEAST_REASON <= by.abs())
        .map(|(by, name)| format!("{name} {}", percent(*by)))
        .collect();
    let words = if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) };
    parts.push((reasons.profile.iter().sum(), format!("profile{words}")));
    parts.push((reasons.campaigns, "the campaigns that it advertises".to_owned()));
    let worth_a_word = parts.into_iter().filter(|(by, _)| LEAST_REASON <= by.abs());
    let told: Vec<String> = worth_a_word.map(|(by, words)| format!("{} by {words}", percent(by))).collect();
    if told.is_empty() { "as usual in the program".to_owned() } else { told.join("; ") }
}

fn percent(log: f64) -> String {
    format!("{:+.1} %", 100.0 * libm::expm1(log))
}

/// The whole report.
pub(super) fn report(said: &Said) -> Report {
    let mut sections = vec![ranking(said), tiers(said)];
    if let Some(judged) = &said.judged {
        sections.push(came(judged));
    }
    sections.push(sources(said));
    Report { title: "What partners are worth".to_owned(), intro: summary(said), sections }
}

fn ranking(said: &Said) -> Section {
    let standings = || said.ranking.iter().map(|place| &said.learned.standings[*place]);
    let line = |of: &dyn Fn(&Standing) -> f64| -> Vec<[f64; 2]> {
        standings().enumerate().map(|(rank, it)| [rank as f64 + 1.0, of(it)]).collect()
    };
    let plot = Plot::new("Return by rank", ("rank", "value over cost"))
        .with(Line::new("upper", line(&|it| it.returns.quantile(0.95))))
        .with(Line::new("expected", line(&|it| it.returns.expected())))
        .with(Line::new("lower", line(&|it| it.returns.quantile(0.05))));
    let head =
        ["partner", "rank", "source", "by", "conversions", "value", "90 % interval", "return", "tier", "why"];
    let row = |(rank, place): (usize, &usize)| {
        let it = &said.learned.standings[*place];
        let worth = &it.per_conversion;
        vec![
            said.input.partners[*place].name.clone(),
            (rank + 1).to_string(),
            said.learned.sources[it.source].clone(),
            basis(it).to_owned(),
            it.conversions.to_string(),
            format!("{:.2}", worth.expected()),
            format!("{:.2} to {:.2}", worth.quantile(0.05), worth.quantile(0.95)),
            format!("{:.2}", it.returns.expected()),
            name(said.placed.places[*place].tier).to_owned(),
            reasons(&said.learned, it),
        ]
    };
    Section {
        heading: "Who is worth most".to_owned(),
        text: format!(
            "Partners by expected return, the value of a conversion over what it costs; {}. The best {BEST} stand in the table, all of \
             them in partners.csv.",
            if said.learned.program.has_costs {
                "lines are the ends of 90 % intervals"
            } else {
                "as nobody says what conversions cost, the program's mean value stands for it, and 1 is the program's return"
            }
        ),
        tables: vec![Table {
            head: head.map(str::to_owned).to_vec(),
            rows: said.ranking.iter().enumerate().take(BEST).map(row).collect(),
        }],
        plots: vec![plot],
    }
}

fn tiers(said: &Said) -> Section {
    let placed = &said.placed;
    let of = |tier: Tier| {
        let of: Vec<usize> =
            said.ranking.iter().copied().filter(|place| placed.places[*place].tier == tier).collect();
        let conversions: usize = of.iter().map(|place| said.learned.standings[*place].conversions).sum();
        let given = placed.perks.as_ref().map_or_else(Vec::new, |perks| perks.of(tier));
        vec![name(tier).to_owned(), of.len().to_string(), conversions.to_string(), given.join("; ")]
    };
    let mut tables = vec![Table {
        head: ["tier", "partners", "conversions", "gives"].map(str::to_owned).to_vec(),
        rows: [Tier::Gold, Tier::Silver, Tier::Bronze].map(of).to_vec(),
    }];
    let moved = said.ranking.iter().filter_map(|place| {
        let it = &placed.places[*place];
        let before = it.before.filter(|before| *before != it.tier)?;
        Some(vec![
            said.input.partners[*place].name.clone(),
            name(before).to_owned(),
            name(it.tier).to_owned(),
            placed.change(it).map_or_else(String::new, |change| change.to_string()),
        ])
    });
    let moved: Vec<Vec<String>> = moved.collect();
    if !moved.is_empty() {
        tables
            .push(Table { head: ["moved", "from", "to", "which"].map(str::to_owned).to_vec(), rows: moved });
    }
    let months = placed.months.iter().map(|month| {
        let share = 100.0 * month.moved as f64 / month.of as f64;
        vec![
            date_of(month.end).to_string(),
            month.of.to_string(),
            month.moved.to_string(),
            format!("{share:.1} %"),
        ]
    });
    let months: Vec<Vec<String>> = months.collect();
    if !months.is_empty() {
        let head = ["month until", "partners", "would have moved", "share"].map(str::to_owned).to_vec();
        tables.push(Table { head, rows: months });
    }
    Section {
        heading: "Tiers".to_owned(),
        text: format!(
            "Silver begins at a return of {:.3} and Gold at {:.3}. A partner rises when it is probable enough that it belongs \
             there, and stays until that is improbable; without an earlier tier it begins in Bronze.",
            placed.silver, placed.gold
        ),
        tables,
        plots: Vec::new(),
    }
}

fn came(judged: &Judged) -> Section {
    let row = |it: &Measures| {
        vec![
            it.history.to_owned(),
            it.partners.to_string(),
            format!("{:.3}", it.rmse),
            format!("{:.3}", it.by_chance),
            format!("{:.3}", it.raw_rmse),
            format!("{:.3}", it.spearman),
            format!("{:.3}", it.raw_spearman),
            format!("{:.1} %", 100.0 * it.covered),
        ]
    };
    let head = [
        "conversions before",
        "partners",
        "RMSE of the logarithm",
        "of it later chance",
        "of raw means",
        "Spearman",
        "of raw means",
        "in interval",
    ];
    let line = |of: fn(&super::judged::Tenth) -> f64| -> Vec<[f64; 2]> {
        judged.tenths.iter().enumerate().map(|(at, it)| [at as f64 + 1.0, of(it)]).collect()
    };
    Section {
        heading: "What came".to_owned(),
        text: format!(
            "What was expected of partners on {} beside the mean of at least ten later conversions, by how many conversions they \
             had then. {:.0} of 100 should lie within their interval, widened by the chance of the later mean itself. Raw means are \
             those of earlier conversions; the tenths are of all partners who converted later.",
            date_of(judged.until),
            100.0 * LEVEL
        ),
        tables: vec![Table {
            head: head.map(str::to_owned).to_vec(),
            rows: judged.measures.iter().map(row).collect(),
        }],
        plots: vec![
            Plot::new("By tenths of the partners", ("tenth, by expectation", "value of a conversion"))
                .with(Line::new("expected", line(|it| it.expected)))
                .with(Line::new("came", line(|it| it.came))),
        ],
    }
}

/// What each source says of somebody of whom nothing else is known.
fn sources(said: &Said) -> Section {
    let learned = &said.learned;
    let row = |(number, source): (usize, &String)| {
        let of: Vec<&Standing> = learned.standings.iter().filter(|it| it.source == number).collect();
        let first = of.first()?;
        let value = libm::exp(first.reasons.program + first.reasons.source);
        let conversions: usize = of.iter().map(|it| it.conversions).sum();
        Some(vec![
            source.clone(),
            of.len().to_string(),
            conversions.to_string(),
            format!("{value:.2}"),
            percent(first.reasons.source),
        ])
    };
    let head = [
        "source",
        "partners",
        "conversions",
        "median value of a newcomer's conversion",
        "beside the program",
    ];
    Section {
        heading: "What sources say of newcomers".to_owned(),
        text: if learned.columns.is_empty() {
            "No column of a profile says more.".to_owned()
        } else {
            format!("Columns of profiles that say more: {}.", learned.columns.join(", "))
        },
        tables: vec![Table {
            head: head.map(str::to_owned).to_vec(),
            rows: learned.sources.iter().enumerate().filter_map(row).collect(),
        }],
        plots: Vec::new(),
    }
}
