//! What keeps a process of the cluster from starting: each time a stable code, the right exit code, what is wrong and what
//! to set, and never a secret.

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use infrastructure::event_store::{
    Append, EventStore, ExpectedRevision, MemoryEventStore, NewEvent, Position, Revision, TypeFilter,
};
use tests::{
    binary::{self, Ran},
    cluster::Cluster,
    esdb::{Access, Double, Fault, Operation, Options, Plan},
    postgres::{Durability, PostgresSchema, PostgresServer, run, with},
    server::{Start, eventually},
    shop,
};
use tokio::net::{TcpListener, TcpSocket};

/// A password that nothing may show.
const SECRET: &str = "s3cret-of-nobody";
/// After so many seconds a process that should have ended has started instead. The slowest gives up after 15.
const SECONDS_MAX: &str = "60";
/// How many processes are tried at the same time.
const AT_ONCE: usize = 6;

const EVENTS_URL: &str = "MILLRACE_EVENT_STORE__URL";
const EVENTS_USER: &str = "MILLRACE_EVENT_STORE__USERNAME";
const EVENTS_PASSWORD: &str = "MILLRACE_EVENT_STORE__PASSWORD";
const EVENTS_CA: &str = "MILLRACE_EVENT_STORE__CA_FILE";
const ROWS_URL: &str = "MILLRACE_READ_STORE__URL";
const ROWS_PASSWORD: &str = "MILLRACE_READ_STORE__PASSWORD";

/// Settings that are wrong, and what is said about them.
struct Case {
    what: &'static str,
    settings: Vec<(&'static str, String)>,
    exit_code: i32,
    code: &'static str,
    says: Vec<&'static str>,
}

/// A setting that makes no sense, whatever is out there.
fn misspelt(what: &'static str, settings: Vec<(&'static str, String)>, says: &[&'static str]) -> Case {
    Case { what, settings, exit_code: 2, code: "CONFIG_INVALID", says: says.to_vec() }
}

/// An event store that cannot be used.
fn events(what: &'static str, settings: Vec<(&'static str, String)>, says: &[&'static str]) -> Case {
    Case { what, settings, exit_code: 1, code: "EVENT_STORE_UNUSABLE", says: says.to_vec() }
}

/// A database that cannot be used.
fn rows(what: &'static str, url: String, says: &[&'static str]) -> Case {
    let settings = vec![(ROWS_URL, url)];
    Case { what, settings, exit_code: 1, code: "READ_STORE_UNUSABLE", says: says.to_vec() }
}

/// Runs a process that must not start, to its end.
async fn run_to_its_end(data_dir: PathBuf, start: Start) -> Ran {
    let running = tokio::task::spawn_blocking(move || {
        let own = ["--listen".into(), "127.0.0.1:0".into(), "--data-dir".into(), data_dir.into_os_string()];
        let arguments = own.into_iter().chain(start.arguments);
        let mut command = binary::command(&["timeout".into(), SECONDS_MAX.into()], arguments);
        command.envs(start.environment);
        binary::ran(&mut command)
    });
    running.await.expect("it runs")
}

