//! Which tests run on which profile: those that say what Millrace does run on both, the embedded one and the cluster's (a
//! double of EventStoreDB, PostgreSQL, one process that serves and one that works). This binary is run once more for the
//! latter, with the tests that this file chooses.
//!
//! A test that is added to a module here runs on both by itself; a new module must be put into the table.

use std::{
    collections::BTreeSet,
    env, fs,
    process::Command,
    time::{Duration, Instant},
};

use tests::{
    faults::say,
    profile::{PROFILE, is_cluster},
};

/// The re-run itself. `tests/run` gives it a step of its own, by this name.
const RERUN: &str = "both_profiles::tests_of_both_profiles_pass_on_the_cluster_too";
/// How many tests run at the same time on the cluster. They wait more than they compute.
const THREADS: &str = "4";
/// At least so many run there: fewer mean that the choice is broken.
const TESTS_MIN: usize = 60;
/// What nobody waits longer for.
const TIME_MAX: Duration = Duration::from_secs(10 * 60);

/// Where the tests of a module run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runs {
    /// On both profiles, except for those in [`EMBEDDED_ONLY`].
    OnBoth,
    /// Once, for this reason.
    Once(&'static str),
}

use Runs::{OnBoth, Once};

/// Every module of this binary.
const MODULES: [(&str, Runs); 48] = [
    ("both_profiles", Once("it is the re-run itself")),
    ("cli", OnBoth),
    ("cluster", Once("it has the cluster's processes and stores as it is")),
    ("cluster_faults", Once("processes of the cluster as it is")),
    ("cluster_start", Once("processes of the cluster as it is")),
    ("connection_faults", Once("processes of the cluster as it is")),
    ("contracts", Once("adapters, each of them, without a server")),
    ("crash", Once("kill -9 of the one process that has the files; cluster.rs does it to several")),
    ("demo", Once("a demonstration is embedded, and refuses stores that others share")),
    ("edges", OnBoth),
    ("equivalence", Once("read models against a second reading of the log, without a server")),
    ("errors_doc", Once("a document")),
    ("esdb_double", Once("the double itself")),
    ("events_copy", Once("logs that move from one profile to the other")),
    ("events_data", Once("`millrace events export`, `import` and `check` on the files of the embedded event store")),
    ("eventstoredb", Once("the adapter, without a server")),
    ("fan_out_crash", Once("kill -9 of the one process that has the files, and the lock of one of them")),
    ("faults", OnBoth),
    ("follow", OnBoth),
    ("fulfilment", OnBoth),
    ("inbox", OnBoth),
    ("live", OnBoth),
    ("notifications", OnBoth),
    ("order", OnBoth),
    ("order_handling", OnBoth),
    ("order_over_http", OnBoth),
    ("order_past", OnBoth),
    ("order_payments", OnBoth),
    ("order_stats", OnBoth),
    ("orders_export", OnBoth),
    ("payment_provider", Once("the adapter, without a server")),
    ("post", OnBoth),
    ("post_refusals", OnBoth),
    ("postgres", Once("the read store, without a server")),
    ("processes", OnBoth),
    ("product", OnBoth),
    ("profile", OnBoth),
    ("projection", OnBoth),
    ("projection_crash", Once("failpoints in the one process that has everything; cluster.rs kills several")),
    ("projections_cli", OnBoth),
    ("reaction", OnBoth),
    ("readme", Once("the walk of the README, which is one of the embedded profile")),
    ("snapshots", Once("the executor on stores of its own, without a server")),
    ("social_graph", OnBoth),
    ("stock", OnBoth),
    ("telemetry", OnBoth),
    ("tidy", Once("sources and documents")),
    ("webhooks", OnBoth),
];

