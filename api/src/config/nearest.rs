//! The known key that a typo was probably meant to be.

use super::{
    Config,
    settings::{Key, Section as _},
};

/// How alike two names must be (Jaro-Winkler, 0 to 1) for one to be offered for the other.
const ALIKE_MIN: f64 = 0.75;

/// The key most like `name`: among its siblings in the section `path`, else anywhere, then with its section.
pub(super) fn key(path: &str, name: &str, siblings: &[Key]) -> Option<String> {
    let siblings = siblings.iter().map(|key| (key.name, join(path, key.name)));
    let mut everywhere = Vec::new();
    collect("", Config::KEYS, &mut everywhere);
    most_alike(name, siblings).or_else(|| most_alike(name, everywhere.into_iter()))
}

fn most_alike(name: &str, known: impl Iterator<Item = (&'static str, String)>) -> Option<String> {
    known
        .map(|(candidate, path)| (strsim::jaro_winkler(name, candidate), path))
        .filter(|(alike, _)| *alike >= ALIKE_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, path)| path)
}

fn collect(path: &str, keys: &[Key], into: &mut Vec<(&'static str, String)>) {
    for key in keys {
        let full = join(path, key.name);
        if let Some(keys) = key.section {
            collect(&full, keys, into);
        }
        into.push((key.name, full));
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
