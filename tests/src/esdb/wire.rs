//! The messages and services of the protocol, as tests/build.rs has compiled them.
#![expect(
    unused_qualifications,
    clippy::allow_attributes,
    clippy::pedantic,
    clippy::large_enum_variant,
    reason = "generated"
)]

include!(concat!(env!("OUT_DIR"), "/esdb.rs"));
