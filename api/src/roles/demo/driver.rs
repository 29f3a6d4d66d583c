//! Takes the steps of the script: opens the shop, keeps its warehouse, sends customers in, and sees each order through; and
//! lets people talk (talk.rs).

mod talk;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use infrastructure::lifecycle::Lifecycle;
use tokio::{
    sync::Semaphore,
    time::{MissedTickBehavior, interval, sleep},
};

use super::{
    script::{self, CATALOGUE, Fate, Seen, Step, Supply},
    shop::{self, Shop, Trouble},
    tally::Tally,
};
use crate::{
    auth::Viewer,
    roles::{Failure, output::print},
};

/// How often the warehouse is looked after.
const ROUND: Duration = Duration::from_secs(5);
/// How often it is said what has happened.
const SUMMARY: Duration = Duration::from_secs(3);
/// How many orders are looked after at the same time; customers wait outside then.
const ORDERS_MAX: usize = 2_000;
/// How many requests may fail in a row before it is not worth going on with an order.
const FAILURES_MAX: u32 = 5;
/// How often an order is looked at before it is left to itself.
const LOOKS_MAX: u32 = 200;

/// What drives the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Orders in a second.
    pub(super) rate: u32,
    /// What all choices come from.
    pub(super) seed: u64,
    /// Which start on this data this is, counted from 1.
    pub(super) run: u64,
    /// How many customers there are.
    pub(super) customers: u32,
    /// How many people follow each other and talk; the first of them are the customers.
    pub(super) people: u32,
}

/// The traffic of one start.
#[derive(Debug)]
pub(super) struct Driver {
    plan: Plan,
    shop: Shop,
    tally: Mutex<Tally>,
    lifecycle: Lifecycle,
}

/// An order on its way.
struct Order {
    id: String,
    /// Who acts for the customer.
    buyer: Viewer,
    fate: Fate,
    /// Where to look for it.
    position: Option<String>,
    /// As it looked last; none if nothing of what happened to it was seen happening.
    seen: Option<Seen>,
}

impl Driver {
    /// Traffic in this shop, in tasks of `lifecycle`.
    pub(super) fn new(plan: Plan, shop: Shop, lifecycle: Lifecycle) -> Arc<Self> {
        Arc::new(Self { plan, shop, tally: Mutex::default(), lifecycle })
    }

    /// Goes on until it is to stop. If it cannot begin, it stops everything and says why.
    pub(super) async fn run(self: Arc<Self>) -> Result<(), Failure> {
        let products = match self.begin().await {
            Ok(products) => products,
            Err(Trouble::Refused(message) | Trouble::Failed(message)) => {
                self.lifecycle.begin_stop();
                let advice = "see the log, or begin anew with another `--data-dir`";
                return Err(Failure::said("DEMO_NOT_OPENED", format!("the shop cannot be opened: {message}"), advice));
            }
        };
        let warehouse = Arc::clone(&self);
        self.lifecycle.spawn(async move { warehouse.keep_warehouse().await });
        let summary = Arc::clone(&self);
        self.lifecycle.spawn(async move { summary.summarise().await });
        let products: Arc<[String]> = products.into();
        let (talk, on_sale) = (Arc::clone(&self), Arc::clone(&products));
        self.lifecycle.spawn(async move { talk.let_people_talk(&on_sale).await });
        self.send_customers_in(products).await;
        Ok(())
    }

    /// What has happened so far.
    pub(super) fn tally(&self) -> Tally {
        *self.counted()
    }

    /// Puts the catalogue up, fills the shelves, and takes up the orders that are there.
    async fn begin(self: &Arc<Self>) -> Result<Vec<String>, Trouble> {
        let products = self.shop.open().await?;
        self.restock(0).await?;
        for id in self.shop.open_orders().await? {
            let fate = Fate::of_order(self.plan.seed, &id);
            let order = Order { id, buyer: shop::operator(), fate, position: None, seen: None };
            let driver = Arc::clone(self);
            self.lifecycle.spawn(async move { driver.see_through(order).await });
        }
        Ok(products)
    }

