//! What is said of projections that do not run as they should.

use super::*;

/// A projection that runs, but for these parts.
fn projection(parts: Value) -> Projection {
    let mut all = json!({
        "name": "a", "version": 2, "generation": 3, "generationVersion": 2, "number": 7, "headNumber": 9,
        "lagEvents": 0, "lagSeconds": 0.0, "rate": 0.0, "applied": 1, "state": "RUNNING", "error": null,
        "nextRetry": null, "parkedKeys": 0, "parkedEvents": 0, "stoppedAt": null, "pausedBy": null, "stall": null,
        "firstParked": null, "standby": null, "differences": [], "rebuild": null,
    });
    let Value::Object(parts) = parts else { panic!("parts of an object") };
    all.as_object_mut().expect("an object").extend(parts);
    read(all).map_err(|failure| failure.message).expect("a projection")
}

const SINCE: &str = "2026-01-02T03:04:05Z";

#[test]
fn there_is_nothing_to_say_of_a_projection_that_runs() {
    assert_eq!(line(&projection(json!({}))), ["a", "RUNNING", "3", "7", "-", "-", ""]);
    let behind = line(&projection(json!({ "lagEvents": 2, "lagSeconds": 1.26, "parkedKeys": 1, "generation": null })));
    assert_eq!(behind, ["a", "RUNNING", "-", "7", "2 events, 1.3 s", "1 key", ""]);
}

#[test]
fn whatever_is_wrong_is_said_the_most_pressing_first() {
    let stopped = json!({
        "number": 8, "eventType": "t", "stream": "s", "version": 0, "error": "it is broken", "attempts": 5,
        "since": SINCE, "wayOut": "deploy",
    });
    let differing = json!({ "key": "00000000-0000-0000-0000-000000000001", "stored": "{}", "folded": null });
    let failed = json!({
        "generation": 4, "phase": "FAILED", "done": 1, "total": 2, "events": 1, "parkedKeys": 0, "rate": 0.0,
        "elapsedSeconds": 1.0, "remainingSeconds": null, "error": "no room",
    });
    let mut running = failed.clone();
    (running["phase"], running["remainingSeconds"]) = (json!("FILLING"), json!(90.0));
    let paused = json!({ "by": "olga", "reason": "tea", "since": SINCE, "atNumber": null });
    let cases = [
        (
            json!({ "state": "STOPPED", "error": "it is broken", "stoppedAt": stopped, "differences": [differing] }),
            vec!["stands at event 8: it is broken", "1 row differs from its events"],
        ),
        (json!({ "state": "RETRYING", "error": "the disk is away" }), vec!["the disk is away"]),
        (
            json!({ "state": "PAUSED", "pausedBy": paused, "stall": { "since": SINCE, "reason": "olga paused it" } }),
            vec!["paused by olga since 2026-01-02T03:04:05Z: tea"],
        ),
        (
            json!({ "stall": { "since": SINCE, "reason": "it is busy" } }),
            vec!["does not move since 2026-01-02T03:04:05Z: it is busy"],
        ),
        (
            json!({ "state": "FROZEN", "generationVersion": 1, "rebuild": running }),
            vec!["serves version 1 as it stood", "generation 4: filling 1/2 events, 0/s, 90 s left"],
        ),
        (json!({ "rebuild": failed }), vec!["the last rebuild failed: no room"]),
    ];
    for (parts, expected) in cases {
        assert_eq!(remarks(&projection(parts)), expected);
    }
}

#[test]
fn everything_is_shown_of_one() {
    let first = json!({
        "key": "00000000-0000-0000-0000-000000000001", "number": 8, "since": SINCE, "error": "it is broken",
        "attempts": 5, "nextRetry": null,
    });
    let standby = json!({ "generation": 2, "version": 1, "number": 6, "isFollowed": false, "since": SINCE });
    let shown = projection(json!({ "parkedKeys": 1, "parkedEvents": 2, "firstParked": first, "standby": standby }));
    let shown = entries(&everything(&shown));
    for line in [
        "standby     generation 2 of version 1, as it stood at 6, since 2026-01-02T03:04:05Z",
        "parked      1 key, 2 events",
        "first       key 00000000-0000-0000-0000-000000000001 at event 8 since 2026-01-02T03:04:05Z, tried 5 times, not \
         tried again by itself: it is broken",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n---\n{shown}");
    }
}
