//! Questions about stock.

use async_graphql::{Context, Error, Object};
use domain::{
    stock::id_of,
    values::{Sku, StockId, Warehouse},
};

use super::{StockLevelObject, types::StockObject};
use crate::graphql::{
    PositionToken,
    behind::refuse_if_stale,
    call::{services, viewer},
    read::{query_error, ready},
};

/// `stock`.
#[derive(Debug, Default)]
pub(crate) struct StockQuery;

#[Object]
impl StockQuery {
    /// What the shop has of this SKU; null if nothing of it was ever received.
    async fn stock(
        &self,
        context: &Context<'_>,
        sku: String,
        min_position: Option<PositionToken>,
    ) -> Result<Option<StockObject>, Error> {
        viewer(context)?;
        let Ok(sku) = Sku::parse(&sku) else { return Ok(None) };
        let levels = ready(context, &services(context).read_models.stock_level, min_position).await?;
        // Asked for first: what is released meanwhile shows in the row.
        let main = id_of(&sku, &Warehouse::main());
        let main_behind = levels.behind(main.uuid());
        let rows = levels.of_sku(&sku).await.map_err(query_error)?;
        // Other warehouses are known by their rows alone.
        refuse_if_stale(main_behind.as_ref(), rows.iter().any(|row| row.stock == main), min_position)?;
        for row in &rows {
            refuse_if_stale(levels.behind(row.stock.uuid()).as_ref(), true, min_position)?;
        }
        Ok((!rows.is_empty()).then_some(StockObject { sku, levels: rows }))
    }
}

/// The stock with this id, for everybody who is signed in.
pub(in crate::graphql) async fn find(
    context: &Context<'_>,
    stock: StockId,
    min_position: Option<PositionToken>,
) -> Result<Option<StockLevelObject>, Error> {
    viewer(context)?;
    let levels = ready(context, &services(context).read_models.stock_level, min_position).await?;
    // Asked for first: what is released meanwhile shows in the row.
    let behind = levels.behind(stock.uuid());
    let row = levels.row(stock.uuid()).await.map_err(query_error)?;
    refuse_if_stale(behind.as_ref(), row.is_some(), min_position)?;
    Ok(row.map(StockLevelObject))
}
