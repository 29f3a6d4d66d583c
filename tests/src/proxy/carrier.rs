//! One connection: what a client says to the server and the server to the client, and what becomes of it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    Line,
    fault::{Direction, End, Fault},
    lock, reset,
};

/// What is taken in one go: larger than most messages, so that a message is one piece.
const PIECE_BYTES: usize = 64 * 1024;
/// How long an end that was closed is given to close, too.
const GOODBYE: Duration = Duration::from_millis(200);

/// Carries one connection to its end. It counts, and is cut with the others, from now on.
pub(super) fn carry(client: TcpStream, line: &Arc<Line>) -> impl Future<Output = ()> + use<> {
    let carried = Carried::new(line);
    let cuts = line.cuts.subscribe();
    let halves = line.halves.each_ref().map(watch::Sender::subscribe);
    let heals = line.heals.subscribe();
    run(client, carried, cuts, halves, heals)
}

async fn run(
    mut client: TcpStream,
    carried: Carried,
    mut cuts: watch::Receiver<(u64, End)>,
    halves: [watch::Receiver<u64>; 2],
    mut heals: watch::Receiver<u64>,
) {
    let line = &*carried.0;
    let connecting = tokio::select! {
        connected = TcpStream::connect(line.server) => connected,
        _ = cuts.changed() => return reset(&client),
    };
    let Ok(mut server) = connecting else { return reset(&client) };
    for stream in [&client, &server] {
        // Fails only if the connection is gone already. No message may wait for the next.
        let _ = stream.set_nodelay(true);
    }
    let end = {
        let [half_to_server, half_to_client] = halves;
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let there = Pump { direction: Direction::ToServer, line, half: half_to_server };
        let back = Pump { direction: Direction::ToClient, line, half: half_to_client };
        tokio::select! {
            ended = async {
                tokio::try_join!(there.run(from_client, to_server), back.run(from_server, to_client))
            } => if ended.is_ok() { return } else { End::Reset },
            _ = cuts.changed() => cuts.borrow_and_update().1,
        }
    };
    if let End::Late(before) = end {
        // Lost until it is healed, or cut in another way.
        tokio::select! {
            _ = heals.wait_for(|heals| *heals > before) => {}
            _ = cuts.changed() => {}
        }
    }
    match end {
        End::Reset | End::Late(_) => {
            reset(&client);
            reset(&server);
        }
        End::Close => {
            tokio::join!(close(&mut client), close(&mut server));
        }
    }
}

/// Says goodbye and waits for the other one's. To leave while bytes are on their way would be a reset.
async fn close(stream: &mut TcpStream) {
    // Fails only if the connection is gone already.
    let _ = stream.shutdown().await;
    let mut rest = vec![0; PIECE_BYTES];
    let _ = timeout(GOODBYE, async { while matches!(stream.read(&mut rest).await, Ok(bytes) if bytes > 0) {} }).await;
}

/// Counts a connection as long as it is carried.
struct Carried(Arc<Line>);

impl Carried {
    fn new(line: &Arc<Line>) -> Self {
        line.carried.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(line))
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.0.carried.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The connection is to be cut.
struct Broken;

impl From<std::io::Error> for Broken {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

/// One direction of a connection.
struct Pump<'a> {
    direction: Direction,
    line: &'a Line,
    half: watch::Receiver<u64>,
}

impl Pump<'_> {
    /// Until nothing more comes.
    async fn run(mut self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Result<(), Broken> {
        let mut piece = vec![0; PIECE_BYTES];
        let mut is_closed = false;
        loop {
            let bytes = tokio::select! {
                biased;
                _ = self.half.changed(), if !is_closed => {
                    to.shutdown().await?;
                    is_closed = true;
                    continue;
                }
                bytes = from.read(&mut piece) => bytes?,
            };
            #[cfg(target_os = "linux")]
            acknowledge(from.as_ref());
            if is_closed && bytes > 0 {
                continue;
            }
            self.pass().await;
            if bytes == 0 {
                // Fails if it was closed before, or by the other end.
                let _ = to.shutdown().await;
                return Ok(());
            }
            self.forward(&piece[..bytes], &mut to).await?;
        }
    }

    /// Waits as long as nothing may pass.
    async fn pass(&self) {
        let holds = |state: &Option<Fault>| state.filter(|fault| fault.holds(self.direction));
        let Some(fault) = holds(&self.line.now()) else { return };
        self.line.hit(fault.kind(), 1);
        // Its sender lives as long as the line.
        let _ = self.line.state.subscribe().wait_for(|state| holds(state).is_none()).await;
    }

    async fn forward(&self, message: &[u8], to: &mut WriteHalf<'_>) -> Result<(), Broken> {
        if let Some(torn) = self.torn() {
            let bytes = torn.bytes.min(message.len() - 1);
            to.write_all(&message[..bytes]).await?;
            self.line.hit(Fault::Torn { direction: self.direction, bytes }.kind(), 1);
            return Err(Broken);
        }
        match self.line.now() {
            Some(fault @ Fault::Slow(latency)) => {
                self.line.hit(fault.kind(), 1);
                sleep(latency).await;
                to.write_all(message).await?;
            }
            Some(fault @ Fault::Trickle { bytes, pause }) => {
                self.line.hit(fault.kind(), 1);
                let mut rest = message;
                while !rest.is_empty() && self.line.now() == Some(fault) {
                    let (drop, behind) = rest.split_at(bytes.min(rest.len()));
                    to.write_all(drop).await?;
                    rest = behind;
                    sleep(pause).await;
                }
                self.pass().await;
                to.write_all(rest).await?;
            }
            Some(
                Fault::Reset
                | Fault::Close
                | Fault::Half(_)
                | Fault::Refuse
                | Fault::TurnAway
                | Fault::Hang(_)
                | Fault::Lose
                | Fault::Torn { .. },
            )
            | None => to.write_all(message).await?,
        }
        Ok(())
    }

    /// The tear that is due, if it is for this way.
    fn torn(&self) -> Option<super::Torn> {
        lock(&self.line.torn).take_if(|torn| torn.direction == self.direction)
    }
}

/// Acknowledges at once what came: whoever sends may hold back the next message until then (Nagle's algorithm), and the
/// kernel would take 40 ms.
#[cfg(target_os = "linux")]
fn acknowledge(stream: &TcpStream) {
    // Fails only if the connection is gone already; then it is slower.
    let _ = stream.set_quickack(true);
}
