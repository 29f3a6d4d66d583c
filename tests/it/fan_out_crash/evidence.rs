//! What can be known of a server at the moment of its death, and of what it leaves.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags, params};
use serde_json::Value;
use tests::{
    audit::post_mortem,
    binary,
    server::{eventually, send_signal, temp_dir},
};
use uuid::Uuid;

/// How often the lock is looked at.
const LOOK_INTERVAL: Duration = Duration::from_micros(500);
/// A transaction that lasts so long writes entries: those of other read models are over before.
const LONG: Duration = Duration::from_millis(10);
/// How long a server is waited for that does not write what is missing; then the kill hits nothing.
const CATCH_UP_MAX: Duration = Duration::from_secs(8);
/// The byte of the file beside the read store that SQLite locks while a transaction writes: `WAL_WRITE_LOCK`, see
/// <https://sqlite.org/walformat.html>.
const WRITE_LOCK: u64 = 120;

/// Looks at whether a process is in a transaction of the read store.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    data: &'a Path,
    pid: u32,
    /// Since when it was seen writing at every look.
    since: Option<Instant>,
}

impl<'a> Watch<'a> {
    pub(super) const fn of(data: &'a Path, pid: u32) -> Self {
        Self { data, pid, since: None }
    }

    /// Looks until then.
    pub(super) async fn until(&mut self, end: Instant) {
        while Instant::now() < end {
            self.look();
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Stops the process where it is. True if it is in a long transaction.
    pub(super) async fn freeze(&mut self) -> bool {
        let was_long = self.is_long();
        assert!(send_signal("STOP", self.pid), "it runs");
        let stat = format!("/proc/{}/stat", self.pid);
        eventually("the process stands still", async || {
            let stat = fs::read_to_string(&stat).expect("there is such a process");
            // Behind its name, which may be anything in parentheses.
            stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T')).then_some(())
        })
        .await;
        self.look();
        was_long && self.is_long()
    }

    fn is_long(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= LONG)
    }

    fn look(&mut self) {
        self.since = if self.is_writing() { self.since.or_else(|| Some(Instant::now())) } else { None };
    }

    /// Asks the kernel who holds the lock; asking SQLite would be in the server's way.
    fn is_writing(&self) -> bool {
        let Ok(index) = fs::metadata(self.data.join("read.db-shm")) else { return false };
        let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
        locks.lines().any(|line| {
            // 1: POSIX  ADVISORY  WRITE 4711 fe:00:5423122 120 120
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, "POSIX", _, "WRITE", pid, file, from, to] = words[..] else { return false };
            let covers = from.parse().is_ok_and(|from: u64| from <= WRITE_LOCK)
                && (to == "EOF" || to.parse().is_ok_and(|to: u64| to >= WRITE_LOCK));
            let is_its = pid.parse() == Ok(self.pid);
            is_its && covers && file.rsplit(':').next().is_some_and(|inode| inode.parse() == Ok(index.ino()))
        })
    }
}

/// Whether the kernel tells of such locks here: it does of our own.
pub(super) fn can_be_had() -> bool {
    let folder = temp_dir();
    let ours = Connection::open(folder.path().join("read.db")).expect("a file");
    ours.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE one (id BIGINT)").expect("a table");
    let watch = Watch::of(folder.path(), std::process::id());
    assert!(!watch.is_writing(), "nobody writes");
    ours.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    watch.is_writing()
}

/// Starts a server and kills it `moment` after it was seen writing what is missing. True if it was writing then.
pub(super) async fn kill_while_it_catches_up(data: &Path, moment: Duration) -> bool {
    let mut command =
        binary::command(&[], ["--listen".as_ref(), "127.0.0.1:0".as_ref(), "--data-dir".as_ref(), data.as_os_str()]);
    let mut server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut watch = Watch::of(data, server.id());
    let latest = Instant::now() + CATCH_UP_MAX;
    while !watch.is_long() && Instant::now() < latest {
        watch.until(Instant::now() + LOOK_INTERVAL).await;
    }
    watch.until(Instant::now() + moment).await;
    assert!(server.try_wait().expect("it is our child").is_none(), "it ended by itself");
    let was_writing = watch.freeze().await;
    server.kill().expect("it runs");
    server.wait().expect("it is our child");
    was_writing
}

/// A post in the log.
#[derive(Clone, Debug)]
pub(super) struct Posted {
    pub(super) position: u64,
    pub(super) id: Uuid,
    pub(super) author: Uuid,
}

