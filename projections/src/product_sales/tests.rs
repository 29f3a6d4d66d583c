//! What was ordered and not cancelled, counted by the statements themselves.

use std::sync::Arc;

use domain::{
    Event,
    testing::{eur, product_of, product_registered},
};
use infrastructure::{event_store::Position, read_store::ReadStore};

use super::{NAME, ProductSales, Sales, VERSION};
use crate::{
    ServedTables, SetChange, Tables,
    shape::{SetChangeShape, Shape as _},
    status::Monitor,
    tests::{cancelled, decoded, delivered, placed, shipped, temp_rows},
};

/// The sales of each of these products after these events.
async fn after<const N: usize>(events: impl IntoIterator<Item = Event>, skus: [&str; N]) -> [(u64, u64); N] {
    let (_folder, rows) = temp_rows();
    let shape = SetChangeShape::<ProductSales>::new();
    rows.transaction(shape.create(1)).await.unwrap();
    let tables = Tables::new(NAME, 1);
    for (index, event) in events.into_iter().enumerate() {
        let statements = ProductSales::changes(&decoded(index as u64 + 1, 0, event), &tables);
        rows.transaction(statements).await.unwrap();
    }
    let served =
        ServedTables::new(&shape, Arc::clone(&rows) as Arc<dyn ReadStore>, Arc::new(Monitor::new(NAME, VERSION)));
    shape.serve(1, Position::START, false);
    let mut sales = [(0, 0); N];
    for (sales, sku) in sales.iter_mut().zip(skus) {
        let Sales { units, orders } = served.of(product_of(sku)).await.unwrap();
        *sales = (units, orders);
    }
    sales
}

#[tokio::test]
async fn what_nobody_ordered_has_no_sales() {
    assert_eq!(after([product_registered("TEA", eur(1)).into()], ["TEA", "POT"]).await, [(0, 0), (0, 0)]);
}

#[tokio::test]
async fn every_product_of_an_order_is_counted() {
    let events = [placed(1, 1, &[("TEA", 2), ("POT", 1)]).into(), placed(2, 1, &[("TEA", 3)]).into()];
    assert_eq!(after(events, ["TEA", "POT"]).await, [(5, 2), (1, 1)]);
}

#[tokio::test]
async fn a_product_on_two_lines_is_one_order_and_all_its_pieces() {
    let events = [placed(1, 1, &[("TEA", 2), ("POT", 1), ("TEA", 40)]).into()];
    assert_eq!(after(events, ["TEA", "POT"]).await, [(42, 1), (1, 1)]);
}

#[tokio::test]
async fn a_cancelled_order_gives_back_its_own_pieces_and_no_others() {
    let events = [
        placed(1, 1, &[("TEA", 2), ("POT", 1), ("TEA", 1)]).into(),
        placed(2, 1, &[("TEA", 5), ("CUP", 7)]).into(),
        cancelled(1).into(),
    ];
    assert_eq!(after(events, ["TEA", "POT", "CUP"]).await, [(5, 1), (0, 0), (7, 1)]);
}

#[tokio::test]
async fn what_is_ordered_stays_ordered_while_it_travels() {
    let events = [placed(1, 1, &[("TEA", 2)]).into(), shipped(1).into(), delivered(1).into()];
    assert_eq!(after(events, ["TEA"]).await, [(2, 1)]);
}

#[tokio::test]
async fn cancelling_what_was_never_placed_or_twice_changes_nothing() {
    let events = [placed(1, 1, &[("TEA", 2)]).into(), cancelled(2).into(), placed(3, 1, &[("TEA", 4)]).into()];
    assert_eq!(after(events.clone(), ["TEA"]).await, [(6, 2)]);
    let twice = events.into_iter().chain([cancelled(3).into(), cancelled(3).into()]);
    assert_eq!(after(twice, ["TEA"]).await, [(2, 1)]);
}
