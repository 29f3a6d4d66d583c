//! What is a mention, what is a hashtag, and what is neither.

use proptest::prelude::*;
use unicode_ident::is_xid_continue;

use crate::{
    post::{Entity, EntityKind, entities_of},
    values::{Handle, Hashtag},
};

/// The entities as they are shown: `@anna`, `#tea`.
fn found(text: &str) -> Vec<String> {
    entities_of(text).iter().map(shown).collect()
}

fn shown(entity: &Entity) -> String {
    match &entity.kind {
        EntityKind::Mention(handle) => format!("@{handle}"),
        EntityKind::Hashtag(hashtag) => format!("#{hashtag}"),
    }
}

#[test]
fn mentions_and_hashtags_are_found_in_flowing_text() {
    for (text, expected) in [
        ("@anna", vec!["@anna"]),
        ("hello @Anna, @BEN!", vec!["@anna", "@ben"]),
        (".@anna (@ben) \"@cleo\" -@dora", vec!["@anna", "@ben", "@cleo", "@dora"]),
        ("@anna's tea", vec!["@anna"]),
        ("＠ａｎｎａ ＃Ｔｅａ", vec!["@anna", "#tea"]),
        ("#Tea #TEA_time #2nd", vec!["#tea", "#tea_time", "#2nd"]),
        ("#Straße #ΟΔΟΣ #οδος", vec!["#strasse", "#οδοσ", "#οδοσ"]),
        ("(#tea)#coffee", vec!["#tea", "#coffee"]),
        ("東京で#寿司を、@山田さん。", vec!["@山田さん"]),
        ("東京で #寿司を。", vec!["#寿司を"]),
        ("#caf\u{e9} #cafe\u{301}", vec!["#caf\u{e9}", "#caf\u{e9}"]),
        ("#می\u{200c}خواهم", vec!["#میخواهم"]),
        ("line\n@anna\n#tea", vec!["@anna", "#tea"]),
    ] {
        assert_eq!(found(text), expected, "{text}");
    }
}

#[test]
fn what_only_looks_like_one_is_words() {
    for text in [
        "anna@example.com",
        "@anna@example.social",
        "https://example.com/@anna#tea",
        "see HTTPS://example.com/#tea",
        "example.com/@anna example.com/#tea",
        "&#39; ##tea @@anna #@anna @#tea",
        "# tea @ anna @ #",
        "#1 #123 #_ #__ №1",
        "C# F# a#b a@b _#tea _@anna",
        "@a @admin @_anna @anna_",
        "@\u{202e}anna @\u{200b}anna #\u{200b}tea #\u{fe0f}tea #\u{3164}",
        "#\u{200d}tea",
        "@p\u{430}ypal",
        "#🍵 #❤️ @🍵",
    ] {
        assert_eq!(found(text), Vec::<String>::new(), "{text:?}");
    }
}

#[test]
fn what_cannot_be_seen_ends_a_hashtag_or_joins_its_letters_and_is_no_part_of_it() {
    for (text, expected) in [
        ("#tea\u{200b}time", "#tea"),
        ("#tea\u{202e}time", "#tea"),
        ("#tea\u{fe0f}time", "#tea"),
        ("#tea\u{e0061}time", "#tea"),
        ("#tea\u{200d}time", "#teatime"),
        ("#tea\u{200d}", "#tea"),
        ("#tea\u{200d}\u{200c} x", "#tea"),
    ] {
        assert_eq!(found(text), [expected], "{text:?}");
    }
}

#[test]
fn a_word_that_is_too_long_is_no_hashtag() {
    use crate::values::HASHTAG_GRAPHEMES_MAX;
    let longest = format!("#{}", "a".repeat(HASHTAG_GRAPHEMES_MAX));
    assert_eq!(found(&longest), [longest.as_str()]);
    assert_eq!(found(&format!("{longest}a")), Vec::<String>::new());
}

#[test]
fn a_range_is_that_of_the_entity_with_its_mark() {
    let text = "Grüße an ＠Anna: #Tee!";
    let ranges: Vec<_> = entities_of(text).into_iter().map(|entity| &text[entity.range]).collect();
    assert_eq!(ranges, ["＠Anna", "#Tee"]);
}

/// The same rules again, slowly and by place: every mark in the text, what stands before and after it.
fn naive(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let is_ignorable = |c: char| {
        matches!(u32::from(c), 0xad | 0x34f | 0x61c | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0x3164
            | 0xfe00..=0xfe0f | 0xfeff | 0xe0000..=0xe0fff)
    };
    let is_word = |c: char| is_xid_continue(c) && !is_ignorable(c);
    let mut found = Vec::new();
    let mut free_from = 0;
    for (at, mark) in characters.iter().enumerate() {
        if at < free_from {
            continue;
        }
        let starts = characters[..at].iter().rposition(|c| c.is_whitespace()).map_or(0, |space| space + 1);
        let ends = characters[at..].iter().position(|c| c.is_whitespace()).map_or(characters.len(), |space| at + space);
        let token: String = characters[starts..ends].iter().collect();
        let before = characters[starts..at].last().copied();
        let is_joined = before.is_some_and(|c| is_word(c) || "@＠#＃﹟/&".contains(c));
        if token.contains("://") || is_joined {
            continue;
        }
        let is_part = |c: char| is_word(c) || ("#＃﹟".contains(*mark) && matches!(c, '\u{200c}' | '\u{200d}'));
        let mut end = at + 1;
        while end < ends && is_part(characters[end]) {
            end += 1;
        }
        let next = characters.get(end).copied().filter(|_| end < ends);
        while end > at + 1 && matches!(characters[end - 1], '\u{200c}' | '\u{200d}') {
            end -= 1;
        }
        let word: String = characters[at + 1..end].iter().collect();
        let entity = if "@＠".contains(*mark) && !next.is_some_and(|c| "@＠".contains(c)) {
            Handle::parse(&word).ok().map(|handle| format!("@{handle}"))
        } else if "#＃﹟".contains(*mark) {
            Hashtag::parse(&word).ok().map(|hashtag| format!("#{hashtag}"))
        } else {
            None
        };
        if let Some(entity) = entity {
            found.push(entity);
            free_from = end;
        }
    }
    found
}

/// Texts made of what matters here.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec!["@", "＠", "#", "＃", "﹟"]),
        4 => prop::sample::select(vec!["anna", "Ben", "tea", "Tee_", "_", "1", "42", "é", "e\u{301}", "寿司", "ß", "ﬁ", "р"]),
        3 => prop::sample::select(vec![" ", "\n", "\u{a0}", "\u{3000}", ".", ",", "!", "/", "&", ":", "://", "-", "'", "🍵"]),
        1 => prop::sample::select(vec!["\u{200b}", "\u{200c}", "\u{200d}", "\u{202e}", "\u{fe0f}", "\u{3164}", "\u{feff}"]),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn the_parser_finds_what_a_naive_one_finds(text in texts()) {
        prop_assert_eq!(found(&text), naive(&text), "{:?}", text);
    }

    #[test]
    fn in_any_text_entities_are_in_order_apart_and_parse_to_themselves(text in prop_oneof![texts(), ".{0,200}"]) {
        let mut end = 0;
        for entity in entities_of(&text) {
            prop_assert!(entity.range.start >= end && text.is_char_boundary(entity.range.start));
            end = entity.range.end;
            prop_assert!(text.is_char_boundary(end));
            prop_assert_eq!(found(&shown(&entity)), [shown(&entity)]);
        }
    }
}
