//! Finding orders by what somebody types: handles, and words of what is in them.
//!
//! Words are read without regard to case, accents and width. What is in no column of an order's own stands in two tables
//! beside: `terms`, an order's further SKUs and the carrier's numbers of all its shipments but the last, and `words`, which
//! says of which SKUs a word tells. So the usual order, of one product in one shipment, has no entry of its own there.

use std::collections::{BTreeSet, HashSet};

use domain::{
    order::OrderLine,
    values::{Label, Sku},
};
use infrastructure::read_store::Value;
use unicode_normalization::UnicodeNormalization as _;

use super::{OrderRow, read_number};
use crate::{SideKind, SideTable, Written};

/// The longest text in characters.
pub const TEXT_CHARS_MAX: usize = 100;
/// How many words a text has at most.
pub const TEXT_WORDS_MAX: usize = 8;
/// How many characters of a number somebody has to give.
const HANDLE_CHARS_MIN: usize = 4;
/// How many digits of an id: those before its first hyphen.
const ID_DIGITS_MIN: usize = 8;
/// How many an id has.
const ID_DIGITS: usize = 32;

/// The name of the side table of what an order has more than one of.
pub(super) const TERMS: &str = "terms";
/// The name of the side table of words.
pub(super) const WORDS: &str = "words";

/// The tables beside the orders.
pub(super) const SIDES: &[SideTable] = &[
    SideTable {
        name: TERMS,
        columns: &[("term", "TEXT NOT NULL"), ("placed_at", "TIMESTAMPTZ NOT NULL"), ("order_id", "UUID NOT NULL")],
        kind: SideKind::Entries,
    },
    SideTable { name: WORDS, columns: &[("word", "TEXT NOT NULL"), ("sku", "TEXT NOT NULL")], kind: SideKind::Set },
];

/// What somebody types to find an order.
///
/// It finds an order by its handles, if all of the text is the beginning of one: its number, its id or its customer's, the
/// carrier's number of a shipment; spaces and hyphens do not count. It also finds it by what is in it, if each word of the
/// text begins a word of the name or the SKU of one of its products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchText {
    words: Vec<String>,
    handle: String,
}

/// Why a text finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchTextError {
    /// There is nothing in it.
    #[error("the text must have a letter or a digit")]
    Empty,
    /// It is too long.
    #[error("the text must not have more than {TEXT_CHARS_MAX} characters")]
    TooLong,
    /// It has too many words.
    #[error("the text must not have more than {TEXT_WORDS_MAX} words")]
    TooManyWords,
}

impl SearchText {
    /// Reads what somebody typed.
    pub fn parse(text: &str) -> Result<Self, SearchTextError> {
        if text.chars().nth(TEXT_CHARS_MAX).is_some() {
            return Err(SearchTextError::TooLong);
        }
        let folded = fold(text);
        let words: BTreeSet<&str> = words_of(&folded).collect();
        match words.len() {
            0 => Err(SearchTextError::Empty),
            1..=TEXT_WORDS_MAX => {
                Ok(Self { words: words.into_iter().map(str::to_owned).collect(), handle: handle(text) })
            }
            _ => Err(SearchTextError::TooManyWords),
        }
    }

    /// Its words, each once.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    /// How an order's number begins that it is to find.
    pub(super) fn number(&self) -> Option<String> {
        (self.handle.chars().count() >= HANDLE_CHARS_MIN).then(|| read_number(&self.handle))
    }

    /// How a carrier's number begins that it is to find, as [`handle`] writes it.
    pub(super) fn tracking(&self) -> Option<&str> {
        (self.handle.chars().count() >= HANDLE_CHARS_MIN).then_some(&self.handle)
    }

    /// The digits with which an id begins that it is to find.
    pub(super) fn id_digits(&self) -> Option<&str> {
        let is_id = (ID_DIGITS_MIN..=ID_DIGITS).contains(&self.handle.len())
            && self.handle.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_id.then_some(&self.handle)
    }

    /// Whether it finds this order.
    pub(super) fn matches(&self, row: &OrderRow) -> bool {
        self.is_handle_of(row) || self.is_in(row)
    }

