//! The report: who recommends, how well, to whom, and what is shown.

use super::{
    Held, Judged, LEVEL, Matching, Objective, Said, TEST_SHARE, Way,
    assigned::{Limit, Shares},
    gaps::Gap,
    logged::Would,
};
use crate::{
    matching::metrics::Accuracy,
    report::{Line, Plot, Report, Section, Table},
};

/// How many rows of a table are shown of something that a file has in full.
const SHOWN: usize = 20;

/// What came of it, for whoever waits at a terminal.
pub(super) fn summary(said: &Said, asked: &Matching) -> String {
    let mut told = of_way(&said.forth);
    if let Some(back) = &said.back {
        told.push_str(&format!("\nfrom the other side: {}", of_way(back)));
    }
    if let Some(shares) = &said.shares {
        told.push_str(&format!("\n{}", assignment(shares)));
    }
    if let Some(gaps) = &said.gaps {
        told.push_str(&format!(
            "\n{} segments of {} have more items than users",
            gaps.len(),
            asked.gaps.gaps.join(" × ")
        ));
    }
    if let Some(would) = &said.would {
        told.push_str(&format!("\n{}", logged(would)));
    }
    told
}

fn of_way(way: &Way) -> String {
    let (known, k) = (&way.market.seen.interactions, way.placed.k);
    let [one, other] = way.market.called;
    let mut told = format!(
        "{} pairs of {} {one}s and {} {other}s; learned from {}, judged on {}; {} recommends",
        known.len(),
        known.users(),
        known.items(),
        way.parts.train.len(),
        way.parts.test.len(),
        way.judged[way.chosen].model.name()
    );
    if way.objective == Objective::Value {
        told.push_str(" by expected value");
        if let Some(currency) = way.market.currency {
            told.push_str(&format!(", in {} for each click", currency.code()));
        }
    }
    for note in &way.market.notes {
        told.push_str(&format!("\n{note}"));
    }
    if let Some((wanted, floor)) = &way.placed.floor {
        told.push_str(&format!(
            "\nnewcomers have {:.1} % of the places, where {:.1} % were asked for, at {:.2} % of the score",
            100.0 * floor.share,
            100.0 * wanted,
            100.0 * floor.cost
        ));
    }
    for it in &way.judged {
        let (all, [low, high]) = (&it.metrics.all, it.ndcg);
        told.push_str(&format!(
            "\n{:10} ndcg@{k} {:.4} ({low:.4} to {high:.4}), recall@{k} {:.4}, map@{k} {:.4}, coverage {:.3}",
            it.model.name(),
            all.ndcg,
            all.recall,
            all.map,
            it.metrics.coverage
        ));
        if let Some(order) = it.value_order {
            told.push_str(&format!(", value order {order:.3}"));
        }
    }
    told
}

fn assignment(shares: &Shares) -> String {
    let it = &shares.assignment;
    format!(
        "{} pairs are shared out, worth {:.4}; no assignment is worth more than {:.4}",
        it.pairs.len(),
        it.value,
        it.bound
    )
}

fn logged(would: &Would) -> String {
    let mut brought =
        format!("a place brought {:.4} in {} rows of {}", would.brought, would.rows, would.source);
    if 0 < would.left_out {
        brought += &format!(", {} others of which are of users who get no list", would.left_out);
    }
    match &would.said {
        Err(why) => format!("{brought}; what these lists would have brought it does not say: {why}"),
        Ok(said) => {
            let of = |it: &crate::policy::Judgement| {
                let (value, users) = (&it.value, it.support.effective_partners);
                format!(
                    "{:.4} ({:.4} to {:.4}) by {} on {users:.0} effective users",
                    value.value, value.low, value.high, it.estimator
                )
            };
            let of: Vec<String> = said.iter().map(of).collect();
            format!("{brought}; with these lists it would have brought {}", of.join(", "))
        }
    }
}

/// The whole report.
pub(super) fn report(said: &Said, asked: &Matching) -> Report {
    let mut sections = of_side(&said.forth, asked, "");
    if let Some(back) = &said.back {
        sections.extend(of_side(back, asked, ", from the other side"));
    }
    sections.extend(said.shares.as_ref().map(|shares| shared_out(shares, &said.forth)));
    sections.extend(said.gaps.as_ref().map(|gaps| missing(gaps, &asked.gaps.gaps)));
    sections.extend(said.would.as_ref().map(|would| Section {
        heading: "What these lists would have brought".to_owned(),
        text: logged(would),
        tables: Vec::new(),
        plots: Vec::new(),
    }));
    Report { title: "What suits whom".to_owned(), intro: summary(said, asked), sections }
}

fn of_side(way: &Way, asked: &Matching, side: &str) -> Vec<Section> {
    let mut sections = vec![compared(way, asked), newcomers(way), shown(way)];
    sections.iter_mut().for_each(|section| section.heading.push_str(side));
    sections
}

