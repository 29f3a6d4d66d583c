//! Events as data: exported, imported and checked by the real binary, beside a running server and across kill -9.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use infrastructure::event_store::{
    Append, EventStore as _, ExpectedRevision, Name, NewEvent, Revision, SqliteEventStore, SqliteEventStoreOptions,
    StreamId,
};
use rusqlite::Connection;
use serde_json::Value;
use tests::{
    binary::{self, Ran, millrace},
    log::position_token,
    random::Random,
    server::{Server, Start, eventually, temp_dir},
    shop,
};
use tokio::task::JoinSet;
use uuid::Uuid;

const MANIFEST: &str = "manifest.json";

/// Runs `millrace events` on this data directory.
fn events(command: &str, data: &Path, arguments: &[&dyn AsRef<OsStr>]) -> Ran {
    millrace(words(command, data, arguments))
}

/// Starts it, and leaves it running.
fn start(command: &str, data: &Path, arguments: &[&dyn AsRef<OsStr>]) -> Child {
    let mut command = binary::command(&[], words(command, data, arguments));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

fn words(command: &str, data: &Path, arguments: &[&dyn AsRef<OsStr>]) -> Vec<OsString> {
    let own = ["events".as_ref(), command.as_ref(), "--data-dir".as_ref(), data.as_os_str()].map(OsStr::to_owned);
    own.into_iter().chain(arguments.iter().map(|argument| argument.as_ref().to_owned())).collect()
}

fn export(data: &Path, to: &Path, more: &[&dyn AsRef<OsStr>]) -> Ran {
    events("export", data, &[&[&"--to" as &dyn AsRef<OsStr>, &to], more].concat())
}

fn import(data: &Path, from: &Path) -> Ran {
    events("import", data, &[&"--from", &from])
}

#[track_caller]
fn assert_refused(ran: &Ran, code: &str) {
    assert_ne!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains(&format!("error[{code}]")), "{code} was expected: {ran:?}");
    assert!(ran.stdout.is_empty(), "{ran:?}");
}

/// The files of a folder with their content, by name.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry"));
    let mut files: Vec<_> = entries
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a file")))
        .collect();
    files.sort();
    files
}

#[track_caller]
fn assert_same_files(one: &Path, other: &Path) {
    let (one, other) = (files(one), files(other));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&one), names(&other));
    for ((name, one), (_, other)) in one.iter().zip(&other) {
        assert!(one == other, "{name} differs:\n{}\n{}", String::from_utf8_lossy(one), String::from_utf8_lossy(other));
    }
}

fn manifest(dir: &Path) -> Value {
    let text = fs::read(dir.join(MANIFEST)).expect("a manifest");
    serde_json::from_slice(&text).expect("a manifest is JSON")
}

/// Every line of an export, in order.
fn lines(dir: &Path) -> Vec<String> {
    let parts = files(dir).into_iter().filter(|(name, _)| name != MANIFEST);
    let text: String = parts.map(|(_, bytes)| String::from_utf8(bytes).expect("UTF-8")).collect();
    text.lines().map(str::to_owned).collect()
}

fn events_db(data: &Path) -> PathBuf {
    data.join("events.db")
}

/// A store with this many events, ten in each stream, made without a server.
async fn many_events(data: &Path, count: u64) {
    const STREAM_EVENTS: u64 = 10;
    const PADDING: usize = 200;
    fs::create_dir_all(data).expect("a folder");
    let store = SqliteEventStore::open(&events_db(data), SqliteEventStoreOptions::default()).expect("a store");
    let store = Arc::new(store);
    let mut tasks = JoinSet::new();
    for stream in 0..count / STREAM_EVENTS {
        let event = |index: u64| NewEvent {
            id: Uuid::from_u64_pair(stream, index),
            type_name: Name::from(if index == 0 { "order.placed.v1" } else { "order.shipped.v1" }),
            at: chrono::DateTime::from_timestamp_micros(1_700_000_000_000_000).expect("a time"),
            metadata: "{}".to_owned(),
            data: "x".repeat(PADDING),
        };
        let append = Append {
            stream: StreamId::new("order", Uuid::from_u128(stream.into())),
            expected: ExpectedRevision::NoStream,
            events: (0..STREAM_EVENTS).map(event).collect(),
        };
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let appended = store.append(append).await.expect("it is appended");
            assert_eq!(appended.revision, Revision::new(STREAM_EVENTS - 1));
        });
    }
    tasks.join_all().await;
}

