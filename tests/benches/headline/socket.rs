//! A subscriber: `graphql-transport-ws` over a bare WebSocket, with next to no memory of its own.
//!
//! Thousands of these share one thread with the load generator. Frames to the server are masked with zeros, as the
//! protocol allows; frames from it are whole, because the server never splits one.

use std::{io, net::SocketAddr};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The largest frame.
const FRAME_BYTES_MAX: usize = 2 * 1024;
const FINAL: u8 = 0x80;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;
const MASKED: u8 = 0x80;
/// Says that the length follows in two bytes.
const LENGTH_FOLLOWS: u8 = 126;

/// One open socket.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    buffer: Box<[u8]>,
    /// What of the buffer is read and not taken yet.
    start: usize,
    end: usize,
}

impl Socket {
    /// Opens a socket, signs in and subscribes.
    pub(crate) async fn subscribe(
        address: SocketAddr,
        token: &str,
        document: &str,
        variables: serde_json::Value,
    ) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut socket = Self { stream, buffer: vec![0; FRAME_BYTES_MAX].into(), start: 0, end: 0 };
        let upgrade = format!(
            "GET /graphql HTTP/1.1\r\nhost: {address}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-protocol: graphql-transport-ws\r\n\r\n"
        );
        socket.stream.write_all(upgrade.as_bytes()).await?;
        socket.read_head().await?;
        let init = json!({ "type": "connection_init", "payload": { "token": token } });
        socket.send(TEXT, init.to_string().as_bytes()).await?;
        let acknowledged = socket.next().await?;
        if !acknowledged.contains("connection_ack") {
            return Err(io::Error::other(acknowledged));
        }
        let payload = json!({ "query": document, "variables": variables });
        let subscribe = json!({ "type": "subscribe", "id": "1", "payload": payload });
        socket.send(TEXT, subscribe.to_string().as_bytes()).await?;
        Ok(socket)
    }

    /// The next message. Answers pings on the way.
    pub(crate) async fn next(&mut self) -> io::Result<String> {
        loop {
            let (kind, payload) = self.frame().await?;
            match kind {
                PING => self.send(PONG, payload.as_bytes()).await?,
                CLOSE => return Err(io::Error::other(format!("the server closed the socket: {payload}"))),
                _ => return Ok(payload),
            }
        }
    }

    async fn read_head(&mut self) -> io::Result<()> {
        loop {
            let read = &self.buffer[self.start..self.end];
            if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                if !read.starts_with(b"HTTP/1.1 101 ") {
                    return Err(io::Error::other(String::from_utf8_lossy(read).into_owned()));
                }
                self.start += at + 4;
                return Ok(());
            }
            self.fill().await?;
        }
    }

    /// One frame: its kind and what it says.
    async fn frame(&mut self) -> io::Result<(u8, String)> {
        loop {
            let read = &self.buffer[self.start..self.end];
            let parsed = match *read {
                [first, LENGTH_FOLLOWS, high, low, ..] => {
                    Some((first, 4, usize::from(u16::from_be_bytes([high, low]))))
                }
                [first, length, ..] if length < LENGTH_FOLLOWS => Some((first, 2, usize::from(length))),
                [_, length, ..] if length > LENGTH_FOLLOWS => return Err(io::Error::other("a frame is too large")),
                _ => None,
            };
            if let Some((first, head, length)) = parsed
                && let Some(payload) = read.get(head..head + length)
            {
                let payload = String::from_utf8_lossy(payload).into_owned();
                self.start += head + length;
                return Ok((first & !FINAL, payload));
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let read = self.stream.read(&mut self.buffer[self.end..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.end += read;
        Ok(())
    }

    async fn send(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = vec![FINAL | kind];
        match u8::try_from(payload.len()) {
            Ok(length) if length < LENGTH_FOLLOWS => frame.push(MASKED | length),
            _ => {
                let length = u16::try_from(payload.len()).map_err(io::Error::other)?;
                frame.push(MASKED | LENGTH_FOLLOWS);
                frame.extend(length.to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.stream.write_all(&frame).await
    }
}
