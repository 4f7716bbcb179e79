//! Connections: clicks are answered straight from them, everything else by hyper, and nobody can tell the difference.

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroUsize, time::Duration};

use axum::routing::post;
use domain::Chance;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    time::timeout,
};
use tracking::server::Server;

use super::world::{FIREFOX, World};

const PATIENCE: Duration = Duration::from_secs(10);
/// Answered by hyper; after it, so is everything else on its connection.
const ALIVE: &str = "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";

fn click(code: &str) -> String {
    format!("GET /c/{code} HTTP/1.1\r\nHost: x\r\nUser-Agent: {FIREFOX}\r\n\r\n")
}

/// A browser's connection.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    /// Whether only heads are asked for.
    is_head: bool,
}

/// An answer without what differs between two visits: its date, and the ids of the click and the visit.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: String,
    headers: BTreeMap<String, Vec<String>>,
    body: String,
}

impl Connection {
    async fn open(world: &World) -> Self {
        Self::to(world.served.address).await
    }

    async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, received: Vec::new(), is_head: false }
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next answer; nothing when the connection has ended.
    async fn answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if self.receive().await == 0 {
                return None;
            }
        };
        let head: Vec<u8> = self.received.drain(..end).collect();
        let mut answer = Answer::parse(&String::from_utf8(head).unwrap());
        let length = answer.headers.get("content-length").filter(|_| !self.is_head);
        let length = length.map_or(0, |length| length[0].parse().unwrap());
        while self.received.len() < length {
            assert_ne!(self.receive().await, 0, "the body has an end");
        }
        answer.body = String::from_utf8(self.received.drain(..length).collect()).unwrap();
        Some(answer)
    }

    async fn receive(&mut self) -> usize {
        let receiving = self.stream.read_buf(&mut self.received);
        // Whoever closes a connection with unread bytes in it resets it.
        timeout(PATIENCE, receiving).await.unwrap().unwrap_or(0)
    }
}

impl Answer {
    fn parse(head: &str) -> Self {
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().to_owned();
        let mut headers = BTreeMap::<_, Vec<String>>::new();
        for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
            let value = match name {
                "date" => continue,
                "location" | "set-cookie" => without_ids(value),
                _ => value.to_owned(),
            };
            headers.entry(name.to_owned()).or_default().push(value);
        }
        Self { status, headers, body: String::new() }
    }
}

