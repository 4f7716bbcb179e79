//! A world with known truth, by which every model and claim of this product is judged: an affiliate network that passes
//! as a stream of events in the order in which they become known, with who is a fraudster, who caused which order and
//! what a customer is worth told beside it.
//!
//! ```
//! use sim::{Record, Settings, World};
//!
//! let world = World::new(Settings::new(7, 60, 1, 2_000)).unwrap();
//! let events = world.run().filter(|record| matches!(record, Record::Event(_))).count();
//! assert!(2_000 < events);
//! ```

mod arrivals;
mod crowd;
mod dice;
pub mod doors;
mod fraud;
pub mod glance;
pub mod judge;
pub mod judge_credit;
pub mod judge_partners;
mod judge_table;
#[cfg(test)]
mod judge_tests;
mod patterns;
mod rhythm;
mod run;
mod settings;
pub mod sink;
#[cfg(test)]
mod test_counts;
#[cfg(test)]
mod tests;
mod till;
pub mod truth;
mod visit;
mod wheel;
pub mod world;

pub use dice::Seed;
pub use patterns::{Description, Nature, Unit, descriptions};
pub use rhythm::{COUNTRIES, Country};
pub use run::{Record, Run};
pub use settings::{Settings, SettingsError};
pub use visit::{
    loss::{Cause, Losses},
    order::Channel,
    path::Touch,
};
pub use world::World;
