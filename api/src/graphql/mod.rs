//! The schema: one folder for each slice, merged into three roots.
//!
//! Resolvers translate: arguments to values and commands, rows and outcomes to types. They decide nothing. To add a
//! slice, add its folder and its lines in the roots below (docs/how-to/add-an-aggregate.md).

mod behind;
mod call;
mod connection;
mod follow;
mod inbox;
mod live;
mod node;
mod notifications;
mod operator;
mod order;
mod order_stats;
mod ping;
mod post;
mod process;
mod product;
mod profile;
mod projection;
mod reaction;
mod read;
mod scalars;
mod social_graph;
mod stock;
#[cfg(test)]
mod testing;
mod together;
mod user_error;

use std::{sync::Arc, time::Duration};

use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions, Schema};
use domain::{
    follow::Follow,
    inbox::Inbox,
    operator::Operator,
    order::Order,
    post::Post,
    product::Product,
    profile::{Profile, handle::HandleClaim},
    reaction::Reaction,
    stock::Stock,
};
use infrastructure::{
    clock::{Clock, IdSource},
    event_store::EventStore,
    execute::Executor,
};
use projections::{ProjectionManager, ReadModels, notifications::InboxWatchers, social_graph::Watchers};

use crate::{
    config::OnAccount,
    processes::{Books, Oversight},
};

pub(crate) use node::global as global_id;
pub use read::ReadPosition;
pub use scalars::PositionToken;

/// What resolvers work with.
#[derive(Debug)]
pub struct Services {
    /// Executes the commands of products.
    pub products: Executor<Product>,
    /// Executes the commands of orders.
    pub orders: Executor<Order>,
    /// Executes the commands of stocks.
    pub stocks: Executor<Stock>,
    /// Executes the commands of profiles.
    pub profiles: Executor<Profile>,
    /// Executes the commands of handles.
    pub handles: Executor<HandleClaim>,
    /// Executes the commands of what people are to each other.
    pub follows: Executor<Follow>,
    /// Executes the commands of posts.
    pub posts: Executor<Post>,
    /// Executes the commands of likes.
    pub reactions: Executor<Reaction>,
    /// Executes the commands of inboxes.
    pub inboxes: Executor<Inbox>,
    /// Writes down what operators do.
    pub operator: Executor<Operator>,
    /// The read models.
    pub read_models: ReadModels,
    /// Whose feeds and posts are looked at live.
    pub watchers: Watchers,
    /// Whose inboxes are looked at live.
    pub inbox_watchers: InboxWatchers,
    /// The projections behind them.
    pub projections: Arc<ProjectionManager>,
    /// The events, for replaying to subscribers.
    pub events: Arc<dyn EventStore>,
    /// Where fresh ids come from.
    pub ids: Arc<dyn IdSource>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How long a query waits for `minPosition`.
    pub min_position_wait: Duration,
    /// Who may order without saying how they pay.
    pub on_account: OnAccount,
    /// How the processes of the shop are.
    pub oversight: Oversight,
    /// Audits stock and money.
    pub books: Books,
}

/// Limits of the schema's execution.
#[derive(Clone, Copy, Debug)]
pub struct SchemaLimits {
    /// How deep a selection may go.
    pub depth_max: usize,
    /// What an operation may cost, see docs/graphql.md.
    pub complexity_max: usize,
    /// Whether the schema may be asked for.
    pub has_introspection: bool,
}

impl Default for SchemaLimits {
    fn default() -> Self {
        Self { depth_max: 12, complexity_max: 5_000, has_introspection: true }
    }
}

/// How often fragments may nest; async-graphql counts before any other limit.
const RECURSIVE_DEPTH_MAX: usize = 16;
/// How many directives one field may have.
const DIRECTIVES_MAX: usize = 8;

/// Questions.
#[derive(Debug, Default, MergedObject)]
pub struct Query(
    node::NodeQuery,
    order::OrderQuery,
    order_stats::OrderStatsQuery,
    product::ProductQuery,
    profile::ProfileQuery,
    post::PostQuery,
    social_graph::SocialGraphQuery,
    notifications::NotificationQuery,
    stock::StockQuery,
    projection::ProjectionQuery,
    projection::ParkedEventQuery,
    operator::OperatorQuery,
    process::ProcessQuery,
    ping::PingQuery,
);

/// Commands.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(
    order::OrderMutation,
    product::ProductMutation,
    profile::ProfileMutation,
    follow::FollowMutation,
    post::PostMutation,
    reaction::ReactionMutation,
    inbox::InboxMutation,
    stock::StockMutation,
    projection::ProjectionMutation,
    process::ProcessMutation,
    process::ShopMutation,
    ping::PingMutation,
);

/// Live updates.
#[derive(Debug, Default, MergedSubscription)]
pub struct Subscription(
    order::OrderSubscription,
    social_graph::SocialGraphSubscription,
    notifications::NotificationSubscription,
    stock::StockSubscription,
    projection::ProjectionSubscription,
);

/// Millrace's schema.
pub type ShopSchema = Schema<Query, Mutation, Subscription>;

/// The schema over these services.
pub fn schema(services: Services, limits: SchemaLimits) -> ShopSchema {
    let mut builder = Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .data(services)
        .limit_depth(limits.depth_max)
        .limit_complexity(limits.complexity_max)
        .limit_recursive_depth(RECURSIVE_DEPTH_MAX)
        .limit_directives(DIRECTIVES_MAX);
    if !limits.has_introspection {
        builder = builder.disable_introspection().disable_suggestions();
    }
    builder.finish()
}

/// How deep and how costly the tools' usual question about the schema is, with room to spare.
const INTROSPECTION_DEPTH_MAX: usize = 24;
const INTROSPECTION_COMPLEXITY_MAX: usize = 10_000;

/// The same schema without services, for questions about the schema alone; see `Engine::with_introspection`.
pub fn introspection_schema() -> ShopSchema {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .limit_depth(INTROSPECTION_DEPTH_MAX)
        .limit_complexity(INTROSPECTION_COMPLEXITY_MAX)
        .limit_recursive_depth(INTROSPECTION_DEPTH_MAX)
        .limit_directives(DIRECTIVES_MAX)
        .finish()
}

/// The schema in SDL, sorted so that differences are changes. Committed as api/schema.graphql.
pub fn sdl() -> String {
    let options = SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items();
    let schema = Schema::build(Query::default(), Mutation::default(), Subscription::default()).finish();
    schema.sdl_with_options(options)
}
