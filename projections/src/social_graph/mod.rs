//! Who follows whom, who posted what, who likes it, and what is in whose home feed?
//!
//! One model of set changes holds all of it, because where a post goes depends on the follows as they were at its place in
//! the log (ADR 0025). What a post says is in another one; this one knows where it stands and who may see it.
//! Slice map: projections/src/social_graph/people/sql.rs, projections/src/social_graph/posts/sql.rs,
//! projections/src/social_graph/home/mod.rs, domain/src/follow/mod.rs, domain/src/post/mod.rs

mod home;
mod live;
mod people;
mod posts;
mod sql;
#[cfg(test)]
mod tests;

pub use home::{Entry, FeedPage};
pub use live::{News, Said, Told, Watcher, Watchers};
pub use people::{PeoplePage, PersonCounts, Regards};
pub use posts::PostFacts;

/// The read model `social_graph`.
///
/// Authors with more than `LARGE` followers, and readers who follow more than `WIDE` people, have no entries written: their
/// posts are looked up when a feed is read. Entries stand in chunks of about `CHUNK`, each of which is over before the next
/// one begins. A change of these numbers is a change of the tables: raise `VERSION`.
///
/// `LARGE` bounds how long one post keeps the writer; `WIDE` how many people one reader's coming and going concerns; `CHUNK`
/// how many pages of the table the entries of one post touch.
#[derive(Debug)]
pub enum SocialGraph<const LARGE: i64 = 20_000, const WIDE: i64 = 2_000, const CHUNK: i64 = 250_000> {}

/// Its name, for good.
pub(crate) const NAME: &str = "social_graph";
/// Raised with every change of tables or statements.
pub(crate) const VERSION: u32 = 2;