/// Lets `change` write to a store that nobody has open.
fn tamper(data: &Path, change: &str) {
    let connection = Connection::open(events_db(data)).expect("the event store's file");
    assert_eq!(connection.execute(change, []).expect("it can be changed"), 1, "{change}");
}

#[tokio::test]
async fn a_shop_moves_by_export_and_import_and_serves_the_same_orders() {
    let folder = temp_dir();
    let [data, copy, first, second] = ["data", "copy", "first", "second"].map(|name| folder.path().join(name));
    let server = Server::start_in(&data, Start::default()).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    for round in 0..12 {
        let order = shop::place(&alice, &tea.id).await;
        match round % 3 {
            0 => drop(shop::ship(&operator, &order.id).await),
            1 => drop(shop::cancel(&alice, &order.id).await),
            _ => {}
        }
    }
    let last = shop::place(&alice, &tea.id).await;
    let orders = shop::all_orders(&operator, &last.position).await;
    assert_eq!(orders.len(), 13);

    // Beside the running server.
    let said = export(&data, &first, &[&"--part-events", &"7"]).ok();
    let there = manifest(&first);
    assert_eq!((&there["count"], &there["asOf"], &there["isComplete"]), (&22.into(), &22.into(), &true.into()));
    assert_eq!(there["parts"].as_array().map(Vec::len), Some(4));
    assert!(said.contains("22 events in 4 parts, as of position 22"), "{said}");
    assert!(said.contains(there["digest"].as_str().expect("a digest")), "{said}");
    let printed = server.millrace(&["events", "print"]).ok();
    assert_eq!(printed.lines().count(), lines(&first).len());
    for (printed, line) in printed.lines().zip(lines(&first)) {
        let (printed, line): (Value, Value) =
            (serde_json::from_str(printed).expect("JSON"), serde_json::from_str(&line).expect("JSON"));
        for field in ["position", "stream", "revision", "id", "type"] {
            assert_eq!(printed[field], line[field]);
        }
        for field in ["metadata", "data"] {
            let text = line[field].as_str().expect("texts stand as they are stored");
            assert_eq!(printed[field], serde_json::from_str::<Value>(text).expect("JSON"));
        }
    }
    server.stop().await;

    let said = import(&copy, &first).ok();
    assert!(said.contains("22 events up to position 22"), "{said}");
    export(&copy, &second, &[&"--part-events", &"7"]).ok();
    assert_same_files(&first, &second);

    let server = Server::start_in(&copy, Start::default()).await;
    let operator = server.operator();
    assert_eq!(shop::all_orders(&operator, &last.position).await, orders);
    // And it goes on: the same people, the same numbers.
    let alice = server.customer("alice");
    let next = shop::place(&alice, &tea.id).await;
    assert_eq!(next.position, position_token(23));
    assert_eq!(shop::all_orders(&operator, &next.position).await.len(), 14);
}

