//! The processes of the shop: what they want done is done here, and how they are is seen here.
//!
//! What follows from what happened is decided in the domain; the runner of the infrastructure keeps it going. `oversight.rs`
//! shows how each of them is, wherever it runs; `books.rs` books stock and money a second time. Slice map:
//! domain/src/fulfilment/mod.rs, domain/src/payment/asking.rs, infrastructure/src/process/mod.rs,
//! api/src/graphql/process/mod.rs

mod books;
mod fulfilment;
mod oversight;

pub use books::{Books, BooksError};
pub use fulfilment::CarryOut;
pub use oversight::{Oversight, OversightError, Seen};
