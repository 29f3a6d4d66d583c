//! A private server: its files in a temporary folder, its end with ours.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long the server may take to start.
const START_MAX: Duration = Duration::from_secs(60);
/// How often another port is tried when somebody else took the one that was free.
const PORTS_TRIED_MAX: usize = 5;

/// Makes the server's files, starts and stops it as it is told, line by line, and ends it and removes its files when nobody
/// can tell it anything any more: our end of the pipe closes when this process ends, even if it is killed.
///
/// The database sorts text as English does, where it can, so that an order which is not that of bytes is noticed.
const KEEPER: &str = r#"
# To answer somebody who is gone is no reason to end before the server.
trap '' PIPE
folder=$1
shift
pid=
make() {
    "${postgres%/*}/initdb" -D "$folder/data" -U millrace -A trust -E UTF8 --no-locale --no-sync "$@" >>"$folder/log" 2>&1
}
postgres=$1
while read -r order; do
    case $order in
    make)
        make --locale-provider=icu --icu-locale=en-US || make
        ;;
    start)
        "$@" </dev/null >>"$folder/log" 2>&1 &
        pid=$!
        ;;
    *)
        kill -"$order" "$pid"
        wait "$pid"
        ;;
    esac
    echo done 2>/dev/null
done
# One that is frozen could not end.
[ -n "$pid" ] && kill -CONT "$pid" 2>/dev/null && kill -QUIT "$pid" 2>/dev/null && wait "$pid"
rm -rf "$folder"
"#;

/// Who needs a password.
const ACCESS: &str =
    "host all +secured 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\nlocal all all trust\n";

/// What of the data survives a crash of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Perhaps nothing: fast.
    None,
    /// Every commit.
    Full,
}

/// A server of our own, on this machine only. Dropping it ends it.
#[derive(Debug)]
pub struct PostgresServer {
    folder: PathBuf,
    port: u16,
    keeper: Mutex<Keeper>,
}

#[derive(Debug)]
struct Keeper {
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    child: Child,
}

/// Whom the server runs as. It refuses to run as root.
#[derive(Clone, Copy, Debug)]
struct User {
    id: u32,
    group: u32,
}

impl PostgresServer {
    /// Makes the files and starts it.
    pub fn start(durability: Durability) -> Self {
        let programs = programs();
        let mut says = String::new();
        for _ in 0..PORTS_TRIED_MAX {
            // A server that did not start takes its folder with it.
            let (folder, user) = folder();
            let listener = TcpListener::bind(("127.0.0.1", 0)).expect("this machine has a loopback address");
            let port = listener.local_addr().expect("it is bound").port();
            drop(listener);
            let keeper = Keeper::start(&programs, &folder, user, port, durability);
            let server = Self { folder, port, keeper: Mutex::new(keeper) };
            server.keeper().tell("make");
            fs::write(server.folder.join("data/pg_hba.conf"), ACCESS).unwrap_or_else(|error| {
                panic!("initdb failed ({error}):\n{}", log(&server.folder));
            });
            server.keeper().tell("start");
            if server.is_ready() {
                return server;
            }
            says = log(&server.folder);
        }
        panic!("PostgreSQL did not start:\n{says}");
    }

    /// The address of its database, for its superuser, who needs no password.
    pub fn url(&self) -> String {
        self.url_of("millrace", "postgres")
    }

