//! The machine and small tools: where files go, how many may be open, time and chance.

use std::{
    env, fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use domain::Timestamp;
use uuid::Uuid;

/// A directory on the disk that the build is on. Never a file system in memory: commits must reach a device.
pub(crate) fn work_dir() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("headline");
    fs::create_dir_all(&path).expect("the target directory can be written");
    path
}

/// An empty data directory that goes away by itself.
pub(crate) fn data_dir() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("data-").tempdir_in(work_dir()).expect("the target directory can be written")
}

/// Starts this program anew if it may not open `needed` files but could: a shell can raise the limit.
pub(crate) fn allow_files(needed: u64) {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_default();
    let mut limits = line.split_whitespace().map(|word| word.parse().unwrap_or(u64::MAX));
    let (Some(soft), Some(hard)) = (limits.next(), limits.next()) else { return };
    if soft >= needed {
        return;
    }
    assert!(hard >= needed, "this user may open {hard} files, the benchmark needs {needed}: raise `ulimit -Hn`");
    let program = env::current_exe().expect("a program knows its path");
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n \"$1\" && shift && exec \"$@\"", "sh", &needed.to_string()]);
    let error = shell.arg(program).args(env::args_os().skip(1)).exec();
    panic!("the limit on open files cannot be raised: {error}");
}

/// Numbers that look random and are the same in every run (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// As the server makes them, a UUIDv7, but of this chance.
    pub(crate) fn id_of(&mut self, at: Timestamp) -> Uuid {
        let millis = u64::try_from(at.timestamp_millis()).expect("it is after 1970");
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.next().to_le_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("it is below a usize")
    }
}

/// The time that `percent` of the measurements do not exceed, in milliseconds. Sorts them.
pub(crate) fn percentile_ms(measurements: &mut [Duration], percent: usize) -> f64 {
    assert!(!measurements.is_empty(), "nothing was measured");
    measurements.sort_unstable();
    let index = (measurements.len() * percent).div_ceil(100).clamp(1, measurements.len()) - 1;
    measurements[index].as_secs_f64() * 1e3
}

/// So many in so long, per second.
pub(crate) fn per_second(count: usize, time: Duration) -> f64 {
    f64::from(u32::try_from(count).expect("a benchmark counts to millions")) / time.as_secs_f64()
}
