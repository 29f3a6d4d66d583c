//! Ids with a kind: an order id cannot be passed where a customer id is expected.

use std::{fmt, hash::Hash, marker::PhantomData};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// What an [`Id`] identifies.
pub trait IdKind: 'static {
    /// The name in messages and in names derived from it.
    const NAME: &'static str;
}

/// A UUID that knows what it identifies. Written as a plain UUID string.
pub struct Id<K: IdKind>(Uuid, PhantomData<fn() -> K>);

impl<K: IdKind> Id<K> {
    /// The id with this UUID.
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The id that belongs to `name` within its kind, always the same one (UUIDv5, RFC 9562 section 5.5).
    pub fn named(name: &str) -> Self {
        let kind = Uuid::new_v5(&NAMESPACE, K::NAME.as_bytes());
        Self::new(Uuid::new_v5(&kind, name.as_bytes()))
    }

    /// The bare UUID.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

/// The root of every id that is derived from a name.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d69_6c6c_7261_6365_8000_0000_0000_0001);

impl<K: IdKind> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K: IdKind> Copy for Id<K> {}
impl<K: IdKind> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K: IdKind> Eq for Id<K> {}
impl<K: IdKind> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K: IdKind> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K: IdKind> Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K: IdKind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", K::NAME, self.0)
    }
}
impl<K: IdKind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl<K: IdKind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
impl<'de, K: IdKind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::new)
    }
}

macro_rules! id_kinds {
    ($($(#[$doc:meta])* $id:ident $kind:ident $name:literal)*) => {$(
        $(#[$doc])*
        pub type $id = Id<$kind>;
        #[doc = concat!("The kind of [`", stringify!($id), "`].")]
        #[derive(Debug)]
        pub enum $kind {}
        impl IdKind for $kind {
            const NAME: &'static str = $name;
        }
    )*};
}

id_kinds! {
    /// One order.
    OrderId OrderKind "order"
    /// One product of the catalogue. Derived from its SKU, so that a SKU is registered once.
    ProductId ProductKind "product"
    /// One customer.
    CustomerId CustomerKind "customer"
    /// The pieces of one SKU in one warehouse. Derived from both.
    StockId StockKind "stock"
    /// One attempt to be paid for an order.
    PaymentId PaymentKind "payment"
    /// One taking of money that a payment holds; the key under which the provider does it once.
    CaptureId CaptureKind "capture"
    /// One giving back of money that was taken; the key under which the provider does it once.
    RefundId RefundKind "refund"
    /// The log of what operators did. There is one.
    OperatorLogId OperatorLogKind "operator_log"
    /// One person, as others see them. Has the UUID of the customer they are, so that one inbox knows of both.
    UserId UserKind "user"
    /// One handle, whoever has it. Derived from it, so that whoever wants it meets the same stream.
    HandleId HandleKind "handle"
    /// Two people, whichever of them is named first. Derived from both.
    PairId PairKind "pair"
    /// One post. A repost's is derived from who reposts what.
    PostId PostKind "post"
    /// What one person thinks of one post. Derived from both.
    ReactionId ReactionKind "reaction"
}

impl From<CustomerId> for UserId {
    fn from(customer: CustomerId) -> Self {
        Self::new(customer.uuid())
    }
}
