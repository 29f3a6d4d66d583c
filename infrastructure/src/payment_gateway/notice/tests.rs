//! What the provider tells by itself becomes an event once.

use std::sync::Arc;

use domain::testing::{eur, label, now, the_order, the_payment, token};

use super::*;
use crate::{
    clock::ManualClock,
    event_store::{EventStore, MemoryEventStore, Position, TypeFilter},
    execute::{CommandMetadata, ExecutorOptions},
    lifecycle::Lifecycle,
};

struct Setup {
    store: Arc<dyn EventStore>,
    payments: Executor<Payment>,
}

impl Setup {
    fn new() -> Self {
        let store: Arc<dyn EventStore> = Arc::new(MemoryEventStore::new());
        let clock = Arc::new(ManualClock::at(now()));
        let payments = Executor::new(Arc::clone(&store), clock, Lifecycle::new(), ExecutorOptions::default());
        Self { store, payments }
    }

    async fn requested() -> Self {
        let setup = Self::new();
        let (payment, order, amount, token) = (the_payment(), the_order(), eur(5000), token("tok_visa"));
        let command = PaymentCommand::Request { payment, order, amount, token };
        let metadata = CommandMetadata {
            command_id: Uuid::from_u128(1),
            actor: "somebody".into(),
            correlation_id: Uuid::from_u128(1),
            causation_id: None,
            input_hash: None,
        };
        let request = Request { stream: payment.uuid(), command, metadata, expected: None, is_fresh: true };
        setup.payments.execute(request).await.expect("it is requested");
        setup
    }

    async fn tell(&self, id: &str, fact: ProviderFact) -> Result<(), NoticeError> {
        let notices = RecordNotices::new(self.payments.clone());
        notices.tell(ProviderNotice { id: label(id), payment: the_payment(), fact }).await
    }

    async fn event_types(&self) -> Vec<String> {
        let page = self.store.read_all(Position::START, &TypeFilter::All, 100).await.expect("a page");
        page.events.iter().map(|event| event.type_name.to_string()).collect()
    }
}

fn authorised() -> ProviderFact {
    ProviderFact::Authorised { reference: label("auth-1"), amount: eur(5000) }
}

#[tokio::test]
async fn a_notice_is_recorded_once_however_often_it_is_told() {
    let setup = Setup::requested().await;
    let impossible = ProviderFact::Authorised { reference: label("auth-1"), amount: eur(4000) };
    for _ in 0..3 {
        setup.tell("evt-1", impossible.clone()).await.expect("it is taken");
        setup.tell("evt-2", authorised()).await.expect("it is taken");
    }
    let recorded = ["payment.requested.v1", "payment.contradicted.v1", "payment.authorised.v1"];
    assert_eq!(setup.event_types().await, recorded);
}

#[tokio::test]
async fn an_id_stands_for_one_notice() {
    let setup = Setup::requested().await;
    setup.tell("evt-1", authorised()).await.expect("it is taken");
    let error = setup.tell("evt-1", ProviderFact::Expired).await.expect_err("another fact");
    assert!(matches!(error, NoticeError::IdReused) && !error.is_retryable(), "{error:?}");
    assert_eq!(setup.event_types().await.len(), 2);
}

#[tokio::test]
async fn what_is_not_ours_is_told_apart_from_what_comes_too_early() {
    let error = Setup::new().tell("evt-1", authorised()).await.expect_err("nobody asked");
    assert!(matches!(error, NoticeError::UnknownPayment(_)) && !error.is_retryable(), "{error:?}");
    let setup = Setup::requested().await;
    let captured = ProviderFact::Captured { capture: domain::testing::id(1), amount: eur(1) };
    let error = setup.tell("evt-1", captured.clone()).await.expect_err("it is too early");
    assert!(matches!(error, NoticeError::NotYet) && error.is_retryable(), "{error:?}");
    setup.tell("evt-2", authorised()).await.expect("it is taken");
    setup.tell("evt-1", captured).await.expect("now it is taken");
}
