//! Appends of unknown outcome: random faults under many writers, checked against what the writers know.
//!
//! A run is made from a seed: several adapters write to a few streams in one double while its connections drop and
//! reset, its answers are lost or late, and its leader seems to be elsewhere. Each writer keeps a journal outside the
//! store. In the end every acknowledged append is there once, at the place it was given; what was a conflict or known not
//! to be written is not there; and every append of unknown outcome is there once or not at all.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};

use futures_util::future::join_all;
use infrastructure::event_store::Appended;
use tests::{faults::say, random::Random};
use uuid::Uuid;

use super::*;

/// How many runs the suite makes; more by hand with the variable.
const SEEDS: u64 = 60;
const SEEDS_VARIABLE: &str = "MILLRACE_ESDB_SEEDS";
/// A single run again, or the first of many others.
const SEED_VARIABLE: &str = "MILLRACE_ESDB_SEED";
/// How many runs go on at the same time.
const AT_ONCE: usize = 6;
const WRITERS: usize = 4;
const STREAMS: usize = 3;
const APPENDS: usize = 10;
/// How long a writer asks again. Longer than a call may take, so that most appends end well in the end.
const PATIENT: Duration = Duration::from_millis(500);
/// How long one of the writers asks: no longer than for one call, so that outcomes stay unknown in every campaign, on a fast
/// machine, too.
const IMPATIENT: Duration = Duration::from_millis(150);

/// What a writer knows of one append.
struct Entry {
    sent: Append,
    /// Whether the same bytes were sent before, with an unknown outcome.
    is_again: bool,
    answer: Result<Appended, AppendError>,
}

/// How often each fault happened, and each kind of answer came.
#[derive(Default)]
struct Tally {
    faults: HashMap<FaultKind, u64>,
    answers: HashMap<&'static str, u64>,
}

/// The faults of a run: each at one append in so many.
fn faults(double: &Double) -> Vec<(Fault, u64)> {
    vec![
        (Fault::DropBefore, 24),
        (Fault::DropAfter, 16),
        (Fault::ResetBefore, 24),
        (Fault::ResetAfter, 16),
        (Fault::HangBefore, 40),
        (Fault::HangAfter, 40),
        (Fault::TimedOutBefore, 30),
        (Fault::TimedOutAfter, 16),
        (Fault::Unavailable, 30),
        (Fault::Busy, 30),
        (Fault::NotLeader(double.address()), 40),
        (Fault::Delay(Duration::from_millis(20)), 20),
        (Fault::ReplicateLater(Duration::from_millis(80)), 60),
    ]
}

fn options(double: &Double, append_budget: Duration) -> EventStoreDbOptions {
    let mut options = hasty(&format!("{}&discoveryInterval=5", double.connection_string()));
    options.call_timeout = Duration::from_millis(200);
    options.open_deadline = PATIENCE;
    options.read_budget = PATIENCE;
    options.append_budget = append_budget;
    options.retry_pauses = (Duration::from_millis(5), Duration::from_millis(50));
    options.poll_interval = PATIENCE;
    options
}

/// Writes to random streams where they are, as far as this writer knows.
async fn write(
    store: &EventStoreDb,
    streams: &[infrastructure::event_store::StreamId],
    mut random: Random,
) -> Vec<Entry> {
    let mut journal = Vec::new();
    for _ in 0..APPENDS {
        let stream = &streams[random.index(streams.len())];
        let page = store.read_stream(stream, Revision::MAX, Direction::Backwards, 1).await.expect("a page");
        let length = page.events.first().map_or(0, |last| last.revision.value() + 1);
        let sent = append(stream, length, events(1 + random.index(3)));
        let answer = store.append(sent.clone()).await;
        let asks_again = matches!(answer, Err(AppendError::OutcomeUnknown(_))) && random.below(2) == 0;
        journal.push(Entry { sent: sent.clone(), is_again: false, answer });
        if asks_again {
            // As a caller does who wants to know: the same bytes again.
            let answer = store.append(sent.clone()).await;
            journal.push(Entry { sent, is_again: true, answer });
        }
    }
    journal
}

