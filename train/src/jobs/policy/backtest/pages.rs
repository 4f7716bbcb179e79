//! The report of a backtest: what the policy would have paid and brought, by a response that was fitted, and by the log itself.

use super::{Asked, Judged, Said, said::Compared};
use crate::{
    jobs::policy::shown::{changes, head, signed},
    policy::{
        Judgement,
        backtest::{Estimate, Held, Outcome},
    },
    report::{Line, Plot, Report, Section, Table},
};

/// So many of those who would be paid most more, and most less, are shown.
const SHOWN: usize = 15;
/// Who would be paid less than this part more or less is paid the same.
const SAME: f64 = 0.01;

/// How many partners would be paid more, less, and the same.
pub(super) fn winners(said: &Said) -> [usize; 3] {
    let mut counts = [0; 3];
    for (_, paid, policy) in said.partners() {
        let place = match policy - paid {
            more if SAME * paid < more => 0,
            less if less < -SAME * paid => 1,
            _ => 2,
        };
        counts[place] += 1;
    }
    counts
}

/// What came of it, for whoever waits at a terminal.
pub(super) fn summary(said: &Said) -> String {
    let history = &said.file.history;
    let mut told = format!(
        "{} decided {} rates of {} partners from {} on, with what was known then",
        said.rule.policy.version,
        said.replayed.decided.len(),
        history.partners.len(),
        history.bounds[said.plan.from].format("%F"),
    );
    let paid = &said.paid().outcome;
    for it in &said.compared {
        let Outcome { value, spend, .. } = it.outcome;
        told.push_str(&format!(
            "\n{:7} value {value:.0}, cost {spend:.0} ({}), return {:.3} ({})",
            it.name,
            signed(spend / paid.spend - 1.0),
            it.outcome.roi(),
            signed(it.outcome.roi() / paid.roi() - 1.0)
        ));
    }
    told.push_str("\nwhat tiers and policy come to follows from a fitted response of conversions to rates, and is an assumption");
    match &said.asked {
        Err(why) => told.push_str(&format!("\nthe log itself says nothing: {why}")),
        Ok(asked) => {
            let first = asked.judged.iter().filter(|it| it.held == Held::ToTried && it.policy == "policy");
            for it in first.flat_map(|it| &it.found.estimates) {
                told.push_str(&format!("\n{:12} {}", it.estimator, sentence(it)));
            }
        }
    }
    told
}

fn sentence(estimate: &Estimate) -> String {
    match &estimate.found {
        Ok(Judgement { uplift, support, .. }) => format!(
            "{:+.2} a decision more than what was paid ({:+.2} to {:+.2}), from {:.0} effective partners",
            uplift.value, uplift.low, uplift.high, support.effective_partners
        ),
        Err(why) => format!("refused: {why}"),
    }
}

/// The whole report.
pub(super) fn report(said: &Said) -> Report {
    let sections = vec![what(said), paths(said), who(said), said.reasons().section(), log(said)];
    Report { title: "A policy over what happened".to_owned(), intro: summary(said), sections }
}

fn what(said: &Said) -> Section {
    let paid = &said.paid().outcome;
    let cells = |name: String, it: &Outcome| {
        vec![
            name,
            format!("{:.0}", it.value),
            format!("{:.0}", it.spend),
            format!("{:.0}", it.profit()),
            format!("{:.3}", it.roi()),
            signed(it.spend / paid.spend - 1.0),
            signed(it.profit() / paid.profit() - 1.0),
            signed(it.roi() / paid.roi() - 1.0),
        ]
    };
    let mut rows: Vec<Vec<String>> =
        said.compared.iter().map(|it| cells(it.name.to_owned(), &it.outcome)).collect();
    for it in &said.compared[1..] {
        rows.push(cells(format!("{}, response 2 sd weaker", it.name), &it.weaker));
        rows.push(cells(format!("{}, response 2 sd stronger", it.name), &it.stronger));
    }
    let responses = said.responses.iter().enumerate().map(|(source, it)| {
        vec![format!("source {source}"), format!("{:.2}", it.mean), format!("{:.2}", it.sd)]
    });
    Section {
        heading: "What it would have come to, if the fitted response is right".to_owned(),
        text: format!(
            "What was paid is what happened. What tiers ({}) and the policy come to is no measurement: conversions, their \
             orders and their values are taken to grow with the rate as the elasticity of the partner's source says, which is \
             fitted to how the same partners' conversions answered to the rates that were paid, drawn towards what the policy \
             file believes. Where rates hardly moved that belief is all there is. Further down, the log itself is asked, \
             which needs no such assumption. {} decided rows have no value yet and count nothing. {}",
            said.tiers.written(),
            said.unknown,
            match said.file.is_detailed {
                true => "Each customer's value is told.",
                false =>
                    "Values are told as sums, so that the mean of a partner's period counts as one customer.",
            }
        ),
        tables: vec![
            Table {
                head: head(&[
                    "rates",
                    "value",
                    "cost",
                    "profit",
                    "ROI",
                    "cost / paid",
                    "profit / paid",
                    "ROI / paid",
                ]),
                rows,
            },
            Table { head: head(&["elasticity", "fitted", "sd"]), rows: responses.collect() },
        ],
        plots: vec![profits(said)],
    }
}

fn profits(said: &Said) -> Plot {
    let mut plot = Plot::new("Profit by period", ("period", "value less commissions"));
    for it in &said.compared {
        let of = |period: usize| {
            let (value, spend) = it.outcome.periods[period];
            [period as f64, value - spend]
        };
        plot = plot.with(Line::new(it.name, (said.plan.from..said.file.history.periods()).map(of).collect()));
    }
    plot
}

