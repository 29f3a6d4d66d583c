//! Row and event to row.

use domain::{Event, product::ProductEvent};
use uuid::Uuid;

use super::{ProductRow, ProductStatus};
use crate::Decoded;

pub(super) fn key(event: &Decoded) -> Option<Uuid> {
    match &*event.event {
        Event::Product(event) => Some(event.product().uuid()),
        Event::Order(_)
        | Event::Stock(_)
        | Event::Payment(_)
        | Event::Profile(_)
        | Event::Handle(_)
        | Event::Follow(_)
        | Event::Post(_)
        | Event::Reaction(_)
        | Event::Inbox(_)
        | Event::Operator(_) => None,
    }
}

pub(super) fn starts(event: &Decoded) -> bool {
    matches!(&*event.event, Event::Product(ProductEvent::Registered { .. }))
}

pub(super) fn fold(row: Option<ProductRow>, event: &Decoded) -> Option<ProductRow> {
    let Event::Product(happened) = &*event.event else { return row };
    let revision = event.revision;
    match (row, happened) {
        (_, ProductEvent::Registered { product, sku, name, price, is_stocked, at }) => Some(ProductRow {
            product: *product,
            sku: sku.clone(),
            name: name.clone(),
            price: *price,
            is_stocked: *is_stocked,
            status: ProductStatus::Offered,
            registered_at: *at,
            updated_at: *at,
            revision,
        }),
        (Some(row), ProductEvent::PriceChanged { price, at, .. }) if row.status == ProductStatus::Offered => {
            Some(ProductRow { price: *price, updated_at: *at, revision, ..row })
        }
        (Some(row), ProductEvent::Retired { at, .. }) if row.status == ProductStatus::Offered => {
            Some(ProductRow { status: ProductStatus::Retired, updated_at: *at, revision, ..row })
        }
        // The aggregate never lets these happen; a log that holds them all the same changes nothing here either.
        (Some(row), ProductEvent::PriceChanged { .. } | ProductEvent::Retired { .. }) => {
            Some(ProductRow { revision, ..row })
        }
        // A product that was never registered has no row.
        (None, ProductEvent::PriceChanged { .. } | ProductEvent::Retired { .. }) => None,
    }
}
