//! Which handles there are, and which tricks are refused.

use proptest::prelude::*;

use super::*;

#[test]
fn a_handle_is_folded() {
    for (text, expected) in [
        ("anna", "anna"),
        ("Anna_B2", "anna_b2"),
        ("ａｎｎａ", "anna"),
        ("ﬁnn", "finn"),
        ("Straße", "strasse"),
        ("JOSÉ", "josé"),
        ("jose\u{301}", "josé"),
        ("МОСКВА", "москва"),
        ("ΕΛΛΗΝΑΣ", "ελληνασ"),
        ("山田", "山田"),
        ("東京abc", "東京abc"),
        ("さくらサクラ", "さくらサクラ"),
        ("한국어", "한국어"),
        ("नमस्ते", "नमस्ते"),
        ("علي", "علي"),
        ("2pac", "2pac"),
    ] {
        assert_eq!(Handle::parse(text).map(|handle| handle.to_string()), Ok(expected.to_owned()), "{text}");
    }
}

#[test]
fn a_handle_has_letters_digits_and_underscores_only() {
    for text in [
        "an na",
        "an-na",
        "an.na",
        "@anna",
        "anna!",
        "a/b",
        "a\nb",
        "a\u{0}b",
        "an·na",
        "anna™",
        "❤️❤️",
        "🍵tea",
        "①②a",
    ] {
        assert_eq!(Handle::parse(text), Err(HandleError::Characters), "{text:?}");
    }
}

#[test]
fn what_cannot_be_seen_is_refused() {
    for hidden in [
        '\u{ad}',
        '\u{34f}',
        '\u{61c}',
        '\u{115f}',
        '\u{180e}',
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{200e}',
        '\u{200f}',
        '\u{202a}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2069}',
        '\u{206a}',
        '\u{3164}',
        '\u{fe0f}',
        '\u{feff}',
        '\u{ffa0}',
        '\u{e0061}',
        '\u{e0100}',
    ] {
        for text in [format!("an{hidden}na"), format!("{hidden}anna"), format!("anna{hidden}")] {
            assert_eq!(Handle::parse(&text), Err(HandleError::Characters), "{text:?}");
        }
    }
}

#[test]
fn letters_out_of_everyday_use_are_refused() {
    for text in ["ᚠᚢᚦ", "𐎀𐎁𐎂", "ɐnna", "ǃxoo"] {
        assert_eq!(Handle::parse(text), Err(HandleError::Characters), "{text}");
    }
}

#[test]
fn scripts_that_are_not_written_together_are_refused() {
    for text in ["p\u{430}ypal", "аnna", "αlpha", "annaж", "ab한あ", "١٢٣12ع", "anna١"] {
        assert_eq!(Handle::parse(text), Err(HandleError::MixedScripts), "{text}");
    }
}

#[test]
fn what_could_be_taken_for_plain_latin_is_refused() {
    for text in ["рауса", "сосо", "ınstagram", "ανα"] {
        assert_eq!(Handle::parse(text), Err(HandleError::Confusable), "{text}");
    }
}

#[test]
fn a_handle_has_a_letter_and_letters_or_digits_at_both_ends() {
    for text in ["_anna", "anna_", "__", "12", "123", "1_2", "\u{301}anna", "a\u{308}\u{308}b"] {
        assert_eq!(Handle::parse(text), Err(HandleError::Shape), "{text:?}");
    }
    let tower = format!("x{}y", "\u{301}\u{300}\u{308}".repeat(2));
    assert_eq!(Handle::parse(&tower), Err(HandleError::Shape));
}

#[test]
fn a_handle_is_neither_too_short_nor_too_long() {
    let of = |graphemes: usize| "a".repeat(graphemes);
    for text in [of(HANDLE_GRAPHEMES_MIN), of(HANDLE_GRAPHEMES_MAX), "山".repeat(HANDLE_GRAPHEMES_MAX)] {
        assert!(Handle::parse(&text).is_ok(), "{text}");
    }
    for text in [String::new(), of(HANDLE_GRAPHEMES_MIN - 1), of(HANDLE_GRAPHEMES_MAX + 1), of(HANDLE_BYTES_MAX + 1)] {
        assert_eq!(Handle::parse(&text), Err(HandleError::Length), "{text}");
    }
    // One letter that folding makes eighteen of, eight times.
    let grows = "\u{fdfa}".repeat(8);
    assert!(Handle::parse(&grows).is_err());
}

#[test]
fn names_of_the_house_are_reserved_however_they_are_written() {
    for text in ["admin", "ADMIN", "ａｄｍｉｎ", "Support", "everyone"] {
        assert_eq!(Handle::parse(text), Err(HandleError::Reserved), "{text}");
    }
    for name in RESERVED {
        assert_eq!(Handle::parse(name), Err(HandleError::Reserved), "{name} is not one that could be had");
    }
}

#[test]
fn what_was_stored_is_read_back_whatever_the_tables_of_today_say() {
    for text in ["anna", "admin", "p\u{430}ypal", "Anna"] {
        let json = serde_json::to_string(text).expect("text");
        let handle: Handle = serde_json::from_str(&json).expect("read back");
        assert_eq!((handle.as_str(), serde_json::to_string(&handle).expect("written")), (text, json));
    }
    assert!(serde_json::from_str::<Handle>("1").is_err());
}

/// Letters of many scripts, marks, digits, tricks.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,20}",
        "[a-zA-Z0-9_]{0,32}",
        "[а-яА-Я0-9]{0,20}",
        "[\u{300}-\u{36f}a-zé]{0,20}",
        "[\u{ff21}-\u{ff5a}]{0,20}",
        "[ぁ-んァ-ン一-鿿a-z]{0,20}",
        "[\u{600}-\u{6ff}]{0,20}"
    ]
}

proptest! {
    #[test]
    fn a_handle_parses_to_itself_in_any_case(text in texts()) {
        if let Ok(handle) = Handle::parse(&text) {
            prop_assert_eq!(Handle::parse(handle.as_str()), Ok(handle.clone()));
            for other in [text.to_uppercase(), text.to_lowercase()] {
                // Upper case may need more room (`ŉ`) or letters that are out of use.
                if let Ok(other) = Handle::parse(&other) {
                    prop_assert_eq!(&other, &handle);
                }
            }
            prop_assert!(handle.as_str().len() <= HANDLE_BYTES_MAX);
            let is_plain = |c: char| !c.is_control() && !c.is_whitespace() && !c.is_uppercase() && !unicode::is_ignorable(c);
            prop_assert!(handle.as_str().chars().all(is_plain));
        }
    }
}
