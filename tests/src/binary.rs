//! The program under test: where it is, and how to run it to its end.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

use serde_json::Value;

/// Names a binary to test instead of the one that is built from these sources.
const BINARY_VARIABLE: &str = "MILLRACE_TEST_BIN";

/// A variable of the test's own environment.
pub fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the tests' one place that reads the environment")]
    let value = env::var(name);
    value.ok().filter(|value| !value.is_empty())
}

/// The binary, built once per test process with the profile of the test itself.
pub fn binary() -> &'static Path {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(|| variable(BINARY_VARIABLE).map_or_else(build, PathBuf::from));
    &BINARY
}

/// The folder of the workspace.
pub fn workspace() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().expect("the workspace is where it was built")
}

fn build() -> PathBuf {
    // <target>/<profile>/deps/<this test>
    let this = env::current_exe().expect("a process knows its program");
    let profile_dir = this.ancestors().nth(2).expect("a test lies in <target>/<profile>/deps");
    let target_dir = profile_dir.parent().expect("a profile's folder lies in the target folder");
    let mut cargo = Command::new(env!("CARGO"));
    // The whole workspace, so that features unify as they did for the tests and nothing is compiled twice.
    cargo.args(["build", "--quiet", "--locked", "--workspace", "--bins", "--target-dir"]).arg(target_dir);
    if profile_dir.ends_with("release") {
        cargo.arg("--release");
    }
    let output = cargo.current_dir(workspace()).output().expect("cargo runs");
    assert!(output.status.success(), "the binary does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    profile_dir.join("millrace")
}

/// A run of the binary that ended by itself.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it logged or complained about.
    pub stderr: String,
}

impl Ran {
    /// What it printed, if it ended well.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "millrace failed: {}", self.stderr);
        self.stdout
    }
}

/// Runs `millrace` with these arguments to its end.
pub fn millrace<I: IntoIterator<Item: Into<OsString>>>(arguments: I) -> Ran {
    ran(&mut command(&[], arguments))
}

/// `millrace` with these arguments, started by `wrapper` if it is not empty.
pub fn command<I: IntoIterator<Item: Into<OsString>>>(wrapper: &[OsString], arguments: I) -> Command {
    let mut words = wrapper.iter().cloned().chain([binary().as_os_str().to_owned()]);
    let mut command = Command::new(words.next().expect("there is at least the binary"));
    command.args(words).args(arguments.into_iter().map(Into::into));
    // What whoever runs the tests has set for a server of their own is none of the tests' business.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MILLRACE_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The bearer token that `millrace token` prints.
pub(crate) fn token(wrapper: &[OsString], data_dir: &Path, subject: &str, role: &str) -> String {
    let arguments = [
        "token".into(),
        "--data-dir".into(),
        data_dir.as_os_str().to_owned(),
        "--subject".into(),
        subject.into(),
        "--role".into(),
        role.into(),
    ];
    ran(&mut command(wrapper, arguments)).ok().trim().to_owned()
}

/// JSON texts, one on each line.
pub(crate) fn json_lines(text: &str) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    text.lines().map(parse).collect()
}
