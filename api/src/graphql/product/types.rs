//! A product as clients see it.

use async_graphql::{Context, Enum, Error, ID, Object, SimpleObject};
use domain::Timestamp;
use projections::product_catalog::{self, ProductRow};

use crate::graphql::{
    behind::RowBehind,
    call::{operator, services, version},
    node::global,
    read::{query_error, ready_tables},
    scalars::MoneyValue,
};

/// Whether a product can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "product_catalog::ProductStatus")]
pub enum ProductStatus {
    /// It can.
    Offered,
    /// Not any more.
    Retired,
}

/// A product.
#[derive(Clone, Debug)]
pub(crate) struct ProductObject(pub(in crate::graphql) ProductRow);

/// What was ordered of a product and not cancelled.
#[derive(Debug, SimpleObject)]
struct ProductSales {
    /// How many pieces.
    units: u64,
    /// In how many orders.
    orders: u64,
}

/// Something the shop offers, or once did.
#[Object(name = "Product")]
impl ProductObject {
    /// The global id, opaque.
    pub(in crate::graphql) async fn id(&self) -> ID {
        global(self.0.product)
    }

    /// The shop's own name of it.
    async fn sku(&self) -> &str {
        self.0.sku.as_str()
    }

    /// The name.
    async fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// The price of one piece today. Placed orders keep theirs.
    async fn price(&self) -> MoneyValue {
        self.0.price.into()
    }

    /// Whether its pieces are counted: then they are reserved before they are sold.
    async fn tracks_stock(&self) -> bool {
        self.0.is_stocked
    }

    /// Whether it can be ordered.
    async fn status(&self) -> ProductStatus {
        self.0.status.into()
    }

    /// When it was registered.
    async fn registered_at(&self) -> Timestamp {
        self.0.registered_at
    }

    /// When anything about it changed last.
    async fn updated_at(&self) -> Timestamp {
        self.0.updated_at
    }

    /// Counts its changes. Give it as `expectedVersion` to change it only if nobody else did meanwhile.
    async fn version(&self) -> i32 {
        version(self.0.revision)
    }

    /// What of it the read model does not show because an event cannot be applied; null if nothing.
    #[expect(clippy::unused_async, reason = "async-graphql asks for it")]
    async fn behind(&self, context: &Context<'_>) -> Result<Option<RowBehind>, Error> {
        RowBehind::of(context, services(context).read_models.product_catalog.behind(self.0.product.uuid()))
    }

    /// What was ordered of it. For operators.
    #[graphql(complexity = "5 + child_complexity")]
    async fn sales(&self, context: &Context<'_>) -> Result<Option<ProductSales>, Error> {
        operator(context)?;
        let sales = ready_tables(context, &services(context).read_models.product_sales, None).await?;
        let sales = sales.of(self.0.product).await.map_err(query_error)?;
        Ok(Some(ProductSales { units: sales.units, orders: sales.orders }))
    }
}
