//! The shop's processes, simulated from a seed: workers that die and lose their notes, commands and answers that get lost, a
//! provider that is late, says things twice or says no, clocks that jump, and people who change their minds.
//!
//! A seed is a whole run: nothing but its dice decides what happens and in which order. `MILLRACE_SIMULATION_SEED=n` runs that
//! one seed, `MILLRACE_SIMULATION_SEEDS=n` so many.

mod provider;
mod shop;
mod worker;

use std::time::Duration;

use chrono::TimeDelta;
use domain::{
    Command, Timestamp,
    fulfilment::{AfterRefusal, Fulfilment, FulfilmentState},
    order::{CancelReason, OrderCommand, OrderStatus, Party, RefundFor},
    payment::{Asking, PaymentCommand, ProviderCall},
    testing::{id, label, now, pieces},
    values::{OrderId, RefundId},
};
use tokio::time::Instant;
use uuid::Uuid;

use self::{
    provider::{Provider, Said},
    shop::Shop,
    worker::{Step, Worker},
};
use super::super::{Performed, Todo};

/// How many seeds each run of the suite goes through.
const SEEDS: u64 = 1_000;
/// How many things happen before everything comes to rest.
const THINGS: usize = 600;
/// How long an order may wait for its money.
const UNPAID: TimeDelta = TimeDelta::minutes(30);

/// SplitMix64 (Steele, Lea and Flood, 2014): a seed is a whole run.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.roll(100) < chance
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.roll(len as u64)).expect("an index")
    }
}

/// What happened in a run, to know that it could happen.
#[derive(Debug, Default)]
struct Tally {
    crashes: usize,
    notes_lost: usize,
    commands_lost: usize,
    answers_lost: usize,
    provider_failed: usize,
    told_later: usize,
    told_twice: usize,
    declined: usize,
    jumps: usize,
    cancelled: usize,
    delivered: usize,
    refunded: usize,
    out_of_stock: usize,
    unpaid: usize,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.crashes += other.crashes;
        self.notes_lost += other.notes_lost;
        self.commands_lost += other.commands_lost;
        self.answers_lost += other.answers_lost;
        self.provider_failed += other.provider_failed;
        self.told_later += other.told_later;
        self.told_twice += other.told_twice;
        self.declined += other.declined;
        self.jumps += other.jumps;
        self.cancelled += other.cancelled;
        self.delivered += other.delivered;
        self.refunded += other.refunded;
        self.out_of_stock += other.out_of_stock;
        self.unpaid += other.unpaid;
    }
}

