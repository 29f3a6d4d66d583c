//! Commands to products. All of them are for operators.

use std::fmt::Display;

use async_graphql::{Context, Enum, Error, ID, InputObject, Object, SimpleObject};
use domain::{
    product::{ProductCommand, ProductRejection, ProductState, id_of},
    values::{Label, Money, ProductId, Sku},
};
use infrastructure::execute::{Executed, Request};
use projections::product_catalog::ProductRow;

use super::ProductObject;
use crate::graphql::{
    call::{self, CommandIdentity, Failure, expected, operator, services},
    node::target,
    scalars::{MoneyInput, MoneyInputError},
    user_error::{Done, path, payloads},
};

/// A product to put into the catalogue.
#[derive(Debug, InputObject)]
struct ProductRegisterInput {
    /// The shop's own name of it, 1 to 64 letters, digits, `-`, `_` or `.`; not to be used again.
    sku: String,
    /// The name, 1 to 200 characters.
    name: String,
    /// The price of one piece.
    price: MoneyInput,
    /// Whether its pieces are counted: then they are reserved before they are sold, and nobody buys what is not there.
    #[graphql(default = true)]
    tracks_stock: bool,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    idempotency_key: Option<String>,
}

/// A new price.
#[derive(Debug, InputObject)]
struct ProductChangePriceInput {
    /// The product.
    id: ID,
    /// The price of one piece from now on, in the same currency.
    price: MoneyInput,
    /// Do it only if the product is at this version.
    expected_version: Option<i32>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    idempotency_key: Option<String>,
}

/// A product to take out of the catalogue.
#[derive(Debug, InputObject)]
struct ProductRetireInput {
    /// The product.
    id: ID,
    /// Do it only if the product is at this version.
    expected_version: Option<i32>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    idempotency_key: Option<String>,
}

/// What can be wrong with a product's mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
enum ProductErrorCode {
    /// The SKU is malformed.
    InvalidSku,
    /// The name is empty, too long or holds control characters.
    InvalidName,
    /// The amount is malformed, negative or too large.
    InvalidPrice,
    /// The currency is not one of ISO 4217, or not the product's.
    InvalidCurrency,
    /// A product with this SKU is registered already.
    SkuTaken,
    /// There is no such product.
    NotFound,
    /// The product is retired, which is final.
    Retired,
    /// The product is not at `expectedVersion`.
    VersionConflict,
}

/// Something wrong with a product's mutation.
#[derive(Debug, SimpleObject)]
struct ProductUserError {
    /// What, for programs.
    code: ProductErrorCode,
    /// What, for people.
    message: String,
    /// Where in the input.
    field: Vec<String>,
    /// For `VERSION_CONFLICT`: the version it is at.
    current_version: Option<i32>,
}

impl ProductUserError {
    fn new(code: ProductErrorCode, message: &dyn Display, field: Vec<String>) -> Self {
        Self { code, message: message.to_string(), field, current_version: None }
    }
}

payloads! {
    product: ProductObject, error: ProductUserError;
    /// What came of `productRegister`.
    ProductRegisterPayload
    /// What came of `productChangePrice`.
    ProductChangePricePayload
    /// What came of `productRetire`.
    ProductRetirePayload
}

/// `productRegister`, `productChangePrice`, `productRetire`.
#[derive(Debug, Default)]
pub(crate) struct ProductMutation;

