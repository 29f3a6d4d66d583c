//! Lists of orders: which part, in which order.

use domain::{Timestamp, values::OrderId};

use super::{OrderFilter, OrderRow, lead::Span};

/// What orders are sorted by; equal ones by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderSortKey {
    /// When they were placed.
    PlacedAt,
    /// When they changed last.
    UpdatedAt,
}

impl OrderSortKey {
    /// The order's place under this key.
    pub fn of(self, row: &OrderRow) -> Timestamp {
        match self {
            Self::PlacedAt => row.placed.placed_at,
            Self::UpdatedAt => row.placed.updated_at,
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

/// What was found of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderList {
    /// The orders. Sorted as asked for; in reverse if from the end.
    pub rows: Vec<OrderRow>,
    /// Where the look ended, if it did so before the page was full: there may be more behind this place.
    pub goes_on_behind: Option<Place>,
}

impl OrderPage {
    /// Whether it is read from later times to earlier ones.
    pub(super) const fn reads_down(&self) -> bool {
        self.sort.is_descending != self.from_end
    }

    /// Whether the list is sorted by placement, as most indexes are.
    pub(super) fn is_by_placement(&self) -> bool {
        self.sort.key == OrderSortKey::PlacedAt
    }

    /// The order's place in the list.
    pub(super) fn place(&self, row: &OrderRow) -> Place {
        (self.sort.key.of(row), row.placed.order)
    }

    /// The part of the list that it is of.
    pub(super) fn span(&self) -> Span {
        let (above, below) =
            if self.sort.is_descending { (self.before, self.after) } else { (self.after, self.before) };
        let span = Span { above, below, ..Span::default() };
        if !self.is_by_placement() {
            return span;
        }
        let parts = self.filter.parts();
        let from = parts.iter().filter_map(|part| part.placed_from).max();
        Span { from, until: parts.iter().filter_map(|part| part.placed_before).min(), ..span }
    }
}
