//! Which profile the end-to-end tests run on: one process with its files, or the cluster's processes and stores.
//!
//! One test runs those that make sense on both once more on the cluster (tests/it/both_profiles.rs). To run one of them
//! so: `MILLRACE_TEST_PROFILE=cluster`.

use std::sync::LazyLock;

use crate::binary::variable;

/// The variable that says which.
pub const PROFILE: &str = "MILLRACE_TEST_PROFILE";

/// Whether servers are those of the cluster: a process that serves, one that works, and stores that they share.
pub fn is_cluster() -> bool {
    static IS_CLUSTER: LazyLock<bool> = LazyLock::new(|| match variable(PROFILE).as_deref() {
        None | Some("embedded") => false,
        Some("cluster") => true,
        Some(other) => panic!("{PROFILE}={other}: it is embedded or cluster"),
    });
    *IS_CLUSTER
}
