//! A shop in memory: every aggregate, the log, the process, and a provider that answers when asked to.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use uuid::Uuid;

use super::super::*;
use crate::{
    Command,
    order::{OrderCommand, PlacedOrder, payment_of},
    payment::{DeclineReason, Hold, PartStatus, PaymentCommand, PaymentRecord, PaymentState, ProviderFact},
    stock::{StockCommand, StockState},
    testing::{Aggregates, eur, label, now, offered_counted, place, receive, requested, the_order, the_stock, token},
    values::{Money, PaymentId},
};

/// How long an order may wait for its money here.
pub(super) const UNPAID_MINUTES: i64 = 30;

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) log: Vec<Event>,
    shop: Aggregates,
    state: FulfilmentState,
    seen: usize,
    given: BTreeSet<Uuid>,
    pub(super) minutes: i64,
    /// Whether the provider gives nothing back.
    pub(super) keeps_money: bool,
    pub(super) stuck: Vec<Instruction>,
}

impl World {
    /// A shop with so many pieces of `TEA-1`, and an order of two of them, paid in advance.
    pub(super) fn with(pieces: i64) -> Self {
        let mut world = Self::default();
        world.must(Command::Stock(the_stock(), receive(pieces)));
        world.must(Command::Order(the_order(), prepaid()));
        world
    }

    pub(super) fn now(&self) -> Timestamp {
        now() + TimeDelta::minutes(self.minutes)
    }

    pub(super) fn must(&mut self, command: Command) {
        self.execute(command).expect("it is accepted");
    }

    pub(super) fn execute(&mut self, command: Command) -> Result<(), Rejection> {
        let new = self.shop.execute(command, self.now())?;
        self.log.extend(new);
        Ok(())
    }

    /// Shows the process everything that is in the log.
    pub(super) fn look(&mut self) {
        for event in &self.log[self.seen..] {
            if Fulfilment::key(event) == Some(the_order().uuid()) {
                self.state = Fulfilment::evolve(std::mem::take(&mut self.state), event);
            }
        }
        self.seen = self.log.len();
    }

    pub(super) fn todo(&mut self) -> Vec<Instruction> {
        self.look();
        rules().next(&self.state, self.now())
    }

    pub(super) fn concern(&mut self) -> Option<String> {
        self.look();
        Fulfilment::concern(&self.state)
    }

    /// Lets the process do everything that it wants to.
    pub(super) fn run(&mut self) {
        for _ in 0..100 {
            let todo: Vec<_> = self.todo().into_iter().filter(|step| !self.given.contains(&step.id)).collect();
            if todo.is_empty() {
                return;
            }
            for step in todo {
                self.carry_out(step);
            }
        }
        panic!("the process finds no end: {:?}", self.todo());
    }

    fn carry_out(&mut self, step: Instruction) {
        match self.execute(step.command.clone()) {
            Ok(()) => {
                self.given.insert(step.id);
            }
            Err(rejection) => match Fulfilment::refused(&self.state, &step, &rejection) {
                AfterRefusal::Instead(other) => {
                    self.given.insert(step.id);
                    self.carry_out(other);
                }
                AfterRefusal::Wait => {}
                AfterRefusal::Stuck => {
                    self.given.insert(step.id);
                    self.stuck.push(step);
                }
            },
        }
    }

    /// The process, its runner and their notes are gone; the log is there.
    pub(super) fn forget(&mut self) {
        self.state = FulfilmentState::default();
        self.seen = 0;
        self.given.clear();
    }

    /// The provider answers everything that it is asked, as it is wanted, until nobody asks any more.
    pub(super) fn settle(&mut self) {
        for _ in 0..20 {
            self.run();
            let known = self.shop.known_payments();
            let answers: Vec<_> = known.filter_map(|payment| answer(payment, self.keeps_money)).collect();
            if answers.is_empty() {
                return;
            }
            for (payment, fact) in answers {
                self.must(Command::Payment(payment, PaymentCommand::Record(fact)));
            }
        }
        panic!("the provider finds no end: {:?}", self.shop.payments);
    }

    pub(super) fn answer(&mut self, fact: ProviderFact) -> Result<(), Rejection> {
        self.execute(Command::Payment(self.holding(), PaymentCommand::Record(fact)))
    }

    /// How many payments were ever asked for.
    pub(super) fn payments(&self) -> usize {
        self.shop.known_payments().count()
    }

    /// The payment that was asked for last, of the attempt that counts.
    fn holding(&self) -> PaymentId {
        let attempt = self.order().payment.expect("it is paid in advance").attempt;
        let is_known =
            |payment: &PaymentId| self.shop.payments.get(payment).is_some_and(|state| state.known().is_some());
        let renewals = (1..=RENEWALS_MAX).map(|number| renewal_of(the_order(), attempt, number));
        renewals.take_while(is_known).last().unwrap_or(payment_of(the_order(), attempt))
    }

