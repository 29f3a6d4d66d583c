//! What a product remembers.

use super::ProductEvent;
use crate::{
    Timestamp,
    values::{Label, Money, ProductId, Sku},
};

/// The life of a product.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ProductState {
    /// Not in the catalogue yet.
    #[default]
    Unregistered,
    /// Customers can order it.
    Offered(Offer),
    /// It was in the catalogue once.
    Retired(Offer),
}

/// What the catalogue says of a product.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The product.
    pub product: ProductId,
    /// Its SKU.
    pub sku: Sku,
    /// Its name.
    pub name: Label,
    /// The price of one piece.
    pub price: Money,
    /// Whether its pieces are counted, and reserved before they are sold.
    pub is_stocked: bool,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// When anything about it changed last.
    pub updated_at: Timestamp,
}

pub(super) fn evolve(state: ProductState, event: &ProductEvent) -> ProductState {
    match (state, event) {
        (_, ProductEvent::Registered { product, sku, name, price, is_stocked, at }) => ProductState::Offered(Offer {
            product: *product,
            sku: sku.clone(),
            name: name.clone(),
            price: *price,
            is_stocked: *is_stocked,
            registered_at: *at,
            updated_at: *at,
        }),
        (ProductState::Offered(offer), ProductEvent::PriceChanged { price, at, .. }) => {
            ProductState::Offered(Offer { price: *price, updated_at: *at, ..offer })
        }
        (ProductState::Offered(offer), ProductEvent::Retired { at, .. }) => {
            ProductState::Retired(Offer { updated_at: *at, ..offer })
        }
        // `decide` never lets these happen; a log that holds them all the same must still fold.
        (
            state @ (ProductState::Unregistered | ProductState::Retired(_)),
            ProductEvent::PriceChanged { .. } | ProductEvent::Retired { .. },
        ) => state,
    }
}