#[tokio::test]
async fn what_is_no_json_comes_back_byte_for_byte() {
    let folder = temp_dir();
    let [data, copy, first, second] = ["data", "copy", "first", "second"].map(|name| folder.path().join(name));
    many_events(&data, 30).await;
    tamper(&data, "UPDATE events SET data = char(0, 1, 10, 13, 34, 92, 127, 8232, 128512) || '{' WHERE position = 3");
    tamper(&data, "UPDATE events SET metadata = '', data = '{ \"a\" : 1e2, \"a\":2 }  ' WHERE position = 4");
    tamper(&data, "UPDATE events SET recorded_at = -1 WHERE position = 5");
    tamper(&data, "UPDATE events SET recorded_at = 253402300800000001 WHERE position = 6");
    export(&data, &first, &[]).ok();
    import(&copy, &first).ok();
    export(&copy, &second, &[]).ok();
    assert_same_files(&first, &second);
    let rows = |data: &Path| {
        let connection = Connection::open(events_db(data)).expect("the event store's file");
        let query = "SELECT position, stream, revision, hex(event_id), type, recorded_at, hex(metadata), hex(data)
             FROM events ORDER BY position";
        let mut statement = connection.prepare(query).expect("a query");
        let row = |row: &rusqlite::Row<'_>| (0..8).map(|column| row.get(column)).collect::<Result<Vec<_>, _>>();
        let rows = statement.query_map([], row).expect("rows").collect::<Result<Vec<Vec<rusqlite::types::Value>>, _>>();
        rows.expect("rows")
    };
    assert_eq!(rows(&copy).len(), 30);
    assert_eq!(rows(&copy), rows(&data));
}

