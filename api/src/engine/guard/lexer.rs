//! Splits a GraphQL document into tokens, as the parser behind it would.
//!
//! Not a validator: what the grammar refuses is passed on as [`Token::Other`] and refused by the parser. What counts
//! is that no bracket which the parser would descend into can hide from here, in a string or a comment.

/// What the guard needs to know of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Name(&'a str),
    Open(Bracket),
    Close,
    Spread,
    At,
    Colon,
    /// Strings, numbers, punctuation without a meaning for the limits, and everything that is no token at all.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bracket {
    Round,
    Square,
    Curly,
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
const BLOCK_QUOTE: &[u8] = b"\"\"\"";
const ESCAPED_BLOCK_QUOTE: &[u8] = b"\\\"\"\"";

/// The tokens of a document, in one pass.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Set once a block string was found to have no end: no later one has, and none is looked for twice.
    blocks_are_open: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, blocks_are_open: false }
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn take_while(&mut self, accept: impl Fn(u8) -> bool) {
        self.at += self.rest().iter().take_while(|&&byte| accept(byte)).count();
    }

    fn skip_ignored(&mut self) {
        loop {
            match self.rest() {
                [b' ' | b'\t' | b'\n' | b'\r' | b',', ..] => self.at += 1,
                [b'#', ..] => self.take_while(|byte| byte != b'\n' && byte != b'\r'),
                rest if rest.starts_with(BYTE_ORDER_MARK) => self.at += BYTE_ORDER_MARK.len(),
                _ => return,
            }
        }
    }

    fn name(&mut self) -> Token<'a> {
        let start = self.at;
        self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        Token::Name(&self.text[start..self.at])
    }

    fn number(&mut self) {
        self.at += 1;
        self.take_while(|byte| byte.is_ascii_digit());
        if let [b'.', b'0'..=b'9', ..] = self.rest() {
            self.at += 1;
            self.take_while(|byte| byte.is_ascii_digit());
        }
        if let [b'e' | b'E', b'0'..=b'9', ..] | [b'e' | b'E', b'+' | b'-', b'0'..=b'9', ..] = self.rest() {
            self.at += 2;
            self.take_while(|byte| byte.is_ascii_digit());
        }
    }

    /// From the opening quote to behind the closing one. A line break ends a string that was not closed.
    fn string(&mut self) {
        self.at += 1;
        loop {
            match self.rest() {
                [] | [b'\n' | b'\r', ..] => return,
                [b'"', ..] => {
                    self.at += 1;
                    return;
                }
                // The escaped byte cannot end the string; a line break after a backslash does.
                [b'\\', escaped, ..] if !matches!(escaped, b'\n' | b'\r') => self.at += 2,
                _ => self.at += 1,
            }
        }
    }

    /// From the opening quotes to behind the closing ones. Without closing ones the parser tries again and reads an
    /// empty string, then goes on behind it: so must this.
    fn block_string(&mut self) {
        let bytes = self.text.as_bytes();
        let mut at = self.at + BLOCK_QUOTE.len();
        while !self.blocks_are_open && at < bytes.len() {
            if bytes[at..].starts_with(ESCAPED_BLOCK_QUOTE) {
                at += ESCAPED_BLOCK_QUOTE.len();
            } else if bytes[at..].starts_with(BLOCK_QUOTE) {
                self.at = at + BLOCK_QUOTE.len();
                return;
            } else {
                at += 1;
            }
        }
        self.blocks_are_open = true;
        self.at += 2;
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_ignored();
        let &first = self.rest().first()?;
        let token = match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => return Some(self.name()),
            b'0'..=b'9' | b'-' => {
                self.number();
                return Some(Token::Other);
            }
            b'"' => {
                if self.rest().starts_with(BLOCK_QUOTE) {
                    self.block_string();
                } else {
                    self.string();
                }
                return Some(Token::Other);
            }
            b'.' if self.rest().starts_with(b"...") => {
                self.at += 3;
                return Some(Token::Spread);
            }
            b'(' => Token::Open(Bracket::Round),
            b'[' => Token::Open(Bracket::Square),
            b'{' => Token::Open(Bracket::Curly),
            b')' | b']' | b'}' => Token::Close,
            b'@' => Token::At,
            b':' => Token::Colon,
            _ => Token::Other,
        };
        self.at += 1;
        Some(token)
    }
}
