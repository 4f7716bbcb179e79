//! Who had to do with what, and what is known of both: from files or from the event lake.

mod features;
mod lake;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use domain::{Clock, Currency, attribution::Channels};
use models::fingerprint::Fingerprint;

use self::features::Features;
pub(super) use self::features::{Columns, words_of};
use crate::{
    jobs::table::{self, DAY_US, Table},
    matching::{Interaction, Interactions, Seen},
};

pub(super) const USER: &str = "user";
pub(super) const ITEM: &str = "item";
pub(super) const VALUE: &str = "value";
pub(super) const PROPENSITY: &str = "propensity";
const WEIGHT: &str = "weight";
const TIME: &str = "ts";
pub(super) const CAPACITY: &str = "capacity";
pub(super) const BUDGET: &str = "budget";
pub(super) const COST: &str = "cost";
const FIELDS: [&str; 9] = [USER, ITEM, VALUE, WEIGHT, TIME, PROPENSITY, CAPACITY, BUDGET, COST];

/// Which files, or which lake.
#[derive(Args, Clone, Debug)]
pub(super) struct InputArgs {
    /// A file with a row for each time that a user had to do with an item, as CSV or Parquet: user, item, and perhaps value, ts,
    /// and weight, the number of clicks that the value is the mean of
    #[arg(long, value_name = "FILE", required_unless_present = "lake")]
    interactions: Option<PathBuf>,
    /// Folder, or s3://BUCKET/FOLDER, of the event lake that affiliates, campaigns, and the margin of their clicks are taken from
    #[arg(long, value_name = "LAKE", conflicts_with = "interactions")]
    lake: Option<PathBuf>,
    /// Of a lake: who the users are; the others are the items [default: affiliates]
    #[arg(long, value_enum)]
    users: Option<Users>,
    /// Of a lake: only orders in this currency
    #[arg(long, value_name = "CODE")]
    currency: Option<Currency>,
    /// A file with a row for each user: user, and any other columns; who is only here is a newcomer
    #[arg(long, value_name = "FILE")]
    user_features: Option<PathBuf>,
    /// A file with a row for each item: item, and any other columns; what is only here is a newcomer
    #[arg(long, value_name = "FILE")]
    item_features: Option<PathBuf>,
    /// Another name of a column: user=affiliate; may be repeated
    #[arg(long, value_name = "FIELD=NAME", value_parser = renamed)]
    pub(super) column: Vec<(String, String)>,
}

/// Who gets lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Users {
    /// Affiliates get campaigns.
    Affiliates,
    /// Campaigns get affiliates.
    Campaigns,
}

/// Users, items, and what they had to do with each other.
#[derive(Clone)]
pub(super) struct Market {
    /// By the number that interactions call them.
    pub(super) users: Vec<String>,
    pub(super) items: Vec<String>,
    pub(super) seen: Arc<Seen>,
    /// What is told of users and of items.
    pub(super) columns: [Columns; 2],
    /// What a user and an item are called in sentences.
    pub(super) called: [&'static str; 2],
    /// What values are in, where that is known.
    pub(super) currency: Option<Currency>,
    pub(super) room: Option<Room>,
    pub(super) is_timed: bool,
    pub(super) is_lake: bool,
    pub(super) source: String,
    /// What a reader should know of it.
    pub(super) notes: Vec<String>,
    pub(super) data: Fingerprint,
}

/// How much users and items have room for.
#[derive(Clone, Debug)]
pub(super) struct Room {
    /// How many items a user takes; none where nobody says so.
    pub(super) capacities: Vec<Option<u32>>,
    /// What an item has; none where nobody says so.
    pub(super) budgets: Vec<Option<f64>>,
    /// What a user costs an item.
    pub(super) costs: Vec<f64>,
}

/// What is known before files of features are read.
struct Begun {
    users: Channels,
    items: Channels,
    /// Each with what it stands for.
    rows: Vec<(Interaction, u32)>,
    facts: [Columns; 2],
    called: [&'static str; 2],
    currency: Option<Currency>,
    is_timed: bool,
    source: String,
    notes: Vec<String>,
}

impl Market {
    /// Reads them; `has_room` where room is asked for.
    pub(super) fn read(asked: &InputArgs, has_room: bool, clock: &Clock) -> Result<Self> {
        ensure!(
            asked.lake.is_some() || (asked.users.is_none() && asked.currency.is_none()),
            "--users and --currency are about an event lake: say --lake LAKE, or leave them out"
        );
        let begun = match (&asked.interactions, &asked.lake) {
            (Some(file), _) => Begun::of_file(file, &asked.column, clock)?,
            (None, Some(lake)) => lake::read(lake, asked.users.unwrap_or(Users::Affiliates), asked.currency)?,
            (None, None) => bail!("say which file (--interactions) or which lake (--lake) pairs come from"),
        };
        begun.market(asked, has_room)
    }

