//! A product as it is read.

use domain::{
    Timestamp,
    product::ProductState,
    values::{Label, Money, ProductId, Sku},
};
use infrastructure::event_store::Revision;

/// One product.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductRow {
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
    /// Whether it can be ordered.
    pub status: ProductStatus,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// When anything about it changed last.
    pub updated_at: Timestamp,
    /// The revision of its stream.
    pub revision: Revision,
}

/// Whether a product can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProductStatus {
    /// It can.
    Offered,
    /// Not any more.
    Retired,
}

impl ProductStatus {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Retired => "retired",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Offered, Self::Retired].into_iter().find(|status| status.as_str() == text)
    }
}

impl ProductRow {
    /// The row that belongs to an aggregate's state: what the fold of the same events gives.
    pub fn of(state: &ProductState, revision: Revision) -> Option<Self> {
        let (offer, status) = match state {
            ProductState::Unregistered => return None,
            ProductState::Offered(offer) => (offer, ProductStatus::Offered),
            ProductState::Retired(offer) => (offer, ProductStatus::Retired),
        };
        Some(Self {
            product: offer.product,
            sku: offer.sku.clone(),
            name: offer.name.clone(),
            price: offer.price,
            is_stocked: offer.is_stocked,
            status,
            registered_at: offer.registered_at,
            updated_at: offer.updated_at,
            revision,
        })
    }
}
