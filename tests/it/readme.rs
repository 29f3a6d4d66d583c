//! The README's walk works as pasted: its blocks run in order against the real binary, and it shows what they print.
//!
//! A block under `<!-- test: run -->` is run; one under `<!-- test: output -->` shows lines that the blocks before it
//! print, with `...` for what differs each time. All blocks are one script, as they are one terminal to a reader.

use std::process::{Command, Output};

use tests::{
    binary::{binary, workspace},
    server::{Server, temp_dir},
};

/// The address that the README names.
const README_URL: &str = "http://127.0.0.1:8080";
/// How the README runs the program.
const README_COMMAND: &str = "cargo run --release --";
/// How many seconds the whole walk may take: it takes less than ten.
const WALK_SECONDS_MAX: &str = "120";

/// A fenced block that a mark speaks of.
#[derive(Debug, PartialEq)]
enum Block {
    /// A script for the second terminal.
    Run(String),
    /// What is printed.
    Output(String),
}

#[tokio::test]
async fn the_walk_of_the_readme_works_as_pasted() {
    let readme = std::fs::read_to_string(workspace().join("README.md")).expect("README.md");
    let blocks = blocks(&readme);
    let runs = blocks.iter().filter(|block| matches!(block, Block::Run(_))).count();
    assert!(runs >= 8 && blocks.len() > runs, "the README's blocks were not found: {blocks:?}");

    let server = Server::start().await;
    let program = format!("'{}' --data-dir '{}'", binary().display(), server.data_dir().display());
    let script = script(&blocks).replace(README_URL, &server.url).replace(README_COMMAND, &program);
    let walked = tokio::task::spawn_blocking(move || bash(&script)).await.expect("bash runs");
    let output = String::from_utf8_lossy(&walked.stdout);
    let errors = String::from_utf8_lossy(&walked.stderr);
    assert!(walked.status.success(), "the walk failed: {}\n{output}\n{errors}", walked.status);

    // Each output stands behind the mark of the block before it, or later: a stream prints when it likes.
    let mut runs_before = 0;
    for block in &blocks {
        match block {
            Block::Run(_) => runs_before += 1,
            Block::Output(expected) => {
                let mark = mark(runs_before);
                let (_, since) = output.split_once(&mark).expect("each block says that it begins");
                for line in expected.lines() {
                    let is_there = since.lines().any(|printed| fits(line, printed));
                    assert!(
                        is_there,
                        "nothing after block {runs_before} prints {line}\n--- printed:\n{output}\n{errors}"
                    );
                }
            }
        }
    }
}

/// Runs a script in a folder of its own.
fn bash(script: &str) -> Output {
    let folder = temp_dir();
    let mut command = Command::new("timeout");
    command.args([WALK_SECONDS_MAX, "bash", "-euo", "pipefail", "-c", script]).current_dir(folder.path());
    // What whoever runs the tests has set for a server of their own is none of the walk's business.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MILLRACE_")) {
        command.env_remove(name);
    }
    command.output().expect("bash runs")
}

#[test]
fn blocks_are_found_by_their_marks() {
    let readme =
        "```bash\nno\n```\n<!-- test: run -->\n```bash\none\ntwo\n```\ntext\n<!-- test: output -->\n```json\nx\n```\n";
    assert_eq!(blocks(readme), [Block::Run("one\ntwo\n".to_owned()), Block::Output("x\n".to_owned())]);
}

#[test]
fn a_line_fits_if_its_parts_come_in_order_and_the_ends_match() {
    assert!(fits("a", "a") && fits("a...c", "abc") && fits("...c", "abc") && fits("a...", "abc") && fits("a...", "a"));
    for (line, printed) in [("a", "ab"), ("a", "ba"), ("a...c", "acb"), ("b...a", "ab"), ("ab...bc", "abc")] {
        assert!(!fits(line, printed), "{line} {printed}");
    }
}

/// The marked blocks, in order.
fn blocks(readme: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        let kind = match line {
            "<!-- test: run -->" => Block::Run,
            "<!-- test: output -->" => Block::Output,
            _ => continue,
        };
        let fence = lines.next().unwrap_or_default();
        assert!(fence.starts_with("```"), "no block follows {line}");
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(kind(text.join("\n") + "\n"));
    }
    blocks
}

/// The blocks to run as one script, each behind a line that says which one begins.
fn script(blocks: &[Block]) -> String {
    let runs = blocks.iter().filter_map(|block| match block {
        Block::Run(text) => Some(text),
        Block::Output(_) => None,
    });
    let marked = (1..).zip(runs).map(|(number, text)| format!("echo '{}'\n{text}", mark(number)));
    // A stream that is still open when the walk fails ends with it.
    format!("trap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n{}", marked.collect::<String>())
}

fn mark(number: usize) -> String {
    format!("--- block {number} ---")
}

/// Whether `printed` is `line`, with anything in place of each `...`.
fn fits(line: &str, printed: &str) -> bool {
    let mut parts = line.split("...");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}
