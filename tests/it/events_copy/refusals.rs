//! What a copy refuses, and what its verification finds.

use rusqlite::Connection;
use tests::esdb::{Fault, FaultKind, Operation, Plan};

use super::*;

/// Lets `change` write to a store that nobody has open.
fn tamper(data: &Path, change: &str) {
    let connection = Connection::open(events_db(data)).expect("the event store's file");
    assert_eq!(connection.execute(change, []).expect("it can be changed"), 1, "{change}");
}

/// A log of so many events in a folder of its own.
async fn history(data: &Path, seed: u64, count: u64) -> Vec<RecordedEvent> {
    let store = open(data);
    write_history(&store, &mut Random::new(seed), 10, count).await;
    whole_log(&store).await
}

async fn append_one(store: &dyn EventStore, stream: &StreamId, after: Option<Revision>) {
    let events = [new_event(&mut Random::new(99), u64::MAX)].into();
    let append = Append { stream: stream.clone(), expected: ExpectedRevision::after(after), events };
    store.append(append).await.expect("it is appended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_is_found_and_named() {
    let folder = temp_dir();
    let data = folder.path().join("data");
    let elsewhere = Elsewhere::new().await;
    let original = history(&data, 1, 60).await;
    elsewhere.copy(&data, &[&TO_THE_CLUSTER]).ok();
    let changes = [
        ("data = data || ' '", "data"),
        ("metadata = metadata || ' '", "metadata"),
        ("recorded_at = recorded_at + 1", "recorded time"),
        ("event_id = randomblob(16)", "id"),
        ("type = (SELECT max(id) + min(id) FROM event_types) - type", "type"),
    ];
    let untouched = fs::read(events_db(&data)).expect("a file");
    for (change, part) in changes {
        tamper(&data, &format!("UPDATE events SET {change} WHERE position = 30"));
        for arguments in [&TO_THE_CLUSTER, &BACK] {
            let ran = elsewhere.copy(&data, &[arguments]);
            assert_refused(&ran, "COPY_DIFFERS");
            let event = &original[29];
            let place = format!("stream {} revision {} has checksum ", event.stream, event.revision.value());
            assert!(ran.stderr.contains(&place) && ran.stderr.contains(&format!("not the same: {part}\n")), "{ran:?}");
            let checksums = ran.stderr.split([' ', ';']).filter(|word| word.len() == 64);
            assert_eq!(checksums.collect::<std::collections::BTreeSet<_>>().len(), 2, "{ran:?}");
        }
        fs::write(events_db(&data), &untouched).expect("a file");
    }
    elsewhere.copy(&data, &[&TO_THE_CLUSTER]).ok();
    // At the ends it is seen at once, before anything is copied.
    for position in [1, original.len()] {
        tamper(&data, &format!("UPDATE events SET data = data || ' ' WHERE position = {position}"));
        for arguments in [&TO_THE_CLUSTER, &BACK] {
            assert_refused(&elsewhere.copy(&data, &[arguments]), "COPY_TARGET_DIFFERS");
        }
        fs::write(events_db(&data), &untouched).expect("a file");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_copied_onto_another_log() {
    let folder = temp_dir();
    let [data, other] = ["data", "other"].map(|name| folder.path().join(name));
    let elsewhere = Elsewhere::new().await;
    let there = elsewhere.open().await;
    let original = history(&data, 1, 40).await;
    history(&other, 2, 50).await;
    elsewhere.copy(&data, &[&TO_THE_CLUSTER]).ok();
    for arguments in [&TO_THE_CLUSTER, &BACK] {
        assert_refused(&elsewhere.copy(&other, &[arguments]), "COPY_TARGET_DIFFERS");
    }
    assert_eq!(whole_log(&there).await.len(), original.len());

    // A copy that has gone its own way: in a stream of its own, and in one that the source knows.
    let stream = original[0].stream.clone();
    let last = original.iter().rev().find(|event| event.stream == stream).expect("a stream").revision;
    for (stream, after) in [(StreamId::new("order", Uuid::max()), None), (stream, Some(last))] {
        append_one(&there, &stream, after).await;
        let ran = elsewhere.copy(&data, &[&TO_THE_CLUSTER]);
        assert_refused(&ran, "COPY_TARGET_DIFFERS");
        assert!(ran.stderr.contains("which the source does not have there"), "{ran:?}");
    }
    assert_eq!(whole_log(&there).await.len(), original.len() + 2);
    // The other way it is simply a longer log.
    let said = elsewhere.copy(&data, &[&BACK]).ok();
    assert!(said.contains("copied 2 events"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_before_anything_is_opened() {
    let folder = temp_dir();
    let data = folder.path().join("data");
    let elsewhere = Elsewhere::new().await;
    let same = elsewhere.copy(&data, &[&["--from", "embedded", "--to", "embedded"]]);
    assert_refused(&same, "COPY_SAME_SIDE");
    assert_eq!(same.code, 2);
    let nowhere = events(&data, &[&["copy"], &TO_THE_CLUSTER[..]].concat());
    assert_refused(&nowhere, "CONFIG_MISSING");
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.stderr.contains("event_store.url"), "{nowhere:?}");
    assert_refused(&elsewhere.copy(&data, &[&TO_THE_CLUSTER]), "EVENT_STORE_UNUSABLE");
    assert!(!data.exists());
    let both = elsewhere.copy(&data, &[&TO_THE_CLUSTER, &["--follow", "--checkpoints"]]);
    assert_eq!(both.code, 2, "{both:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_keeps_its_directory_from_being_copied_to_and_its_rows_from_being_carried_over() {
    let folder = temp_dir();
    let data = folder.path().join("data");
    let elsewhere = Elsewhere::new().await;
    let server = Server::start_in(&data, Start::default()).await;
    shop::register(&server.operator(), "TEA-1").await;
    assert_refused(&elsewhere.copy(&data, &[&BACK]), "DATA_DIR_IN_USE");
    assert_refused(&elsewhere.copy(&data, &[&TO_THE_CLUSTER, &["--checkpoints"]]), "DATA_DIR_IN_USE");
    assert!(whole_log(&elsewhere.open().await).await.is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_keep_their_rows_from_being_carried_over() {
    let folder = temp_dir();
    let data = folder.path().join("data");
    let cluster = Cluster::new().await;
    let worker = cluster.worker("worker-9").await;
    let api = cluster.api("api-9").await;
    shop::register(&api.operator(), "TEA-1").await;
    api.stop().await;
    let back = |data: &Path| {
        let data = data.to_str().expect("a path");
        let arguments = [&["events", "copy", "--checkpoints", "--data-dir", data][..], &BACK[..]].concat();
        let mut command = binary::command(&[], arguments.iter().map(OsString::from));
        ran(command.envs(cluster.start("all", "console").environment))
    };
    let refused = back(&data);
    assert_refused(&refused, "COPY_NOT_READY");
    assert!(refused.stderr.contains("worker-9"), "{refused:?}");
    // One that was killed does not stand in the way for ever.
    worker.kill9();
    let said = back(&data).ok();
    assert!(said.contains("the read store belongs to the copy now"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_no_store_takes_stops_the_copy_and_is_named() {
    let folder = temp_dir();
    let data = folder.path().join("data");
    let elsewhere = Elsewhere::new().await;
    let original = history(&data, 1, 20).await;
    tamper(&data, "UPDATE events SET data = printf('%262145s', '') WHERE position = 11");
    let ran = elsewhere.copy(&data, &[&TO_THE_CLUSTER]);
    assert_refused(&ran, "COPY_EVENT_REFUSED");
    assert!(ran.stderr.contains(&original[10].stream.to_string()), "{ran:?}");
    let there = whole_log(&elsewhere.open().await).await;
    assert_eq!(unplaced(&there), unplaced(&original[..there.len()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_fails_is_told_and_the_next_run_goes_on() {
    let folder = temp_dir();
    let data = folder.path().join("data");
    let elsewhere = Elsewhere::new().await;
    let original = history(&data, 1, 200).await;
    elsewhere.double.faults().plan(Plan::new(Operation::Append, Fault::Unavailable).after(20).times(10_000));
    let mut command = elsewhere.command(&data, &[&["events", "copy"], &TO_THE_CLUSTER[..]].concat());
    command.env("MILLRACE_EVENT_STORE__APPEND_BUDGET_MS", "300");
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("error[COPY_FAILED]"), "{said}");
    assert!(elsewhere.double.faults().fired(FaultKind::Unavailable) > 0);
    elsewhere.double.faults().clear();
    let said = elsewhere.copy(&data, &[&TO_THE_CLUSTER]).ok();
    assert!(said.contains(&format!("verified: {} events", original.len())), "{said}");
    assert!(!said.contains(&format!("copied {} events", original.len())), "it went on: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_verification() {
    let folder = temp_dir();
    let [data, says] = ["data", "says"].map(|name| folder.path().join(name));
    let elsewhere = Elsewhere::new().await;
    history(&data, 1, 20).await;
    let mut child = elsewhere.start_copy(&data, &[&TO_THE_CLUSTER, &["--follow"]], &says);
    let said = || fs::read_to_string(&says).expect("a file");
    eventually("it follows", async || said().contains("follow: ").then_some(())).await;
    // Whatever it reads of the target from now on hangs.
    elsewhere.double.faults().plan(Plan::new(Operation::Read, Fault::HangBefore).times(10_000));
    assert!(send_signal("TERM", child.id()));
    eventually("it verifies", async || said().contains("copied ").then_some(())).await;
    eventually("the target is read", async || {
        (elsewhere.double.faults().fired(FaultKind::HangBefore) > 0).then_some(())
    })
    .await;
    assert!(send_signal("TERM", child.id()));
    assert_eq!(child.wait().expect("it is our child").code(), Some(1), "{}", said());
    assert!(said().contains("error[COPY_UNVERIFIED]"), "{}", said());
}
