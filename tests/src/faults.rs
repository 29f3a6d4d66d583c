//! Devices with faults, made with what Linux brings: a disk of a few megabytes, an fsync that fails.
//!
//! Where the machine cannot make one, a test says so with [`skip`], which shows even if the test passes.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use tempfile::TempDir;

use crate::server::temp_dir;

/// Says that a test did not run. Not through `eprintln!`, which is shown for failures only.
pub fn skip(test: &str, why: &str) {
    say(&format!("SKIPPED {test}: {why}"));
}

/// Says something that is to be seen even if the test passes.
pub fn say(text: &str) {
    // Without a terminal or a file behind it there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A file system of its own, in memory, of a fixed size. Seen only by what [`SmallDisk::wrapper`] starts.
#[derive(Debug)]
pub struct SmallDisk {
    mount_point: TempDir,
    /// Keeps the file system alive until its input ends.
    holder: Child,
    input: Option<ChildStdin>,
    has_own_users: bool,
}

impl SmallDisk {
    /// A disk of so many megabytes; an error says why there can be none.
    pub fn mount(megabytes: u32) -> Result<Self, String> {
        let as_root = Self::try_mount(megabytes, false);
        as_root.or_else(|first| Self::try_mount(megabytes, true).map_err(|second| format!("{first}; {second}")))
    }

    fn try_mount(megabytes: u32, has_own_users: bool) -> Result<Self, String> {
        let mount_point = temp_dir();
        let script = format!("mount -t tmpfs -o size={megabytes}m tmpfs \"$0\" && echo mounted && exec cat");
        let unshare = if has_own_users { "-Urm" } else { "-m" };
        let mut holder = Command::new("unshare")
            .args([unshare, "sh", "-c", &script])
            .arg(mount_point.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare does not run: {error}"))?;
        let input = holder.stdin.take();
        let mut line = String::new();
        let read = BufReader::new(holder.stdout.take().expect("the output is a pipe")).read_line(&mut line);
        if read.is_ok() && line.trim() == "mounted" {
            return Ok(Self { mount_point, holder, input, has_own_users });
        }
        drop(input);
        let output = holder.wait_with_output();
        let complaint = output.map(|output| String::from_utf8_lossy(&output.stderr).trim().to_owned());
        Err(format!("unshare {unshare}: {}", complaint.unwrap_or_default()))
    }

    /// Where it is, for those who see it.
    pub fn path(&self) -> &Path {
        self.mount_point.path()
    }

    /// The command that starts others so that they see the disk.
    pub fn wrapper(&self) -> Vec<OsString> {
        let pid = self.holder.id().to_string();
        let mut words = vec!["nsenter", "-t", &pid, "-m"];
        if self.has_own_users {
            words.extend(["-U", "--preserve-credentials"]);
        }
        words.into_iter().map(OsString::from).collect()
    }

    /// Where the tests see a file of the disk.
    fn seen_from_outside(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        let inside = self.path().strip_prefix("/").expect("a temporary folder has an absolute path");
        root.join(inside).join(name)
    }

    /// Takes some of the room.
    pub fn fill(&self, name: &str, bytes: usize) {
        fs::write(self.seen_from_outside(name), vec![0; bytes]).expect("there is room");
    }

    /// Gives it back.
    pub fn free(&self, name: &str) {
        fs::remove_file(self.seen_from_outside(name)).expect("the file is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        self.input = None;
        // An error means that it has ended already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A command that starts others so that one fsync of `file`, the `nth` of a thread, fails with EIO. An error says why
/// there can be none. What happened is written to `log`.
pub fn failing_fsync(file: &Path, nth: u32, log: &Path) -> Result<Vec<OsString>, String> {
    const CALLS: &str = "fsync,fdatasync";
    let probe =
        Command::new("strace").args(["-qq", "-o", "/dev/null", "-e", "inject=fsync:error=EIO", "true"]).output();
    match probe {
        Err(error) => return Err(format!("strace does not run: {error}")),
        Ok(output) if !output.status.success() => {
            return Err(format!("strace cannot trace here: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        Ok(_) => {}
    }
    let options = ["strace", "-f", "-qq", "-e"].map(OsString::from).into_iter();
    let options = options.chain([format!("trace={CALLS}").into(), "-e".into()]);
    let options = options.chain([format!("inject={CALLS}:error=EIO:when={nth}").into()]);
    Ok(options.chain(["-P".into(), file.into(), "-o".into(), log.into()]).collect())
}
