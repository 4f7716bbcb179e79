//! Processes behind one proxy count together while their server is there, and each on its own while it is not.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    num::NonZeroU32,
    thread,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode},
};
use embedded::valkey::Valkey;
use redis::{AsyncCommands, Client};
use tokio::time::sleep;

use super::*;
use crate::api::testing::{Answer, Api, secret};

/// Longer than a test's server ever needs on a machine that is busy.
const LONG: Duration = Duration::from_secs(5);

pub(super) async fn wait_until(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "it does not come about");
        sleep(Duration::from_millis(10)).await;
    }
}

fn limits(requests: u32, failures: u32) -> Limits {
    let number = |count| NonZeroU32::new(count).unwrap();
    Limits::new(number(requests), number(failures), &secret())
}

async fn shared(url: &str, limits: Limits, patience: Duration) -> Limits {
    let Ok(Place::Server(server)) = url.parse() else { panic!("{url} names a server") };
    limits.counted_on(*server, patience).await.unwrap()
}

fn is_connected(api: &Api) -> bool {
    api.app.limits.shared.as_ref().unwrap().is_connected()
}

/// Two processes of one installation, whose limits are counted on one server.
async fn two_processes(server: &Valkey, requests: u32, failures: u32, patience: Duration) -> (Api, Api) {
    let one = Api::limited_by(shared(&server.url(), limits(requests, failures), patience).await).await;
    let two = one.beside(shared(&server.url(), limits(requests, failures), patience).await);
    assert!(is_connected(&one) && is_connected(&two));
    (one, two)
}

/// The status of an answer to a valid key, and what it says is left.
async fn ask(api: &Api) -> (u16, String) {
    let answer = api.get("/api/v1/links").await;
    (answer.status.as_u16(), answer.header("ratelimit").to_owned())
}

fn left(status: u16, remaining: u32, reset_s: u32) -> (u16, String) {
    (status, format!("\"requests\";r={remaining};t={reset_s}"))
}

/// Somebody without a key, at this address.
async fn guess(api: &Api, address: &str) -> Answer {
    let request = Request::get("/api/v1/links").header("x-forwarded-for", address);
    let request = request.extension(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 443))));
    api.send(request.body(Body::empty()).unwrap()).await
}

fn told(headers: &HeaderMap) -> String {
    format!("{} {}", headers[RATE_LIMIT_POLICY].to_str().unwrap(), headers[RATE_LIMIT].to_str().unwrap())
}

