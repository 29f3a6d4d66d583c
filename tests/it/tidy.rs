//! The rules of the house, as tests that read the workspace as text.
//!
//! What the compiler and clippy cannot say stands here: who may depend on whom, where SQL may stand, that the
//! documents name things that exist. Each failure says what to do. An exception is an entry in a list, with its
//! reason, and an entry that is no longer needed fails too.

mod advisories;
mod dependencies;
mod documents;
mod lexer;
mod monitoring;
mod sources;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// Folders that hold nothing of ours.
const FOREIGN: [&str; 4] = ["target", ".git", "millrace-data", "vendor"];

/// The crates, from left to right: each may use those before it.
const CRATES: [&str; 5] = ["domain", "infrastructure", "projections", "api", "tests"];

/// A text file of the workspace.
struct File {
    /// Its path from the root, with `/`.
    path: String,
    /// All of it.
    text: String,
}

/// A Rust source.
struct Source {
    /// Its path from the root, with `/`.
    path: String,
    /// All of it.
    text: String,
    /// The same lines with blanks for comments.
    code: String,
    /// The same lines with blanks for comments and literals.
    words: String,
}

impl Source {
    /// Whether it lies in one of these crates' `src` and is no test.
    fn is_production_of(&self, crates: &[&str]) -> bool {
        let ours = crates.iter().any(|name| self.is_under(&format!("{name}/src")));
        ours && !self.is_test()
    }

    fn is_test(&self) -> bool {
        self.is_under("tests") || self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// Whether it is this file or lies in this folder.
    fn is_under(&self, path: &str) -> bool {
        self.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The workspace's folder.
fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        root.canonicalize().expect("the workspace is where it was built")
    });
    &ROOT
}

/// Every text file of ours, in order.
fn files() -> &'static [File] {
    static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
        let mut files = Vec::new();
        collect(root(), &mut files);
        files.sort_by(|one, other| one.path.cmp(&other.path));
        files
    });
    &FILES
}

fn collect(folder: &Path, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            let foreign = path.file_name().is_some_and(|name| FOREIGN.iter().any(|foreign| name == *foreign));
            if !foreign {
                collect(&path, files);
            }
        } else if let Ok(text) = fs::read_to_string(&path) {
            files.push(File { path: relative(&path), text });
        }
    }
}

fn relative(path: &Path) -> String {
    let parts = path.strip_prefix(root()).expect("a path in the workspace").iter();
    parts.map(|part| part.to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
}

/// Every Rust source of ours, in order.
fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
        let rust = files().iter().filter(|file| extension(&file.path) == Some("rs"));
        rust.map(|file| Source {
            path: file.path.clone(),
            text: file.text.clone(),
            code: lexer::without_comments(&file.text),
            words: lexer::without_comments_and_literals(&file.text),
        })
        .collect()
    });
    assert!(SOURCES.len() > 50, "the sources were not found");
    &SOURCES
}

/// One file's text.
fn read(path: &str) -> String {
    match fs::read_to_string(root().join(path)) {
        Ok(text) => text,
        Err(error) => panic!("{path}: {error}"),
    }
}

fn exists(path: &str) -> bool {
    root().join(path).exists()
}

fn extension(path: &str) -> Option<&str> {
    path.rsplit_once('.').map(|(_, extension)| extension)
}

/// The slices, by the names of the folders that hold an aggregate.
fn slices() -> Vec<String> {
    let decides = sources().iter().filter_map(|source| {
        let folder = source.path.strip_prefix("domain/src/")?.strip_suffix("/decide.rs")?;
        Some(folder.to_owned())
    });
    let slices: Vec<_> = decides.collect();
    assert!(!slices.is_empty(), "no slice was found in domain/src");
    slices
}

/// Fails with what is wrong and what to do about it.
#[track_caller]
fn report(advice: &str, problems: &[String]) {
    assert!(problems.is_empty(), "\n{advice}\n\n  {}\n", problems.join("\n  "));
}

/// Every line that holds one of `words`, as `path:line: word`.
fn lines_with(path: &str, text: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for word in words.iter().filter(|word| lexer::has_word(line, word)) {
            found.push(format!("{path}:{number}: {word}"));
        }
    }
    found
}
