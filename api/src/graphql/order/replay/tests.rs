//! A log that is away is told as such, so that clients come back.

use uuid::Uuid;

use super::*;
use crate::graphql::testing::{Away, code};

#[tokio::test]
async fn an_event_store_that_is_away_is_worth_another_try() {
    let (order, until) = (OrderId::new(Uuid::from_u128(1)), Position::new(9));
    let one = of_order(&Away, order, Position::START, until).await.expect_err("it is away");
    let all = AllOrders::new(Away::shared(), Position::START, until).next().await.expect_err("it is away");
    let before = folded(&Away, order, |_| true).await.map_err(fold_error).expect_err("it is away");
    for error in [one, all, before] {
        assert_eq!(code(&error).as_deref(), Some("STORE_UNAVAILABLE"), "{error:?}");
    }
}
