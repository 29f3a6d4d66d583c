//! Follows the brackets of a document and counts what the limits are about.

use super::{
    GuardError, GuardLimit, GuardLimits,
    lexer::{Bracket, Lexer, Token},
};

/// An operation or a fragment, as far as the limits care.
#[derive(Debug, Default)]
pub(super) struct Definition<'a> {
    /// `None` for an operation. A fragment's name is empty until it has been read.
    pub(super) fragment: Option<&'a str>,
    pub(super) is_mutation: bool,
    /// Fields, spreads and inline fragments, at any depth.
    pub(super) selections: u64,
    /// Fields at the top, also inside of inline fragments there.
    pub(super) top_fields: u64,
    pub(super) spreads: Vec<Spread<'a>>,
}

impl<'a> Definition<'a> {
    pub(super) fn fragment_name(&self) -> Option<&'a str> {
        self.fragment.filter(|name| !name.is_empty())
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Spread<'a> {
    pub(super) name: &'a str,
    pub(super) is_at_top: bool,
}

/// What an open bracket holds.
#[derive(Clone, Copy, Debug)]
enum Scope {
    Selections {
        /// Whether its fields are fields of the definition itself.
        is_top: bool,
        /// Whether a `{` now belongs to a field, not to an inline fragment.
        after_field: bool,
    },
    /// Arguments, variables, lists, objects and types.
    Values,
}

/// What the token before was, where that decides the meaning of a name.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Before {
    Spread,
    /// `... on`, whose next name is a type.
    On,
    At,
    Colon,
    Name,
    Other,
}

/// Reads the whole document once.
pub(super) fn read<'a>(document: &'a str, limits: &GuardLimits) -> Result<Vec<Definition<'a>>, GuardError> {
    let mut reader = Reader::new(limits);
    for token in Lexer::new(document) {
        reader.token(token)?;
    }
    reader.finish_definition();
    Ok(reader.definitions)
}

struct Reader<'a, 'l> {
    limits: &'l GuardLimits,
    definitions: Vec<Definition<'a>>,
    current: Option<Definition<'a>>,
    scopes: Vec<Scope>,
    before: Before,
    tokens: u64,
    aliases: u64,
    directives: u64,
    fragments: u64,
    spreads: u64,
}

impl<'a, 'l> Reader<'a, 'l> {
    fn new(limits: &'l GuardLimits) -> Self {
        Self {
            limits,
            definitions: Vec::new(),
            current: None,
            scopes: Vec::new(),
            before: Before::Other,
            tokens: 0,
            aliases: 0,
            directives: 0,
            fragments: 0,
            spreads: 0,
        }
    }

    fn token(&mut self, token: Token<'a>) -> Result<(), GuardError> {
        self.tokens += 1;
        GuardLimit::Tokens.check(self.limits.tokens_max, self.tokens)?;
        self.before = match token {
            Token::Name(name) => self.name(name)?,
            Token::Open(bracket) => {
                self.open(bracket)?;
                Before::Other
            }
            Token::Close => {
                self.scopes.pop();
                if self.scopes.is_empty() && self.current.as_ref().is_some_and(|current| current.selections > 0) {
                    self.finish_definition();
                }
                Before::Other
            }
            Token::Spread => {
                self.begin_fragment_selection();
                Before::Spread
            }
            Token::At => {
                self.directives += 1;
                GuardLimit::Directives.check(self.limits.directives_max, self.directives)?;
                Before::At
            }
            Token::Colon => {
                self.colon()?;
                Before::Colon
            }
            Token::Other => Before::Other,
        };
        Ok(())
    }

    fn open(&mut self, bracket: Bracket) -> Result<(), GuardError> {
        let scope = match (bracket, self.scopes.last()) {
            (Bracket::Curly, None) => {
                self.current.get_or_insert_default();
                Scope::Selections { is_top: true, after_field: false }
            }
            (Bracket::Curly, Some(&Scope::Selections { is_top, after_field })) => {
                Scope::Selections { is_top: is_top && !after_field, after_field: false }
            }
            (Bracket::Curly, Some(Scope::Values)) | (Bracket::Round | Bracket::Square, _) => Scope::Values,
        };
        self.scopes.push(scope);
        GuardLimit::Nesting.check(self.limits.nesting_max, self.scopes.len() as u64)
    }

    fn name(&mut self, name: &'a str) -> Result<Before, GuardError> {
        match (self.scopes.last().copied(), self.before) {
            // Names of directives, arguments, types and values; and the name behind an alias: that field was counted
            // with its alias.
            (_, Before::At) | (Some(Scope::Values), _) | (Some(_), Before::On | Before::Colon) => {}
            (None, _) => self.definition_name(name)?,
            (Some(Scope::Selections { is_top, .. }), Before::Spread) => {
                // `...on` is an inline fragment; where the grammar takes it for a spread of a fragment called `on`,
                // that one counts too.
                self.spread(name, is_top)?;
                if name == "on" {
                    return Ok(Before::On);
                }
            }
            (Some(Scope::Selections { is_top, .. }), Before::Name | Before::Other) => self.field(is_top),
        }
        Ok(Before::Name)
    }

    /// A name outside of all brackets: a keyword, or what comes behind one. The grammar also takes a keyword and a
    /// name that are written together.
    fn definition_name(&mut self, name: &'a str) -> Result<(), GuardError> {
        if let Some(current) = &mut self.current {
            if current.fragment == Some("") {
                current.fragment = Some(name);
            }
            return Ok(());
        }
        if let Some(glued) = name.strip_prefix("fragment") {
            self.fragments += 1;
            GuardLimit::Fragments.check(self.limits.fragments_max, self.fragments)?;
            self.current = Some(Definition { fragment: Some(glued), ..Definition::default() });
        } else {
            self.current = Some(Definition { is_mutation: name.starts_with("mutation"), ..Definition::default() });
        }
        Ok(())
    }

    fn field(&mut self, is_top: bool) {
        if let Some(Scope::Selections { after_field, .. }) = self.scopes.last_mut() {
            *after_field = true;
        }
        if let Some(current) = &mut self.current {
            current.selections += 1;
            current.top_fields += u64::from(is_top);
        }
    }

    fn begin_fragment_selection(&mut self) {
        if let Some(Scope::Selections { after_field, .. }) = self.scopes.last_mut() {
            *after_field = false;
            if let Some(current) = &mut self.current {
                current.selections += 1;
            }
        }
    }

    fn spread(&mut self, name: &'a str, is_at_top: bool) -> Result<(), GuardError> {
        self.spreads += 1;
        GuardLimit::Spreads.check(self.limits.spreads_max, self.spreads)?;
        if let Some(current) = &mut self.current {
            current.spreads.push(Spread { name, is_at_top });
        }
        Ok(())
    }

    fn colon(&mut self) -> Result<(), GuardError> {
        if let Some(Scope::Selections { .. }) = self.scopes.last() {
            self.aliases += 1;
            GuardLimit::Aliases.check(self.limits.aliases_max, self.aliases)?;
        }
        Ok(())
    }

    fn finish_definition(&mut self) {
        self.definitions.extend(self.current.take());
    }
}
