//! What somebody may want of a product.

use crate::values::{Label, Money, Sku};

/// A command to one product.
#[derive(Clone, Debug, PartialEq)]
pub enum ProductCommand {
    /// Put it into the catalogue.
    Register {
        /// The shop's name of it; gives the product its id.
        sku: Sku,
        /// The name customers read.
        name: Label,
        /// The price of one piece.
        price: Money,
        /// Whether its pieces are counted, and reserved before they are sold.
        is_stocked: bool,
    },
    /// Ask another price from now on. Placed orders keep theirs.
    ChangePrice {
        /// The new price of one piece.
        price: Money,
    },
    /// Offer it no longer.
    Retire,
}
