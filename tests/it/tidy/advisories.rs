//! What must not be in Cargo.lock: versions with a known hole, and crates that nobody keeps.

use toml::Table;

use super::{read, report};

/// The first sound versions, one for each line that got a fix, and the advisories that say so.
const FLOORS: [(&str, &[&str], &str); 20] = [
    ("async-graphql", &["7.0.10"], "CVE-2024-47614, RUSTSEC-2022-0037"),
    ("aws-lc-sys", &["0.39.0"], "RUSTSEC-2026-0044 to -0048"),
    ("axum-core", &["0.2.8"], "RUSTSEC-2022-0055"),
    ("bytes", &["1.11.1"], "RUSTSEC-2026-0007"),
    ("crossbeam-epoch", &["0.9.20"], "RUSTSEC-2026-0204"),
    ("h2", &["0.4.16"], "RUSTSEC-2026-0258, RUSTSEC-2024-0332, RUSTSEC-2024-0003, RUSTSEC-2023-0034"),
    ("jsonwebtoken", &["10.3.0"], "CVE-2026-25537"),
    ("libsqlite3-sys", &["0.39.1"], "SQLite before 3.51.3 can damage a file when the WAL is reset"),
    ("lru", &["0.18.2"], "RUSTSEC-2026-0253, RUSTSEC-2026-0002"),
    ("rand", &["0.8.6", "0.9.3", "0.10.1"], "RUSTSEC-2026-0097"),
    ("rusqlite", &["0.41.1"], "it bundles the SQLite above"),
    ("rustls", &["0.23.18"], "RUSTSEC-2024-0399, RUSTSEC-2024-0336"),
    ("rustls-webpki", &["0.103.13"], "RUSTSEC-2026-0049, -0098, -0099, -0104"),
    ("sqlx", &["0.8.1"], "RUSTSEC-2024-0363"),
    ("time", &["0.3.47"], "RUSTSEC-2026-0009"),
    ("tokio", &["1.44.2"], "RUSTSEC-2025-0023"),
    ("tonic", &["0.12.3"], "RUSTSEC-2024-0376"),
    ("tower-http", &["0.2.1"], "RUSTSEC-2022-0043"),
    ("tracing-subscriber", &["0.3.20"], "RUSTSEC-2025-0055"),
    ("tungstenite", &["0.20.1"], "RUSTSEC-2023-0065"),
];

/// Crates that must not be there at all.
const BANNED: [(&str, &str); 11] = [
    ("append-only-vec", "hijacked on 2026-08-20, RUSTSEC-2026-0260 to -0266"),
    ("async-std", "unmaintained"),
    ("bincode", "unmaintained, RUSTSEC-2025-0141"),
    ("instant", "unmaintained"),
    ("internment", "hijacked on 2026-08-20, RUSTSEC-2026-0260 to -0266"),
    ("paste", "unmaintained"),
    ("proc-macro-error", "unmaintained"),
    ("proc-macro1", "malicious, RUSTSEC-2026-0260 to -0266"),
    ("rsa", "RUSTSEC-2023-0071, no fix"),
    ("rustls-pemfile", "unmaintained"),
    ("sqlx-sqlite", "bundles a SQLite that can damage a file when the WAL is reset"),
];

/// Releases that were hijacked, of crates that are otherwise sound.
const BANNED_VERSIONS: [(&str, &str, &str); 1] = [("arrayref", "0.3.10", "RUSTSEC-2026-0260 to -0266")];

/// The one place that crates come from, as Cargo.lock writes it.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

struct Package {
    name: String,
    version: String,
    /// None for a crate of the workspace.
    source: Option<String>,
}

fn locked() -> Vec<Package> {
    let lock: Table = read("Cargo.lock").parse().expect("Cargo.lock is TOML");
    let text = |package: &toml::Value, key: &str| package.get(key).and_then(|value| value.as_str()).map(str::to_owned);
    let packages = lock["package"].as_array().expect("Cargo.lock lists packages");
    packages
        .iter()
        .map(|package| Package {
            name: text(package, "name").expect("a package has a name"),
            version: text(package, "version").expect("a package has a version"),
            source: text(package, "source"),
        })
        .collect()
}

/// Major, minor, patch, and 0 for a pre-release, which comes before its release.
fn numbers(version: &str) -> [u64; 4] {
    let version = version.split('+').next().unwrap_or(version);
    let (release, last) = version.split_once('-').map_or((version, 1), |(release, _)| (release, 0));
    let mut numbers = [0, 0, 0, last];
    for (slot, part) in numbers.iter_mut().zip(release.splitn(3, '.')) {
        *slot = part.parse().expect("Cargo writes versions as numbers");
    }
    numbers
}

/// Versions that Cargo takes for compatible: the same major, or the same minor before 1.0.
const fn line([major, minor, ..]: [u64; 4]) -> [u64; 2] {
    if major == 0 { [0, minor] } else { [major, 0] }
}

/// Whether a version has the fix: of its own line if there is one, or it is of a later line than all.
fn is_fixed(version: &str, floors: &[&str]) -> bool {
    let version = numbers(version);
    let mut floors = floors.iter().map(|floor| numbers(floor));
    match floors.clone().find(|floor| line(*floor) == line(version)) {
        Some(floor) => version >= floor,
        None => floors.all(|floor| version > floor),
    }
}

#[test]
fn no_locked_version_has_a_known_hole() {
    let mut problems = Vec::new();
    for Package { name, version, .. } in locked() {
        for (_, floors, why) in FLOORS.iter().filter(|(floored, ..)| *floored == name) {
            if !is_fixed(&version, floors) {
                problems.push(format!("{name} {version}, needs {}: {why}", floors.join(" or ")));
            }
        }
        for (_, _, why) in BANNED_VERSIONS.iter().filter(|(banned, bad, _)| *banned == name && *bad == version) {
            problems.push(format!("{name} {version}: {why}"));
        }
    }
    report(
        "Update these crates: `cargo update -p NAME`, or raise what pulls them in (`cargo tree -i NAME`).",
        &problems,
    );
}

#[test]
fn no_locked_crate_is_banned() {
    let locked = locked();
    let is_locked = |name: &str| locked.iter().any(|package| package.name == name);
    let found = BANNED.iter().filter(|(name, _)| is_locked(name));
    let problems: Vec<_> = found.map(|(name, why)| format!("{name}: {why}")).collect();
    report("Find what pulls it in with `cargo tree -i NAME` and do without.", &problems);
}

#[test]
fn every_locked_crate_comes_from_the_public_registry() {
    let strange = locked().into_iter().filter(|package| package.source.as_deref().is_some_and(|from| from != REGISTRY));
    let problems: Vec<_> = strange.map(|package| format!("{} from {:?}", package.name, package.source)).collect();
    report("Whoever clones the repository must get the same crates: no git, no mirror in Cargo.lock.", &problems);
}

#[test]
fn a_version_is_fixed_by_the_fix_of_its_own_line() {
    let floors = ["0.8.6", "0.9.3"];
    for (version, fixed) in [("0.8.5", false), ("0.8.6", true), ("0.9.2", false), ("0.9.3", true), ("0.10.0", true)] {
        assert_eq!(is_fixed(version, &floors), fixed, "{version}");
    }
    for (version, fixed) in
        [("9.3.1", false), ("10.2.9", false), ("10.3.0-rc.1", false), ("10.3.0+build", true), ("11.0.0", true)]
    {
        assert_eq!(is_fixed(version, &["10.3.0"]), fixed, "{version}");
    }
}