fn paths(said: &Said) -> Section {
    let quantile = |compared: &Compared, share: f64| -> Vec<[f64; 2]> {
        let of = |period: usize| {
            let rates = said.rates_of(compared, period);
            let place = ((rates.len() as f64 - 1.0).max(0.0) * share).round() as usize;
            rates.get(place).map(|rate| [period as f64, 100.0 * rate])
        };
        (said.plan.from..said.file.history.periods()).filter_map(of).collect()
    };
    let mut plot = Plot::new("Rates", ("period", "rate in percent"));
    for (name, share) in
        [("policy, lowest tenth", 0.1), ("policy, middle", 0.5), ("policy, highest tenth", 0.9)]
    {
        plot = plot.with(Line::new(name, quantile(said.policy(), share)));
    }
    plot = plot.with(Line::new("paid, middle", quantile(said.paid(), 0.5)));
    Section {
        heading: "Rates over time".to_owned(),
        text: "The lowest and highest tenth of partners lie below and above the outer lines; rates.csv has each partner's.".to_owned(),
        tables: Vec::new(),
        plots: vec![plot, apart(said)],
    }
}

/// How far what the policy would have paid is from what was paid, over all rows that count.
fn apart(said: &Said) -> Plot {
    let both = said.paid().rates.iter().zip(&said.policy().rates);
    let both = both.filter_map(|(paid, policy)| paid.zip(*policy));
    let apart = both.map(|(paid, policy)| i64::from(policy.ppm) - i64::from(paid.ppm));
    changes("From what was paid", "partners' periods", apart, 10_000)
}

fn who(said: &Said) -> Section {
    let mut all = said.partners();
    all.sort_by(|one, other| (other.2 - other.1).total_cmp(&(one.2 - one.1)).then(one.0.cmp(&other.0)));
    let row = |(partner, paid, policy): &(usize, f64, f64)| {
        vec![
            said.file.history.partners[*partner].clone(),
            format!("{paid:.2}"),
            format!("{policy:.2}"),
            format!("{:+.2}", policy - paid),
        ]
    };
    let table = |rows: Vec<Vec<String>>| Table {
        head: head(&["partner", "was paid", "by the policy", "change"]),
        rows,
    };
    let [more, less, same] = winners(said);
    Section {
        heading: "Winners and losers".to_owned(),
        text: format!(
            "{more} partners would have been paid more, {less} less, and {same} within 1 % of what they were. At most {SHOWN} of \
             each; partners.csv has them all."
        ),
        tables: vec![
            table(all.iter().filter(|it| it.1 < it.2).take(SHOWN).map(row).collect()),
            table(all.iter().rev().filter(|it| it.2 < it.1).take(SHOWN).map(row).collect()),
        ],
        plots: Vec::new(),
    }
}

fn log(said: &Said) -> Section {
    let heading = "What the log says".to_owned();
    let Asked { grid, judged } = match &said.asked {
        Ok(asked) => asked,
        Err(why) => {
            let text = format!(
                "Nothing: {why}. Where rates are chosen with a known probability and that is written down in a column \
                 propensity, the log tells what other rates would have brought without any assumption of how conversions answer."
            );
            return Section { heading, text, tables: Vec::new(), plots: Vec::new() };
        }
    };
    let rows = judged.iter().flat_map(|one| one.found.estimates.iter().map(|it| row(one, it))).collect();
    let tried: Vec<String> = grid.iter().map(ToString::to_string).collect();
    let beyond = judged.iter().find(|it| it.policy == "policy").map_or(0.0, |it| it.found.beyond);
    Section {
        heading,
        text: format!(
            "Estimated from decisions of which chance had a part, without the response above: what a decision brings less its \
             commission, and by how much that is more than under what was paid, with 95 % intervals over partners. A decision is \
             judged where the log was; what earlier decisions of the policy would have changed is not in it. The log tells of the \
             rates that were tried only: {}. {:.0} % of what the policy pays is further from any of these than half the least gap \
             between them: held to the nearest that was tried it can be judged, and as decided it mostly cannot, which the refusal \
             says. Where fewer partners than asked for weigh in, nothing is said. surrogate_dr goes by early outcomes, and counts \
             periods whose values are not known yet.",
            tried.join(", "),
            100.0 * beyond
        ),
        tables: vec![Table {
            head: head(&[
                "rates",
                "estimator",
                "a decision",
                "more than paid",
                "from",
                "to",
                "effective partners",
                "mean weight",
                "refused",
            ]),
            rows,
        }],
        plots: Vec::new(),
    }
}

fn row(judged: &Judged, estimate: &Estimate) -> Vec<String> {
    let held = match judged.held {
        Held::ToTried => "held to those tried",
        Held::AsDecided => "as decided",
    };
    let mut cells = vec![format!("{}, {held}", judged.policy), estimate.estimator.to_owned()];
    match &estimate.found {
        Ok(Judgement { value, uplift, support, .. }) => cells.extend([
            format!("{:.2}", value.value),
            format!("{:+.2}", uplift.value),
            format!("{:+.2}", uplift.low),
            format!("{:+.2}", uplift.high),
            format!("{:.0}", support.effective_partners),
            format!("{:.2}", support.mean_weight),
            String::new(),
        ]),
        Err(why) => {
            cells.resize(8, String::new());
            cells.push(why.to_string());
        }
    }
    cells
}
