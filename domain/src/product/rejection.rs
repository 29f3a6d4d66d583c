//! Why a product's command is refused.

/// An answer to whoever asked; never stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProductRejection {
    /// The SKU is taken.
    #[error("a product with this SKU is registered already")]
    AlreadyRegistered,
    /// There is no such product.
    #[error("there is no such product")]
    NotFound,
    /// It is offered no longer, which is final.
    #[error("the product is retired")]
    Retired,
    /// Prices of one product stay in one currency: open carts and reports rely on it.
    #[error("the product is priced in {expected}")]
    CurrencyChanged {
        /// The currency it was registered with.
        expected: &'static str,
    },
}
