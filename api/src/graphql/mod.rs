//! The schema: one folder for each slice, merged into three roots.
//!
//! Resolvers translate: arguments to values and commands, rows and outcomes to types. They decide nothing. To add a
//! slice, add its folder and its lines in the roots below (docs/how-to/add-an-aggregate.md).

mod behind;
mod call;
mod connection;
mod live;
mod node;
mod operator;
mod order;
mod ping;
mod product;
mod projection;
mod read;
mod scalars;
mod user_error;

use std::{sync::Arc, time::Duration};

use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions, Schema};
use domain::{operator::Operator, order::Order, product::Product};
use infrastructure::{clock::IdSource, event_store::EventStore, execute::Executor};
use projections::{ProjectionManager, ReadModels};

pub use read::ReadPosition;
pub use scalars::PositionToken;

/// What resolvers work with.
#[derive(Debug)]
pub struct Services {
    /// Executes the commands of products.
    pub products: Executor<Product>,
    /// Executes the commands of orders.
    pub orders: Executor<Order>,
    /// Writes down what operators do.
    pub operator: Executor<Operator>,
    /// The read models.
    pub read_models: ReadModels,
    /// The projections behind them.
    pub projections: Arc<ProjectionManager>,
    /// The events, for replaying to subscribers.
    pub events: Arc<dyn EventStore>,
    /// Where fresh ids come from.
    pub ids: Arc<dyn IdSource>,
    /// How long a query waits for `minPosition`.
    pub min_position_wait: Duration,
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
    product::ProductQuery,
    projection::ProjectionQuery,
    projection::ParkedEventQuery,
    operator::OperatorQuery,
    ping::PingQuery,
);

/// Commands.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(order::OrderMutation, product::ProductMutation, projection::ProjectionMutation, ping::PingMutation);

/// Live updates.
#[derive(Debug, Default, MergedSubscription)]
pub struct Subscription(order::OrderSubscription, projection::ProjectionSubscription);

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