    /// The same from the items' side: they are the users.
    pub(super) fn turned(&self) -> Result<Self> {
        let [users, items] = self.columns.clone();
        Ok(Self {
            users: self.items.clone(),
            items: self.users.clone(),
            seen: self.seen.turned()?,
            columns: [items, users],
            called: [self.called[1], self.called[0]],
            room: None,
            notes: Vec::new(),
            ..self.clone()
        })
    }

    /// What values are, in sentences.
    pub(super) fn unit(&self) -> &'static str {
        if self.is_lake { "mean value per click" } else { "mean value" }
    }

    /// Whether pairs are worth more or less than others.
    pub(super) fn is_valued(&self) -> bool {
        let rows = self.seen.interactions.rows();
        rows.windows(2).any(|pair| pair[0].value.total_cmp(&pair[1].value).is_ne())
    }
}

impl Begun {
    fn of_file(path: &Path, renamed: &[(String, String)], clock: &Clock) -> Result<Self> {
        let table = Table::read(path, &of_file(renamed, &[USER, ITEM, VALUE, WEIGHT, TIME]))?;
        let (mut users, mut items) = (Channels::default(), Channels::default());
        let (user, item) = (table.numbered(USER, &mut users)?, table.numbered(ITEM, &mut items)?);
        let values = if table.has(VALUE) { table.amounts(VALUE)? } else { vec![1.0; table.rows()] };
        let weights = if table.has(WEIGHT) { weights(&table)? } else { vec![1; table.rows()] };
        let is_timed = table.has(TIME);
        let times = if is_timed { past(&table, clock)? } else { vec![0; table.rows()] };
        let row = |row: usize| {
            let pair =
                Interaction { user: user[row], item: item[row], value: values[row], ts_us: times[row] };
            (pair, weights[row])
        };
        Ok(Self {
            rows: (0..table.rows()).map(row).collect(),
            users,
            items,
            facts: [Vec::new(), Vec::new()],
            called: [USER, ITEM],
            currency: None,
            is_timed,
            source: table.source().to_owned(),
            notes: Vec::new(),
        })
    }

