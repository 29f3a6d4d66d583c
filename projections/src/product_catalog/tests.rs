//! Products as they are read: fold, row and pages.

use domain::{
    Decider as _, Event,
    product::{Product, ProductCommand, ProductEvent},
    testing::{
        eur, fold, label, order_placed, product_of, product_price_changed, product_registered, product_retired, sku,
        usd,
    },
    values::{Currency, Money, ProductId, Sku},
};
use infrastructure::event_store::Revision;
use proptest::prelude::*;

use super::*;
use crate::{
    KeyedFold,
    tests::{block_on, decoded, folded, moment, serving, temp_rows},
};

#[test]
fn a_registered_product_is_offered() {
    let row = folded::<ProductCatalog, _>([product_registered("TEA", eur(5))]).unwrap();
    assert_eq!((row.product, row.sku, row.price), (product_of("TEA"), sku("TEA"), eur(5)));
    assert_eq!((row.status, row.registered_at, row.updated_at), (ProductStatus::Offered, moment(0), moment(0)));
    assert_eq!((row.name, row.revision), (label("Product TEA"), Revision::FIRST));
}

#[test]
fn a_price_changes_and_a_retired_product_keeps_it() {
    let events = [product_registered("TEA", eur(5)), product_price_changed("TEA", eur(6)), product_retired("TEA")];
    let row = folded::<ProductCatalog, _>(events).unwrap();
    assert_eq!((row.price, row.status, row.revision), (eur(6), ProductStatus::Retired, Revision::new(2)));
}

#[test]
fn a_product_that_was_never_registered_has_no_row() {
    assert_eq!(folded::<ProductCatalog, _>([product_price_changed("TEA", eur(6)), product_retired("TEA")]), None);
}

#[test]
fn an_order_is_no_concern_of_the_catalogue() {
    let event = decoded(1, 0, order_placed());
    assert_eq!(ProductCatalog::key(&event), None);
    let row = folded::<ProductCatalog, _>([product_registered("TEA", eur(5))]);
    assert_eq!(ProductCatalog::fold(row.clone(), &event), row);
}

#[test]
fn only_the_registration_makes_a_row_anew() {
    let start = decoded(1, 0, product_registered("TEA", eur(5)));
    assert!(ProductCatalog::starts(&start));
    for later in [product_price_changed("TEA", eur(6)), product_retired("TEA")] {
        assert!(!ProductCatalog::starts(&decoded(2, 1, later)));
    }
    let before = folded::<ProductCatalog, _>([product_registered("TEA", eur(5)), product_retired("TEA")]);
    assert_eq!(ProductCatalog::fold(before, &start), ProductCatalog::fold(None, &start));
}

fn command() -> impl Strategy<Value = ProductCommand> {
    prop_oneof![
        2 => (0_i64..3).prop_map(|minor| ProductCommand::Register {
            sku: sku("TEA"), name: label("Green tea"), price: eur(minor), is_stocked: minor == 1
        }),
        4 => (0_i64..5).prop_map(|minor| ProductCommand::ChangePrice { price: eur(minor) }),
        1 => Just(ProductCommand::ChangePrice { price: usd(1) }),
        1 => Just(ProductCommand::Retire),
    ]
}

prop_compose! {
    fn some_row()(
        text in "[A-Z0-9][A-Z0-9._-]{0,5}",
        name in r"[^\pC\pZ]{1,20}",
        minor in 0..=domain::values::MINOR_UNITS_MAX,
        currency in prop::sample::select(vec![Currency::EUR, Currency::JPY, Currency::KWD]),
        is_stocked in any::<bool>(),
        status in prop::sample::select(vec![ProductStatus::Offered, ProductStatus::Retired]),
        times in (-1_000_000_000_000_000_i64..1_000_000_000_000_000, 0_i64..1_000_000_000),
        revision in 0..=u64::from(u32::MAX),
    ) -> ProductRow {
        ProductRow {
            product: ProductId::named(&text),
            sku: sku(&text),
            name: label(&name),
            price: Money::try_new(minor, currency).expect("in range"),
            is_stocked,
            status,
            registered_at: moment(times.0),
            updated_at: moment(times.0 + times.1),
            revision: Revision::new(revision),
        }
    }
}

fn some_rows() -> impl Strategy<Value = Vec<ProductRow>> {
    prop::collection::vec(some_row(), 0..20).prop_map(|mut rows| {
        rows.sort_by(|one, other| one.sku.cmp(&other.sku));
        rows.dedup_by(|one, other| one.sku == other.sku);
        rows
    })
}

/// Every product of the pages, read one after the other.
async fn read_through(catalog: &crate::Served<ProductCatalog>, first: ProductPage) -> Vec<Sku> {
    let mut found: Vec<Sku> = Vec::new();
    loop {
        let beyond = found.last().cloned().or_else(|| first.beyond.clone());
        let page = catalog.page(&ProductPage { beyond, ..first.clone() }).await.unwrap();
        assert!(page.len() <= first.limit);
        let is_last = page.len() < first.limit;
        found.extend(page.into_iter().map(|row| row.sku));
        if is_last {
            return found;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_row_of_a_state_is_the_fold_of_the_same_events(commands in prop::collection::vec(command(), 0..12)) {
        let mut events: Vec<ProductEvent> = Vec::new();
        for command in commands {
            let state = fold::<Product>(events.clone());
            events.extend(Product::decide(&state, command, moment(0)).unwrap_or_default());
            let state = fold::<Product>(events.clone());
            let revision = Revision::new((events.len() as u64).saturating_sub(1));
            prop_assert_eq!(ProductRow::of(&state, revision), folded::<ProductCatalog, _>(events.clone()));
        }
    }

    #[test]
    fn a_row_is_read_back_as_it_was_written(rows in some_rows()) {
        block_on(async {
            let (_folder, store) = temp_rows();
            let catalog = serving::<ProductCatalog>(&store, &rows).await;
            for row in &rows {
                assert_eq!(catalog.row(row.product.uuid()).await.unwrap().as_ref(), Some(row));
            }
        });
    }

    #[test]
    fn pages_give_every_product_once_in_order_both_ways(
        rows in some_rows(),
        status in prop::option::of(prop::sample::select(vec![ProductStatus::Offered, ProductStatus::Retired])),
        limit in 1_usize..5,
        until in prop::option::of("[A-Z]"),
    ) {
        block_on(async {
            let (_folder, store) = temp_rows();
            let catalog = serving::<ProductCatalog>(&store, &rows).await;
            let until = until.map(|text| sku(&text));
            for is_backwards in [false, true] {
                let is_in = |row: &&ProductRow| {
                    let is_inside = until.as_ref().is_none_or(|end| if is_backwards { row.sku > *end } else { row.sku < *end });
                    is_inside && status.is_none_or(|status| status == row.status)
                };
                let mut expected: Vec<Sku> = rows.iter().filter(is_in).map(|row| row.sku.clone()).collect();
                if is_backwards {
                    expected.reverse();
                }
                let first = ProductPage {
                    filter: ProductFilter { status }, beyond: None, until: until.clone(), is_backwards, limit,
                };
                assert_eq!(read_through(&catalog, first).await, expected);
            }
        });
    }
}

#[test]
fn a_product_event_names_its_row() {
    let event: Event = product_retired("TEA").into();
    assert_eq!(ProductCatalog::key(&decoded(1, 0, event)), Some(product_of("TEA").uuid()));
}
