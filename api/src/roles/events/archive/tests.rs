//! An export on disk: what is written can be read, what was changed is refused, what was interrupted goes on.

use std::fs;

use domain::Timestamp;
use infrastructure::event_store::{Name, Position, RecordedEvent, Revision, StreamId};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

/// Ten events, in parts of four.
const EVENTS: u64 = 10;
const WANTED: Wanted = Wanted { until: None, part_events: Some(4), resume: false, head: EVENTS };

fn event(position: u64) -> RecordedEvent {
    RecordedEvent {
        position: Position::new(position),
        stream: StreamId::new("order", Uuid::from_u128(position.into())),
        revision: Revision::FIRST,
        id: Uuid::from_u128(position.into()),
        type_name: Name::from("order.placed.v1"),
        recorded_at: Timestamp::from_timestamp_micros(1_700_000_000_000_001).unwrap(),
        metadata: "{}".to_owned(),
        data: format!("{{\"n\":{position}}}"),
    }
}

#[track_caller]
fn begin(dir: &Path, wanted: &Wanted) -> ArchiveWriter {
    let writer = ArchiveWriter::open(dir, wanted).unwrap();
    assert!(!writer.manifest().is_complete);
    writer
}

/// Adds the events from where it stands up to `until`.
fn add(writer: &mut ArchiveWriter, until: u64) {
    for position in writer.position().value() + 1..=until {
        writer.add(&event(position)).unwrap();
    }
}

fn exported() -> (TempDir, Manifest) {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = begin(dir.path(), &WANTED);
    add(&mut writer, EVENTS);
    let manifest = writer.finish().unwrap();
    (dir, manifest)
}

fn read(dir: &Path) -> Result<Vec<RecordedEvent>, ArchiveError> {
    let mut events = Vec::new();
    Archive::open(dir)?.for_each(|event| {
        events.push(event);
        Ok::<_, ArchiveError>(())
    })?;
    Ok(events)
}

/// The files of a folder, by name.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect();
    files.sort();
    files
}

/// Rewrites the manifest with a fitting digest: by somebody who knows how.
fn forge(dir: &Path, change: impl FnOnce(&mut Manifest)) {
    let mut manifest = Manifest::find(dir).unwrap().unwrap();
    change(&mut manifest);
    manifest.store(dir).unwrap();
}

#[track_caller]
fn assert_damaged(dir: &Path, file: &str, reason: &str) {
    match read(dir) {
        Err(ArchiveError::Damaged { file: found, what }) if found == file && what.contains(reason) => {}
        other => panic!("{file} should be damaged ({reason}): {other:?}"),
    }
}

#[test]
fn what_is_exported_is_read_back_in_parts_of_the_size_asked_for() {
    let (dir, manifest) = exported();
    let expected: Vec<_> = (1..=EVENTS).map(event).collect();
    assert_eq!(read(dir.path()).unwrap(), expected);
    let parts: Vec<_> =
        manifest.parts.iter().map(|part| (part.file.as_str(), part.first_position, part.last_position)).collect();
    let names = ["events-000001.ndjson", "events-000002.ndjson", "events-000003.ndjson"];
    assert_eq!(parts, [(names[0], 1, 4), (names[1], 5, 8), (names[2], 9, 10)]);
    assert_eq!((manifest.count, manifest.first_position, manifest.last_position), (10, Some(1), Some(10)));
    let found: Vec<_> = files(dir.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, [names[0], names[1], names[2], manifest::MANIFEST], "nothing else is left behind");
}

#[test]
fn a_part_that_is_large_takes_no_more_events() {
    let dir = tempfile::tempdir().unwrap();
    let (mut one, mut line_bytes) = (Vec::new(), 0);
    for position in 1..=EVENTS {
        one.clear();
        line::write(&event(position), &mut one);
        line_bytes = line_bytes.max(one.len() as u64);
    }
    // Two lines are not enough for it, three are.
    let sizing = PartSizing { events: 100, bytes: 2 * line_bytes + 1 };
    Manifest::new(EVENTS, sizing).store(dir.path()).unwrap();
    let mut writer = begin(dir.path(), &Wanted { part_events: None, resume: true, ..WANTED });
    add(&mut writer, EVENTS);
    let manifest = writer.finish().unwrap();
    assert_eq!(manifest.parts.iter().map(|part| part.count).collect::<Vec<_>>(), [3, 3, 3, 1]);
    assert_eq!(read(dir.path()).unwrap().len(), 10);
}

#[test]
fn an_export_of_nothing_is_complete_too() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = begin(dir.path(), &Wanted { head: 0, ..WANTED }).finish().unwrap();
    assert_eq!((manifest.count, manifest.first_position, manifest.last_position), (0, None, None));
    assert!(read(dir.path()).unwrap().is_empty());
}

