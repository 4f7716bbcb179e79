//! A visitor's side of HTTP/1.1: one kept connection and one request at a time, so that it is known of every request
//! whether it was sent and whether it was answered.

use std::{io, net::SocketAddr};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A connection that is kept.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    /// The head as it came, without the status line's and the last line's end.
    head: String,
    pub body: String,
}

impl Answer {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4_096) })
    }

    /// Asks for something, and waits for the answer.
    pub(super) async fn get(&mut self, path: &str, headers: &str) -> Result<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: torture.example\r\n{headers}\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        self.receive().await
    }

    async fn receive(&mut self) -> Result<Answer> {
        self.buffer.clear();
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            self.read_more().await?;
        };
        let head = String::from_utf8(self.buffer[..end].to_vec()).context("an answer's head is no text")?;
        let status =
            head.get(9..12).and_then(|digits| digits.parse().ok()).context("an answer without a status")?;
        let mut answer = Answer { status, head, body: String::new() };
        let length = answer.header("content-length").map_or(Ok(0), str::parse::<usize>);
        let length = length.context("an answer's Content-Length is no number")?;
        while self.buffer.len() < end + 4 + length {
            self.read_more().await?;
        }
        let body = self.buffer[end + 4..end + 4 + length].to_vec();
        answer.body = String::from_utf8(body).context("an answer's body is no text")?;
        Ok(answer)
    }

    async fn read_more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the connection ended before the answer");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answer_to(bytes: &'static [u8]) -> Result<Answer> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            let mut request = [0; 1_024];
            let _ = stream.read(&mut request).await?;
            stream.write_all(bytes).await
        });
        let answer = Connection::open(address).await?.get("/", "").await;
        server.await??;
        answer
    }

    #[tokio::test]
    async fn an_answer_has_its_status_headers_and_body() {
        let bytes = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nretry-after: 1\r\n\r\nlate";
        let answer = answer_to(bytes).await.expect("an answer");
        assert_eq!((answer.status, answer.body.as_str()), (503, "late"));
        assert_eq!(answer.header("Retry-After"), Some("1"));
        assert_eq!(answer.header("location"), None);
    }

    #[tokio::test]
    async fn half_an_answer_is_none() {
        for bytes in [&b"HTTP/1.1 302 Fo"[..], b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
            assert!(answer_to(bytes).await.is_err());
        }
    }
}
