//! An HTTP answer, of which only the end, the status and the click's id are looked at.

use anyhow::{Context, Result, bail};
use domain::ClickId;
use memchr::{memchr, memmem};

const HEAD_ENDS: &[u8] = b"\r\n\r\n";
const LENGTH: &[u8] = b"content-length";
const CODING: &[u8] = b"transfer-encoding";
/// How the id of a click begins, wherever it stands in the head.
const CLICK_ID: &[u8] = b"clk_";
/// `clk_` and 26 letters.
const CLICK_ID_LENGTH: usize = 30;

/// A whole answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// How many bytes are head; the body follows.
    pub head: usize,
    /// How many bytes it has in all.
    pub length: usize,
}

/// The answer at the beginning of these bytes, or none while it is not all there.
pub fn scan(bytes: &[u8]) -> Result<Option<Answer>> {
    let Some(end) = memmem::find(bytes, HEAD_ENDS) else { return Ok(None) };
    let head = end + HEAD_ENDS.len();
    let status = bytes.get(9..12).and_then(number).context("an answer has no status")?;
    let status = u16::try_from(status).context("a status has three digits")?;
    let length = head + body_length(&bytes[..end])?;
    Ok((length <= bytes.len()).then_some(Answer { status, head, length }))
}

fn body_length(head: &[u8]) -> Result<usize> {
    let mut rest = head;
    while let Some(newline) = memchr(b'\n', rest) {
        rest = &rest[newline + 1..];
        if is_header(rest, LENGTH) {
            let line = &rest[..memchr(b'\r', rest).unwrap_or(rest.len())];
            return number(line[LENGTH.len() + 1..].trim_ascii()).context("a Content-Length is no number");
        }
        if is_header(rest, CODING) {
            bail!("an answer comes in chunks, which this generator does not read");
        }
    }
    Ok(0)
}

fn is_header(line: &[u8], name: &[u8]) -> bool {
    line.get(name.len()) == Some(&b':') && line[..name.len()].eq_ignore_ascii_case(name)
}

fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || 18 < digits.len() {
        return None;
    }
    digits.iter().try_fold(0, |number: usize, digit| {
        digit.is_ascii_digit().then(|| number * 10 + usize::from(digit - b'0'))
    })
}

/// The click's id in the head of an answer.
pub fn click_id(head: &[u8]) -> Option<ClickId> {
    let begin = memmem::find(head, CLICK_ID)?;
    let text = head.get(begin..begin + CLICK_ID_LENGTH)?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDIRECT: &str = "HTTP/1.1 302 Found\r\nlocation: https://shop.example/?clickid=clk_01J0B3V1MMKAZTX5CPD4VTFBCH\r\n\
        Content-Length: 0\r\n\r\n";

    #[track_caller]
    fn check(text: &str, expected: Option<(u16, usize)>) {
        let found = scan(text.as_bytes()).expect("a well-formed answer");
        assert_eq!(found.map(|answer| (answer.status, answer.length)), expected, "{text:?}");
    }

    #[test]
    fn an_answer_ends_where_its_length_says() {
        check(REDIRECT, Some((302, REDIRECT.len())));
        check("HTTP/1.1 302 Found\r\n\r\nHTTP/1.1", Some((302, 22)));
        check("HTTP/1.1 503 Busy\r\nContent-length:3\r\n\r\nabc", Some((503, 42)));
    }

    #[test]
    fn what_is_not_all_there_is_waited_for() {
        (0..REDIRECT.len()).for_each(|end| check(&REDIRECT[..end], None));
        check("HTTP/1.1 503 Busy\r\ncontent-length: 3\r\n\r\nab", None);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for text in [
            "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ] {
            assert!(scan(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_click_is_found_by_its_id() {
        let id = click_id(REDIRECT.as_bytes()).expect("there is one").to_string();
        assert_eq!(id, "clk_01J0B3V1MMKAZTX5CPD4VTFBCH");
        assert_eq!(click_id(b"clickid=clk_01J0"), None);
    }
}