    async fn send_customers_in(self: &Arc<Self>, products: Arc<[String]>) {
        let places = Arc::new(Semaphore::new(ORDERS_MAX));
        let mut ticks = interval(Duration::from_secs(1) / self.plan.rate);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for number in 1.. {
            let place = tokio::select! {
                biased;
                () = self.lifecycle.stopping() => return,
                place = async {
                    ticks.tick().await;
                    Arc::clone(&places).acquire_owned().await
                } => place,
            };
            let (driver, products) = (Arc::clone(self), Arc::clone(&products));
            self.lifecycle.spawn(async move {
                driver.visit(number, &products).await;
                drop(place);
            });
        }
    }

    async fn visit(&self, number: u64, products: &[String]) {
        let Plan { seed, run, customers, .. } = self.plan;
        let visit = script::visit(seed, run, number, customers);
        match self.shop.place(&visit, products, &format!("demo {seed} {run} {number}")).await {
            Err(trouble) => self.failed("an order was not placed", &trouble),
            Ok((id, position)) => {
                self.counted().placed += 1;
                let (buyer, position) = (shop::customer(visit.customer), Some(position));
                let order = Order { id, buyer, fate: visit.fate, position, seen: Some(Seen::default()) };
                self.see_through(order).await;
            }
        }
    }

    /// Looks at an order again and again and does what is next, until nothing is.
    async fn see_through(&self, mut order: Order) {
        let mut failures = 0;
        for _ in 0..LOOKS_MAX {
            if self.is_stopped_within(Duration::from_millis(order.fate.pace_ms.into())).await {
                return;
            }
            match self.advance(&mut order).await {
                Ok(Step::Done) => return,
                Ok(_) => failures = 0,
                // Somebody was faster, or the shop is not that far yet: the next look shows it.
                Err(Trouble::Refused(message)) => tracing::debug!(order = order.id, "a step was refused: {message}"),
                Err(trouble @ Trouble::Failed(_)) => {
                    self.failed("a step failed", &trouble);
                    failures += 1;
                }
            }
            if failures > FAILURES_MAX {
                return;
            }
        }
    }

    async fn advance(&self, order: &mut Order) -> Result<Step, Trouble> {
        let Some(seen) = self.shop.look(&order.id, order.position.as_deref()).await? else { return Ok(Step::Wait) };
        if let Some(before) = &order.seen {
            self.counted().see(before, &seen);
        }
        let step = order.fate.next(&seen);
        order.seen = Some(seen);
        if let Some(position) = self.shop.take(&order.id, &order.buyer, &step).await? {
            order.position = Some(position);
        }
        Ok(step)
    }

    async fn keep_warehouse(&self) {
        for round in 1.. {
            if self.is_stopped_within(ROUND).await {
                return;
            }
            if let Err(trouble) = self.restock(round).await {
                self.failed("the warehouse was not restocked", &trouble);
            }
        }
    }

    async fn restock(&self, round: u64) -> Result<(), Trouble> {
        let Plan { seed, run, rate, .. } = self.plan;
        for article in CATALOGUE.iter().filter(|article| article.supply != Supply::Unlimited) {
            let available = self.shop.available(article).await?;
            if let Some(pieces) = script::delivery(article, available, round, rate) {
                self.shop.receive(article, pieces, &format!("demo {seed} {run} {round}")).await?;
            }
        }
        Ok(())
    }

    async fn summarise(&self) {
        while !self.is_stopped_within(SUMMARY).await {
            print(&self.tally().to_string());
        }
    }

    /// Waits; true if it is to stop meanwhile.
    async fn is_stopped_within(&self, pause: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.lifecycle.stopping() => true,
            () = sleep(pause) => false,
        }
    }

    fn failed(&self, what: &str, trouble: &Trouble) {
        self.counted().failed += 1;
        let (Trouble::Refused(message) | Trouble::Failed(message)) = trouble;
        tracing::warn!("{what}: {message}");
    }

    fn counted(&self) -> MutexGuard<'_, Tally> {
        // Numbers are whole whatever happened to whoever counted.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
