//! What a provider was asked and what it has done: each key once.

use std::collections::HashMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::socket::Asked;

/// How often a call with `tok_unreachable` fails.
const UNREACHABLE_TIMES: u32 = 3;

/// Everything it knows.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    accounts: HashMap<Uuid, Account>,
    calls: HashMap<Uuid, Call>,
    problems: Vec<String>,
}

/// The money of one payment, in minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What was held at first.
    pub authorised: i64,
    /// What was taken.
    pub captured: i64,
    /// What was given back.
    pub refunded: i64,
    /// Whether what was left was let go of.
    pub is_voided: bool,
    token: String,
    reference: String,
}

/// What was asked under one key.
#[derive(Clone, Debug)]
struct Call {
    path: String,
    body: Value,
    tries: u32,
    answer: Option<Value>,
    telling: Telling,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    NotYet,
    UnderWay,
    Done,
}

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is done, now or before.
    Answered(Value),
    /// It is done, and told by a notice as well.
    AnsweredAndTold(Value),
    /// It is done, and told by a notice alone.
    ToBeTold(Value),
    /// It will be told by a notice that is under way.
    BeingTold,
    /// It is done, and nobody hears of it.
    Silent,
    /// It is done, told by a notice alone, and never answered.
    ToldAlone(Value),
    /// It is done, told by a notice, and answered once that was taken.
    ToldFirst(Value),
    /// It is not done now.
    Unavailable,
    /// It makes no sense.
    Refused(String),
}

impl Ledger {
    /// A payment's money, if some was ever held.
    pub fn account(&self, payment: Uuid) -> Option<&Account> {
        self.accounts.get(&payment)
    }

    /// Everything that was taken and not given back.
    pub fn earned(&self) -> i64 {
        self.accounts.values().map(|account| account.captured - account.refunded).sum()
    }

    /// How often each call of this kind was asked for, such as `/capture`: one number for each key.
    pub fn tries_of(&self, path: &str) -> Vec<u32> {
        self.calls.values().filter(|call| call.path == path).map(|call| call.tries).collect()
    }

    /// What was not taken of a payment is let go of.
    pub(super) fn expire(&mut self, payment: Uuid) {
        self.accounts.get_mut(&payment).expect("nothing was ever held for it").is_voided = true;
    }

    pub(super) fn is_told(&self, key: Uuid) -> bool {
        self.calls.get(&key).is_some_and(|call| call.telling == Telling::Done)
    }

    pub(super) fn check(&self) {
        assert!(self.problems.is_empty(), "the provider was asked for what cannot be: {:#?}", self.problems);
        for (payment, account) in &self.accounts {
            let adds_up = account.authorised >= account.captured && account.captured >= account.refunded;
            assert!(adds_up, "the money of {payment} does not add up: {account:?}");
        }
    }

    /// A notice was taken.
    pub(super) fn told(&mut self, key: Uuid) {
        if let Some(call) = self.calls.get_mut(&key) {
            call.telling = Telling::Done;
        }
    }

    pub(super) fn take(&mut self, asked: &Asked) -> Outcome {
        match self.try_take(asked) {
            Ok(outcome) => outcome,
            Err(problem) => {
                self.problems.push(format!("{problem}: {} {}", asked.path, asked.body));
                Outcome::Refused(problem)
            }
        }
    }

    fn try_take(&mut self, asked: &Asked) -> Result<Outcome, String> {
        let key = key(asked)?;
        let known = self.calls.entry(key).or_insert_with(|| Call {
            path: asked.path.clone(),
            body: asked.body.clone(),
            tries: 0,
            answer: None,
            telling: Telling::NotYet,
        });
        if known.path != asked.path || known.body != asked.body {
            return Err(format!("key {key} was used for {} {}", known.path, known.body));
        }
        known.tries += 1;
        let (tries, answer) = (known.tries, known.answer.clone());
        let token = match text(&asked.body, "token") {
            Ok(token) => token,
            Err(_) => self.account_of(asked)?.token.clone(),
        };
        if token == "tok_unreachable" && tries <= UNREACHABLE_TIMES {
            return Ok(Outcome::Unavailable);
        }
        let answer = match answer {
            Some(answer) => answer,
            None => self.act(asked, &token)?,
        };
        let call = self.calls.get_mut(&key).expect("it was put there above");
        call.answer = Some(answer.clone());
        let telling = call.telling;
        let is_told = matches!(token.as_str(), "tok_late" | "tok_twice" | "tok_told_alone" | "tok_told_first");
        let begins = telling == Telling::NotYet && is_told;
        if begins {
            call.telling = Telling::UnderWay;
        }
        Ok(match (token.as_str(), telling) {
            ("tok_timeout", _) if tries == 1 => Outcome::Silent,
            ("tok_late", Telling::NotYet) => Outcome::ToBeTold(answer),
            ("tok_late", Telling::UnderWay) => Outcome::BeingTold,
            ("tok_twice", Telling::NotYet) => Outcome::AnsweredAndTold(answer),
            ("tok_told_first", Telling::NotYet) => Outcome::ToldFirst(answer),
            ("tok_told_alone", Telling::NotYet) => Outcome::ToldAlone(answer),
            ("tok_told_alone", Telling::UnderWay | Telling::Done) => Outcome::Silent,
            _ => Outcome::Answered(answer),
        })
    }

