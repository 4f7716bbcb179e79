//! What the job writes: lists, measures, and the report.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::{
    Judged, LEVEL, Matching, Model, Objective, Said, Way,
    assigned::{Limit, Shares},
    gaps::Gap,
    logged::Would,
    lookalikes::{Like, Lookalikes},
    pages,
    words::{cause, why},
};
use crate::{jobs::folder::Folder, matching::metrics::Accuracy, policy::Interval};

/// How many things that both have are told of those who are alike.
const TOLD: usize = 3;

/// Writes them.
pub(super) fn write(folder: &Folder, said: &Said, asked: &Matching) -> Result<()> {
    let forth = &said.forth;
    folder.put("recommendations.csv", &recommendations(forth, ["user", "item"])?)?;
    if let Some(back) = &said.back {
        folder.put("prospects.csv", &recommendations(back, ["item", "user"])?)?;
    }
    if let Some(shares) = &said.shares {
        folder.put("assignments.csv", &assignments(shares, forth)?)?;
        folder.put("prices.csv", &prices(shares, forth)?)?;
    }
    if let Some(lookalikes) = &said.lookalikes {
        folder.put("lookalikes.csv", &of_items(lookalikes, forth)?)?;
        if let Some(of_users) = &lookalikes.of_users {
            folder.put("similar.csv", &similar(of_users, forth)?)?;
        }
    }
    if let Some(gaps) = &said.gaps {
        folder.put("coverage_gaps.csv", &coverage(gaps, &asked.gaps.gaps)?)?;
    }
    folder.put("metrics.json", &serde_json::to_vec_pretty(&metrics(said, asked))?)?;
    folder.put("report.html", pages::report(said, asked).render()?.as_bytes())
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(head)?;
    for row in rows {
        writer.write_record(row)?;
    }
    Ok(writer.into_inner()?)
}

fn number(value: f64) -> String {
    format!("{value:?}")
}

fn recommendations(way: &Way, [who, what]: [&str; 2]) -> Result<Vec<u8>> {
    let is_value = way.judged[way.chosen].model == Model::Value;
    let of_user = |user: usize| {
        way.placed.lists[user].iter().enumerate().map(move |(rank, place)| {
            let shown = &place.shown;
            vec![
                way.market.users[user].clone(),
                way.market.items[shown.item as usize].clone(),
                (rank + 1).to_string(),
                number(shown.score),
                why(way, user, shown.item, shown.score, &place.reasons),
                if is_value { number(shown.score) } else { String::new() },
                number(shown.propensity),
                u8::from(shown.explored).to_string(),
                u8::from(place.is_new).to_string(),
            ]
        })
    };
    let head = [who, what, "rank", "score", "reason", "expected_value", "propensity", "explored", "newcomer"];
    table(&head, (0..way.market.users.len()).flat_map(of_user))
}

fn assignments(shares: &Shares, way: &Way) -> Result<Vec<u8>> {
    let row = |pair: &crate::matching::assign::Assigned| {
        let edge = &shares.market.edges[pair.edge];
        let names = [&way.market.users[edge.bidder as usize], &way.market.items[edge.campaign as usize]]
            .map(Clone::clone);
        let [user, item] = names;
        vec![user, item, number(pair.share), number(edge.value), number(pair.share * edge.cost)]
    };
    let head = ["user", "item", "share", "expected_value", "cost"];
    table(&head, shares.assignment.pairs.iter().map(row))
}

fn prices(shares: &Shares, way: &Way) -> Result<Vec<u8>> {
    let row = |side: &'static str| {
        move |(name, limit): (&String, &Limit)| {
            vec![
                side.to_owned(),
                name.clone(),
                limit.room.map_or_else(String::new, number),
                number(limit.used),
                number(limit.price),
            ]
        }
    };
    let [users, items] = &shares.limits;
    let users = way.market.users.iter().zip(users).map(row("user"));
    let items = way.market.items.iter().zip(items).map(row("item"));
    table(&["side", "name", "room", "used", "price"], users.chain(items))
}

