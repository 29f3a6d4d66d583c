//! What may stand in which source.

use super::{File, Source, files, lexer, lines_with, report, slices, sources};

/// The most lines of a production file. What does not fit in the head is split.
const LINES_MAX: usize = 500;

/// Longer files, each with the reason why it is better whole.
const LONGER: [(&str, &str); 0] = [];

/// SQL in projections that is nobody's read model: file and reason.
const SQL_OF_THE_MACHINERY: [(&str, &str); 2] = [
    ("projections/src/bookkeeping.rs", "the table of generations and checkpoints"),
    ("projections/src/table.rs", "writes the statements that every keyed table needs, from its columns"),
];

/// The files with SQL in infrastructure, beside the adapters: each has tables of its own.
const SQL_OF_INFRASTRUCTURE: [&str; 3] = [
    "infrastructure/src/lease/sql.rs",
    "infrastructure/src/process/sql.rs",
    "infrastructure/src/snapshot_store/sql.rs",
];

/// Names of other libraries that hold a slice's word: name and where it is from.
const NAMES_OF_OTHERS: [(&str, &str); 1] = [("PostCreateHook", "an error of deadpool")];

const SQL: [&str; 6] = ["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM", "CREATE TABLE", "DROP TABLE"];

/// A word, put together so that this file does not hold it.
fn word(parts: &[&str]) -> String {
    parts.concat()
}

/// Lines of `sources` whose code, without comments, holds one of `words`.
fn code_with<'a>(sources: impl IntoIterator<Item = &'a Source>, words: &[&str]) -> Vec<String> {
    sources.into_iter().flat_map(|source| lines_with(&source.path, &source.code, words)).collect()
}

/// Lines of `sources` whose names hold one of `words`.
fn names_with<'a>(sources: impl IntoIterator<Item = &'a Source>, words: &[&str]) -> Vec<String> {
    sources.into_iter().flat_map(|source| lines_with(&source.path, &source.words, words)).collect()
}

