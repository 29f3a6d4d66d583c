//! What is done next: who buys what, pays with which card, and what becomes of it.
//!
//! **Invariant:** pure. The same seed and the same things seen give the same steps; the driver takes them.

#[cfg(test)]
mod tests;

use super::random::Random;

/// The card that always pays.
pub(super) const GOOD_CARD: &str = "tok_visa";
/// How many visits in a hundred pay with a card that is declined at first.
const DECLINED_PERCENT: u32 = 10;
/// How many pay with one whose provider takes its time, or says everything twice.
const SLOW_CARD_PERCENT: u32 = 6;
/// How many kinds of things are bought at once.
const LINES_MAX: u32 = 3;
/// How many pieces of a kind are bought at once.
const PIECES_MAX: u32 = 4;
/// How many visits in a hundred want one of the scarce products, beside whatever else.
const SCARCE_PERCENT: u32 = 12;
/// How many rounds of the warehouse lie between two deliveries of what is scarce.
const SCARCE_ROUNDS: u64 = 6;
/// How many seconds what is plentiful is to last.
const PLENTY_S: u32 = 60;

/// Whether there is enough of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Supply {
    /// Its pieces are not counted.
    Unlimited,
    /// Its pieces are counted, and restocked in time.
    Plenty,
    /// Its pieces are counted, and there are too few of them.
    Scarce,
}

/// A product of the demonstration's catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Article {
    /// Its SKU.
    pub(super) sku: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    /// Its price in euros.
    pub(super) price: &'static str,
    /// Whether there is enough.
    pub(super) supply: Supply,
}

/// The catalogue. What is unlimited comes first, what is scarce last.
pub(super) const CATALOGUE: [Article; 12] = {
    use Supply::{Plenty, Scarce, Unlimited};
    [
        article("GIFT-CARD", "Gift card", "25.00", Unlimited),
        article("RECIPES", "Recipes as a PDF", "4.90", Unlimited),
        article("TEA-ASSAM", "Assam, 250 g", "11.50", Plenty),
        article("TEA-SENCHA", "Sencha, 100 g", "14.90", Plenty),
        article("TEA-ROOIBOS", "Rooibos, 250 g", "7.20", Plenty),
        article("COFFEE-500", "Coffee beans, 500 g", "12.80", Plenty),
        article("MUG-BLUE", "Blue mug", "9.50", Plenty),
        article("MUG-RED", "Red mug", "9.50", Plenty),
        article("POT-1L", "Tea pot, 1 l", "39.00", Plenty),
        article("KETTLE", "Kettle", "64.00", Plenty),
        article("POT-SIGNED", "Tea pot, signed and numbered", "189.00", Scarce),
        article("TEA-FIRST-FLUSH", "First flush of the year, 50 g", "49.00", Scarce),
    ]
};

const fn article(sku: &'static str, name: &'static str, price: &'static str, supply: Supply) -> Article {
    Article { sku, name, price, supply }
}

/// How many articles are not scarce.
const ORDINARY: u32 = 10;

/// What a customer does who was told that their card is declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterDecline {
    /// They take another card.
    PayAgain,
    /// They cancel.
    GiveUp,
    /// They never come back; the order is cancelled when it is not paid in time.
    Forget,
}

/// What a customer does with an order that is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mind {
    /// They keep what they bought.
    Keep,
    /// They cancel before it leaves the house.
    Change,
    /// They send all of it back; it can be sold again, or not.
    SendBack {
        /// Whether it can.
        is_restocked: bool,
    },
    /// They keep it and get some money back for a scratch.
    Complain,
}

/// What will become of an order, as far as people have a say in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    /// What follows a decline.
    pub(super) after_decline: AfterDecline,
    /// What follows a payment.
    pub(super) mind: Mind,
    /// Whether it leaves the house in two shipments, if there is more than one piece.
    pub(super) is_split: bool,
    /// How many milliseconds people take for each step.
    pub(super) pace_ms: u32,
}

impl Fate {
    fn draw(random: &mut Random) -> Self {
        let after_decline = match random.below(10) {
            0..6 => AfterDecline::PayAgain,
            6..9 => AfterDecline::GiveUp,
            _ => AfterDecline::Forget,
        };
        let mind = match random.below(100) {
            0..5 => Mind::Change,
            5..12 => Mind::SendBack { is_restocked: true },
            12..15 => Mind::SendBack { is_restocked: false },
            15..18 => Mind::Complain,
            _ => Mind::Keep,
        };
        Self { after_decline, mind, is_split: random.chance(20), pace_ms: 300 + random.below(900) }
    }

    /// Of an order that was there before: its id decides.
    pub(super) fn of_order(seed: u64, id: &str) -> Self {
        let bytes = id.bytes().map(u64::from);
        Self::draw(&mut Random::of(&[seed].into_iter().chain(bytes).collect::<Vec<_>>()))
    }
}

/// Somebody comes to buy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visit {
    /// Which of the customers, counted from 1.
    pub(super) customer: u32,
    /// What and how many of it, by place in [`CATALOGUE`].
    pub(super) lines: Vec<(usize, u32)>,
    /// The card.
    pub(super) token: &'static str,
    /// What becomes of the order.
    pub(super) fate: Fate,
}

