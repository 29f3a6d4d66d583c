//! What the sandbox remembers, and how it decides.

use std::collections::{HashMap, VecDeque};

use domain::{
    payment::{DeclineReason, ProviderCall, ProviderFact},
    values::{Label, Money, PaymentId},
};
use uuid::Uuid;

/// What every reference of the sandbox begins with.
const REFERENCE_PREFIX: &str = "sandbox-";

/// What the sandbox does with a payment's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    Succeeds,
    Declines(DeclineReason),
    TimesOut,
    Late,
    Twice,
    Unreachable,
    CaptureFails,
    RefundFails,
}

/// The names behind `tok_`, which a reference carries on.
const BEHAVIOURS: [(&str, Behaviour); 10] = [
    ("visa", Behaviour::Succeeds),
    ("declined", Behaviour::Declines(DeclineReason::InsufficientFunds)),
    ("fraud", Behaviour::Declines(DeclineReason::SuspectedFraud)),
    ("expired_card", Behaviour::Declines(DeclineReason::CardExpired)),
    ("timeout", Behaviour::TimesOut),
    ("late", Behaviour::Late),
    ("twice", Behaviour::Twice),
    ("unreachable", Behaviour::Unreachable),
    ("capture_fails", Behaviour::CaptureFails),
    ("refund_fails", Behaviour::RefundFails),
];

impl Behaviour {
    fn called(name: &str) -> Self {
        BEHAVIOURS.iter().find(|(known, _)| *known == name).map_or(Self::Succeeds, |(_, behaviour)| *behaviour)
    }

    fn name(self) -> &'static str {
        BEHAVIOURS.iter().find(|(_, known)| *known == self).map_or("visa", |(name, _)| *name)
    }

    /// What was asked for with the token, which later calls carry in the reference.
    fn of(call: &ProviderCall) -> Self {
        match call {
            ProviderCall::Authorise { token, .. } => {
                Self::called(token.as_str().strip_prefix("tok_").unwrap_or_default())
            }
            ProviderCall::Capture { reference, .. }
            | ProviderCall::Void { reference, .. }
            | ProviderCall::Refund { reference, .. } => {
                let name = reference.as_str().strip_prefix(REFERENCE_PREFIX).unwrap_or_default();
                Self::called(name.split('-').next().unwrap_or_default())
            }
        }
    }

    fn reference(self, payment: PaymentId) -> Label {
        let text = format!("{REFERENCE_PREFIX}{}-{}", self.name(), payment.uuid().simple());
        Label::parse(&text).expect("a name and an id are one line of text")
    }
}

/// What the sandbox answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    Answered(ProviderFact),
    ToBeTold(ProviderFact),
    AnsweredAndTold(ProviderFact),
    BeingTold,
    TimedOut,
    Unreachable,
    KeyReused,
}

/// A payment's money, in minor units of its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// What was held at first.
    pub authorised: i64,
    /// What was taken.
    pub captured: i64,
    /// What was given back.
    pub refunded: i64,
    /// Whether what was left was let go of.
    pub is_voided: bool,
}

/// A call that was made.
#[derive(Debug)]
struct Entry {
    call: ProviderCall,
    tries: u32,
    fact: Option<ProviderFact>,
    telling: Telling,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    NotYet,
    UnderWay,
    Done,
}

/// What is remembered of one payment.
#[derive(Debug, Default)]
struct Remembered {
    /// Its money, if it was authorised as far back as is remembered.
    account: Option<Account>,
    calls: HashMap<Uuid, Entry>,
}

/// The payments, the oldest of which are forgotten whole.
#[derive(Debug)]
pub(super) struct Ledger {
    unreachable_times: u32,
    calls_max: usize,
    calls: usize,
    payments: HashMap<PaymentId, Remembered>,
    order: VecDeque<PaymentId>,
}

impl Ledger {
    pub(super) fn new(calls_max: usize, unreachable_times: u32) -> Self {
        Self { unreachable_times, calls_max, calls: 0, payments: HashMap::new(), order: VecDeque::new() }
    }

    pub(super) fn account(&self, payment: PaymentId) -> Option<Account> {
        self.payments.get(&payment)?.account
    }

