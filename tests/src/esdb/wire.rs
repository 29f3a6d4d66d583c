//! The messages and services of the protocol, as tests/build.rs has compiled them.
#![expect(unused_qualifications, unreachable_pub, dead_code, reason = "generated, and more than is spoken")]

include!(concat!(env!("OUT_DIR"), "/esdb.rs"));
