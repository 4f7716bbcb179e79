//! A server of its own for every test that needs one, which can be hurt and leaves nothing behind.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use embedded::valkey::Valkey;

/// What the server says to these lines, if anything.
fn answer(server: &Valkey, lines: &str) -> Option<String> {
    let mut connection = TcpStream::connect(("127.0.0.1", server.port())).ok()?;
    connection.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
    connection.write_all(lines.as_bytes()).ok()?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn a_server_is_killed_frozen_and_there_again_and_knows_nobody_without_the_password() {
    let mut server = Valkey::start().expect("a start");
    let url = server.url();
    let (_, password) = url.split_once("redis://:").expect("a URL");
    let (password, _) = password.split_once('@').expect("a password");
    let known = format!("AUTH {password}\r\nPING\r\nQUIT\r\n");

    let refused = answer(&server, "PING\r\nQUIT\r\n").expect("an answer");
    assert!(refused.starts_with("-NOAUTH"), "{refused}");
    assert_eq!(answer(&server, &known).as_deref(), Some("+OK\r\n+PONG\r\n+OK\r\n"));

    server.freeze().expect("sleep");
    assert_eq!(answer(&server, &known), None);
    server.thaw().expect("awake");
    assert!(answer(&server, &known).is_some());

    server.kill().expect("a kill");
    assert_eq!(answer(&server, &known), None);
    server.restart().expect("a restart");
    assert_eq!(server.url(), url);
    assert!(answer(&server, &known).is_some());
}
