//! Value types: if you hold one, it is valid.

mod id;
mod money;
mod quantity;
mod sku;
mod text;

pub use id::{CustomerId, CustomerKind, Id, IdKind, OrderId, OrderKind, ProductId, ProductKind};
pub use iso_currency::Currency;
pub use money::{MINOR_UNITS_MAX, Money, MoneyError};
pub use quantity::{QUANTITY_UNITS_MAX, Quantity, QuantityError};
pub use sku::{SKU_BYTES_MAX, Sku, SkuError};
pub use text::{LABEL_CHARS_MAX, Label, LabelError};

#[cfg(test)]
mod tests;
