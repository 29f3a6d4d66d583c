//! One TCP connection of a client, which a fault may end.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With FIN, as when a process closes it.
    Close,
    /// With RST, as when a process dies with data unread.
    Reset,
}

/// A hold on the connection that a request came by.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    socket: Socket,
    /// Cancelled when the connection is to end.
    pub(super) is_over: CancellationToken,
}

impl Connection {
    /// The connection over this socket.
    pub(super) fn new(stream: TcpStream, is_over: CancellationToken) -> (Self, Socket) {
        let socket = Socket(Arc::new(Mutex::new(stream)));
        (Self { socket: socket.clone(), is_over }, socket)
    }

    /// Ends the connection; whoever is served on it never gets an answer.
    pub(super) fn end(&self, end: End) {
        if end == End::Reset {
            let stream = self.socket.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Fails only if the socket is gone already.
            let _ = stream.set_zero_linger();
        }
        self.is_over.cancel();
    }
}

/// The socket of a connection, which its requests can reach. Locked for the length of a poll.
#[derive(Clone, Debug)]
pub(super) struct Socket(Arc<Mutex<TcpStream>>);

impl Socket {
    fn poll<T>(&self, poll: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        poll(Pin::new(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll(|mut stream| {
            let read = stream.as_mut().poll_read(cx, buffer);
            if read.is_ready() {
                acknowledge(&stream);
            }
            read
        })
    }
}

/// Acknowledges at once what came. A client may hold the second half of each request back until the first half is
/// acknowledged (Nagle's algorithm, as the client of the server's makers for Rust does), for which the kernel would take
/// 40 ms.
fn acknowledge(stream: &TcpStream) {
    // Fails only if the socket is gone already; elsewhere than on Linux, tests are slower.
    #[cfg(target_os = "linux")]
    let _ = stream.set_quickack(true);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_shutdown(cx))
    }
}
