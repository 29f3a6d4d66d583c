//! What the tests share: contract suites that every adapter of a port passes.

pub mod contracts;
