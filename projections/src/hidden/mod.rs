//! Who does not want to see or hear whom. Each model that shows people to people keeps a table of it, by the same rules.

pub(crate) mod sql;

/// Why somebody is hidden from somebody: they block them, are blocked by them, or mute them.
pub(crate) const BLOCKS: &str = "blocks";
pub(crate) const BLOCKED: &str = "blocked";
pub(crate) const MUTES: &str = "mutes";
