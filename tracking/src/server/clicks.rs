//! Ordinary clicks, read from a connection and answered without anything in between; whatever is not one is left to
//! hyper, and so is the rest of its connection.
//!
//! A click is ordinary if nobody could read it in two ways: `GET` over HTTP/1.1, no body, no wish about the connection
//! but to keep it, a path that needs no decoding.

use std::{
    cell::RefCell, future::poll_fn, io, mem::MaybeUninit, net::IpAddr, pin::Pin, pin::pin, task::ready,
    time::SystemTime,
};

use axum::{body::to_bytes, response::Response};
use chrono::{DateTime, Utc};
use http::{Method, StatusCode, header::CONTENT_LENGTH};
use httparse::{Header, Status};
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    sync::watch,
};

use super::{Desk, clicked, connection::Connection};
use crate::{
    problem::REQUEST_ID,
    redirect::{Arrival, Reply, visitor::Said},
    wal,
};

/// More than a browser sends through some proxies; whatever has more is not ordinary.
const HEADERS: usize = 48;
const HEAD_LIMIT: usize = 8 << 10;
/// What is read at once.
const PART: usize = 4 << 10;
/// A redirect with its headers seldom has more.
const USUAL_ANSWER: usize = 1 << 10;

/// What stands at the beginning of what was received.
#[expect(clippy::large_enum_variant, reason = "it is looked at once, where it was made")]
enum Next<'a> {
    Click(Click<'a>),
    /// Not all of a head.
    Unfinished,
    /// Hyper's.
    Other,
}

struct Click<'a> {
    code: Option<&'a str>,
    query: &'a str,
    said: Said<'a>,
    request_id: Option<&'a [u8]>,
    /// How many bytes it takes.
    length: usize,
}

/// Answers clicks until something else comes, and returns what was received of that; nothing when the client has ended
/// the connection, or the server ends.
///
/// # Errors
/// When the connection breaks.
pub(super) async fn answer(
    connection: &mut Connection,
    desk: &Desk,
    peer: IpAddr,
    is_ending: &mut watch::Receiver<bool>,
) -> io::Result<Option<Vec<u8>>> {
    let end = is_ending.clone();
    let mut ended = pin!(is_ending.wait_for(|is_ending| *is_ending));
    let mut received = Vec::new();
    loop {
        match next(&received) {
            Next::Click(click) => {
                // What other requests of this thread have gathered does not wait for it to rest when there are many.
                wal::thread_goes_on();
                let (clock, length) = (&desk.tracker.0.clock, click.length);
                let arrival = Arrival::new(clock, &Method::GET, click.query, click.said, Some(peer));
                let (at, reply) = (arrival.at(), desk.click(click.code, &arrival, click.request_id).await);
                let is_last = *end.borrow();
                connection.write_all(&write(reply, at, is_last).await?).await?;
                if is_last {
                    connection.shutdown().await?;
                    return Ok(None);
                }
                drop(arrival);
                // A connection that waits keeps no room.
                received = received.split_off(length);
            }
            Next::Unfinished if received.len() < HEAD_LIMIT => {
                let count = tokio::select! {
                    biased;
                    count = receive(connection, &mut received) => count?,
                    _ = &mut ended, if received.is_empty() => return Ok(None),
                };
                if count == 0 {
                    return Ok(None);
                }
            }
            Next::Unfinished | Next::Other => return Ok(Some(received)),
        }
    }
}

fn next(received: &[u8]) -> Next<'_> {
    let mut headers = [MaybeUninit::uninit(); HEADERS];
    let mut head = httparse::Request::new(&mut []);
    let length = match head.parse_with_uninit_headers(received, &mut headers) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Next::Unfinished,
        Err(_) => return Next::Other,
    };
    let (Some("GET"), Some(1), Some(target)) = (head.method, head.version, head.path) else {
        return Next::Other;
    };
    if !target.bytes().all(|byte| ORDINARY[usize::from(byte)]) || head.headers.iter().any(asks_for_more) {
        return Next::Other;
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some(code) = clicked(path) else { return Next::Other };
    let headers = head.headers.iter().map(|header| (header.name, header.value));
    let request_id = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(REQUEST_ID));
    let request_id = request_id.map(|header| header.value);
    Next::Click(Click { code, query, said: Said::by(headers), request_id, length })
}

