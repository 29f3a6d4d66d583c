//! A product's rules as sentences.

use super::*;
use crate::{
    testing::{eur, given, label, now, product_price_changed, product_registered, product_retired, sku, usd},
    values::Label,
};

fn register() -> ProductCommand {
    ProductCommand::Register { sku: sku("TEA-1"), name: label("Green tea"), price: eur(1990), is_stocked: true }
}

#[test]
fn registering_a_product_puts_it_into_the_catalogue() {
    given::<Product>([]).when(register()).then([ProductEvent::Registered {
        product: id_of(&sku("TEA-1")),
        sku: sku("TEA-1"),
        name: Label::parse("Green tea").expect("valid"),
        price: eur(1990),
        is_stocked: true,
        at: now(),
    }]);
}

#[test]
fn registering_the_same_sku_twice_is_rejected() {
    given::<Product>([product_registered("TEA-1", eur(1990))])
        .when(register())
        .then_rejected(&ProductRejection::AlreadyRegistered);
}

#[test]
fn a_retired_sku_is_not_registered_again() {
    given::<Product>([product_registered("TEA-1", eur(1990)), product_retired("TEA-1")])
        .when(register())
        .then_rejected(&ProductRejection::AlreadyRegistered);
}

#[test]
fn a_price_changes() {
    given::<Product>([product_registered("TEA-1", eur(1990))])
        .when(ProductCommand::ChangePrice { price: eur(2100) })
        .then([product_price_changed("TEA-1", eur(2100))]);
}

#[test]
fn changing_a_price_to_what_it_is_changes_nothing() {
    given::<Product>([product_registered("TEA-1", eur(1990)), product_price_changed("TEA-1", eur(2100))])
        .when(ProductCommand::ChangePrice { price: eur(2100) })
        .then([]);
}

#[test]
fn a_price_keeps_its_currency() {
    given::<Product>([product_registered("TEA-1", eur(1990))])
        .when(ProductCommand::ChangePrice { price: usd(1990) })
        .then_rejected(&ProductRejection::CurrencyChanged { expected: "EUR" });
}

#[test]
fn an_unknown_product_has_no_price_to_change_and_cannot_be_retired() {
    given::<Product>([]).when(ProductCommand::ChangePrice { price: eur(1) }).then_rejected(&ProductRejection::NotFound);
    given::<Product>([]).when(ProductCommand::Retire).then_rejected(&ProductRejection::NotFound);
}

#[test]
fn a_retired_product_keeps_its_price() {
    given::<Product>([product_registered("TEA-1", eur(1990)), product_retired("TEA-1")])
        .when(ProductCommand::ChangePrice { price: eur(1) })
        .then_rejected(&ProductRejection::Retired);
}

#[test]
fn retiring_twice_changes_nothing() {
    given::<Product>([product_registered("TEA-1", eur(1990))])
        .when(ProductCommand::Retire)
        .then([product_retired("TEA-1")]);
    given::<Product>([product_registered("TEA-1", eur(1990)), product_retired("TEA-1")])
        .when(ProductCommand::Retire)
        .then([]);
}
