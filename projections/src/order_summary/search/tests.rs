//! What a text finds, and what is written so that it does.

use domain::{
    order::{OrderEvent, PlacedOrder, Shipment},
    testing::{eur, label, line, order_placed, order_shipped, part},
    values::OrderId,
};
use infrastructure::read_store::Value;
use uuid::Uuid;

use super::*;
use crate::{
    order_summary::{OrderSummary, number_of},
    tests::{folded, moment},
};

/// The fixed order of these products, with these carriers' numbers.
fn order(products: &[(&str, &str)], trackings: &[&str]) -> OrderRow {
    let row = folded::<OrderSummary, _>([order_placed()]).unwrap();
    let line = |(sku, name): &(&str, &str)| OrderLine { name: label(name), ..line(sku, 1, eur(1)) };
    let shipment = |tracking: &&str| Shipment {
        lines: vec![part(0, 1)],
        tracking: (!tracking.is_empty()).then(|| label(tracking)),
        at: moment(1),
    };
    let placed = PlacedOrder {
        lines: products.iter().map(line).collect(),
        shipments: trackings.iter().map(shipment).collect(),
        ..PlacedOrder::clone(&row.placed)
    };
    OrderRow { placed: placed.into(), revision: row.revision }
}

fn finds(text: &str, row: &OrderRow) -> bool {
    SearchText::parse(text).unwrap().matches(row)
}

#[test]
fn each_word_of_a_text_begins_a_word_of_something_in_the_order() {
    let row = order(&[("TEA-1", "Grüner Tee, 100 g"), ("POT_XL", "Café-Kanne")], &[]);
    for text in
        ["tee", "GRUNER", "grü", "100", "tea", "tea-1", "kan grun", "CAFE", "cafe\u{301}", "xl", "Ｔｅｅ", "g g G"]
    {
        assert!(finds(text, &row), "{text}");
    }
    for text in ["ee", "teee", "tee cup", "00"] {
        assert!(!finds(text, &row), "{text}");
    }
}

#[test]
fn words_of_other_writings_are_found_too() {
    let row = order(&[("TEA-1", "Чай Зелёный 绿茶")], &[]);
    for text in ["чай", "ЗЕЛЁ", "зеленый", "绿"] {
        assert!(finds(text, &row), "{text}");
    }
}

#[test]
fn all_of_a_text_may_be_the_beginning_of_what_the_order_is_called() {
    let mut row = order(&[("TEA-1", "Tea")], &["DHL 00-11", "", "1Z 999 AA1"]);
    let id = Uuid::from_u128(0x0190_a1b2_0000_7000_8000_00ca_fe12_3456);
    let placed = PlacedOrder { order: OrderId::new(id), ..PlacedOrder::clone(&row.placed) };
    row.placed = placed.into();
    let number = number_of(OrderId::new(id));
    let customer = row.placed.customer.to_string();
    let spaced = format!("{} {}", &number[..4].to_lowercase(), &number[4..]);
    for text in [
        &*number,
        &number[..4],
        &spaced,
        &id.to_string(),
        "0190A1B2",
        "0190a1b2-0000-70",
        &customer,
        "dhl0011",
        "dhl 0",
        "1z999a",
    ] {
        assert!(finds(text, &row), "{text}");
    }
    // Too little of it, not its beginning, or more than it.
    for text in [&number[..3], &number[1..], "0190a1b", "190a1b20", "dhl", "0011", "1z 999 aa12", "1z tea"] {
        assert!(!finds(text, &row), "{text}");
    }
}

#[test]
fn a_text_has_something_in_it_and_not_too_much() {
    assert_eq!(SearchText::parse(" -#? "), Err(SearchTextError::Empty));
    assert_eq!(SearchText::parse(""), Err(SearchTextError::Empty));
    assert!(SearchText::parse(&"é".repeat(TEXT_CHARS_MAX)).is_ok());
    assert_eq!(SearchText::parse(&"é".repeat(TEXT_CHARS_MAX + 1)), Err(SearchTextError::TooLong));
    assert!(SearchText::parse("a b c d e f g h h").is_ok());
    assert_eq!(SearchText::parse("a b c d e f g h i"), Err(SearchTextError::TooManyWords));
}

/// The texts of the first column of what is to stand beside these rows, table by table.
fn written(rows: &Written<'_, OrderRow>) -> [Vec<String>; 2] {
    let texts = |rows: Vec<Vec<Value>>| {
        let first = |row: Vec<Value>| match row.into_iter().next() {
            Some(Value::Text(text)) => text,
            other => panic!("{other:?} is no text"),
        };
        rows.into_iter().map(first).collect::<Vec<_>>()
    };
    let [terms, words] = beside(rows).try_into().expect("two tables");
    [texts(terms), texts(words)]
}

#[test]
fn the_usual_order_has_words_and_no_entry_of_its_own() {
    let row = folded::<OrderSummary, _>([order_placed(), order_shipped()]).unwrap();
    let [terms, words] = written(&[(None, &row)]);
    assert_eq!(terms, Vec::<String>::new());
    assert!(words.contains(&"tea".to_owned()), "{words:?}");
}

#[test]
fn further_products_and_overtaken_shipments_have_entries_each_once() {
    let products = [("TEA-1", "Tea"), ("POT", "Pot"), ("TEA-1", "Tea"), ("POT", "Pot")];
    let row = |trackings| order(&products, trackings);
    let two = row(&["DHL 1", "DHL 2"]);
    assert_eq!(written(&[(None, &two)])[0], ["sku POT", "tracking dhl1"]);
    let steps = [row(&[]), row(&["DHL 1"]), two, row(&["DHL 1", "DHL 2", ""]), row(&["DHL 1", "DHL 2", "", "DHL 4"])];
    let mut terms = Vec::new();
    let mut before = None;
    for step in &steps {
        let [more, words] = written(&[(before, step)]);
        assert_eq!(words.is_empty(), before.is_some(), "words are told of once");
        terms.extend(more);
        before = Some(step);
    }
    assert_eq!(terms, ["sku POT", "tracking dhl1", "tracking dhl2"]);
}

#[test]
fn an_order_that_is_placed_anew_leads_to_its_new_place() {
    let before = order(&[("TEA-1", "Tea"), ("POT", "Pot")], &["DHL 1", "DHL 2"]);
    let placed = PlacedOrder { placed_at: moment(7), ..PlacedOrder::clone(&before.placed) };
    let now = OrderRow { placed: placed.into(), revision: before.revision };
    assert_eq!(written(&[(Some(&before), &now)])[0], ["sku POT", "tracking dhl1"]);
}

#[test]
fn a_column_leads_to_the_last_shipment_and_to_the_first_product() {
    let shipped = OrderEvent::Shipped {
        order: domain::testing::the_order(),
        shipment: 1,
        lines: vec![],
        tracking: Some(label("1Z 999-AA1")),
        at: moment(1),
    };
    let row = folded::<OrderSummary, _>([order_placed(), shipped]).unwrap();
    let columns = <OrderSummary as crate::KeyedFold>::write(&row);
    assert_eq!(columns[11..13], [Value::Text("1z999aa1".to_owned()), Value::Text("TEA-1".to_owned())]);
}
