//! An import gives the same store again, or changes nothing.

use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;
use uuid::Uuid;

use super::{super::*, *};
use crate::event_store::{EventStore as _, ExpectedRevision, NewEvent, RecordedEvent};

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    (folder, path)
}

fn opened(path: &Path) -> SqliteEventStore {
    SqliteEventStore::open(path, SqliteEventStoreOptions::default()).unwrap()
}

/// Interleaved streams of two categories and several types.
async fn fill(store: &SqliteEventStore) {
    for round in 0..20_u64 {
        for stream in 0..7_u128 {
            let category = if stream % 2 == 0 { "order" } else { "product" };
            let event = NewEvent {
                id: Uuid::from_u128(u128::from(round) << 64 | stream),
                type_name: Name::from(&*format!("{category}.happened.v{}", round % 3)),
                at: domain::Timestamp::from_timestamp_micros(1_700_000_000_000_001 + i64::try_from(round).unwrap())
                    .unwrap(),
                metadata: format!("{{\"round\":{round}}}"),
                data: "no JSON\n\0".to_owned(),
            };
            let expected = ExpectedRevision::after(round.checked_sub(1).map(Revision::new));
            let stream = StreamId::new(category, Uuid::from_u128(stream));
            store.append(Append { stream, expected, events: Arc::new([event]) }).await.unwrap();
        }
    }
}

async fn log_of(store: &SqliteEventStore) -> Vec<RecordedEvent> {
    let page = store.read_all(Position::START, &TypeFilter::All, PAGE_EVENTS_MAX).await.unwrap();
    assert!(page.is_end);
    page.events
}

async fn some_events() -> Vec<RecordedEvent> {
    let (_folder, path) = folder();
    let store = opened(&path);
    fill(&store).await;
    log_of(&store).await
}

fn import(path: &Path, events: &[RecordedEvent]) -> Result<(), ImportError> {
    let mut import = SqliteEventImport::begin(path)?;
    events.iter().try_for_each(|event| import.add(event))?;
    Ok(import.complete()?.install()?)
}

/// Everything in the tables and all that says how they are made.
fn dump(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut rows = Vec::new();
    for query in [
        "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY type, name",
        "SELECT application_id || ' ' || user_version FROM pragma_application_id, pragma_user_version",
        "SELECT id || ' ' || category || ' ' || hex(key) FROM streams ORDER BY id",
        "SELECT id || ' ' || name FROM event_types ORDER BY id",
        "SELECT position || ' ' || stream || ' ' || revision || ' ' || hex(event_id) || ' ' || type || ' '
             || recorded_at || ' ' || hex(metadata) || ' ' || hex(data) FROM events ORDER BY position",
        "SELECT journal_mode FROM pragma_journal_mode",
    ] {
        let mut statement = connection.prepare(query).unwrap();
        rows.extend(statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap));
    }
    rows
}

fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path.parent().unwrap()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn an_imported_store_is_the_one_it_came_from() {
    let (_one, original) = folder();
    let (_other, copy) = folder();
    let store = opened(&original);
    fill(&store).await;
    let events = log_of(&store).await;
    drop(store);
    import(&copy, &events).unwrap();
    assert_eq!(names(&copy), ["events.db", "events.db-lock"]);
    assert_eq!(dump(&copy), dump(&original));

    let store = opened(&copy);
    assert_eq!(log_of(&store).await, events);
    store.verify().await.unwrap();
    // It goes on where the original does.
    let stream = events[0].stream.clone();
    let event = NewEvent {
        id: Uuid::max(),
        type_name: Name::from("order.happened.v9"),
        at: events[0].recorded_at,
        metadata: "{}".to_owned(),
        data: "{}".to_owned(),
    };
    let expected = ExpectedRevision::Exact(Revision::new(19));
    let appended = store.append(Append { stream, expected, events: Arc::new([event]) }).await.unwrap();
    assert_eq!(appended.positions, [Position::new(141)]);
    store.verify().await.unwrap();
}

