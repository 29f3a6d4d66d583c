//! Orders from the process where an operator is, to the one that leads the projection: left in the read store, taken by
//! the lead, answered there.

use std::{sync::Arc, time::Duration};

use infrastructure::{
    clock::IdSource,
    read_store::{ReadStore, ReadStoreError},
};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Ask, Membership, Said,
    sql::{self, Letter, Progress},
};
use crate::ManagerError;

/// How long an order waits for a lead to take it: longer than it takes another process to become the lead.
const TAKEN_WITHIN: Duration = Duration::from_secs(15);
/// How often it is looked at without a nudge.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Where orders are left and found.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox {
    pub(crate) rows: Arc<dyn ReadStore>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) membership: Membership,
}

impl Mailbox {
    /// Asks the lead of a projection, and waits for its answer. Whoever waits no longer leaves the order to the lead.
    pub(crate) async fn ask(&self, (name, version): (&'static str, u32), ask: &Ask) -> Result<Said, ManagerError> {
        let asked = serde_json::to_string(ask).expect("an order is JSON");
        let letter = Letter { id: self.ids.fresh(), asked };
        let mut nudges = self.rows.nudges();
        self.rows.transaction(vec![sql::ask(&letter, (name, version), self.membership.id)]).await?;
        self.rows.nudge();
        let deadline = Instant::now() + TAKEN_WITHIN;
        loop {
            match sql::progress(&*self.rows, letter.id).await {
                Ok(Some(Progress { answer: Some(answer), .. })) => {
                    // It is answered whether or not it can be cleared away.
                    let _ = self.rows.transaction(vec![sql::forget(letter.id)]).await;
                    let said = serde_json::from_str(&answer);
                    let broken = |error: serde_json::Error| ReadStoreError::Unavailable(error.to_string());
                    let said = said.map_err(broken)?;
                    return if let Said::Refused(refusal) = said { Err(refusal.into_error(name)) } else { Ok(said) };
                }
                Ok(Some(Progress { taken_by: Some(lead), .. })) if !self.membership.is_alive(lead) => {
                    let _ = self.rows.transaction(vec![sql::forget(letter.id)]).await;
                    return Err(ManagerError::NoLead(name));
                }
                Ok(Some(Progress { taken_by: None, .. })) if Instant::now() >= deadline => {
                    // Rolls back if it was taken just now; then there will be an answer.
                    if self.rows.transaction(vec![sql::withdraw(letter.id)]).await.is_ok() {
                        return Err(ManagerError::NoLead(name));
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => return Err(ManagerError::NoLead(name)),
                // The order is there: what has become of it shows once the store is back.
                Err(ReadStoreError::Unavailable(_)) if Instant::now() < deadline => {}
                Err(error) => return Err(error.into()),
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, nudges.changed()).await;
        }
    }

    /// The next order to this version of a projection, if there is one: it is this process's to answer.
    pub(crate) async fn next(&self, of: (&str, u32)) -> Result<Option<(Uuid, Ask)>, ReadStoreError> {
        for letter in sql::letters(&*self.rows, of).await? {
            match self.rows.transaction(vec![sql::take(letter.id, self.membership.id)]).await {
                Ok(()) => {}
                // It was taken back.
                Err(ReadStoreError::Guard { .. }) => continue,
                Err(error) => return Err(error),
            }
            match serde_json::from_str(&letter.asked) {
                Ok(ask) => return Ok(Some((letter.id, ask))),
                // Another build knows orders that this one does not.
                Err(error) => {
                    let refusal = super::wire::Refusal::Broken(format!("the lead does not know this order: {error}"));
                    self.answer(letter.id, &Said::Refused(refusal)).await;
                }
            }
        }
        Ok(None)
    }

    /// Answers an order.
    pub(crate) async fn answer(&self, id: Uuid, said: &Said) {
        let text = serde_json::to_string(said).expect("an answer is JSON");
        if let Err(error) = self.rows.transaction(vec![sql::answer(id, &text)]).await {
            tracing::warn!(error = %error, "the answer to an order was not written: {error}");
        }
        self.rows.nudge();
    }

    /// Clears away what nobody waits for any more.
    pub(crate) async fn clear_away(&self) -> Result<(), ReadStoreError> {
        for (id, asked_by) in sql::askers(&*self.rows).await? {
            if !self.membership.is_alive(asked_by) {
                self.rows.transaction(vec![sql::forget(id)]).await?;
            }
        }
        Ok(())
    }
}
