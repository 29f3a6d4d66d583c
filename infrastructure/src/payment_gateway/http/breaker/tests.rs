//! When a provider is left alone, and when it is asked again.

use super::*;

const REST: Duration = Duration::from_secs(5);

fn breaker() -> Breaker {
    Breaker::new(Limits { failures: 3, rest: REST })
}

/// Lets it fail until it is open.
fn opened() -> Breaker {
    let breaker = breaker();
    let changes = [(); 3].map(|()| breaker.pass().expect("it is closed").failed());
    assert_eq!(changes, [Change::None, Change::None, Change::Opened]);
    breaker
}

async fn after(time: Duration) {
    tokio::time::sleep(time).await;
}

#[tokio::test(start_paused = true)]
async fn it_opens_after_failures_in_a_row_only() {
    let breaker = breaker();
    for _ in 0..10 {
        for _ in 0..2 {
            assert_eq!(breaker.pass().expect("it is closed").failed(), Change::None);
        }
        assert_eq!(breaker.pass().expect("it is closed").answered(), Change::None);
    }
    assert_eq!(opened().pass().err(), Some(REST));
}

#[tokio::test(start_paused = true)]
async fn after_a_rest_one_asks_and_the_others_wait() {
    let breaker = opened();
    after(Duration::from_secs(4)).await;
    assert_eq!(breaker.pass().err(), Some(Duration::from_secs(1)));
    after(Duration::from_secs(1)).await;
    let probe = breaker.pass().expect("one may ask");
    assert_eq!(breaker.pass().err(), Some(REST), "one at a time");
    assert_eq!(probe.answered(), Change::Closed);
    assert_eq!(breaker.pass().expect("it is closed").answered(), Change::None);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_is_followed_by_another_rest() {
    let breaker = opened();
    after(REST).await;
    assert_eq!(breaker.pass().expect("one may ask").failed(), Change::None);
    assert_eq!(breaker.pass().err(), Some(REST));
    after(REST).await;
    assert_eq!(breaker.pass().expect("one may ask").answered(), Change::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_goes_away_leaves_its_place_to_the_next() {
    let breaker = opened();
    after(REST).await;
    drop(breaker.pass().expect("one may ask"));
    assert_eq!(breaker.pass().expect("another one may ask").answered(), Change::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_before_it_opened_says_nothing_about_now() {
    let breaker = breaker();
    let [early, late] = [(); 2].map(|()| breaker.pass().expect("it is closed"));
    for _ in 0..3 {
        breaker.pass().expect("it is closed").failed();
    }
    assert_eq!(early.answered(), Change::None);
    assert_eq!(breaker.pass().err(), Some(REST), "it is still open");
    after(REST).await;
    let probe = breaker.pass().expect("one may ask");
    assert_eq!(late.failed(), Change::None);
    assert_eq!(probe.answered(), Change::Closed);
}