fn shared_out(shares: &Shares, way: &Way) -> Section {
    let rows = |names: &[String], limits: &[Limit]| {
        let mut priced: Vec<(&String, &Limit)> =
            names.iter().zip(limits).filter(|(_, limit)| 0.0 < limit.price).collect();
        priced.sort_by(|one, other| other.1.price.total_cmp(&one.1.price).then(one.0.cmp(other.0)));
        let row = |(name, limit): (&String, &Limit)| {
            let room = limit.room.map_or_else(|| "–".to_owned(), |room| format!("{room:.2}"));
            vec![name.clone(), room, format!("{:.2}", limit.used), number(limit.price)]
        };
        priced.into_iter().take(SHOWN).map(row).collect::<Vec<_>>()
    };
    let [one, other] = way.market.called;
    Section {
        heading: "Who gets what".to_owned(),
        text: format!(
            "{}. A price is what another place of a {one}, or another unit of a {other}'s budget, would be worth; the \
             highest are shown, and prices.csv has all.",
            assignment(shares)
        ),
        tables: vec![
            Table {
                head: head(&[other, "budget", "used", "price of a unit"]),
                rows: rows(&way.market.items, &shares.limits[1]),
            },
            Table {
                head: head(&[one, "capacity", "used", "price of a place"]),
                rows: rows(&way.market.users, &shares.limits[0]),
            },
        ],
        plots: Vec::new(),
    }
}

fn missing(gaps: &[Gap], columns: &[String]) -> Section {
    let row = |gap: &Gap| {
        let recruit = gap.recruit.iter().map(|(word, above)| format!("{word} +{above:.3}"));
        let mut row = vec![gap.words.join(" × "), gap.items.to_string(), gap.users.to_string()];
        row.extend([number(gap.value), recruit.collect::<Vec<_>>().join(", ")]);
        row
    };
    Section {
        heading: "Where demand has no supply".to_owned(),
        text: format!(
            "Segments of {} that more items ask for than users have; what pairs of these items are worth, and what else \
             those users had whose pairs were worth more. coverage_gaps.csv has all {}.",
            columns.join(" × "),
            gaps.len()
        ),
        tables: vec![Table {
            head: head(&["segment", "items", "users", "mean value", "recruit"]),
            rows: gaps.iter().take(SHOWN).map(row).collect(),
        }],
        plots: Vec::new(),
    }
}

fn number(value: f64) -> String {
    format!("{value:.4}")
}

fn head(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn compared(way: &Way, asked: &Matching) -> Section {
    let row = |it: &Judged| {
        let (all, [low, high]) = (&it.metrics.all, it.ndcg);
        vec![
            it.model.name(),
            number(all.ndcg),
            format!("{low:.4} to {high:.4}"),
            number(all.recall),
            number(all.map),
            it.value.map_or_else(|| "–".to_owned(), number),
            it.value_order.map_or_else(|| "–".to_owned(), number),
        ]
    };
    let test = asked.test_share.unwrap_or(TEST_SHARE);
    let held = match asked.split {
        Held::LeaveLast => "the last interaction of each user".to_owned(),
        Held::Random => format!("{:.0} % of all interactions, drawn by chance", 100.0 * test),
        Held::Time => format!("the latest {:.0} % of all interactions", 100.0 * test),
    };
    let mut points: Vec<[f64; 2]> =
        way.judged.iter().enumerate().map(|(at, it)| [at as f64 + 0.6, it.metrics.all.ndcg]).collect();
    // Where the last bar ends.
    points.push([points.len() as f64 + 0.6, 0.0]);
    let names: Vec<String> =
        way.judged.iter().enumerate().map(|(at, it)| format!("{} {}", at + 1, it.model.name())).collect();
    let blend = way.judged.iter().find(|it| !it.weights.is_empty());
    let weights = blend.map(|it| Table {
        head: head(&["in the blend", "weight", "for new items"]),
        rows: it
            .weights
            .iter()
            .map(|(name, [known, new])| vec![name.clone(), format!("{known:.2}"), format!("{new:.2}")])
            .collect(),
    });
    let measures = Table {
        head: head(&["model", "NDCG", "95 % interval", "recall", "MAP", "share of value", "value order"]),
        rows: way.judged.iter().map(row).collect(),
    };
    Section {
        heading: "Who recommends, and how well".to_owned(),
        text: format!(
            "Judged on {held}, at {} items for each user, against everything that could have been recommended; {:.0} % \
             intervals are from drawing users again. {} learns again from everything and recommends: {}.",
            way.placed.k,
            100.0 * LEVEL,
            way.judged[way.chosen].model.name(),
            match way.objective {
                Objective::Interactions => "it has the highest NDCG of those that were judged",
                Objective::Value =>
                    "of those that were judged it puts pairs that happened best into the order of their worth, which is 1 \
                     where it is perfect and 0 where it is chance",
            }
        ),
        tables: [Some(measures), weights].into_iter().flatten().collect(),
        plots: vec![Plot::new("NDCG", (&names.join(", "), "NDCG")).with(Line::bars("NDCG", points))],
    }
}

fn newcomers(way: &Way) -> Section {
    let cell = |it: &Accuracy| {
        if it.users == 0 { "–".to_owned() } else { format!("{:.4} ({})", it.ndcg, it.users) }
    };
    let row = |it: &Judged| {
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
            rows: way.judged.iter().map(row).collect(),
        }],
        plots: Vec::new(),
    }
}

fn shown(way: &Way) -> Section {
    let row = |it: &Judged| {
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
            rows: way.judged.iter().map(row).collect(),
        }],
        plots: Vec::new(),
    }
}