#[tokio::test]
async fn the_third_attempt_of_two_is_told_when_to_come_back() {
    let limits = limits(1, 2);
    let count = async |address: &str| {
        let counted = limits.count_failure(address.parse().unwrap()).await;
        (told(&HeaderMap::from_iter(counted.headers)), counted.refused.map(|problem| problem.status()))
    };
    assert_eq!(count("2001:db8::1").await.0, r#""failures";q=2;w=60 "failures";r=1;t=30"#);
    assert_eq!(count("2001:db8::2").await.0, r#""failures";q=2;w=60 "failures";r=0;t=60"#);
    let too_many = Some(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        count("2001:db8::3").await,
        (r#""failures";q=2;w=60 "failures";r=0;t=30"#.to_owned(), too_many)
    );
    assert_eq!(count("2001:db8:0:1::1").await.1, None);
}

#[tokio::test]
async fn two_processes_share_one_quota() {
    let server = Valkey::start().unwrap();
    let (one, two) = two_processes(&server, 3, 1, LONG).await;
    assert_eq!(ask(&one).await, left(200, 2, 20));
    assert_eq!(ask(&two).await, left(200, 1, 40));
    assert_eq!(ask(&one).await, left(200, 0, 60));
    let refused = two.get("/api/v1/links").await;
    insta::assert_snapshot!(refused.problem(), @"429 too_many_requests: try again in 20 s");
    assert_eq!(refused.header("retry-after"), "20");
    assert_eq!(told(&refused.headers), r#""requests";q=3;w=60 "requests";r=0;t=20"#);

    assert_eq!(guess(&one, "192.0.2.1").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(guess(&two, "192.0.2.1").await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(guess(&two, "192.0.2.2").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_server_sees_no_address_and_forgets() {
    let server = Valkey::start().unwrap();
    let (one, _two) = two_processes(&server, 3, 10, LONG).await;
    ask(&one).await;
    for address in ["192.0.2.1", "2001:db8::1", "2001:db8::2"] {
        guess(&one, address).await;
    }
    let mut db = Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let mut keys: Vec<String> = db.keys("*").await.unwrap();
    keys.retain(|key| key != "tributary:limit:probe");
    keys.sort();
    for key in &keys {
        let left_ms: i64 = db.pttl(key).await.unwrap();
        assert!(0 < left_ms && left_ms <= 60_000, "{key} lives for {left_ms} ms");
    }
    let key = one.operator().await.key;
    let (requests, failures): (Vec<_>, Vec<_>) = keys.iter().partition(|key| key.contains("requests"));
    assert_eq!(requests, [&format!("tributary:limit:requests:{key}")]);
    assert_eq!(failures.len(), 2, "{failures:?}");
    for key in failures {
        let hash = key.strip_prefix("tributary:limit:failures:").unwrap();
        assert!(hash.len() == 32 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()), "{hash}");
        assert!(!hash.contains("c0000201") && !hash.contains("20010db8"), "{hash}");
    }
}

#[tokio::test]
async fn a_shared_quota_is_there_again_by_the_servers_clock() {
    let server = Valkey::start().unwrap();
    let (one, two) = two_processes(&server, 120, 1, LONG).await;
    // Full to the last drop at this moment of the server's, as after a burst.
    let key = format!("tributary:limit:requests:{}", one.operator().await.key);
    let fill = "local now = redis.call('TIME')
        return redis.call('SET', KEYS[1], string.format('60000000000 %.0f', now[1] * 1000000 + now[2]))";
    let mut db = Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    redis::Script::new(fill).key(key).invoke_async::<()>(&mut db).await.unwrap();
    let begin = Instant::now();
    let first = one.get("/api/v1/links").await;
    let deadline = begin + Duration::from_secs(20);
    let mut passed = first.status;
    while passed != StatusCode::OK {
        assert!(Instant::now() < deadline, "it is never there again");
        sleep(Duration::from_millis(10)).await;
        passed = two.get("/api/v1/links").await.status;
    }
    // On a machine so busy that the first request came half a second late, it passed at once.
    if first.status != StatusCode::OK {
        assert_eq!(first.header("retry-after"), "1");
        assert!(Duration::from_millis(300) < begin.elapsed(), "{:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn without_the_server_each_process_counts_its_own_until_it_is_back() {
    let mut server = Valkey::start().unwrap();
    let (one, two) = two_processes(&server, 3, 1, LONG).await;
    assert_eq!(ask(&one).await, left(200, 2, 20));
    assert_eq!(ask(&two).await, left(200, 1, 40));

    server.kill().unwrap();
    let begin = Instant::now();
    for api in [&one, &two] {
        assert_eq!(ask(api).await, left(200, 2, 20));
        assert_eq!(ask(api).await, left(200, 1, 40));
        assert_eq!(ask(api).await, left(200, 0, 60));
        assert_eq!(ask(api).await.0, 429);
        assert!(!is_connected(api));
    }
    assert!(begin.elapsed() < LONG, "answered only after {:?}", begin.elapsed());

    server.restart().unwrap();
    wait_until(|| is_connected(&one) && is_connected(&two)).await;
    assert_eq!(ask(&one).await, left(200, 2, 20));
    assert_eq!(ask(&two).await, left(200, 1, 40));
}

#[tokio::test]
async fn a_server_that_sleeps_holds_up_only_who_asked_when_it_fell_asleep() {
    let server = Valkey::start().unwrap();
    let patience = Duration::from_millis(500);
    let (one, _two) = two_processes(&server, 1000, 1, patience).await;
    server.freeze().unwrap();
    let begin = Instant::now();
    for _ in 0..20 {
        assert_eq!(ask(&one).await.0, 200);
    }
    // Twenty that wait take ten seconds.
    assert!(begin.elapsed() < LONG, "twenty requests took {:?}", begin.elapsed());
    assert!(!is_connected(&one));
    server.thaw().unwrap();
    wait_until(|| is_connected(&one)).await;
    assert_eq!(ask(&one).await.0, 200);
    assert!(is_connected(&one), "its answers count again");
}

const YES: &str = "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n";

/// A server that says this to whoever comes, or nothing at all; its address.
fn stranger(says: Option<&'static str>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut open = Vec::new();
        for mut connection in listener.incoming().map_while(Result::ok) {
            if let Some(says) = says {
                let mut asked = [0; 1];
                // Whether it arrives is for the test to find out.
                let _ = connection.read(&mut asked).and_then(|_| connection.write_all(says.as_bytes()));
            }
            open.push(connection);
        }
    });
    address
}

#[tokio::test]
async fn whatever_is_there_instead_of_a_server_nobody_is_refused_because_of_it() {
    let server = Valkey::start().unwrap();
    let at = |password: &str, rest: &str| format!("redis://:{password}@127.0.0.1:{}{rest}", server.port());
    let password = server.url().split_once("redis://:").unwrap().1.split_once('@').unwrap().0.to_owned();
    for (what, url) in [
        ("nobody", format!("redis://127.0.0.1:{}", embedded::free_port().unwrap())),
        ("somebody silent", format!("redis://{}", stranger(None))),
        ("a web server", format!("redis://{}", stranger(Some("HTTP/1.1 400 Bad Request\r\n\r\n")))),
        ("one that says yes to everything", format!("redis://{}", stranger(Some(YES)))),
        ("one that knows another password", at("wrong", "")),
        ("one without so many databases", at(&password, "/4096")),
        ("one that does not speak TLS", at(&password, "").replace("redis:", "rediss:")),
        ("a name that nobody has", "redis://counter.invalid".to_owned()),
    ] {
        let begin = Instant::now();
        let limits = shared(&url, limits(2, 2), PATIENCE).await;
        assert!(!limits.shared.as_ref().unwrap().is_connected(), "{what}");
        let address = "192.0.2.1".parse().unwrap();
        for expected in [r#""failures";r=1;t=30"#, r#""failures";r=0;t=60"#] {
            let counted = limits.count_failure(address).await;
            assert_eq!(
                (counted.headers[1].1.to_str().unwrap(), counted.refused.is_some()),
                (expected, false)
            );
        }
        assert!(limits.count_failure(address).await.refused.is_some(), "{what}");
        assert!(begin.elapsed() < LONG, "{what} took {:?}", begin.elapsed());
    }
}
