//! Which orders somebody wants.

use domain::{
    Timestamp,
    order::{FulfilmentStatus, OrderStatus, PaymentStatus},
    values::{Currency, CustomerId, Label, Sku, Warehouse},
};

use super::{OrderRow, SearchText};

/// Which orders. All that is given must hold; `any` holds if one of its filters does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrderFilter {
    /// In one of these states.
    pub status: Option<Vec<OrderStatus>>,
    /// With the payment in one of these states.
    pub payment_status: Option<Vec<PaymentStatus>>,
    /// With the pieces in one of these states.
    pub fulfilment_status: Option<Vec<FulfilmentStatus>>,
    /// Whether it should have left the house by now.
    pub is_overdue: Option<bool>,
    /// To leave this warehouse.
    pub warehouse: Option<Warehouse>,
    /// Called so; see [`super::number_of`].
    pub number: Option<String>,
    /// With this carrier's number on the last shipment.
    pub tracking: Option<Label>,
    /// With this SKU on one of its lines.
    pub sku: Option<Sku>,
    /// Found by this text.
    pub text: Option<SearchText>,
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

impl OrderFilter {
    /// Whether the order is one of these. Indexes only say where to look: this alone decides.
    pub fn matches(&self, row: &OrderRow) -> bool {
        let placed = &row.placed;
        self.status.as_ref().is_none_or(|status| status.contains(&placed.status))
            && self.payment_status.as_ref().is_none_or(|status| status.contains(&placed.payment_status()))
            && self.fulfilment_status.as_ref().is_none_or(|status| status.contains(&placed.fulfilment_status()))
            && self.is_overdue.is_none_or(|is_overdue| is_overdue == placed.is_overdue)
            && self.warehouse.as_ref().is_none_or(|warehouse| *warehouse == placed.warehouse)
            && self.number.as_ref().is_none_or(|number| *number == row.number())
            && self.tracking.as_ref().is_none_or(|tracking| Some(tracking) == row.tracking())
            && self.sku.as_ref().is_none_or(|sku| placed.lines.iter().any(|line| line.sku == *sku))
            && self.text.as_ref().is_none_or(|text| text.matches(row))
            && self.customer.is_none_or(|customer| customer == placed.customer)
            && self.currency.is_none_or(|currency| currency == placed.total.currency())
            && self.total_at_least.is_none_or(|minor| placed.total.minor() >= minor)
            && self.total_at_most.is_none_or(|minor| placed.total.minor() <= minor)
            && self.placed_from.is_none_or(|from| placed.placed_at >= from)
            && self.placed_before.is_none_or(|before| placed.placed_at < before)
            && self.all.iter().all(|filter| filter.matches(row))
            && (self.any.is_empty() || self.any.iter().any(|filter| filter.matches(row)))
    }

    /// The filters that must all hold: this one and those below it.
    pub(super) fn parts(&self) -> Vec<&Self> {
        let mut parts = vec![self];
        parts.extend(self.all.iter().flat_map(Self::parts));
        parts
    }

    /// How many things it asks for itself, but for the time of placement.
    pub(super) fn conditions(&self) -> usize {
        let asked = [
            self.status.is_some(),
            self.payment_status.is_some(),
            self.fulfilment_status.is_some(),
            self.is_overdue.is_some(),
            self.warehouse.is_some(),
            self.number.is_some(),
            self.tracking.is_some(),
            self.sku.is_some(),
            self.text.is_some(),
            self.customer.is_some(),
            self.currency.is_some(),
            self.total_at_least.is_some(),
            self.total_at_most.is_some(),
            !self.any.is_empty(),
        ];
        asked.into_iter().filter(|is_asked| *is_asked).count()
    }
}