    pub(super) fn order(&self) -> &PlacedOrder {
        self.shop.orders[&the_order()].placed().expect("it is placed")
    }

    pub(super) fn stock(&self) -> &StockState {
        &self.shop.stocks[&the_stock()]
    }

    pub(super) fn payment(&self) -> Option<&PaymentRecord> {
        self.shop.payments.get(&self.holding()).and_then(PaymentState::known)
    }

    /// What the log must look like once everything has come to rest.
    pub(super) fn assert_consistent(&self) {
        let (order, stock) = (self.order(), self.stock());
        let is_cancelled = order.status == crate::order::OrderStatus::Cancelled;
        let kept = stock.reservations.get(&the_order()).map_or(0, |held| held.left.number());
        let wanted: u64 = if is_cancelled {
            0
        } else {
            order.left_to_ship().iter().map(|part| u64::from(part.quantity.units())).sum()
        };
        assert_eq!(kept, wanted, "pieces are kept that nobody needs, or not kept: {:?}", self.log);
        for payment in self.shop.known_payments() {
            let (captured, refunded) = (payment.captured().minor(), payment.refunded().minor());
            assert!(payment.authorised.minor() >= captured && captured >= refunded);
            assert!(payment.hold != Hold::Pending, "nobody answered: {payment:?}");
            if is_cancelled {
                assert_eq!(captured, refunded, "a cancelled order was paid: {:?}", self.log);
                assert!(payment.hold != Hold::Held, "a cancelled order holds money: {:?}", self.log);
            }
        }
        assert_eq!(order.captured().minor(), self.sum(PaymentRecord::captured), "{:?}", self.log);
        assert_eq!(order.refunded().minor(), self.sum(PaymentRecord::refunded), "{:?}", self.log);
        assert!(self.stuck.is_empty(), "{:?}", self.stuck);
    }

    fn sum(&self, of: impl Fn(&PaymentRecord) -> Money) -> i64 {
        self.shop.known_payments().map(|payment| of(payment).minor()).sum()
    }
}

fn answer(payment: &PaymentRecord, keeps_money: bool) -> Option<(PaymentId, ProviderFact)> {
    let open = |part: &&crate::payment::Part| part.status == PartStatus::Requested;
    let capture = payment.captures.iter().find(|(_, part)| open(part));
    let refund = payment.refunds.iter().find(|(_, part)| open(part));
    let has = |whole: Money, used: Money, wanted: Money| whole.minor() - used.minor() >= wanted.minor();
    let fact = match payment.hold {
        Hold::Pending => authorised(payment.requested),
        Hold::Held if payment.is_void_requested => ProviderFact::Voided,
        Hold::Held | Hold::Declined | Hold::Voided | Hold::Expired => match (capture, refund) {
            (Some((capture, part)), _) if has(payment.authorised, payment.captured(), part.amount) => {
                ProviderFact::Captured { capture: *capture, amount: part.amount }
            }
            (Some((capture, _)), _) => ProviderFact::CaptureFailed { capture: *capture, reason: label("too much") },
            (None, Some((refund, part)))
                if !keeps_money && has(payment.captured(), payment.refunded(), part.amount) =>
            {
                ProviderFact::Refunded { refund: *refund, amount: part.amount }
            }
            (None, Some((refund, _))) => ProviderFact::RefundFailed { refund: *refund, reason: label("no") },
            (None, None) => return None,
        },
    };
    Some((payment.payment, fact))
}

pub(super) fn rules() -> Fulfilment {
    Fulfilment { unpaid_after: TimeDelta::minutes(UNPAID_MINUTES), overdue_after: TimeDelta::hours(48) }
}

pub(super) fn authorised(amount: Money) -> ProviderFact {
    ProviderFact::Authorised { reference: label("auth-1"), amount }
}

pub(super) fn declined() -> ProviderFact {
    ProviderFact::Declined { reason: DeclineReason::InsufficientFunds }
}

/// Two counted pieces of `TEA-1`, paid in advance.
pub(super) fn prepaid() -> OrderCommand {
    let OrderCommand::Place { order, customer, lines, catalogue, warehouse, .. } =
        place([requested("TEA-1", 2)], [offered_counted("TEA-1", eur(1990))])
    else {
        unreachable!("it is a placement")
    };
    OrderCommand::Place { order, customer, lines, catalogue, warehouse, payment: Some(token("tok_visa")) }
}

/// Another order takes pieces away.
pub(super) fn reserved_for_another(pieces: i64) -> Command {
    Command::Stock(
        the_stock(),
        StockCommand::Reserve {
            order: crate::testing::id(50),
            pieces: crate::testing::pieces(pieces),
            until: now() + TimeDelta::days(1),
        },
    )
}