#[tokio::test]
async fn an_empty_store_is_exported_and_imported_too() {
    let folder = temp_dir();
    let [data, copy, first, second] = ["data", "copy", "first", "second"].map(|name| folder.path().join(name));
    Server::start_in(&data, Start::default()).await.stop().await;
    export(&data, &first, &[]).ok();
    assert_eq!(manifest(&first)["firstPosition"], Value::Null);
    import(&copy, &first).ok();
    export(&copy, &second, &[]).ok();
    assert_same_files(&first, &second);
    // A server was there, but nothing happened: that is empty as well.
    import(&data, &first).ok();
    Server::start_in(&data, Start::default()).await.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_as_of_a_position_is_the_same_while_the_server_writes_on() {
    let folder = temp_dir();
    let to = |name: &str| folder.path().join(name);
    let server = Server::start().await;
    let tea = shop::register(&server.operator(), "TEA-1").await;
    let mut writers = JoinSet::new();
    for number in 0..4 {
        let customer = server.customer(&format!("customer-{number}"));
        let tea = tea.id.clone();
        writers.spawn(async move {
            loop {
                shop::place(&customer, &tea).await;
            }
        });
    }
    let head = || server.events(0).len() as u64;
    eventually("there are some events", async || (head() > 50).then_some(())).await;
    let [mut before, mut positions] = [head(), 0];
    for round in 0..5 {
        // Without `--until`: what is there when it starts, all of it and nothing later.
        let now = to(&format!("now-{round}"));
        export(server.data_dir(), &now, &[&"--part-events", &"20"]).ok();
        let there = manifest(&now);
        let (as_of, count) = (there["asOf"].as_u64().expect("a number"), lines(&now).len() as u64);
        assert_eq!((Some(as_of), Some(count)), (there["lastPosition"].as_u64(), there["count"].as_u64()));
        assert_eq!(as_of, count);
        assert!(as_of >= before && as_of <= head(), "{before} {there}");
        assert!(as_of > positions, "the server writes on");
        [before, positions] = [head(), as_of];
    }
    // The same position later gives the same bytes.
    let fixed = ["one", "two"].map(to);
    for fixed in &fixed {
        export(server.data_dir(), fixed, &[&"--until", &"33", &"--part-events", &"10"]).ok();
        assert_eq!((lines(fixed).len(), &manifest(fixed)["asOf"]), (33, &33.into()));
    }
    assert_same_files(&fixed[0], &fixed[1]);
    assert_eq!(lines(&fixed[0]), lines(&to("now-4"))[..33]);
    writers.shutdown().await;

    let beyond = export(server.data_dir(), &to("beyond"), &[&"--until", &"99999999"]);
    assert_refused(&beyond, "POSITION_BEYOND_END");
    assert_eq!((beyond.code, to("beyond").exists()), (2, false));
}

/// How many parts the export in `dir` has by its manifest.
fn parts(dir: &Path) -> usize {
    fs::read(dir.join(MANIFEST)).map_or(0, |text| {
        let manifest: Value = serde_json::from_slice(&text).expect("a manifest is never half there");
        manifest["parts"].as_array().expect("parts").len()
    })
}

#[tokio::test]
async fn an_export_that_is_killed_goes_on_after_its_last_complete_part() {
    const EVENTS: u64 = 40_000;
    const SIZE: [&str; 2] = ["--part-events", "200"];
    let folder = temp_dir();
    let [data, whole, killed, copy] = ["data", "whole", "killed", "copy"].map(|name| folder.path().join(name));
    many_events(&data, EVENTS).await;
    export(&data, &whole, &[&SIZE[0], &SIZE[1]]).ok();
    assert_eq!(parts(&whole), 200);

    let mut kills = 0;
    for round in 1..=5 {
        let mut child = start("export", &data, &[&"--to", &killed, &SIZE[0], &SIZE[1], &"--resume"]);
        eventually("some parts are there", async || (parts(&killed) >= round * 10).then_some(())).await;
        child.kill().expect("it is our child");
        child.wait().expect("it is our child");
        // On a machine that is busy enough, the kill may come too late.
        if manifest(&killed)["isComplete"] == true {
            break;
        }
        kills += 1;
        let there = parts(&killed);
        assert_refused(&export(&data, &killed, &[&SIZE[0], &SIZE[1]]), "EXPORT_UNFINISHED");
        assert_refused(&import(&copy, &killed), "EXPORT_UNFINISHED");
        assert!(!copy.exists());
        assert_eq!(parts(&killed), there, "a refusal changes nothing");
        if round == 2 {
            // The log goes on meanwhile; the export is as of its beginning.
            more_events(&data).await;
        }
    }
    assert!(kills > 0, "it was never killed");
    assert_refused(&export(&data, &killed, &[&"--resume", &"--until", &"7"]), "EXPORT_MISMATCH");
    let other = folder.path().join("other");
    many_events(&other, EVENTS).await;
    tamper_ids(&other);
    assert_refused(&export(&other, &killed, &[&"--resume"]), "EXPORT_MISMATCH");

    let first_part = || fs::metadata(killed.join("events-000001.ndjson")).and_then(|file| file.modified());
    let written = first_part().expect("a part");
    export(&data, &killed, &[&"--resume"]).ok();
    assert_same_files(&whole, &killed);
    assert_eq!(first_part().expect("a part"), written, "what is complete is not written again");
    // Once more is fine, and changes nothing. Without `--resume` it is another export.
    export(&data, &killed, &[&"--resume"]).ok();
    assert_refused(&export(&data, &killed, &[]), "EXPORT_EXISTS");
    assert_same_files(&whole, &killed);
}

/// Appends one more event.
async fn more_events(data: &Path) {
    let store = SqliteEventStore::open(&events_db(data), SqliteEventStoreOptions::default()).expect("a store");
    let event = NewEvent {
        id: Uuid::max(),
        type_name: Name::from("order.placed.v1"),
        at: chrono::DateTime::UNIX_EPOCH,
        metadata: "{}".to_owned(),
        data: "{}".to_owned(),
    };
    let stream = StreamId::new("order", Uuid::max());
    let append = Append { stream, expected: ExpectedRevision::NoStream, events: Arc::new([event]) };
    store.append(append).await.expect("it is appended");
}

/// The same store, but all of its events are others.
fn tamper_ids(data: &Path) {
    let connection = Connection::open(events_db(data)).expect("the event store's file");
    connection.execute("UPDATE events SET event_id = randomblob(16)", []).expect("ids can be changed");
}

#[tokio::test]
async fn an_export_that_is_not_as_it_was_written_is_refused_and_nothing_is_changed() {
    type Change = fn(&Path);
    let changes: [(&str, Change, &str); 9] = [
        (
            "a truncated part",
            |dir| change(dir, "events-000002.ndjson", |text| text[..text.len() - 9].to_vec()),
            "EXPORT_DAMAGED",
        ),
        ("a flipped bit", |dir| change(dir, "events-000002.ndjson", flipped), "EXPORT_DAMAGED"),
        ("a missing part", |dir| fs::remove_file(dir.join("events-000003.ndjson")).expect("a part"), "EXPORT_DAMAGED"),
        (
            "an altered manifest",
            |dir| change(dir, MANIFEST, |text| replaced(text, "\"asOf\": 30", "\"asOf\": 31")),
            "EXPORT_DAMAGED",
        ),
        ("a shorter manifest", |dir| change(dir, MANIFEST, |text| text[..text.len() / 2].to_vec()), "EXPORT_DAMAGED"),
        ("no manifest", |dir| fs::remove_file(dir.join(MANIFEST)).expect("a manifest"), "EXPORT_MISSING"),
        (
            "a newer format",
            |dir| change(dir, MANIFEST, |text| replaced(text, "Version\": 1", "Version\": 2")),
            "EXPORT_FORMAT_UNKNOWN",
        ),
        ("a malformed line", |dir| forge(dir, |line| line.replace("\"revision\"", "\"version\"")), "EXPORT_DAMAGED"),
        (
            "a gap in a stream",
            |dir| forge(dir, |line| line.replace("\"revision\":2", "\"revision\":3")),
            "EXPORT_NOT_GAPLESS",
        ),
    ];
    let folder = temp_dir();
    let data = folder.path().join("data");
    many_events(&data, 30).await;
    let empty = folder.path().join("empty");
    Server::start_in(&empty, Start::default()).await.stop().await;
    let before = files(&empty);
    for (what, change, code) in changes {
        let (to, copy) = (folder.path().join(what), folder.path().join("copy"));
        export(&data, &to, &[&"--part-events", &"10"]).ok();
        change(&to);
        assert_refused(&import(&copy, &to), code);
        assert!(!copy.exists(), "{what}: not even the directory is made");
        assert_refused(&import(&empty, &to), code);
        // Looking at the store may leave SQLite's empty side files, as every look does.
        let after = files(&empty);
        assert!(before.iter().all(|file| file.0.ends_with("lock") || after.contains(file)), "{what}");
        assert!(after.iter().all(|(name, _)| !name.contains("importing")), "{what}");
    }
    let nowhere = import(&empty, &folder.path().join("nowhere"));
    assert_refused(&nowhere, "EXPORT_MISSING");
}

fn change(dir: &Path, file: &str, change: impl FnOnce(&[u8]) -> Vec<u8>) {
    let path = dir.join(file);
    let text = fs::read(&path).expect("a file");
    let changed = change(&text);
    assert_ne!(changed, text, "{file}");
    fs::write(&path, changed).expect("a file");
}

fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    // In the middle of a text, where it is still JSON.
    let at = bytes.windows(4).position(|window| window == b"xxxx").expect("padding");
    flipped[at] ^= 1;
    flipped
}