    /// Does it, for the first time under its key.
    fn act(&mut self, asked: &Asked, token: &str) -> Result<Value, String> {
        let body = &asked.body;
        match asked.path.as_str() {
            "/authorise" => self.authorise(body, token),
            "/capture" => {
                let minor = minor(body)?;
                let account = self.account_of(asked)?;
                let left = if account.is_voided { 0 } else { account.authorised - account.captured };
                if token == "tok_capture_fails" || minor > left {
                    return Ok(json!({ "status": "capture_failed", "reason": "so much is not held" }));
                }
                account.captured += minor;
                Ok(json!({ "status": "captured", "capture": body["capture"], "amount": body["amount"] }))
            }
            "/void" => {
                self.account_of(asked)?.is_voided = true;
                Ok(json!({ "status": "voided" }))
            }
            "/refund" => {
                let minor = minor(body)?;
                let account = self.account_of(asked)?;
                if token == "tok_refund_fails" || minor > account.captured - account.refunded {
                    return Ok(json!({ "status": "refund_failed", "reason": "so much was not taken" }));
                }
                account.refunded += minor;
                Ok(json!({ "status": "refunded", "refund": body["refund"], "amount": body["amount"] }))
            }
            other => Err(format!("there is no {other}")),
        }
    }

    fn authorise(&mut self, body: &Value, token: &str) -> Result<Value, String> {
        let reason = match token {
            "tok_declined" => Some("insufficient_funds"),
            "tok_fraud" => Some("suspected_fraud"),
            "tok_expired_card" => Some("card_expired"),
            _ => None,
        };
        if let Some(reason) = reason {
            return Ok(json!({ "status": "declined", "reason": reason }));
        }
        let (payment, authorised) = (id(body, "payment")?, minor(body)?);
        let reference = format!("ch_{}", self.accounts.len() + 1);
        let answer = json!({ "status": "authorised", "reference": reference, "amount": body["amount"] });
        let token = token.to_owned();
        let account = Account { authorised, captured: 0, refunded: 0, is_voided: false, token, reference };
        match self.accounts.insert(payment, account) {
            None => Ok(answer),
            Some(_) => Err("it is held twice".to_owned()),
        }
    }

    fn account_of(&mut self, asked: &Asked) -> Result<&mut Account, String> {
        let (payment, reference) = (id(&asked.body, "payment")?, text(&asked.body, "reference")?);
        let account = self.accounts.get_mut(&payment).ok_or("nothing was ever held for it")?;
        if account.reference == reference { Ok(account) } else { Err("the reference is another one's".to_owned()) }
    }
}

/// The key, which is the id of what is done.
fn key(asked: &Asked) -> Result<Uuid, String> {
    let key = asked.header("idempotency-key").ok_or("there is no key")?;
    let key: Uuid = key.parse().map_err(|_| "the key is no UUID")?;
    let of = match asked.path.as_str() {
        "/authorise" => "payment",
        "/capture" => "capture",
        "/refund" => "refund",
        _ => return Ok(key),
    };
    if id(&asked.body, of)? == key { Ok(key) } else { Err(format!("{key} is not the id of the {of}")) }
}

fn id(body: &Value, name: &str) -> Result<Uuid, String> {
    text(body, name)?.parse().map_err(|_| format!("{name} is no UUID"))
}

fn text(body: &Value, name: &str) -> Result<String, String> {
    body[name].as_str().map(str::to_owned).ok_or(format!("there is no {name}"))
}

fn minor(body: &Value) -> Result<i64, String> {
    body["amount"]["minor"].as_i64().filter(|minor| *minor > 0).ok_or("there is no amount".to_owned())
}
