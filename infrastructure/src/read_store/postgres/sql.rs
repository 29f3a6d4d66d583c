//! What of a statement's text matters to this engine.

use super::super::{ReadStoreError, Value};

/// A piece of a statement's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Token<'a> {
    text: &'a str,
    /// Where it begins.
    at: usize,
}

impl Token<'_> {
    /// Whether it is this keyword, which a quoted name is not.
    fn is(&self, keyword: &str) -> bool {
        self.text.eq_ignore_ascii_case(keyword)
    }

    /// Whether it is a name, quoted or not, or a keyword.
    fn is_name(&self) -> bool {
        self.text.starts_with(|first: char| first.is_alphabetic() || first == '_' || first == '"')
    }
}

/// The pieces of a text without its white space and comments. A quoted piece is one, with its quotes.
fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = sql[at..].chars().next() {
        let rest = &sql[at..];
        let length = match first {
            '\'' | '"' => quoted(rest, first),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '$' => 1 + span(&rest[1..], |next| next.is_ascii_digit()),
            first if is_word(first) => span(rest, is_word),
            other => other.len_utf8(),
        };
        let is_comment = rest.starts_with("--") || rest.starts_with("/*");
        if !first.is_whitespace() && !is_comment {
            found.push(Token { text: &rest[..length], at });
        }
        at += length;
    }
    found
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn span(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|character| !belongs(character)).unwrap_or(text.len())
}

/// How long a quoted piece is. A doubled quote is a part of it.
fn quoted(text: &str, quote: char) -> usize {
    let mut rest = 1;
    while let Some(end) = text[rest..].find(quote) {
        rest += end + 1;
        if !text[rest..].starts_with(quote) {
            return rest;
        }
        rest += 1;
    }
    text.len()
}

/// What a statement of a transaction does, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It changes rows.
    Change,
    /// It changes tables.
    Define,
}

/// What a statement does. One that writes nothing, or would end the transaction, is refused.
pub(super) fn kind(sql: &str) -> Result<Kind, ReadStoreError> {
    let first = tokens(sql).first().map_or("", |token| token.text).to_ascii_uppercase();
    match first.as_str() {
        "INSERT" | "UPDATE" | "DELETE" | "WITH" | "MERGE" => Ok(Kind::Change),
        "CREATE" | "DROP" | "ALTER" | "ANALYZE" => Ok(Kind::Define),
        _ => Err(ReadStoreError::Refused("a statement of a transaction must write".to_owned())),
    }
}

/// The text of a definition, with every column of TEXT compared and sorted by its bytes.
///
/// Otherwise the database's language decides, and the same query gives another order on another server than on SQLite.
/// Only the type of a column is touched: the word TEXT right after a name, unless its order is given.
pub(super) fn with_byte_order(sql: &str) -> String {
    let tokens = tokens(sql);
    let mut out = String::with_capacity(sql.len() + 64);
    let mut copied = 0;
    for (index, token) in tokens.iter().enumerate() {
        let follows_name = index.checked_sub(1).is_some_and(|before| {
            let before = tokens[before];
            before.is_name() && !before.is("AS") && !before.is("COLUMN")
        });
        let has_order = tokens.get(index + 1).is_some_and(|next| next.is("COLLATE"));
        if token.is("TEXT") && follows_name && !has_order {
            let end = token.at + token.text.len();
            out.push_str(&sql[copied..end]);
            out.push_str(" COLLATE \"C\"");
            copied = end;
        }
    }
    out.push_str(&sql[copied..]);
    out
}

/// An `INSERT INTO table (columns) VALUES ($1, ...) rest` whose many rows may go as one statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Insert<'a> {
    /// Up to `VALUES`.
    head: &'a str,
    /// Which value each column takes.
    values: Vec<usize>,
    /// What follows the values: `ON CONFLICT ...`, or nothing.
    tail: &'a str,
    /// The values that rows may not have in common within one statement, because the second of them would be a change of
    /// the first. None: there is no `ON CONFLICT`.
    key: Option<Vec<usize>>,
}

impl<'a> Insert<'a> {
    /// None if the text has another form.
    pub(super) fn parse(sql: &'a str) -> Option<Self> {
        let mut tokens = tokens(sql).into_iter();
        let mut next = || tokens.next();
        if !(next()?.is("INSERT") && next()?.is("INTO") && next()?.is_name()) {
            return None;
        }
        let columns = list(&mut next, Token::is_name)?;
        let values_at = next().filter(|token| token.is("VALUES"))?.at;
        let placeholders = list(&mut next, |token| token.text.starts_with('$'))?;
        let numbers = placeholders.iter().map(|token| token.text[1..].parse::<usize>().ok()?.checked_sub(1));
        let values: Vec<usize> = numbers.collect::<Option<_>>()?;
        if values.len() != columns.len() {
            return None;
        }
        let (mut tail, mut key) = ("", None);
        if let Some(on) = next() {
            if !(on.is("ON") && next()?.is("CONFLICT")) {
                return None;
            }
            let names = list(&mut next, Token::is_name)?;
            let place = |name: &Token<'_>| columns.iter().position(|column| column.is(name.text));
            key = Some(names.iter().map(|name| Some(values[place(name)?])).collect::<Option<Vec<_>>>()?);
            tail = &sql[on.at..];
        }
        // Whatever else takes a value would take it from one row.
        let rest_has_values = tail.contains('$') || tokens.any(|token| token.text == ";");
        (!rest_has_values).then_some(Self { head: &sql[..values_at], values, tail, key })
    }

    /// The same for many rows: each value is an array of this type, by its number.
    pub(super) fn of_arrays(&self, types: &[String]) -> String {
        let arrays: Vec<String> = (1..).zip(types).map(|(number, kind)| format!("${number}::{kind}")).collect();
        let columns: Vec<String> = self.values.iter().map(|value| format!("v.c{value}")).collect();
        let names: Vec<String> = (0..types.len()).map(|value| format!("c{value}")).collect();
        let (head, tail) = (self.head, self.tail);
        let (columns, arrays, names) = (columns.join(", "), arrays.join(", "), names.join(", "));
        format!("{head}SELECT {columns} FROM unnest({arrays}) AS v ({names}) {tail}")
    }

    /// What must differ between the rows of one statement.
    pub(super) fn key<'v>(&self, row: &'v [Value]) -> Option<Vec<&'v Value>> {
        self.key.as_ref().map(|key| key.iter().filter_map(|value| row.get(*value)).collect())
    }
}

/// The elements of a list in brackets, if each is right.
fn list<'a>(
    next: &mut impl FnMut() -> Option<Token<'a>>,
    is_right: impl Fn(&Token<'a>) -> bool,
) -> Option<Vec<Token<'a>>> {
    next().filter(|token| token.text == "(")?;
    let mut elements = Vec::new();
    loop {
        elements.push(next().filter(&is_right)?);
        match next()?.text {
            "," => {}
            ")" => return Some(elements),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests;
