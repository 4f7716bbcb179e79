//! A store that refuses, is not there, or goes away says so in a sentence that helps, and nobody waits without an end.

use std::{
    io::{self, ErrorKind},
    thread,
    time::Duration,
};

use bucket::{Bucket, When, Written};
use embedded::objects::S3;

use crate::{done, folder, on, relay::Relay, server, timed, with};

/// Far from the three minutes that a store is waited for which has answered before.
const SOON: Duration = Duration::from_secs(90);

type Operation = (&'static str, fn(&Bucket) -> io::Result<()>);

/// Everything that can be asked of a bucket fails with this kind, and says this.
fn check_every_operation(bucket: &Bucket, kind: ErrorKind, says: &[&str]) {
    let operations: [Operation; 7] = [
        ("find", |bucket| bucket.find("x").map(drop)),
        ("get", |bucket| bucket.get("x", None).map(drop)),
        ("list", |bucket| bucket.list("").map(drop)),
        ("folders", |bucket| bucket.folders("").map(drop)),
        ("put", |bucket| bucket.put("x", "x", When::Always).map(|_| ())),
        ("put if absent", |bucket| bucket.put("x", "x", When::Absent).map(|_| ())),
        ("claim", |bucket| bucket.claim("x").map(drop)),
    ];
    for (name, operation) in operations {
        let (outcome, took) = timed(|| operation(bucket));
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), kind, "{name}: {error}");
        for says in says {
            assert!(error.to_string().contains(says), "{name}: {error}");
        }
        assert!(took < SOON, "{name} took {took:?}");
    }
}

#[test]
fn a_wrong_secret_is_named() {
    let bucket = with("AWS_SECRET_ACCESS_KEY", "wrong");
    let says = ["the store refuses", "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"];
    check_every_operation(&bucket, ErrorKind::PermissionDenied, &says);
    let error = bucket.list("").unwrap_err();
    assert!(error.to_string().contains("the store refuses (SignatureDoesNotMatch)"), "{error}");
    let error = with("AWS_ACCESS_KEY_ID", "AKIANOBODY").list("").unwrap_err();
    assert!(error.to_string().contains("the store refuses (InvalidAccessKeyId)"), "{error}");
}

#[test]
fn a_bucket_that_is_not_there_is_not_an_empty_one() {
    let bucket = Bucket::with("s3://nobodys/lake", server().variables()).unwrap();
    check_every_operation(
        &bucket,
        ErrorKind::InvalidInput,
        &["there is no bucket nobodys: make it, or correct"],
    );
}

#[test]
fn a_store_that_is_not_there_is_given_up_soon() {
    let endpoint = format!("http://127.0.0.1:{}", embedded::free_port().unwrap());
    let bucket = with("AWS_ENDPOINT_URL", &endpoint);
    let says =
        [endpoint.trim_start_matches("http://"), "cannot be reached", "refused", "check AWS_ENDPOINT_URL"];
    check_every_operation(&bucket, ErrorKind::NotConnected, &says);
}

#[test]
fn a_store_that_never_says_anything_is_given_up_too() {
    let server = S3::start().unwrap();
    server.freeze().unwrap();
    let (outcome, took) = timed(|| on(&server, "x").list(""));
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(error.to_string().contains("does not answer: check AWS_ENDPOINT_URL"), "{error}");
    assert!(took < SOON, "{took:?}");
}

#[test]
fn a_store_that_goes_away_for_a_moment_is_waited_for() {
    let mut server = S3::start().unwrap();
    let bucket = on(&server, "x");
    assert!(bucket.list("").unwrap().is_empty());
    server.kill().unwrap();
    thread::scope(|scope| {
        let writer = scope.spawn(|| bucket.put("x", "x", When::Absent));
        server.restart().unwrap();
        let _ = done(writer.join().unwrap().unwrap());
    });
    assert_eq!(bucket.get("x", None).unwrap().unwrap().0, "x");
}

#[test]
fn an_answer_that_is_lost_makes_nobody_late() {
    let relay = Relay::start();
    let bucket = relay.folder("lost answers");
    assert!(bucket.list("").unwrap().is_empty());
    relay.lose(1);
    let first = done(bucket.put("x", "one", When::Absent).unwrap());
    assert_eq!(relay.left(), 0);
    relay.lose(2);
    let second = done(bucket.put("x", "two", When::Unchanged(&first)).unwrap());
    assert_eq!(relay.left(), 0);
    relay.lose(1);
    assert_eq!(bucket.put("x", "six", When::Unchanged(&first)).unwrap(), Written::Late);
    assert_eq!(relay.left(), 0);
    assert_eq!(bucket.get("x", None).unwrap().unwrap(), ("two".into(), second));
    relay.lose(1);
    assert!(bucket.claim("claim").unwrap());
    assert_eq!(relay.left(), 0);
    assert!(!folder("lost answers").claim("claim").unwrap());
}

#[test]
fn an_answer_that_ends_in_the_middle_is_no_answer() {
    let relay = Relay::start();
    let bucket = relay.folder("halves");
    let bytes = vec![7; 300_000];
    let tag = done(bucket.put("x", bytes.clone(), When::Absent).unwrap());
    for halves in 1..4 {
        relay.halve(halves);
        let (read, read_tag) = bucket.get("x", None).unwrap().unwrap();
        assert_eq!(relay.left(), 0);
        assert!(read == bytes && read_tag == tag);
    }
    relay.halve(1);
    assert_eq!(bucket.list("").unwrap().len(), 1);
    assert_eq!(relay.left(), 0);
}
