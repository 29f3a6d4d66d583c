//! Tables beside the rows: written with them, looked at with them, put back, copied and rebuilt.

use super::*;
use crate::order_summary::SearchText;

/// The orders that are found by what stands beside them alone: a second product, a word.
async fn found(running: &Running, filter: OrderFilter) -> Vec<u128> {
    let sort = OrderSort { key: OrderSortKey::PlacedAt, is_descending: false };
    let page = OrderPage { filter, sort, after: None, before: None, from_end: false, limit: 100 };
    let rows = running.models.order_summary.page(&page).await.unwrap().rows;
    let mut found: Vec<u128> = rows.iter().map(|row| row.placed.order.uuid().as_u128() & 0xffff).collect();
    found.sort_unstable();
    found
}

async fn of_pots(running: &Running) -> Vec<u128> {
    let filter = OrderFilter { sku: Some(domain::testing::sku("POT")), ..OrderFilter::default() };
    found(running, filter).await
}

async fn of_words(running: &Running, text: &str) -> Vec<u128> {
    let filter = OrderFilter { text: Some(SearchText::parse(text).unwrap()), ..OrderFilter::default() };
    found(running, filter).await
}

/// Three orders, two of them with a pot behind something else.
async fn shop() -> (World, Running) {
    let world = World::new();
    world.append(placed(1, 1, &[("TEA", 1), ("POT", 1)])).await;
    let running = world.start().await;
    world.append(placed(2, 1, &[("TEA", 1)])).await;
    let head = world.append(placed(3, 1, &[("CUP", 1), ("POT", 1)])).await;
    running.catch_up(head).await;
    running.settle("order_summary").await;
    (world, running)
}

#[tokio::test]
async fn orders_are_found_live_copied_and_rebuilt() {
    let (world, running) = shop().await;
    for round in 0..3 {
        assert_eq!(of_pots(&running).await, [1, 3], "round {round}");
        assert_eq!(of_words(&running, "prod tea").await, [1, 2], "round {round}");
        let from = (round == 1).then(|| Position::new(3));
        if round < 2 {
            let started = running.manager.rebuild_together(&["order_summary"], from).await;
            assert!(started.is_ok(), "{:?}", started.err());
            running.settle("order_summary").await;
        }
    }
    assert_eq!(running.status("order_summary").generation, Some(3));
    // Each is there once, in the copy too: two further products; a name of two words, of which one is the SKU, for each SKU.
    assert_eq!(world.number("SELECT count(*) FROM order_summary_g3_terms").await, 2);
    assert_eq!(world.number("SELECT count(*) FROM order_summary_g3_words").await, 6);
    running.stop().await;
}

#[tokio::test]
async fn what_leads_to_an_order_and_is_gone_is_noticed_and_put_back() {
    let (world, running) = shop().await;
    let keys: Vec<Uuid> = (1..=3).map(|n| order(n).uuid()).collect();
    let check = async || running.manager.check("order_summary", &keys).await.unwrap().differences;
    assert_eq!(check().await, []);
    world.sql("DELETE FROM order_summary_g1_terms").await;
    world.sql("DELETE FROM order_summary_g1_words WHERE word = 'cup'").await;
    assert_eq!(of_pots(&running).await, Vec::<u128>::new());
    let differences = check().await;
    assert_eq!(differences.iter().map(|found| found.key).collect::<Vec<_>>(), [keys[0], keys[2]]);
    let says = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains("(side tables)"));
    assert!(differences.iter().all(|found| says(&found.stored) && !says(&found.folded)), "{differences:?}");
    running.manager.repair("order_summary", &keys).await.unwrap();
    assert_eq!(check().await, []);
    assert_eq!((of_pots(&running).await, of_words(&running, "cup").await), (vec![1, 3], vec![3]));
    assert_eq!(world.number("SELECT count(*) FROM order_summary_g1_terms").await, 2, "nothing is put back twice");
    running.stop().await;
}
