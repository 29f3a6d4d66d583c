//! What is relied on of the tables of Unicode.

use proptest::prelude::*;

use super::*;

#[test]
fn folding_any_letter_twice_is_folding_it_once() {
    for character in ('\0'..=char::MAX).filter(|character| is_word(*character)) {
        let once = folded(&character.to_string());
        assert_eq!(folded(&once), once, "{character:?}");
    }
}

/// The tables of case folding may be of an older version of Unicode than the others. What handles are made of must fold all
/// the same: a handle that an update folds otherwise would be another one.
#[test]
fn the_case_of_what_handles_are_made_of_makes_no_difference() {
    // Dotless I is no small form of I to Unicode; handles with it are refused, since it looks like one.
    let letters = ('\0'..=char::MAX).filter(|letter| is_word(*letter) && is_recommended(*letter) && *letter != 'ı');
    for letter in letters {
        for other in [letter.to_uppercase().to_string(), letter.to_lowercase().to_string()] {
            assert_eq!(folded(&other), folded(&letter.to_string()), "{letter:?} {other:?}");
        }
    }
}

#[test]
fn what_is_not_seen_is_ignorable_and_no_word() {
    for character in [
        '\u{ad}',
        '\u{200b}',
        '\u{200d}',
        '\u{202e}',
        '\u{2066}',
        '\u{206f}',
        '\u{3164}',
        '\u{fe0f}',
        '\u{e0001}',
        '\u{e0100}',
    ] {
        assert!(is_ignorable(character) && !is_word(character) && !is_visible(character), "{character:?}");
    }
    for character in ['a', 'é', '山', '\u{301}', '1', '_'] {
        assert!(!is_ignorable(character) && is_word(character), "{character:?}");
    }
    for character in ['-', '.', '@', ' ', '🍵'] {
        assert!(!is_ignorable(character) && !is_word(character), "{character:?}");
    }
}

proptest! {
    #[test]
    fn folding_text_twice_is_folding_it_once(text in prop_oneof![".{0,40}", "[\u{300}-\u{345}a-zα-ωΑ-Ω\u{1f00}-\u{1fff}]{0,20}"]) {
        let once = folded(&text);
        prop_assert_eq!(folded(&once), once);
    }
}
