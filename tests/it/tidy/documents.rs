//! What the documents name exists, and what was written once stays.

use std::process::Command;

use super::{CRATES, exists, extension, files, lexer, read, report, root, slices, sources};

const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";
const HOW_TO: &str = "docs/how-to/";

#[test]
fn every_slice_has_a_map_and_it_leads_somewhere() {
    let mut problems = Vec::new();
    for slice in slices() {
        let path = format!("domain/src/{slice}/mod.rs");
        if slice_map(&read(&path)).is_empty() {
            problems.push(format!("{path}: no `Slice map:`"));
        }
    }
    for source in sources() {
        let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let leads = |path: &String| exists(path) || exists(&format!("{folder}/{path}"));
        let missing = slice_map(&source.text).into_iter().filter(|path| !leads(path));
        problems.extend(missing.map(|path| format!("{}: {path} does not exist", source.path)));
    }
    report("Let `//! Slice map:` name the files that a reader of the slice goes through.", &problems);
}

/// The paths of a file's slice map, from the root or from its own folder: those in its `//!` lines from the words on, up to the end of the paragraph.
fn slice_map(text: &str) -> Vec<String> {
    let docs = text.lines().map_while(|line| line.strip_prefix("//!"));
    let map = docs.skip_while(|line| !line.contains("Slice map:")).take_while(|line| !line.trim().is_empty());
    let words = map.flat_map(|line| line.split([' ', ',', '`', '(', ')']));
    words
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| extension(word) == Some("rs"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_slice_map_is_read_to_the_end_of_its_paragraph() {
    let text = "//! Title.\n//! Slice map: a/b.rs, `c/d.rs`,\n//! e.rs.\n//!\n//! Not f.rs.\n\nmod g;\n";
    assert_eq!(slice_map(text), ["a/b.rs", "c/d.rs", "e.rs"]);
}

#[test]
fn every_path_of_a_how_to_exists() {
    let how_tos: Vec<_> =
        files().iter().filter(|file| file.path.starts_with(HOW_TO) && extension(&file.path) == Some("md")).collect();
    assert!(!how_tos.is_empty(), "\nWrite the checklists: add an aggregate, add a projection ({HOW_TO}*.md).\n");
    let mut problems = Vec::new();
    for file in how_tos {
        for (number, line) in (1..).zip(file.text.lines()) {
            // What stands between backticks is every second part.
            let quoted = line.split('`').skip(1).step_by(2);
            let missing = quoted.filter_map(path_of).filter(|path| !exists(path));
            problems.extend(missing.map(|path| format!("{}:{number}: {path} does not exist", file.path)));
        }
    }
    report(
        "Bring the checklist up to date. A path to be made up by the reader has a placeholder: `<slice>`.",
        &problems,
    );
}

/// The path that a quotation is, if it is one of this repository and has no placeholder. `file.rs:12`,
/// `file.rs::name` and `file.md#part` name the file.
fn path_of(quoted: &str) -> Option<&str> {
    let path = quoted.split([':', '#']).next()?;
    let is_plain = !path.contains(|c: char| "<>{}*$ ".contains(c)) && !path.contains("...");
    let top = path.split('/').next()?;
    let is_ours = path.contains('/') && (CRATES.contains(&top) || [".ci", "docs"].contains(&top));
    (is_plain && is_ours).then(|| path.trim_end_matches('/'))
}

#[test]
fn a_path_is_told_from_other_quotations() {
    assert_eq!(path_of("domain/src/lib.rs"), Some("domain/src/lib.rs"));
    assert_eq!(path_of("tests/it/tidy.rs::name"), Some("tests/it/tidy.rs"));
    assert_eq!(path_of("docs/adr/"), Some("docs/adr"));
    for other in ["domain/src/<slice>/mod.rs", "domain", "cargo test -p tests", "application/json", "mod.rs"] {
        assert_eq!(path_of(other), None, "{other}");
    }
}

#[test]
fn every_invariant_is_guarded_by_a_test() {
    let invariants = invariants(&read(ARCHITECTURE));
    assert!(!invariants.is_empty(), "\n{ARCHITECTURE} must list the invariants, each as `- **Invariant ...`.\n");
    let mut problems = Vec::new();
    for invariant in invariants {
        let shown: String = invariant.chars().take(70).collect();
        match guard(&invariant) {
            None => problems.push(format!("{shown}...: names no test")),
            Some((path, test)) if !has_test(path, test) => {
                problems.push(format!("{shown}...: {path} has no test {test}"));
            }
            Some(_) => {}
        }
    }
    report(
        &format!(
            "End each invariant of {ARCHITECTURE} with the test that fails when it is broken: \
                  (guarded by `path/to/file.rs::name_of_the_test`)."
        ),
        &problems,
    );
}

/// The items that start with `- **Invariant`, each with the lines that continue it.
fn invariants(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in text.lines() {
        if line.starts_with("- **Invariant") {
            found.push(line.to_owned());
            is_open = true;
        } else if is_open && line.starts_with("  ") {
            if let Some(invariant) = found.last_mut() {
                invariant.push(' ');
                invariant.push_str(line.trim());
            }
        } else {
            is_open = false;
        }
    }
    found
}

/// The file and the test that an invariant ends with.
fn guard(invariant: &str) -> Option<(&str, &str)> {
    let (_, guard) = invariant.trim_end().trim_end_matches('.').strip_suffix("`)")?.rsplit_once("(guarded by `")?;
    guard.rsplit_once("::")
}

fn has_test(path: &str, test: &str) -> bool {
    let source = sources().iter().find(|source| source.path == path);
    source.is_some_and(|source| lexer::has_word(&source.words, &format!("fn {test}(")))
}

#[test]
fn an_invariant_is_read_with_its_guard() {
    let text =
        "- **Invariant: one.** It holds\n  always (guarded by `a/b.rs::name`).\n- other\n  (guarded by `c::d`)\n";
    let invariants = invariants(text);
    assert_eq!(invariants.len(), 1);
    assert_eq!(guard(&invariants[0]), Some(("a/b.rs", "name")));
    assert_eq!(guard("- **Invariant: two.** Nobody looks."), None);
    assert!(has_test("tests/it/tidy/documents.rs", "an_invariant_is_read_with_its_guard"));
    assert!(!has_test("tests/it/tidy/documents.rs", "an_invariant"));
}

#[test]
fn golden_files_are_never_edited() {
    let changed = ["--diff-filter=MDRT", "--no-renames"];
    let log = [["log", "--name-status", "--format=%h"].as_slice(), &changed, &["--", "domain/golden"]].concat();
    let tree = [["diff", "--name-status", "HEAD"].as_slice(), &changed, &["--", "domain/golden"]].concat();
    let (Some(committed), Some(uncommitted)) = (git(&log), git(&tree)) else {
        eprintln!("skipped: there is no history to compare with");
        return;
    };
    let problems: Vec<_> = committed.lines().chain(uncommitted.lines()).map(str::to_owned).collect();
    report(
        "An event once written is decoded forever. Restore the file; give the new form a new version, an upcaster \
         and a golden file of its own.",
        &problems,
    );
}

/// What git says. None without git, repository or commit.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).current_dir(root()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
