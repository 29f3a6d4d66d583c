//! End-to-end, contract and tidy tests, in one binary so that they link once.

mod contracts;
mod tidy;
