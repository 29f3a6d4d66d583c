//! Questions to the directory.

use domain::values::Handle;
use infrastructure::read_store::{Cost, Query, Value};

use super::{ProfileDirectory, ProfileRow};
use crate::{QueryError, Served};

impl Served<ProfileDirectory> {
    /// The profile with this handle.
    ///
    /// No two have it, but two rows may for a moment, where slices are at different positions: somebody has left the handle
    /// and somebody else has taken it. Whoever has it did something later.
    pub async fn by_handle(&self, handle: &Handle) -> Result<Option<ProfileRow>, QueryError> {
        let found = self
            .select(|columns, table| {
                let sql = format!("SELECT {columns} FROM {table} WHERE handle = $1 ORDER BY updated_at DESC LIMIT 1");
                let params = vec![Value::Text(handle.as_str().to_owned())];
                Query { sql: sql.into(), params, cost: Cost::Point }
            })
            .await?;
        Ok(found.into_iter().next())
    }
}
