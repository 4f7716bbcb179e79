//! Somebody who looks at a new conversion before its commissions accrue.

use std::{fmt, pin::Pin};

use chrono::{DateTime, Utc};
use domain::{ConversionId, event::Conversion};
use sqlx::PgConnection;

use crate::customer::Passing;

/// What somebody who looks at a conversion says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes its way.
    Pass,
    /// A person looks at it first: it is held.
    Hold {
        /// What the conversion's history says of why.
        because: String,
    },
}

/// A report, for whoever looks at the conversion.
#[derive(Clone, Copy, Debug)]
pub struct Reported<'a> {
    /// Who reported it.
    pub actor: &'a str,
    /// When.
    pub at: DateTime<Utc>,
    /// What it says of the customer in clear, to be neither kept nor shown.
    pub passing: &'a Passing,
}

/// A verdict that is being found.
pub type Judging<'a> = Pin<Box<dyn Future<Output = Result<Verdict, sqlx::Error>> + Send + 'a>>;

/// Something that is being written down.
pub type Noting<'a> = Pin<Box<dyn Future<Output = Result<(), sqlx::Error>> + Send + 'a>>;

/// Decides about new conversions. The intake asks in the transaction that takes the conversion in, so that what is noted of
/// the verdict is kept if, and only if, the conversion is.
pub trait Judge: fmt::Debug + Send + Sync {
    /// Looks at a conversion that somebody reported. Where it fails, what the report did is taken back and the report is
    /// taken in once more without asking, unless the database is in a state that passes.
    fn judge<'a>(
        &'a self,
        db: &'a mut PgConnection,
        conversion: &'a Conversion,
        reported: Reported<'a>,
    ) -> Judging<'a>;

    /// Hears that a conversion is held as it said, with its commissions accrued, in the same transaction. It fails only when
    /// the database is in a state that passes.
    fn is_held<'a>(
        &'a self,
        db: &'a mut PgConnection,
        conversion: ConversionId,
        at: DateTime<Utc>,
    ) -> Noting<'a>;
}