struct World {
    dice: Dice,
    shop: Shop,
    provider: Provider,
    fulfilment: Worker<Fulfilment>,
    asking: Worker<Asking>,
    /// What the clock shows, beyond the beginning.
    clock: TimeDelta,
    /// How much time has gone by.
    gone: Duration,
    start: Instant,
    has_faults: bool,
    tally: Tally,
    refunds: u128,
    is_late: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let rules = Fulfilment { unpaid_after: UNPAID, overdue_after: TimeDelta::days(2) };
        let start = Instant::now();
        let (begin, tally) = (now(), Tally::default());
        Self {
            dice: Dice(seed),
            shop: Shop::new(),
            provider: Provider::default(),
            fulfilment: Worker::new(rules, begin, start),
            asking: Worker::new(Asking, begin, start),
            clock: TimeDelta::zero(),
            gone: Duration::ZERO,
            start,
            has_faults: true,
            tally,
            refunds: 0,
            is_late: false,
        }
    }

    fn now(&self) -> Timestamp {
        now() + self.clock
    }

    fn instant(&self) -> Instant {
        self.start + self.gone
    }

    fn pass(&mut self, millis: u64) {
        self.gone += Duration::from_millis(millis);
        self.clock += TimeDelta::milliseconds(i64::try_from(millis).expect("a little while"));
    }

    fn something_happens(&mut self) {
        self.pass(20);
        match self.dice.roll(100) {
            0..35 => self.fulfilment_works(),
            35..60 => self.asking_works(),
            60..64 => self.provider_tells(),
            64..66 => self.a_worker_dies(),
            66 => {
                let minutes = self.dice.roll(10);
                self.pass(minutes * 60_000);
            }
            67 if self.dice.percent(30) => {
                self.tally.jumps += 1;
                let by = TimeDelta::minutes(i64::try_from(self.dice.roll(90)).expect("minutes") - 45);
                self.clock = (self.clock + by).max(TimeDelta::zero());
            }
            67..71 => {
                self.fulfilment.note(self.now());
                self.asking.note(self.now());
            }
            _ => self.people_act(),
        }
    }

    fn fulfilment_works(&mut self) {
        let (now, instant) = (self.now(), self.instant());
        let Some(step) = self.fulfilment.work(&mut self.dice, &self.shop.log, now, instant) else { return };
        let Step::Carry(todo) = step;
        let performed = self.carry_out(&todo);
        self.fulfilment.finished(&todo, performed, now, instant);
    }

    fn carry_out(&mut self, todo: &Todo<Fulfilment>) -> Performed {
        if self.has_faults && self.dice.percent(6) {
            self.tally.commands_lost += 1;
            return Performed::Failed("lost".to_owned());
        }
        let performed = self.command(todo.step.id, todo.step.command.clone(), &todo.state, todo);
        if self.has_faults && self.dice.percent(6) {
            self.tally.answers_lost += 1;
            return Performed::Failed("nobody knows".to_owned());
        }
        performed
    }

    fn command(&mut self, id: Uuid, command: Command, state: &FulfilmentState, todo: &Todo<Fulfilment>) -> Performed {
        let now = self.now();
        match self.shop.execute(id, command, now) {
            Ok(()) => Performed::Done,
            Err(rejection) => match Fulfilment::refused(state, &todo.step, &rejection) {
                AfterRefusal::Wait => Performed::Wait,
                AfterRefusal::Stuck => Performed::Stuck(rejection.to_string()),
                AfterRefusal::Instead(other) => match self.shop.execute(other.id, other.command, now) {
                    Ok(()) => Performed::Done,
                    Err(_) => Performed::Wait,
                },
            },
        }
    }

    fn asking_works(&mut self) {
        let (now, instant) = (self.now(), self.instant());
        let Some(Step::Carry(todo)) = self.asking.work(&mut self.dice, &self.shop.log, now, instant) else { return };
        let said = self.provider.call(&todo.step, &mut self.dice, self.has_faults);
        let performed = match said {
            Said::Fact(fact) => {
                self.tally.declined += usize::from(matches!(fact, domain::payment::ProviderFact::Declined { .. }));
                if self.has_faults && self.dice.percent(10) {
                    self.tally.told_twice += 1;
                    self.provider.tell_again(todo.step.payment(), fact.clone());
                }
                self.record(&todo.step, fact)
            }
            Said::Later => {
                self.tally.told_later += 1;
                Performed::Later
            }
            Said::Nothing => {
                self.tally.provider_failed += 1;
                Performed::Failed("the provider did not answer".to_owned())
            }
        };
        self.asking.finished(&todo, performed, now, instant);
    }

    fn record(&mut self, call: &ProviderCall, fact: domain::payment::ProviderFact) -> Performed {
        let said = serde_json::to_vec(&fact).expect("a fact is plain data");
        let id = Uuid::new_v5(&call.key(), &said);
        let command = Command::Payment(call.payment(), PaymentCommand::Record(fact));
        match self.shop.execute(id, command, self.now()) {
            Ok(()) => Performed::Done,
            Err(_) => Performed::Wait,
        }
    }

    /// What is told too early is told again.
    fn provider_tells(&mut self) {
        let Some((payment, fact)) = self.provider.take_notice(&mut self.dice) else { return };
        let command = Command::Payment(payment, PaymentCommand::Record(fact.clone()));
        let id = Uuid::new_v5(&payment.uuid(), &serde_json::to_vec(&fact).expect("plain data"));
        if self.shop.execute(id, command, self.now()).is_err() {
            self.provider.tell_again(payment, fact);
        }
    }

    fn a_worker_dies(&mut self) {
        self.tally.crashes += 1;
        let are_notes_lost = self.dice.percent(20);
        self.tally.notes_lost += usize::from(are_notes_lost);
        let (now, instant, len) = (self.now(), self.instant(), self.shop.log.len());
        // What was under way may be carried out all the same, and nobody hears of it.
        if self.dice.percent(50) {
            for todo in self.fulfilment.under_way() {
                if self.dice.percent(50) {
                    drop(self.carry_out(&todo));
                }
            }
            self.fulfilment.restart(&mut self.dice, are_notes_lost, len, now, instant);
        } else {
            for todo in self.asking.under_way() {
                if self.dice.percent(50) {
                    drop(self.provider.call(&todo.step, &mut self.dice, true));
                }
            }
            self.asking.restart(&mut self.dice, are_notes_lost, len, now, instant);
        }
    }

    fn people_act(&mut self) {
        let order = self.shop.any_order(&mut self.dice);
        let (now, by) = (self.now(), Party::Operator);
        let what = self.dice.roll(100);
        let Some(order) = order.filter(|_| what >= 15) else {
            return self.shop.place_another(&mut self.dice, now);
        };
        let Some(placed) = self.shop.order(order).cloned() else { return };
        let any_part = |dice: &mut Dice| {
            let line = u32::try_from(dice.index(placed.lines.len())).expect("few lines");
            domain::testing::part(line, i64::try_from(1 + dice.roll(2)).expect("few pieces"))
        };
        let command = match what {
            15..18 => OrderCommand::Cancel { by, reason: CancelReason::CustomerRequest },
            18..40 => OrderCommand::Ship { lines: vec![any_part(&mut self.dice)], tracking: None },
            40..60 => OrderCommand::Ship { lines: vec![], tracking: None },
            60..68 => OrderCommand::Deliver,
            68..76 => OrderCommand::RequestReturn { by, lines: vec![any_part(&mut self.dice)], reason: label("no") },
            76..84 => {
                let number = u32::try_from(1 + self.dice.roll(2)).expect("few returns");
                OrderCommand::ReceiveReturn { number, is_restocked: self.dice.percent(50) }
            }
            84..94 => {
                let refund = self.next_refund();
                let what = if self.dice.percent(50) {
                    RefundFor::Lines(vec![any_part(&mut self.dice)])
                } else {
                    RefundFor::Amount(domain::testing::eur(1 + i64::try_from(self.dice.roll(3_000)).expect("cents")))
                };
                OrderCommand::Refund { refund, what, reason: label("no") }
            }
            _ => {
                // The third token is one that is taken.
                let token = domain::testing::token(if self.dice.percent(30) { "tok_declined" } else { "tok_visa" });
                OrderCommand::Pay { by, token }
            }
        };
        // What is refused is refused.
        drop(self.shop.execute(self.shop.fresh(), Command::Order(order, command), now));
    }

    fn next_refund(&mut self) -> RefundId {
        self.refunds += 1;
        id(90_000 + self.refunds)
    }

    /// Some of it, once. Whether anybody does.
    fn customers_want_their_money_back(&mut self) -> bool {
        if std::mem::replace(&mut self.is_late, true) {
            return false;
        }
        let now = self.now();
        for order in self.shop.with_money_left() {
            let (refund, what) = (self.next_refund(), RefundFor::Amount(domain::testing::eur(1)));
            let command = OrderCommand::Refund { refund, what, reason: label("late") };
            self.shop.execute(self.shop.fresh(), Command::Order(order, command), now).expect("a cent is left");
        }
        true
    }

    /// No more faults, no more people but those who ship and deliver: everything comes to an end.
    fn come_to_rest(&mut self) {
        self.has_faults = false;
        let mut still = 0;
        for round in 0..4_000 {
            let before = self.shop.log.len();
            self.pass(1_000);
            self.fulfilment_works();
            self.asking_works();
            self.provider_tells();
            let (now, instant) = (self.now(), self.instant());
            let is_idle = self.fulfilment.is_idle(self.shop.log.len(), now, instant)
                && self.asking.is_idle(self.shop.log.len(), now, instant)
                && self.provider.has_told_all();
            still = if is_idle && before == self.shop.log.len() { still + 1 } else { 0 };
            if still < 40 {
                continue;
            }
            still = 0;
            if self.shop.ship_and_deliver(self.now()) {
                continue;
            }
            if round > 0 && self.shop.all_are_over() && !self.customers_want_their_money_back() {
                return;
            }
            self.pass(45 * 60_000);
        }
        panic!("it does not come to rest: {:#?}", self.shop.open_orders());
    }

    /// What is noted at the end leaves nothing to do to whoever takes over.
    fn others_take_over(&mut self) {
        let (now, instant, len) = (self.now(), self.instant(), self.shop.log.len());
        for _ in 0..4 {
            self.fulfilment.note(now);
            self.asking.note(now);
        }
        self.fulfilment.restart(&mut self.dice, false, len, now, instant);
        self.asking.restart(&mut self.dice, false, len, now, instant);
        assert!(self.fulfilment.is_idle(len, now, instant), "the notes say that orders need something");
        assert!(self.asking.is_idle(len, now, instant), "the notes say that the provider has to be asked");
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a campaign is, or which run to replay")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn run(seed: u64) -> Tally {
    let mut world = World::new(seed);
    for _ in 0..THINGS {
        world.something_happens();
    }
    world.come_to_rest();
    world.shop.assert_consistent(&world.provider);
    world.fulfilment.assert_nothing_is_stuck();
    world.asking.assert_nothing_is_stuck();
    world.others_take_over();
    world.provider.tally(&mut world.tally);
    world.shop.tally(&mut world.tally);
    world.tally
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_every_order_ends_and_pieces_and_money_add_up() {
    let seeds: Vec<u64> = match number("MILLRACE_SIMULATION_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("MILLRACE_SIMULATION_SEEDS").unwrap_or(SEEDS)).collect(),
    };
    let mut tally = Tally::default();
    for seed in &seeds {
        let one = std::panic::catch_unwind(|| run(*seed));
        match one {
            Ok(one) => tally.add(&one),
            Err(panic) => {
                eprintln!("replay with MILLRACE_SIMULATION_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    eprintln!("{} seeds: {tally:?}", seeds.len());
    if seeds.len() >= 100 {
        let Tally { crashes, notes_lost, commands_lost, answers_lost, provider_failed, told_later, told_twice, .. } =
            tally;
        let faults = [crashes, notes_lost, commands_lost, answers_lost, provider_failed, told_later, told_twice];
        assert!(faults.iter().all(|fired| *fired > 0), "some fault never fired: {faults:?}");
        let Tally { declined, jumps, cancelled, delivered, refunded, out_of_stock, unpaid, .. } = tally;
        let ends = [declined, jumps, cancelled, delivered, refunded, out_of_stock, unpaid];
        assert!(ends.iter().all(|seen| *seen > 0), "some end never came: {ends:?}");
    }
}

/// Orders of the simulation.
fn order_id(n: u128) -> OrderId {
    id(10_000 + n)
}

/// How many pieces of each SKU there are at first.
fn pieces_at_first() -> domain::values::Pieces {
    pieces(6)
}

/// Whether nothing can happen to the order any more, unless somebody wants it.
const fn is_over(status: OrderStatus) -> bool {
    matches!(status, OrderStatus::Cancelled | OrderStatus::Delivered)
}
