//! What is true about affiliate marketing: value in, value out, no input or output of its own.

pub mod affiliate;
pub mod attribution;
pub mod campaign;
pub mod click;
pub mod clock;
pub mod commission;
pub mod conversion;
pub mod event;
pub mod fraud;
pub mod hierarchy;
pub mod id;
pub mod ledger;
pub mod material;
pub mod money;
pub mod postback;
pub mod signature;
pub mod state;

pub use clock::{Chance, Clock};
pub use id::*;
pub use money::{Currency, Money, Rate};
