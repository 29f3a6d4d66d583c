//! How much of the edge a caller may use. The defaults are safe to face the internet with.

use std::time::Duration;

/// All limits of the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeLimits {
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
    /// Sockets and streams that are open at once, of everybody.
    pub connections_max: usize,
    /// Sockets and streams that are open at once, of one subject.
    pub connections_per_subject_max: usize,
    /// How long a socket or stream may take to accept a message.
    pub send_timeout: Duration,
    /// Of a WebSocket.
    pub socket: SocketLimits,
    /// Of an SSE stream.
    pub stream: StreamLimits,
}

/// Limits of one WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketLimits {
    /// Bytes of one message from the client.
    pub message_bytes_max: usize,
    /// How long a client may take to send `connection_init`.
    pub init_timeout: Duration,
    /// How often the server pings; a client that is silent for two intervals is gone.
    pub ping_interval: Duration,
    /// Operations that run at once.
    pub operations_max: usize,
    /// Operations that may start at once, after a quiet time.
    pub starts_burst: u32,
    /// Operations that may start in a minute, in the long run.
    pub starts_per_minute: u32,
}

/// Limits of one SSE stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// How often a comment shows that the stream is alive.
    pub keep_alive_interval: Duration,
    /// How long a client should wait before it comes back after a shutdown.
    pub retry_after: Duration,
}

impl Default for EdgeLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: 256 * 1024,
            body_timeout: Duration::from_secs(10),
            connections_max: 20_000,
            connections_per_subject_max: 10,
            send_timeout: Duration::from_secs(10),
            socket: SocketLimits::default(),
            stream: StreamLimits::default(),
        }
    }
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            message_bytes_max: 64 * 1024,
            init_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(20),
            operations_max: 50,
            starts_burst: 60,
            starts_per_minute: 60,
        }
    }
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { keep_alive_interval: Duration::from_secs(15), retry_after: Duration::from_secs(2) }
    }
}
