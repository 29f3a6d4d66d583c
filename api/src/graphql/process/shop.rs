//! The second books of stock and money.

use async_graphql::{Context, Enum, Error, ID, Object, SimpleObject};
use domain::audit::{Found, Report, Subject};
use infrastructure::event_store::Position;
use uuid::Uuid;

use crate::{
    graphql::{
        call::{operator, services},
        node::global,
        read::{event_store_error, internal, read_store_error},
    },
    processes::BooksError,
};

/// Whose a difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
enum ShopSubject {
    /// Of the pieces of one SKU in one warehouse.
    Stock,
    /// Of an order.
    Order,
    /// Of a payment.
    Payment,
}

/// Something about stock or money that does not agree.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
struct ShopDifference {
    /// Whose it is.
    subject: ShopSubject,
    /// Its key.
    key: Uuid,
    /// Its global id, if it has one.
    id: Option<ID>,
    /// What does not agree, for people.
    text: String,
}

/// Stock and money, recomputed from the events.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
struct ShopReport {
    /// How many events it took.
    events: u64,
    /// Up to where the log was read.
    number: u64,
    /// How many stocks there are.
    stocks: u64,
    /// How many payments there are.
    payments: u64,
    /// How many orders there are.
    orders: u64,
    /// How many of these orders the fulfilment is at. What they have to agree on with stocks and payments was not looked at.
    under_way: u64,
    /// Whether everything agrees.
    is_right: bool,
    /// How many differences there are.
    differing: u64,
    /// The first of them, at most 100.
    differences: Vec<ShopDifference>,
}

/// Why stock and money are not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
enum ShopErrorCode {
    /// They are being verified already, by the process that was asked.
    AlreadyVerifying,
}

/// What keeps stock and money from being verified.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
struct ShopUserError {
    /// What, for programs.
    code: ShopErrorCode,
    /// What, for people.
    message: String,
    /// Where in the input; empty: there is none.
    field: Vec<String>,
}

/// What came of `shopVerify`.
#[derive(Debug, SimpleObject)]
struct ShopVerifyPayload {
    /// What was found; null if there are user errors.
    report: Option<ShopReport>,
    /// What was wrong; empty if there is a report.
    user_errors: Vec<ShopUserError>,
}

/// `shopVerify`.
#[derive(Debug, Default)]
pub(crate) struct ShopMutation;

#[Object]
impl ShopMutation {
    /// Reads the whole log once and books stock and money a second time: what is there is what came less what left, nothing
    /// is promised twice, nothing is taken that is not held, and what was taken belongs to what left the house or is given
    /// back. Changes nothing. A process does it once at a time. For operators.
    async fn shop_verify(&self, context: &Context<'_>) -> Result<ShopVerifyPayload, Error> {
        operator(context)?;
        match services(context).books.audit().await {
            Ok((report, head)) => {
                Ok(ShopVerifyPayload { report: Some(ShopReport::of(report, head)), user_errors: Vec::new() })
            }
            Err(error @ BooksError::AlreadyVerifying) => {
                let (code, message) = (ShopErrorCode::AlreadyVerifying, error.to_string());
                let user_errors = vec![ShopUserError { code, message, field: Vec::new() }];
                Ok(ShopVerifyPayload { report: None, user_errors })
            }
            Err(BooksError::Events(error)) => Err(event_store_error(error)),
            Err(BooksError::Rows(error)) => Err(read_store_error(error)),
            Err(error @ BooksError::Undecodable { .. }) => Err(internal(error)),
        }
    }
}

impl ShopReport {
    fn of(report: Report, head: Position) -> Self {
        Self {
            events: report.events,
            number: head.value(),
            stocks: report.stocks,
            payments: report.payments,
            orders: report.orders,
            under_way: report.under_way,
            is_right: report.is_right(),
            differing: report.differing,
            differences: report.differences.into_iter().map(ShopDifference::from).collect(),
        }
    }
}

impl From<Found> for ShopDifference {
    fn from(Found { subject, difference }: Found) -> Self {
        let (subject, key, id) = match subject {
            Subject::Stock(stock) => (ShopSubject::Stock, stock.uuid(), Some(global(stock))),
            Subject::Order(order) => (ShopSubject::Order, order.uuid(), Some(global(order))),
            Subject::Payment(payment) => (ShopSubject::Payment, payment.uuid(), None),
        };
        Self { subject, key, id, text: difference.to_string() }
    }
}
