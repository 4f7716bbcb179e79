//! The report of decisions: how rates move, why, who goes up and who goes down.

use domain::commission::dynamic::RateMode;

use super::{
    Decision, Said,
    written::{costs, moves},
};
use crate::{
    jobs::policy::shown::{changes, head, points},
    policy::fraction,
    report::{Line, Plot, Report, Section, Table},
};

/// So many rises, and so many falls, are shown.
const SHOWN: usize = 20;
/// So many paths are drawn.
const PATHS: usize = 7;

/// What came of it, for whoever waits at a terminal.
pub(super) fn summary(said: &Said) -> String {
    let [up, down, kept, announced] = moves(said);
    let [before, after] = costs(said);
    let mode = match said.policy().mode {
        RateMode::Shadow => "in the shadow: nothing changes",
        RateMode::Live => "live",
    };
    let mut told = format!(
        "{} partners at {}, by {} ({mode}): {up} rates go up, {down} down, {kept} stay, {announced} were announced before; \
         expected cost until the next decisions {before:.2}, then {after:.2}",
        said.decisions.len(),
        said.at.format("%F"),
        said.policy().version
    );
    let flagged = said.decisions.iter().filter(|it| !it.decision.flags.is_empty()).count();
    if 0 < flagged {
        told.push_str(&format!("\na person should look at {flagged} of them: column flags of decisions.csv"));
    }
    for sentence in &said.notes {
        told.push_str(&format!("\n{sentence}"));
    }
    if 0 < said.differing {
        told.push_str(&format!(
            "\n{} partners stand at another rate than the file's column rate says; where they stand counts",
            said.differing
        ));
    }
    told
}

/// The whole report.
pub(super) fn report(said: &Said) -> Report {
    let mut sections = vec![moves_of(said), said.reasons().section(), who(said)];
    sections.extend(paths(said));
    Report { title: "Partners' rates".to_owned(), intro: summary(said), sections }
}

fn moves_of(said: &Said) -> Section {
    let rates = |rate: &dyn Fn(&Decision) -> f64| {
        let mut rates: Vec<f64> = said.decisions.iter().map(|it| 100.0 * rate(it)).collect();
        rates.sort_by(f64::total_cmp);
        let many = rates.len() as f64;
        rates.into_iter().enumerate().map(|(place, rate)| [(place as f64 + 0.5) / many, rate]).collect()
    };
    Section {
        heading: "How rates move".to_owned(),
        text: "Changes in percentage points, and the rates of all partners from the lowest to the highest."
            .to_owned(),
        tables: Vec::new(),
        plots: vec![
            changes("Changes", "partners", said.decisions.iter().map(|it| it.decision.change_ppm()), 5_000),
            Plot::new("Rates", ("share of partners", "rate in percent"))
                .with(Line::new("before", rates(&|it| fraction(it.decision.previous))))
                .with(Line::new("decided", rates(&|it| fraction(it.decision.next)))),
        ],
    }
}

fn who(said: &Said) -> Section {
    let mut all: Vec<&Decision> = said.decisions.iter().collect();
    all.sort_by(|one, other| {
        let change = |it: &Decision| it.decision.change_ppm();
        change(other).cmp(&change(one)).then_with(|| one.partner.name.cmp(&other.partner.name))
    });
    let row = |it: &&Decision| {
        let decision = &it.decision;
        vec![
            it.partner.name.clone(),
            decision.previous.to_string(),
            decision.next.to_string(),
            points(decision.change_ppm()),
            decision.effective_at.map_or_else(String::new, |at| at.format("%F").to_string()),
            decision.flags.iter().map(|flag| flag.name()).collect::<Vec<_>>().join(" "),
            decision.words(),
        ]
    };
    let table = |rows: Vec<Vec<String>>| Table {
        head: head(&["partner", "previous", "next", "change", "from", "flags", "why"]),
        rows,
    };
    let up = all.iter().filter(|it| 0 < it.decision.change_ppm()).take(SHOWN).map(row);
    let down = all.iter().rev().filter(|it| it.decision.change_ppm() < 0).take(SHOWN).map(row);
    Section {
        heading: "Who goes up, and who goes down".to_owned(),
        text: format!("At most {SHOWN} of each; decisions.csv has them all."),
        tables: vec![table(up.collect()), table(down.collect())],
        plots: Vec::new(),
    }
}

/// The paths of those whose rate moved furthest, where there is more than one period.
fn paths(said: &Said) -> Option<Section> {
    let mut moved: Vec<_> = said.standings.partners.iter().filter(|(_, kept)| 1 < kept.path.len()).collect();
    let far = |path: &[(chrono::DateTime<chrono::Utc>, domain::Rate)]| {
        path.windows(2).map(|pair| pair[0].1.ppm.abs_diff(pair[1].1.ppm)).sum::<u32>()
    };
    moved.sort_by_key(|(name, kept)| (std::cmp::Reverse(far(&kept.path)), (*name).clone()));
    let first = moved.iter().map(|(_, kept)| kept.path[0].0).min()?;
    let mut plot = Plot::new("Rates", ("days since the first decision", "rate in percent"));
    for (name, kept) in moved.iter().take(PATHS) {
        let day = |at: chrono::DateTime<chrono::Utc>| (at - first).num_seconds() as f64 / 86_400.0;
        let mut line: Vec<[f64; 2]> = Vec::new();
        for (at, rate) in &kept.path {
            line.extend(line.last().map(|[_, rate]| [day(*at), *rate]));
            line.push([day(*at), 100.0 * fraction(*rate)]);
        }
        plot = plot.with(Line::new(name, line));
    }
    Some(Section {
        heading: "Rates over time".to_owned(),
        text: format!("Of the {PATHS} partners whose rates moved furthest, with what is announced."),
        tables: Vec::new(),
        plots: vec![plot],
    })
}
