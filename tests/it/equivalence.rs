//! Whatever is commanded: live read models, rebuilt ones and a model in memory say the same.
//!
//! Random commands, valid and invalid, some sent twice, go through the real executors into a real event store while
//! the workers follow and are rebuilt now and then. The model in memory is written for this test alone and shares no
//! rule with the code. `MILLRACE_PROPERTY_CASES` sets the number of cases; a failing one is kept beside this file and
//! is tried first the next time.

mod people;
mod posts;
mod reference;

use std::{
    collections::{BTreeSet, HashSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use chrono::TimeDelta;
use domain::{
    follow::PairState,
    order::{CancelReason, Catalogue, Order, OrderCommand, Party, RequestedLine},
    post::{Draft, Post, PostCommand, Publication, Seen, Visibility, repost_of},
    product::{Product, ProductCommand, id_of},
    profile::{
        Profile, ProfileCommand,
        handle::{self, Claim, HandleClaim, HandleCommand, HandleState},
    },
    stock::{self, ReleaseReason, Stock, StockCommand},
    testing::{label, pieces, quantity, sku},
    values::{
        Biography, Currency, CustomerId, DisplayName, Handle, Money, OrderId, PostId, PostText, ProductId, StockId,
        Warehouse,
    },
};
use infrastructure::{
    clock::{Clock, ManualClock},
    event_store::{EventStore, Position, SqliteEventStore, SqliteEventStoreOptions},
    execute::{CommandMetadata, Executor, ExecutorOptions, Request},
    lifecycle::Lifecycle,
    read_store::{ReadStore, SqliteReadStore, SqliteReadStoreOptions},
};
use projections::{
    ManagerError, ProjectionManager, ProjectionOptions, ReadModels, RebuildPhase,
    order_stats::{Bucket, Buckets},
    order_summary::{OrderFilter, OrderPage, OrderSort, OrderSortKey, SearchText},
    product_catalog::{ProductFilter, ProductPage},
};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{FileFailurePersistence, TestRunner},
};
use uuid::Uuid;

use self::{
    people::{HANDLES, PEOPLE, PeopleView, Wishes, person},
    posts::{HeardView, POSTS, PostsView, post},
    reference::{Counted, Shop, View},
};

const PRODUCTS: u8 = 4;
const ORDERS: u8 = 6;
const CUSTOMERS: u8 = 3;
const CASES: u32 = 150;
const LONG: Duration = Duration::from_secs(30);

/// Where pieces lie: of which product, and whether in the north.
type Shelf = (u8, bool);

/// What is done next.
#[derive(Clone, Debug)]
enum Step {
    Register {
        product: u8,
        price: i64,
        is_euro: bool,
    },
    ChangePrice {
        product: u8,
        price: i64,
        is_euro: bool,
    },
    Retire {
        product: u8,
    },
    Place {
        order: u8,
        customer: u8,
        lines: Vec<(u8, u32)>,
    },
    /// By this customer, or by the shop.
    Cancel {
        order: u8,
        by: Option<u8>,
        reason: CancelReason,
    },
    Ship {
        order: u8,
        tracking: Option<String>,
    },
    Deliver {
        order: u8,
    },
    /// To the main warehouse of a product, or to its other one.
    Receive {
        shelf: Shelf,
        pieces: i64,
    },
    Adjust {
        shelf: Shelf,
        change: i64,
    },
    Reserve {
        shelf: Shelf,
        order: u8,
        pieces: i64,
    },
    Release {
        shelf: Shelf,
        order: u8,
        is_expired: bool,
    },
    Commit {
        shelf: Shelf,
        order: u8,
        pieces: i64,
    },
    CreateProfile {
        who: u8,
        says: (u8, u8, u8),
    },
    UpdateProfile {
        who: u8,
        wishes: Wishes,
    },
    Publish {
        post: u8,
        by: u8,
        /// The text, and whether it is for followers only.
        says: (u8, bool),
        reply_to: Option<u8>,
    },
    Edit {
        post: u8,
        by: u8,
        text: u8,
    },
    Delete {
        post: u8,
        by: u8,
    },
    Repost {
        post: u8,
        by: u8,
    },
    UndoRepost {
        post: u8,
        by: u8,
    },
    /// Not a command: a projection is rebuilt while everything goes on.
    Rebuild {
        projection: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    // One product and one order more than there ever are.
    let (product, order, customer) = (0..=PRODUCTS, 0..=ORDERS, 0..CUSTOMERS);
    let reasons = [CancelReason::CustomerRequest, CancelReason::OutOfStock, CancelReason::SuspectedFraud];
    let lines = prop::collection::vec((0..=PRODUCTS, 1_u32..4), 0..5);
    // Few shelves, so that they are asked for more than they have.
    let shelf = (0_u8..2, prop::bool::weighted(0.2));
    prop_oneof![
        5 => (0..PRODUCTS, 0_i64..6, prop::bool::weighted(0.8))
            .prop_map(|(product, price, is_euro)| Step::Register { product, price, is_euro }),
        4 => (product.clone(), 0_i64..6, prop::bool::weighted(0.8))
            .prop_map(|(product, price, is_euro)| Step::ChangePrice { product, price, is_euro }),
        1 => product.prop_map(|product| Step::Retire { product }),
        8 => (0..ORDERS, customer.clone(), lines)
            .prop_map(|(order, customer, lines)| Step::Place { order, customer, lines }),
        3 => (order.clone(), prop::option::of(customer), prop::sample::select(reasons.to_vec()))
            .prop_map(|(order, by, reason)| Step::Cancel { order, by, reason }),
        4 => (order.clone(), prop::option::of("[A-Z0-9]{1,8}"))
            .prop_map(|(order, tracking)| Step::Ship { order, tracking }),
        3 => order.clone().prop_map(|order| Step::Deliver { order }),
        4 => (shelf.clone(), 0_i64..8).prop_map(|(shelf, pieces)| Step::Receive { shelf, pieces }),
        2 => (shelf.clone(), -3_i64..4).prop_map(|(shelf, change)| Step::Adjust { shelf, change }),
        6 => (shelf.clone(), order.clone(), 0_i64..5)
            .prop_map(|(shelf, order, pieces)| Step::Reserve { shelf, order, pieces }),
        2 => (shelf.clone(), order.clone(), prop::bool::weighted(0.3))
            .prop_map(|(shelf, order, is_expired)| Step::Release { shelf, order, is_expired }),
        4 => (shelf, order, 0_i64..4).prop_map(|(shelf, order, pieces)| Step::Commit { shelf, order, pieces }),
        3 => (0..PEOPLE, (0..HANDLES, 0_u8..3, 0_u8..3)).prop_map(|(who, says)| Step::CreateProfile { who, says }),
        5 => (0..PEOPLE, (prop::option::of(0..HANDLES), prop::option::of(0_u8..3), prop::option::of(0_u8..3)))
            .prop_map(|(who, wishes)| Step::UpdateProfile { who, wishes }),
        6 => (0..POSTS, 0..PEOPLE, (0_u8..3, prop::bool::weighted(0.2)), prop::option::of(0..=POSTS))
            .prop_map(|(post, by, says, reply_to)| Step::Publish { post, by, says, reply_to }),
        4 => (0..=POSTS, 0..PEOPLE, 0_u8..3).prop_map(|(post, by, text)| Step::Edit { post, by, text }),
        2 => (0..=POSTS, 0..PEOPLE).prop_map(|(post, by)| Step::Delete { post, by }),
        4 => (0..=POSTS, 0..PEOPLE).prop_map(|(post, by)| Step::Repost { post, by }),
        3 => (0..=POSTS, 0..PEOPLE).prop_map(|(post, by)| Step::UndoRepost { post, by }),
        1 => (0..projections::names().len()).prop_map(|projection| Step::Rebuild { projection }),
    ]
}

fn product(n: u8) -> ProductId {
    id_of(&sku(&format!("SKU-{n}")))
}

fn warehouse(is_north: bool) -> Warehouse {
    if is_north { Warehouse::parse("north").expect("valid") } else { Warehouse::main() }
}

fn stock((n, is_north): Shelf) -> StockId {
    stock::id_of(&sku(&format!("SKU-{n}")), &warehouse(is_north))
}

fn order(n: u8) -> OrderId {
    OrderId::new(Uuid::from_u128(0x0d00 + u128::from(n)))
}

fn customer(n: u8) -> CustomerId {
    CustomerId::new(Uuid::from_u128(0xc000 + u128::from(n)))
}

fn display_name(n: u8) -> DisplayName {
    DisplayName::parse(&people::name(n)).expect("a name")
}

fn draft(n: u8) -> Draft {
    Draft { text: Some(PostText::parse(&posts::text(n)).expect("a text")), ..Draft::default() }
}

fn said(n: u8) -> Biography {
    Biography::parse(&people::biography(n)).expect("few words")
}

fn money(minor: i64, is_euro: bool) -> Money {
    Money::try_new(minor, if is_euro { Currency::EUR } else { Currency::USD }).expect("in range")
}

/// The real thing.
struct Server {
    events: Arc<SqliteEventStore>,
    clock: ManualClock,
    products: Executor<Product>,
    orders: Executor<Order>,
    stocks: Executor<Stock>,
    profiles: Executor<Profile>,
    handles: Executor<HandleClaim>,
    posts: Executor<Post>,
    models: ReadModels,
    manager: ProjectionManager,
    lifecycle: Lifecycle,
}

impl Server {
    async fn start(folder: &Path) -> Self {
        let lifecycle = Lifecycle::new();
        let clock = ManualClock::at(domain::testing::now());
        let events = SqliteEventStore::open(&folder.join("events.db"), SqliteEventStoreOptions::default());
        let events = Arc::new(events.expect("a new event store"));
        let rows = SqliteReadStore::open(&folder.join("read.db"), SqliteReadStoreOptions::default());
        let rows = Arc::new(rows.expect("a new read store")) as Arc<dyn ReadStore>;
        let store = || Arc::clone(&events) as Arc<dyn EventStore>;
        let shared_clock = Arc::new(clock.clone()) as Arc<dyn Clock>;
        let options = ExecutorOptions::default();
        let products = Executor::new(store(), Arc::clone(&shared_clock), lifecycle.clone(), options.clone());
        let orders = Executor::new(store(), Arc::clone(&shared_clock), lifecycle.clone(), options.clone());
        let stocks = Executor::new(store(), Arc::clone(&shared_clock), lifecycle.clone(), options.clone());
        let profiles = Executor::new(store(), Arc::clone(&shared_clock), lifecycle.clone(), options.clone());
        let handles = Executor::new(store(), Arc::clone(&shared_clock), lifecycle.clone(), options.clone());
        let posts = Executor::new(store(), Arc::clone(&shared_clock), lifecycle.clone(), options);
        // A few events in each transaction, so that batches and checkpoints fall anywhere.
        let options = ProjectionOptions { batch_events_max: 3, ..ProjectionOptions::default() };
        let (models, manager) =
            ReadModels::start(store(), rows, shared_clock, lifecycle.clone(), options).await.expect("a start");
        Self { events, clock, products, orders, stocks, profiles, handles, posts, models, manager, lifecycle }
    }

    /// Does it, twice with the same command id if so asked. Whether it was accepted.
    async fn perform(&self, number: usize, step: &Step, is_sent_twice: bool) -> bool {
        match step {
            Step::Register { product: n, price, is_euro } => {
                let (sku, name) = (sku(&format!("SKU-{n}")), label(&format!("Product {n}")));
                let command = ProductCommand::Register { sku, name, price: money(*price, *is_euro), is_stocked: false };
                self.product(number, *n, command, is_sent_twice).await
            }
            Step::ChangePrice { product: n, price, is_euro } => {
                let command = ProductCommand::ChangePrice { price: money(*price, *is_euro) };
                self.product(number, *n, command, is_sent_twice).await
            }
            Step::Retire { product: n } => self.product(number, *n, ProductCommand::Retire, is_sent_twice).await,
            Step::Place { order: n, customer: who, lines } => {
                let mut catalogue = Catalogue::new();
                for (n, _) in lines {
                    let current = self.products.current(product(*n).uuid()).await.expect("the store works");
                    catalogue.insert(product(*n), (*current.state).clone());
                }
                let lines = lines
                    .iter()
                    .map(|(n, units)| RequestedLine { product: product(*n), quantity: quantity(i64::from(*units)) });
                let (lines, customer) = (lines.collect(), customer(*who));
                let command = OrderCommand::Place {
                    order: order(*n),
                    customer,
                    lines,
                    catalogue,
                    warehouse: Warehouse::default(),
                    payment: None,
                };
                self.order(number, *n, command, is_sent_twice).await
            }
            Step::Cancel { order: n, by, reason } => {
                let by = by.map_or(Party::Operator, |n| Party::Customer(customer(n)));
                self.order(number, *n, OrderCommand::Cancel { by, reason: *reason }, is_sent_twice).await
            }
            Step::Ship { order: n, tracking } => {
                let tracking = tracking.as_deref().map(label);
                self.order(number, *n, OrderCommand::Ship { lines: vec![], tracking }, is_sent_twice).await
            }
            Step::Deliver { order: n } => self.order(number, *n, OrderCommand::Deliver, is_sent_twice).await,
            Step::Receive { shelf, pieces: received } => {
                let (sku, warehouse) = (sku(&format!("SKU-{}", shelf.0)), warehouse(shelf.1));
                let command = StockCommand::Receive { sku, warehouse, pieces: pieces(*received), reference: None };
                self.stock(number, *shelf, command, is_sent_twice).await
            }
            Step::Adjust { shelf, change } => {
                let command = StockCommand::Adjust { change: *change, reason: label("counted") };
                self.stock(number, *shelf, command, is_sent_twice).await
            }
            Step::Reserve { shelf, order: n, pieces: wanted } => {
                let until = self.clock.now() + TimeDelta::hours(1);
                let command = StockCommand::Reserve { order: order(*n), pieces: pieces(*wanted), until };
                self.stock(number, *shelf, command, is_sent_twice).await
            }
            Step::Release { shelf, order: n, is_expired } => {
                let reason = if *is_expired { ReleaseReason::Expired } else { ReleaseReason::OrderCancelled };
                let command = StockCommand::Release { order: order(*n), reason };
                self.stock(number, *shelf, command, is_sent_twice).await
            }
            Step::Commit { shelf, order: n, pieces: sent } => {
                let command = StockCommand::Commit { order: order(*n), pieces: pieces(*sent) };
                self.stock(number, *shelf, command, is_sent_twice).await
            }
            Step::CreateProfile { who, says } => self.create_profile(number, *who, *says, is_sent_twice).await,
            Step::UpdateProfile { who, wishes } => self.update_profile(number, *who, *wishes, is_sent_twice).await,
            Step::Publish { post, by, says, reply_to } => {
                self.publish(number, *post, *by, *says, *reply_to, is_sent_twice).await
            }
            Step::Edit { post: n, by, text } => {
                let command = PostCommand::Edit { by: person(*by), draft: Box::new(draft(*text)) };
                self.post(number, post(*n), command, is_sent_twice).await
            }
            Step::Delete { post: n, by } => {
                self.post(number, post(*n), PostCommand::Delete { by: person(*by) }, is_sent_twice).await
            }
            Step::Repost { post: n, by } => {
                let (has_profile, of) = (self.has_profile(*by).await, Box::new(self.seen(post(*n)).await));
                let command = PostCommand::Repost { by: person(*by), has_profile, of };
                self.post(number, repost_of(person(*by), post(*n)), command, is_sent_twice).await
            }
            Step::UndoRepost { post: n, by } => {
                let (repost, by) = (repost_of(person(*by), post(*n)), person(*by));
                self.post(number, repost, PostCommand::Delete { by }, is_sent_twice).await
            }
            Step::Rebuild { projection } => match self.manager.rebuild(projections::names()[*projection]).await {
                Ok(_) | Err(ManagerError::AlreadyRebuilding(_)) => true,
                Err(error) => panic!("the rebuild did not start: {error}"),
            },
        }
    }

    async fn product(&self, number: usize, n: u8, command: ProductCommand, is_sent_twice: bool) -> bool {
        let request = request(number, product(n).uuid(), command);
        execute(&self.products, request, is_sent_twice).await
    }

    async fn stock(&self, number: usize, place: Shelf, command: StockCommand, is_sent_twice: bool) -> bool {
        let request = request(number, stock(place).uuid(), command);
        execute(&self.stocks, request, is_sent_twice).await
    }

    async fn order(&self, number: usize, n: u8, command: OrderCommand, is_sent_twice: bool) -> bool {
        let request = request(number, order(n).uuid(), command);
        execute(&self.orders, request, is_sent_twice).await
    }

    async fn profile(&self, number: usize, who: u8, command: ProfileCommand, is_sent_twice: bool) -> bool {
        execute(&self.profiles, request(number, person(who).uuid(), command), is_sent_twice).await
    }

    async fn create_profile(&self, number: usize, who: u8, says: (u8, u8, u8), is_sent_twice: bool) -> bool {
        let (handle, name, biography) = says;
        let Some(claim) = self.claim(number, handle, who, is_sent_twice).await else { return false };
        let (name, biography) = (display_name(name), said(biography));
        let command = ProfileCommand::Create { user: person(who), claim, name, biography };
        self.profile(number, who, command, is_sent_twice).await
    }

    async fn update_profile(&self, number: usize, who: u8, wishes: Wishes, is_sent_twice: bool) -> bool {
        let (handle, name, biography) = wishes;
        let claim = match handle {
            None => None,
            Some(handle) => match self.claim(number, handle, who, is_sent_twice).await {
                Some(claim) => Some(claim),
                None => return false,
            },
        };
        let (name, biography) = (name.map(display_name), biography.map(said));
        let command = ProfileCommand::Update { claim, name, biography };
        self.profile(number, who, command, is_sent_twice).await
    }

    async fn publish(
        &self,
        number: usize,
        n: u8,
        by: u8,
        (text, is_for_followers): (u8, bool),
        reply_to: Option<u8>,
        is_sent_twice: bool,
    ) -> bool {
        let reply_to = match reply_to {
            None => None,
            Some(parent) => Some(self.seen(post(parent)).await),
        };
        let publication = Publication {
            post: post(n),
            author: person(by),
            has_profile: self.has_profile(by).await,
            draft: draft(text),
            visibility: if is_for_followers { Visibility::Followers } else { Visibility::Public },
            reply_to,
            quotes: None,
        };
        self.post(number, post(n), PostCommand::Publish(Box::new(publication)), is_sent_twice).await
    }

    async fn has_profile(&self, who: u8) -> bool {
        let current = self.profiles.current(person(who).uuid()).await.expect("the store works");
        current.state.present().is_some()
    }

    async fn post(&self, number: usize, post: PostId, command: PostCommand, is_sent_twice: bool) -> bool {
        execute(&self.posts, request(number, post.uuid(), command), is_sent_twice).await
    }

    /// A post as anybody sees it: nobody follows or blocks anybody.
    async fn seen(&self, post: PostId) -> Seen {
        let current = self.posts.current(post.uuid()).await.expect("the store works");
        Seen { post: (*current.state).clone(), pair: PairState::default() }
    }

    /// Claims a handle; none if it is somebody else's.
    async fn claim(&self, number: usize, n: u8, who: u8, is_sent_twice: bool) -> Option<Claim> {
        let wanted = Handle::parse(&people::handle(n)).expect("a handle");
        let stream = handle::id_of(&wanted).uuid();
        let command = HandleCommand::Claim { handle: wanted, by: person(who), vacancy: None };
        if !execute(&self.handles, request(number, stream, command), is_sent_twice).await {
            return None;
        }
        match &*self.handles.current(stream).await.expect("the store works").state {
            HandleState::Claimed(claim) => Some(claim.clone()),
            HandleState::Unclaimed => panic!("a handle that was claimed has no claim"),
        }
    }

    /// Waits until the read models have applied everything.
    async fn catch_up(&self) -> Position {
        let head = self.events.head().await.expect("the store works");
        self.models.notifications.wait(head, LONG).await.expect("the inboxes get there");
        self.models.order_stats.wait(head, LONG).await.expect("the statistics get there");
        self.models.order_summary.wait(head, LONG).await.expect("the orders get there");
        self.models.post_board.wait(head, LONG).await.expect("the posts get there");
        self.models.product_catalog.wait(head, LONG).await.expect("the catalogue gets there");
        self.models.product_sales.wait(head, LONG).await.expect("the sales get there");
        self.models.profile_directory.wait(head, LONG).await.expect("the profiles get there");
        self.models.social_graph.wait(head, LONG).await.expect("the feeds get there");
        self.models.stock_level.wait(head, LONG).await.expect("the stock gets there");
        head
    }

    /// Rebuilds everything and waits for it, whatever else is being rebuilt.
    async fn rebuild_all(&self) {
        for name in projections::names() {
            let mut progress = loop {
                match self.manager.rebuild(name).await {
                    Ok(progress) => break progress,
                    Err(ManagerError::AlreadyRebuilding(_)) => tokio::time::sleep(Duration::from_millis(1)).await,
                    Err(error) => panic!("the rebuild of {name} did not start: {error}"),
                }
            };
            let over =
                progress.wait_for(|progress| progress.as_ref().is_some_and(projections::RebuildProgress::is_over));
            let over = over.await.expect("the server runs").clone().expect("it is over");
            assert_eq!(over.phase, RebuildPhase::Done, "{name}");
        }
    }

    /// What its read models say.
    async fn read(&self) -> View {
        let page = OrderPage {
            filter: OrderFilter::default(),
            sort: OrderSort { key: OrderSortKey::PlacedAt, is_descending: false },
            after: None,
            before: None,
            from_end: false,
            limit: 1_000,
        };
        let orders = self.models.order_summary.page(&page).await.expect("the orders are read").rows;
        let filter = ProductFilter::default();
        let page = ProductPage { filter, beyond: None, until: None, is_backwards: false, limit: 1_000 };
        let products = self.models.product_catalog.page(&page).await.expect("the catalogue is read");
        let mut sales = Vec::new();
        for n in 0..=PRODUCTS {
            let sold = self.models.product_sales.of(product(n)).await.expect("the sales are read");
            sales.push((sold.units, sold.orders));
        }
        let mut levels = Vec::new();
        for n in 0..=PRODUCTS {
            levels.extend(self.models.stock_level.of_sku(&sku(&format!("SKU-{n}"))).await.expect("the stock is read"));
        }
        let counted = [self.counted(Currency::EUR).await, self.counted(Currency::USD).await];
        let mut found = Vec::new();
        for n in 0..=PRODUCTS {
            found.push(self.found(n).await);
        }
        let social = (self.people().await, self.said().await, self.heard().await);
        View::read(&orders, &products, &levels, social, sales, found, counted)
    }

    /// What everybody says.
    async fn said(&self) -> PostsView {
        let keys: Vec<Uuid> = posts::all().into_iter().map(PostId::uuid).collect();
        posts::read(&self.models.post_board.rows(&keys).await.expect("the posts are read"))
    }

    /// How often each post was answered and passed on, as its author sees it.
    async fn heard(&self) -> HeardView {
        let (all, mut heard): (Vec<PostId>, _) = ((0..=POSTS).map(post).collect(), HeardView::new());
        for author in 0..=PEOPLE {
            let facts = self.models.social_graph.facts(person(author), &all).await.expect("the posts are read");
            let own = facts.into_values().filter(|facts| facts.author == person(author));
            heard.extend(own.map(|facts| (facts.post.uuid(), (facts.is_deleted, facts.replies, facts.reposts))));
        }
        heard
    }

    /// Who is there, and who is found under which handle.
    async fn people(&self) -> PeopleView {
        let directory = &self.models.profile_directory;
        let keys: Vec<Uuid> = (0..=PEOPLE).map(|who| person(who).uuid()).collect();
        let rows = directory.rows(&keys).await.expect("the profiles are read");
        let mut found = Vec::new();
        for n in 0..=HANDLES {
            let wanted = Handle::parse(&people::handle(n)).expect("a handle");
            found.push(directory.by_handle(&wanted).await.expect("handles are looked up"));
        }
        PeopleView::read(&rows, &found)
    }

    /// The orders of a product, as somebody finds them who looks for its SKU or for its name.
    async fn found(&self, n: u8) -> BTreeSet<Uuid> {
        let find = async |filter: OrderFilter| {
            let sort = OrderSort { key: OrderSortKey::PlacedAt, is_descending: true };
            let page = OrderPage { filter, sort, after: None, before: None, from_end: false, limit: 1_000 };
            let list = self.models.order_summary.page(&page).await.expect("orders are found");
            assert_eq!(list.goes_on_behind, None, "so few orders are all looked at");
            list.rows.iter().map(|row| row.placed.order.uuid()).collect::<BTreeSet<Uuid>>()
        };
        let by_sku = find(OrderFilter { sku: Some(sku(&format!("SKU-{n}"))), ..OrderFilter::default() }).await;
        let text = SearchText::parse(&format!("{n} prod")).expect("two words");
        assert_eq!(find(OrderFilter { text: Some(text), ..OrderFilter::default() }).await, by_sku, "product {n}");
        by_sku
    }

    /// What was counted of orders of this currency: everything happens within some days.
    async fn counted(&self, currency: Currency) -> Counted {
        let (from, to) = (domain::testing::now(), domain::testing::now() + TimeDelta::days(100));
        let days = Buckets::of(Bucket::Day, from, to).expect("not too many days");
        let counts = self.models.order_stats.counts(&days, currency).await.expect("the statistics are read");
        let total = counts.into_iter().reduce(|sum, more| sum.and(&more)).expect("there are days");
        let cancelled = total.cancelled.iter().map(|(_, orders)| orders).sum();
        [total.placed, cancelled, total.shipped, total.delivered, total.units]
    }
}

fn request<C>(number: usize, stream: Uuid, command: C) -> Request<C> {
    let metadata = CommandMetadata {
        command_id: Uuid::from_u128(0xcccc_0000 + number as u128),
        actor: "the test".into(),
        correlation_id: Uuid::nil(),
        causation_id: None,
        input_hash: None,
    };
    Request { stream, command, metadata, expected: None, is_fresh: false }
}

async fn execute<D>(executor: &Executor<D>, request: Request<D::Command>, is_sent_twice: bool) -> bool
where
    D: domain::Decider,
    D::State: PartialEq + std::fmt::Debug,
{
    let first = executor.execute(request.clone()).await;
    if is_sent_twice {
        let second = executor.execute(request).await;
        match (&first, &second) {
            (Ok(first), Ok(second)) => {
                assert_eq!((first.position, first.revision), (second.position, second.revision));
                assert_eq!(first.state, second.state);
            }
            (Err(_), Err(_)) => {}
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => panic!("sent twice: {first:?}, then {second:?}"),
        }
    }
    first.is_ok()
}

async fn run(steps: &[(Step, bool)]) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let mut shop = Shop::default();
    for (number, (step, is_sent_twice)) in steps.iter().enumerate() {
        server.clock.advance(TimeDelta::microseconds(1));
        let accepted = server.perform(number, step, *is_sent_twice).await;
        assert_eq!(accepted, shop.perform(step, server.clock.now()), "step {number} is accepted: {step:?}");
    }
    let head = server.catch_up().await;
    assert_eq!(head.value(), shop.events(), "events in the log");
    assert_eq!(server.read().await, shop.view(), "live");
    server.rebuild_all().await;
    assert_eq!(server.read().await, shop.view(), "rebuilt");
    assert!(server.lifecycle.stop(LONG).await, "the server did not stop");
}

fn cases() -> u32 {
    #[expect(clippy::disallowed_methods, reason = "how much is tested is a matter of who runs the tests")]
    let cases = std::env::var("MILLRACE_PROPERTY_CASES");
    cases.map_or(CASES, |cases| cases.parse().expect("MILLRACE_PROPERTY_CASES is a number"))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn live_rebuilt_and_reference_read_models_are_the_same(
        steps in prop::collection::vec((step(), prop::bool::weighted(0.1)), 0..80)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("a runtime").block_on(run(&steps));
    }
}

#[test]
fn the_random_commands_are_accepted_and_refused_and_reach_every_status() {
    let mut runner = TestRunner::deterministic();
    let (mut answers, mut statuses) = (HashSet::new(), HashSet::new());
    for _ in 0..1_500 {
        let steps = prop::collection::vec(step(), 80).new_tree(&mut runner).expect("nothing is filtered").current();
        let mut shop = Shop::default();
        for step in &steps {
            let accepted = shop.perform(step, domain::testing::now());
            answers.insert((std::mem::discriminant(step), accepted));
        }
        statuses.extend(shop.view().statuses());
    }
    // Nineteen commands, each accepted and refused, and the rebuild, which nobody refuses.
    assert_eq!((answers.len(), statuses.len()), (39, 4));
}
