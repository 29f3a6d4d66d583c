//! The mentions and hashtags in a post's words.
//!
//! A mention is `@` and a handle, a hashtag `#` and a word (UAX #31, R8), neither in the middle of a word nor in an address
//! of the web. What looks like one and is none, is words.

use std::{collections::BTreeSet, ops::Range};

use super::{POST_HASHTAGS_MAX, POST_MENTIONS_MAX};
use crate::values::{Handle, Hashtag, JOINERS, PostText, unicode::is_word};

/// What the words mention, each once, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entities {
    /// The handles that are mentioned, whether anybody has them or not.
    pub handles: Vec<Handle>,
    /// The hashtags.
    pub hashtags: Vec<Hashtag>,
}

/// More than a post may mention; how many different ones there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// Over [`POST_MENTIONS_MAX`] people.
    Mentions(usize),
    /// Over [`POST_HASHTAGS_MAX`] hashtags.
    Hashtags(usize),
}

impl Entities {
    /// What `text` mentions. Ask this before the handles are looked up: a flood is not.
    pub fn of(text: &PostText) -> Result<Self, Flood> {
        let (mut handles, mut hashtags) = (Vec::new(), Vec::new());
        for entity in entities_of(text.as_str()) {
            match entity.kind {
                EntityKind::Mention(handle) => handles.push(handle),
                EntityKind::Hashtag(hashtag) => hashtags.push(hashtag),
            }
        }
        let (handles, hashtags) = (once(handles), once(hashtags));
        if handles.len() > POST_MENTIONS_MAX {
            return Err(Flood::Mentions(handles.len()));
        }
        if hashtags.len() > POST_HASHTAGS_MAX {
            return Err(Flood::Hashtags(hashtags.len()));
        }
        Ok(Self { handles, hashtags })
    }
}

fn once<T: Ord + Clone>(all: Vec<T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    all.into_iter().filter(|one| seen.insert(one.clone())).collect()
}

/// A mention or a hashtag, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Where, in bytes, with its `@` or `#`.
    pub range: Range<usize>,
    /// What.
    pub kind: EntityKind,
}

/// A mention or a hashtag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntityKind {
    /// Somebody, if anybody has the handle.
    Mention(Handle),
    /// A word to find the post under.
    Hashtag(Hashtag),
}

/// The mentions and hashtags of any text, in order: for whoever shows them as links, too.
pub fn entities_of(text: &str) -> Vec<Entity> {
    let mut found = Vec::new();
    let mut at = 0;
    for token in text.split_inclusive(char::is_whitespace) {
        if !token.contains("://") {
            in_token(token, at, &mut found);
        }
        at += token.len();
    }
    found
}

fn in_token(token: &str, offset: usize, found: &mut Vec<Entity>) {
    let mut before = None;
    let mut at = 0;
    while let Some(character) = token[at..].chars().next() {
        let rest = at + character.len_utf8();
        let entity = match character {
            _ if before.is_some_and(joins) => None,
            '@' | '＠' => mention(&token[rest..]),
            '#' | '＃' | '﹟' => hashtag(&token[rest..]),
            _ => None,
        };
        if let Some((length, kind)) = entity {
            found.push(Entity { range: offset + at..offset + rest + length, kind });
            at = rest + length;
            before = token[..at].chars().next_back();
        } else {
            (at, before) = (rest, Some(character));
        }
    }
}

/// Whether what follows belongs to what was before: a word, a path, an address, `##`, `&#39;`.
fn joins(before: char) -> bool {
    is_word(before) || matches!(before, '@' | '＠' | '#' | '＃' | '﹟' | '/' | '&')
}

/// What is mentioned right after an `@`, and how long it is.
fn mention(after: &str) -> Option<(usize, EntityKind)> {
    let word = &after[..after.find(|character| !is_word(character)).unwrap_or(after.len())];
    // `@anna@example.com` is somebody on another server.
    let is_address = after[word.len()..].starts_with(['@', '＠']);
    let handle = Handle::parse(word).ok().filter(|_| !is_address)?;
    Some((word.len(), EntityKind::Mention(handle)))
}

/// The hashtag right after a `#`, and how long it is.
fn hashtag(after: &str) -> Option<(usize, EntityKind)> {
    let is_part = |character| is_word(character) || JOINERS.contains(&character);
    let run = &after[..after.find(|character| !is_part(character)).unwrap_or(after.len())];
    let word = run.trim_end_matches(JOINERS);
    let hashtag = Hashtag::parse(word).ok()?;
    Some((word.len(), EntityKind::Hashtag(hashtag)))
}
