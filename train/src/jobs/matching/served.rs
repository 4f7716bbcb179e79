//! What a service recommends by, beside the graph: who the numbers are, what is told of each, and the tables themselves.

use std::collections::BTreeMap;

use anyhow::Result;
use models::{
    exact::Exact,
    matching::{FILE, FORMAT, Gap, Like, Matches, Ranker, Rule, Side, Usual},
    registry::manifest::ParityVector,
};

use super::{Matching, Said, Way, input::Market, written::both};
use crate::matching::{Exported, Profiles};

/// The file, held against what proves the graph.
pub(super) fn files(
    said: &Said,
    asked: &Matching,
    exported: Exported<'_>,
    proof: &ParityVector,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let way = &said.forth;
    let matches = Matches {
        format: FORMAT,
        called: way.market.called.map(str::to_owned),
        unit: way.market.unit().to_owned(),
        currency: way.market.currency.map(|it| it.code().to_owned()),
        users: side(&way.market.users, way.market.seen.users.as_ref()),
        items: side(&way.market.items, way.market.seen.items.as_ref()),
        pairs: pairs(way),
        usual: way.usual.clone(),
        rule: match exported {
            Exported::Towers(towers) => Rule::Vectors(towers),
            Exported::Value(value) => Rule::Value(Box::new(value.tables())),
        },
        lookalikes: said.lookalikes.as_ref().map(|all| {
            let of_item = |(best, likes): &(Vec<u32>, Vec<super::lookalikes::Like>)| {
                let like = |it: &super::lookalikes::Like| Like {
                    user: it.user,
                    likeness: it.likeness,
                    like: best.clone(),
                    reason: both(it, way),
                };
                likes.iter().map(like).collect()
            };
            all.of_items.iter().map(of_item).collect()
        }),
        gaps: said.gaps.as_ref().map(|all| all.iter().map(|it| gap(it, &asked.gaps.gaps)).collect()),
    };
    let bytes = serde_json::to_vec(&matches)?;
    let read = Matches::read(&bytes).map_err(anyhow::Error::msg)?;
    Ranker::new(read).prove(std::slice::from_ref(proof)).map_err(anyhow::Error::msg)?;
    Ok(BTreeMap::from([(FILE.to_owned(), bytes)]))
}

fn side(names: &[String], profiles: Option<&Profiles>) -> Side {
    let Some(profiles) = profiles else {
        return Side { names: names.to_vec(), told: vec![Vec::new(); names.len()], ..Side::default() };
    };
    let numbers = profiles.number_count();
    let told = |row: usize| -> Vec<(u32, Exact)> {
        let raw = profiles.raw(row).into_iter().enumerate();
        let is_told =
            |column: usize, value: f64| if column < numbers { !value.is_nan() } else { 0.5 < value };
        raw.filter(|it| is_told(it.0, it.1)).map(|(column, value)| (column as u32, Exact(value))).collect()
    };
    Side {
        names: names.to_vec(),
        columns: profiles.columns(),
        numbers,
        told: (0..names.len()).map(told).collect(),
    }
}

fn pairs(way: &Way) -> Vec<Vec<u32>> {
    let known = &way.market.seen.interactions;
    (0..known.users()).map(|user| known.of_user(user).iter().map(|row| row.item).collect()).collect()
}

/// What pairs were worth, each for as many rows as it stands for.
pub(super) fn usual(market: &Market) -> Usual {
    let all = &market.seen.interactions;
    let mean = |rows: &mut dyn Iterator<Item = (f64, f64)>| {
        let (sum, count) =
            rows.fold((0.0, 0.0), |sum, (value, count)| (sum.0 + value * count, sum.1 + count));
        Exact(sum / f64::max(count, 1.0))
    };
    let mut of_items: Vec<Vec<(f64, f64)>> = vec![Vec::new(); all.items()];
    let rows = || all.rows().iter().zip(all.counts()).map(|(row, count)| (row, f64::from(*count)));
    rows().for_each(|(row, count)| of_items[row.item as usize].push((row.value, count)));
    Usual {
        all: mean(&mut rows().map(|(row, count)| (row.value, count))),
        items: of_items.iter().map(|of| (mean(&mut of.iter().copied()), of.len() as u32)).collect(),
    }
}

fn gap(gap: &super::gaps::Gap, columns: &[String]) -> Gap {
    let names = columns.iter().map(|text| text.split_once('=').map_or(text.as_str(), |(user, _)| user));
    Gap {
        segment: names.map(str::to_owned).zip(gap.words.iter().cloned()).collect(),
        items: gap.items as u32,
        users: gap.users as u32,
        expected_value: gap.value,
        recruit: gap.recruit.clone(),
    }
}