fn replaced(text: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8_lossy(text).replacen(from, to, 1).into_bytes()
}

/// Changes the lines of the last part, and makes all digests fit again: what only the lines themselves can tell.
fn forge(dir: &Path, alter: impl Fn(&str) -> String) {
    let sha256 = |bytes: &[u8]| {
        let mut child = std::process::Command::new("sha256sum")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sha256sum is there");
        std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), bytes).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        String::from_utf8_lossy(&output.stdout)[..64].to_owned()
    };
    change(dir, "events-000003.ndjson", |text| alter(&String::from_utf8_lossy(text)).into_bytes());
    let part = fs::read(dir.join("events-000003.ndjson")).expect("a part");
    let old = manifest(dir);
    change(dir, MANIFEST, |text| {
        let text = String::from_utf8_lossy(text);
        let of_part = |field: &str| old["parts"][2][field].to_string();
        let (size, digest) = (format!("\"bytes\": {}", of_part("bytes")), of_part("sha256"));
        let last = text.rfind("\"file\"").expect("the last part");
        let (head, tail) = text.split_at(last);
        let tail = tail
            .replacen(&size, &format!("\"bytes\": {}", part.len()), 1)
            .replacen(&digest, &format!("\"{}\"", sha256(&part)), 1)
            .replacen(old["digest"].as_str().expect("a digest"), "", 1);
        let blank = format!("{head}{tail}");
        let digest = sha256(blank.as_bytes());
        blank.replacen("\"digest\": \"\"", &format!("\"digest\": \"{digest}\""), 1).into_bytes()
    });
}

