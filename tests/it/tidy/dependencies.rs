//! Who may depend on whom: the line of crates, the domain's few libraries, the lints that all share.

use toml::Table;

use super::{CRATES, read, report};

/// What the domain may use, and for what. Nothing that reads a clock, draws a number or does IO.
const DOMAIN_USES: [(&str, &str); 13] = [
    ("caseless", "case folding"),
    ("chrono", "moments"),
    ("imbl", "maps that are cheap to clone, for states that are large"),
    ("iso_currency", "the currencies and their minor units"),
    ("serde", "events as data"),
    ("serde_json", "upcasters work on JSON"),
    ("thiserror", "rejections are errors"),
    ("unicode-ident", "what words are made of"),
    ("unicode-normalization", "what is the same text"),
    ("unicode-security", "which handles could be mistaken"),
    ("unicode-segmentation", "what readers count as characters"),
    ("url", "addresses of pictures"),
    ("uuid", "ids"),
];

/// What the domain's tests may use besides.
const DOMAIN_TESTS_USE: [(&str, &str); 1] = [("proptest", "rules hold for whatever comes")];

/// The crates that may have a SQL driver: the adapters' one, and the tests, which damage files on purpose.
const DRIVER_OWNERS: [&str; 2] = ["infrastructure", "tests"];
const DRIVERS: [&str; 4] = ["rusqlite", "tokio-postgres", "deadpool-postgres", "sqlx"];

fn manifest(name: &str) -> Table {
    let path = format!("{name}/Cargo.toml");
    match read(&path).parse() {
        Ok(table) => table,
        Err(error) => panic!("{path}: {error}"),
    }
}

/// The names of what a crate depends on in this kind of section, whatever the target.
fn uses(manifest: &Table, section: &str) -> Vec<String> {
    let targets = manifest.get("target").and_then(|targets| targets.as_table()).into_iter().flatten();
    let tables = targets.filter_map(|(_, target)| target.get(section)).chain(manifest.get(section));
    let entries = tables.filter_map(|table| table.as_table()).flatten();
    // A renamed dependency counts under its real name.
    entries.map(|(name, value)| value.get("package").and_then(|p| p.as_str()).unwrap_or(name).to_owned()).collect()
}

fn all_uses(manifest: &Table) -> Vec<String> {
    ["dependencies", "dev-dependencies", "build-dependencies"].iter().flat_map(|kind| uses(manifest, kind)).collect()
}

#[test]
fn the_workspace_has_exactly_these_members() {
    let workspace: Table = read("Cargo.toml").parse().expect("Cargo.toml is TOML");
    let members: Vec<_> = workspace["workspace"]["members"].as_array().into_iter().flatten().collect();
    let members: Vec<_> = members.iter().filter_map(|member| member.as_str()).collect();
    assert_eq!(members, CRATES, "a new crate needs its place in the line: CRATES in tests/it/tidy.rs");
}

#[test]
fn a_crate_uses_only_those_to_its_left() {
    let mut problems = Vec::new();
    for (place, name) in CRATES.iter().enumerate() {
        let used = all_uses(&manifest(name));
        let (left, right) = (&CRATES[..place], &CRATES[place..]);
        let wrong = right.iter().filter(|other| used.iter().any(|used| used == *other));
        problems.extend(wrong.map(|other| format!("{name} uses {other}")));
        if let Some(neighbour) = left.last()
            && !used.iter().any(|used| used == neighbour)
        {
            problems.push(format!("{name} does not use {neighbour}: what is it above it for?"));
        }
    }
    report(
        &format!("Dependencies go one way: {}. Move the code, or the type it needs, to the left.", CRATES.join(" <- ")),
        &problems,
    );
}

#[test]
fn the_domain_uses_only_what_is_pure() {
    let manifest = manifest("domain");
    let allowed = |section: &str, list: &[(&str, &str)]| {
        let used = uses(&manifest, section);
        let wrong = used.into_iter().filter(|used| !list.iter().any(|(name, _)| name == used));
        wrong.map(|name| format!("{section}: {name}")).collect::<Vec<_>>()
    };
    let mut problems = allowed("dependencies", &DOMAIN_USES);
    problems.extend(allowed("dev-dependencies", &DOMAIN_TESTS_USE));
    problems.extend(allowed("build-dependencies", &[]));
    report(
        "The domain stays pure. Give it what it needs as an argument; a pure library goes on the list in \
         tests/it/tidy/dependencies.rs with what it is for.",
        &problems,
    );
}

#[test]
fn only_adapters_and_tests_have_a_sql_driver() {
    let mut problems = Vec::new();
    for name in CRATES.iter().filter(|name| !DRIVER_OWNERS.contains(name)) {
        let used = all_uses(&manifest(name));
        let drivers = used.iter().filter(|used| DRIVERS.contains(&used.as_str()));
        problems.extend(drivers.map(|driver| format!("{name}/Cargo.toml: {driver}")));
    }
    report(
        "Use the ports of infrastructure::read_store and infrastructure::event_store instead of a driver.",
        &problems,
    );
}

#[test]
fn every_crate_has_the_lints_of_the_workspace() {
    let has = |name: &str| {
        let manifest = manifest(name);
        manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
    };
    let problems: Vec<_> = CRATES.iter().filter(|name| !has(name)).map(|name| format!("{name}/Cargo.toml")).collect();
    report("Add `[lints]` with `workspace = true`.", &problems);
}

#[test]
fn every_version_is_set_by_the_workspace() {
    let mut problems = Vec::new();
    for name in CRATES {
        let manifest = manifest(name);
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let entries = manifest.get(section).and_then(|table| table.as_table()).into_iter().flatten();
            let own = entries.filter(|(_, value)| value.get("workspace").and_then(toml::Value::as_bool) != Some(true));
            problems.extend(own.map(|(dependency, _)| format!("{name}/Cargo.toml: {dependency}")));
        }
    }
    report("Write `{ workspace = true }` and put the version into the root's Cargo.toml.", &problems);
}
