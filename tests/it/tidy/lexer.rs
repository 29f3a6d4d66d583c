//! Just enough of Rust's syntax to tell code from comments and literals.

/// The text with blanks for comments. Lines stay where they are.
pub(super) fn without_comments(source: &str) -> String {
    blank(source, false)
}

/// The text with blanks for comments and for string and character literals. Lines stay where they are.
pub(super) fn without_comments_and_literals(source: &str) -> String {
    blank(source, true)
}

fn blank(source: &str, literals_too: bool) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let (end, keep) = match (comment_end(&chars, at), literal_end(&chars, at)) {
            (Some(end), _) => (end, false),
            (None, Some(end)) => (end, !literals_too),
            (None, None) => (at + 1, true),
        };
        out.extend(chars[at..end].iter().map(|&c| if keep || c == '\n' { c } else { ' ' }));
        at = end;
    }
    out
}

fn starts(chars: &[char], at: usize, with: &str) -> bool {
    with.chars().enumerate().all(|(offset, c)| chars.get(at + offset) == Some(&c))
}

fn comment_end(chars: &[char], at: usize) -> Option<usize> {
    if starts(chars, at, "//") {
        return Some(chars[at..].iter().position(|&c| c == '\n').map_or(chars.len(), |length| at + length));
    }
    if !starts(chars, at, "/*") {
        return None;
    }
    let mut depth = 0;
    let mut at = at;
    while at < chars.len() {
        if starts(chars, at, "/*") {
            depth += 1;
            at += 2;
        } else if starts(chars, at, "*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    Some(chars.len())
}

fn literal_end(chars: &[char], at: usize) -> Option<usize> {
    if chars[at] == '\'' {
        return character_end(chars, at);
    }
    // The letters before a string, such as `br`, begin a word.
    let begins_word = at == 0 || !is_word(chars[at - 1]);
    let prefix =
        if begins_word { chars[at..].iter().take_while(|&&c| matches!(c, 'b' | 'c' | 'r')).count() } else { 0 };
    let open = at + prefix;
    if chars[at..open].contains(&'r') {
        return raw_end(chars, open);
    }
    (chars.get(open) == Some(&'"')).then(|| quote_end(chars, open + 1, '"'))
}

fn raw_end(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at..].iter().take_while(|&&c| c == '#').count();
    // Without the quote it is a raw name such as `r#type`, or a plain one such as `rb`.
    (chars.get(at + hashes) == Some(&'"')).then_some(())?;
    let close = format!("\"{}", "#".repeat(hashes));
    let body = at + hashes + 1;
    let end = (body..chars.len()).find(|&at| starts(chars, at, &close));
    Some(end.map_or(chars.len(), |end| end + close.len()))
}

fn character_end(chars: &[char], at: usize) -> Option<usize> {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => Some(quote_end(chars, at + 1, '\'')),
        (Some(_), Some('\'')) => Some(at + 3),
        // A lifetime.
        _ => None,
    }
}

fn quote_end(chars: &[char], body: usize, quote: char) -> usize {
    let mut at = body;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// Whether a character may be part of a name.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether the line holds this text, and not as a part of a longer name.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let open = |edge: Option<char>, neighbour: Option<char>| {
            !(edge.is_some_and(is_word) && neighbour.is_some_and(is_word))
        };
        open(word.chars().next(), before) && open(word.chars().next_back(), after)
    })
}

/// The names in a text: runs of letters, digits and underscores.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_word(c)).filter(|name| !name.is_empty())
}

#[test]
fn comments_and_literals_are_told_from_code() {
    let source = r##"
let a = "x // no comment \" still"; // a comment "no string
let b = r#"raw " string"#; /* outer /* inner */ still */ let c = 'x';
fn d<'a>(e: &'a str, f: char) { f == '"' || f == '\'' } let r#type = b"bytes"; let rb = 1;"##;
    let code = without_comments(source);
    assert!(code.contains(r#""x // no comment \" still";"#) && code.contains(r##"r#"raw " string"#"##));
    assert!(!code.contains("a comment") && !code.contains("inner") && !code.contains("still */"));
    let words: Vec<_> = names(&without_comments_and_literals(source)).map(str::to_owned).collect();
    let expected = "let a let b let c fn d a e a str f char f f let r type let rb 1";
    assert_eq!(words, expected.split(' ').collect::<Vec<_>>());
    assert_eq!(code.lines().count(), source.lines().count());
}

#[test]
fn a_word_is_not_a_part_of_another() {
    assert!(has_word("use tokio::sync;", "tokio"));
    assert!(has_word("SELECT 1", "SELECT "));
    assert!(has_word("#[allow(x)]", "#[allow("));
    assert!(!has_word("tokio_util", "tokio"));
    assert!(!has_word("asynchronous", "async"));
}
