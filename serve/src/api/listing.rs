//! Lists are read page by page, newest first, with an opaque cursor that holds the place and not a number of rows.

use std::{fmt::Display, str::FromStr};

use axum::{
    extract::{FromRequestParts, MatchedPath},
    http::{StatusCode, request::Parts},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tracking::problem::Problem;
use utoipa::{IntoParams, ToSchema};

use super::{
    body::{missing, pointer},
    failure::Failure,
};

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows, newest first.
    pub data: Vec<T>,
    /// Whether there are more rows after these.
    pub has_more: bool,
    /// Give this as `after` to read on; null on the last page.
    #[schema(example = "lP3mSmFmZl8wMUpIMDAwMDAwMDAwMDAwMDAwMDAwMDAwMA")]
    pub next: Option<String>,
}

/// Which part of a list is wanted: the parameters that all lists share.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// How many rows at most.
    #[param(minimum = 1, maximum = 100, default = 20, required = false)]
    #[expect(dead_code, reason = "read by hand beside each list's own filter; this describes it")]
    limit: i64,
    /// The `next` of the page before.
    #[param(max_length = 256, required = false, value_type = String)]
    #[expect(dead_code, reason = "read by hand beside each list's own filter; this describes it")]
    after: String,
}

/// A request for a page of a list: the filter `F`, and the place `P` after which the page begins.
#[derive(Debug)]
pub struct Listing<F, P> {
    /// What is asked for.
    pub filter: F,
    /// The last row of the page before.
    pub after: Option<P>,
    limit: usize,
    /// The list's own path, so that no cursor is mistaken for another list's.
    list: String,
}

/// A list without a filter of its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unfiltered {}

const LIMIT_DEFAULT: usize = 20;
const LIMIT_MAX: usize = 100;

impl<F, P: Display> Listing<F, P> {
    /// How many rows to ask the database for: one more than the page has, to know whether more follow.
    pub fn reach(&self) -> i64 {
        i64::try_from(self.limit + 1).expect("a page has at most a hundred rows")
    }

    /// The page made of the rows found; `place` names a row's place in the list.
    pub fn page<T>(&self, mut rows: Vec<T>, place: impl Fn(&T) -> P) -> Page<T> {
        let has_more = self.limit < rows.len();
        rows.truncate(self.limit);
        let next = rows.last().filter(|_| has_more).map(|last| cursor(&self.list, &place(last).to_string()));
        Page { data: rows, has_more, next }
    }
}

impl<S, F, P> FromRequestParts<S> for Listing<F, P>
where
    S: Send + Sync,
    F: DeserializeOwned,
    P: FromStr,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let list = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        Self::read(list, parts.uri.query().unwrap_or_default()).map_err(Into::into)
    }
}

impl<F: DeserializeOwned, P: FromStr> Listing<F, P> {
    fn read(list: &str, query: &str) -> Result<Self, Problem> {
        let (mut limit, mut after) = (LIMIT_DEFAULT, None);
        let mut rest = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if value.contains('\0') {
                return Err(wrong(format!("/{name}"), "it holds a character that is no text"));
            }
            match &*name {
                "limit" => limit = read_limit(&value)?,
                "after" => after = Some(read_cursor(list, &value)?),
                _ => drop(rest.append_pair(&name, &value)),
            }
        }
        let rest = rest.finish();
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(rest.as_bytes()));
        let filter = serde_path_to_error::deserialize(pairs).map_err(|error| {
            let (pointer, detail) = (pointer(error.path()), error.into_inner().to_string());
            let pointer = missing(&detail).map_or(pointer, |field| format!("/{field}"));
            wrong(pointer, detail)
        })?;
        Ok(Self { filter, after, limit, list: list.to_owned() })
    }
}

fn read_limit(text: &str) -> Result<usize, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| wrong("/limit", format!("it must be a whole number from 1 to {LIMIT_MAX}")))
}

fn wrong(pointer: impl Into<String>, detail: impl Into<String>) -> Problem {
    let problem = Problem::new(StatusCode::BAD_REQUEST, "malformed_query", "A query parameter does not fit");
    problem.error(pointer, detail)
}

/// The checksum does not keep anybody out: it tells a cursor of this list from a mistyped or foreign one.
fn cursor(list: &str, place: &str) -> String {
    URL_SAFE_NO_PAD.encode([&checksum(list, place), place.as_bytes()].concat())
}

fn read_cursor<P: FromStr>(list: &str, text: &str) -> Result<P, Problem> {
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (sum, place) = bytes.split_first_chunk()?;
        let place = str::from_utf8(place).ok().filter(|place| *sum == checksum(list, place))?;
        place.parse().ok()
    };
    read().ok_or_else(|| wrong("/after", "it is not the `next` of a page of this list"))
}

fn checksum(list: &str, place: &str) -> [u8; 4] {
    crc32fast::hash(format!("{list}\n{place}").as_bytes()).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use domain::affiliate::AffiliateStatus;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        #[expect(dead_code, reason = "only whether it is read matters here")]
        status: Option<AffiliateStatus>,
    }

    fn check(query: &str) -> String {
        let read = Listing::<Filter, u32>::read("/numbers", query);
        read.map_or_else(
            |problem| {
                problem.errors().iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect()
            },
            |listing| format!("{:?} after {:?}, {} rows", listing.filter, listing.after, listing.limit),
        )
    }

    #[test]
    fn a_query_is_read_strictly() {
        insta::assert_snapshot!(check(""), @"Filter { status: None } after None, 20 rows");
        insta::assert_snapshot!(check("limit=7&status=approved"), @"Filter { status: Some(Approved) } after None, 7 rows");
        insta::assert_snapshot!(check("limit=0"), @"/limit: it must be a whole number from 1 to 100");
        insta::assert_snapshot!(check("status=great"), @"/status: unknown variant `great`, expected one of `pending`, `approved`, `suspended`, `rejected`");
        insta::assert_snapshot!(check("colour=red"), @"/colour: unknown field `colour`, expected `status`");
        insta::assert_snapshot!(check("status=approved&status=pending"), @": duplicate field `status`");
        insta::assert_snapshot!(check("status=%00"), @"/status: it holds a character that is no text");
        insta::assert_snapshot!(check("after=%41"), @"/after: it is not the `next` of a page of this list");
    }

    #[test]
    fn a_parameter_that_is_missing_is_pointed_at() {
        #[derive(Debug, Deserialize)]
        struct Needing {
            #[expect(dead_code, reason = "only whether it is read matters here")]
            campaign_id: String,
        }
        let problem = Listing::<Needing, u32>::read("/numbers", "limit=2").unwrap_err();
        assert_eq!(problem.errors()[0].pointer, "/campaign_id");
    }

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        let mut listing = Listing::<Filter, u32>::read("/numbers", "limit=2").unwrap();
        let mut seen = Vec::new();
        loop {
            let rows = (0..5).filter(|row| listing.after.is_none_or(|after| after < *row));
            let page = listing.page(rows.take(3).collect(), |row| *row);
            seen.extend(page.data);
            let Some(next) = page.next else { break };
            listing = Listing::read("/numbers", &format!("limit=2&after={next}")).unwrap();
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let foreign = cursor("/letters", "3");
        assert!(Listing::<Filter, u32>::read("/numbers", &format!("after={foreign}")).is_err());
    }
}
