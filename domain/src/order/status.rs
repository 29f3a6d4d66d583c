//! The three states of an order: its own, its money's and its pieces'.

use serde::{Deserialize, Serialize};

/// A sum of words that a table and a filter can hold.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant),* }

        impl $name {
            /// All of them, in the order of a life.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word for it in tables.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// Reads the word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }
    )*};
}

words! {
    /// Where an order is in its life.
    OrderStatus {
        /// Bought; what it waits for is not there yet.
        Placed = "placed",
        /// Its pieces are reserved, its money is held.
        Confirmed = "confirmed",
        /// All of it is on its way.
        Shipped = "shipped",
        /// All of it arrived.
        Delivered = "delivered",
        /// Given up.
        Cancelled = "cancelled",
    }
    /// How far an order's payment is.
    PaymentStatus {
        /// The shop sees to it itself.
        OnAccount = "on_account",
        /// The provider has not answered.
        Pending = "pending",
        /// The provider says no; another token may be tried.
        Declined = "declined",
        /// The money is held.
        Authorised = "authorised",
        /// Some of it was taken.
        PartiallyPaid = "partially_paid",
        /// All of it was taken.
        Paid = "paid",
        /// Some of what was taken was given back.
        PartiallyRefunded = "partially_refunded",
        /// All of what was taken was given back.
        Refunded = "refunded",
        /// Nothing was taken, and nothing will be.
        Voided = "voided",
    }
    /// How far an order's pieces are.
    FulfilmentStatus {
        /// All of it is in the house.
        Unfulfilled = "unfulfilled",
        /// Some of it is on its way.
        PartiallyShipped = "partially_shipped",
        /// All of it is on its way.
        Shipped = "shipped",
        /// All of it arrived.
        Delivered = "delivered",
        /// Some of it came back.
        PartiallyReturned = "partially_returned",
        /// All of it came back.
        Returned = "returned",
    }
}
