//! The report of a simulation: what each policy comes to beside the flat rate, world by world.

use super::{Compared, MEASURES, Mean, Said};
use crate::{
    jobs::policy::shown::head,
    report::{Line, Plot, Report, Section, Table},
};

fn percent(it: Mean) -> String {
    format!("{:+.1} ± {:.1} %", 100.0 * it.mean, 100.0 * it.error)
}

/// What came of it, for whoever waits at a terminal.
pub(super) fn summary(said: &Said) -> String {
    let mut told = format!(
        "{} worlds of {} partners, six months at the flat rate and {} that policies decide; beside the flat rate, means and their \
         standard errors",
        said.args.seeds, said.args.partners_per_world, said.args.months
    );
    for compared in &said.compared {
        told.push_str(&format!("\n{}", compared.setting.name));
        for (place, name) in compared.names().into_iter().enumerate().skip(1) {
            let measures = MEASURES.iter().map(|(measure, _, number)| {
                format!("{measure} {}", percent(Mean::of(&compared.relative(place, *number))))
            });
            told.push_str(&format!("\n  {name:8} {}", measures.collect::<Vec<_>>().join(", ")));
        }
    }
    match &said.power {
        Err(why) => told.push_str(&format!("\nwhat logs tell (off-policy estimates) was left out, {why}")),
        Ok(it) => told.push_str(&format!(
            "\nof {} logs of six months, a better policy is found in {:.0} % by rewards and in {:.0} % by early outcomes; 95 % \
             intervals hold the truth in {:.1} % and {:.1} %",
            it.logs,
            100.0 * it.late,
            100.0 * it.early,
            100.0 * it.late_covered,
            100.0 * it.early_covered
        )),
    }
    told
}

/// The whole report.
pub(super) fn report(said: &Said) -> Report {
    let mut sections: Vec<Section> = said.compared.iter().map(setting).collect();
    sections.extend(said.power.as_ref().ok().map(|_| off_policy(said)));
    Report { title: "Policies in worlds whose truth is known".to_owned(), intro: summary(said), sections }
}

fn setting(compared: &Compared) -> Section {
    let row = |(place, name): (usize, &'static str)| {
        let cell = |number| {
            let it = Mean::of(&compared.relative(place, number));
            format!("{} ({:+.1} to {:+.1})", percent(it), 100.0 * it.low, 100.0 * it.high)
        };
        std::iter::once(name.to_owned()).chain(MEASURES.iter().map(|(_, _, number)| cell(*number))).collect()
    };
    let cut = compared.cut(1.25);
    let measures = MEASURES.iter().map(|(_, doc, _)| *doc);
    let tiers_on: Vec<&str> = std::iter::once("beside flat").chain(measures).collect();
    Section {
        heading: compared.setting.doc.trim_end_matches('.').to_owned(),
        text: format!(
            "The mean over worlds, its standard error, and in brackets its 95 % interval. The oracle knows each partner's value \
             and elasticity. Of partners whom it pays at least 1.25 times the flat rate, the learned policy ends more than half a \
             point below that for {:.1} ± {:.1} %.",
            100.0 * cut.mean,
            100.0 * cut.error
        ),
        tables: vec![Table {
            head: head(&tiers_on),
            rows: compared.names().into_iter().enumerate().skip(1).map(row).collect(),
        }],
        plots: vec![by_world(compared), by_tenth(compared)],
    }
}

fn by_world(compared: &Compared) -> Plot {
    let mut plot =
        Plot::new("World by world", ("world", "profit for each unit spent, beside flat, in percent"));
    for (place, name) in compared.names().into_iter().enumerate().skip(1) {
        let worlds = compared.relative(place, MEASURES[0].2).into_iter().enumerate();
        let points = worlds.map(|(world, roi)| [world as f64 + 1.0, 100.0 * roi]);
        plot = plot.with(Line::new(name, points.collect()));
    }
    plot
}

fn by_tenth(compared: &Compared) -> Plot {
    let mut plot =
        Plot::new("Who is paid what", ("tenth of partners, by what the oracle pays", "rate in percent"));
    for (place, name) in compared.names().into_iter().enumerate() {
        let tenths = compared.tenths(place).into_iter().enumerate();
        let points = tenths.map(|(tenth, rate)| [tenth as f64 + 1.0, 100.0 * rate]);
        plot = plot.with(Line::new(name, points.collect()));
    }
    plot
}

fn off_policy(said: &Said) -> Section {
    let cells = |name: &str, [found, covered, fooled]: [f64; 3]| {
        let shares = [found, covered, fooled].map(|share| format!("{:.1} %", 100.0 * share));
        std::iter::once(name.to_owned()).chain(shares).collect()
    };
    let rows = said.power.iter().flat_map(|it| {
        [
            cells("rewards as they came", [it.late, it.late_covered, it.late_fooled]),
            cells("early outcomes", [it.early, it.early_covered, it.early_fooled]),
        ]
    });
    let logs = said.power.as_ref().map_or(0, |it| it.logs);
    Section {
        heading: "What six months of a log tell".to_owned(),
        text: format!(
            "{logs} logs of partners with three conversions in a usual month, in which three rates are paid with known \
             probabilities. A policy that truly is better, judged by the doubly robust estimator: how often that is found, how \
             often the 95 % interval holds the truth, and how often the logged policy is called better than itself."
        ),
        tables: vec![Table {
            head: head(&["judged by", "found", "truth in the interval", "same called better"]),
            rows: rows.collect(),
        }],
        plots: Vec::new(),
    }
}
