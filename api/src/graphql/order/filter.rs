//! `where` and `orderBy` of orders: what clients write, and what the read model understands.

use async_graphql::{Enum, Error, ID, InputObject};
use domain::{
    Timestamp,
    values::{Currency, CustomerId, CustomerKind, Label, Money, OrderKind, Sku, Warehouse},
};
use projections::order_summary::{self, OrderFilter, OrderSort, OrderSortKey, SearchText};

use super::types::{OrderFulfilmentStatus, OrderPaymentStatus, OrderStatus};
use crate::{
    error_code::ErrorCode,
    graphql::{
        node::local,
        scalars::{CurrencyCode, Decimal},
    },
};

/// How many conditions one filter may have, nested ones included.
const CONDITIONS_MAX: usize = 50;

/// Which orders. Everything that is given must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct OrderWhere {
    /// In one of these states.
    status: Option<Vec<OrderStatus>>,
    /// With the payment in one of these states.
    payment_status: Option<Vec<OrderPaymentStatus>>,
    /// With the pieces in one of these states.
    fulfilment_status: Option<Vec<OrderFulfilmentStatus>>,
    /// Whether it should have left the house by now.
    is_overdue: Option<bool>,
    /// To leave this warehouse.
    warehouse: Option<String>,
    /// With this `number`; small letters, and letters that look like digits, will do.
    number: Option<String>,
    /// With this carrier's number on the last shipment.
    tracking_number: Option<String>,
    /// With this SKU on one of its lines.
    sku: Option<String>,
    /// Found by what somebody types, 1 to 100 characters: the beginning of the order's number or id, of its customer's id or
    /// of a carrier's number; or up to 8 words, each of which begins a word of a name or SKU in the order. Case and accents
    /// do not count. An id may be a global one.
    text: Option<String>,
    /// Bought by this customer.
    customer_id: Option<ID>,
    /// Placed within this range.
    placed_at: Option<DateTimeRange>,
    /// With a total within this range; of its currency only.
    total: Option<MoneyRange>,
    /// All of these hold.
    and: Option<Vec<OrderWhere>>,
    /// At least one of these holds.
    or: Option<Vec<OrderWhere>>,
}

/// A range of time.
#[derive(Clone, Debug, InputObject)]
struct DateTimeRange {
    /// Then or later.
    gte: Option<Timestamp>,
    /// Before then.
    lt: Option<Timestamp>,
}

/// A range of amounts.
#[derive(Clone, Debug, InputObject)]
struct MoneyRange {
    /// The currency.
    currency_code: CurrencyCode,
    /// At least so much.
    gte: Option<Decimal>,
    /// At most so much.
    lte: Option<Decimal>,
}

/// How orders are sorted; equal ones by id.
#[derive(Clone, Copy, Debug, InputObject)]
pub(super) struct OrderOrderBy {
    /// By what.
    field: OrderOrderField,
    /// Which way.
    #[graphql(default_with = "SortDirection::Desc")]
    direction: SortDirection,
}

/// What orders can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
enum OrderOrderField {
    /// When they were placed.
    PlacedAt,
    /// When they changed last.
    UpdatedAt,
}

/// Which way a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
enum SortDirection {
    /// Oldest or smallest first.
    Asc,
    /// Newest or largest first.
    Desc,
}

impl OrderOrderBy {
    /// Newest first unless told otherwise.
    pub(super) fn sort(this: Option<Self>) -> OrderSort {
        let Some(Self { field, direction }) = this else {
            return OrderSort { key: OrderSortKey::PlacedAt, is_descending: true };
        };
        let key = match field {
            OrderOrderField::PlacedAt => OrderSortKey::PlacedAt,
            OrderOrderField::UpdatedAt => OrderSortKey::UpdatedAt,
        };
        OrderSort { key, is_descending: direction == SortDirection::Desc }
    }
}

impl OrderWhere {
    /// The filter in the read model's words.
    pub(super) fn filter(self) -> Result<OrderFilter, Error> {
        if self.conditions() > CONDITIONS_MAX {
            return Err(ErrorCode::BadUserInput.error(format!("a filter has at most {CONDITIONS_MAX} conditions")));
        }
        self.translate()
    }

