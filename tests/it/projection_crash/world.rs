//! A shop with a history: orders in every state, rows that wait for events nobody understands, two generations of each
//! projection.

use std::{fs, path::Path};

use infrastructure::clock::{IdSource as _, SystemIds};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{
    audit::{Findings, Log, MODELS, audit},
    client::Client,
    events_db::{self, EventsDb},
    operations::{Order, Outcome, statuses},
    random::Random,
    server::{Server, Start, eventually, temp_dir},
    shop,
};
use uuid::Uuid;

use super::social::{self, pair_data, post_data};

/// How many orders the history has; there are about twice as many events.
const ORDERS: u64 = 2_000;
const PRODUCTS: u64 = 20;
const CUSTOMERS: u128 = 50;
pub(super) const PEOPLE: u64 = 20;
/// Events behind one that nobody understands: more than are released at once.
const EVENTS_BEHIND: u32 = 300;
/// When everything happens.
pub(super) const AT: &str = "2026-01-02T03:04:05.678901Z";

/// A data directory, and who is known there.
#[derive(Debug)]
pub(super) struct World {
    folder: TempDir,
    /// The log, as far as it was looked at.
    pub(super) log: Log,
    pub(super) people: People,
    /// Events that nobody understands, and what they should have been.
    pub(super) poison: Vec<Poison>,
}

/// Clients; their address is that of the server that was there when they signed in.
#[derive(Clone, Debug)]
pub(super) struct People {
    pub(super) operator: Client,
    pub(super) customers: Vec<Client>,
    /// The products that can be ordered, by global id.
    pub(super) products: Vec<String>,
}

/// An event that nobody understands.
#[derive(Clone, Debug)]
pub(super) struct Poison {
    pub(super) position: u64,
    pub(super) key: Uuid,
    /// The projections that read it.
    pub(super) projections: Vec<&'static str>,
    mended: String,
}

impl World {
    /// Makes one, with one more generation of each projection than it needs.
    pub(super) async fn create() -> Self {
        let folder = temp_dir();
        let server = Server::start_in(folder.path(), Start::default()).await;
        let operator = server.operator();
        let mut products = Vec::new();
        for number in 0..3 {
            products.push(shop::register(&operator, &format!("TEA-{number}")).await.id);
        }
        let customers = (0..4).map(|number| server.customer(&format!("customer-{number}"))).collect();
        server.stop().await;
        let mut poison = Vec::new();
        events_db::write(&folder.path().join("events.db"), |events| {
            history(events);
            poison = add_poison(events);
        });
        let people = People { operator, customers, products };
        let mut world = Self { folder, log: Log::default(), people, poison };
        world.rebuild_everything().await;
        world
    }

    async fn rebuild_everything(&mut self) {
        let server = Server::start_in(self.path(), Start::default()).await;
        let operator = self.people.operator.at(&server.url);
        for model in MODELS {
            let outcome = Order::Rebuild.give(&operator, model.name).await;
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        }
        eventually("everything is rebuilt, and where the log is", async || {
            let all = statuses(&operator).await.expect("the server runs");
            let is_done =
                |status: &Value| status["rebuild"]["phase"] == "DONE" && status["number"] == status["headNumber"];
            all.iter().all(is_done).then_some(())
        })
        .await;
        server.stop().await;
        let findings = self.audit();
        assert_eq!(findings.generations.len(), 2 * MODELS.len(), "{:#?}", findings.generations);
    }

    /// Another one that is the same.
    pub(super) fn copy(&self) -> Self {
        let folder = temp_dir();
        for entry in fs::read_dir(self.path()).expect("a folder") {
            let entry = entry.expect("a file");
            fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("the file can be copied");
        }
        Self { folder, log: self.log.clone(), people: self.people.clone(), poison: self.poison.clone() }
    }