/// What a server left.
#[derive(Clone, Debug)]
pub(super) struct Left {
    /// Everything up to here is in the feeds.
    pub(super) checkpoint: u64,
    /// What is in the log, in order.
    pub(super) posts: Vec<Posted>,
    /// How many entries each post has.
    pub(super) entries: BTreeMap<u64, u64>,
}

impl Left {
    /// Whether a post is in the log and not in the feeds.
    pub(super) fn is_behind(&self) -> bool {
        self.posts.iter().any(|post| post.position > self.checkpoint)
    }
}

/// Looks at a copy of what is there.
pub(super) fn examine(data: &Path) -> Left {
    let copy = post_mortem(data);
    let (rows, events) = (open(&copy.path().join("read.db")), open(&copy.path().join("events.db")));
    let posts = "SELECT e.position, e.data FROM events e JOIN event_types t ON t.id = e.type \
                 WHERE t.name = 'post.published.v1' ORDER BY e.position";
    let mut posts = events.prepare(posts).expect("SQL");
    let posts = posts.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)));
    let posts = posts.expect("the log can be read").map(|row| {
        let (position, data) = row.expect("the log can be read");
        let data: Value = serde_json::from_str(&data).expect("events are JSON");
        let id = |name: &str| data[name].as_str().expect("an id").parse().expect("a UUID");
        Posted { position: position.cast_unsigned(), id: id("post"), author: id("author") }
    });
    let count = format!("SELECT position, count(*) FROM {} GROUP BY position", table(&rows, "entries"));
    let mut count = rows.prepare(&count).expect("SQL");
    let entries =
        count.query_map([], |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?))).expect("entries can be counted");
    let entries = entries.collect::<Result<_, _>>().expect("entries can be counted");
    Left { checkpoint: position(&rows), posts: posts.collect(), entries }
}

/// Up to where everything is in the feeds, of a server that may run.
pub(super) fn checkpoint(data: &Path) -> u64 {
    position(&open(&data.join("read.db")))
}

/// Everybody's entries, in order; one that is there twice is here twice.
pub(super) fn feeds(data: &Path) -> HashMap<Uuid, Vec<u64>> {
    let copy = post_mortem(data);
    let rows = open(&copy.path().join("read.db"));
    let mut all = rows.prepare(&format!("SELECT reader, position FROM {}", table(&rows, "entries"))).expect("SQL");
    let mut found = all.query([]).expect("entries can be read");
    let mut feeds: HashMap<Uuid, Vec<u64>> = HashMap::new();
    while let Some(row) = found.next().expect("entries can be read") {
        let reader = Uuid::from_bytes(row.get(0).expect("a reader"));
        feeds.entry(reader).or_default().push(unsigned(row, 1).expect("a position"));
    }
    for positions in feeds.values_mut() {
        positions.sort_unstable();
    }
    feeds
}

/// How many of those who follow its author find a post by looking it up.
pub(super) fn who_look_it_up(data: &Path, post: &Posted) -> u64 {
    let copy = post_mortem(data);
    let rows = open(&copy.path().join("read.db"));
    let (follows, posts) = (table(&rows, "follows"), table(&rows, "posts"));
    let sql = format!(
        "SELECT count(*) FROM {follows} f JOIN {posts} p ON p.author = f.followee \
         WHERE p.position = ?1 AND f.look_until >= p.position AND (p.has_entries = 0 OR p.position <= f.entries_after)"
    );
    rows.query_row(&sql, params![post.position.cast_signed()], |row| unsigned(row, 0)).expect("follows can be counted")
}

/// The table of the entries that are served.
pub(super) fn entries_table(data: &Path) -> String {
    table(&open(&data.join("read.db")), "entries")
}

fn open(path: &Path) -> Connection {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    connection.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The full name of a table of the generation that serves.
fn table(rows: &Connection, suffix: &str) -> String {
    let sql = "SELECT generation FROM projection_generations WHERE name = 'social_graph' AND state = 'serving'";
    let number: i64 = rows.query_row(sql, [], |row| row.get(0)).expect("one generation serves");
    format!("social_graph_g{number}_{suffix}")
}

fn position(rows: &Connection) -> u64 {
    let sql = "SELECT position FROM projection_slices JOIN projection_generations USING (name, generation) \
               WHERE name = 'social_graph' AND state = 'serving'";
    rows.query_row(sql, [], |row| unsigned(row, 0)).expect("it has one checkpoint")
}

fn unsigned(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}
