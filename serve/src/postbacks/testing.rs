//! A partner's tracker, as tests see it: a real HTTP server that keeps what it was asked and answers as it is told to.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use domain::signature::canonical::Query;
use tokio::net::TcpListener;
use url::Url;

/// A tracker on this machine.
pub struct PartnerTracker {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl PartnerTracker {
    /// It answers with these statuses, and with 200 from then on; a redirect leads to itself.
    pub async fn start(statuses: impl IntoIterator<Item = u16>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let left = Arc::new(Mutex::new(statuses.into_iter().collect::<VecDeque<u16>>()));
        let heard = Arc::clone(&asked);
        let answer = move |uri: Uri| {
            heard.lock().unwrap().push(uri.to_string());
            let status = left.lock().unwrap().pop_front().unwrap_or(200);
            async move { answer(status) }
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        Self { port, asked }
    }

    /// An address of it, with macros in its query.
    pub fn address(&self, query: &str) -> String {
        format!("http://127.0.0.1:{}/in?{query}", self.port)
    }

    /// What it was asked so far, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// A parameter of each question.
    pub fn heard(&self, name: &str) -> Vec<String> {
        let url = |path: &String| Url::parse(&format!("http://127.0.0.1{path}")).unwrap();
        let value = |path: &String| {
            let query = Query::parse(url(path).query().unwrap_or_default()).unwrap();
            query.get(name).unwrap_or_default().to_owned()
        };
        self.asked().iter().map(value).collect()
    }
}

fn answer(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    match status {
        StatusCode::TOO_MANY_REQUESTS => (status, [("retry-after", "3600")]).into_response(),
        StatusCode::FOUND => (status, [("location", "/elsewhere")]).into_response(),
        _ => status.into_response(),
    }
}
