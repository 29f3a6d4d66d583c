//! HTTP/1.1, by hand: requests with a body of a known length, answers whole or in part.

use std::{fmt::Write as _, io};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

/// A connection to somebody who asks.
#[derive(Debug)]
pub(super) struct Socket(BufReader<TcpStream>);

/// A request.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) body: Value,
    headers: Vec<(String, String)>,
}

impl Asked {
    /// The value of a header, whose name is in small letters.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(header, _)| header == name)?;
        Some(value)
    }
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self(BufReader::new(stream))
    }

    /// The next request; none if there is none any more.
    pub(super) async fn receive(&mut self) -> Option<Asked> {
        let first = self.line().await.ok()?;
        let path = first.strip_prefix("POST ")?.split(' ').next()?.to_owned();
        let mut headers = vec![];
        loop {
            let line = self.line().await.ok()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut asked = Asked { path, body: Value::Null, headers };
        let length = asked.header("content-length")?.parse().ok()?;
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        asked.body = serde_json::from_slice(&body).expect("what is asked is JSON");
        Some(asked)
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    /// Answers. True if nobody is there any more.
    pub(super) async fn send(&mut self, status: u16, headers: &[(&str, &str)], body: &Value) -> bool {
        let body = body.to_string();
        let mut answer = format!("HTTP/1.1 {status} x\r\nContent-Type: application/json\r\n");
        for (name, value) in headers {
            write!(answer, "{name}: {value}\r\n").expect("a string takes everything");
        }
        write!(answer, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("a string takes everything");
        self.0.write_all(answer.as_bytes()).await.is_err()
    }

    /// Promises so many bytes and sends these. True if nobody is there any more.
    pub(super) async fn send_part(&mut self, promised: usize, part: &str) -> bool {
        let answer = format!("HTTP/1.1 200 x\r\nContent-Length: {promised}\r\n\r\n{part}");
        self.0.write_all(answer.as_bytes()).await.is_err()
    }

    /// Says nothing until the other side has had enough.
    pub(super) async fn silence(&mut self) {
        // It sends nothing more before it has an answer: what comes is the end.
        let _ = self.0.read_u8().await;
    }

    /// What is on its way is lost, and the other side hears of it.
    pub(super) fn reset(&mut self) {
        self.0.get_ref().set_zero_linger().expect("a socket's option");
    }
}
