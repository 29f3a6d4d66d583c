//! An order as it is read.

use std::sync::Arc;

use domain::{
    order::{OrderState, PlacedOrder},
    values::{Label, OrderId},
};
use infrastructure::event_store::Revision;

/// One order: what its aggregate remembers, and of when that is.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderRow {
    /// What is known of it. Shared, because a row is handed to many.
    pub placed: Arc<PlacedOrder>,
    /// The revision of its stream.
    pub revision: Revision,
}

impl OrderRow {
    /// The row that belongs to an aggregate's state: what the fold of the same events gives.
    pub fn of(state: &OrderState, revision: Revision) -> Option<Self> {
        state.placed().map(|placed| Self { placed: Arc::new(placed.clone()), revision })
    }

    /// A short name of the order for people to read out, see [`number_of`].
    pub fn number(&self) -> String {
        number_of(self.placed.order)
    }

    /// The carrier's number of its last shipment, if there is one.
    pub fn tracking(&self) -> Option<&Label> {
        self.placed.shipments.last()?.tracking.as_ref()
    }
}

/// Crockford's base 32: no I, L, O and U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// How many digits an order's number has.
const NUMBER_DIGITS: u32 = 8;

/// The short name of an order: eight digits out of its id's random bits. Not an id: two orders may have the same.
pub fn number_of(order: OrderId) -> String {
    let bits = order.uuid().as_u128();
    let digit = |place: u32| char::from(DIGITS[usize::try_from((bits >> (place * 5)) & 31).unwrap_or_default()]);
    (0..NUMBER_DIGITS).rev().map(digit).collect()
}

/// The number that somebody wrote, as [`number_of`] writes it: letters that look like digits are those digits, spaces and
/// hyphens are for the eye only.
pub fn read_number(text: &str) -> String {
    let letters = text.chars().filter(|letter| !matches!(letter, '-' | ' '));
    let digits = letters.map(|letter| match letter.to_ascii_uppercase() {
        'I' | 'L' => '1',
        'O' => '0',
        other => other,
    });
    digits.collect()
}
