//! Who owns a data directory, and who is believed to serve it.

use super::*;

fn info() -> ServerInfo {
    ServerInfo { pid: std::process::id(), url: "http://127.0.0.1:8080".to_owned() }
}

#[test]
fn a_directory_is_made_for_its_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let dir = DataDir::open(parent.path().join("some/where")).unwrap();
    assert!(dir.path().is_dir());
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(dir.path()).unwrap());
        assert_eq!(mode & 0o777, 0o700);
    }
}

#[test]
fn a_second_owner_is_refused_with_the_directory_and_the_process_of_the_first() {
    let parent = tempfile::tempdir().unwrap();
    let first = DataDir::open(parent.path()).unwrap();
    let error = DataDir::open(parent.path()).unwrap_err();
    assert_eq!(error.code(), "DATA_DIR_IN_USE");
    assert_eq!(
        error.to_string(),
        format!("the data directory `{}` is in use by process {}", parent.path().display(), std::process::id())
    );
    drop(first);
    DataDir::open(parent.path()).unwrap();
}

#[test]
fn an_owner_that_did_not_say_its_process_is_named_as_such() {
    let parent = tempfile::tempdir().unwrap();
    let lock = File::create(parent.path().join(LOCK)).unwrap();
    lock.lock().unwrap();
    let error = DataDir::open(parent.path()).unwrap_err();
    assert!(error.to_string().ends_with("is in use by another process"), "{error}");
}

#[test]
fn somebody_who_only_looks_does_not_keep_the_owner_out() {
    let parent = tempfile::tempdir().unwrap();
    let lock = File::create(parent.path().join(LOCK)).unwrap();
    lock.lock_shared().unwrap();
    let opening = thread::spawn({
        let path = parent.path().to_owned();
        move || DataDir::open(path)
    });
    thread::sleep(LOCK_PAUSE);
    drop(lock);
    opening.join().unwrap().unwrap();
}

#[test]
fn a_server_is_found_while_it_listens() {
    let parent = tempfile::tempdir().unwrap();
    assert_eq!(DataDir::server(parent.path()).unwrap(), None);
    let dir = DataDir::open(parent.path()).unwrap();
    assert_eq!(DataDir::server(parent.path()).unwrap(), None);
    let announcement = dir.announce(&info()).unwrap();
    assert_eq!(DataDir::server(parent.path()).unwrap(), Some(info()));
    drop(announcement);
    assert_eq!(DataDir::server(parent.path()).unwrap(), None);
    assert!(!parent.path().join(SERVER).exists());
}

#[test]
fn the_word_of_a_server_that_died_is_not_believed() {
    let parent = tempfile::tempdir().unwrap();
    File::create(parent.path().join(LOCK)).unwrap();
    fs::write(parent.path().join(SERVER), serde_json::to_vec(&info()).unwrap()).unwrap();
    assert_eq!(DataDir::server(parent.path()).unwrap(), None);

    // The next owner does not listen yet. It must not be taken for the one that died.
    let _dir = DataDir::open(parent.path()).unwrap();
    assert_eq!(DataDir::server(parent.path()).unwrap(), None);
}

#[test]
fn a_directory_that_cannot_be_made_is_refused_by_name() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = DataDir::open(file.path().join("data")).unwrap_err();
    assert_eq!(error.code(), "DATA_DIR_UNUSABLE");
    assert!(error.to_string().contains(&file.path().display().to_string()), "{error}");
}
