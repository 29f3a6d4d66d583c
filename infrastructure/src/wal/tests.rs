//! Who copies what: the thread beside the writer, or the writer.

use tempfile::TempDir;

use super::*;

/// A file with a table `t`, who writes it, and its checkpoints.
struct Logged {
    // Dropped in this order.
    writer: Connection,
    checkpoints: Checkpoints,
    _folder: TempDir,
}

impl Logged {
    fn new(pages: LogPages) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.db");
        let open = || {
            let connection = Connection::open(&path).unwrap();
            connection.pragma_update(None, "journal_mode", "wal").unwrap();
            connection
        };
        let mut writer = open();
        writer.execute_batch("CREATE TABLE t (bytes BLOB)").unwrap();
        let tables = open_tables(&path).unwrap();
        let checkpoints = Checkpoints::start("checkpoint", tables, &mut writer, open(), pages).unwrap();
        Self { writer, checkpoints, _folder: folder }
    }

    /// Writes so many pages, and a few.
    fn write(&mut self, pages: i64) {
        self.writer.execute("INSERT INTO t (bytes) VALUES (zeroblob($1))", [pages * 4_096]).unwrap();
    }

    fn after_commit(&mut self) {
        self.checkpoints.after_commit(&self.writer).unwrap();
    }

    /// Until the copying that is under way has ended, and what comes of it has begun.
    fn until_copied(&mut self) {
        loop {
            self.after_commit();
            if !self.checkpoints.is_copying || self.checkpoints.written == 0 {
                break;
            }
            thread::yield_now();
        }
    }

    /// The pages of the log from its beginning on, after one more is written.
    fn log(&mut self) -> usize {
        self.write(1);
        self.checkpoints.log.load(Ordering::Relaxed)
    }
}

#[test]
fn given_more_than_a_little_came_in_meanwhile_when_the_rest_is_copied_then_it_is_not_by_the_writer() {
    let mut file = Logged::new(LogPages { due: 40, max: 10_000 });
    file.write(40);
    file.after_commit();
    assert!(file.checkpoints.is_copying);
    file.write(30);
    file.until_copied();
    assert!(file.checkpoints.is_copying, "once more");
    file.write(2);
    file.until_copied();
    assert!(!file.checkpoints.is_copying, "a little is the writer's");
    assert!(file.log() < 10, "the log has begun again");
}

#[test]
fn given_the_log_is_long_when_what_comes_in_does_not_become_less_then_the_writer_waits() {
    let mut file = Logged::new(LogPages { due: 40, max: 20 });
    file.write(40);
    file.after_commit();
    file.write(30);
    file.until_copied();
    assert!(!file.checkpoints.is_copying);
    assert!(file.log() < 10, "the log has begun again");
}

#[test]
fn given_somebody_reads_when_the_log_is_long_then_it_is_kept_for_them() {
    let mut file = Logged::new(LogPages { due: 40, max: 60 });
    let reader = Connection::open(file.writer.path().unwrap()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM t").unwrap();
    for _ in 0..10 {
        file.write(40);
        file.after_commit();
        file.write(30);
        file.until_copied();
    }
    assert!(file.log() > 700, "nothing of it was given up");
    let seen: i64 = reader.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(seen, 0, "they see what they saw");
}
