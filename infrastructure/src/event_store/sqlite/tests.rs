//! What only this adapter can be tested for: faults of its device, its file, its limits.

use std::{fs, path::Path, sync::Arc};

use futures_util::future::join_all;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::{
    clock::{IdSource, SystemIds},
    event_store::{ExpectedRevision, Name, NewEvent, RecordedEvent},
};

fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    (folder, path)
}

fn open(path: &Path) -> Result<SqliteEventStore, StoreError> {
    SqliteEventStore::open(path, SqliteEventStoreOptions::default())
}

fn event(type_name: &str, bytes: usize) -> NewEvent {
    NewEvent {
        id: SystemIds.fresh(),
        type_name: Name::from(type_name),
        at: domain::Timestamp::from_timestamp_micros(1_700_000_000_000_001).unwrap(),
        metadata: "{}".to_owned(),
        data: format!("\"{}\"", "x".repeat(bytes)),
    }
}

fn first_append(events: Vec<NewEvent>) -> Append {
    let stream = StreamId::new("order", SystemIds.fresh());
    Append { stream, expected: ExpectedRevision::NoStream, events: events.into() }
}

async fn log_of(store: &SqliteEventStore) -> Vec<RecordedEvent> {
    let (mut all, mut after) = (Vec::new(), Position::START);
    loop {
        let page = store.read_all(after, &TypeFilter::All, PAGE_EVENTS_MAX).await.unwrap();
        all.extend(page.events);
        if page.is_end {
            return all;
        }
        after = page.scanned_to;
    }
}

fn set_pages_max(connection: &Connection, pages: u32) {
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
}

#[tokio::test]
async fn a_full_device_fails_appends_until_there_is_room_again() {
    let (_folder, path) = folder();
    let store = open(&path).unwrap();
    store.append(first_append(vec![event("order.placed.v1", 10)])).await.unwrap();

    *store.writer.fault.lock().unwrap() = Some(|connection| set_pages_max(connection, 1));
    let sent: Vec<_> = (0..20).map(|_| first_append(vec![event("order.shipped.v1", 8_192)])).collect();
    let answers = join_all(sent.iter().map(|append| store.append(append.clone()))).await;
    assert!(answers.iter().all(|answer| *answer == Err(AppendError::NotWritten(StoreError::Full))), "{answers:?}");
    assert_eq!(log_of(&store).await.len(), 1);
    assert_eq!(*store.tail().borrow(), Position::new(1));

    *store.writer.fault.lock().unwrap() = Some(|connection| set_pages_max(connection, 1_000_000));
    // Another new type first: its number must not be the one that was rolled back.
    store.append(first_append(vec![event("order.cancelled.v1", 10)])).await.unwrap();
    for append in sent {
        store.append(append).await.unwrap();
    }
    let log = log_of(&store).await;
    assert!(log.iter().zip(1..).all(|(event, number)| event.position.value() == number));
    assert_eq!((log.len(), &*log[1].type_name, &*log[2].type_name), (22, "order.cancelled.v1", "order.shipped.v1"));
    store.verify().await.unwrap();
}

