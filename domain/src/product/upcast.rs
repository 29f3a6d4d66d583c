//! Old versions of a product's events, lifted to today's.

use serde_json::Value;

use crate::{UpcastError, Upcaster};

/// Every step of this slice.
pub const UPCASTERS: &[Upcaster] =
    &[Upcaster { from: "product.registered.v1", to: "product.registered.v2", apply: registered_uncounted }];

/// Version 1 knew no stock: nobody counted its pieces.
fn registered_uncounted(mut data: Value) -> Result<Value, UpcastError> {
    let fields =
        data.as_object_mut().ok_or_else(|| UpcastError("product.registered.v1 is a JSON object".to_owned()))?;
    fields.insert("is_stocked".to_owned(), Value::from(false));
    Ok(data)
}
