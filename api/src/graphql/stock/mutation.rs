//! Commands to stock. All of them are for operators; what orders do to it is done by the process that follows them.
//!
//! There is no `expectedVersion`: a receipt and a change add to whatever is there, so it does not matter what came first.
//! The idempotency key is not optional, because what adds twice is wrong twice.

use std::fmt::Display;

use async_graphql::{Context, Enum, Error, InputObject, Object, SimpleObject};
use domain::{
    product::{self, ProductState},
    stock::{StockCommand, StockRejection, id_of},
    values::{Label, Pieces, Sku, Warehouse},
};
use infrastructure::execute::Request;
use projections::stock_level::StockLevelRow;

use super::StockLevelObject;
use crate::{
    error_code::ErrorCode,
    graphql::{
        call::{self, CommandIdentity, Failure, execute_error, operator, services},
        read::internal,
        user_error::{Done, path, payloads},
    },
};

/// Pieces that came in.
#[derive(Debug, InputObject)]
struct StockReceiveInput {
    /// Of what: the SKU of a product of the catalogue, be it retired.
    sku: String,
    /// Where, 1 to 32 letters, digits or `-`.
    #[graphql(default_with = "Warehouse::MAIN.to_owned()")]
    warehouse: String,
    /// How many, 1 to 1,000,000,000.
    quantity: i32,
    /// The delivery note, the return, or whatever else they came with, 1 to 200 characters.
    reference: Option<String>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    idempotency_key: String,
}

/// More or fewer pieces than was thought.
#[derive(Debug, InputObject)]
struct StockAdjustInput {
    /// Of what.
    sku: String,
    /// Where.
    #[graphql(default_with = "Warehouse::MAIN.to_owned()")]
    warehouse: String,
    /// How many more; negative: fewer.
    change: i32,
    /// Why: counted, broken, found; 1 to 200 characters.
    reason: String,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    idempotency_key: String,
}

/// What can be wrong with a stock's mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
enum StockErrorCode {
    /// The SKU is malformed.
    InvalidSku,
    /// The warehouse's name is malformed.
    InvalidWarehouse,
    /// The number of pieces is zero, or not 1 to 1,000,000,000 where pieces come in.
    InvalidQuantity,
    /// The reference is empty, too long or holds control characters.
    InvalidReference,
    /// The reason is empty, too long or holds control characters.
    InvalidReason,
    /// The catalogue has no product of this SKU.
    UnknownProduct,
    /// Nothing of this SKU was ever received in this warehouse.
    NotFound,
    /// There would be more pieces than a warehouse holds.
    TooManyPieces,
    /// There would be fewer pieces than are promised to orders, or fewer than none.
    BelowReserved,
}

/// Something wrong with a stock's mutation.
#[derive(Debug, SimpleObject)]
struct StockUserError {
    /// What, for programs.
    code: StockErrorCode,
    /// What, for people.
    message: String,
    /// Where in the input.
    field: Vec<String>,
    /// For `BELOW_RESERVED`: how many pieces are promised to orders.
    reserved: Option<u64>,
}

impl StockUserError {
    fn new(code: StockErrorCode, message: &dyn Display, field: &str) -> Self {
        Self { code, message: message.to_string(), field: path([&field]), reserved: None }
    }
}

payloads! {
    level: StockLevelObject, error: StockUserError;
    /// What came of `stockReceive`.
    StockReceivePayload
    /// What came of `stockAdjust`.
    StockAdjustPayload
}

/// `stockReceive`, `stockAdjust`.
#[derive(Debug, Default)]
pub(crate) struct StockMutation;

#[Object]
impl StockMutation {
    /// Takes pieces of a product into a warehouse. For operators.
    async fn stock_receive(
        &self,
        context: &Context<'_>,
        input: StockReceiveInput,
    ) -> Result<StockReceivePayload, Error> {
        operator(context)?;
        let identity = CommandIdentity::of(context, "stockReceive", Some(&input.idempotency_key), &input)?;
        let mut errors = Vec::new();
        let place = place(&input.sku, &input.warehouse, &mut errors);
        let pieces = Pieces::try_new(i64::from(input.quantity));
        let pieces = valid(pieces, StockErrorCode::InvalidQuantity, "quantity", &mut errors);
        let reference = input.reference.as_deref().map(Label::parse).transpose();
        let reference = valid(reference, StockErrorCode::InvalidReference, "reference", &mut errors);
        let (Some((sku, warehouse)), Some(pieces), Some(reference)) = (place, pieces, reference) else {
            return Ok(Err(errors).into());
        };
        if !is_in_catalogue(context, &sku).await? {
            let message = "there is no product of this SKU";
            let error = StockUserError::new(StockErrorCode::UnknownProduct, &message, "sku");
            return Ok(Err(vec![error]).into());
        }
        let (of, at) = (sku.clone(), warehouse.clone());
        let command = StockCommand::Receive { sku, warehouse, pieces, reference };
        Ok(execute(context, of, at, command, identity, "quantity").await?.into())
    }

