//! Refuses documents that are too large to parse or to validate, in front of the parser.
//!
//! The parser descends once for each bracket: an argument of twenty thousand `[` overflows the stack and takes the
//! process down. Validation spreads fragments in place: thirty of them can become a billion selections. So every
//! document is read here first, in one pass over its bytes and without recursion. What is no GraphQL at all passes:
//! the parser says that better.

mod fragments;
mod lexer;
mod structure;

use std::fmt;

use serde_json::Value;

/// How much of what a document may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardLimits {
    /// Bytes of text.
    pub bytes_max: usize,
    /// Tokens, counted as the GraphQL grammar does.
    pub tokens_max: usize,
    /// Brackets inside each other, of every kind: selections, arguments, lists, objects, types.
    pub nesting_max: usize,
    /// Aliases, so that one expensive field cannot be asked for a thousand times.
    pub aliases_max: usize,
    /// Directives.
    pub directives_max: usize,
    /// Fragment definitions.
    pub fragments_max: usize,
    /// Fragment spreads, as written.
    pub spreads_max: usize,
    /// Fields at the top of a query or a subscription.
    pub root_fields_max: usize,
    /// Fields at the top of a mutation: each is a command.
    pub mutation_root_fields_max: usize,
    /// Selections of all operations, once every fragment is in its place.
    pub expanded_selections_max: usize,
    /// Lists and objects inside each other in `variables`.
    pub variables_nesting_max: usize,
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self {
            bytes_max: 32 * 1024,
            tokens_max: 2_000,
            nesting_max: 32,
            aliases_max: 30,
            directives_max: 50,
            fragments_max: 50,
            spreads_max: 200,
            root_fields_max: 20,
            mutation_root_fields_max: 5,
            expanded_selections_max: 4_000,
            variables_nesting_max: 32,
        }
    }
}

/// Which limit a document is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardLimit {
    /// See [`GuardLimits::bytes_max`].
    Bytes,
    /// See [`GuardLimits::tokens_max`].
    Tokens,
    /// See [`GuardLimits::nesting_max`].
    Nesting,
    /// See [`GuardLimits::aliases_max`].
    Aliases,
    /// See [`GuardLimits::directives_max`].
    Directives,
    /// See [`GuardLimits::fragments_max`].
    Fragments,
    /// See [`GuardLimits::spreads_max`].
    Spreads,
    /// See [`GuardLimits::root_fields_max`] and [`GuardLimits::mutation_root_fields_max`].
    RootFields,
    /// See [`GuardLimits::expanded_selections_max`].
    ExpandedSelections,
    /// See [`GuardLimits::variables_nesting_max`].
    VariablesNesting,
}

impl GuardLimit {
    fn check(self, max: usize, found: u64) -> Result<(), GuardError> {
        if found > max as u64 { Err(GuardError::OverLimit { limit: self, max, found }) } else { Ok(()) }
    }
}

impl fmt::Display for GuardLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Bytes => "bytes",
            Self::Tokens => "tokens",
            Self::Nesting => "levels of nesting",
            Self::Aliases => "aliases",
            Self::Directives => "directives",
            Self::Fragments => "fragments",
            Self::Spreads => "fragment spreads",
            Self::RootFields => "root fields in one operation",
            Self::ExpandedSelections => "selections with all fragments in place",
            Self::VariablesNesting => "levels of nesting in the variables",
        })
    }
}

/// Why a document may not go to the parser.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// It is over a limit.
    #[error("the request has at least {found} {limit}, at most {max} are allowed")]
    OverLimit {
        /// Which one.
        limit: GuardLimit,
        /// What would have been allowed.
        max: usize,
        /// What was found. Where counting stopped at the limit, the document may hold more.
        found: u64,
    },
    /// A fragment leads back to itself.
    #[error("fragment \"{fragment}\" spreads itself")]
    FragmentCycle {
        /// Its name.
        fragment: String,
    },
}

/// Refuses a document that is over a limit or whose fragments go in circles. Takes time linear in its length.
pub fn check(document: &str, limits: &GuardLimits) -> Result<(), GuardError> {
    GuardLimit::Bytes.check(limits.bytes_max, document.len() as u64)?;
    fragments::check(&structure::read(document, limits)?, limits)
}

/// Refuses values that are nested too deep. Takes time linear in their size, and no stack.
pub(super) fn check_variables(
    variables: &serde_json::Map<String, Value>,
    limits: &GuardLimits,
) -> Result<(), GuardError> {
    let mut open: Vec<(&Value, u64)> = variables.values().map(|value| (value, 1)).collect();
    while let Some((value, depth)) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(fields) => open.extend(fields.values().map(|field| (field, depth + 1))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => continue,
        }
        GuardLimit::VariablesNesting.check(limits.variables_nesting_max, depth)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
