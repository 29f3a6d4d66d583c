//! Questions to the orders.

use domain::{
    Timestamp,
    values::{Currency, CustomerId, OrderId},
};
use infrastructure::read_store::{Cost, Query, Value};
use uuid::Uuid;

use super::{OrderRow, OrderStatus, OrderSummary};
use crate::{QueryError, Served};

/// Which orders. All that is given must hold; `any` holds if one of its filters does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrderFilter {
    /// In one of these states.
    pub status: Option<Vec<OrderStatus>>,
    /// Bought by this customer.
    pub customer: Option<CustomerId>,
    /// Paid in this currency.
    pub currency: Option<Currency>,
    /// With a total of at least so many minor units.
    pub total_at_least: Option<i64>,
    /// With a total of at most so many minor units.
    pub total_at_most: Option<i64>,
    /// Placed then or later.
    pub placed_from: Option<Timestamp>,
    /// Placed before then.
    pub placed_before: Option<Timestamp>,
    /// All of these hold.
    pub all: Vec<OrderFilter>,
    /// One of these holds; an empty list means nothing is asked.
    pub any: Vec<OrderFilter>,
}

/// What orders are sorted by; equal ones by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderSortKey {
    /// When they were placed.
    PlacedAt,
    /// When they changed last.
    UpdatedAt,
}

impl OrderSortKey {
    const fn column(self) -> &'static str {
        match self {
            Self::PlacedAt => "placed_at",
            Self::UpdatedAt => "updated_at",
        }
    }

    /// The order's place under this key.
    pub const fn of(self, row: &OrderRow) -> Timestamp {
        match self {
            Self::PlacedAt => row.placed_at,
            Self::UpdatedAt => row.updated_at,
        }
    }
}

/// How orders are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderSort {
    /// By what.
    pub key: OrderSortKey,
    /// Newest first.
    pub is_descending: bool,
}

/// A place in a sorted list.
pub type Place = (Timestamp, OrderId);

/// A part of a list of orders.
#[derive(Clone, Debug)]
pub struct OrderPage {
    /// Which orders.
    pub filter: OrderFilter,
    /// In which order.
    pub sort: OrderSort,
    /// Only those after this place in the list.
    pub after: Option<Place>,
    /// Only those before this place in the list.
    pub before: Option<Place>,
    /// The last ones of the list instead of the first, in reverse order.
    pub from_end: bool,
    /// How many at most.
    pub limit: usize,
}

impl OrderFilter {
    /// Whether the order is one of these. The same answer as the SQL gives.
    pub fn matches(&self, row: &OrderRow) -> bool {
        self.status.as_ref().is_none_or(|status| status.contains(&row.status))
            && self.customer.is_none_or(|customer| customer == row.customer)
            && self.currency.is_none_or(|currency| currency == row.total.currency())
            && self.total_at_least.is_none_or(|minor| row.total.minor() >= minor)
            && self.total_at_most.is_none_or(|minor| row.total.minor() <= minor)
            && self.placed_from.is_none_or(|from| row.placed_at >= from)
            && self.placed_before.is_none_or(|before| row.placed_at < before)
            && self.all.iter().all(|filter| filter.matches(row))
            && (self.any.is_empty() || self.any.iter().any(|filter| filter.matches(row)))
    }

    /// The condition, with its values appended to `params`.
    fn sql(&self, params: &mut Vec<Value>) -> String {
        let mut conditions = Vec::new();
        let mut compare = |column_and_operator: &str, value: Value| {
            params.push(value);
            conditions.push(format!("{column_and_operator} ${}", params.len()));
        };
        if let Some(customer) = self.customer {
            compare("customer_id =", Value::Uuid(customer.uuid()));
        }
        if let Some(currency) = self.currency {
            compare("currency =", Value::Text(currency.code().to_owned()));
        }
        if let Some(minor) = self.total_at_least {
            compare("total_minor >=", Value::Int(minor));
        }
        if let Some(minor) = self.total_at_most {
            compare("total_minor <=", Value::Int(minor));
        }
        if let Some(from) = self.placed_from {
            compare("placed_at >=", Value::Timestamp(from));
        }
        if let Some(before) = self.placed_before {
            compare("placed_at <", Value::Timestamp(before));
        }
        if let Some(status) = &self.status {
            let words = status.iter().map(|status| {
                params.push(Value::Text(status.as_str().to_owned()));
                format!("${}", params.len())
            });
            let words: Vec<String> = words.collect();
            let nothing = "1 = 0".to_owned();
            conditions.push(if words.is_empty() { nothing } else { format!("status IN ({})", words.join(", ")) });
        }
        conditions.extend(self.all.iter().map(|filter| filter.sql(params)));
        if !self.any.is_empty() {
            let any: Vec<String> = self.any.iter().map(|filter| filter.sql(params)).collect();
            conditions.push(format!("({})", any.join(" OR ")));
        }
        if conditions.is_empty() { "1 = 1".to_owned() } else { format!("({})", conditions.join(" AND ")) }
    }
}

impl Served<OrderSummary> {
    /// The order with this id.
    pub async fn by_id(&self, order: OrderId) -> Result<Option<OrderRow>, QueryError> {
        self.row(order.uuid()).await
    }

    /// The orders with these ids, in no particular order.
    pub async fn by_ids(&self, orders: &[OrderId]) -> Result<Vec<OrderRow>, QueryError> {
        let keys: Vec<Uuid> = orders.iter().map(|order| order.uuid()).collect();
        self.rows(&keys).await
    }

    /// The orders of a page. Sorted as asked for; in reverse if `from_end`.
    pub async fn page(&self, page: &OrderPage) -> Result<Vec<OrderRow>, QueryError> {
        self.select(|columns, table| {
            let mut params = Vec::new();
            let mut conditions = vec![page.filter.sql(&mut params)];
            let key = page.sort.key.column();
            let (further, nearer) = if page.sort.is_descending { ("<", ">") } else { (">", "<") };
            for (place, comparison) in [(page.after, further), (page.before, nearer)] {
                let Some((at, order)) = place else { continue };
                params.extend([Value::Timestamp(at), Value::Uuid(order.uuid())]);
                let (at, id) = (params.len() - 1, params.len());
                conditions.push(format!("({key}, order_id) {comparison} (${at}, ${id})"));
            }
            let direction = if page.sort.is_descending == page.from_end { "ASC" } else { "DESC" };
            let sql = format!(
                "SELECT {columns} FROM {table} WHERE {} ORDER BY {key} {direction}, order_id {direction} LIMIT {}",
                conditions.join(" AND "),
                page.limit
            );
            Query { sql: sql.into(), params, cost: Cost::Scan }
        })
        .await
    }
}