    fn conditions(&self) -> usize {
        let nested = self.and.iter().chain(&self.or).flatten();
        let listed = self.status.as_ref().map_or(0, Vec::len)
            + self.payment_status.as_ref().map_or(0, Vec::len)
            + self.fulfilment_status.as_ref().map_or(0, Vec::len);
        1 + listed + nested.map(Self::conditions).sum::<usize>()
    }

    fn translate(self) -> Result<OrderFilter, Error> {
        let all_of = |list: Option<Vec<Self>>| {
            list.unwrap_or_default().into_iter().map(Self::translate).collect::<Result<Vec<_>, _>>()
        };
        let (currency, total_at_least, total_at_most) = match self.total {
            None => (None, None, None),
            Some(range) => range.translate()?,
        };
        let placed_at = self.placed_at.unwrap_or(DateTimeRange { gte: None, lt: None });
        Ok(OrderFilter {
            status: self.status.map(|list| list.into_iter().map(Into::into).collect()),
            payment_status: self.payment_status.map(|list| list.into_iter().map(Into::into).collect()),
            fulfilment_status: self.fulfilment_status.map(|list| list.into_iter().map(Into::into).collect()),
            is_overdue: self.is_overdue,
            warehouse: self.warehouse.map(|name| warehouse(&name)).transpose()?,
            number: self.number.map(|number| order_summary::read_number(&number)),
            tracking: self.tracking_number.map(|number| tracking(&number)).transpose()?,
            sku: self.sku.map(|sku| parse_sku(&sku)).transpose()?,
            text: self.text.map(|typed| text(&typed)).transpose()?,
            customer: self.customer_id.map(|id| customer(&id)).transpose()?,
            currency,
            total_at_least,
            total_at_most,
            placed_from: placed_at.gte,
            placed_before: placed_at.lt,
            all: all_of(self.and)?,
            any: all_of(self.or)?,
        })
    }
}

/// Currency, lower and upper bound in minor units.
type Bounds = (Option<Currency>, Option<i64>, Option<i64>);

impl MoneyRange {
    fn translate(self) -> Result<Bounds, Error> {
        let currency = Currency::from_code(&self.currency_code.0)
            .ok_or_else(|| ErrorCode::BadUserInput.error("`currencyCode` is not an ISO 4217 currency code"))?;
        let minor = |amount: Option<Decimal>| {
            let parsed = amount.map(|amount| Money::parse(&amount.0, currency).map(Money::minor)).transpose();
            parsed.map_err(|error| ErrorCode::BadUserInput.error(format!("`total`: {error}")))
        };
        Ok((Some(currency), minor(self.gte)?, minor(self.lte)?))
    }
}

fn tracking(number: &str) -> Result<Label, Error> {
    Label::parse(number).map_err(|error| ErrorCode::BadUserInput.error(format!("`trackingNumber`: {error}")))
}

fn parse_sku(sku: &str) -> Result<Sku, Error> {
    Sku::parse(sku).map_err(|error| ErrorCode::BadUserInput.error(format!("`sku`: {error}")))
}

/// What somebody typed. A global id means the one in it.
fn text(typed: &str) -> Result<SearchText, Error> {
    let id = ID::from(typed.trim());
    let meant = local::<OrderKind>(&id).map(|order| order.to_string());
    let meant = meant.or_else(|| local::<CustomerKind>(&id).map(|customer| customer.to_string()));
    let text = SearchText::parse(meant.as_deref().unwrap_or(typed));
    text.map_err(|error| ErrorCode::BadUserInput.error(format!("`text`: {error}")))
}

fn warehouse(name: &str) -> Result<Warehouse, Error> {
    Warehouse::parse(name).map_err(|error| ErrorCode::BadUserInput.error(format!("`warehouse`: {error}")))
}

fn customer(id: &ID) -> Result<CustomerId, Error> {
    local(id).ok_or_else(|| ErrorCode::BadUserInput.error("`customerId` is not the id of a customer"))
}
