//! The development key is made once, for its owner alone.

use super::*;

#[test]
fn the_first_use_makes_the_key_and_its_directory_and_the_second_finds_it() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    let first = DevKey::load_or_create(&directory).unwrap();
    let second = DevKey::load_or_create(&directory).unwrap();
    assert_eq!(first.secret(), second.secret());
    assert_ne!(first.secret(), [0; KEY_BYTES]);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "drafts are removed");

    let other = DevKey::load_or_create(&parent.path().join("other")).unwrap();
    assert_ne!(first.secret(), other.secret());
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_key() {
    let parent = tempfile::tempdir().unwrap();
    DevKey::load_or_create(parent.path()).unwrap();
    let file = fs::metadata(DataDir::dev_key(parent.path())).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&file) & 0o777, 0o600);
}

#[test]
fn all_who_start_at_once_get_the_same_key() {
    let parent = tempfile::tempdir().unwrap();
    let keys: Vec<DevKey> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| DevKey::load_or_create(parent.path()).unwrap())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| key.secret() == keys[0].secret()));
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_is_not_a_key_is_refused_by_name() {
    let parent = tempfile::tempdir().unwrap();
    let path = DataDir::dev_key(parent.path());
    fs::write(&path, "short").unwrap();
    let error = DevKey::load_or_create(parent.path()).unwrap_err();
    assert!(matches!(error, DevKeyError::NotAKey { .. }));
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"short");
}

#[test]
fn the_key_is_never_shown() {
    let parent = tempfile::tempdir().unwrap();
    let key = DevKey::load_or_create(parent.path()).unwrap();
    assert_eq!(format!("{key:?}"), "DevKey([hidden])");
}