#[tokio::test]
async fn events_are_imported_into_an_empty_directory_only_and_not_beside_a_server() {
    let folder = temp_dir();
    let [data, empty, to] = ["data", "empty", "to"].map(|name| folder.path().join(name));
    many_events(&data, 30).await;
    export(&data, &to, &[]).ok();
    let before = files(&data);
    assert_refused(&import(&data, &to), "EVENT_STORE_NOT_EMPTY");
    let events_db = |files: &[(String, Vec<u8>)]| files.iter().find(|(name, _)| name == "events.db").cloned();
    assert_eq!(events_db(&files(&data)), events_db(&before));
    assert!(!data.join("events.db.importing").exists());

    let server = Server::start_in(&empty, Start::default()).await;
    let refused = import(&empty, &to);
    assert_refused(&refused, "DATA_DIR_IN_USE");
    assert!(refused.stderr.contains(&format!("process {}", server.pid)), "{refused:?}");
    shop::register(&server.operator(), "TEA-1").await;
    server.stop().await;
    assert_refused(&import(&empty, &to), "EVENT_STORE_NOT_EMPTY");
}

#[tokio::test]
async fn read_models_of_other_events_do_not_survive_an_import() {
    let folder = temp_dir();
    let [data, to] = ["data", "to"].map(|name| folder.path().join(name));
    let server = Server::start_in(&data, Start::default()).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let first = shop::place(&alice, &tea.id).await;
    shop::place(&alice, &tea.id).await;
    server.stop().await;
    export(&data, &to, &[&"--until", &"2"]).ok();
    // The log is gone, the read models are not: they have seen a second order.
    for file in ["events.db", "events.db-wal", "events.db-shm"] {
        let _ = fs::remove_file(data.join(file));
    }
    import(&data, &to).ok();
    let server = Server::start_in(&data, Start::default()).await;
    let orders = shop::all_orders(&operator.at(&server.url), &first.position).await;
    assert_eq!(orders.keys().collect::<Vec<_>>(), [&first.id]);
}

#[tokio::test]
async fn an_import_that_is_killed_leaves_nothing_that_serves_and_can_be_run_again() {
    const EVENTS: u64 = 15_000;
    const KILLS: u64 = 10;
    let folder = temp_dir();
    let [data, to, copy, again] = ["data", "to", "copy", "again"].map(|name| folder.path().join(name));
    many_events(&data, EVENTS).await;
    export(&data, &to, &[]).ok();
    let started = Instant::now();
    import(&copy, &to).ok();
    let whole = started.elapsed();
    fs::remove_dir_all(&copy).expect("a folder");

    let mut random = Random::new(1);
    let (mut killed, mut half) = (0, 0);
    for kill in 0..KILLS {
        let mut child = start("import", &copy, &[&"--from", &to]);
        let draft = copy.join("events.db.importing");
        // Every second time while it writes; else anywhere: while it verifies, writes, checks or renames.
        let mut within = whole;
        if kill % 2 == 0 {
            let is_writing = async || (draft.exists() || events_db(&copy).exists()).then_some(());
            eventually("it writes", is_writing).await;
            within = whole / 4;
        }
        let micros = u64::try_from(within.as_micros()).expect("not that long");
        tokio::time::sleep(Duration::from_micros(random.below(micros))).await;
        child.kill().expect("it is our child");
        killed += u64::from(!child.wait().expect("it is our child").success());
        half += u64::from(draft.exists());
        if events_db(&copy).exists() {
            // Then it is all there.
            let check = events("check", &copy, &[&"--structure", &"--limit", &"0"]);
            assert!(check.stdout.contains("the structure of events.db is whole"), "{check:?}");
            assert!(check.stderr.contains(&format!("of {EVENTS} events")), "{check:?}");
            fs::remove_dir_all(&copy).expect("a folder");
        } else if copy.exists() {
            assert_refused(&export(&copy, &folder.path().join("none"), &[]), "EVENT_STORE_UNUSABLE");
        }
    }
    assert!(killed > 0 && half > 0, "it was never killed while it wrote: {killed} {half}");

    // What is left over neither serves nor hinders.
    if !copy.exists() {
        fs::create_dir(&copy).expect("a folder");
    }
    fs::write(copy.join("events.db.importing"), "the half of a store").expect("a file");
    let server = Server::start_in(&copy, Start::default()).await;
    assert!(server.events(0).is_empty());
    server.stop().await;
    import(&copy, &to).ok();
    assert!(!copy.join("events.db.importing").exists());
    export(&copy, &again, &[]).ok();
    assert_same_files(&to, &again);
}

