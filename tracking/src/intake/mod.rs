//! Postbacks come in: signed, read, taken in once, settled to the cent, and answered.
//!
//! An advertiser reports a conversion to `/postback/{advertiser}` by a signed GET or POST. The message is read
//! (`request`, `fields`, `postback`), whom it names is hidden ([`crate::customer`]), its signature is checked by the advertiser's profile (`authenticate`), and
//! `accept` decides in one transaction what it is: a new conversion (`record`), a second report of one (`repeat`),
//! or one whose click has not arrived, which waits in [`quarantine`]. What a conversion earns and loses is written by
//! `life` and `settlement`. The same `accept` serves reports that come with an API key instead of a signature.

mod accept;
mod act;
mod authenticate;
pub mod credit;
mod endpoint;
pub mod fields;
mod judge;
pub mod keys;
pub mod life;
pub(crate) mod meters;
mod origin;
mod postback;
mod problems;
pub mod quarantine;
mod record;
mod repeat;
mod request;
pub mod retention;
pub mod seal;
mod settlement;

use std::sync::Arc;

use domain::{Chance, Clock};
use sqlx::PgPool;

use accept::accept;
pub use accept::{AcceptError, Accepted, Answer, Outcome, Report, accept_decided_or_not};
pub use act::Act;
pub use endpoint::{PostbackError, REPLAYED, router};
pub use judge::{Judge, Judging, Noting, Reported, Verdict};
pub use postback::{Claim, Postback};
pub use request::ReadError;

/// What the intake works with.
#[derive(Debug, Clone)]
pub struct Intake {
    /// The database.
    pub pool: PgPool,
    /// What time it is.
    pub clock: Clock,
    /// For new ids.
    pub chance: Chance,
    /// Opens the advertisers' signing secrets.
    pub sealer: seal::Sealer,
    /// Who looks at new conversions before their commissions accrue, if anybody does here.
    pub judge: Option<Arc<dyn Judge>>,
}
