//! A log that is away is told as such, so that clients come back.

use domain::{
    stock::id_of,
    testing::now,
    values::{Pieces, Sku, Warehouse},
};

use super::*;
use crate::graphql::testing::{Away, code};

#[tokio::test]
async fn an_event_store_that_is_away_is_worth_another_try() {
    let (sku, warehouse) = (Sku::parse("TEA-1").expect("a SKU"), Warehouse::main());
    let row = StockLevelRow {
        stock: id_of(&sku, &warehouse),
        sku,
        warehouse,
        on_hand: Pieces::ZERO,
        reserved: Pieces::ZERO,
        updated_at: now(),
        revision: Revision::FIRST,
    };
    let error = missed(&Away, row, Position::START, Position::new(9)).await.expect_err("it is away");
    assert_eq!(code(&error).as_deref(), Some("STORE_UNAVAILABLE"), "{error:?}");
}
