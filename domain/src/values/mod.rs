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

/// A value that is text in JSON, as [`text_in_json`], but read back as it was written: its rules follow tables that change
/// with Unicode, and an event once written is decoded for ever.
macro_rules! stored_text_in_json {
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
                        Ok(<$value>::stored(text))
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

mod actor;
mod handle;
mod hashtag;
mod id;
mod media_url;
mod money;
mod payment_token;
mod pieces;
mod projection_name;
mod prose;
mod quantity;
mod sku;
mod text;
pub(crate) mod unicode;
mod warehouse;

pub use actor::{ACTOR_BYTES_MAX, Actor, ActorError};
pub use handle::{HANDLE_BYTES_MAX, HANDLE_GRAPHEMES_MAX, HANDLE_GRAPHEMES_MIN, Handle, HandleError};
pub(crate) use hashtag::JOINERS;
pub use hashtag::{HASHTAG_BYTES_MAX, HASHTAG_GRAPHEMES_MAX, Hashtag, HashtagError};
pub use id::{
    CaptureId, CaptureKind, CustomerId, CustomerKind, HandleId, HandleKind, Id, IdKind, OperatorLogId, OperatorLogKind,
    OrderId, OrderKind, PairId, PairKind, PaymentId, PaymentKind, PostId, PostKind, ProductId, ProductKind, ReactionId,
    ReactionKind, RefundId, RefundKind, StockId, StockKind, UserId, UserKind,
};
pub use iso_currency::Currency;
pub use media_url::{MEDIA_URL_BYTES_MAX, MediaUrl, MediaUrlError};
pub use money::{MINOR_UNITS_MAX, Money, MoneyError};
pub use payment_token::{PAYMENT_TOKEN_BYTES_MAX, PaymentToken, PaymentTokenError};
pub use pieces::{PIECES_MAX, Pieces, PiecesError};
pub use projection_name::{PROJECTION_NAME_BYTES_MAX, ProjectionName, ProjectionNameError};
pub use prose::{
    ALT_TEXT_GRAPHEMES_MAX, AltText, BIOGRAPHY_GRAPHEMES_MAX, Biography, DISPLAY_NAME_GRAPHEMES_MAX, DisplayName,
    GRAPHEME_BYTES_MAX, POST_GRAPHEMES_MAX, PostText, TextError,
};
pub use quantity::{QUANTITY_UNITS_MAX, Quantity, QuantityError};
pub use sku::{SKU_BYTES_MAX, Sku, SkuError};
pub use text::{LABEL_CHARS_MAX, Label, LabelError};
pub use warehouse::{WAREHOUSE_BYTES_MAX, Warehouse, WarehouseError};

/// Whether `text` is a short name: an ASCII letter or digit, then more of them and of `marks`, `bytes_max` at the most.
fn is_short_name(text: &str, bytes_max: usize, marks: &[u8]) -> bool {
    text.len() <= bytes_max
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || marks.contains(&byte))
}

#[cfg(test)]
mod tests;
