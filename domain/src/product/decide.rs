//! A product's rules.

use super::{Offer, ProductCommand, ProductEvent, ProductRejection, ProductState, id_of};
use crate::{
    Timestamp,
    values::{Label, Money, Sku},
};

pub(super) fn decide(
    state: &ProductState,
    command: ProductCommand,
    now: Timestamp,
) -> Result<Vec<ProductEvent>, ProductRejection> {
    match command {
        ProductCommand::Register { sku, name, price, is_stocked } => register(state, sku, name, price, is_stocked, now),
        ProductCommand::ChangePrice { price } => change_price(state, price, now),
        ProductCommand::Retire => retire(state, now),
    }
}

fn register(
    state: &ProductState,
    sku: Sku,
    name: Label,
    price: Money,
    is_stocked: bool,
    at: Timestamp,
) -> Result<Vec<ProductEvent>, ProductRejection> {
    match state {
        ProductState::Unregistered => {
            Ok(vec![ProductEvent::Registered { product: id_of(&sku), sku, name, price, is_stocked, at }])
        }
        ProductState::Offered(_) | ProductState::Retired(_) => Err(ProductRejection::AlreadyRegistered),
    }
}

fn change_price(state: &ProductState, price: Money, at: Timestamp) -> Result<Vec<ProductEvent>, ProductRejection> {
    let offer = offered(state)?;
    if price.currency() != offer.price.currency() {
        return Err(ProductRejection::CurrencyChanged { expected: offer.price.currency().code() });
    }
    if price == offer.price {
        return Ok(vec![]); // Already so: success, nothing new.
    }
    Ok(vec![ProductEvent::PriceChanged { product: offer.product, price, at }])
}

fn retire(state: &ProductState, at: Timestamp) -> Result<Vec<ProductEvent>, ProductRejection> {
    match state {
        ProductState::Unregistered => Err(ProductRejection::NotFound),
        ProductState::Offered(offer) => Ok(vec![ProductEvent::Retired { product: offer.product, at }]),
        ProductState::Retired(_) => Ok(vec![]), // Already done: success, nothing new.
    }
}

fn offered(state: &ProductState) -> Result<&Offer, ProductRejection> {
    match state {
        ProductState::Unregistered => Err(ProductRejection::NotFound),
        ProductState::Offered(offer) => Ok(offer),
        ProductState::Retired(_) => Err(ProductRejection::Retired),
    }
}
