//! docs/errors.md and the code name the same error codes.

use std::collections::BTreeSet;

use api::{error_code::ErrorCode, graphql};

/// Where the codes of failures of the process stand, as literals.
const SOURCES_OF_FAILURES: [&str; 5] =
    ["api/src/bootstrap", "api/src/config/error.rs", "api/src/data_dir.rs", "api/src/roles", "api/src/auth"];

#[test]
fn every_code_is_documented_and_every_documented_code_exists() {
    let documented = documented();
    let known: BTreeSet<(String, String)> = known().into_iter().collect();
    let missing: Vec<_> = known.difference(&documented).collect();
    assert!(missing.is_empty(), "\nWrite into docs/errors.md what these mean and what to do:\n{missing:#?}\n");
    let gone: Vec<_> = documented.difference(&known).collect();
    assert!(gone.is_empty(), "\nNothing has these codes; take them out of docs/errors.md:\n{gone:#?}\n");
}

#[test]
fn the_page_says_of_each_code_whether_to_retry() {
    let page = page();
    for code in ErrorCode::ALL {
        let retry = if code.is_retryable() { "yes" } else { "no" };
        let row = format!("| `{}` | {retry} |", code.as_str());
        assert!(page.lines().any(|line| line.starts_with(&row)), "docs/errors.md has no row `{row}`");
    }
}

#[test]
fn codes_are_found_in_tables_enums_and_sources() {
    let page = "## Requests\n| code |\n|---|\n| `A_B` | x |\nSee `C_D`.\n### Orders (`OrderErrorCode`)\n| `E` | y |\n";
    let found = BTreeSet::from([(REQUEST.to_owned(), "A_B".to_owned()), ("OrderErrorCode".to_owned(), "E".to_owned())]);
    assert_eq!(documented_in(&page.replace("## Requests", "## Errors of a request")), found);
    let sdl = "enum OrderErrorCode {\n\t\"\"\"\n\tNO.\n\t\"\"\"\n\tNO_LINES\n\tCANCELLED\n}\n\nenum Other {\n\tX\n}\n";
    assert_eq!(enums_of_errors(sdl), [("OrderErrorCode", vec!["NO_LINES", "CANCELLED"])]);
    assert_eq!(literals(r#"Self::Io => "DATA_DIR", _ => "x", "DONE", "MILLRACE_""#), ["DATA_DIR"]);
}

const REQUEST: &str = "request";
const PROCESS: &str = "process";
const ORDERS: [&str; 3] = ["ProjectionErrorCode", "ProcessErrorCode", "ShopErrorCode"];

/// Every code of the program, with where it belongs.
fn known() -> Vec<(String, String)> {
    let mut known: Vec<(String, String)> =
        ErrorCode::ALL.iter().map(|code| (REQUEST.to_owned(), code.as_str().to_owned())).collect();
    let sdl = graphql::sdl();
    let enums = enums_of_errors(&sdl);
    assert!(enums.len() >= 3, "the enums of user errors were not found");
    for (name, codes) in enums {
        known.extend(codes.into_iter().map(|code| (name.to_owned(), code.to_owned())));
    }
    // What the rules refuse with has a stable code before there is a mutation that says it.
    known.extend(domain::error_codes().into_iter().map(|(name, code)| (name.to_owned(), code.to_owned())));
    let failures: Vec<String> = sources_of_failures().iter().flat_map(|source| literals(source)).collect();
    assert!(failures.len() > 20, "the codes of failures were not found");
    // The command line prints the codes of refused orders as they are: they are documented where they come from.
    let orders: BTreeSet<String> =
        known.iter().filter(|(section, _)| ORDERS.contains(&section.as_str())).map(|(_, code)| code.clone()).collect();
    assert!(orders.contains("UNKNOWN_PROJECTION"), "the codes of orders to projections were not found");
    let failures = failures.into_iter().filter(|code| !orders.contains(code));
    known.extend(failures.map(|code| (PROCESS.to_owned(), code)));
    known
}

fn sources_of_failures() -> Vec<String> {
    let mut sources = Vec::new();
    for path in SOURCES_OF_FAILURES {
        collect(&tests::binary::workspace().join(path), &mut sources);
    }
    sources
}

fn collect(path: &std::path::Path, sources: &mut Vec<String>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a folder") {
            collect(&entry.expect("an entry").path(), sources);
        }
    } else if !path.to_string_lossy().contains("tests") {
        sources.push(std::fs::read_to_string(path).expect("a source"));
    }
}

/// The string literals that look like codes: capitals in at least two words.
fn literals(source: &str) -> Vec<String> {
    let quoted = source.split('"').skip(1).step_by(2);
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_code = |text: &&str| text.contains('_') && text.split('_').all(is_word);
    quoted.filter(is_code).map(str::to_owned).collect()
}

/// The enums of user errors and their values.
fn enums_of_errors(sdl: &str) -> Vec<(&str, Vec<&str>)> {
    let enums = sdl.split("\nenum ").map(|part| part.strip_prefix("enum ").unwrap_or(part));
    let enums = enums.filter_map(|part| {
        let (name, rest) = part.split_once(" {")?;
        let values = rest.split_once("\n}")?.0;
        name.ends_with("ErrorCode").then_some((name, values))
    });
    let is_value = |line: &&str| line.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') && !line.is_empty();
    enums.map(|(name, values)| (name, values.lines().map(str::trim).filter(is_value).collect())).collect()
}

fn page() -> String {
    std::fs::read_to_string(tests::binary::workspace().join("docs/errors.md")).expect("docs/errors.md")
}

fn documented() -> BTreeSet<(String, String)> {
    documented_in(&page())
}

/// The codes in the first column of the page's tables, with what their section is about.
fn documented_in(page: &str) -> BTreeSet<(String, String)> {
    let mut section = String::new();
    let mut found = BTreeSet::new();
    for line in page.lines() {
        if let Some(title) = line.strip_prefix('#') {
            let title = title.trim_start_matches('#').trim();
            section = match title.split('`').nth(1) {
                Some(name) => name.to_owned(),
                None if title == "Errors of a request" => REQUEST.to_owned(),
                None => PROCESS.to_owned(),
            };
        } else if let Some(code) =
            line.strip_prefix("| `").and_then(|rest| rest.split_once("` |")).map(|(code, _)| code)
        {
            found.insert((section.clone(), code.to_owned()));
        }
    }
    found
}