/// What both have, the most telling first.
pub(super) fn both(like: &Like, way: &Way) -> String {
    let words = like.reasons.iter().take(TOLD);
    let words = words.map(|it| format!("both {} +{:.3}", cause(way, &it.because), it.contribution));
    words.collect::<Vec<_>>().join("; ")
}

fn of_items(lookalikes: &Lookalikes, way: &Way) -> Result<Vec<u8>> {
    let of_item = |(item, (best, likes)): (&String, &(Vec<u32>, Vec<Like>))| {
        let names: Vec<&str> = best.iter().map(|user| way.market.users[*user as usize].as_str()).collect();
        let names = names.join(" ");
        let row = |(rank, like): (usize, &Like)| {
            vec![
                item.clone(),
                way.market.users[like.user as usize].clone(),
                (rank + 1).to_string(),
                number(like.likeness),
                names.clone(),
                both(like, way),
            ]
        };
        likes.iter().enumerate().map(row).collect::<Vec<_>>()
    };
    let rows = way.market.items.iter().zip(&lookalikes.of_items).flat_map(of_item);
    table(&["item", "user", "rank", "likeness", "like", "reason"], rows)
}

fn similar(of_users: &[Vec<Like>], way: &Way) -> Result<Vec<u8>> {
    let of_user = |(user, likes): (&String, &Vec<Like>)| {
        let row = |(rank, like): (usize, &Like)| {
            vec![
                user.clone(),
                way.market.users[like.user as usize].clone(),
                (rank + 1).to_string(),
                number(like.likeness),
                both(like, way),
            ]
        };
        likes.iter().enumerate().map(row).collect::<Vec<_>>()
    };
    let rows = way.market.users.iter().zip(of_users).flat_map(of_user);
    table(&["user", "similar", "rank", "likeness", "reason"], rows)
}

fn coverage(gaps: &[Gap], columns: &[String]) -> Result<Vec<u8>> {
    let names = columns.iter().map(|text| text.split_once('=').map_or(text.as_str(), |(user, _)| user));
    let head: Vec<&str> = names.chain(["items", "users", "missing", "expected_value", "recruit"]).collect();
    let row = |gap: &Gap| {
        let recruit = gap.recruit.iter().map(|(word, above)| format!("{word} +{above:.3}"));
        let recruit = recruit.collect::<Vec<_>>().join("; ");
        let numbers = [gap.items, gap.users, gap.items - gap.users].map(|count| count.to_string());
        gap.words.iter().cloned().chain(numbers).chain([number(gap.value), recruit]).collect()
    };
    table(&head, gaps.iter().map(row))
}

fn metrics(said: &Said, asked: &Matching) -> Value {
    let market = &said.forth.market;
    let known = &market.seen.interactions;
    let mut told = json!({
        "source": market.source,
        "data": market.data.to_string(),
        "users": known.users(),
        "items": known.items(),
        "pairs": known.len(),
        "density": known.len() as f64 / (known.users() as f64 * known.items() as f64),
        "currency": market.currency.map(|it| it.code()),
        "k": asked.k,
        "seed": asked.run.seed,
    });
    let way = of_way(&said.forth);
    if let (Value::Object(told), Value::Object(way)) = (&mut told, way) {
        told.extend(way);
    }
    if let Some(back) = &said.back {
        told["prospects"] = of_way(back);
    }
    if let Some(Shares { assignment, limits, .. }) = &said.shares {
        told["assignment"] = json!({
            "pairs": assignment.pairs.len(),
            "value": assignment.value,
            "bound": assignment.bound,
            "user_prices": prices_of(&limits[0], &market.users),
            "item_prices": prices_of(&limits[1], &market.items),
        });
    }
    if let Some(gaps) = &said.gaps {
        told["coverage_gaps"] = json!(gaps.len());
    }
    if let Some(would) = &said.would {
        told["off_policy"] = off_policy(would);
    }
    told
}

/// Those who would have more of something.
fn prices_of(limits: &[Limit], names: &[String]) -> Map<String, Value> {
    let priced = names.iter().zip(limits).filter(|(_, limit)| 0.0 < limit.price);
    priced.map(|(name, limit)| (name.clone(), json!(limit.price))).collect()
}

