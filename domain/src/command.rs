//! The sum of all commands, each addressed to one aggregate.
//!
//! An edge that knows its aggregate uses that aggregate's executor directly; the sum is for whatever sends
//! commands to several of them.

use crate::{
    follow::{FollowCommand, FollowRejection},
    inbox::{InboxCommand, InboxRejection},
    operator::{OperatorCommand, OperatorRejection},
    order::{OrderCommand, OrderRejection},
    payment::{PaymentCommand, PaymentRejection},
    post::{PostCommand, PostRejection},
    product::{ProductCommand, ProductRejection},
    profile::{
        ProfileCommand, ProfileRejection,
        handle::{HandleCommand, HandleRejection},
    },
    reaction::{ReactionCommand, ReactionRejection},
    stock::{StockCommand, StockRejection},
    values::{HandleId, OrderId, PairId, PaymentId, PostId, ProductId, ReactionId, StockId, UserId},
};

/// A command and the aggregate it is for.
#[derive(Clone, Debug)]
pub enum Command {
    /// For one product.
    Product(ProductId, ProductCommand),
    /// For one order.
    Order(OrderId, OrderCommand),
    /// For the stock of one SKU in one warehouse.
    Stock(StockId, StockCommand),
    /// For one payment.
    Payment(PaymentId, PaymentCommand),
    /// For one person's profile.
    Profile(UserId, ProfileCommand),
    /// For one handle.
    Handle(HandleId, HandleCommand),
    /// For what two people are to each other.
    Follow(PairId, FollowCommand),
    /// For one post.
    Post(PostId, PostCommand),
    /// For what one person thinks of one post.
    Reaction(ReactionId, ReactionCommand),
    /// For one person's inbox.
    Inbox(UserId, InboxCommand),
    /// For the one log of operators.
    Operator(OperatorCommand),
}

/// Why a command is refused, whichever aggregate refuses it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    /// A product does.
    #[error(transparent)]
    Product(ProductRejection),
    /// An order does.
    #[error(transparent)]
    Order(OrderRejection),
    /// A stock does.
    #[error(transparent)]
    Stock(StockRejection),
    /// A payment does.
    #[error(transparent)]
    Payment(PaymentRejection),
    /// A profile does.
    #[error(transparent)]
    Profile(ProfileRejection),
    /// A handle does.
    #[error(transparent)]
    Handle(HandleRejection),
    /// What two people are to each other does.
    #[error(transparent)]
    Follow(FollowRejection),
    /// A post does.
    #[error(transparent)]
    Post(PostRejection),
    /// What somebody thinks of a post does.
    #[error(transparent)]
    Reaction(ReactionRejection),
    /// An inbox does.
    #[error(transparent)]
    Inbox(InboxRejection),
    /// The log of operators does.
    #[error(transparent)]
    Operator(OperatorRejection),
}
