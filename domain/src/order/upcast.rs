//! Old versions of an order's events, lifted to today's.

use serde_json::{Map, Value};

use crate::{UpcastError, Upcaster};

/// Every step of this slice.
pub const UPCASTERS: &[Upcaster] = &[
    Upcaster { from: "order.cancelled.v1", to: "order.cancelled.v2", apply: cancelled_for_an_unspecified_reason },
    Upcaster { from: "order.placed.v1", to: "order.placed.v2", apply: placed_on_account },
    Upcaster { from: "order.shipped.v1", to: "order.shipped.v2", apply: shipped_at_once },
];

/// Version 1 knew no reason.
fn cancelled_for_an_unspecified_reason(mut data: Value) -> Result<Value, UpcastError> {
    fields("order.cancelled.v1", &mut data)?.insert("reason".to_owned(), Value::from("unspecified"));
    Ok(data)
}

/// Version 1 knew neither payment nor stock: the shop saw to both, and nothing is to be waited for.
fn placed_on_account(mut data: Value) -> Result<Value, UpcastError> {
    let placed = fields("order.placed.v1", &mut data)?;
    placed.insert("warehouse".to_owned(), Value::from("main"));
    placed.insert("payment".to_owned(), Value::Null);
    for line in placed.get_mut("lines").and_then(Value::as_array_mut).into_iter().flatten() {
        fields("a line of order.placed.v1", line)?.insert("is_stocked".to_owned(), Value::from(false));
    }
    Ok(data)
}

/// Version 1 was all of the order.
fn shipped_at_once(mut data: Value) -> Result<Value, UpcastError> {
    let shipped = fields("order.shipped.v1", &mut data)?;
    shipped.insert("shipment".to_owned(), Value::from(1));
    shipped.insert("lines".to_owned(), Value::Array(vec![]));
    Ok(data)
}

fn fields<'a>(what: &str, data: &'a mut Value) -> Result<&'a mut Map<String, Value>, UpcastError> {
    data.as_object_mut().ok_or_else(|| UpcastError(format!("{what} is a JSON object")))
}
