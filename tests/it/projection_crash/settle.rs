//! What must hold after a server has died: first of what it left, then of the server that comes after it.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;
use tests::{
    audit::{Findings, MODELS, audit, post_mortem},
    client::Client,
    operations::{Order, Outcome, statuses},
    server::{Server, Start, eventually},
};

use super::world::World;

/// What was promised to operators, over all restarts.
#[derive(Clone, Debug, Default)]
pub(super) struct Promises {
    /// Events that were passed over, by projection.
    pub(super) skipped: BTreeSet<(String, u64)>,
    /// Projections that were paused and not ordered to go on.
    pub(super) paused: BTreeSet<String>,
    /// Projections of which nobody knows whether they are paused.
    pub(super) may_be_paused: BTreeSet<String>,
}

/// What became of rebuilds that were interrupted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// How many servers died.
    pub(super) deaths: u32,
    /// How many were gone on with.
    pub(super) resumed: u32,
    /// How many had nothing to go on with.
    pub(super) abandoned: u32,
    /// How many rows were compared.
    pub(super) rows: usize,
    /// How often something was parked.
    pub(super) parked: u32,
}

impl Promises {
    /// An order is on its way: whether it takes effect is open until it is answered.
    pub(super) fn is_ordered(&mut self, name: &str, order: &Order) {
        if matches!(order, Order::Pause | Order::Resume) {
            self.paused.remove(name);
            self.may_be_paused.insert(name.to_owned());
        }
    }

    /// It was answered.
    pub(super) fn is_answered(&mut self, name: &str, order: &Order, outcome: &Outcome) {
        if !matches!(outcome, Outcome::Done(_)) {
            return;
        }
        if let Order::Skip(_, position) = order {
            self.skipped.insert((name.to_owned(), *position));
        }
        if matches!(order, Order::Pause | Order::Resume) {
            self.may_be_paused.remove(name);
        }
        if matches!(order, Order::Pause) {
            self.paused.insert(name.to_owned());
        }
    }
}

/// What the dead server left is whole as it lies there.
pub(super) fn examine(world: &mut World) -> Findings {
    let left = post_mortem(world.path());
    audit(left.path(), &mut world.log)
}

/// Starts a server on what the last one left and sees it get on with everything. Gives it back.
pub(super) async fn recover(world: &mut World, left: &Findings, promises: &mut Promises, seen: &mut Seen) -> Server {
    let server = Server::start_in(world.path(), Start::default()).await;
    let operator = world.people.operator.at(&server.url);
    let first = all(&operator).await;
    for model in MODELS {
        let (status, name) = (of(&first, model.name), model.name);
        serves_old_or_new(left, name, status);
        let is_paused = !status["pausedBy"].is_null();
        let is_known = !promises.may_be_paused.contains(name);
        assert!(!is_known || is_paused == promises.paused.contains(name), "paused or not? {status}, {promises:?}");
    }
    for status in first.iter().filter(|status| !status["pausedBy"].is_null()) {
        let outcome = Order::Resume.give(&operator, status["name"].as_str().expect("a name")).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?} of {status}");
    }
    (promises.paused, promises.may_be_paused) = (BTreeSet::new(), BTreeSet::new());
    let settled = eventually("every projection is where the log is", async || {
        let statuses = all(&operator).await;
        statuses.iter().all(is_settled).then_some(statuses)
    })
    .await;
    for model in MODELS {
        rebuild_went_on(left, model.name, of(&settled, model.name), seen);
    }
    let findings = parked_is_settled(world, &operator).await;
    for (name, position) in &promises.skipped {
        let serving = findings.serving(name).expect("something serves");
        let entry = serving.parked.get(position);
        // A rebuild that was beyond an event that was put right before somebody passed over it has applied it.
        let is_mended = !world.is_poison(*position);
        assert!(
            entry.is_some_and(|entry| entry.state == "skipped") || entry.is_none() && is_mended,
            "event {position} of {name} was passed over, and is {entry:?} in generation {}",
            serving.number
        );
    }
    for status in all(&operator).await {
        let serving = findings.serving(status["name"].as_str().expect("a name")).expect("something serves");
        assert_eq!(status["parkedKeys"].as_u64(), Some(serving.heads().len() as u64), "{status}");
        assert_eq!(status["generation"], serving.number, "{status}");
    }
    seen.rows += left.rows + findings.rows;
    server
}

