//! What people may write, and what is made of it.

use proptest::prelude::*;

use super::*;

fn post(text: &str) -> Result<String, TextError> {
    PostText::parse(text).map(|text| text.to_string())
}

#[test]
fn text_is_composed_and_trimmed_and_its_lines_end_in_one_way() {
    for (text, expected) in [
        ("  Tea!\n", "Tea!"),
        ("cafe\u{301}", "caf\u{e9}"),
        ("a\r\nb\rc\u{85}d\u{2028}e\u{2029}f", "a\nb\nc\nd\ne\nf"),
        ("a\tb", "a\tb"),
        ("\u{3000}茶\u{a0}", "茶"),
        ("ａ①ﬁ", "ａ①ﬁ"),
    ] {
        assert_eq!(post(text).as_deref(), Ok(expected), "{text:?}");
    }
}

#[test]
fn what_nobody_sees_is_empty() {
    for text in [
        "",
        " ",
        "\n\t ",
        "\u{3000}",
        "\u{200b}",
        "\u{200d}\u{fe0f}",
        "\u{ad}\u{2060}",
        "\u{feff}",
        "\u{3164}",
        "\u{2800}",
        "\u{200e} \u{200f}",
    ] {
        assert_eq!(post(text), Err(TextError::Empty), "{text:?}");
        assert_eq!(Biography::parse(text), Ok(Biography::default()), "{text:?}");
    }
}

#[test]
fn control_characters_are_refused_and_line_breaks_where_there_is_one_line() {
    for character in
        ['\0', '\u{7}', '\u{8}', '\u{b}', '\u{c}', '\u{1b}', '\u{7f}', '\u{9b}', '\u{fdd0}', '\u{ffff}', '\u{1fffe}']
    {
        assert_eq!(post(&format!("a{character}b")), Err(TextError::Unshowable(character.into())), "{character:?}");
    }
    for character in ['\n', '\t'] {
        let name = DisplayName::parse(&format!("a{character}b"));
        assert_eq!(name, Err(TextError::Unshowable(character.into())), "{character:?}");
    }
}

#[test]
fn a_change_of_direction_ends_in_its_line_and_nothing_is_turned_around() {
    for text in [
        "a \u{2067}עברית\u{2069} b",
        "\u{2066}a \u{2068}b\u{2069}\u{2069}\n\u{202b}c\u{202c}",
        "שלום \u{200f}עולם\u{200e}!",
    ] {
        assert!(post(text).is_ok(), "{text:?}");
    }
    for text in [
        "a \u{202e}b\u{202c}",
        "a \u{202d}b\u{202c}",
        "a \u{2067}b",
        "a \u{2067}b\nc\u{2069}",
        "a\u{2069} b",
        "a \u{202a}b\u{2069}",
        "\u{2066}a \u{202a}b\u{2069}\u{202c}",
    ] {
        assert_eq!(post(text), Err(TextError::Direction), "{text:?}");
    }
}

#[test]
fn characters_are_counted_as_readers_count_them() {
    // Each of these is one character to a reader.
    for character in ["a", "é", "e\u{301}", "👨‍👩‍👧‍👦", "🇩🇪", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "नि", "각"]
    {
        let most = POST_GRAPHEMES_MAX.min(lines(POST_GRAPHEMES_MAX).bytes_max / character.len());
        assert!(post(&character.repeat(most)).is_ok(), "{character}");
    }
    let too_long = TextError::TooLong { graphemes: POST_GRAPHEMES_MAX + 1, max: POST_GRAPHEMES_MAX };
    for character in ["a", "é", "茶", "e\u{301}"] {
        assert_eq!(post(&character.repeat(POST_GRAPHEMES_MAX + 1)), Err(too_long.clone()), "{character}");
    }
}

#[test]
fn bytes_have_an_end_too() {
    let max = lines(POST_GRAPHEMES_MAX).bytes_max;
    let families = "👨‍👩‍👧‍👦".repeat(POST_GRAPHEMES_MAX);
    assert_eq!(post(&families), Err(TextError::TooManyBytes { max }));
    // Composing makes this letter three times as long.
    let grows = "\u{1d160}".repeat(max / 4);
    assert!(post(&grows).is_err());
}

#[test]
fn a_tower_of_marks_is_refused() {
    let with_marks = |marks: usize| format!("x{}", "\u{323}\u{307}".repeat(marks / 2));
    assert!(post(&with_marks(30)).is_ok());
    assert_eq!(post(&with_marks(32)), Err(TextError::Stacked));
}

#[test]
fn what_was_stored_is_read_back_whatever_the_tables_of_today_say() {
    for text in ["Tea!", " not trimmed ", "\u{202e}", ""] {
        let json = serde_json::to_string(text).expect("text");
        let read: PostText = serde_json::from_str(&json).expect("read back");
        assert_eq!((read.as_str(), serde_json::to_string(&read).expect("written")), (text, json));
    }
}

proptest! {
    #[test]
    fn what_is_taken_is_taken_again_as_it_is(text in "(?s).{0,120}") {
        if let Ok(taken) = post(&text) {
            prop_assert_eq!(post(&taken), Ok(taken.clone()));
            prop_assert!(!taken.is_empty() && taken.trim() == taken);
        }
    }
}
