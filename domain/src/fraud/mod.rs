//! Decisions about fraud: rules that know the honest look-alikes, one score with its reasons, and rings with evidence.
//!
//! Rules flag, models score, graphs connect, people decide: nothing here turns anybody away. All of it is value in, value
//! out, and the same to the last bit wherever it is done again. To add a rule: a file in `rules/`, its lines beside
//! [`RULES`], and its code; the manual, docs/fraud-rules.md, is made from the list.

pub mod cases;
pub mod evidence;
pub mod graph;
pub mod lists;
pub mod mailbox;
pub mod networks;
pub mod preview;
pub mod rule_set;
pub mod rules;
pub mod score;
pub mod search;
pub mod statistics;

pub use evidence::Evidence;
pub use lists::{Entry, EntryError, ListKind, Lists};
pub use networks::{Networks, NetworksError};
pub use preview::{Past, Preview};
pub use rule_set::{Change, Changes, Judgement, RuleSet, Settings, SettingsError};
pub use rules::{Code, Flag, RULES, Rule, rule};
pub use score::{Decision, LogOdds, Policy, Scale, Score};