async fn all(operator: &Client) -> Vec<Value> {
    statuses(operator).await.expect("the server runs")
}

fn of<'a>(statuses: &'a [Value], name: &str) -> &'a Value {
    statuses.iter().find(|status| status["name"] == name).expect("every projection has a status")
}

fn is_settled(status: &Value) -> bool {
    let is_rebuilding = ["FILLING", "VERIFYING", "SWITCHING"].map(Value::from).contains(&status["rebuild"]["phase"]);
    status["state"] == "RUNNING" && !is_rebuilding && status["number"].as_u64() >= status["headNumber"].as_u64()
}

/// Right after the start the generation serves that did before, or the one that was being built.
fn serves_old_or_new(left: &Findings, name: &str, status: &Value) {
    let Some(old) = left.serving(name) else { return };
    let new = left.building(name).map(|generation| generation.number);
    let now = status["generation"].as_i64();
    assert!(now == Some(old.number) || now == new, "{old:?} served, now {status}");
    assert!(status["number"].as_u64() >= Some(old.position), "it went backwards: {old:?}, now {status}");
}

/// A rebuild that was interrupted is done, or says that it was given up.
fn rebuild_went_on(left: &Findings, name: &str, status: &Value, seen: &mut Seen) {
    let rebuild = &status["rebuild"];
    let (serving, building) = (left.serving(name), left.building(name));
    match building {
        Some(begun) if begun.position > 0 => {
            seen.resumed += 1;
            assert_eq!(rebuild["phase"], "DONE", "{begun:?} was to go on: {status}");
            assert_eq!(rebuild["resumedAt"], begun.position, "{begun:?} was to go on from where it was: {status}");
            assert_eq!(status["generation"], begun.number, "{begun:?} was to serve: {status}");
        }
        Some(empty) if serving.is_some() => {
            seen.abandoned += 1;
            let says = rebuild["error"].as_str().unwrap_or_default();
            assert_eq!(rebuild["generation"], empty.number, "{empty:?} was given up: {status}");
            assert!(
                rebuild["phase"] == "FAILED" && says.contains("order it again"),
                "{empty:?} was given up: {status}"
            );
            assert_eq!(status["generation"].as_i64(), serving.map(|serving| serving.number), "{status}");
        }
        Some(_) | None if serving.is_none() => {
            assert_eq!(rebuild["phase"], "DONE", "nothing served: {status}");
            assert!(status["generation"].is_i64(), "something serves: {status}");
        }
        Some(_) | None => assert!(rebuild.is_null(), "nobody ordered this rebuild: {status}"),
    }
    let went_on = building.is_some_and(|begun| begun.position > 0);
    let kept = if went_on { serving } else { left.standby(name) };
    if serving.is_some() {
        let kept = kept.map(|generation| generation.number);
        assert_eq!(status["standby"]["generation"].as_i64(), kept, "which one stands by? {left:#?} {status}");
    }
}

/// What can be understood by now is released, and what waits says what it waits for.
async fn parked_is_settled(world: &mut World, operator: &Client) -> Findings {
    if !world.log.mended.is_empty() {
        for model in MODELS {
            let outcome = Order::Retry(None).give(operator, model.name).await;
            let is_nothing = outcome == Outcome::Refused(vec!["NOT_PARKED".to_owned()]);
            assert!(matches!(outcome, Outcome::Done(_)) || is_nothing, "{outcome:?}");
        }
    }
    eventually("nothing waits without need", async || {
        let findings = world.audit();
        let waits_for_nothing = MODELS.iter().find_map(|model| {
            let serving = findings.serving(model.name)?;
            let heads = serving.heads();
            let is_needless = |position: &u64, state: &str| state != "failed" || world.log.mended.contains(position);
            heads.into_iter().find(|(_, (position, head))| is_needless(position, &head.state)).map(|head| head.0)
        });
        if waits_for_nothing.is_some() {
            tokio::time::sleep(Duration::from_millis(100)).await;
            return None;
        }
        Some(findings)
    })
    .await
}
