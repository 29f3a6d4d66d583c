//! End-to-end, contract and tidy tests, in one binary so that they link once.

mod contracts;
mod crash;
mod equivalence;
mod errors_doc;
mod live;
mod order;
mod product;
mod readme;
mod tidy;