/// Tests of modules that run on both which are about the embedded engine, or about no server at all: each with why.
const EMBEDDED_ONLY: [(&str, &str); 20] = [
    ("cli::a_rebuild_works_with_a_running_server_and_without", "it deletes the file read.db"),
    ("cli::a_tail_prints_events_as_they_come_and_ends_well", "the file events.db; events_copy.rs has the other log"),
    ("cli::an_unknown_projection_is_refused_with_the_known_ones", "without a server, with the files"),
    ("cli::events_are_printed_by_place_number_and_stream", "positions that count; events_copy.rs has the other log"),
    ("cli::the_committed_schema_is_the_one_of_this_build", "no server"),
    ("cli::the_settings_that_apply_are_printed_without_secrets", "no server"),
    ("cli::there_is_no_token_for_production", "no server"),
    ("faults::a_failed_fsync_stops_the_writer_for_good_and_nothing_else", "the disk under events.db"),
    ("faults::a_full_disk_refuses_writes_serves_reads_and_goes_on_when_there_is_room", "the disk under events.db"),
    ("faults::a_misspelt_setting_is_refused_with_the_nearest_name", "no server"),
    ("faults::a_second_process_on_the_same_data_is_refused_and_the_first_goes_on", "the lock of the data directory"),
    ("faults::development_mode_serves_this_machine_only", "no server"),
    (
        "processes::an_event_of_which_nobody_can_tell_whose_it_is_is_seen_from_outside",
        "it writes into the file events.db",
    ),
    ("processes::an_order_whose_event_cannot_be_read_waits_alone_until_it_can", "it writes into the file events.db"),
    ("processes::stock_and_money_add_up_and_what_does_not_is_named", "it writes into the file events.db"),
    ("processes::the_command_line_shows_processes_with_a_server_and_without", "without a server, with the files"),
    ("projections_cli::a_folder_without_events_is_left_as_it_is", "the file events.db"),
    (
        "projection::progress_shows_a_rebuild_and_a_pause_as_they_go",
        "what is told of each moment of a rebuild, and how often, is told by the process that rebuilds",
    ),
    (
        "projections_cli::long::a_second_order_joins_the_rebuild_that_runs_and_an_interruption_leaves_it_running",
        "it needs a rebuild that lasts, and so a log of many thousand events",
    ),
    ("live::a_subscriber_who_does_not_read_is_cut_off_alone_and_resumes_without_a_hole", "the socket; it takes long"),
];

/// The tests of this binary, by their names.
fn all() -> BTreeSet<String> {
    let output = this().args(["--list", "--format", "terse"]).output().expect("this binary runs");
    let listed = String::from_utf8_lossy(&output.stdout);
    listed.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

fn this() -> Command {
    Command::new(env::current_exe().expect("a process knows its program"))
}

fn module(test: &str) -> &str {
    test.split("::").next().unwrap_or_default()
}

fn runs(test: &str) -> Runs {
    let found = MODULES.iter().find(|(name, _)| *name == module(test));
    found.unwrap_or_else(|| panic!("say in MODULES where the tests of {} run", module(test))).1
}

#[test]
fn every_test_has_its_profiles_and_every_exception_is_a_test() {
    let all = all();
    for test in &all {
        runs(test);
    }
    for (name, _) in MODULES {
        assert!(all.iter().any(|test| module(test) == name), "there is no module {name} any more");
    }
    for (name, _) in EMBEDDED_ONLY {
        assert!(all.contains(name) && runs(name) == OnBoth, "{name} is no test of a module that runs on both");
    }
    let run = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/run")).expect("tests/run");
    assert!(all.contains(RERUN) && run.contains(&format!("\"{RERUN}\"")), "tests/run leaves the re-run out");
}

#[test]
fn tests_of_both_profiles_pass_on_the_cluster_too() {
    if is_cluster() {
        return;
    }
    let all = all();
    let is_chosen =
        |test: &&String| runs(test) == OnBoth && !EMBEDDED_ONLY.iter().any(|(name, _)| *name == test.as_str());
    let chosen: Vec<&String> = all.iter().filter(is_chosen).collect();
    assert!(chosen.len() >= TESTS_MIN, "only {} tests were chosen", chosen.len());
    let began = Instant::now();
    let mut command = this();
    command.args(["--exact", "--test-threads", THREADS]).args(&chosen).env(PROFILE, "cluster");
    let output = command.output().expect("this binary runs");
    let says = String::from_utf8_lossy(&output.stdout);
    let took = began.elapsed();
    let failed = says.find("\nfailures:\n").map_or("", |at| &says[at..]);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "on the cluster ({PROFILE}=cluster):\n{failed}\n{complaints}");
    let passed = format!("test result: ok. {} passed", chosen.len());
    assert!(says.contains(&passed), "not all of {} tests were run:\n{says}", chosen.len());
    assert!(took < TIME_MAX, "it took {took:?}");
    let once = all.len() - chosen.len();
    say(&format!(
        "both profiles: {} tests pass on the cluster too, {} s; {} of their modules and {} of other modules run once",
        chosen.len(),
        took.as_secs(),
        EMBEDDED_ONLY.len(),
        once - EMBEDDED_ONLY.len()
    ));
}