    /// The same for another user and database. Members of the role `secured` need their password.
    pub fn url_of(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// Ends it as a crash would: nothing is written any more.
    pub fn crash(&self) {
        self.keeper().tell("QUIT");
    }

    /// Ends it properly: connections are closed.
    pub fn stop(&self) {
        self.keeper().tell("INT");
    }

    /// Starts it again, at the same address.
    pub fn start_again(&self) {
        self.keeper().tell("start");
        assert!(self.is_ready(), "PostgreSQL did not start again:\n{}", log(&self.folder));
    }

    /// Freezes all its processes, or lets them go on: as a machine that does not answer any more.
    pub fn freeze(&self, is_frozen: bool) {
        let signal = if is_frozen { "-STOP" } else { "-CONT" };
        let group = fs::read_to_string(self.folder.join("data/postmaster.pid")).expect("it runs");
        let postmaster = group.lines().next().expect("its id");
        let children = format!("/proc/{postmaster}/task/{postmaster}/children");
        let children = fs::read_to_string(children).expect("the server's processes are listed");
        for process in [postmaster].into_iter().chain(children.split_whitespace()) {
            let status = Command::new("kill").args([signal, process]).stderr(Stdio::null()).status();
            status.expect("there is a kill");
        }
    }

    /// Waits until it takes connections. False if it ended instead.
    fn is_ready(&self) -> bool {
        let started = Instant::now();
        let says = self.folder.join("data/postmaster.pid");
        while started.elapsed() < START_MAX {
            thread::sleep(Duration::from_millis(10));
            let state = fs::read_to_string(&says).unwrap_or_default();
            if state.lines().nth(7).is_some_and(|state| state.trim() == "ready") {
                return true;
            }
            let has_ended = state.is_empty() && started.elapsed() > Duration::from_secs(2);
            if has_ended && log(&self.folder).contains("Address already in use") {
                return false;
            }
        }
        false
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeper {
    fn start(programs: &Path, folder: &Path, user: Option<User>, port: u16, durability: Durability) -> Self {
        let is_durable = durability == Durability::Full;
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            "max_connections=400".to_owned(),
            "shared_buffers=64MB".to_owned(),
            "max_prepared_transactions=0".to_owned(),
            format!("fsync={is_durable}"),
            format!("full_page_writes={is_durable}"),
        ];
        // A socket's path has little room.
        let socket = if folder.as_os_str().len() < 80 { folder.display().to_string() } else { String::new() };
        settings.push(format!("unix_socket_directories={socket}"));
        let mut command = Command::new("sh");
        command.arg("-c").arg(KEEPER).arg("keeper").arg(folder).arg(programs.join("postgres"));
        command.arg("-D").arg(folder.join("data"));
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        // A group of its own: an interrupt at the terminal is for us, and the server follows when we end.
        run_as(&mut command, user).process_group(0).current_dir("/");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("there is a shell");
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { orders, answers, child }
    }

    /// Gives an order and waits until it is done.
    fn tell(&mut self, order: &str) {
        let orders = self.orders.as_mut().expect("it is open until the end");
        writeln!(orders, "{order}").expect("the keeper takes orders");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the keeper answers");
        assert_eq!(answer.trim(), "done", "the keeper of the server has ended");
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.orders = None;
        drop(self.child.wait());
    }
}

/// The folder of the server's programs: that of the path, or the newest of Debian's.
fn programs() -> PathBuf {
    let has_all = |folder: &PathBuf| ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file());
    let path = env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let folder = entry.ok()?.path();
            Some((folder.file_name()?.to_str()?.parse().ok()?, folder.join("bin")))
        })
        .collect();
    debian.sort();
    let debian = debian.into_iter().rev().map(|(_, folder)| folder);
    env::split_paths(&path).chain(debian).find(has_all).unwrap_or_else(|| {
        panic!(
            "the programs of PostgreSQL (initdb, postgres) are not on this machine: run ./tests/run, which installs \
             them, or give a server with MILLRACE_TEST_POSTGRES_URL"
        )
    })
}

/// A folder that is ours, or, if we are root, somebody's who may run the server.
fn folder() -> (PathBuf, Option<User>) {
    static FOLDERS: AtomicU64 = AtomicU64::new(1);
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let name = format!("millrace-postgres-{}-{number}", std::process::id());
    let is_root = fs::metadata("/proc/self").is_ok_and(|ours| ours.uid() == 0);
    // Root's own temporary folder may be closed to others.
    let parent = if is_root { PathBuf::from("/tmp") } else { env::temp_dir() };
    let folder = parent.join(name);
    fs::create_dir(&folder).expect("a temporary folder");
    let user = is_root.then(unprivileged);
    if let Some(user) = user {
        chown(&folder, Some(user.id), Some(user.group)).expect("root may give a folder away");
    }
    (folder, user)
}

/// Somebody whom root may run the server as.
fn unprivileged() -> User {
    let users = fs::read_to_string("/etc/passwd").expect("the system's users");
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some(User { id: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
    };
    find("postgres").or_else(|| find("nobody")).expect("a user postgres or nobody, because root may not run PostgreSQL")
}

fn run_as(command: &mut Command, user: Option<User>) -> &mut Command {
    if let Some(User { id, group }) = user {
        command.uid(id).gid(group);
    }
    command
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}