/// Bytes that every reader of URLs reads alike.
const ORDINARY: [bool; 256] = {
    let (mut ordinary, others) = ([false; 256], b"-._~!$&'()*+,;=:@/?%");
    let mut byte = 0;
    while byte < 128 {
        ordinary[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut place = 0;
    while place < others.len() {
        ordinary[others[place] as usize] = true;
        place += 1;
    }
    ordinary
};

/// Whether a header announces a body, or wants something of the connection.
fn asks_for_more(header: &Header<'_>) -> bool {
    let is = |known: &str| header.name.eq_ignore_ascii_case(known);
    is("connection") && !header.value.eq_ignore_ascii_case(b"keep-alive")
        || ["content-length", "transfer-encoding", "expect", "upgrade"].into_iter().any(is)
}

async fn receive(connection: &mut Connection, received: &mut Vec<u8>) -> io::Result<usize> {
    poll_fn(|context| {
        // Not in the future, of which every waiting connection has one.
        let mut part = [MaybeUninit::uninit(); PART];
        let mut part = ReadBuf::uninit(&mut part);
        ready!(Pin::new(&mut *connection).poll_read(context, &mut part))?;
        received.extend_from_slice(part.filled());
        Ok(part.filled().len()).into()
    })
    .await
}

/// The bytes of an answer; `is_last` tells the client that nothing more is read from its connection.
async fn write(reply: Reply, at: DateTime<Utc>, is_last: bool) -> io::Result<Vec<u8>> {
    let mut answer = Vec::with_capacity(USUAL_ANSWER);
    match reply {
        Reply::Redirect(redirect) => {
            begin(&mut answer, StatusCode::FOUND);
            redirect.headers().for_each(|(name, value)| field(&mut answer, name.as_str(), value.as_bytes()));
            end(&mut answer, at, is_last, &[]);
        }
        Reply::Other(response) => {
            let (parts, body) = Response::into_parts(response);
            let body = to_bytes(body, usize::MAX).await.map_err(io::Error::other)?;
            begin(&mut answer, parts.status);
            let headers = parts.headers.iter().filter(|(name, _)| *name != CONTENT_LENGTH);
            headers.for_each(|(name, value)| field(&mut answer, name.as_str(), value.as_bytes()));
            end(&mut answer, at, is_last, &body);
        }
    }
    Ok(answer)
}

fn begin(answer: &mut Vec<u8>, status: StatusCode) {
    answer.extend_from_slice(b"HTTP/1.1 ");
    answer.extend_from_slice(status.as_str().as_bytes());
    answer.push(b' ');
    answer.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    answer.extend_from_slice(b"\r\n");
}

fn field(answer: &mut Vec<u8>, name: &str, value: &[u8]) {
    answer.extend_from_slice(name.as_bytes());
    answer.extend_from_slice(b": ");
    answer.extend_from_slice(value);
    answer.extend_from_slice(b"\r\n");
}

fn end(answer: &mut Vec<u8>, at: DateTime<Utc>, is_last: bool, body: &[u8]) {
    if is_last {
        field(answer, "connection", b"close");
    }
    field(answer, "content-length", body.len().to_string().as_bytes());
    date(at, |date| field(answer, "date", date.as_bytes()));
    answer.extend_from_slice(b"\r\n");
    answer.extend_from_slice(body);
}

/// The date as HTTP writes it; a thread writes it once a second.
fn date(at: DateTime<Utc>, use_it: impl FnOnce(&str)) {
    thread_local! {
        static WRITTEN: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    WRITTEN.with_borrow_mut(|(second, date)| {
        if *second != at.timestamp() {
            *second = at.timestamp();
            *date = httpdate::fmt_http_date(SystemTime::from(at));
        }
        use_it(date);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "GET /c/spring?sub1=a%20b HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive\r\n\r\n";

    #[track_caller]
    fn check(received: &str, expected: &str) {
        let found = match next(received.as_bytes()) {
            Next::Click(Click { code, query, length, .. }) => format!("click {code:?} {query:?} {length}"),
            Next::Unfinished => "unfinished".to_owned(),
            Next::Other => "hyper's".to_owned(),
        };
        assert_eq!(found, expected, "{received:?}");
    }

    #[test]
    fn a_click_is_read_once_it_is_all_there() {
        check(HEAD, &format!("click Some(\"spring\") \"sub1=a%20b\" {}", HEAD.len()));
        check(&format!("{HEAD}GET /c"), &format!("click Some(\"spring\") \"sub1=a%20b\" {}", HEAD.len()));
        check("GET /c?ref=x HTTP/1.1\r\n\r\n", "click None \"ref=x\" 25");
        (0..HEAD.len()).for_each(|cut| check(&HEAD[..cut], "unfinished"));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_left_to_hyper() {
        for line in [
            "Content-Length: 0",
            "content-length : 0",
            "Transfer-Encoding: chunked",
            "Expect: 100-continue",
            "Upgrade: h2c",
            "Connection: close",
            "connection: keep-alive, upgrade",
            "folded: a\r\n b",
        ] {
            check(&HEAD.replace("Host: x", line), "hyper's");
        }
        for (from, to) in [
            ("GET", "HEAD"),
            ("GET", "get"),
            ("GET", "OPTIONS"),
            ("HTTP/1.1", "HTTP/1.0"),
            ("/c/", "/cc/"),
            ("/c/", "http://x/c/"),
            ("/c/spring", "/c/"),
            ("spring", "spr%69ng"),
            ("spring", "spring/x"),
            ("?", "#"),
            ("%20", "{x}"),
            ("%20", "é"),
            ("Host: x", &format!("Host: x{}", "\r\na: b".repeat(HEADERS))),
        ] {
            check(&HEAD.replacen(from, to, 1), "hyper's");
        }
    }
}