    fn is_handle_of(&self, row: &OrderRow) -> bool {
        let placed = &row.placed;
        let ids = || [placed.order.uuid(), placed.customer.uuid()].map(|id| id.simple().to_string());
        let mut trackings = placed.shipments.iter().filter_map(|shipment| shipment.tracking.as_ref());
        self.number().is_some_and(|number| row.number().starts_with(&number))
            || self.id_digits().is_some_and(|digits| ids().iter().any(|id| id.starts_with(digits)))
            || self.tracking().is_some_and(|wanted| trackings.any(|one| handle(one.as_str()).starts_with(wanted)))
    }

    fn is_in(&self, row: &OrderRow) -> bool {
        let texts = row.placed.lines.iter().flat_map(|line| [line.name.as_str(), line.sku.as_str()]);
        let texts: Vec<String> = texts.map(fold).collect();
        let begins_one = |word: &String| texts.iter().any(|text| words_of(text).any(|one| one.starts_with(word)));
        self.words.iter().all(begins_one)
    }
}

/// A text without regard to case, accents and width.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let is_accent = |letter: &char| ('\u{300}'..='\u{36f}').contains(letter);
    text.nfkd().filter(|letter| !is_accent(letter)).nfkc().flat_map(char::to_lowercase).collect()
}

/// The words of a folded text.
fn words_of(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// What counts in a handle, such as a carrier's number: letters and digits.
pub(super) fn handle(text: &str) -> String {
    fold(text).chars().filter(|letter| letter.is_alphanumeric()).collect()
}

/// The term of a SKU.
pub(super) fn sku_term(sku: &str) -> String {
    format!("sku {sku}")
}

/// The term of a carrier's number, as [`handle`] writes it.
pub(super) fn tracking_term(handle: &str) -> String {
    format!("tracking {handle}")
}

/// What is to stand beside these orders and did not.
pub(super) fn beside(rows: &Written<'_, OrderRow>) -> Vec<Vec<Vec<Value>>> {
    let (mut terms, mut words, mut told) = (Vec::new(), BTreeSet::new(), HashSet::new());
    for (before, row) in rows {
        let placed = &row.placed;
        // Another placement of the same order has another place in every list.
        let before = before.map(|before| &before.placed).filter(|before| before.placed_at == placed.placed_at);
        let mut leads_here = |term: String| {
            terms.push(vec![Value::Text(term), Value::Timestamp(placed.placed_at), Value::Uuid(placed.order.uuid())]);
        };
        if before.is_none_or(|before| before.lines != placed.lines) {
            for sku in further_skus(&placed.lines) {
                leads_here(sku_term(sku.as_str()));
            }
            let lines = placed.lines.iter().filter(|line| told.insert((&line.sku, &line.name)));
            words.extend(lines.flat_map(words_about));
        }
        let known = before.map_or(0, |before| before.shipments.len());
        let overtaken = placed.shipments.split_last().map_or(&[][..], |(_, earlier)| earlier);
        let trackings = overtaken.iter().skip(known.saturating_sub(1)).filter_map(|one| one.tracking.as_ref());
        for tracking in trackings.map(Label::as_str) {
            leads_here(tracking_term(&handle(tracking)));
        }
    }
    // In one order everywhere: processes that write the same words at once wait for each other, and not in a circle.
    let words = words.into_iter().map(|(word, sku)| vec![Value::Text(word), Value::Text(sku)]).collect();
    vec![terms, words]
}

/// The SKUs of these lines but the first one's, each once.
fn further_skus(lines: &[OrderLine]) -> BTreeSet<&Sku> {
    let Some((first, others)) = lines.split_first() else { return BTreeSet::new() };
    others.iter().map(|line| &line.sku).filter(|sku| **sku != first.sku).collect()
}

/// The words that tell of a line's SKU.
fn words_about(line: &OrderLine) -> Vec<(String, String)> {
    let texts = [fold(line.name.as_str()), fold(line.sku.as_str())];
    let words = texts.iter().flat_map(|text| words_of(text));
    words.map(|word| (word.to_owned(), line.sku.as_str().to_owned())).collect()
}

#[cfg(test)]
mod tests;
