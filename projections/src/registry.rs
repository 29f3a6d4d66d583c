//! Every projection of Millrace. To add one, add its folder, its line in [`ReadModels`] and its line in `start`.

use std::sync::Arc;

use infrastructure::{clock::Clock, event_store::EventStore, lifecycle::Lifecycle, read_store::ReadStore};

use crate::{
    KeyedFold, ManagerError, OnFailure, ProjectionManager, ProjectionOptions, Served, ServedTables, SetChange,
    manager::{Declared, Surroundings},
    order_summary::OrderSummary,
    product_catalog::ProductCatalog,
    product_sales::ProductSales,
    shape::{KeyedShape, SetChangeShape},
    status::Monitor,
};

/// The read models, to query.
#[derive(Clone, Debug)]
pub struct ReadModels {
    /// Orders as customers and operators see them.
    pub order_summary: Served<OrderSummary>,
    /// Products as they are offered.
    pub product_catalog: Served<ProductCatalog>,
    /// How many pieces of each product were ordered.
    pub product_sales: ServedTables<ProductSales>,
}

/// The names of all projections.
pub fn names() -> Vec<&'static str> {
    vec![OrderSummary::NAME, ProductCatalog::NAME, ProductSales::NAME]
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
            order_summary: keyed(&mut declared, &rows, OnFailure::park()),
            product_catalog: keyed(&mut declared, &rows, OnFailure::park()),
            product_sales: set_change(&mut declared, &rows, OnFailure::park()),
        };
        let surroundings = Surroundings { events, rows, clock, lifecycle, options };
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
