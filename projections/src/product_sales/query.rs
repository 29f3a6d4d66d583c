//! Questions to the sales.

use domain::values::ProductId;
use infrastructure::read_store::{Cost, Query, Value};

use super::{ProductSales, sql};
use crate::{QueryError, ServedTables};

/// What was ordered of a product and not cancelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sales {
    /// How many pieces.
    pub units: u64,
    /// In how many orders.
    pub orders: u64,
}

impl ServedTables<ProductSales> {
    /// The sales of one product.
    pub async fn of(&self, product: ProductId) -> Result<Sales, QueryError> {
        let rows = self
            .select(|tables| Query {
                sql: sql::counters(tables).into(),
                params: vec![Value::Uuid(product.uuid())],
                cost: Cost::Point,
            })
            .await?;
        let Some(row) = rows.first() else { return Ok(Sales::default()) };
        let count = |column| row.int(column).map(|count| u64::try_from(count).unwrap_or(0));
        Ok(Sales { units: count(0)?, orders: count(1)? })
    }
}