    /// Says that a warehouse has more or fewer pieces than was thought. For operators.
    async fn stock_adjust(&self, context: &Context<'_>, input: StockAdjustInput) -> Result<StockAdjustPayload, Error> {
        operator(context)?;
        let identity = CommandIdentity::of(context, "stockAdjust", Some(&input.idempotency_key), &input)?;
        let mut errors = Vec::new();
        let place = place(&input.sku, &input.warehouse, &mut errors);
        let reason = valid(Label::parse(&input.reason), StockErrorCode::InvalidReason, "reason", &mut errors);
        let (Some((sku, warehouse)), Some(reason)) = (place, reason) else {
            return Ok(Err(errors).into());
        };
        let command = StockCommand::Adjust { change: i64::from(input.change), reason };
        Ok(execute(context, sku, warehouse, command, identity, "change").await?.into())
    }
}

/// The value; what is wrong with it is put to the rest of what is wrong.
fn valid<T>(
    value: Result<T, impl Display>,
    code: StockErrorCode,
    field: &str,
    errors: &mut Vec<StockUserError>,
) -> Option<T> {
    value.map_err(|error| errors.push(StockUserError::new(code, &error, field))).ok()
}

/// What, and where.
fn place(sku: &str, warehouse: &str, errors: &mut Vec<StockUserError>) -> Option<(Sku, Warehouse)> {
    let sku = valid(Sku::parse(sku), StockErrorCode::InvalidSku, "sku", errors);
    let warehouse = valid(Warehouse::parse(warehouse), StockErrorCode::InvalidWarehouse, "warehouse", errors);
    sku.zip(warehouse)
}

/// Whether a product has, or once had, this SKU: from the product's own stream, which never lags.
async fn is_in_catalogue(context: &Context<'_>, sku: &Sku) -> Result<bool, Error> {
    let current = services(context).products.current(product::id_of(sku).uuid()).await.map_err(execute_error)?;
    Ok(match current.state.as_ref() {
        ProductState::Unregistered => false,
        ProductState::Offered(_) | ProductState::Retired(_) => true,
    })
}

/// Executes a command to this stock; `amount` is where in the input the pieces are.
async fn execute(
    context: &Context<'_>,
    sku: Sku,
    warehouse: Warehouse,
    command: StockCommand,
    identity: CommandIdentity,
    amount: &str,
) -> Result<Result<Done<StockLevelObject>, Vec<StockUserError>>, Error> {
    let request = Request {
        stream: id_of(&sku, &warehouse).uuid(),
        command,
        metadata: identity.metadata,
        expected: None,
        is_fresh: false,
    };
    match call::execute(&services(context).stocks, request).await? {
        Ok(executed) => {
            let row =
                executed.revision.and_then(|revision| StockLevelRow::of(&executed.state, sku, warehouse, revision));
            Ok(Ok(Done::new(row.map(StockLevelObject), &executed)))
        }
        Err(Failure::Rejected(rejection)) => rejected(rejection, amount).map(|error| Err(vec![error])),
        // No version was asked for, so this cannot be; it would be true all the same.
        Err(Failure::Conflict { .. }) => {
            Err(ErrorCode::Contended.error("the stock has changed meanwhile; nothing was written, try again"))
        }
    }
}

fn rejected(rejection: StockRejection, amount: &str) -> Result<StockUserError, Error> {
    let (code, field, reserved) = match &rejection {
        StockRejection::NotFound => (StockErrorCode::NotFound, "sku", None),
        StockRejection::NoPieces => (StockErrorCode::InvalidQuantity, amount, None),
        StockRejection::TooMany => (StockErrorCode::TooManyPieces, amount, None),
        StockRejection::BelowReserved { reserved } => (StockErrorCode::BelowReserved, amount, Some(reserved.number())),
        // Answers to what orders do, which nobody asks for here.
        StockRejection::Insufficient { .. }
        | StockRejection::ReservedOtherwise { .. }
        | StockRejection::NotReserved { .. }
        | StockRejection::NotExpired { .. } => return Err(internal(rejection)),
    };
    Ok(StockUserError { reserved, ..StockUserError::new(code, &rejection, field) })
}
