//! How a provider fails, before it has done anything or afterwards.

use std::time::Duration;

use serde_json::{Value, json};

use super::socket::Socket;
use crate::random::Random;

/// One way to fail.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// It answers with this status and has done nothing.
    Status(u16),
    /// It asks for a pause of so many seconds and has done nothing.
    Throttle(u64),
    /// It sends the request elsewhere.
    Redirect(String),
    /// The connection is reset before it has done anything.
    ResetBefore,
    /// The connection is reset after it has done everything.
    ResetAfter,
    /// It has done everything and answers with this status.
    StatusAfter(u16),
    /// Half of the answer arrives.
    HalfAnswer,
    /// The answer is a page for people.
    Garbage,
    /// The answer does not end.
    Huge,
    /// The answer comes late.
    Slow(Duration),
    /// The answer tells of another amount than was asked for.
    Contradict,
}

impl Fault {
    /// One of those after which the truth can be had by asking again.
    pub fn any(random: &mut Random) -> Self {
        let all = [
            Self::Status(500),
            Self::Status(503),
            Self::Status(409),
            Self::Throttle(0),
            Self::ResetBefore,
            Self::ResetAfter,
            Self::StatusAfter(502),
            Self::HalfAnswer,
            Self::Garbage,
        ];
        all[random.index(all.len())].clone()
    }
}

/// Fails before anything is done, if the fault is of that kind. Gives whether the connection is over.
pub(super) async fn before(fault: &Fault, socket: &mut Socket) -> Option<bool> {
    match fault {
        Fault::Status(status) => Some(socket.send(*status, &[], &json!({})).await),
        Fault::Throttle(seconds) => Some(socket.send(429, &[("Retry-After", &seconds.to_string())], &json!({})).await),
        Fault::Redirect(url) => Some(socket.send(307, &[("Location", url)], &json!({})).await),
        Fault::ResetBefore => {
            socket.reset();
            Some(true)
        }
        Fault::ResetAfter
        | Fault::StatusAfter(_)
        | Fault::HalfAnswer
        | Fault::Garbage
        | Fault::Huge
        | Fault::Slow(_)
        | Fault::Contradict => None,
    }
}

/// Fails although everything is done, if the fault is of that kind. Gives whether the connection is over.
pub(super) async fn after(fault: &Fault, socket: &mut Socket, answer: &Value) -> Option<bool> {
    match fault {
        Fault::ResetAfter => {
            socket.reset();
            Some(true)
        }
        Fault::StatusAfter(status) => Some(socket.send(*status, &[], &json!({})).await),
        Fault::HalfAnswer => {
            let whole = answer.to_string();
            socket.send_part(whole.len(), &whole[..whole.len() / 2]).await;
            Some(true)
        }
        Fault::Garbage => {
            let page = "<html>It works!</html>";
            Some(socket.send_part(page.len(), page).await)
        }
        Fault::Huge => {
            let block = " ".repeat(1024 * 1024);
            socket.send_part(usize::MAX / 2, &block).await;
            Some(true)
        }
        Fault::Slow(pause) => {
            tokio::time::sleep(*pause).await;
            None
        }
        Fault::Contradict => {
            let mut other = answer.clone();
            if let Some(minor) = other.pointer_mut("/amount/minor") {
                *minor = json!(minor.as_i64().expect("an amount") + 1);
            }
            Some(socket.send(200, &[], &other).await)
        }
        Fault::Status(_) | Fault::Throttle(_) | Fault::Redirect(_) | Fault::ResetBefore => None,
    }
}
