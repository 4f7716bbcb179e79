//! Why a request was not granted, and the one place where errors of the domain and the database become problems.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::{
    campaign::{EventsError, HostError, PageError},
    commission::TermsError,
    hierarchy::HierarchyError,
    state::StateError,
};
use tracking::{
    intake::{AcceptError, life::MoveError},
    problem::Problem,
};

use crate::scoring::log::Unkept;

/// What every handler may fail with.
#[derive(Debug)]
pub enum Failure {
    /// The client's to mend; it is told how.
    Refused(Box<Problem>),
    /// The database cannot answer now; trying again may help.
    Busy(sqlx::Error),
    /// Ours to mend; the client is told no more than that.
    Broken(anyhow::Error),
}

/// A constraint of the database and what breaking it means to a client.
struct Broken {
    constraint: &'static str,
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    pointer: &'static str,
    detail: &'static str,
}

const fn taken(constraint: &'static str, pointer: &'static str, detail: &'static str) -> Broken {
    Broken {
        constraint,
        status: StatusCode::CONFLICT,
        code: "already_exists",
        title: "It exists already",
        pointer,
        detail,
    }
}

const fn unknown(constraint: &'static str, pointer: &'static str, detail: &'static str) -> Broken {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    Broken {
        constraint,
        status,
        code: "unknown_reference",
        title: "It names something unknown",
        pointer,
        detail,
    }
}

/// Constraints that a well-formed request can break. Any other one that breaks is our mistake.
const CONSTRAINTS: &[Broken] = &[
    taken("affiliates_email_once", "/email", "another affiliate has this e-mail address"),
    taken("links_code_once", "/code", "another link has this code"),
    taken("coupons_pkey", "/code", "this advertiser has the coupon already"),
    taken("rate_contracts_version_once", "", "another version of this contract was made at the same time"),
    taken("rate_approvals_once", "/ids", "one of the decisions was approved at the same time"),
    taken("commission_plans_version_once", "", "another version of this plan was made at the same time"),
    unknown("affiliates_parent_id_fkey", "/parent_id", "no such affiliate"),
    unknown("api_keys_affiliate_id_fkey", "/affiliate_id", "no such affiliate"),
    unknown("campaigns_advertiser_id_fkey", "/advertiser_id", "no such advertiser"),
    unknown("commission_plans_affiliate_id_fkey", "/affiliate_id", "no such affiliate"),
    unknown("rate_contracts_affiliate_id_fkey", "/affiliate_id", "no such affiliate"),
    unknown("links_campaign_id_fkey", "/campaign_id", "no such campaign"),
];

impl Failure {
    /// There is nothing here under that id, or nothing that this key may see.
    pub fn not_found(id: impl std::fmt::Display) -> Self {
        Self::nothing_here(format!("{id} does not exist, or this key may not see it"))
    }

    /// There is nothing here, as the sentence says.
    pub fn nothing_here(detail: impl std::fmt::Display) -> Self {
        let problem = Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here");
        problem.detail(detail.to_string()).into()
    }

    /// Nothing that the client could mend; it may try again.
    pub fn unavailable(detail: impl std::fmt::Display) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let problem = Problem::new(status, "unavailable", "Not able to serve right now");
        problem.detail(detail.to_string()).retry_after_s(1).into()
    }

    /// A value of the body that cannot be meant.
    pub fn unprocessable(pointer: impl Into<String>, detail: impl std::fmt::Display) -> Self {
        unprocessable().error(pointer, detail.to_string()).into()
    }

    /// The same about a part of the body: what it points at is below `place`, as `/conversions/3`.
    pub fn within(self, place: &str) -> Self {
        match self {
            Self::Refused(problem) => Self::Refused(Box::new(problem.within(place))),
            other => other,
        }
    }

    /// The request is fine, but not in the state that things are in.
    pub fn conflict(code: &'static str, detail: impl std::fmt::Display) -> Self {
        Problem::new(StatusCode::CONFLICT, code, "It does not fit the present state")
            .detail(detail.to_string())
            .into()
    }

    /// The key is known, but may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed").detail(detail).into()
    }
}

/// The problem of a body that is JSON but does not fit.
pub fn unprocessable() -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", "The body does not fit what is expected")
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Refused(Box::new(problem))
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        if let Some(problem) =
            error.as_database_error().and_then(|error| broken_constraint(error.constraint()?))
        {
            return problem.into();
        }
        if tracking::store::is_passing(&error) { Self::Busy(error) } else { Self::Broken(error.into()) }
    }
}

fn broken_constraint(name: &str) -> Option<Problem> {
    let broken = CONSTRAINTS.iter().find(|broken| broken.constraint == name)?;
    let problem = Problem::new(broken.status, broken.code, broken.title);
    Some(problem.detail(broken.detail).error(broken.pointer, broken.detail))
}

impl From<Unkept> for Failure {
    fn from(error: Unkept) -> Self {
        match error {
            Unkept::Store(error) => error.into(),
            Unkept::Away | Unkept::Full => Self::unavailable(error),
        }
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::conflict("illegal_move", error)
    }
}

impl From<HierarchyError> for Failure {
    fn from(error: HierarchyError) -> Self {
        match error {
            HierarchyError::Cycle { .. } => Self::conflict("hierarchy_cycle", error),
            HierarchyError::Unknown(_) => Self::unprocessable("/parent_id", error),
        }
    }
}

impl From<EventsError> for Failure {
    fn from(error: EventsError) -> Self {
        Self::unprocessable("/events", error)
    }
}

impl From<TermsError> for Failure {
    fn from(error: TermsError) -> Self {
        Self::unprocessable("/rules", error)
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        Self::unprocessable("/allowed_hosts", error)
    }
}

impl From<PageError> for Failure {
    fn from(error: PageError) -> Self {
        Self::unprocessable("/landing_url", error)
    }
}

impl From<MoveError> for Failure {
    fn from(error: MoveError) -> Self {
        match error {
            MoveError::Illegal(error) => error.into(),
            MoveError::AmountStays(_) => Self::conflict("illegal_move", error),
            MoveError::MoreThanLeft { .. } | MoveError::NotOfTheOrder(_) => {
                Self::unprocessable("/amount", error)
            }
            MoveError::Store(error) => error.into(),
        }
    }
}

impl From<AcceptError> for Failure {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::Field { field, detail } => Self::unprocessable(format!("/{field}"), detail),
            AcceptError::Illegal(error) => error.into(),
            AcceptError::AmountStays(_) => Self::conflict("illegal_move", error),
            AcceptError::Undecided(error) | AcceptError::Store(error) => error.into(),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Broken(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(problem) => problem.into_response(),
            Self::Busy(error) => {
                tracing::warn!(%error, "the database could not answer in time; the client was asked to try again");
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Problem::new(status, "unavailable", "Not able to serve right now")
                    .retry_after_s(1)
                    .into_response()
            }
            Self::Broken(error) => {
                tracing::error!(error = format!("{error:#}"), "a request failed on our side");
                Problem::internal().into_response()
            }
        }
    }
}