/// One run.
async fn run(seed: u64, tally: &Mutex<Tally>) -> Result<(), String> {
    let mut random = Random::new(seed);
    // Servers differ in how they answer what they have seen before.
    let repeats = [Repeats::Whole, Repeats::WithoutPosition, Repeats::AsConflict][random.index(3)];
    let server = Options { repeats, ..short() };
    let double = Double::start(Arc::new(MemoryEventStore::new()), server).await;
    let budgets = (0..WRITERS).map(|writer| if writer == 0 { IMPATIENT } else { PATIENT });
    let stores = join_all(budgets.map(|budget| open(options(&double, budget)))).await;
    let streams: Vec<_> = (0..STREAMS).map(|_| stream("order")).collect();
    for (fault, every) in faults(&double) {
        double.faults().plan(Plan::new(Operation::Append, fault).always().one_in(every, random.fork()));
    }
    double.faults().plan(Plan::new(Operation::Read, Fault::ResetBefore).always().one_in(40, random.fork()));
    let writers = stores.iter().map(|store| write(store, &streams, random.fork()));
    let journal: Vec<_> = join_all(writers).await.into_iter().flatten().collect();
    let kinds: Vec<_> = faults(&double).into_iter().map(|(fault, _)| fault.kind()).collect();
    double.faults().clear();
    double.faults().release();
    // What hung goes on, and finds that it comes too late, or not.
    tokio::time::sleep(Duration::from_millis(150)).await;
    let mut there = HashMap::new();
    for stream in &streams {
        there.insert(stream.clone(), whole_stream(&stores[0], stream).await);
    }
    let log = whole_log(&stores[0]).await;
    {
        let mut tally = tally.lock().expect("no run panics with it");
        for kind in kinds {
            *tally.faults.entry(kind).or_default() += double.faults().fired_at(Operation::Append, kind);
        }
        for entry in &journal {
            *tally.answers.entry(name(&entry.answer)).or_default() += 1;
        }
    }
    check(&journal, &there, &log)
}

fn name(answer: &Result<Appended, AppendError>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(AppendError::WrongExpectedRevision { .. }) => "conflict",
        Err(AppendError::OutcomeUnknown(_)) => "unknown",
        Err(AppendError::NotWritten(_)) => "not written",
        Err(AppendError::Refused(_)) => "refused",
    }
}

/// What must hold of every run.
fn check(
    journal: &[Entry],
    there: &HashMap<infrastructure::event_store::StreamId, Vec<RecordedEvent>>,
    log: &[RecordedEvent],
) -> Result<(), String> {
    let ids: HashSet<_> = log.iter().map(|event| event.id).collect();
    if ids.len() != log.len() {
        return Err(format!("{} of {} events are there twice", log.len() - ids.len(), log.len()));
    }
    if there.values().map(Vec::len).sum::<usize>() != log.len() {
        return Err("the log and the streams differ".to_owned());
    }
    let known: HashSet<Uuid> =
        journal.iter().flat_map(|entry| entry.sent.events.iter().map(|event| event.id)).collect();
    if let Some(stray) = log.iter().find(|event| !known.contains(&event.id)) {
        return Err(format!("nobody has sent {stray:?}"));
    }
    for Entry { sent, is_again, answer } in journal {
        let first = usize::try_from(sent.expected.first_new().value()).expect("a short stream");
        let stream = &there[&sent.stream];
        let place = stream.get(first..first + sent.events.len()).unwrap_or_default();
        let is_there = are(place, sent);
        let is_nowhere = sent.events.iter().all(|event| !ids.contains(&event.id));
        let is_right = match answer {
            Ok(appended) => is_there && place.iter().map(|event| event.position).eq(appended.positions.iter().copied()),
            // Had an earlier try been written, that would not be a conflict but a success.
            Err(AppendError::WrongExpectedRevision { .. }) => is_nowhere,
            Err(AppendError::OutcomeUnknown(_)) => is_there || is_nowhere,
            Err(AppendError::NotWritten(_)) => is_nowhere || (*is_again && is_there),
            Err(AppendError::Refused(_)) => false,
        };
        if !is_right {
            let actual: Vec<_> = stream.iter().map(|event| event.id).collect();
            return Err(format!("{answer:?} for {sent:?}; the stream is {actual:?}"));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_append_is_lost_or_written_twice_whatever_fails() {
    let count = tests::binary::variable(SEEDS_VARIABLE).map_or(SEEDS, |text| text.parse().expect("a number"));
    let first = Random::seed(SEED_VARIABLE);
    say(&format!("appends of unknown outcome: {count} runs, the first with {SEED_VARIABLE}={first}"));
    let tally = Mutex::new(Tally::default());
    let seeds: Vec<_> = (0..count).map(|run| first.wrapping_add(run)).collect();
    for some in seeds.chunks(AT_ONCE) {
        let runs = some.iter().map(|seed| async { (*seed, run(*seed, &tally).await) });
        for (seed, outcome) in join_all(runs).await {
            if let Err(why) = outcome {
                panic!("{SEED_VARIABLE}={seed}: {why}");
            }
        }
    }
    let tally = tally.into_inner().expect("no run panicked with it");
    say(&format!("answers {:?}; faults {:?}", tally.answers, tally.faults));
    if count >= SEEDS {
        let silent: Vec<_> = tally.faults.iter().filter(|(_, times)| **times == 0).collect();
        assert!(silent.is_empty(), "{SEED_VARIABLE}={first}: these never happened: {silent:?}");
        for answer in ["ok", "conflict", "unknown"] {
            assert!(tally.answers.contains_key(answer), "{SEED_VARIABLE}={first}: no answer was {answer}");
        }
    }
}