/// Letters and digits of ids and signatures are left out.
fn without_ids(value: &str) -> String {
    let (before, after) = value.split_once("clk_").unwrap_or((value, ""));
    let (before, _) = before.split_once("ses_").unwrap_or((before, ""));
    format!("{before}{}", after.split_once(['#', ';']).map_or("", |(_, rest)| rest))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_request_may_come_in_two_pieces_cut_anywhere() {
    let world = World::new().await;
    let (mut connection, request) = (Connection::open(&world).await, click("spring"));
    connection.send(&request).await;
    let whole = connection.answer().await.unwrap();
    assert_eq!(whole.status, "HTTP/1.1 302 Found");
    for cut in 1..request.len() {
        connection.send(&request[..cut]).await;
        tokio::task::yield_now().await;
        connection.send(&request[cut..]).await;
        assert_eq!(connection.answer().await.as_ref(), Some(&whole), "cut at {cut}");
    }
    world.stored(request.len() as i64).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn requests_sent_one_behind_the_other_are_answered_in_their_order() {
    let world = World::new().await;
    let mut connection = Connection::open(&world).await;
    let capture = format!("GET /landing?ref=spring HTTP/1.1\r\nhost: x\r\nuser-agent: {FIREFOX}\r\n\r\n");
    connection
        .send([click("spring"), click("nobody"), click("spring"), capture, click("ended")].concat())
        .await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(connection.answer().await.unwrap().status);
    }
    assert_eq!(
        statuses,
        ["302 Found", "404 Not Found", "302 Found", "204 No Content", "410 Gone"]
            .map(|status| format!("HTTP/1.1 {status}"))
    );
    world.stored(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_request_with_a_body_does_not_smuggle_in_a_click() {
    let world = World::new().await;
    let hidden = click("spring");
    for (framing, body) in [
        (format!("Content-Length: {}", hidden.len()), hidden.clone()),
        ("Transfer-Encoding: chunked".to_owned(), format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len())),
        // What nobody can frame is refused, and so is whatever follows it.
        (format!("Content-Length: {0}\r\nContent-Length: 0{0}x", hidden.len()), hidden.clone()),
        ("Transfer-Encoding: gzip".to_owned(), hidden.clone()),
    ] {
        for method in ["GET", "POST"] {
            let mut connection = Connection::open(&world).await;
            connection
                .send(format!("{method} /c/nobody HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n{body}"))
                .await;
            let answer = connection.answer().await.unwrap();
            assert!(!answer.status.contains("302"), "{framing}: {answer:?}");
            connection.send(ALIVE).await;
            if let Some(next) = connection.answer().await {
                assert_eq!(next.body, "alive", "{framing}");
            }
        }
    }
    assert_eq!(world.served.tracker.counts().accepted, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn hyper_would_have_answered_the_same() {
    let world = World::new().await;
    let (chance, mut redirects) = (Chance::seeded(7), 0);
    for _ in 0..600 {
        let request = request(&chance);
        let (direct, mut by_hyper) = (Connection::open(&world).await, Connection::open(&world).await);
        by_hyper.send(ALIVE).await;
        by_hyper.answer().await.unwrap();
        let mut answers = Vec::new();
        for mut connection in [direct, by_hyper] {
            connection.send(&request).await;
            connection.is_head = request.starts_with("HEAD");
            answers.push(connection.answer().await);
        }
        assert_eq!(answers[0], answers[1], "{request:?}");
        let is_redirect = |answer: &Answer| answer.status.contains("302");
        redirects += u32::from(answers[0].as_ref().is_some_and(is_redirect));
    }
    assert!(100 < redirects, "{redirects}");
}

/// Some request for a click that ends; every second one is ordinary, but for a header perhaps.
fn request(chance: &Chance) -> String {
    const METHODS: [&str; 4] = ["GET", "HEAD", "get", "OPTIONS"];
    const PATHS: [&str; 15] = [
        "/c/spring",
        "/c/shoes",
        "/c",
        "/c/ended",
        "/c/nobody",
        "/c/",
        "/c/spr%69ng",
        "/c/spring/",
        "/c//spring",
        "/cx",
        "//c/spring",
        "http://x/c/spring",
        "*",
        "/c/é",
        "/c/a<b>",
    ];
    const QUERIES: [&str; 10] = [
        "",
        "?",
        "?ref=spring",
        "?sub1=a&utm_source=b",
        "?sub1=%20%zz+&x",
        "?to=https://evil.example",
        "?ref=spring?x",
        "?a={b}|c",
        "?a#b",
        "?q=\"x\"",
    ];
    const VERSIONS: [&str; 3] = ["HTTP/1.1", "HTTP/1.0", "HTTP/2.0"];
    let is_ordinary = chance.below(2) == 0;
    let pick = |of: &[&'static str], ordinary: usize| {
        of[chance.below(if is_ordinary { ordinary } else { of.len() } as u64) as usize]
    };
    let (method, path) = (pick(&METHODS, 1), pick(&PATHS, 5));
    let mut request = format!("{method} {path}{} {}\r\n", pick(&QUERIES, 7), pick(&VERSIONS, 1));
    let lines = [
        "Host: x",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
        "user-agent: curl/8.5.0",
        "ACCEPT: text/html",
        "X-Forwarded-For: 198.51.100.1, nonsense",
        "X-Forwarded-For: \u{e9}",
        "Origin: https://shop.example",
        "Cookie: affiliate_id=made.up.AAAA; x=é",
        "Sec-Purpose: prefetch",
        "X-Request-Id: r1",
        "Connection: keep-alive",
        "Connection: Keep-Alive, x",
        "connection: close",
        "Content-Length: 0",
        "Expect: 100-continue",
        "Bad Header: x",
        "folded: a\r\n b",
        "Empty:",
    ];
    for line in lines {
        if chance.below(12) == 0 {
            request.push_str(line);
            request.push_str("\r\n");
        }
    }
    request + "\r\n"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_ends_answers_what_is_under_way_and_closes_what_waits() {
    let world = World::new().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let tracker = &world.served.tracker;
    let server = Server::bind(([127, 0, 0, 1], 0).into(), NonZeroUsize::MIN).await.unwrap();
    let address = server.local_addr().unwrap();
    let serving =
        tokio::spawn(server.serve(tracker.clone(), tracker.router(), async { stopped.await.unwrap() }));
    let mut waiting = Connection::to(address).await;
    waiting.send(click("spring")).await;
    assert_eq!(waiting.answer().await.unwrap().headers.get("connection"), None);
    let mut under_way = Vec::new();
    for (request, status) in [
        (click("spring"), "302 Found"),
        (click("spring").replace("Host", "Connection: close\r\nHost"), "302 Found"),
        (ALIVE.to_owned(), "200 OK"),
        // Whoever is told that this was the last answer asks the second one of somebody else.
        (click("nobody") + &click("spring"), "404 Not Found"),
    ] {
        let mut connection = Connection::to(address).await;
        connection.send(&request[..20]).await;
        under_way.push((connection, request, status));
    }
    // Another click shows that the server has read what came before it.
    let mut other = Connection::to(address).await;
    other.send(click("spring")).await;
    other.answer().await.unwrap();
    stop.send(()).unwrap();
    assert_eq!(waiting.answer().await, None);
    for (mut connection, request, status) in under_way {
        connection.send(&request[20..]).await;
        assert_eq!(connection.answer().await.unwrap().status, format!("HTTP/1.1 {status}"), "{request}");
        assert_eq!(connection.answer().await, None, "{request}");
    }
    serving.await.unwrap().unwrap();
    assert_eq!(tracker.counts().accepted, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_brief_is_answered_where_clicks_are_and_what_has_to_wait_goes_beside_them() {
    let world = World::new().await;
    let tracker = &world.served.tracker;
    async fn whole(body: String) -> String {
        format!("{} {}", body.len(), std::thread::current().name().unwrap_or_default())
    }
    async fn after_a_wait(body: String) -> String {
        // Once put off, it goes on wherever it is.
        tokio::task::yield_now().await;
        whole(body).await
    }
    let routes = axum::Router::new()
        .route("/brief/whole", post(whole))
        .route("/brief/waits", post(after_a_wait))
        .route("/brief/panics", post(async || -> String { panic!("as it was told to") }))
        .route("/other", post(whole));
    let server = Server::bind(([127, 0, 0, 1], 0).into(), NonZeroUsize::MIN).await.unwrap();
    let server = server.answering_here(|path| path.starts_with("/brief/"));
    let address = server.local_addr().unwrap();
    let serving = tokio::spawn(server.serve(tracker.clone(), routes, std::future::pending()));
    let mut connection = Connection::to(address).await;
    let mut ask = async |path: &str, body: &str| {
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        connection.send(head + body).await;
        connection.answer().await.unwrap().body
    };
    assert_eq!(ask("/brief/whole", "four").await, "4 clicks-0");
    assert_eq!(ask("/brief/whole", "").await, "0 clicks-0");
    assert_eq!(ask("/brief/whole", &"x".repeat(16 << 10)).await, "16384 clicks-0");
    for (path, body, begins) in [
        ("/brief/waits", "four".to_owned(), "4 "),
        ("/brief/whole", "x".repeat((16 << 10) + 1), "16385 "),
        ("/other", "four".to_owned(), "4 "),
    ] {
        let said = ask(path, &body).await;
        assert!(said.starts_with(begins) && !said.ends_with("clicks-0"), "{path}: {said}");
    }
    assert!(ask("/brief/panics", "").await.contains("urn:tributary:problem:internal"));
    assert_eq!(ask("/brief/whole", "four").await, "4 clicks-0", "the connection is of use");
    serving.abort();
}
