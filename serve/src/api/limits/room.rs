//! How many requests may be in work at once: one more is told at once to come back, so that none waits where nobody counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::{body::HttpBody, extract::Request};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::super::failure::Failure;

/// What may take long, and from how many bytes of its body on: lists out of everybody, and many things asked at once.
const HEAVY: &[(&str, u64)] = &[
    ("/api/v1/attribute", 16 * 1024),
    ("/api/v1/campaigns/{id}/attribution-comparison", 0),
    ("/api/v1/campaigns/{id}/lookalikes", 0),
    ("/api/v1/campaigns/{id}/recommendations", 0),
    ("/api/v1/coverage-gaps", 0),
    ("/api/v1/fraud/settings/preview", 0),
    ("/api/v1/rate-decisions", 16 * 1024),
    ("/api/v1/rate-decisions/approve", 4 * 1024),
    ("/api/v1/score/clicks", 4 * 1024),
    ("/api/v1/score/conversions", 16 * 1024),
];

/// What this process has had in work and has refused.
pub struct Meters {
    /// Requests in work now.
    pub in_work: AtomicU64,
    /// Requests for which there was no room.
    pub refused: AtomicU64,
}

/// The numbers of this process.
pub static METERS: Meters = Meters { in_work: AtomicU64::new(0), refused: AtomicU64::new(0) };

/// Room for requests.
pub struct Room {
    all: Semaphore,
    heavy: Semaphore,
    inferences: Semaphore,
}

/// Whether a request may take long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It is one of many.
    Light,
    /// A few of them fill the process.
    Heavy,
    /// It is answered without the database, and has room of its own: those who wait for that take none of it.
    Inference,
}

/// A request in work; dropping it makes room for another.
pub struct InWork<'a> {
    _of_its_kind: SemaphorePermit<'a>,
    _of_heavy: Option<SemaphorePermit<'a>>,
}

impl Room {
    /// Room for so many requests at once, for so many heavy ones among them, and for as many inferences besides.
    #[must_use]
    pub fn new(all: usize, heavy: usize) -> Self {
        let most = |many: usize| Semaphore::new(many.min(Semaphore::MAX_PERMITS));
        Self { all: most(all), heavy: most(heavy), inferences: most(all) }
    }

    /// Lets a request in for as long as what is given back is held.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn enter(&self, weight: Weight) -> Result<InWork<'_>, Failure> {
        let heavy = (weight == Weight::Heavy).then(|| self.heavy.try_acquire()).transpose();
        let kind = if weight == Weight::Inference { &self.inferences } else { &self.all };
        let (Ok(of_heavy), Ok(of_its_kind)) = (heavy, kind.try_acquire()) else {
            METERS.refused.fetch_add(1, Relaxed);
            return Err(Failure::unavailable("more requests are in work than this process takes at once"));
        };
        METERS.in_work.fetch_add(1, Relaxed);
        Ok(InWork { _of_its_kind: of_its_kind, _of_heavy: of_heavy })
    }
}

impl Drop for InWork<'_> {
    fn drop(&mut self) {
        METERS.in_work.fetch_sub(1, Relaxed);
    }
}

/// How heavy a request to this path of the document is. A body that does not say how long it is may be long.
pub fn weight(path: &str, request: &Request) -> Weight {
    let size = request.body().size_hint().upper().unwrap_or(u64::MAX);
    let is_heavy = HEAVY.iter().any(|(heavy, from)| *heavy == path && *from <= size);
    if is_heavy { Weight::Heavy } else { Weight::Light }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::{
        body::Body,
        http::{Method, Request, header},
    };
    use serde_json::json;

    use super::*;
    use crate::api::{
        document,
        limits::Limits,
        testing::{Api, secret},
    };

    async fn with_room(all: usize, heavy: usize) -> Api {
        let many = 100_000.try_into().unwrap();
        Api::limited_by(Limits::new(many, many, &secret()).with_room(Room::new(all, heavy))).await
    }

    #[test]
    fn what_is_heavy_is_what_the_document_knows() {
        let paths = document().paths.paths;
        for (path, _) in HEAVY {
            assert!(paths.contains_key(*path), "{path} is no path of the API");
        }
    }

    #[test]
    fn a_request_weighs_what_it_may_take() {
        let check = |path, body: Body, expected| {
            let request = Request::post("/").body(body).unwrap();
            assert_eq!(weight(path, &request), expected, "{path}");
        };
        let streamed = || Body::from_stream(futures_util::stream::empty::<Result<&str, Infallible>>());
        check("/api/v1/score/conversions", Body::from("{}"), Weight::Light);
        check("/api/v1/score/conversions", Body::from(vec![b' '; 16 * 1024]), Weight::Heavy);
        check("/api/v1/score/conversions", streamed(), Weight::Heavy);
        check("/api/v1/coverage-gaps", Body::empty(), Weight::Heavy);
        check("/api/v1/imports/{id}/file", streamed(), Weight::Light);
    }

    #[tokio::test]
    async fn one_more_than_there_is_room_for_is_told_to_come_back_and_others_are_served() {
        let api = with_room(2, 1).await;
        let room = api.app.limits.room();
        let refused_before = METERS.refused.load(Relaxed);
        let heavy = room.enter(Weight::Heavy).ok().unwrap();
        assert_eq!(api.get("/api/v1/links").await.status, 200);
        let refused = api.get("/api/v1/coverage-gaps").await;
        insta::assert_snapshot!(refused.problem(), @"503 unavailable: more requests are in work than this process takes at once");
        assert_eq!(refused.header("retry-after"), "1");
        let light = room.enter(Weight::Light).ok().unwrap();
        assert_eq!(api.get("/api/v1/links").await.status, 503);
        // Inferences have room of their own.
        let infer = async || {
            let asked =
                api.request(Method::POST, "/v2/models/x/infer").body(Body::from(json!({}).to_string()));
            api.send(asked.unwrap()).await
        };
        assert_ne!(infer().await.status, 503);
        let inferences = [(); 2].map(|()| room.enter(Weight::Inference).ok().unwrap());
        let refused = infer().await;
        assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "1"));
        assert_ne!(refused.body["error"], json!(null));
        drop(inferences);
        assert!(refused_before + 3 <= METERS.refused.load(Relaxed));
        for open in ["/v2/health/live", "/v2/health/ready", "/api/openapi.json"] {
            let request = Request::get(open).header(header::ACCEPT, "application/json");
            assert_eq!(api.send(request.body(Body::empty()).unwrap()).await.status, 200, "{open}");
        }
        drop((heavy, light));
        assert_eq!(api.get("/api/v1/links").await.status, 200);
        assert_ne!(api.get("/api/v1/coverage-gaps").await.status, 503);
    }
}