/// The `number`-th visit of the `run`-th start, counted from 1.
pub(super) fn visit(seed: u64, run: u64, number: u64, customers: u32) -> Visit {
    let mut random = Random::of(&[seed, run, number]);
    let mut lines: Vec<(usize, u32)> = Vec::new();
    for _ in 0..=random.below(LINES_MAX) {
        let (article, pieces) = (random.below(ORDINARY) as usize, 1 + random.below(PIECES_MAX));
        if lines.iter().all(|(chosen, _)| *chosen != article) {
            lines.push((article, pieces));
        }
    }
    if random.chance(SCARCE_PERCENT) {
        let scarce = u32::try_from(CATALOGUE.len()).expect("a short list") - ORDINARY;
        lines.push(((ORDINARY + random.below(scarce)) as usize, 1));
    }
    let token = match random.below(100) {
        percent if percent < DECLINED_PERCENT => *random.one_of(&["tok_declined", "tok_fraud", "tok_expired_card"]),
        percent if percent < DECLINED_PERCENT + SLOW_CARD_PERCENT => *random.one_of(&["tok_late", "tok_twice"]),
        _ => GOOD_CARD,
    };
    Visit { customer: 1 + random.below(customers), lines, token, fate: Fate::draw(&mut random) }
}

/// How many pieces of an article are to be received in this round of the warehouse, when so many are there.
pub(super) fn delivery(article: &Article, available: u64, round: u64, rate: u32) -> Option<u32> {
    let plenty = rate.saturating_mul(PLENTY_S);
    match article.supply {
        Supply::Unlimited => None,
        Supply::Plenty => (available < u64::from(plenty / 2)).then_some(plenty),
        // A few orders' worth, so that most who want some find none.
        Supply::Scarce => (round.is_multiple_of(SCARCE_ROUNDS) && available == 0).then_some(1 + rate / 8),
    }
}

/// Some pieces of one line: its index, and how many.
pub(super) type Part = (u32, u32);

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Status {
    /// It waits.
    #[default]
    Placed,
    /// It can leave.
    Confirmed,
    /// All of it left.
    Shipped,
    /// All of it arrived.
    Delivered,
    /// It was given up.
    Cancelled,
}

/// An order as the API shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Where it is in its life.
    pub(super) status: Status,
    /// Whether its last payment was declined.
    pub(super) is_declined: bool,
    /// What was bought.
    pub(super) lines: Vec<Part>,
    /// How many shipments left.
    pub(super) shipments: usize,
    /// Its returns, and whether each of them came.
    pub(super) returns: Vec<bool>,
    /// How many refunds it has.
    pub(super) refunds: usize,
    /// How many of them are still to be done.
    pub(super) refunds_open: usize,
    /// Money that was taken, in cents.
    pub(super) paid: i64,
    /// Money that was given back, in cents.
    pub(super) refunded: i64,
    /// What it cost, in cents.
    pub(super) total: i64,
}

/// What is done next to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing yet: something is under way.
    Wait,
    /// The customer takes another card.
    Pay(&'static str),
    /// The customer cancels.
    Cancel,
    /// Something leaves the house; nothing named: all that is left.
    Ship(Option<Vec<Part>>),
    /// It arrives.
    Deliver,
    /// The customer sends these back.
    RequestReturn(Vec<Part>),
    /// The return with this number is here.
    ReceiveReturn {
        /// Which of its returns, counted from 1.
        number: usize,
        /// Whether it can be sold again.
        is_restocked: bool,
    },
    /// These are paid back.
    RefundLines(Vec<Part>),
    /// So many cents are given back.
    RefundAmount(i64),
    /// Nothing more will come of it.
    Done,
}

impl Fate {
    /// What is done next to the order that looks like this.
    pub(super) fn next(self, seen: &Seen) -> Step {
        match seen.status {
            Status::Cancelled => Step::Done,
            Status::Placed if seen.is_declined => match self.after_decline {
                AfterDecline::PayAgain => Step::Pay(GOOD_CARD),
                AfterDecline::GiveUp => Step::Cancel,
                AfterDecline::Forget => Step::Done,
            },
            Status::Placed => Step::Wait,
            Status::Confirmed if self.mind == Mind::Change && seen.shipments == 0 => Step::Cancel,
            Status::Confirmed => Step::Ship(self.first_parcel(seen)),
            Status::Shipped => Step::Deliver,
            Status::Delivered => self.afterwards(seen),
        }
    }

    /// What leaves first; none: everything at once.
    fn first_parcel(self, seen: &Seen) -> Option<Vec<Part>> {
        let pieces: u32 = seen.lines.iter().map(|(_, pieces)| pieces).sum();
        if !self.is_split || seen.shipments > 0 || pieces < 2 {
            return None;
        }
        seen.lines.first().map(|(line, pieces)| vec![(*line, pieces.div_ceil(2))])
    }

    fn afterwards(self, seen: &Seen) -> Step {
        // Money is taken for each shipment, and known a moment later.
        if seen.paid < seen.total || seen.refunds_open > 0 {
            return Step::Wait;
        }
        match self.mind {
            Mind::SendBack { is_restocked } => match seen.returns.first() {
                None => Step::RequestReturn(seen.lines.clone()),
                Some(false) => Step::ReceiveReturn { number: 1, is_restocked },
                Some(true) if seen.refunds == 0 => Step::RefundLines(seen.lines.clone()),
                Some(true) => Step::Done,
            },
            Mind::Complain if seen.refunds == 0 => Step::RefundAmount((seen.total / 10).max(1)),
            Mind::Keep | Mind::Change | Mind::Complain => Step::Done,
        }
    }
}
