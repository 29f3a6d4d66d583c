//! The read store of the settings, carried over to a copy of its log: projections go on where they were.

use std::{sync::Arc, time::Duration};

use infrastructure::{
    event_store::Position,
    lease,
    read_store::{ReadStore, ReadStoreError},
};
use projections::{Bookmarks, Mark, MoveError};

use super::{
    super::{super::Failure, log::Log},
    error::CopyError,
};
use crate::{
    bootstrap::{StartError, open_rows},
    config::Config,
    data_dir::DataDir,
};

/// A read store, and what is to be done with it.
#[derive(Debug)]
pub(super) enum Rows {
    /// Nothing, and this is why.
    Nothing(&'static str),
    /// It is of the source: its positions are to become those of the target.
    OfSource {
        /// It.
        store: Arc<dyn ReadStore>,
        /// Its positions.
        bookmarks: Bookmarks,
        /// How long to look for others who work on it.
        watched: Duration,
    },
}

impl Rows {
    /// Looks what there is. Refuses a read store of another log, and one that others work on.
    pub(super) async fn open(config: &Config, source: &Log, target: &Log) -> Result<Self, Failure> {
        let file = DataDir::read_db(&config.data_dir);
        if config.read_store.url.is_none() && !file.exists() {
            return Ok(Self::Nothing("there is no read store yet: the servers build one from the copy"));
        }
        let store = open_rows(config, &file).await.map_err(StartError::from)?;
        let watched = Duration::from_millis(config.cluster.lease_ms.get());
        refuse_served(&*store, watched).await?;
        let bookmarks = Bookmarks::read(&*store).await.map_err(|error| failure(&error))?;
        let known = bookmarks.origin();
        if known.is_none() && bookmarks.furthest() == Position::START {
            return Ok(Self::Nothing("the read store is empty: the servers fill it from the copy"));
        }
        if known.is_some() && known == origin(target).await? {
            return Ok(Self::Nothing("the read store belongs to the copy already"));
        }
        // One that was started on an empty log does not know its first event yet. A server on the source would take it.
        if known.is_some() && known != origin(source).await? {
            return Err(CopyError::RowsOfAnotherLog("its first event is another one".to_owned()).into());
        }
        if bookmarks.furthest() > source.head().await? {
            return Err(CopyError::RowsAhead(bookmarks.furthest().value()).into());
        }
        Ok(Self::OfSource { store, bookmarks, watched })
    }

    /// Takes the next event of the source, and where it is in the target.
    pub(super) fn see(&mut self, from: Position, to: Position) {
        match self {
            Self::Nothing(_) => {}
            Self::OfSource { bookmarks, .. } => bookmarks.see(from, to),
        }
    }

    /// Writes the positions of the target, in one transaction. Every event must have been seen. Says what was done.
    pub(super) async fn carry_over(self, target: &Log) -> Result<&'static str, Failure> {
        let (store, bookmarks, watched) = match self {
            Self::Nothing(why) => return Ok(why),
            Self::OfSource { store, bookmarks, watched } => (store, bookmarks, watched),
        };
        let Some(first) = origin(target).await? else {
            return Err(CopyError::RowsOfAnotherLog("the log has no events".to_owned()).into());
        };
        refuse_served(&*store, watched).await?;
        bookmarks.carry_over(&*store, first).await.map_err(|error| match error {
            MoveError::NoEvent(_) => CopyError::RowsOfAnotherLog(error.to_string()).into(),
            MoveError::Store(ReadStoreError::Guard { .. }) => {
                CopyError::NotReady("somebody has changed it meanwhile".to_owned()).into()
            }
            MoveError::Store(error) => failure(&error),
        })?;
        Ok("the read store belongs to the copy now")
    }
}

/// The first event of a log.
async fn origin(log: &Log) -> Result<Option<Mark>, Failure> {
    let first = log.first_after(Position::START).await?;
    Ok(first.map(|first| Mark { position: first.position, event: first.id }))
}

/// Processes that share a read store beat in it.
async fn refuse_served(store: &dyn ReadStore, watched: Duration) -> Result<(), Failure> {
    let nodes = lease::beating(store, watched).await.map_err(|error| failure(&error))?;
    if nodes.is_empty() {
        return Ok(());
    }
    Err(CopyError::NotReady(format!("processes work on it: {}", nodes.join(", "))).into())
}

fn failure(error: &ReadStoreError) -> Failure {
    let advice =
        "see [read_store] in the settings, and run the command again; docs/operations/cluster.md tells each case";
    Failure::new("READ_STORE_UNUSABLE", error, advice)
}
