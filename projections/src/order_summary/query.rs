//! Questions to the orders.

use domain::values::OrderId;
use infrastructure::read_store::{Cost, Query, Value};

use super::{
    OrderPage, OrderRow, OrderSortKey, OrderSummary,
    lead::{self, List, Range, Span, Table},
    search::WORDS,
};
use crate::{QueryError, Served, table::TableSql};

impl Served<OrderSummary> {
    /// The order with this id.
    pub async fn by_id(&self, order: OrderId) -> Result<Option<OrderRow>, QueryError> {
        self.row(order.uuid()).await
    }
}

/// A query that grows.
#[derive(Default)]
struct Draft {
    params: Vec<Value>,
}

impl Draft {
    /// The placeholder of one more value.
    fn value(&mut self, value: Value) -> String {
        self.params.push(value);
        format!("${}", self.params.len())
    }

    /// The conditions that a place is in this part of a list.
    fn span(&mut self, column: &str, span: &Span) -> Vec<String> {
        let Span { from, until, above, below } = *span;
        let times = [(from, ">="), (until, "<")].into_iter().filter_map(|(at, comparison)| Some((at?, comparison)));
        let mut conditions: Vec<String> = times
            .map(|(at, comparison)| format!("{column} {comparison} {}", self.value(Value::Timestamp(at))))
            .collect();
        for (place, comparison) in [(above, ">"), (below, "<")] {
            let Some((at, order)) = place else { continue };
            let (at, order) = (self.value(Value::Timestamp(at)), self.value(Value::Uuid(order.uuid())));
            conditions.push(format!("({column}, order_id) {comparison} ({at}, {order})"));
        }
        conditions
    }

    fn done(self, sql: String) -> Query {
        Query { sql: sql.into(), params: self.params, cost: Cost::Scan }
    }
}

fn all_of(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}

/// The full name of a table; none if the generation has none.
fn named(sql: &TableSql, table: Table) -> Option<&str> {
    match table {
        Table::Orders => Some(&sql.name),
        Table::Side(name) => sql.side(name),
    }
}

/// The next orders in the order of the list, or of one list of placements.
pub(super) fn rows(
    (columns, table): (&str, &str),
    list: Option<&List>,
    page: &OrderPage,
    span: &Span,
    limit: usize,
) -> Query {
    let mut draft = Draft::default();
    let mut conditions = Vec::new();
    conditions.extend(list.map(|list| format!("{} = {}", list.column, draft.value(list.value.clone()))));
    let key = match page.sort.key {
        OrderSortKey::PlacedAt => "placed_at",
        OrderSortKey::UpdatedAt => "updated_at",
    };
    conditions.extend(draft.span(key, span));
    let direction = if page.reads_down() { "DESC" } else { "ASC" };
    let conditions = all_of(&conditions);
    draft.done(format!(
        "SELECT {columns} FROM {table}{conditions} ORDER BY {key} {direction}, order_id {direction} LIMIT {limit}"
    ))
}

/// The first places of these lists together, each once.
pub(super) fn places(sql: &TableSql, lists: &[List], span: &Span, is_down: bool, limit: usize) -> Option<Query> {
    let mut draft = Draft::default();
    let span = draft.span("placed_at", span);
    let direction = if is_down { "DESC" } else { "ASC" };
    let order = format!("ORDER BY placed_at {direction}, order_id {direction} LIMIT {limit}");
    let mut parts = Vec::new();
    for list in lists {
        let table = named(sql, list.table)?;
        let mut conditions = vec![format!("{} = {}", list.column, draft.value(list.value.clone()))];
        conditions.extend(span.iter().cloned());
        let conditions = all_of(&conditions);
        // Walked along its own index, and no further than all of them together need it.
        parts.push(format!("SELECT DISTINCT placed_at, order_id FROM {table}{conditions} {order}"));
    }
    if let [only] = &parts[..] {
        let only = only.clone();
        return Some(draft.done(only));
    }
    let parts: Vec<String> =
        parts.iter().enumerate().map(|(index, part)| format!("SELECT * FROM ({part}) AS list{index}")).collect();
    Some(draft.done(format!("{} {order}", parts.join(" UNION "))))
}

/// Places of a range, as they come.
pub(super) fn range(sql: &TableSql, range: &Range, limit: usize) -> Option<Query> {
    let table = named(sql, range.table)?;
    let mut draft = Draft::default();
    let conditions: Vec<String> =
        range.conditions.iter().map(|(compares, value)| format!("{compares} {}", draft.value(value.clone()))).collect();
    let conditions = all_of(&conditions);
    Some(draft.done(format!("SELECT placed_at, order_id FROM {table}{conditions} LIMIT {limit}")))
}

/// Words that begin so, and the SKUs that they tell of.
pub(super) fn words(sql: &TableSql, word: &str, limit: usize) -> Option<Query> {
    let table = named(sql, Table::Side(WORDS))?;
    let mut draft = Draft::default();
    let (from, until) = lead::beginning_with(word);
    let (from, until) = (draft.value(from), draft.value(until));
    Some(draft.done(format!(
        "SELECT word, sku FROM {table} WHERE word >= {from} AND word < {until} ORDER BY word, sku LIMIT {limit}"
    )))
}
