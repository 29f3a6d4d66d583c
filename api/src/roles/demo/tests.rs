//! Where a demonstration runs, and what it counts.

use super::{
    script::{Seen, Status},
    tally::Tally,
    *,
};
use crate::config::Secret;

fn refused(config: &Config) -> String {
    let failure = check(config).expect_err("it is refused");
    assert_eq!((failure.code.as_ref(), failure.exit_code), ("DEMO_REFUSED", 2));
    failure.message
}

#[test]
fn it_keeps_away_from_production_shared_stores_and_real_money() {
    assert!(check(&Config::default()).is_ok());
    let mut config = Config { mode: Mode::Production, ..Config::default() };
    assert!(refused(&config).contains("production"));
    config = Config::default();
    config.event_store.url = Some(Secret::new("esdb://127.0.0.1:2113".to_owned()));
    assert!(refused(&config).contains("event_store.url"));
    config = Config::default();
    config.payments.provider = PaymentProvider::Http;
    assert!(refused(&config).contains("payments.provider"));
}

#[test]
fn starts_are_counted_and_the_data_of_a_real_shop_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    assert_eq!(next_start(&ours).unwrap(), 1);
    fs::write(ours.join("events.db"), "").unwrap();
    assert_eq!(next_start(&ours).unwrap(), 2);

    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("events.db"), "").unwrap();
    assert_eq!(next_start(&theirs).unwrap_err().code, "DEMO_REFUSED");
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), 1, "nothing was written there");
}

#[test]
fn what_is_seen_twice_is_counted_once() {
    let mut tally = Tally { placed: 1, ..Tally::default() };
    let placed = Seen { total: 1_000, ..Seen::default() };
    let declined = Seen { is_declined: true, ..placed.clone() };
    let shipped = Seen { status: Status::Shipped, paid: 1_000, ..placed.clone() };
    let returned = Seen { status: Status::Delivered, returns: vec![true], refunded: 905, ..shipped.clone() };
    let mut before = Seen::default();
    for now in [&placed, &declined, &declined, &placed, &shipped, &shipped, &returned, &returned] {
        tally.see(&before, now);
        before = now.clone();
    }
    assert_eq!(
        tally.to_string(),
        "orders: 1 placed, 1 confirmed, 0 cancelled, 1 declined, 1 shipped, 1 returned; EUR 10.00 in, 9.05 out"
    );
    tally.see(&placed, &Seen { status: Status::Cancelled, ..placed.clone() });
    assert_eq!((tally.cancelled, tally.confirmed), (1, 1));
}