#[tokio::test]
async fn a_check_finds_what_this_build_cannot_read_and_fails() {
    let data = temp_dir();
    let server = Server::start_in(data.path(), Start::default()).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    for _ in 0..5 {
        shop::place(&alice, &tea.id).await;
    }
    let said = server.millrace(&["events", "check", "--structure"]).ok();
    assert_eq!(said, "the structure of events.db is whole\n6 events: this build reads all of them\n");
    server.stop().await;

    tamper(data.path(), "UPDATE events SET data = '{\"broken\":1}' WHERE position = 3");
    tamper(data.path(), "UPDATE events SET data = 'no JSON' WHERE position = 4");
    tamper(data.path(), "INSERT INTO event_types (id, name) SELECT max(id) + 1, 'order.lost.v1' FROM event_types");
    tamper(data.path(), "UPDATE events SET type = (SELECT max(id) FROM event_types) WHERE position = 5");
    tamper(data.path(), "UPDATE events SET data = data || printf('%262144s', '') WHERE position = 6");
    let log = millrace(words("print", data.path(), &[])).ok();
    let log: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let found = events("check", data.path(), &[]);
    assert_eq!(found.code, 1, "{found:?}");
    assert!(found.stderr.contains("error[EVENTS_UNREADABLE]: 4 of 6 events"), "{found:?}");
    let lines: Vec<&str> = found.stdout.lines().collect();
    assert_eq!(lines.len(), 7, "{found:?}");
    for (line, (position, kind, reason)) in lines.iter().zip([
        (3, "order.placed.v2", "does not decode: missing field"),
        (4, "order.placed.v2", "does not decode: expected"),
        (5, "order.lost.v1", "does not know the type"),
        (6, "order.placed.v2", "more than 262144"),
    ]) {
        let stream = log[position - 1]["stream"].as_str().expect("a stream");
        let place = format!("position {position} stream {stream} revision 0 type {kind}: ");
        assert!(line.starts_with(&place) && line.contains(reason), "{place}{reason}: {line}");
    }
    let counts =
        ["order.lost.v1: 1 unknown type", "order.placed.v2: 2 does not decode", "order.placed.v2: 1 too large"];
    assert_eq!(lines[4..], counts);
    // A limit keeps the list short; everything is counted.
    let found = events("check", data.path(), &[&"--limit", &"1"]);
    assert_eq!(found.code, 1, "{found:?}");
    let lines: Vec<&str> = found.stdout.lines().collect();
    assert!(lines[0].starts_with("position 3 ") && lines[1..] == counts, "{found:?}");

    tamper(data.path(), "DELETE FROM events WHERE position = 2");
    let found = events("check", data.path(), &[&"--structure"]);
    assert_eq!(found.code, 1, "{found:?}");
    assert_refused(&found, "EVENTS_DAMAGED");
    assert!(found.stderr.contains("positions are missing"), "{found:?}");
}
