//! What can go wrong with connections.

use std::time::Duration;

/// From whom to whom bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From client to server: requests.
    ToServer,
    /// From server to client: answers.
    ToClient,
}

/// What is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Everything.
    Both,
    /// Requests.
    ToServer,
    /// Answers: requests take effect, and nobody is told.
    ToClient,
}

/// What goes wrong. Those that say so last until they are healed; the others happen once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Every connection is cut with RST, for both ends.
    Reset,
    /// Every connection is closed with FIN, for both ends.
    Close,
    /// One direction of every connection is closed with FIN; what is sent that way afterwards is lost.
    Half(Direction),
    /// The port is closed, and every connection is cut with RST. Lasts.
    Refuse,
    /// Connections are accepted and reset at once, and those that are open are cut with RST. Lasts.
    TurnAway,
    /// Nothing passes and nothing ends. Lasts.
    Hang(Way),
    /// Connections that are open are silent from now on, as if somebody on the way had forgotten them, and are cut with RST
    /// when it is healed. New ones are as good as ever. Lasts.
    Lose,
    /// Of the next message only so many bytes pass, and fewer than it has; then its connection is cut with RST.
    Torn {
        /// Which way.
        direction: Direction,
        /// How many bytes pass.
        bytes: usize,
    },
    /// Everything comes so much later. Lasts.
    Slow(Duration),
    /// So many bytes pass at a time, with a pause after them. Lasts.
    Trickle {
        /// How many.
        bytes: usize,
        /// The pause.
        pause: Duration,
    },
}

/// A fault without its parameters, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the fault of that name")]
pub enum FaultKind {
    Reset,
    Close,
    HalfToServer,
    HalfToClient,
    Refuse,
    TurnAway,
    Hang,
    HangToServer,
    HangToClient,
    Lose,
    TornToServer,
    TornToClient,
    Slow,
    Trickle,
}

/// How connections are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Close,
    Reset,
    /// With RST, but only when it is healed more often than so many times.
    Late(u64),
}

/// What happens to the next message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Torn {
    pub(super) direction: Direction,
    pub(super) bytes: usize,
}

impl Direction {
    pub(super) const fn index(self) -> usize {
        match self {
            Self::ToServer => 0,
            Self::ToClient => 1,
        }
    }
}

impl Way {
    const fn holds(self, direction: Direction) -> bool {
        matches!(
            (self, direction),
            (Self::Both, _) | (Self::ToServer, Direction::ToServer) | (Self::ToClient, Direction::ToClient)
        )
    }
}

impl Fault {
    /// Its kind.
    pub const fn kind(self) -> FaultKind {
        match self {
            Self::Reset => FaultKind::Reset,
            Self::Close => FaultKind::Close,
            Self::Half(Direction::ToServer) => FaultKind::HalfToServer,
            Self::Half(Direction::ToClient) => FaultKind::HalfToClient,
            Self::Refuse => FaultKind::Refuse,
            Self::TurnAway => FaultKind::TurnAway,
            Self::Hang(Way::Both) => FaultKind::Hang,
            Self::Hang(Way::ToServer) => FaultKind::HangToServer,
            Self::Hang(Way::ToClient) => FaultKind::HangToClient,
            Self::Torn { direction: Direction::ToServer, .. } => FaultKind::TornToServer,
            Self::Torn { direction: Direction::ToClient, .. } => FaultKind::TornToClient,
            Self::Lose => FaultKind::Lose,
            Self::Slow(_) => FaultKind::Slow,
            Self::Trickle { .. } => FaultKind::Trickle,
        }
    }

    /// Whether it holds back what goes this way.
    pub(super) const fn holds(self, direction: Direction) -> bool {
        match self {
            Self::Hang(way) => way.holds(direction),
            Self::Reset
            | Self::Close
            | Self::Half(_)
            | Self::Refuse
            | Self::TurnAway
            | Self::Lose
            | Self::Torn { .. }
            | Self::Slow(_)
            | Self::Trickle { .. } => false,
        }
    }
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Reset,
        Self::Close,
        Self::HalfToServer,
        Self::HalfToClient,
        Self::Refuse,
        Self::TurnAway,
        Self::Hang,
        Self::HangToServer,
        Self::HangToClient,
        Self::Lose,
        Self::TornToServer,
        Self::TornToClient,
        Self::Slow,
        Self::Trickle,
    ];
}
