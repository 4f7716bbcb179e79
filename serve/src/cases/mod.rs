//! Cases of an installation: what is held becomes one, people decide, and conversions go where they say.

mod appealing;
mod deciding;
mod opening;
mod working;

pub use self::{
    appealing::{Answer, AppealRefusal, OPEN_FOR, answer, told_until},
    deciding::{Decider, Decision, Refusal, Wish, confirm, decide, refuse, stakes},
    opening::{take_up, take_up_all},
    working::{Work, ask, assign, comment},
};
