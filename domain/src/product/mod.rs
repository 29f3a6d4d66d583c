//! Products: the catalogue that orders take their prices from.
//!
//! A product is registered under its SKU, changes its price, and is retired. Its id is derived from the SKU, so
//! that registering a SKU twice meets the same stream and is refused there.
//! **Invariant:** a retired product is never offered again.
//! Slice map: api/src/graphql/product/mutation.rs, domain/src/product/decide.rs,
//! projections/src/product_catalog/mod.rs, tests/it/product.rs

mod command;
mod decide;
mod event;
mod rejection;
mod state;
#[cfg(test)]
mod tests;
mod upcast;

pub use command::ProductCommand;
pub use event::ProductEvent;
pub use rejection::ProductRejection;
pub use state::{Offer, ProductState};
pub use upcast::UPCASTERS;

use crate::{
    Decider, Timestamp,
    values::{ProductId, Sku},
};

/// The product aggregate.
#[derive(Debug)]
pub enum Product {}

impl Decider for Product {
    const CATEGORY: &'static str = "product";
    type State = ProductState;
    type Command = ProductCommand;
    type Event = ProductEvent;
    type Rejection = ProductRejection;

    fn decide(
        state: &ProductState,
        command: ProductCommand,
        now: Timestamp,
    ) -> Result<Vec<ProductEvent>, ProductRejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: ProductState, event: &ProductEvent) -> ProductState {
        state::evolve(state, event)
    }
}

/// The id of the product with this SKU.
pub fn id_of(sku: &Sku) -> ProductId {
    ProductId::named(sku.as_str())
}