#[tokio::test]
async fn appends_that_belong_together_are_written_in_their_order_or_not_at_all() {
    let (_folder, path) = folder();
    let store = open(&path).unwrap();
    let first = first_append(vec![event("order.placed.v1", 10)]);
    let more = |after: &Append, expected: u64| {
        let expected = ExpectedRevision::Exact(Revision::new(expected));
        Append { expected, events: vec![event("order.shipped.v1", 10)].into(), ..after.clone() }
    };
    let other = first_append(vec![event("order.placed.v1", 10), event("order.shipped.v1", 10)]);
    // The second append needs the first one; the fourth is wrong, the third is over a limit.
    let whole = vec![first.clone(), more(&first, 0), other.clone(), more(&first, 1)];
    let mut wrong = whole.clone();
    wrong[3] = more(&first, 7);
    let conflict = AppendError::WrongExpectedRevision { actual: Some(Revision::new(1)) };
    assert_eq!(store.append_whole(wrong.clone()).await, Err((3, conflict)));
    wrong[2] = first_append(vec![]);
    assert!(matches!(store.append_whole(wrong).await, Err((2, AppendError::Refused(_)))));
    *store.writer.fault.lock().unwrap() = Some(|connection| set_pages_max(connection, 1));
    let large = vec![first.clone(), first_append(vec![event("order.placed.v1", 100_000)])];
    assert_eq!(store.append_whole(large).await, Err((0, AppendError::NotWritten(StoreError::Full))));
    *store.writer.fault.lock().unwrap() = Some(|connection| set_pages_max(connection, 1_000_000));
    assert!(log_of(&store).await.is_empty());
    assert_eq!(*store.tail().borrow(), Position::START);

    // The same again is a success that changes nothing, whoever writes at the same time.
    for _ in 0..2 {
        let single = first_append(vec![event("order.cancelled.v1", 10)]);
        let (written, appended) = tokio::join!(store.append_whole(whole.clone()), store.append(single));
        assert_eq!(written, Ok(()));
        appended.unwrap();
    }
    let log = log_of(&store).await;
    let expected: Vec<_> = whole.iter().flat_map(|append| append.events.iter().map(|event| event.id)).collect();
    let is_whole = |event: &&RecordedEvent| &*event.type_name != "order.cancelled.v1";
    assert_eq!(log.iter().filter(is_whole).map(|event| event.id).collect::<Vec<_>>(), expected);
    assert_eq!(log.len(), expected.len() + 2);
    assert_eq!(*store.tail().borrow(), Position::new(log.len() as u64));
    store.verify().await.unwrap();
}

#[tokio::test]
async fn a_panic_of_the_writer_leaves_nobody_waiting_and_reads_go_on() {
    let (_folder, path) = folder();
    let store = open(&path).unwrap();
    store.append(first_append(vec![event("order.placed.v1", 10)])).await.unwrap();

    *store.writer.fault.lock().unwrap() = Some(|_| panic!("a fault of the test"));
    let answers = join_all((0..50).map(|_| store.append(first_append(vec![event("order.placed.v1", 10)])))).await;
    assert!(matches!(answers[0], Err(AppendError::OutcomeUnknown(StoreError::Stopped(_)))), "{answers:?}");
    assert!(answers.iter().all(Result::is_err));
    let later = store.append(first_append(vec![event("order.placed.v1", 10)])).await;
    assert!(matches!(later, Err(AppendError::NotWritten(StoreError::Stopped(_)))), "{later:?}");
    assert_eq!(log_of(&store).await.len(), 1);
    drop(store);

    let store = open(&path).unwrap();
    store.append(first_append(vec![event("order.placed.v1", 10)])).await.unwrap();
    assert_eq!(log_of(&store).await.len(), 2);
}

