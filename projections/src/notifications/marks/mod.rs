//! What the owner of an inbox says of it: what they have seen and read, and which kinds they want.

pub(super) mod sql;