#[test]
fn the_digest_can_be_computed_without_millrace() {
    use sha2::{Digest as _, Sha256};

    let (dir, manifest) = exported();
    let text = fs::read_to_string(dir.path().join(manifest::MANIFEST)).unwrap();
    let blank = text.replace(&manifest.digest, "");
    assert_eq!(format!("{:x}", Sha256::digest(blank)), manifest.digest);
    let part = fs::read(dir.path().join(&manifest.parts[1].file)).unwrap();
    assert_eq!(format!("{:x}", Sha256::digest(&part)), manifest.parts[1].sha256);
    assert_eq!(part.len() as u64, manifest.parts[1].bytes);
}

#[test]
fn an_interrupted_export_goes_on_to_the_same_bytes() {
    let (whole, _) = exported();
    let resume = Wanted { resume: true, ..WANTED };
    // Before a part is complete, right after, in the middle of the next one, and after the last event.
    for stop in [0, 3, 4, 6, 8, 10] {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = begin(dir.path(), &WANTED);
        add(&mut writer, stop);
        drop(writer);
        assert!(matches!(read(dir.path()), Err(ArchiveError::Unfinished { .. })), "stopped at {stop}");
        assert!(matches!(ArchiveWriter::open(dir.path(), &WANTED), Err(ArchiveError::Unfinished { .. })));

        // The log has grown; the plan is the earlier one.
        let mut writer = begin(dir.path(), &Wanted { head: 99, part_events: None, ..resume });
        assert_eq!(writer.position().value(), stop / 4 * 4, "complete parts are kept");
        assert_eq!(writer.earlier().map(|event| event.position), (stop >= 4).then(|| writer.position()));
        assert_eq!(writer.manifest().as_of, EVENTS);
        add(&mut writer, EVENTS);
        writer.finish().unwrap();
        assert_eq!(files(dir.path()), files(whole.path()), "stopped at {stop}");
    }
}

#[test]
fn a_part_that_was_renamed_but_not_noted_is_written_again() {
    let (whole, _) = exported();
    let dir = tempfile::tempdir().unwrap();
    let mut writer = begin(dir.path(), &WANTED);
    let manifest = fs::read(dir.path().join(manifest::MANIFEST)).unwrap();
    add(&mut writer, 5);
    drop(writer);
    fs::write(dir.path().join(manifest::MANIFEST), manifest).unwrap();
    let mut writer = begin(dir.path(), &Wanted { resume: true, ..WANTED });
    assert_eq!(writer.position(), Position::START);
    add(&mut writer, EVENTS);
    writer.finish().unwrap();
    assert_eq!(files(dir.path()), files(whole.path()));
}

#[test]
fn nothing_is_written_over_an_export_or_what_is_left_of_one() {
    let (dir, _) = exported();
    let before = files(dir.path());
    assert!(matches!(ArchiveWriter::open(dir.path(), &WANTED), Err(ArchiveError::Exists { .. })));
    assert!(matches!(
        ArchiveWriter::open(dir.path(), &Wanted { resume: true, ..WANTED }),
        Ok(writer) if writer.manifest().is_complete && writer.earlier() == Some(&event(EVENTS))
    ));
    assert_eq!(files(dir.path()), before);
    fs::remove_file(dir.path().join(manifest::MANIFEST)).unwrap();
    for resume in [false, true] {
        assert!(matches!(
            ArchiveWriter::open(dir.path(), &Wanted { resume, ..WANTED }),
            Err(ArchiveError::Exists { .. })
        ));
    }
    assert_eq!(files(dir.path()), before[..3]);
}

#[test]
fn an_export_is_gone_on_with_only_as_it_was_begun() {
    let dir = tempfile::tempdir().unwrap();
    add(&mut begin(dir.path(), &WANTED), 5);
    let resume = Wanted { resume: true, ..WANTED };
    for other in [
        Wanted { until: Some(9), ..resume },
        Wanted { part_events: Some(5), ..resume },
        Wanted { head: EVENTS - 1, ..resume },
    ] {
        let opened = ArchiveWriter::open(dir.path(), &other);
        assert!(matches!(opened, Err(ArchiveError::Mismatch { .. })), "{other:?}: {opened:?}");
    }
    let part = dir.path().join("events-000001.ndjson");
    let altered = fs::read_to_string(&part).unwrap().replace("\\\"n\\\":2", "\\\"n\\\":3");
    fs::write(&part, altered).unwrap();
    let opened = ArchiveWriter::open(dir.path(), &resume);
    assert!(matches!(opened, Err(ArchiveError::Damaged { .. })), "{opened:?}");
}

#[cfg(unix)]
#[test]
fn two_exports_do_not_write_to_the_same_folder() {
    let dir = tempfile::tempdir().unwrap();
    let first = begin(dir.path(), &WANTED);
    let resume = Wanted { resume: true, ..WANTED };
    assert!(matches!(ArchiveWriter::open(dir.path(), &resume), Err(ArchiveError::InUse { .. })));
    drop(first);
    begin(dir.path(), &resume);
}

