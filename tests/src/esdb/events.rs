//! Events on their way to a client, each with the fault that is planned for it.

use std::{sync::Arc, time::Duration};

use super::{
    connection::Connection,
    faults::{Fault, Operation},
    node::Node,
    outlet::{Ended, Inlet},
    read::{IdFormat, message},
    record::Record,
    wire::event_store::client::streams::read_resp::Content,
};

/// How long an event may take to leave before its connection ends behind it.
const LEAVING: Duration = Duration::from_millis(20);

/// Where the events of one call go.
#[derive(Debug)]
pub(super) struct Events {
    node: Arc<Node>,
    connection: Connection,
    inlet: Inlet,
    operation: Operation,
    id_format: IdFormat,
    /// An event that waits for the next one to overtake it.
    late: Option<Arc<Record>>,
}

impl Events {
    /// Events of this kind, for this call.
    pub(super) fn new(
        node: Arc<Node>,
        connection: Connection,
        inlet: Inlet,
        operation: Operation,
        id_format: IdFormat,
    ) -> Self {
        Self { node, connection, inlet, operation, id_format, late: None }
    }

    /// Sends the event.
    pub(super) async fn send(&mut self, record: &Arc<Record>) -> Result<(), Ended> {
        let fault = self.node.faults.take(self.operation);
        self.node.before(fault, &self.connection).await?;
        match fault {
            Some(Fault::CleanEnd) => return Err(Ended::Silently),
            Some(Fault::WrongOrder) if self.late.is_none() => {
                self.late = Some(Arc::clone(record));
                return Ok(());
            }
            Some(Fault::Duplicate) => self.put(record).await?,
            Some(_) | None => {}
        }
        self.put(record).await?;
        self.finish().await?;
        if fault.is_some() {
            tokio::time::sleep(LEAVING).await;
            self.node.after(fault, &self.connection).await?;
        }
        Ok(())
    }

    /// Sends what was held back.
    pub(super) async fn finish(&mut self) -> Result<(), Ended> {
        match self.late.take() {
            Some(late) => self.put(&late).await,
            None => Ok(()),
        }
    }

    async fn put(&self, record: &Record) -> Result<(), Ended> {
        self.inlet.send(Content::Event(message(record, self.id_format))).await
    }
}
