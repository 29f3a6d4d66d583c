//! Value types: if you hold one, it is valid.

/// A value that is text in JSON: parsed from the reader's own buffer, written from the value's, without a copy between.
macro_rules! text_in_json {
    ($value:ty) => {
        impl serde::Serialize for $value {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $value {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $value;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("text")
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$value, E> {
                        <$value>::parse(text).map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

mod actor;
mod id;
mod money;
mod payment_token;
mod pieces;
mod projection_name;
mod quantity;
mod sku;
mod text;
mod warehouse;

pub use actor::{ACTOR_BYTES_MAX, Actor, ActorError};
pub use id::{
    CaptureId, CaptureKind, CustomerId, CustomerKind, Id, IdKind, OperatorLogId, OperatorLogKind, OrderId, OrderKind,
    PaymentId, PaymentKind, ProductId, ProductKind, RefundId, RefundKind, StockId, StockKind,
};
pub use iso_currency::Currency;
pub use money::{MINOR_UNITS_MAX, Money, MoneyError};
pub use payment_token::{PAYMENT_TOKEN_BYTES_MAX, PaymentToken, PaymentTokenError};
pub use pieces::{PIECES_MAX, Pieces, PiecesError};
pub use projection_name::{PROJECTION_NAME_BYTES_MAX, ProjectionName, ProjectionNameError};
pub use quantity::{QUANTITY_UNITS_MAX, Quantity, QuantityError};
pub use sku::{SKU_BYTES_MAX, Sku, SkuError};
pub use text::{LABEL_CHARS_MAX, Label, LabelError};
pub use warehouse::{WAREHOUSE_BYTES_MAX, Warehouse, WarehouseError};

#[cfg(test)]
mod tests;