#[Object]
impl ProductMutation {
    /// Puts a product into the catalogue. For operators.
    async fn product_register(
        &self,
        context: &Context<'_>,
        input: ProductRegisterInput,
    ) -> Result<ProductRegisterPayload, Error> {
        operator(context)?;
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "productRegister", key, &input)?;
        let (sku, name, price) = (Sku::parse(&input.sku), Label::parse(&input.name), money(&input.price));
        let (Ok(sku), Ok(name), Ok(price)) = (&sku, &name, &price) else {
            let mut errors = Vec::new();
            errors.extend(
                sku.err().map(|error| ProductUserError::new(ProductErrorCode::InvalidSku, &error, path([&"sku"]))),
            );
            errors.extend(
                name.err().map(|error| ProductUserError::new(ProductErrorCode::InvalidName, &error, path([&"name"]))),
            );
            errors.extend(price.err());
            return Ok(Err(errors).into());
        };
        let product = id_of(sku);
        let (sku, name, is_stocked) = (sku.clone(), name.clone(), input.tracks_stock);
        let command = ProductCommand::Register { sku, name, price: *price, is_stocked };
        Ok(execute(context, product, command, identity, None).await?.into())
    }

    /// Asks another price from now on. For operators.
    async fn product_change_price(
        &self,
        context: &Context<'_>,
        input: ProductChangePriceInput,
    ) -> Result<ProductChangePricePayload, Error> {
        operator(context)?;
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "productChangePrice", key, &input)?;
        let price = match money(&input.price) {
            Ok(price) => price,
            Err(error) => return Ok(Err(vec![error]).into()),
        };
        let command = ProductCommand::ChangePrice { price };
        let product = target(&input.id)?;
        Ok(execute(context, product, command, identity, input.expected_version).await?.into())
    }

    /// Takes a product out of the catalogue, for good. For operators.
    async fn product_retire(
        &self,
        context: &Context<'_>,
        input: ProductRetireInput,
    ) -> Result<ProductRetirePayload, Error> {
        operator(context)?;
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "productRetire", key, &input)?;
        let product = target(&input.id)?;
        Ok(execute(context, product, ProductCommand::Retire, identity, input.expected_version).await?.into())
    }
}

async fn execute(
    context: &Context<'_>,
    product: ProductId,
    command: ProductCommand,
    identity: CommandIdentity,
    expected_version: Option<i32>,
) -> Result<Result<Done<ProductObject>, Vec<ProductUserError>>, Error> {
    let request = Request {
        stream: product.uuid(),
        command,
        metadata: identity.metadata,
        expected: expected(expected_version)?,
        is_fresh: false,
    };
    Ok(match call::execute(&services(context).products, request).await? {
        Ok(executed) => Ok(done(&executed)),
        Err(Failure::Rejected(rejection)) => Err(vec![rejected(&rejection)]),
        Err(Failure::Conflict { current }) => Err(vec![ProductUserError {
            current_version: current.map(call::version),
            ..ProductUserError::new(
                ProductErrorCode::VersionConflict,
                &"the product has changed meanwhile",
                path([&"expectedVersion"]),
            )
        }]),
    })
}

fn done(executed: &Executed<ProductState>) -> Done<ProductObject> {
    let row = executed.revision.and_then(|revision| ProductRow::of(&executed.state, revision));
    Done::new(row.map(ProductObject), executed)
}

fn rejected(rejection: &ProductRejection) -> ProductUserError {
    let (code, field) = match rejection {
        ProductRejection::AlreadyRegistered => (ProductErrorCode::SkuTaken, path([&"sku"])),
        ProductRejection::NotFound => (ProductErrorCode::NotFound, path([&"id"])),
        ProductRejection::Retired => (ProductErrorCode::Retired, path([&"id"])),
        ProductRejection::CurrencyChanged { .. } => {
            (ProductErrorCode::InvalidCurrency, path([&"price", &"currencyCode"]))
        }
    };
    ProductUserError::new(code, rejection, field)
}

fn money(input: &MoneyInput) -> Result<Money, ProductUserError> {
    input.money().map_err(|error| {
        let (code, part) = match error {
            MoneyInputError::Currency => (ProductErrorCode::InvalidCurrency, "currencyCode"),
            MoneyInputError::Amount(_) => (ProductErrorCode::InvalidPrice, "amount"),
        };
        ProductUserError::new(code, &error, path([&"price", &part]))
    })
}
