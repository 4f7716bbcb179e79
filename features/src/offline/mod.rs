//! The other computation: the values of features at instants, from the event lake, point in time in both times.
//!
//! The lake is told again in the order in which things became known, a block at a time. All cores take the rows of a
//! block apart, by those columns that the features ask about; then each kind of entity, in shards by who is meant,
//! follows what is about those who are asked about, in a [`State`](crate::online::State) of its own, and answers when
//! the time of a row has come. Memory is that of those who are asked about, whatever the lake holds.

mod asked;
mod column;
mod error;
mod labels;
mod needs;
pub mod profile;
mod shard;
mod subject;
pub mod table;
pub mod training;
pub mod verdicts;
pub mod view;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use rayon::prelude::*;

use self::shard::{Chunk, Group, Shard};
pub use self::{
    asked::Asked,
    column::{Column, Numbers},
    error::TrainingError,
    labels::Source,
    subject::COLUMNS as SUBJECTS,
};
use crate::{
    definition::{Computed, Feature},
    entity::{Entity, Keys},
    fact::Request,
    lake::{Lake, LakeError, Replay},
    value::Value,
};

/// An instant at which somebody wants to know.
#[derive(Clone, Debug)]
pub struct Probe<'a> {
    /// About whom.
    pub keys: Keys,
    /// What is being judged, for the features of the request.
    pub request: Option<Request<'a>>,
    /// When.
    pub at_us: i64,
}

/// A computation of features over all that happened. The parity test holds each of them against
/// [`State`](crate::online::State).
pub trait PointInTime {
    /// What can go wrong.
    type Error;

    /// The values of features at the instants of probes: for each probe a vector in the order of the features.
    ///
    /// # Errors
    /// When the events cannot be read.
    fn values(&self, features: &[Arc<Feature>], probes: &[Probe<'_>])
    -> Result<Vec<Vec<Value>>, Self::Error>;
}

/// Why values cannot be computed from a lake.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// There is no such folder.
    #[error("there is no event lake in {path}: name the folder that `tributary import` or the worker writes to", path = .0.display())]
    NoLake(PathBuf),
    /// It cannot be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
}

/// All that a lake holds, to be asked about any instant.
#[derive(Clone)]
pub struct History {
    lake: Lake,
}

impl History {
    /// What the lake holds.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn of(lake: &Lake) -> Result<Self, HistoryError> {
        if !lake.exists()? {
            return Err(HistoryError::NoLake(lake.root().to_owned()));
        }
        Ok(Self { lake: lake.clone() })
    }

    /// The lake.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// The values of those features that are about the past, for each row that is asked about: a column for each
    /// feature, in their order. Those of features of the request are missing. `progress` is told how many rows of the
    /// lake were read, and how many there are.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn columns(
        &self,
        features: &[Arc<Feature>],
        asked: &Asked,
        mut progress: impl FnMut(u64, u64) + Send,
    ) -> Result<Vec<Column>, HistoryError> {
        let groups = groups(features, asked);
        if let (Some(first), Some(last)) = (asked.at_us().iter().min(), asked.at_us().iter().max()) {
            let told = needs::told(features, &(*first..last.saturating_add(1)));
            let mut replay = self.lake.replay(told, i64::MIN..last.saturating_add(1))?;
            let all = replay.rows_left();
            follow(&groups, asked, &mut replay, |left| progress(all - left, all))?;
        }
        let mut found: BTreeMap<String, Column> = BTreeMap::new();
        for group in groups {
            let names: Vec<String> = group.features().iter().map(|feature| feature.name.clone()).collect();
            found.extend(names.into_iter().zip(group.into_columns()));
        }
        let missing = |feature: &Feature| Column::missing(&feature.computed, asked.rows());
        Ok(features.iter().map(|it| found.remove(&it.name).unwrap_or_else(|| missing(it))).collect())
    }
}

/// What must be asked about so that these features can be known.
pub fn entities(features: &[Arc<Feature>]) -> impl Iterator<Item = Entity> {
    let past = features.iter().filter(|feature| matches!(feature.computed, Computed::Past(_)));
    past.map(|feature| feature.entity)
}

/// The features by kind of entity, in the order of those who are asked about.
fn groups(features: &[Arc<Feature>], asked: &Asked) -> Vec<Group> {
    let group = |who: &asked::Who| {
        let own = features.iter().filter(|it| it.entity == who.entity);
        let past = own.filter(|it| matches!(it.computed, Computed::Past(_))).cloned();
        Group::new(who.entity, past.collect(), asked.rows())
    };
    asked.who().iter().map(group).collect()
}

/// Follows all that is told, and answers all that is asked.
fn follow(
    groups: &[Group],
    asked: &Asked,
    replay: &mut Replay,
    mut progress: impl FnMut(u64) + Send,
) -> Result<(), LakeError> {
    let of = u32::try_from(rayon::current_num_threads()).unwrap_or(1);
    let numbered = (0..groups.len()).flat_map(|place| (0..of).map(move |rest| (place, (rest, of))));
    let mut shards: Vec<Shard<'_>> =
        numbered.map(|(place, number)| Shard::new(groups, place, number, asked)).collect();
    let next = |replay: &mut Replay| -> Result<Option<Vec<Chunk>>, LakeError> {
        let block = replay.next_block()?;
        let chunks =
            |block: Vec<_>| block.into_par_iter().map(|some| Chunk::new(some, groups, asked)).collect();
        Ok(block.map(chunks))
    };
    let mut block = next(replay)?;
    while let Some(chunks) = block {
        let ((), following) = rayon::join(
            || shards.par_iter_mut().for_each(|shard| shard.follow(&chunks, asked)),
            || next(replay),
        );
        block = following?;
        progress(replay.rows_left());
    }
    shards.par_iter_mut().for_each(|shard| shard.answer_rest(asked));
    Ok(())
}

impl PointInTime for History {
    type Error = HistoryError;

    fn values(
        &self,
        features: &[Arc<Feature>],
        probes: &[Probe<'_>],
    ) -> Result<Vec<Vec<Value>>, HistoryError> {
        let mut asked = Asked::about(entities(features));
        probes.iter().for_each(|probe| asked.push(probe.at_us, &probe.keys));
        let columns = self.columns(features, &asked, |_, _| {})?;
        let value = |row: usize, probe: &Probe<'_>, feature: &Feature, column: &Column| match &feature
            .computed
        {
            Computed::Request(fact) => probe.request.as_ref().map_or(Value::Null, |request| fact.of(request)),
            Computed::Past(_) => column.get(row),
        };
        let vector = |(row, probe)| {
            features
                .iter()
                .zip(&columns)
                .map(|(feature, column)| value(row, probe, feature, column))
                .collect()
        };
        Ok(probes.iter().enumerate().map(vector).collect())
    }
}
