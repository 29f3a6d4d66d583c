//! Where a page ends, and what is no page.

use domain::Timestamp;
use uuid::Uuid;

use super::*;

fn event(position: u64, revision: u64, type_name: &str) -> RecordedEvent {
    RecordedEvent {
        position: Position::new(position),
        stream: stream(),
        revision: Revision::new(revision),
        id: Uuid::from_u64_pair(1, position),
        type_name: type_name.into(),
        recorded_at: Timestamp::UNIX_EPOCH,
        metadata: "{}".to_owned(),
        data: "{}".to_owned(),
    }
}

fn stream() -> StreamId {
    StreamId::new("order", Uuid::nil())
}

fn ours(position: u64) -> Seen {
    Seen { position: Position::new(position), event: Some(event(position, 0, "order.placed.v1")) }
}

fn foreign(position: u64) -> Seen {
    Seen { position: Position::new(position), event: None }
}

/// Positions, how far it looked, and whether that is the end.
fn log(after: u64, head: u64, seen: Vec<Seen>, is_whole: bool, limit: usize) -> (Vec<u64>, u64, bool) {
    let page = of_log(Position::new(after), Position::new(head), seen, is_whole, &TypeFilter::All, limit);
    let page = page.expect("a page");
    let positions = page.events.iter().map(|event| event.position.value()).collect();
    (positions, page.scanned_to.value(), page.is_end)
}

#[test]
fn a_page_read_to_its_end_has_looked_at_everything_up_to_the_head() {
    assert_eq!(log(10, 90, vec![ours(10), ours(20), ours(30)], true, 5), (vec![20, 30], 90, true));
    assert_eq!(log(10, 90, vec![ours(10)], true, 5), (vec![], 90, true));
    assert_eq!(log(10, 90, vec![], true, 5), (vec![], 90, true));
    // What came after the head was asked for is there already.
    assert_eq!(log(10, 90, vec![ours(95)], true, 5), (vec![95], 95, true));
}

#[test]
fn a_full_page_ends_with_its_last_event() {
    let seen = vec![ours(10), ours(20), ours(30), ours(40)];
    assert_eq!(log(10, 90, seen.clone(), false, 3), (vec![20, 30, 40], 40, false));
    assert_eq!(log(10, 40, seen.clone(), false, 3), (vec![20, 30, 40], 40, true));
    assert_eq!(log(0, 90, seen, false, 3), (vec![10, 20, 30], 30, false));
}

#[test]
fn foreign_events_are_passed_over_and_take_the_page_further() {
    let seen = vec![foreign(20), ours(30), foreign(40), foreign(50)];
    assert_eq!(log(10, 90, seen.clone(), false, 3), (vec![30], 50, false));
    assert_eq!(log(10, 90, seen, true, 3), (vec![30], 90, true));
    assert_eq!(log(10, 90, vec![foreign(20)], false, 1), (vec![], 20, false));
}

#[test]
fn a_page_takes_no_more_than_its_limit_of_an_unfiltered_read() {
    let seen = vec![foreign(20), ours(30), ours(40), foreign(50)];
    assert_eq!(log(10, 50, seen, true, 1), (vec![30], 30, false));
}

#[test]
fn a_filter_is_applied_here_too() {
    let (start, head) = (Position::START, Position::new(20));
    let other = Seen { position: head, event: Some(event(20, 0, "post.published.v1")) };
    let page = of_log(start, head, vec![ours(10), other], true, &TypeFilter::prefixes(&["post."]), 5);
    let page = page.expect("a page");
    assert_eq!((page.events.len(), page.scanned_to, page.is_end), (1, head, true));
}

#[test]
fn a_log_out_of_order_is_damaged() {
    for seen in [vec![ours(20), ours(15)], vec![ours(20), ours(20)], vec![ours(20), foreign(5)]] {
        let page = of_log(Position::new(10), Position::new(90), seen, true, &TypeFilter::All, 5);
        assert!(matches!(page, Err(StoreError::Corrupt(_))), "{page:?}");
    }
}

fn in_stream(
    from: u64,
    direction: Direction,
    limit: usize,
    revisions: &[u64],
    is_whole: bool,
) -> Result<(Vec<u64>, bool), StoreError> {
    let events = revisions.iter().map(|revision| event(revision + 1, *revision, "order.placed.v1")).collect();
    let page = of_stream(&stream(), Revision::new(from), direction, limit, events, is_whole)?;
    Ok((page.events.iter().map(|event| event.revision.value()).collect(), page.is_end))
}

#[test]
fn one_event_more_than_asked_for_says_that_there_are_more() {
    use Direction::{Backwards, Forwards};
    assert_eq!(in_stream(0, Forwards, 3, &[0, 1, 2, 3], false), Ok((vec![0, 1, 2], false)));
    assert_eq!(in_stream(0, Forwards, 3, &[0, 1, 2], true), Ok((vec![0, 1, 2], true)));
    assert_eq!(in_stream(0, Forwards, 0, &[0], false), Ok((vec![], false)));
    assert_eq!(in_stream(5, Forwards, 3, &[], true), Ok((vec![], true)));
    assert_eq!(in_stream(9, Backwards, 2, &[3, 2, 1], false), Ok((vec![3, 2], false)));
    assert_eq!(in_stream(9, Backwards, 3, &[2, 1, 0], true), Ok((vec![2, 1, 0], true)));
    // Cut short by its size or by the time.
    assert_eq!(in_stream(0, Forwards, 3, &[0, 1], false), Ok((vec![0, 1], false)));
    assert_eq!(in_stream(9, Backwards, 3, &[2, 1], false), Ok((vec![2, 1], false)));
}

#[test]
fn a_stream_that_has_lost_events_is_damaged() {
    use Direction::{Backwards, Forwards};
    let lost = [
        in_stream(0, Forwards, 3, &[4, 5], true),
        in_stream(3, Forwards, 3, &[4, 5], true),
        in_stream(0, Forwards, 3, &[0, 1, 3], true),
        in_stream(9, Backwards, 3, &[5, 4], true),
        in_stream(9, Backwards, 3, &[5, 3], false),
        in_stream(0, Forwards, 3, &[1, 0], true),
    ];
    for page in lost {
        assert!(matches!(page, Err(StoreError::Corrupt(_))), "{page:?}");
    }
}
