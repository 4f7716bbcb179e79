//! Somebody who looks at a new conversion before its commissions accrue.

use std::{fmt, pin::Pin};

use chrono::{DateTime, Utc};
use domain::event::Conversion;
use sqlx::PgConnection;

/// What somebody who looks at a conversion says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes its way.
    Pass,
    /// A person looks at it first: it is held.
    Hold,
}

/// A verdict that is being found.
pub type Judging<'a> = Pin<Box<dyn Future<Output = Result<Verdict, sqlx::Error>> + Send + 'a>>;

/// Decides about new conversions. The intake asks in the transaction that takes the conversion in, so that what is noted of
/// the verdict is kept if, and only if, the conversion is.
pub trait Judge: fmt::Debug + Send + Sync {
    /// Looks at a conversion that somebody reported, and when. It fails only when the database is in a state that passes:
    /// whoever cannot decide lets the conversion pass.
    fn judge<'a>(
        &'a self,
        db: &'a mut PgConnection,
        conversion: &'a Conversion,
        reported: (&'a str, DateTime<Utc>),
    ) -> Judging<'a>;
}