/// The other half of the next test: runs in a process that may not write files of more than a mebibyte.
#[cfg(unix)]
#[tokio::test]
#[ignore = "needs the file size limit that the next test gives it"]
async fn appends_until_the_device_fails() {
    let store = open(Path::new("events.db")).unwrap();
    let mut acknowledged = 0_usize;
    let failure = loop {
        assert!(acknowledged < 1_000, "the device never failed");
        match store.append(first_append(vec![event("order.placed.v1", 20_000)])).await {
            Ok(_) => acknowledged += 1,
            Err(failure) => break failure,
        }
    };
    assert!(matches!(failure, AppendError::OutcomeUnknown(StoreError::Stopped(_))), "{failure:?}");
    for _ in 0..3 {
        let later = store.append(first_append(vec![event("order.placed.v1", 10)])).await;
        assert!(matches!(later, Err(AppendError::NotWritten(StoreError::Stopped(_)))), "{later:?}");
    }
    assert_eq!(log_of(&store).await.len(), acknowledged);
    fs::write("acknowledged", acknowledged.to_string()).unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn an_io_error_in_a_commit_stops_the_writer_and_a_restart_finds_what_was_acknowledged() {
    let (folder, path) = folder();
    // The limit is a real error of the device (EFBIG) without any code of ours in between.
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "event_store::sqlite::tests::appends_until_the_device_fails"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let acknowledged: usize = fs::read_to_string(folder.path().join("acknowledged")).unwrap().parse().unwrap();
    assert!(acknowledged > 0);

    let store = open(&path).unwrap();
    let found = log_of(&store).await.len();
    assert!(found == acknowledged || found == acknowledged + 1, "{found} of {acknowledged}");
    store.append(first_append(vec![event("order.placed.v1", 20_000)])).await.unwrap();
    store.verify().await.unwrap();
}

#[tokio::test]
async fn the_write_ahead_log_stays_short_while_somebody_always_reads() {
    let (folder, path) = folder();
    let options =
        SqliteEventStoreOptions { log_pages: LogPages { due: 64, max: 256 }, ..SqliteEventStoreOptions::default() };
    let store = SqliteEventStore::open(&path, options).unwrap();
    let mut longest = 0;
    for _ in 0..200 {
        store.append(first_append(vec![event("order.placed.v1", 80_000)])).await.unwrap();
        store.read_all(Position::START, &TypeFilter::All, 10).await.unwrap();
        longest = longest.max(fs::metadata(folder.path().join("events.db-wal")).unwrap().len());
    }
    assert!(longest < 8_000_000, "of 16 MB, {longest} bytes lay in the log at once");
    store.verify().await.unwrap();
}

#[test]
fn a_second_process_is_kept_out() {
    let (_folder, path) = folder();
    let store = open(&path).unwrap();
    let refusal = open(&path).unwrap_err();
    assert!(matches!(&refusal, StoreError::Unavailable(reason) if reason.contains("another process")), "{refusal}");
    drop(store);
    open(&path).unwrap();
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let (_folder, path) = folder();
    drop(open(&path).unwrap());
    let set = |version: i32| Connection::open(&path).unwrap().pragma_update(None, "user_version", version).unwrap();
    set(schema::FORMAT_VERSION + 1);
    let before = fs::read(&path).unwrap();
    let refusal = open(&path).unwrap_err();
    assert!(matches!(&refusal, StoreError::Format(reason) if reason.contains("newer")), "{refusal}");
    assert_eq!(fs::read(&path).unwrap(), before);
    set(schema::FORMAT_VERSION);
    open(&path).unwrap();
}

#[test]
fn another_programs_database_is_refused_and_left_alone() {
    let (_folder, path) = folder();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE notes (text)").unwrap();
    let before = fs::read(&path).unwrap();
    let refusal = open(&path).unwrap_err();
    assert!(matches!(&refusal, StoreError::Format(reason) if reason.contains("another program")), "{refusal}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let (_folder, path) = folder();
    fs::write(&path, "not a database at all, but longer than its header would be: ".repeat(100)).unwrap();
    let before = fs::read(&path).unwrap();
    let refusal = open(&path).unwrap_err();
    assert!(matches!(&refusal, StoreError::Format(reason) if reason.contains("no SQLite database")), "{refusal}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_folder_that_does_not_exist_is_said_with_its_path() {
    let refusal = open(Path::new("/nowhere/at/all/events.db")).unwrap_err();
    assert!(matches!(&refusal, StoreError::Unavailable(reason) if reason.contains("/nowhere/at/all")), "{refusal}");
}

/// A store with 40 events in 10 streams, closed, then changed by `damage`.
async fn damaged(path: &Path, damage: &str) -> Result<SqliteEventStore, StoreError> {
    let store = open(path).unwrap();
    for _ in 0..10 {
        let events = (0..4).map(|_| event("order.placed.v1", 10)).collect();
        store.append(first_append(events)).await.unwrap();
    }
    store.verify().await.unwrap();
    drop(store);
    Connection::open(path).unwrap().execute_batch(damage).unwrap();
    open(path)
}

#[tokio::test]
async fn verify_finds_what_is_missing_in_the_middle() {
    for damage in [
        "DELETE FROM events WHERE position = 20",
        "DELETE FROM streams WHERE id = 5",
        "UPDATE events SET revision = 9 WHERE position = 18",
        "UPDATE events SET event_id = x'00' WHERE position = 18",
        "UPDATE events SET type = 2 WHERE position = 18",
        "UPDATE events SET revision = revision + 10 WHERE stream = 3;
         UPDATE events SET revision = 13 - revision WHERE stream = 3",
    ] {
        let (_folder, path) = folder();
        let store = damaged(&path, damage).await.unwrap();
        let finding = store.verify().await;
        assert!(matches!(finding, Err(StoreError::Corrupt(_))), "{damage}: {finding:?}");
    }
}

#[tokio::test]
async fn a_log_without_its_ends_or_tables_is_not_opened() {
    for damage in [
        "DELETE FROM events WHERE position = 1",
        "DELETE FROM streams WHERE id = 10",
        "DELETE FROM event_types",
        "DROP VIEW event_log; DROP TABLE event_types",
        "DROP INDEX events_by_stream",
    ] {
        let (_folder, path) = folder();
        let refusal = damaged(&path, damage).await;
        assert!(matches!(refusal, Err(StoreError::Corrupt(_))), "{damage}: {refusal:?}");
    }
}

#[tokio::test]
async fn a_damaged_event_is_an_error_not_an_answer() {
    for (column, value) in [("event_id", "x'0102'"), ("type", "77"), ("data", "CAST(x'ff' AS TEXT)")] {
        let (_folder, path) = folder();
        let store = damaged(&path, &format!("UPDATE events SET {column} = {value} WHERE position = 20")).await.unwrap();
        let page = store.read_all(Position::START, &TypeFilter::All, 100).await;
        assert!(matches!(page, Err(StoreError::Corrupt(_))), "{column}: {page:?}");
        assert_eq!(store.read_all(Position::new(20), &TypeFilter::All, 100).await.unwrap().events.len(), 20);
    }
}

#[tokio::test]
async fn overwritten_pages_are_found() {
    let (_folder, path) = folder();
    drop(damaged(&path, "").await.unwrap());
    let mut bytes = fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    let finding = match open(&path) {
        Ok(store) => store.verify().await,
        Err(refusal) => Err(refusal),
    };
    assert!(matches!(finding, Err(StoreError::Corrupt(_))), "{finding:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, path) = folder();
    let store = open(&path).unwrap();
    store.append(first_append(vec![event("order.placed.v1", 10)])).await.unwrap();
    let modes: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap())
        .map(|file| (file.file_name(), file.metadata().unwrap().permissions().mode() & 0o777))
        .collect();
    assert_eq!(modes.len(), 4, "{modes:?}");
    assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
}

#[tokio::test]
async fn a_closed_store_is_one_file_and_its_lock() {
    let (folder, path) = folder();
    let store = open(&path).unwrap();
    store.append(first_append(vec![event("order.placed.v1", 10)])).await.unwrap();
    drop(store);
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["events.db", "events.db-lock"]);
}

#[tokio::test]
async fn dropping_the_store_finishes_what_is_queued() {
    let (_folder, path) = folder();
    let store = Arc::new(open(&path).unwrap());
    for _ in 0..100 {
        // Into the queue, and the caller leaves.
        let mut append = store.append(first_append(vec![event("order.placed.v1", 10)]));
        let _ = futures_util::poll!(&mut append);
    }
    drop(store);
    assert_eq!(log_of(&open(&path).unwrap()).await.len(), 100);
}

#[tokio::test]
async fn the_view_shows_names_and_times() {
    let (_folder, path) = folder();
    let store = open(&path).unwrap();
    let append = first_append(vec![event("order.placed.v1", 1)]);
    store.append(append.clone()).await.unwrap();
    let row: [String; 4] = Connection::open(&path)
        .unwrap()
        .query_row("SELECT stream, type, event_id, recorded_at FROM event_log", [], |row| {
            Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
        })
        .unwrap();
    let expected = [
        append.stream.to_string(),
        "order.placed.v1".to_owned(),
        append.events[0].id.to_string(),
        "2023-11-14T22:13:20.000001Z".to_owned(),
    ];
    assert_eq!(row, expected);
}

#[tokio::test]
async fn a_page_ends_at_its_limit_of_bytes_and_the_next_goes_on() {
    let (_folder, path) = folder();
    let options = SqliteEventStoreOptions { page_bytes_max: 1_000_000, ..SqliteEventStoreOptions::default() };
    let store = SqliteEventStore::open(&path, options).unwrap();
    store.append(first_append((0..300).map(|_| event("order.placed.v1", 1)).collect())).await.unwrap();
    let mut large = first_append(vec![]);
    for round in 0..10 {
        large.expected = ExpectedRevision::after(u64::checked_sub(round * 4, 1).map(Revision::new));
        large.events = (0..4).map(|_| event("order.placed.v1", 100_000)).collect();
        store.append(large.clone()).await.unwrap();
    }
    // A long read on a blocking thread, a short one on the caller's own, which takes less.
    for (after, expected) in [(0, 310), (300, 6)] {
        let page = store.read_all(Position::new(after), &TypeFilter::All, 1_000).await.unwrap();
        assert_eq!((page.events.len(), page.is_end), (expected, false));
        assert_eq!(page.scanned_to, page.events[expected - 1].position);
    }
    assert_eq!(log_of(&store).await.len(), 340);
    let page = store.read_stream(&large.stream, Revision::FIRST, Direction::Forwards, 1_000).await.unwrap();
    assert_eq!((page.events.len(), page.is_end), (16, false));
}

#[tokio::test]
async fn a_reader_of_rare_events_gets_on_in_bounded_steps() {
    let (_folder, path) = folder();
    let options = SqliteEventStoreOptions { page_scanned_max: 300, ..SqliteEventStoreOptions::default() };
    let store = SqliteEventStore::open(&path, options).unwrap();
    let mut events: Vec<_> = (0..999).map(|_| event("order.placed.v1", 1)).collect();
    events.push(event("post.published.v1", 1));
    store.append(first_append(events)).await.unwrap();
    let (mut after, mut steps) = (Position::START, Vec::new());
    loop {
        let page = store.read_all(after, &TypeFilter::prefixes(&["post."]), 10).await.unwrap();
        steps.push((page.scanned_to.value(), page.events.len()));
        after = page.scanned_to;
        if page.is_end {
            break;
        }
    }
    assert_eq!(steps, [(300, 0), (600, 0), (900, 0), (1_000, 1)]);
}

#[tokio::test]
async fn a_stream_that_left_the_cache_is_found_again() {
    let (_folder, path) = folder();
    let options = SqliteEventStoreOptions { streams_cached: 1, ..SqliteEventStoreOptions::default() };
    let store = SqliteEventStore::open(&path, options).unwrap();
    let mut appends: Vec<_> = (0..10).map(|_| first_append(vec![event("order.placed.v1", 1)])).collect();
    for round in 0..5 {
        for append in &mut appends {
            append.expected = ExpectedRevision::after(u64::checked_sub(round, 1).map(Revision::new));
            append.events = [event("order.placed.v1", 1)].into();
            store.append(append.clone()).await.unwrap();
        }
    }
    store.verify().await.unwrap();
    assert_eq!(log_of(&store).await.len(), 50);
}