fn off_policy(would: &Would) -> Value {
    let mut told = json!({"source": would.source, "rows": would.rows, "brought": would.brought});
    if 0 < would.left_out {
        told["left_out"] = json!(would.left_out);
    }
    match &would.said {
        Err(why) => told["refused"] = json!(why),
        Ok(said) => {
            let interval =
                |it: &Interval| json!({"value": it.value, "low": it.low, "high": it.high, "level": LEVEL});
            for it in said {
                let users = it.support.effective_partners;
                told[it.estimator] = json!({
                    "value": interval(&it.value),
                    "uplift": interval(&it.uplift),
                    "effective_users": users,
                });
            }
        }
    }
    told
}

fn of_way(way: &Way) -> Value {
    let k = way.placed.k;
    let models: Map<String, Value> = way.judged.iter().map(|it| (it.model.name(), of_model(it, k))).collect();
    let mut told = json!({
        "objective": match way.objective {
            Objective::Interactions => "interactions",
            Objective::Value => "value",
        },
        "learned_from": way.parts.train.len(),
        "judged_on": way.parts.test.len(),
        "recommends": way.judged[way.chosen].model.name(),
        "models": models,
        "notes": way.market.notes,
        "newcomers": newcomers(way),
    });
    if asked_by_chance(way) {
        let places = way.placed.lists.iter().flatten();
        told["explored_places"] = json!(places.filter(|place| place.shown.explored).count());
    }
    told
}

fn asked_by_chance(way: &Way) -> bool {
    way.placed.lists.iter().flatten().any(|place| place.shown.propensity < 1.0)
}

/// What newcomers have of the places.
fn newcomers(way: &Way) -> Value {
    let places: Vec<bool> = way.placed.lists.iter().flatten().map(|place| place.is_new).collect();
    let popularity = way.market.seen.interactions.popularity();
    let part = |new: usize, all: usize| new as f64 / all.max(1) as f64;
    let new = popularity.iter().filter(|count| **count == 0).count();
    let mut told = json!({
        "share_of_items": part(new, popularity.len()),
        "share_of_places": part(places.iter().filter(|new| **new).count(), places.len()),
    });
    if let Some((wanted, floor)) = &way.placed.floor {
        told["wanted"] = json!(wanted);
        told["cost_of_score"] = json!(floor.cost);
    }
    told
}

fn of_model(judged: &Judged, k: usize) -> Value {
    let it = &judged.metrics;
    let mut told = accuracy(&it.all, k);
    told["ndcg_interval"] = json!({"low": judged.ndcg[0], "high": judged.ndcg[1], "level": LEVEL});
    let [mean, low, high] = judged.over_popularity;
    told["ndcg_over_popularity"] = json!({"mean": mean, "low": low, "high": high, "level": LEVEL});
    if let Some(value) = judged.value {
        told[format!("value@{k}")] = json!(value);
    }
    if let Some(value) = judged.value_order {
        told["value_order"] = json!(value);
    }
    told["coverage"] = json!(it.coverage);
    told["exposure_gini"] = json!(it.gini);
    told["novelty"] = json!(it.novelty);
    for (name, part) in [
        ("warm_users", &it.warm),
        ("new_users", &it.new),
        ("warm_items", &it.warm_items),
        ("new_items", &it.new_items),
    ] {
        told[name] = accuracy(part, k);
    }
    if !judged.weights.is_empty() {
        let of = |[known, new]: [f64; 2]| json!({"known_items": known, "new_items": new});
        told["weights"] = judged.weights.iter().map(|(name, weights)| (name.clone(), of(*weights))).collect();
    }
    told
}

fn accuracy(it: &Accuracy, k: usize) -> Value {
    let mut told = Map::new();
    told.insert("users".to_owned(), json!(it.users));
    for (name, value) in [("recall", it.recall), ("ndcg", it.ndcg), ("map", it.map)] {
        told.insert(format!("{name}@{k}"), json!(value));
    }
    Value::Object(told)
}
