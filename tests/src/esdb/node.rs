//! One node: who may do what on it, and what goes wrong there.

use std::{
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::task::TaskTracker;
use tonic::{Request, Status};

use super::{
    cluster::{Members, Role},
    connection::{Connection, End},
    database::Database,
    faults::{Fault, Faults},
    options::{Access, Options},
    status,
    tls::Tls,
};

/// What the services of a node share.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) database: Arc<Database>,
    pub(super) options: Options,
    pub(super) faults: Arc<Faults>,
    pub(super) members: Arc<Members>,
    pub(super) tls: Option<Arc<Tls>>,
    /// Which of the members it is.
    pub(super) index: usize,
    /// Counts how often all subscriptions were told to end.
    pub(super) endings: watch::Sender<u64>,
    /// All that runs for it.
    pub(super) tasks: TaskTracker,
    /// Holds on replication that end by themselves.
    pub(super) holds: Mutex<JoinSet<()>>,
}

/// What is known of a call beside its message.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) connection: Connection,
    requires_leader: bool,
    authorization: Option<String>,
    /// How long the client will wait.
    pub(super) timeout: Option<Duration>,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    Read,
    ReadAll,
    Write,
}

impl Call {
    /// The call that `request` is.
    pub(super) fn of<T>(request: &Request<T>) -> Self {
        let header = |name| request.metadata().get(name).and_then(|value| value.to_str().ok());
        Self {
            connection: request.extensions().get::<Connection>().expect("server.rs puts it there").clone(),
            requires_leader: header("requires-leader").is_some_and(|value| value.eq_ignore_ascii_case("true")),
            authorization: header("authorization").map(str::to_owned),
            timeout: header("grpc-timeout").and_then(timeout),
        }
    }

    /// Runs `work` no longer than the client waits.
    ///
    /// Source: deadlines of ASP.NET Core gRPC, which cancel the call on the server too. Live: not verified.
    pub(super) async fn within_timeout<T>(&self, work: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        let Some(timeout) = self.timeout else { return work.await };
        tokio::time::timeout(timeout, work)
            .await
            .unwrap_or_else(|_| Err(Status::deadline_exceeded("Deadline Exceeded")))
    }
}

/// The value of a `grpc-timeout` header: digits and a unit.
fn timeout(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number.saturating_mul(3_600))),
        "M" => Some(Duration::from_secs(number.saturating_mul(60))),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

impl Node {
    /// Whether the call may come in at all.
    pub(super) fn admit(&self, call: &Call, right: Right) -> Result<(), Status> {
        if let Some(access) = &self.options.access {
            check_access(access, call.authorization.as_deref(), right)?;
        }
        if call.requires_leader && self.members.role(self.index) != Role::Leader {
            let leader = self.members.leader().map(|leader| self.members.list()[leader].address);
            return Err(leader.map_or_else(status::not_ready, status::not_leader));
        }
        // A follower passes writes on to the leader.
        if right == Right::Write && self.members.leader().is_none() {
            return Err(status::not_ready());
        }
        Ok(())
    }

    /// What a fault does before an operation takes effect.
    pub(super) async fn before(&self, fault: Option<Fault>, connection: &Connection) -> Result<(), Status> {
        match fault {
            Some(Fault::DropBefore) => Self::end(connection, End::Close).await,
            Some(Fault::ResetBefore) => Self::end(connection, End::Reset).await,
            Some(Fault::HangBefore) => self.faults.hang().await,
            Some(Fault::TimedOutBefore) => return Err(status::timed_out("planned")),
            Some(Fault::Unavailable) => return Err(status::not_ready()),
            Some(Fault::Busy) => return Err(status::busy()),
            Some(Fault::NotLeader(leader)) => return Err(status::not_leader(leader)),
            Some(Fault::Delay(delay)) => tokio::time::sleep(delay).await,
            Some(Fault::ReplicateLater(delay)) => {
                let hold = self.database.hold_replication();
                self.holds.lock().unwrap_or_else(PoisonError::into_inner).spawn(async move {
                    tokio::time::sleep(delay).await;
                    drop(hold);
                });
            }
            Some(
                Fault::DropAfter
                | Fault::ResetAfter
                | Fault::HangAfter
                | Fault::TimedOutAfter
                | Fault::CleanEnd
                | Fault::Duplicate
                | Fault::WrongOrder,
            )
            | None => {}
        }
        Ok(())
    }

    /// What a fault does after an operation took effect.
    pub(super) async fn after(&self, fault: Option<Fault>, connection: &Connection) -> Result<(), Status> {
        match fault {
            Some(Fault::DropAfter) => Self::end(connection, End::Close).await,
            Some(Fault::ResetAfter) => Self::end(connection, End::Reset).await,
            Some(Fault::HangAfter) => self.faults.hang().await,
            Some(Fault::TimedOutAfter) => return Err(status::timed_out("planned")),
            Some(
                Fault::DropBefore
                | Fault::ResetBefore
                | Fault::HangBefore
                | Fault::TimedOutBefore
                | Fault::Unavailable
                | Fault::Busy
                | Fault::NotLeader(_)
                | Fault::Delay(_)
                | Fault::ReplicateLater(_)
                | Fault::CleanEnd
                | Fault::Duplicate
                | Fault::WrongOrder,
            )
            | None => {}
        }
        Ok(())
    }

    /// Ends the connection. Never returns: what waits here goes with it.
    async fn end(connection: &Connection, end: End) {
        connection.end(end);
        pending::<()>().await;
    }

    /// Its own address.
    pub(super) fn address(&self) -> SocketAddr {
        self.members.list()[self.index].address
    }
}

/// Source: "User authentication" and "Access control lists" in the server's documentation: bad credentials are not
/// authenticated, no credentials are nobody's and may nothing. Live: not verified.
fn check_access(access: &Access, authorization: Option<&str>, right: Right) -> Result<(), Status> {
    let Some(authorization) = authorization else { return Err(status::access_denied()) };
    let expected = BASE64_STANDARD.encode(format!("{}:{}", access.user, access.password));
    if authorization.strip_prefix("Basic ") != Some(&*expected) {
        return Err(status::unauthenticated());
    }
    let may = match right {
        Right::Read => true,
        Right::ReadAll => access.may_read_all,
        Right::Write => access.may_write,
    };
    if may { Ok(()) } else { Err(status::access_denied()) }
}
