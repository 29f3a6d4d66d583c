//! PostgreSQL for tests: a private server for the process, and a schema of its own for each test.

pub use infrastructure::read_store::testing::{Durability, PostgresSchema, PostgresServer, options, run, with};
