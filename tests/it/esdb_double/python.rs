//! The official client for Python: another implementation of the protocol, and of gRPC below it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

use infrastructure::event_store::MemoryEventStore;
use tests::{
    binary::variable,
    esdb::{Double, Fault, FaultKind, Operation, Options, Plan},
    faults::skip,
    server::POLL_INTERVAL,
};
use tokio::time::sleep;

/// The package, pinned so that the environment is made once for each version.
const PACKAGE: &str = "kurrentdbclient==1.3.5";
/// What the script says when everything was as expected.
const DONE: &str = "everything as expected";

fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}", text.trim().lines().last().unwrap_or("failed")))
}

/// A Python with the client, made in the target folder where there is none yet; or why there is none.
fn python() -> Result<PathBuf, String> {
    if variable("MILLRACE_TEST_PYTHON_CLIENT").as_deref() == Some("0") {
        return Err("MILLRACE_TEST_PYTHON_CLIENT=0".to_owned());
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(PACKAGE.replace("==", "-"));
    let python = folder.join("bin/python");
    if run(Command::new(&python).args(["-c", "import kurrentdbclient"])).is_ok() {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", PACKAGE];
    run(Command::new(&python).args(install))?;
    Ok(python)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_for_python_gets_what_it_expects() {
    let python = match tokio::task::spawn_blocking(python).await.expect("no panic") {
        Ok(python) => python,
        Err(why) => return skip("the_client_for_python_gets_what_it_expects", &why),
    };
    let double = Double::start(Arc::new(MemoryEventStore::new()), Options::default()).await;
    // The last subscription but one of the script ends before its first event.
    double.faults().plan(Plan::new(Operation::SubscriptionEvent, Fault::CleanEnd).after(EVENTS_BEFORE_THE_END));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/esdb_double/client.py");
    let uri = double.connection_string();
    let mut ran = tokio::task::spawn_blocking(move || Command::new(python).arg(script).arg(uri).output());
    let output = loop {
        tokio::select! {
            output = &mut ran => break output.expect("no panic").expect("python runs"),
            () = sleep(POLL_INTERVAL) => {}
        }
        // The script's one subscription after the fault waits for events that never come.
        if double.faults().fired(FaultKind::CleanEnd) == 1 {
            double.end_subscriptions();
        }
    };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert_eq!(out.trim(), DONE, "{err}");
    assert_eq!(double.faults().fired(FaultKind::CleanEnd), 1);
}

/// The events that the script's subscriptions get before: three, two and two.
const EVENTS_BEFORE_THE_END: u64 = 7;
