//! Every projection of Millrace. To add one, add its folder, its line in [`ReadModels`] and its line in `start`.

use std::sync::Arc;

use infrastructure::{clock::Clock, event_store::EventStore, lifecycle::Lifecycle, read_store::ReadStore};

use crate::{
    KeyedFold, ManagerError, OnFailure, ProjectionManager, ProjectionOptions, Served, ServedTables, SetChange,
    manager::{Declared, Surroundings},
    notifications::Notifications,
    order_stats::OrderStats,
    order_summary::OrderSummary,
    post_board::PostBoard,
    product_catalog::ProductCatalog,
    product_sales::ProductSales,
    profile_directory::ProfileDirectory,
    shape::{KeyedShape, SetChangeShape},
    social_graph::SocialGraph,
    status::Monitor,
    stock_level::StockLevel,
};

/// The read models, to query.
#[derive(Clone, Debug)]
pub struct ReadModels {
    /// What is news to whom.
    pub notifications: ServedTables<Notifications>,
    /// Orders as customers and operators see them.
    pub order_summary: Served<OrderSummary>,
    /// What happened to orders, by the hour.
    pub order_stats: ServedTables<OrderStats>,
    /// What posts say.
    pub post_board: Served<PostBoard>,
    /// Products as they are offered.
    pub product_catalog: Served<ProductCatalog>,
    /// How many pieces of each product were ordered.
    pub product_sales: ServedTables<ProductSales>,
    /// Who is there, and under which handle.
    pub profile_directory: Served<ProfileDirectory>,
    /// Follows, posts, likes, and home feeds.
    pub social_graph: ServedTables<SocialGraph>,
    /// What lies where, and how much of it is promised.
    pub stock_level: Served<StockLevel>,
}

/// The names of all projections.
pub fn names() -> Vec<&'static str> {
    vec![
        Notifications::NAME,
        OrderStats::NAME,
        OrderSummary::NAME,
        PostBoard::NAME,
        ProductCatalog::NAME,
        ProductSales::NAME,
        ProfileDirectory::NAME,
        <SocialGraph>::NAME,
        StockLevel::NAME,
    ]
}

/// Those whose rows hold positions in the log.
pub(crate) fn holding_positions() -> Vec<&'static str> {
    fn name<M: SetChange>() -> Option<&'static str> {
        M::HOLDS_POSITIONS.then_some(M::NAME)
    }
    let names = [name::<Notifications>(), name::<OrderStats>(), name::<ProductSales>(), name::<SocialGraph>()];
    names.into_iter().flatten().collect()
}

impl ReadModels {
    /// Starts all projections. Their tasks run in `lifecycle`.
    pub async fn start(
        events: Arc<dyn EventStore>,
        rows: Arc<dyn ReadStore>,
        clock: Arc<dyn Clock>,
        lifecycle: Lifecycle,
        options: ProjectionOptions,
    ) -> Result<(Self, ProjectionManager), ManagerError> {
        let mut declared = Vec::new();
        let models = Self {
            notifications: set_change(&mut declared, &rows, OnFailure::park()),
            order_stats: set_change(&mut declared, &rows, OnFailure::park()),
            order_summary: keyed(&mut declared, &rows, OnFailure::park()),
            post_board: keyed(&mut declared, &rows, OnFailure::park()),
            product_catalog: keyed(&mut declared, &rows, OnFailure::park()),
            product_sales: set_change(&mut declared, &rows, OnFailure::park()),
            profile_directory: keyed(&mut declared, &rows, OnFailure::park()),
            social_graph: set_change(&mut declared, &rows, OnFailure::park()),
            stock_level: keyed(&mut declared, &rows, OnFailure::park()),
        };
        let surroundings = Surroundings::new(events, rows, clock, lifecycle, options);
        let manager = ProjectionManager::start(declared, surroundings).await?;
        Ok((models, manager))
    }
}

fn keyed<M: KeyedFold>(declared: &mut Vec<Declared>, rows: &Arc<dyn ReadStore>, on_failure: OnFailure) -> Served<M> {
    let shape = Arc::new(KeyedShape::<M>::new());
    let monitor = Arc::new(Monitor::new(M::NAME, M::VERSION));
    let served = Served::new(&shape, Arc::clone(rows), Arc::clone(&monitor));
    declared.push(Declared::keyed(shape, monitor, on_failure));
    served
}

fn set_change<M: SetChange>(
    declared: &mut Vec<Declared>,
    rows: &Arc<dyn ReadStore>,
    on_failure: OnFailure,
) -> ServedTables<M> {
    let shape = Arc::new(SetChangeShape::<M>::new());
    let monitor = Arc::new(Monitor::new(M::NAME, M::VERSION));
    let served = ServedTables::new(&shape, Arc::clone(rows), Arc::clone(&monitor));
    declared.push(Declared::set_change(shape, monitor, on_failure));
    served
}
