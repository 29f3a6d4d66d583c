//! What happened to a product.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    EventPayload, Timestamp,
    values::{Label, Money, ProductId, Sku},
};

/// An event of one product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ProductEvent {
    /// It came into the catalogue.
    #[serde(rename = "product.registered.v2")]
    Registered {
        /// The product.
        product: ProductId,
        /// Its SKU, for good.
        sku: Sku,
        /// Its name.
        name: Label,
        /// The price of one piece.
        price: Money,
        /// Whether its pieces are counted, and reserved before they are sold. Version 1 knew no stock; see upcast.rs.
        is_stocked: bool,
        /// When.
        at: Timestamp,
    },
    /// Its price changed.
    #[serde(rename = "product.price_changed.v1")]
    PriceChanged {
        /// The product.
        product: ProductId,
        /// The price of one piece from now on.
        price: Money,
        /// When.
        at: Timestamp,
    },
    /// It is offered no longer.
    #[serde(rename = "product.retired.v1")]
    Retired {
        /// The product.
        product: ProductId,
        /// When.
        at: Timestamp,
    },
}

impl ProductEvent {
    /// The product it happened to.
    pub const fn product(&self) -> ProductId {
        match self {
            Self::Registered { product, .. } | Self::PriceChanged { product, .. } | Self::Retired { product, .. } => {
                *product
            }
        }
    }
}

impl EventPayload for ProductEvent {
    fn types() -> Vec<&'static str> {
        vec!["product.registered.v2", "product.price_changed.v1", "product.retired.v1"]
    }

    fn deserialize_tagged<'de, D: Deserializer<'de>>(_type_name: &str, tagged: D) -> Result<Self, D::Error> {
        Self::deserialize(tagged)
    }
}