fn production(crates: &[&'static str]) -> impl Iterator<Item = &'static Source> {
    sources().iter().filter(move |source| source.is_production_of(crates))
}

#[test]
fn the_domain_is_pure() {
    let words =
        ["async", "await", "tokio", "std::fs", "std::net", "std::env", "std::thread", "Utc::now", "Instant::now"];
    let mut problems = code_with(production(&["domain"]), &words);
    problems.extend(code_with(production(&["domain"]), &SQL));
    report(
        "The domain does no IO and reads no clock. Take it as an argument, or move the code to the right.",
        &problems,
    );
}

#[test]
fn sql_drivers_are_named_in_the_adapters_only() {
    let adapters =
        ["infrastructure/src/read_store", "infrastructure/src/event_store", "infrastructure/src/wal.rs", "tests"];
    let others = sources().iter().filter(|source| !adapters.iter().any(|adapter| source.is_under(adapter)));
    let problems = names_with(others, &["rusqlite", "tokio_postgres", "deadpool_postgres", "sqlx"]);
    report("Go through infrastructure::read_store or infrastructure::event_store.", &problems);
}

#[test]
fn sql_stands_in_sql_rs_and_query_rs_only() {
    let has_a_place = |source: &Source| {
        let is_read_model = source.path.ends_with("/sql.rs") || source.path.ends_with("/query.rs");
        is_read_model || SQL_OF_THE_MACHINERY.iter().any(|(path, _)| source.path == *path)
    };
    let projections = production(&["projections"]).filter(|source| !has_a_place(source));
    let mut problems = code_with(projections, &SQL);
    problems.extend(code_with(production(&["api"]), &SQL));
    let adapters = ["infrastructure/src/read_store", "infrastructure/src/event_store"];
    let is_adapter = |source: &Source| adapters.iter().any(|adapter| source.is_under(adapter));
    let is_allowed = |source: &Source| is_adapter(source) || SQL_OF_INFRASTRUCTURE.contains(&source.path.as_str());
    let infrastructure = production(&["infrastructure"]).filter(|source| !is_allowed(source));
    problems.extend(code_with(infrastructure, &SQL));
    report("Move SQL into the read model's sql.rs or query.rs.", &problems);

    let needless = SQL_OF_THE_MACHINERY.iter().filter(|(path, _)| {
        !production(&["projections"]).any(|source| source.path == *path && !code_with([source], &SQL).is_empty())
    });
    let needless: Vec<_> = needless.map(|(path, _)| (*path).to_owned()).collect();
    report("These hold no SQL: take them off SQL_OF_THE_MACHINERY in tests/it/tidy/sources.rs.", &needless);
}

#[test]
fn graphql_stays_in_the_api() {
    let others = sources().iter().filter(|source| !source.is_under("api"));
    let problems = names_with(others, &["async_graphql"]);
    report("GraphQL is the API's affair: give the others plain types.", &problems);
}

#[test]
fn infrastructure_names_no_slice() {
    let slices = slices();
    let mut problems = Vec::new();
    // A provider outside is asked about payments and nothing else: the port to it speaks of them.
    let others =
        production(&["infrastructure"]).filter(|source| !source.is_under("infrastructure/src/payment_gateway"));
    for source in others {
        for (number, (words, code)) in (1..).zip(source.words.lines().zip(source.code.lines())) {
            let found = slices.iter().find(|slice| names_slice(words, slice) || quotes_slice(code, slice));
            problems.extend(found.map(|slice| format!("{}:{number}: {slice}", source.path)));
        }
    }
    report("Infrastructure serves every slice alike. Make it generic over Decider or EventPayload.", &problems);

    let is_used = |name: &str| production(&["infrastructure"]).any(|source| lexer::has_word(&source.words, name));
    let needless = NAMES_OF_OTHERS.iter().filter(|(name, _)| !is_used(name));
    let needless: Vec<_> = needless.map(|(name, _)| (*name).to_owned()).collect();
    report("Nobody uses these: take them off NAMES_OF_OTHERS in tests/it/tidy/sources.rs.", &needless);
}

/// Whether code names a slice by a path (`order::`) or by a type (`OrderEvent`, `PlaceOrder`). The bare word may be
/// plain English.
fn names_slice(words: &str, slice: &str) -> bool {
    let path = words.match_indices(slice).any(|(at, _)| {
        let before = &words[..at];
        let after = &words[at + slice.len()..];
        let whole = !before.ends_with(lexer::is_word) && !after.starts_with(lexer::is_word);
        whole && (before.ends_with("::") || after.starts_with("::"))
    });
    let ours = lexer::names(words).filter(|name| NAMES_OF_OTHERS.iter().all(|(other, _)| other != name));
    path || ours.flat_map(humps).any(|hump| hump.eq_ignore_ascii_case(slice))
}

/// The words of a type's name: `PlaceOrder` has two. None if it is no type's name.
fn humps(name: &str) -> Vec<&str> {
    if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
        return Vec::new();
    }
    let starts: Vec<_> = name.match_indices(|c: char| c.is_ascii_uppercase()).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([name.len()]);
    starts.iter().zip(ends).map(|(start, end)| &name[*start..end]).collect()
}

/// Whether code holds a literal that is a slice's category, event type or stream.
fn quotes_slice(code: &str, slice: &str) -> bool {
    ["\"", ".", "-"].iter().any(|next| code.contains(&format!("\"{slice}{next}")))
}

#[test]
fn a_slice_is_recognised_by_path_type_and_category() {
    for code in ["use domain::order;", "order::decide(x)", "fn f(e: OrderEvent)", "PlaceOrder", "Order"] {
        assert!(names_slice(code, "order"), "{code}");
    }
    for code in ["let order = 1;", "Ordering::Relaxed", "border::thin", "in_order()", "disorder::x"] {
        assert!(!names_slice(code, "order"), "{code}");
    }
    assert!(quotes_slice(r#"("order.placed.v1")"#, "order") && quotes_slice(r#""order""#, "order"));
    assert!(!quotes_slice(r#""orderly""#, "order"));
}

#[test]
fn the_executor_alone_appends() {
    // What is copied was decided when it was appended at first.
    let may = ["infrastructure/src/execute", "infrastructure/src/event_store", "api/src/roles/events/copy"];
    let crates = ["domain", "infrastructure", "projections", "api"];
    let others = production(&crates).filter(|source| !may.iter().any(|path| source.is_under(path)));
    let mut problems = Vec::new();
    for source in others {
        for (number, line) in (1..).zip(source.words.lines()) {
            // `Vec::append` takes a `&mut`.
            if line.split(".append(").skip(1).any(|rest| !rest.trim_start().starts_with("&mut ")) {
                problems.push(format!("{}:{number}", source.path));
            }
        }
    }
    report("Events are decided before they are appended: send a command through infrastructure::execute.", &problems);
}

#[test]
fn every_source_says_what_it_is_for() {
    let silent = sources().iter().filter(|source| !source.text.starts_with("//! "));
    let problems: Vec<_> = silent.map(|source| source.path.clone()).collect();
    report("Open the file with a `//!` line: what it is for, what it deliberately does not do.", &problems);
}

#[test]
fn production_files_fit_in_the_head() {
    let lines = |source: &Source| source.text.lines().count();
    let is_excused = |source: &Source| LONGER.iter().any(|(path, _)| source.path == *path);
    let crates = ["domain", "infrastructure", "projections", "api"];
    let long: Vec<_> = production(&crates).filter(|source| lines(source) > LINES_MAX).collect();
    let problems: Vec<_> = long
        .iter()
        .filter(|source| !is_excused(source))
        .map(|source| format!("{}: {} lines", source.path, lines(source)))
        .collect();
    report(&format!("Split what has more than {LINES_MAX} lines by what it is about."), &problems);

    let needless = LONGER.iter().filter(|(path, _)| !long.iter().any(|source| source.path == *path));
    let needless: Vec<_> = needless.map(|(path, _)| (*path).to_owned()).collect();
    report("These are short enough: take them off LONGER in tests/it/tidy/sources.rs.", &needless);
}

#[test]
fn every_contract_case_is_in_its_suite() {
    let mut problems = Vec::new();
    for source in sources().iter().filter(|source| source.is_under("tests/src/contracts")) {
        let names: Vec<_> = lexer::names(&source.words).collect();
        for case in names.windows(4).filter(|window| window[..3] == ["pub", "async", "fn"]).map(|window| window[3]) {
            // Its definition, and its place in the list of cases.
            if names.iter().filter(|name| **name == case).count() < 2 {
                problems.push(format!("{}: {case}", source.path));
            }
        }
    }
    report("Add the case to the suite's list of cases: it never runs.", &problems);
}

#[test]
fn lints_are_expected_never_allowed() {
    let outer = word(&["#[all", "ow("]);
    let inner = word(&["#![all", "ow("]);
    let problems: Vec<_> =
        sources().iter().flat_map(|source| lines_with(&source.path, &source.words, &[&outer, &inner])).collect();
    report("Write `#[expect(lint, reason = \"...\")]`, which tells when it is no longer needed.", &problems);
}

#[test]
fn nothing_is_left_to_do_without_a_record() {
    let marks = [word(&["TO", "DO"]), word(&["FIX", "ME"]), word(&["XX", "X"])];
    let marks: Vec<_> = marks.iter().map(String::as_str).collect();
    let mut problems = Vec::new();
    for File { path, text } in files().iter().filter(|file| file.path != "Cargo.lock") {
        let recorded = |line: &str| {
            line.match_indices("ADR-").any(|(at, _)| line[at + 4..].starts_with(|c: char| c.is_ascii_digit()))
        };
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !recorded(line)) {
            if let Some(mark) = marks.iter().find(|mark| lexer::has_word(line, mark)) {
                problems.push(format!("{path}:{number}: {mark}"));
            }
        }
    }
    report("Do it, or write down the decision under docs/adr and name it in the same line (ADR-0001).", &problems);
}

#[test]
fn the_repository_speaks_of_itself_only() {
    let elsewhere = [
        word(&["/wo", "rk/"]),
        word(&["/ro", "ot/"]),
        word(&["sha", "red/"]),
        word(&["index.crates", ".io"]),
        word(&["static.crates", ".io"]),
        word(&["proxy.golang", ".org"]),
        word(&["registry.npmjs", ".org"]),
        word(&["pypi", ".org"]),
        word(&["artifact", "ory"]),
    ];
    let mut problems = Vec::new();
    for File { path, text } in files() {
        for (number, line) in (1..).zip(text.lines()) {
            let found = elsewhere.iter().find(|place| line.contains(*place));
            problems.extend(found.map(|place| format!("{path}:{number}: {place}")));
        }
    }
    report("Name no path or host of one machine: whoever clones the repository does not have it.", &problems);
}
