//! Files of who had to do with what, and of what is known of both.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use anyhow::{Result, bail, ensure};
use domain::attribution::Channels;
use models::fingerprint::Fingerprint;

use crate::{
    anomaly::matrix::Values,
    jobs::table::{self, Table},
    matching::{Interaction, Interactions, Profiles, Seen},
};

const USER: &str = "user";
const ITEM: &str = "item";
const VALUE: &str = "value";
const TIME: &str = "ts";

/// Users, items, and what they had to do with each other.
pub(super) struct Market {
    /// By the number that interactions call them.
    pub(super) users: Vec<String>,
    pub(super) items: Vec<String>,
    pub(super) seen: Arc<Seen>,
    pub(super) is_timed: bool,
    pub(super) source: String,
    /// What a reader should know of it.
    pub(super) notes: Vec<String>,
    pub(super) data: Fingerprint,
}

impl Market {
    pub(super) fn read(
        interactions: &Path,
        (user_features, item_features): (Option<&Path>, Option<&Path>),
        renamed: &[(String, String)],
    ) -> Result<Self> {
        let table = Table::read(interactions, &of_file(renamed, &[USER, ITEM, VALUE, TIME]))?;
        let (mut users, mut items) = (Channels::default(), Channels::default());
        let (user, item) = (table.numbered(USER, &mut users)?, table.numbered(ITEM, &mut items)?);
        let values = if table.has(VALUE) { table.amounts(VALUE)? } else { vec![1.0; table.rows()] };
        let is_timed = table.has(TIME);
        let times = if is_timed { table.instants(TIME)? } else { vec![0; table.rows()] };
        let rows = (0..table.rows()).map(|row| Interaction {
            user: user[row],
            item: item[row],
            value: values[row],
            ts_us: times[row],
        });
        let rows: Vec<Interaction> = rows.collect();
        let of_users =
            user_features.map(|path| Features::read(path, (USER, renamed), &mut users)).transpose()?;
        let of_items =
            item_features.map(|path| Features::read(path, (ITEM, renamed), &mut items)).transpose()?;
        let mut data = vec![table.data];
        let mut notes = Vec::new();
        for (features, names, what) in [(&of_users, &users, "users"), (&of_items, &items, "items")] {
            let Some(features) = features else { continue };
            data.push(features.data);
            let untold = names.names().len() - features.rows_of.len();
            if 0 < untold {
                notes.push(format!("nothing is told of {untold} of {} {what}", names.names().len()));
            }
        }
        let profiles = |features: Option<Features>, names: &Channels| {
            features.map(|features| features.profiles(names.names().len())).transpose()
        };
        let (of_users, of_items) = (profiles(of_users, &users)?, profiles(of_items, &items)?);
        let interactions = Interactions::new(users.names().len(), items.names().len(), rows)?;
        let repeated = table.rows() - interactions.len();
        if 0 < repeated {
            notes.push(format!(
                "{repeated} rows are of a user and an item that another row is of, too, and are one with it"
            ));
        }
        let bytes: Vec<u8> = data.iter().flat_map(|it| it.to_string().into_bytes()).collect();
        Ok(Self {
            users: users.names().to_vec(),
            items: items.names().to_vec(),
            seen: Seen::new(interactions, of_users, of_items)?,
            is_timed,
            source: table.source().to_owned(),
            notes,
            data: Fingerprint::of(&bytes),
        })
    }
}

/// What a file tells of users or items.
struct Features {
    columns: Vec<(String, Values)>,
    /// The row of each who is told of, by number.
    rows_of: BTreeMap<u32, usize>,
    data: Fingerprint,
}

impl Features {
    fn read(
        path: &Path,
        (field, renamed): (&str, &[(String, String)]),
        names: &mut Channels,
    ) -> Result<Self> {
        let table = Table::read(path, &of_file(renamed, &[field]))?;
        let mut rows_of = BTreeMap::new();
        for (row, number) in table.numbered(field, names)?.into_iter().enumerate() {
            if rows_of.insert(number, row).is_some() {
                bail!("{}: {} is told of twice", table.place(row, field), names.names()[number as usize]);
            }
        }
        let columns = table.others(&[field])?;
        ensure!(!columns.is_empty(), "{} has no column but {}", table.source(), table.name(field));
        Ok(Self { columns, rows_of, data: table.data })
    }

    /// A row for each number; those who are not told of have nothing in it.
    fn profiles(self, count: usize) -> Result<Profiles> {
        let rows: Vec<Option<usize>> =
            (0..count as u32).map(|number| self.rows_of.get(&number).copied()).collect();
        let aligned = |(name, values): (String, Values)| {
            let values = match values {
                Values::Numbers(numbers) => {
                    Values::Numbers(rows.iter().map(|row| row.map_or(f64::NAN, |row| numbers[row])).collect())
                }
                Values::Categories(texts) => Values::Categories(
                    rows.iter().map(|row| row.and_then(|row| texts[row].clone())).collect(),
                ),
            };
            (name, values)
        };
        let columns: Vec<(String, Values)> = self.columns.into_iter().map(aligned).collect();
        Ok(Profiles::from_columns(&columns)?)
    }
}

/// The other names that concern a file.
fn of_file(renamed: &[(String, String)], fields: &[&str]) -> BTreeMap<String, String> {
    renamed.iter().filter(|(field, _)| fields.contains(&field.as_str())).cloned().collect()
}

pub(super) fn renamed(text: &str) -> Result<(String, String)> {
    table::renamed(text, &[USER, ITEM, VALUE, TIME], "user=affiliate")
}
