//! Compiles the published `.proto` files of EventStoreDB for its double in src/esdb.
//!
//! They come out of the source of the client crate `kurrentdb`, which the workspace uses anyway: so the double speaks
//! what that client speaks, and nothing of another project is copied here. Needs no `protoc` and no network.

use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// The crate whose source holds the files.
const CLIENT: &str = "kurrentdb";
/// The services that the double offers; they import the rest.
const PROTOS: [&str; 3] = ["streams.proto", "gossip.proto", "serverfeatures.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../Cargo.lock");
    let protos = client_source()?.join("protos");
    let mut descriptors = protox::compile(PROTOS, [&protos])?;
    for file in &mut descriptors.file {
        // Their comments are written for another generator, and would be documentation of ours.
        file.source_code_info = None;
    }
    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .bytes(".")
        .include_file("esdb.rs")
        .compile_fds(descriptors)?;
    Ok(())
}

/// Where cargo keeps the client's source. Offline first: whoever compiles this crate has it already, but a complete
/// graph may need manifests that this build did not.
fn client_source() -> Result<PathBuf, Box<dyn Error>> {
    let target = told("TARGET")?;
    let metadata = metadata(&["--offline", "--filter-platform", &target])
        .or_else(|_| metadata(&["--filter-platform", &target]))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    let manifest = packages
        .iter()
        .find(|package| package["name"] == CLIENT)
        .and_then(|package| package["manifest_path"].as_str())
        .ok_or_else(|| format!("the workspace does not use {CLIENT}"))?;
    Ok(Path::new(manifest).parent().ok_or("a manifest without a folder")?.to_owned())
}

/// What cargo tells a build script.
fn told(name: &str) -> Result<String, env::VarError> {
    #[expect(clippy::disallowed_methods, reason = "cargo speaks to a build script by its environment")]
    env::var(name)
}

fn metadata(arguments: &[&str]) -> Result<Value, Box<dyn Error>> {
    let output = Command::new(told("CARGO")?)
        .args(["metadata", "--locked", "--format-version", "1"])
        .args(arguments)
        .current_dir(told("CARGO_MANIFEST_DIR")?)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
