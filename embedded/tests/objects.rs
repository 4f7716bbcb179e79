//! An object store of its own for every test that needs one, which can be hurt and leaves nothing behind.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use embedded::objects::S3;

/// How the server begins its answer to a request for a list that nobody signed well, if it answers.
fn answer(server: &S3) -> Option<String> {
    let mut connection = TcpStream::connect(("127.0.0.1", server.port())).ok()?;
    connection.set_read_timeout(Some(Duration::from_secs(3))).ok()?;
    let authorization = "AWS4-HMAC-SHA256 Credential=AKIATRIBUTARY/20260101/us-east-1/s3/aws4_request, \
                         SignedHeaders=host;x-amz-date, Signature=00";
    let head = format!(
        "GET /tributary?list-type=2 HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Date: 20260101T000000Z\r\nAuthorization: \
         {authorization}\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn a_store_is_killed_frozen_and_there_again_and_knows_nobody_without_the_secret() {
    let mut server = S3::start().expect("a start");
    let refused = answer(&server).expect("an answer");
    assert!(refused.starts_with("HTTP/1.1 403") && refused.contains("SignatureDoesNotMatch"), "{refused}");

    server.freeze().expect("sleep");
    assert_eq!(answer(&server), None);
    server.thaw().expect("awake");
    assert!(answer(&server).is_some());

    let endpoint = server.endpoint();
    server.kill().expect("a kill");
    assert_eq!(answer(&server), None);
    server.restart().expect("a restart");
    assert_eq!(server.endpoint(), endpoint);
    assert!(answer(&server).is_some());
}
