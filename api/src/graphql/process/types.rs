//! A process as operators see it.

use async_graphql::{ComplexObject, Context, Enum, Error, ID, SimpleObject};
use domain::{Process as _, fulfilment::Fulfilment, values::OrderId};
use infrastructure::{
    codec::DecodeCode,
    process::{Concern, ParkedKey, ProcessStatus, Trouble},
};
use uuid::Uuid;

use crate::{
    error_code::ErrorCode,
    graphql::{PositionToken, call::services, node::global, read::read_store_error},
    processes::Seen,
};

/// The most concerns, and the most keys that wait, of one answer.
const CONCERNS_MAX: i32 = 100;

/// A process of the shop: it does what follows from what happened, until it is done. In a cluster it runs in one node at a
/// time; the others tell what that one has written down, half a second ago or less.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "Process", complex)]
pub(super) struct ProcessObject {
    /// Its name.
    name: String,
    /// Whether it runs in the node that answers.
    is_running: bool,
    /// The node that runs it; null where one process does everything, or if no live node does.
    node: Option<String>,
    /// Whether it has seen the whole log as it was when it was taken over. Before that it does nothing.
    is_caught_up: bool,
    /// Everything up to here was seen.
    position: PositionToken,
    /// The number of `position` in the log, as `millrace events` shows it.
    number: u64,
    /// How many events it is behind.
    lag_events: u64,
    /// How many keys it has in memory, because something is to be done or to be waited for.
    keys: u64,
    /// How many steps wait for their turn.
    waiting: u64,
    /// How many steps are under way.
    under_way: u64,
    /// How many steps were carried out since it was taken over.
    done: u64,
    /// Why it does not go on, if it does not.
    error: Option<String>,
    /// How many steps do not work.
    in_trouble: u64,
    /// How many of them are not tried again until something happens, or an operator wants it.
    stuck: u64,
    /// Steps that do not work: the worst first, at most 20.
    troubles: Vec<ProcessTrouble>,
    /// How many keys somebody has to look at: see `concerns`.
    concerned: u64,
    /// How many keys wait for an event that cannot be read: see `parkedKeys`. Nothing is done for them; all others go on.
    parked: u64,
}

/// A key that waits for an event that this build cannot read, because what is known of it has a hole.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub(super) struct ProcessParkedKey {
    /// Whose event it is: of `fulfilment` the order, of `payments` the payment.
    key: Uuid,
    /// The global id of the order, if the key is one.
    order_id: Option<ID>,
    /// The event's place in the log.
    position: PositionToken,
    /// The number of `position` in the log, as `millrace events` shows it.
    number: u64,
    /// The event's type.
    event_type: String,
    /// Why it cannot be read, for programs.
    code: ProcessParkedCode,
    /// Why it cannot be read, for people.
    reason: String,
}

/// Why an event cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "DecodeCode")]
enum ProcessParkedCode {
    /// This build knows no event of its type: mostly a later build wrote it.
    Unknown,
    /// It is not JSON, or has not the fields of its type.
    Malformed,
    /// It is of an old version, and is not lifted to the one of this build.
    NotLifted,
    /// It is larger than an event may be.
    Oversized,
    /// A defect of this build.
    Panicked,
}

/// A step that does not work.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub(super) struct ProcessTrouble {
    /// Whose: of `fulfilment` the order, of `payments` the payment.
    key: Uuid,
    /// The global id of the order, if the key is one.
    order_id: Option<ID>,
    /// Which step.
    step: Uuid,
    /// What is wrong.
    reason: String,
    /// How often it was tried.
    tries: u32,
    /// Whether it is not tried again until something happens, or an operator wants it.
    is_stuck: bool,
}

/// Something that somebody has to look at, because the process cannot go on by itself.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub(super) struct ProcessConcern {
    /// Whose: of `fulfilment` the order, of `payments` the payment.
    key: Uuid,
    /// The global id of the order, if the key is one.
    order_id: Option<ID>,
    /// What.
    text: String,
}

#[ComplexObject]
impl ProcessObject {
    /// What somebody has to look at, by key; at most 100.
    #[graphql(complexity = "first.clamp(1, 100) as usize * child_complexity")]
    async fn concerns(
        &self,
        context: &Context<'_>,
        #[graphql(default = 20)] first: i32,
    ) -> Result<Vec<ProcessConcern>, Error> {
        let limit = limit(first)?;
        let concerns = services(context).oversight.concerns(&self.name, limit).await.map_err(read_store_error)?;
        Ok(concerns
            .into_iter()
            .map(|Concern { key, text }| ProcessConcern { key, order_id: order_id(&self.name, key), text })
            .collect())
    }

    /// Keys that wait for an event that cannot be read, by key; at most 100. `processRetry` folds one of them anew.
    #[graphql(complexity = "first.clamp(1, 100) as usize * child_complexity")]
    async fn parked_keys(
        &self,
        context: &Context<'_>,
        #[graphql(default = 20)] first: i32,
    ) -> Result<Vec<ProcessParkedKey>, Error> {
        let limit = limit(first)?;
        let parked = services(context).oversight.parked(&self.name, limit).await.map_err(read_store_error)?;
        let parked =
            parked.into_iter().map(|ParkedKey { key, position, type_name, code, reason, .. }| ProcessParkedKey {
                key,
                order_id: order_id(&self.name, key),
                position: PositionToken(position),
                number: position.value(),
                event_type: type_name.to_string(),
                code: code.into(),
                reason,
            });
        Ok(parked.collect())
    }
}

fn limit(first: i32) -> Result<usize, Error> {
    if !(1..=CONCERNS_MAX).contains(&first) {
        return Err(ErrorCode::BadUserInput.error(format!("`first` is 1 to {CONCERNS_MAX}")));
    }
    Ok(usize::try_from(first).unwrap_or_default())
}

impl From<Seen> for ProcessObject {
    fn from(Seen { status, node, lag_events, concerned, parked }: Seen) -> Self {
        let ProcessStatus {
            name,
            is_running,
            is_caught_up,
            position,
            keys,
            waiting,
            under_way,
            done,
            in_trouble,
            stuck,
            troubles,
            error,
        } = status;
        let troubles = troubles.into_iter().map(|Trouble { key, step, reason, tries, is_stuck }| ProcessTrouble {
            key,
            order_id: order_id(name, key),
            step,
            reason,
            tries,
            is_stuck,
        });
        Self {
            name: name.to_owned(),
            is_running,
            node,
            is_caught_up,
            position: PositionToken(position),
            number: position.value(),
            lag_events,
            keys: keys as u64,
            waiting: waiting as u64,
            under_way: under_way as u64,
            done,
            error,
            in_trouble: in_trouble as u64,
            stuck: stuck as u64,
            troubles: troubles.collect(),
            concerned,
            parked,
        }
    }
}

/// The order that the key of this process is.
fn order_id(process: &str, key: Uuid) -> Option<ID> {
    (process == Fulfilment::NAME).then(|| global(OrderId::new(key)))
}