    /// Holds what its read store has against its log.
    pub(super) fn audit(&mut self) -> Findings {
        audit(self.folder.path(), &mut self.log)
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Lets go of every read model.
    pub(super) fn forget_read_models(&self) {
        for name in ["read.db", "read.db-wal", "read.db-shm"] {
            let _ = fs::remove_file(self.path().join(name));
        }
        assert!(!self.path().join("read.db").exists(), "there are read models still");
    }

    /// Adds events that nobody understands to the log, and others behind them.
    pub(super) fn poison(&mut self) {
        let added = events_db::write(&self.path().join("events.db"), add_poison);
        self.poison.extend(added);
    }

    /// Whether nobody understands the event at this position.
    pub(super) fn is_poison(&self, position: u64) -> bool {
        self.poison.iter().any(|poison| poison.position == position)
    }

    /// Puts one event right that nobody understood. False if there is none.
    pub(super) fn mend(&mut self, random: &mut Random) -> bool {
        if self.poison.is_empty() {
            return false;
        }
        let Poison { position, mended, .. } = self.poison.swap_remove(random.index(self.poison.len()));
        events_db::write(&self.path().join("events.db"), |events| events.replace(position, &mended));
        self.log.is_mended(position);
        true
    }
}

/// A long time in the shop. The same in every run, except for what the event store adds.
fn history(events: &EventsDb<'_>) {
    let mut random = Random::new(7);
    let products: Vec<(Uuid, String)> = (0..PRODUCTS)
        .map(|number| (Uuid::from_u128(0xaaaa_0000 + u128::from(number)), format!("POT-{number}")))
        .collect();
    for (product, sku) in &products {
        let data =
            json!({ "product": product, "sku": sku, "name": format!("The {sku}"), "price": price(1_990), "at": AT });
        events.append("product", *product, "product.registered.v1", &data.to_string());
    }
    for number in 0..PRODUCTS {
        let received = json!({ "sku": format!("POT-{number}"), "warehouse": "main", "pieces": 1_000 });
        on_stock(events, number, "stock.received.v1", received);
    }
    for number in 0..PEOPLE {
        person(events, number);
    }
    social::history(events);
    for number in 0..ORDERS {
        let order = Uuid::from_u128(0xbbbb_0000_0000 + u128::from(number));
        place(events, order, &products, &mut random);
        // An earlier one goes on.
        let earlier = Uuid::from_u128(0xbbbb_0000_0000 + u128::from(number / 2));
        if number % 2 == 1 {
            step(events, earlier, random.below(4));
        }
        // So does what was promised to an order: it is gone, or it is free again.
        if number % 3 == 0 {
            let (stock, pieces) = (number / 3 % PRODUCTS, 1 + i64_of(number % 4));
            let promised = json!({ "order": order, "pieces": pieces, "until": AT });
            on_stock(events, stock, "stock.reserved.v1", promised);
            let moved = json!({ "order": order, "pieces": pieces, "reason": "expired" });
            match number % 4 {
                0 => on_stock(events, stock, "stock.committed.v1", moved),
                1 => on_stock(events, stock, "stock.released.v1", moved),
                _ => on_stock(events, stock, "stock.adjusted.v1", json!({ "change": 2 - pieces, "reason": "counted" })),
            }
        }
        if number % 25 == 0 {
            let (product, _) = &products[random.index(products.len())];
            let changed = json!({ "product": product, "price": price(1_000 + i64_of(number)), "at": AT });
            events.append("product", *product, "product.price_changed.v1", &changed.to_string());
        }
    }
}

/// Somebody becomes visible, and half of them change their mind about how.
fn person(events: &EventsDb<'_>, number: u64) {
    let user = social::user(number);
    events.append("profile", user, "profile.created.v1", &profile_data(user, &format!("person_{number}"), "Tea."));
    if number % 2 == 1 {
        events.append("profile", user, "profile.updated.v1", &profile_data(user, "", "Tea.\nAnd cake."));
        events.append("profile", user, "profile.handle_changed.v1", &profile_data(user, &format!("tea_{number}"), ""));
    }
}

/// All that any event of a profile says; what is not its business is not read.
fn profile_data(user: Uuid, handle: &str, biography: &str) -> String {
    let data = json!({
        "user": user, "handle": handle, "former": "somebody", "name": "Somebody", "biography": biography, "at": AT,
    });
    data.to_string()
}

fn place(events: &EventsDb<'_>, order: Uuid, products: &[(Uuid, String)], random: &mut Random) {
    let mut total = 0;
    let lines: Vec<String> = (0..=random.below(3))
        .map(|_| {
            let (product, sku) = &products[random.index(products.len())];
            let (quantity, unit) = (1 + i64_of(random.below(5)), 500 + i64_of(random.below(2_000)));
            total += quantity * unit;
            // In the order in which Millrace writes it: the read model must hold it as it is.
            format!(
                "{{\"product\":\"{product}\",\"sku\":\"{sku}\",\"name\":\"The {sku}\",\"quantity\":{quantity},\
                 \"unit_price\":{{\"minor\":{unit},\"currency\":\"EUR\"}}}}"
            )
        })
        .collect();
    let customer = Uuid::from_u128(0xcccc_0000 + u128::from(random.below(50)) % CUSTOMERS);
    let (lines, total) = (lines.join(","), price(total));
    let data = format!(
        "{{\"order\":\"{order}\",\"customer\":\"{customer}\",\"lines\":[{lines}],\"total\":{total},\"at\":\"{AT}\"}}"
    );
    events.append("order", order, "order.placed.v1", &data);
}

fn step(events: &EventsDb<'_>, order: Uuid, which: u64) {
    let cancelled = json!({ "order": order, "reason": "customer_request", "at": AT }).to_string();
    let shipped = json!({ "order": order, "tracking": format!("DHL {which}"), "at": AT }).to_string();
    match which {
        0 => drop(events.append("order", order, "order.cancelled.v2", &cancelled)),
        1 => drop(events.append("order", order, "order.shipped.v1", &shipped)),
        2 => {
            events.append("order", order, "order.shipped.v1", &shipped);
            let delivered = json!({ "order": order, "at": AT }).to_string();
            events.append("order", order, "order.delivered.v1", &delivered);
        }
        _ => {}
    }
}

/// Something happened to the stock of this product.
fn on_stock(events: &EventsDb<'_>, product: u64, kind: &str, data: Value) {
    let stock = Uuid::from_u128(0xdddd_0000 + u128::from(product));
    events.append("stock", stock, kind, &stock_data(stock, data).to_string());
}

fn stock_data(stock: Uuid, mut data: Value) -> Value {
    (data["stock"], data["at"]) = (json!(stock), json!(AT));
    data
}

/// Two orders, a product, a stock, somebody, what they said, whom they mute and what they want to hear, with an event that nobody understands, and
/// others behind it.
fn add_poison(events: &EventsDb<'_>) -> Vec<Poison> {
    const BROKEN: &str = "{\"broken\":1}";
    let sold = [(Uuid::from_u128(0xaaaa_0000), "POT-0".to_owned())];
    let mut random = Random::new(1);
    let mut poison = Vec::new();

    let order = SystemIds.fresh();
    place(events, order, &sold, &mut random);
    let position = events.append("order", order, "order.shipped.v1", BROKEN);
    let delivered = json!({ "order": order, "at": AT }).to_string();
    events.append("order", order, "order.delivered.v1", &delivered);
    let mended = json!({ "order": order, "tracking": null, "at": AT }).to_string();
    poison.push(Poison {
        position,
        key: order,
        projections: vec!["notifications", "order_stats", "order_summary"],
        mended,
    });

    let order = SystemIds.fresh();
    place(events, order, &sold, &mut random);
    let position = events.append("order", order, "order.cancelled.v2", BROKEN);
    let mended = json!({ "order": order, "reason": "out_of_stock", "at": AT }).to_string();
    events.append("order", order, "order.cancelled.v2", &mended);
    poison.push(Poison {
        position,
        key: order,
        projections: vec!["order_stats", "order_summary", "product_sales"],
        mended,
    });

    let product = SystemIds.fresh();
    let sku = format!("CUP-{:X}", product.as_u128());
    let data = json!({ "product": product, "sku": sku, "name": "A cup", "price": price(100), "at": AT });
    events.append("product", product, "product.registered.v1", &data.to_string());
    let position = events.append("product", product, "product.price_changed.v1", BROKEN);
    let changed = |minor: i64| json!({ "product": product, "price": price(minor), "at": AT }).to_string();
    for number in 0..EVENTS_BEHIND {
        events.append("product", product, "product.price_changed.v1", &changed(200 + i64::from(number)));
    }
    poison.push(Poison { position, key: product, projections: vec!["product_catalog"], mended: changed(150) });

    let stock = SystemIds.fresh();
    let received = json!({ "sku": format!("CUP-{:X}", stock.as_u128()), "warehouse": "main", "pieces": 10 });
    events.append("stock", stock, "stock.received.v1", &stock_data(stock, received).to_string());
    let position = events.append("stock", stock, "stock.reserved.v1", BROKEN);
    let moved = json!({ "order": order, "pieces": 4, "until": AT });
    let mended = stock_data(stock, moved).to_string();
    events.append("stock", stock, "stock.committed.v1", &mended);
    poison.push(Poison { position, key: stock, projections: vec!["stock_level"], mended });

    let user = SystemIds.fresh();
    let handle = format!("person_{:x}", user.as_u128());
    events.append("profile", user, "profile.created.v1", &profile_data(user, &handle, ""));
    let position = events.append("profile", user, "profile.updated.v1", BROKEN);
    events.append("profile", user, "profile.handle_changed.v1", &profile_data(user, &format!("{handle}_b"), ""));
    let mended = profile_data(user, "", "Tea.");
    poison.push(Poison { position, key: user, projections: vec!["profile_directory"], mended });

    let post = SystemIds.fresh();
    events.append("post", post, "post.published.v1", &post_data(post, user, "#tea"));
    let position = events.append("post", post, "post.edited.v1", BROKEN);
    events.append("post", post, "post.edited.v1", &post_data(post, user, "#cake at last"));
    let mended = post_data(post, user, "#tea #cake");
    poison.push(Poison {
        position,
        key: post,
        projections: vec!["notifications", "post_board", "social_graph"],
        mended,
    });

    let pair = SystemIds.fresh();
    let mended = pair_data(user, social::user(0), "");
    events.append("follow", pair, "follow.followed.v1", &mended);
    let position = events.append("follow", pair, "follow.muted.v1", BROKEN);
    events.append("follow", pair, "follow.blocked.v1", &mended);
    poison.push(Poison { position, key: pair, projections: vec!["notifications", "social_graph"], mended });

    let nothing = json!({ "user": user, "unwanted": [], "at": AT }).to_string();
    events.append("inbox", user, "inbox.preferences_changed.v1", &nothing);
    let position = events.append("inbox", user, "inbox.preferences_changed.v1", BROKEN);
    let mended = json!({ "user": user, "unwanted": ["like", "follow"], "at": AT }).to_string();
    social::told(events, user);
    poison.push(Poison { position, key: user, projections: vec!["notifications"], mended });
    poison
}

fn price(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "EUR" })
}

fn i64_of(number: u64) -> i64 {
    i64::try_from(number).expect("a small number")
}