    pub(super) fn verdict(&mut self, call: &ProviderCall) -> Verdict {
        let behaviour = Behaviour::of(call);
        let unreachable_times = self.unreachable_times;
        let Remembered { account, calls } = self.remembered(call);
        let entry = calls.entry(call.key()).or_insert_with(|| Entry {
            call: call.clone(),
            tries: 0,
            fact: None,
            telling: Telling::NotYet,
        });
        if entry.call != *call {
            return Verdict::KeyReused;
        }
        entry.tries = entry.tries.saturating_add(1);
        if behaviour == Behaviour::Unreachable && entry.tries <= unreachable_times {
            return Verdict::Unreachable;
        }
        let fact = entry.fact.get_or_insert_with(|| fact(call, behaviour, account)).clone();
        match (behaviour, entry.telling) {
            (Behaviour::TimesOut, _) if entry.tries == 1 => Verdict::TimedOut,
            (Behaviour::Late, Telling::UnderWay) => Verdict::BeingTold,
            (Behaviour::Late, Telling::NotYet) => {
                entry.telling = Telling::UnderWay;
                Verdict::ToBeTold(fact)
            }
            (Behaviour::Twice, Telling::NotYet) => {
                entry.telling = Telling::UnderWay;
                Verdict::AnsweredAndTold(fact)
            }
            (
                Behaviour::Succeeds
                | Behaviour::Declines(_)
                | Behaviour::TimesOut
                | Behaviour::Late
                | Behaviour::Twice
                | Behaviour::Unreachable
                | Behaviour::CaptureFails
                | Behaviour::RefundFails,
                Telling::NotYet | Telling::UnderWay | Telling::Done,
            ) => Verdict::Answered(fact),
        }
    }

    /// A notice was taken, or given up.
    pub(super) fn told(&mut self, payment: PaymentId, key: Uuid, is_told: bool) {
        if let Some(entry) = self.payments.get_mut(&payment).and_then(|payment| payment.calls.get_mut(&key)) {
            entry.telling = if is_told { Telling::Done } else { Telling::NotYet };
        }
    }

    #[cfg(test)]
    pub(super) fn remembered_calls(&self) -> usize {
        self.payments.values().map(|payment| payment.calls.len()).sum()
    }

    /// What is remembered of the call's payment, with room for the call. A payment is forgotten whole, so that what is
    /// remembered of one never contradicts what was answered.
    fn remembered(&mut self, call: &ProviderCall) -> &mut Remembered {
        let (payment, key) = (call.payment(), call.key());
        let is_known = self.payments.get(&payment).is_some_and(|payment| payment.calls.contains_key(&key));
        if !is_known {
            while self.calls >= self.calls_max
                && let Some(oldest) = self.order.pop_front()
            {
                self.calls -= self.payments.remove(&oldest).map_or(0, |payment| payment.calls.len());
            }
            self.calls += 1;
        }
        let order = &mut self.order;
        self.payments.entry(payment).or_insert_with(|| {
            order.push_back(payment);
            Remembered::default()
        })
    }
}

/// What becomes of a call, from what is remembered of its payment; without that, from the call alone.
fn fact(call: &ProviderCall, behaviour: Behaviour, account: &mut Option<Account>) -> ProviderFact {
    let no = |text: &str| Label::parse(text).expect("it is one line of text");
    match call {
        ProviderCall::Authorise { payment, amount, .. } => match behaviour {
            Behaviour::Declines(reason) => ProviderFact::Declined { reason },
            Behaviour::Succeeds
            | Behaviour::TimesOut
            | Behaviour::Late
            | Behaviour::Twice
            | Behaviour::Unreachable
            | Behaviour::CaptureFails
            | Behaviour::RefundFails => {
                *account = Some(Account { authorised: amount.minor(), captured: 0, refunded: 0, is_voided: false });
                ProviderFact::Authorised { reference: behaviour.reference(*payment), amount: *amount }
            }
        },
        ProviderCall::Capture { capture, amount, .. } => {
            let (capture, amount) = (*capture, *amount);
            if behaviour == Behaviour::CaptureFails {
                return ProviderFact::CaptureFailed { capture, reason: no("the card takes no more") };
            }
            if account.as_mut().is_none_or(|account| account.take(amount)) {
                ProviderFact::Captured { capture, amount }
            } else {
                ProviderFact::CaptureFailed { capture, reason: no("so much is not held") }
            }
        }
        ProviderCall::Void { .. } => {
            if let Some(account) = account {
                account.is_voided = true;
            }
            ProviderFact::Voided
        }
        ProviderCall::Refund { refund, amount, .. } => {
            let (refund, amount) = (*refund, *amount);
            if behaviour == Behaviour::RefundFails {
                return ProviderFact::RefundFailed { refund, reason: no("the card cannot be credited") };
            }
            if account.as_mut().is_none_or(|account| account.give_back(amount)) {
                ProviderFact::Refunded { refund, amount }
            } else {
                ProviderFact::RefundFailed { refund, reason: no("so much was not taken") }
            }
        }
    }
}

impl Account {
    /// Takes money, if it is held.
    fn take(&mut self, amount: Money) -> bool {
        let is_held = !self.is_voided && amount.minor() <= self.authorised - self.captured;
        if is_held {
            self.captured += amount.minor();
        }
        is_held
    }

    /// Gives back money, if it was taken.
    fn give_back(&mut self, amount: Money) -> bool {
        let is_there = amount.minor() <= self.captured - self.refunded;
        if is_there {
            self.refunded += amount.minor();
        }
        is_there
    }
}
