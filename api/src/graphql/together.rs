//! Rows that are looked up together, once somebody asks for one of them.
//!
//! What names many objects (the lines of an order, the authors of a page of posts) costs one question to the read model for
//! all of them, not one for each.

use std::collections::{BTreeSet, HashMap};

use async_graphql::{Context, Error};
use projections::{Behind, KeyedFold, ReadModels, Served};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{
    behind::refuse_if_stale,
    call::{services, viewer},
    read::{query_error, ready},
};

/// A read model of objects that others name.
pub(super) trait Named: KeyedFold + Sized {
    /// It, among all of them.
    fn among(models: &ReadModels) -> &Served<Self>;

    /// The key of a row.
    fn key_of(row: &Self::Row) -> Uuid;
}

/// Rows of one answer, looked up at most once.
#[derive(Debug)]
pub(super) struct Together<M: Named> {
    /// Which; the same may be named more than once.
    wanted: Vec<Uuid>,
    /// Those that are known already, from the aggregates' own states: no read model is newer.
    known: HashMap<Uuid, M::Row>,
    found: OnceCell<Result<Found<M::Row>, Error>>,
}

/// What the read model says of them.
#[derive(Debug)]
struct Found<R> {
    rows: HashMap<Uuid, R>,
    behind: HashMap<Uuid, Behind>,
}

impl<M: Named> Together<M> {
    pub(super) fn new(wanted: impl IntoIterator<Item = Uuid>) -> Self {
        Self { wanted: wanted.into_iter().collect(), known: HashMap::new(), found: OnceCell::new() }
    }

    /// The same where some of them are known.
    pub(super) fn knowing(self, rows: impl IntoIterator<Item = M::Row>) -> Self {
        Self { known: rows.into_iter().map(|row| (M::key_of(&row), row)).collect(), ..self }
    }

    /// One of them, for everybody who is signed in; none if the read model does not show it.
    pub(super) async fn get(&self, context: &Context<'_>, key: Uuid) -> Result<Option<&M::Row>, Error> {
        if let Some(row) = self.known.get(&key) {
            return Ok(Some(row));
        }
        let Found { rows, behind } = self.found(context).await?;
        let row = rows.get(&key);
        refuse_if_stale(behind.get(&key), row.is_some(), None)?;
        Ok(row)
    }

    /// All of them that there are, in no particular order.
    pub(super) async fn all(&self, context: &Context<'_>) -> Result<Vec<&M::Row>, Error> {
        let found = self.found(context).await?;
        Ok(self.known.values().chain(found.rows.values()).collect())
    }

    async fn found(&self, context: &Context<'_>) -> Result<&Found<M::Row>, Error> {
        self.found.get_or_init(|| self.find(context)).await.as_ref().map_err(Error::clone)
    }

    async fn find(&self, context: &Context<'_>) -> Result<Found<M::Row>, Error> {
        viewer(context)?;
        let wanted: BTreeSet<Uuid> = self.wanted.iter().copied().filter(|key| !self.known.contains_key(key)).collect();
        if wanted.is_empty() {
            return Ok(Found { rows: HashMap::new(), behind: HashMap::new() });
        }
        let model = ready(context, M::among(&services(context).read_models), None).await?;
        // Asked for first: what is released meanwhile shows in the rows.
        let behind = wanted.iter().filter_map(|key| Some((*key, model.behind(*key)?))).collect();
        let keys: Vec<Uuid> = wanted.into_iter().collect();
        let rows = model.rows(&keys).await.map_err(query_error)?;
        Ok(Found { rows: rows.into_iter().map(|row| (M::key_of(&row), row)).collect(), behind })
    }
}