#[cfg(unix)]
#[test]
fn an_export_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("a/b");
    let mut writer = begin(&dir, &WANTED);
    add(&mut writer, EVENTS);
    writer.finish().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    assert!(fs::read_dir(&dir).unwrap().all(|entry| mode(&entry.unwrap().path()) == 0o600));
}

#[test]
fn a_part_that_is_missing_shorter_longer_or_altered_is_refused() {
    const PART: &str = "events-000002.ndjson";
    let (dir, _) = exported();
    let path = dir.path().join(PART);
    let whole = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert_damaged(dir.path(), PART, "missing");
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert_damaged(dir.path(), PART, "bytes");
    fs::write(&path, [&whole[..], b"\n"].concat()).unwrap();
    assert_damaged(dir.path(), PART, "bytes");
    for at in [0, whole.len() / 2, whole.len() - 1] {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        fs::write(&path, altered).unwrap();
        assert_damaged(dir.path(), PART, "digest");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(read(dir.path()).unwrap().len(), 10);
}

#[test]
fn a_manifest_that_was_altered_is_refused() {
    let (dir, _) = exported();
    let path = dir.path().join(manifest::MANIFEST);
    let whole = fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("\"asOf\": 10", "\"asOf\": 11"),
        ("\"count\": 10", "\"count\": 9"),
        ("\"firstPosition\": 5", "\"firstPosition\": 6"),
        ("\"isComplete\": true", "\"isComplete\": false"),
        ("\"events\": 4", "\"events\": 5"),
        ("\"digest\": \"", "\"digest\": \"0"),
        ("\"asOf\": 10,", ""),
        ("\"asOf\": 10", "\"more\": 1, \"asOf\": 10"),
    ] {
        let altered = whole.replacen(from, to, 1);
        assert_ne!(altered, whole, "{from}");
        fs::write(&path, altered).unwrap();
        assert_damaged(dir.path(), manifest::MANIFEST, "");
    }
    for torn in ["", "{", &whole[..whole.len() / 2]] {
        fs::write(&path, torn).unwrap();
        assert_damaged(dir.path(), manifest::MANIFEST, "");
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(read(dir.path()), Err(ArchiveError::Missing { .. })));
}

#[test]
fn what_a_newer_millrace_wrote_is_told_from_damage() {
    let (dir, _) = exported();
    let path = dir.path().join(manifest::MANIFEST);
    let whole = fs::read_to_string(&path).unwrap();
    for (from, to) in [("\"formatVersion\": 1", "\"formatVersion\": 2, \"new\": 1"), ("millrace-events", "others")] {
        fs::write(&path, whole.replacen(from, to, 1)).unwrap();
        assert!(matches!(read(dir.path()), Err(ArchiveError::Format { .. })), "{to}");
    }
}

#[test]
fn a_fitting_digest_does_not_make_nonsense_right() {
    type Change = fn(&mut Manifest);
    let changes: [(Change, &str); 9] = [
        (|manifest| manifest.count += 1, "sum"),
        (|manifest| manifest.first_position = None, "sum"),
        (|manifest| manifest.last_position = Some(11), "sum"),
        (|manifest| manifest.as_of = 9, "sum"),
        (|manifest| manifest.parts[0].file = "../events-000001.ndjson".to_owned(), "named"),
        (|manifest| manifest.parts.swap(0, 1), "named"),
        (|manifest| manifest.parts[1].first_position = 4, "positions"),
        (|manifest| manifest.parts[0].first_position = 0, "positions"),
        (|manifest| manifest.parts[1].last_position = 4, "positions"),
    ];
    for (change, reason) in changes {
        let (dir, _) = exported();
        forge(dir.path(), change);
        assert_damaged(dir.path(), manifest::MANIFEST, reason);
    }
}

#[test]
fn a_malformed_line_is_named_even_under_a_fitting_digest() {
    const PART: &str = "events-000002.ndjson";
    let changes = [
        ("\"position\":6,", "", "line 2: missing field"),
        ("\"position\":6,", "\"position\":5,", "line 2: position 5 is not the next one"),
        ("\"position\":5,", "\"position\":6,", "line 1: position 6 is not the next one"),
        ("\"position\":8,", "\"position\":9,", "it has 4 events up to position 9"),
        ("\"position\":7,", "\"position\":7,\n", "line 3: EOF"),
    ];
    for (from, to, reason) in changes {
        let (dir, _) = exported();
        let path = dir.path().join(PART);
        let text = fs::read_to_string(&path).unwrap();
        let altered = text.replacen(from, to, 1);
        assert_ne!(altered, text);
        fs::write(&path, &altered).unwrap();
        forge(dir.path(), |manifest| {
            manifest.parts[1].bytes = altered.len() as u64;
            manifest.parts[1].sha256 = files::digest(&path).unwrap();
        });
        assert_damaged(dir.path(), PART, reason);
    }
}
