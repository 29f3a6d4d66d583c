//! Old versions of an order's events, lifted to today's.

use serde_json::Value;

use crate::{UpcastError, Upcaster};

/// Every step of this slice.
pub const UPCASTERS: &[Upcaster] =
    &[Upcaster { from: "order.cancelled.v1", to: "order.cancelled.v2", apply: cancelled_for_an_unspecified_reason }];

/// Version 1 knew no reason.
fn cancelled_for_an_unspecified_reason(mut data: Value) -> Result<Value, UpcastError> {
    let fields = data.as_object_mut().ok_or_else(|| UpcastError("order.cancelled.v1 is a JSON object".to_owned()))?;
    fields.insert("reason".to_owned(), Value::from("unspecified"));
    Ok(data)
}