async fn tried(cluster: &Cluster, role: &str, settings: &[(&'static str, String)]) -> Ran {
    let mut start = cluster.start(role, role);
    start.environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    run_to_its_end(cluster.data_dir().to_owned(), start).await
}

/// Fails unless it ended with this code, said so well, and showed no secret.
#[track_caller]
fn assert_refused(what: &str, ran: &Ran, exit_code: i32, code: &str, says: &[&str]) {
    assert_eq!(ran.code, exit_code, "{what}: {ran:?}");
    let (error, help) = ran.stderr.rsplit_once("\n  = help: ").unwrap_or_else(|| panic!("{what}: no help: {ran:?}"));
    let error = error.lines().last().unwrap_or_default();
    assert!(error.starts_with(&format!("error[{code}]: ")), "{what}: {ran:?}");
    for words in says {
        assert!(error.contains(words) || help.contains(words), "{what}: nothing of {words}: {ran:?}");
    }
    assert!(help.trim().len() > 20, "{what}: {ran:?}");
    assert!(!error.contains("read.db") && !help.contains("events.db") && !help.contains("disk"), "{what}: {ran:?}");
    assert!(!ran.stderr.contains(SECRET) && ran.stdout.is_empty(), "{what}: {ran:?}");
}

/// Tries every case with both kinds of process.
async fn try_all(cluster: &Cluster, cases: Vec<Case>) {
    let all = cases.iter().flat_map(|case| ["serve", "work"].map(|role| (case, role)));
    let runs = stream::iter(all).map(async |(case, role)| (case, role, tried(cluster, role, &case.settings).await));
    let ended: Vec<_> = runs.buffer_unordered(AT_ONCE).collect().await;
    for (case, role, ran) in ended {
        assert_refused(&format!("{role}, {}", case.what), &ran, case.exit_code, case.code, &case.says);
    }
}

/// A port on which nobody listens, and nobody else can as long as the socket is kept.
fn closed_port() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port");
    let port = socket.local_addr().expect("an address").port();
    (socket, port)
}

/// A port on which somebody takes connections and says nothing.
async fn silent_port() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

async fn double(options: Options) -> Double {
    Double::start(Arc::new(MemoryEventStore::new()), options).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_store_that_cannot_be_used_is_told_with_what_to_set() {
    let cluster = Cluster::new().await;
    let guarded = double(Options { access: Some(Access::new("millrace", "right")), ..Options::default() }).await;
    let access = Access { may_read_all: false, ..Access::new("millrace", "right") };
    let narrow = double(Options { access: Some(access), ..Options::default() }).await;
    let secured = double(Options { has_tls: true, ..Options::default() }).await;
    let named =
        double(Options { has_tls: true, names: vec!["elsewhere.example".to_owned()], ..Options::default() }).await;
    let busy = double(Options::default()).await;
    busy.faults().plan(Plan::new(Operation::Read, Fault::Unavailable).always());
    let (_silent, silent) = silent_port().await;
    let (_closed, closed) = closed_port();
    let url = |text: String| vec![(EVENTS_URL, text)];
    let plain = |double: &Double| format!("esdb://{}?tls=false", double.address());
    let user = |double: &Double, password: &str| {
        vec![(EVENTS_URL, plain(double)), (EVENTS_USER, "millrace".to_owned()), (EVENTS_PASSWORD, password.to_owned())]
    };
    let own = cluster.double.address();
    let cases = vec![
        misspelt("no connection string", url("nonsense".to_owned()), &["event_store.url", "esdb://HOST:2113"]),
        misspelt("another scheme", url(format!("http://me:{SECRET}@127.0.0.1")), &["event_store.url", "scheme http"]),
        misspelt("no host", url(format!("esdb://me:{SECRET}@")), &["event_store.url", "a host is missing"]),
        misspelt("no port", url("esdb://127.0.0.1:port".to_owned()), &["event_store.url", "a port is no number"]),
        misspelt(
            "an unknown option",
            url(format!("esdb://me:{SECRET}@{own}?tls=false&keepAlive=1")),
            &["event_store.url", "keepaliveinterval"],
        ),
        misspelt(
            "another node",
            url(format!("esdb://{own}?tls=false&nodePreference=follower")),
            &["event_store.url", "leave nodePreference out"],
        ),
        misspelt("a user without a password", vec![(EVENTS_USER, "me".to_owned())], &["event_store.username"]),
        misspelt(
            "a password file that is not there",
            vec![
                (EVENTS_USER, "me".to_owned()),
                ("MILLRACE_EVENT_STORE__PASSWORD_FILE", "/nowhere/password".to_owned()),
            ],
            &["event_store.password_file", "/nowhere/password"],
        ),
        events("nobody listens", url(format!("esdb://127.0.0.1:{closed}?tls=false")), &["refuses connections"]),
        events("no such name", url("esdb://nowhere.invalid:2113".to_owned()), &["nowhere.invalid is not found"]),
        events("nobody answers", url(format!("esdb://127.0.0.1:{silent}?tls=false")), &["says nothing"]),
        events("nobody answers with TLS", url(format!("esdb://127.0.0.1:{silent}")), &["no TLS handshake in time"]),
        events("never ready", url(plain(&busy)), &["does not answer as it should", "own log"]),
        events("no user", url(plain(&guarded)), &["wants a user", "event_store.password_file"]),
        events("a wrong password", user(&guarded, SECRET), &["does not accept user and password"]),
        events("too few rights", user(&narrow, "right"), &["may not read $all", "Rights"]),
        events("no TLS there", url(format!("esdb://{own}")), &["does not speak TLS", "tls=false"]),
        events("TLS there", url(plain(&secured)), &["wants TLS", "tls=false"]),
        events(
            "an unknown authority",
            url(format!("esdb://{}", secured.address())),
            &["is not trusted", "event_store.ca_file"],
        ),
        events("another name", url(named.connection_string()), &["is not trusted", "not valid for name"]),
        events(
            "no authority",
            vec![(EVENTS_URL, format!("esdb://{}", secured.address())), (EVENTS_CA, "/nowhere/ca.pem".to_owned())],
            &["/nowhere/ca.pem", "PEM"],
        ),
    ];
    try_all(&cluster, cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_cannot_be_used_is_told_with_what_to_set() {
    let cluster = Cluster::new().await;
    let server = tokio::task::spawn_blocking(|| PostgresServer::start(Durability::None)).await.expect("a server");
    let sql = "CREATE ROLE secured; CREATE ROLE shop LOGIN PASSWORD 'right' IN ROLE secured; \
               CREATE ROLE narrow LOGIN CONNECTION LIMIT 0; CREATE ROLE poor LOGIN; \
               CREATE ROLE reader LOGIN; ALTER ROLE reader SET default_transaction_read_only = on; \
               CREATE SCHEMA closed; GRANT USAGE ON SCHEMA closed TO poor";
    run(&server.url(), sql).await;
    run(&server.url(), "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'")
        .await;
    let of = |user: &str, database: &str| server.url_of(user, database);
    let (_silent, silent) = silent_port().await;
    let (_closed, closed) = closed_port();
    let misspelt = |what, url: &str, says: &[&'static str]| misspelt(what, vec![(ROWS_URL, url.to_owned())], says);
    let cases = vec![
        misspelt("no address", "nonsense", &["read_store.url", "postgres://"]),
        misspelt("no database", &format!("postgres://me:{SECRET}@127.0.0.1"), &["read_store.url", "names no database"]),
        misspelt("no user", "postgres://127.0.0.1/shop", &["read_store.url", "names no user"]),
        misspelt("an unknown mode", &with(&server.url(), "sslmode=perhaps"), &["read_store.url", "verify-full"]),
        misspelt("an unknown parameter", &with(&server.url(), "colour=red"), &["read_store.url", "unknown option"]),
        rows(
            "a wrong password",
            of(&format!("shop:{SECRET}"), "postgres"),
            &["does not let the user in", "pg_hba.conf"],
        ),
        Case {
            settings: vec![(ROWS_URL, of("shop", "postgres")), (ROWS_PASSWORD, SECRET.to_owned())],
            ..rows("a wrong password in a setting", String::new(), &["does not let the user in", "password_file"])
        },
        rows("no password", of("shop", "postgres"), &["password", "read_store.password_file"]),
        rows("no such database", of("millrace", "nowhere"), &["no such database", "CREATE DATABASE"]),
        rows("another encoding", of("millrace", "latin"), &["LATIN1", "UTF8"]),
        rows("read-only", of("reader", "postgres"), &["read-only", "default_transaction_read_only"]),
        rows(
            "no schema",
            with(&of("millrace", "postgres"), "options=-c%20search_path%3Dnowhere"),
            &["cannot make tables", "CREATE SCHEMA"],
        ),
        rows(
            "too few rights",
            with(&of("poor", "postgres"), "options=-c%20search_path%3Dclosed"),
            &["cannot make tables", "GRANT CREATE ON SCHEMA \"closed\""],
        ),
        rows("no connection left", of("narrow", "postgres"), &["no connection left", "max_connections"]),
        rows("no TLS there", with(&server.url(), "sslmode=require"), &["cannot be made safe", "read_store.ca_file"]),
        rows("nobody listens", format!("postgres://me:{SECRET}@127.0.0.1:{closed}/shop"), &["cannot be reached"]),
        rows("nobody answers", format!("postgres://me:{SECRET}@127.0.0.1:{silent}/shop"), &["does not answer in time"]),
    ];
    try_all(&cluster, cases).await;
}

/// A cluster that has sold something: its read models know their log.
async fn in_use(engine: Arc<dyn EventStore>) -> Cluster {
    let cluster = Cluster::on(engine, PostgresSchema::new().await).await;
    let (worker, api) = tokio::join!(cluster.worker("w"), cluster.api("a"));
    let tea = shop::register(&api.operator(), "TEA-1").await;
    for _ in 0..3 {
        let placed = shop::place(&api.customer("alice"), &tea.id).await;
        shop::all_orders(&api.operator(), &placed.position).await;
    }
    worker.stop().await;
    api.stop().await;
    // The log is known by its first event, which is noted by the first process that starts when there is one.
    let (worker, api) = tokio::join!(cluster.worker("w"), cluster.api("a"));
    let placed = shop::place(&api.customer("alice"), &tea.id).await;
    shop::all_orders(&api.operator(), &placed.position).await;
    worker.stop().await;
    api.stop().await;
    cluster
}

/// The first events of a log, as a backup holds them.
async fn backup(engine: &dyn EventStore, events: usize) -> Arc<MemoryEventStore> {
    let copy = MemoryEventStore::new();
    let page = engine.read_all(Position::START, &TypeFilter::All, events).await.expect("a page");
    for event in page.events {
        let (stream, revision) = (event.stream, event.revision);
        let expected = match revision {
            Revision::FIRST => ExpectedRevision::NoStream,
            revision => ExpectedRevision::Exact(Revision::new(revision.value() - 1)),
        };
        let event = NewEvent {
            id: event.id,
            type_name: event.type_name,
            at: event.recorded_at,
            metadata: event.metadata,
            data: event.data,
        };
        copy.append(Append { stream, expected, events: Arc::from([event]) }).await.expect("a copy of an event");
    }
    Arc::new(copy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_do_not_belong_together_are_refused_and_stay_as_they_are() {
    let engine = Arc::new(MemoryEventStore::new());
    let (one, two) = tokio::join!(in_use(engine.clone()), in_use(Arc::new(MemoryEventStore::new())));
    let rows = async || one.schema.run("SELECT count(*) FROM order_summary_g1").await;
    let before = rows().await;
    let head = engine.head().await.expect("a head");
    let older = backup(&*engine, usize::try_from(head.value()).expect("small") - 2).await;
    let older = Double::start(older, Options::default()).await;
    for role in ["serve", "work"] {
        let mixed = tried(&one, role, &[(EVENTS_URL, two.double.connection_string())]).await;
        assert_refused("another log", &mixed, 1, "READ_STORE_OF_ANOTHER_LOG", &["event store", "read store"]);
        let empty = double(Options::default()).await;
        let mixed = tried(&one, role, &[(EVENTS_URL, empty.connection_string())]).await;
        assert_eq!(mixed.code, 1, "an empty log: {mixed:?}");
        assert!(mixed.stderr.contains("error[READ_STORE_"), "an empty log: {mixed:?}");
        let restored = tried(&one, role, &[(EVENTS_URL, older.connection_string())]).await;
        assert_eq!(restored.code, 1, "an older log: {restored:?}");
        assert!(restored.stderr.contains("error[READ_STORE_AHEAD]"), "an older log: {restored:?}");
    }
    assert_eq!(rows().await, before);
    // With its own event store it goes on as if nothing had been.
    let (worker, api) = tokio::join!(one.worker("w"), one.api("a"));
    eventually("the rows are right", async || {
        let verified = one.millrace(&["verify"]);
        tokio::time::sleep(Duration::from_millis(100)).await;
        (verified.code == 0).then_some(())
    })
    .await;
    worker.stop().await;
    api.stop().await;
}
