//! Stock as clients see it.

use async_graphql::{Context, Error, ID, Object};
use domain::{
    Timestamp,
    values::{Pieces, Sku},
};
use projections::stock_level::StockLevelRow;

use crate::graphql::{
    behind::RowBehind,
    call::{operator, services, version},
    node::global,
};

/// The pieces of a SKU in all warehouses.
#[derive(Clone, Debug)]
pub(super) struct StockObject {
    pub(super) sku: Sku,
    pub(super) levels: Vec<StockLevelRow>,
}

impl StockObject {
    fn sum(&self, pieces: impl Fn(&StockLevelRow) -> Pieces) -> u64 {
        self.levels.iter().map(|level| pieces(level).number()).sum()
    }
}

/// What the shop has of a SKU.
#[Object(name = "Stock")]
impl StockObject {
    /// Of what.
    async fn sku(&self) -> &str {
        self.sku.as_str()
    }

    /// How many pieces can be ordered: in all warehouses together.
    async fn available(&self) -> u64 {
        self.sum(StockLevelRow::available)
    }

    /// How many pieces there are, reserved ones too: in all warehouses together. For operators.
    #[expect(clippy::unused_async, reason = "async-graphql asks for it")]
    async fn on_hand(&self, context: &Context<'_>) -> Result<Option<u64>, Error> {
        operator(context)?;
        Ok(Some(self.sum(|level| level.on_hand)))
    }

    /// How many of them are promised to orders. For operators.
    #[expect(clippy::unused_async, reason = "async-graphql asks for it")]
    async fn reserved(&self, context: &Context<'_>) -> Result<Option<u64>, Error> {
        operator(context)?;
        Ok(Some(self.sum(|level| level.reserved)))
    }

    /// Where they are: one for each warehouse that ever received the SKU, by name. They are as many as the shop has
    /// warehouses, and are read together, so they come whole.
    #[graphql(complexity = "5 + child_complexity")]
    async fn levels(&self) -> Vec<StockLevelObject> {
        self.levels.iter().cloned().map(StockLevelObject).collect()
    }
}

/// The pieces of a SKU in one warehouse.
#[derive(Clone, Debug)]
pub(crate) struct StockLevelObject(pub(in crate::graphql) StockLevelRow);

/// What the shop has of a SKU in one warehouse.
#[Object(name = "StockLevel")]
impl StockLevelObject {
    /// The global id, opaque.
    pub(in crate::graphql) async fn id(&self) -> ID {
        global(self.0.stock)
    }

    /// Of what.
    async fn sku(&self) -> &str {
        self.0.sku.as_str()
    }

    /// Where: the shop's short name of the place.
    async fn warehouse(&self) -> &str {
        self.0.warehouse.as_str()
    }

    /// How many pieces can be ordered.
    async fn available(&self) -> u64 {
        self.0.available().number()
    }

    /// How many pieces there are, reserved ones too. For operators.
    #[expect(clippy::unused_async, reason = "async-graphql asks for it")]
    async fn on_hand(&self, context: &Context<'_>) -> Result<Option<u64>, Error> {
        operator(context)?;
        Ok(Some(self.0.on_hand.number()))
    }

    /// How many of them are promised to orders. For operators.
    #[expect(clippy::unused_async, reason = "async-graphql asks for it")]
    async fn reserved(&self, context: &Context<'_>) -> Result<Option<u64>, Error> {
        operator(context)?;
        Ok(Some(self.0.reserved.number()))
    }

    /// When anything about it changed last.
    async fn updated_at(&self) -> Timestamp {
        self.0.updated_at
    }

    /// Counts its changes: of two levels of the same stock, the one with the higher version is the later one.
    async fn version(&self) -> i32 {
        version(self.0.revision)
    }

    /// What of it the read model does not show because an event cannot be applied; null if nothing.
    #[expect(clippy::unused_async, reason = "async-graphql asks for it")]
    async fn behind(&self, context: &Context<'_>) -> Result<Option<RowBehind>, Error> {
        RowBehind::of(context, services(context).read_models.stock_level.behind(self.0.stock.uuid()))
    }
}
