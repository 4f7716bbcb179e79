//! Cases of an installation: what is held becomes one, people decide, and conversions go where they say.

mod appealing;
mod deciding;
mod opening;

pub use self::{
    appealing::{Answer, AppealRefusal, answer, told_until},
    deciding::{Decider, Decision, Refusal, Wish, confirm, decide, stakes},
    opening::{take_up, take_up_all},
};