#[tokio::test]
async fn an_import_takes_the_place_of_a_store_without_events() {
    let (_folder, path) = folder();
    let events = some_events().await;
    drop(opened(&path));
    // What a killed server leaves is not the new file's.
    fs::write(open::beside(&path, "-wal"), "stale").unwrap();
    fs::write(open::beside(&path, ".importing"), "left by a killed import").unwrap();
    import(&path, &events).unwrap();
    assert_eq!(names(&path), ["events.db", "events.db-lock"]);
    assert_eq!(log_of(&opened(&path)).await, events);

    let (_folder, path) = folder();
    fs::write(&path, "").unwrap();
    import(&path, &[]).unwrap();
    assert!(log_of(&opened(&path)).await.is_empty());
}

#[tokio::test]
async fn a_store_with_events_is_refused_and_stays_as_it_was() {
    let (_folder, path) = folder();
    let events = some_events().await;
    import(&path, &events[..3]).unwrap();
    let (before, files) = (fs::read(&path).unwrap(), names(&path));
    let head = Position::new(3);
    assert_eq!(import(&path, &events), Err(ImportError::NotEmpty { head }));
    assert_eq!(SqliteEventImport::refuse_unless_empty(&path), Err(ImportError::NotEmpty { head }));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(files.iter().all(|file| names(&path).contains(file)));

    fs::write(&path, "somebody's notes, which are no database".repeat(100)).unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(import(&path, &events), Err(ImportError::Store(StoreError::Format(_)))));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_store_that_somebody_has_open_is_refused() {
    let (_folder, path) = folder();
    let store = opened(&path);
    assert!(matches!(SqliteEventImport::begin(&path), Err(ImportError::Store(StoreError::Unavailable(_)))));
    drop(store);
    let import = SqliteEventImport::begin(&path).unwrap();
    let options = SqliteEventStoreOptions::default();
    assert!(SqliteEventStore::open(&path, options).is_err(), "nor may a server start meanwhile");
    drop(import);
    opened(&path);
}

#[tokio::test]
async fn an_import_that_is_given_up_leaves_nothing() {
    let events = some_events().await;
    for steps in 0..3 {
        let (_folder, path) = folder();
        let mut import = SqliteEventImport::begin(&path).unwrap();
        if steps > 0 {
            events.iter().try_for_each(|event| import.add(event)).unwrap();
        }
        if steps > 1 {
            drop(import.complete().unwrap());
        } else {
            drop(import);
        }
        assert_eq!(names(&path), ["events.db-lock"], "{steps}");
    }
}

#[tokio::test]
async fn gaps_repeats_and_streams_without_a_beginning_are_refused() {
    let events = some_events().await;
    let at = |position: u64| Position::new(position);
    let gap = [&events[..3], &events[4..]].concat();
    let repeat = [&events[..3], &events[2..]].concat();
    for (log, expected, found) in
        [(&gap[..], at(4), at(5)), (&repeat, at(4), at(3)), (&events[1..], at(1), at(2)), (&events[9..], at(1), at(10))]
    {
        let (_folder, path) = folder();
        assert_eq!(import(&path, log), Err(OutOfSequence::Position { expected, found }.into()));
        assert_eq!(names(&path), ["events.db-lock"]);
    }
    // The second event of the first stream is at index 7.
    for (index, found, expected) in [(7, 0, 1), (7, 2, 1), (0, 1, 0), (1, u64::MAX, 0)] {
        let mut log = events.clone();
        log[index].revision = Revision::new(found);
        let (_folder, path) = folder();
        let refusal = OutOfSequence::Revision {
            stream: log[index].stream.clone(),
            position: log[index].position,
            expected: Revision::new(expected),
            found: Revision::new(found),
        };
        assert_eq!(import(&path, &log), Err(refusal.clone().into()));
        let mut sequence = LogSequence::default();
        assert_eq!(log.iter().try_for_each(|event| sequence.accept(event)), Err(refusal));
    }
}

#[tokio::test]
async fn the_same_id_in_two_categories_is_two_streams() {
    let mut events = some_events().await;
    events.truncate(2);
    events[1].stream.id = events[0].stream.id;
    let (_folder, path) = folder();
    import(&path, &events).unwrap();
    assert_eq!(log_of(&opened(&path)).await, events);
}