    fn market(mut self, asked: &InputArgs, has_room: bool) -> Result<Market> {
        let read = |path: &Option<PathBuf>, field, names: &mut Channels| {
            path.as_ref().map(|path| Features::read(path, (field, &asked.column), names)).transpose()
        };
        let mut of_users = read(&asked.user_features, USER, &mut self.users)?;
        let mut of_items = read(&asked.item_features, ITEM, &mut self.items)?;
        let (users, items) = (self.users.names().to_vec(), self.items.names().to_vec());
        let room = if has_room {
            let (of_users, of_items) = of_users.as_mut().zip(of_items.as_mut()).context(
                "--assign shares out by a column capacity of --user-features and a column budget of \
                 --item-features: give both files",
            )?;
            Some(Room {
                capacities: of_users.capacities(users.len(), &users)?,
                budgets: of_items.amounts(BUDGET, items.len(), &items)?,
                costs: of_items.costs(items.len(), &items)?,
            })
        } else {
            None
        };
        for (features, names, what) in [(&of_users, &users, "users"), (&of_items, &items, "items")] {
            let untold = features.as_ref().map_or(0, |features| names.len() - features.told());
            if 0 < untold {
                self.notes.push(format!("nothing is told of {untold} of {} {what}", names.len()));
            }
        }
        let [user_facts, item_facts] = self.facts;
        let columns = [
            features::joined(user_facts, of_users, users.len()),
            features::joined(item_facts, of_items, items.len()),
        ];
        let given = self.rows.len();
        let interactions = Interactions::weighed(users.len(), items.len(), self.rows)?;
        let repeated = given - interactions.len();
        if 0 < repeated {
            self.notes.push(format!(
                "{repeated} rows are of a user and an item that another row is of, too, and are one with it"
            ));
        }
        self.notes.extend(alone(&interactions));
        let profiles = |columns: &Columns| features::profiles(columns);
        let seen = Seen::new(interactions, profiles(&columns[0])?, profiles(&columns[1])?)?;
        Ok(Market {
            data: fingerprint([&users, &items], &seen.interactions, &columns),
            users,
            items,
            seen,
            columns,
            called: self.called,
            currency: self.currency,
            room,
            is_timed: self.is_timed,
            is_lake: asked.lake.is_some(),
            source: self.source,
            notes: self.notes,
        })
    }
}

/// What makes it impossible to learn from others.
fn alone(all: &Interactions) -> Option<String> {
    let with = (0..all.users()).filter(|user| !all.of_user(*user).is_empty()).count();
    if with == 1 {
        return Some("one user has all interactions, so that there are no others to learn from".to_owned());
    }
    let shared = all.popularity().iter().any(|count| 1 < *count);
    (!shared).then(|| {
        "no item is of two users, so that nothing follows from what others had to do with: features alone tell \
         items apart"
            .to_owned()
    })
}

/// The same rows have the same fingerprint in whichever order they came.
fn fingerprint(names: [&Vec<String>; 2], all: &Interactions, columns: &[Columns; 2]) -> Fingerprint {
    let mut bytes = Vec::new();
    names.into_iter().flatten().for_each(|name| {
        bytes.extend(name.as_bytes());
        bytes.push(0);
    });
    for (row, count) in all.rows().iter().zip(all.counts()) {
        bytes.extend(row.user.to_le_bytes());
        bytes.extend(row.item.to_le_bytes());
        bytes.extend(row.value.to_le_bytes());
        bytes.extend(row.ts_us.to_le_bytes());
        bytes.extend(count.to_le_bytes());
    }
    columns.iter().flatten().for_each(|column| features::add(column, &mut bytes));
    Fingerprint::of(&bytes)
}

/// How many rows each row stands for.
fn weights(table: &Table) -> Result<Vec<u32>> {
    let numbers = table.whole_numbers(WEIGHT)?;
    let numbers = numbers
        .with_context(|| format!("column {} of {} holds no numbers", table.name(WEIGHT), table.source()))?;
    let weight = |(row, number): (usize, i64)| {
        u32::try_from(number).ok().filter(|it| 0 < *it).with_context(|| {
            format!("{}: {number} is no number of clicks from 1 up", table.place(row, WEIGHT))
        })
    };
    numbers.into_iter().enumerate().map(weight).collect()
}

/// Instants that have come, a day more for clocks east of Greenwich.
fn past(table: &Table, clock: &Clock) -> Result<Vec<i64>> {
    let times = table.instants(TIME)?;
    let end = clock.now().timestamp_micros() + DAY_US;
    let early = times.iter().position(|at_us| end < *at_us);
    ensure!(early.is_none(), "{}: has not come yet", table.place(early.unwrap_or_default(), TIME));
    Ok(times)
}

/// The other names that concern a file.
pub(super) fn of_file(renamed: &[(String, String)], fields: &[&str]) -> BTreeMap<String, String> {
    renamed.iter().filter(|(field, _)| fields.contains(&field.as_str())).cloned().collect()
}

fn renamed(text: &str) -> Result<(String, String)> {
    table::renamed(text, &FIELDS, "user=affiliate")
}
