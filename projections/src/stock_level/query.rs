//! Questions about stock.

use domain::values::Sku;
use infrastructure::read_store::{Cost, Query, Value};

use super::{StockLevel, StockLevelRow};
use crate::{QueryError, Served};

impl Served<StockLevel> {
    /// The levels of a SKU, one for each warehouse that ever received it, by the warehouses' names.
    pub async fn of_sku(&self, sku: &Sku) -> Result<Vec<StockLevelRow>, QueryError> {
        self.select(|columns, table| Query {
            sql: format!("SELECT {columns} FROM {table} WHERE sku = $1 ORDER BY warehouse").into(),
            params: vec![Value::Text(sku.as_str().to_owned())],
            cost: Cost::Point,
        })
        .await
    }
}
