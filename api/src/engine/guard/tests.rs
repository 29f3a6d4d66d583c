//! What the guard lets through and what it stops, at the edge of each limit.

use std::fmt::Write as _;

use super::{GuardError, GuardLimit, GuardLimits, check, check_variables};

fn guard(document: &str) -> Result<(), GuardError> {
    check(document, &GuardLimits::default())
}

#[track_caller]
fn assert_over(document: &str, limit: GuardLimit, max: usize) {
    match guard(document) {
        Err(GuardError::OverLimit { limit: found_limit, max: found_max, found }) => {
            assert_eq!((found_limit, found_max), (limit, max));
            assert!(found > max as u64);
        }
        other => panic!("expected {limit:?} over {max}, got {other:?}"),
    }
}

/// Every kind of bracket, nested `depth` deep in total.
fn nested(depth: usize) -> [String; 6] {
    let repeat = |text: &str, times: usize| text.repeat(times);
    // The surrounding `{` and `(` are two levels of their own.
    let inner = depth.saturating_sub(2);
    [
        format!("{}a{}", repeat("{a", depth), repeat("}", depth)),
        format!("{}a{}", repeat("{...{", depth / 2 + depth % 2), repeat("}}", depth / 2 + depth % 2)),
        format!("{{a(x:{}1{})}}", repeat("[", inner), repeat("]", inner)),
        format!("{{a(x:{}1{})}}", repeat("{x:", inner), repeat("}", inner)),
        format!("query($x:{}A{}){{a}}", repeat("[", depth.saturating_sub(1)), repeat("]", depth.saturating_sub(1))),
        format!("{{a(x:{}", repeat("[", inner)),
    ]
}

#[test]
fn nesting_is_allowed_up_to_the_limit_and_not_above() {
    for document in nested(32) {
        assert_eq!(guard(&document), Ok(()), "{document}");
    }
    for document in nested(33) {
        assert_over(&document, GuardLimit::Nesting, 32);
    }
}

#[test]
fn whatever_the_guard_lets_through_the_parser_survives() {
    // On a thread with the small stack that runtimes give to theirs.
    let parse_all = || {
        let limits = GuardLimits { bytes_max: usize::MAX, tokens_max: usize::MAX, ..GuardLimits::default() };
        for depth in (1..200).chain((200..20_000).step_by(997)).chain([20_000]) {
            for document in nested(depth) {
                if check(&document, &limits).is_ok() {
                    let _ = async_graphql::parser::parse_query(&document);
                } else {
                    assert!(depth > 32, "refused at depth {depth}");
                }
            }
        }
    };
    std::thread::Builder::new().stack_size(1024 * 1024).spawn(parse_all).expect("a thread").join().expect("no panic");
}

#[test]
fn brackets_behind_a_string_that_never_ends_are_seen() {
    // The parser gives up on the block string, reads `""`, then `" a"`, and descends into what follows.
    let document = format!("{{a(x:[\"\"\" a\"{}", "[".repeat(20_000));
    let limits = GuardLimits { bytes_max: usize::MAX, tokens_max: usize::MAX, ..GuardLimits::default() };
    assert!(matches!(check(&document, &limits), Err(GuardError::OverLimit { limit: GuardLimit::Nesting, .. })));
    let document = format!("{{a(x:[\"open\n{}", "[".repeat(20_000));
    assert!(matches!(check(&document, &limits), Err(GuardError::OverLimit { limit: GuardLimit::Nesting, .. })));
}

#[test]
fn brackets_in_strings_and_comments_do_not_count() {
    let brackets = "[{(".repeat(50);
    for document in [
        format!("{{a(x:\"{brackets}\")}}"),
        format!("{{a(x:\"\\\"{brackets}\\\\\")}}"),
        format!("{{a(x:\"\"\"{brackets}\n\\\"\"\"{brackets}\"\"\")}}"),
        format!("{{a(x:\"\"\"\"{brackets}\"\"\")}}"),
        format!("#{brackets}\n{{a}}#{brackets}"),
        format!("#{brackets}\r{{a}}"),
        format!("\u{feff}{{a(x:\"\\uD800{brackets}\")}}"),
        format!("{{a(x:\"\"\"\0{brackets}\"\"\",y:\"\")}}"),
    ] {
        assert_eq!(guard(&document), Ok(()), "{document}");
    }
}

#[test]
fn a_comment_ends_with_its_line() {
    let deep = "{a".repeat(33);
    for line_end in ["\n", "\r", "\r\n"] {
        assert_over(&format!("#x{line_end}{deep}"), GuardLimit::Nesting, 32);
    }
    assert_over(&format!("{{a(x:\"#\")}}{deep}"), GuardLimit::Nesting, 32);
}

#[test]
fn bytes_are_counted() {
    let padded = |length: usize| format!("{{a}}{}", " ".repeat(length - 3));
    assert_eq!(guard(&padded(32 * 1024)), Ok(()));
    assert_over(&padded(32 * 1024 + 1), GuardLimit::Bytes, 32 * 1024);
}

#[test]
fn tokens_are_counted_as_the_grammar_does() {
    // `{a{` and `}}` are five; each `b` is one more.
    let with = |tokens: usize| format!("{{a{{{}}}}}", "b,\n".repeat(tokens - 5));
    assert_eq!(guard(&with(2_000)), Ok(()));
    assert_over(&with(2_001), GuardLimit::Tokens, 2_000);

    let numbers = |count: usize| format!("{{a(x:[{}])}}", "-1.5e+10 ".repeat(count));
    assert_eq!(guard(&numbers(1_991)), Ok(()));
    assert_over(&numbers(1_992), GuardLimit::Tokens, 2_000);
}

#[test]
fn aliases_are_counted_in_selections_only() {
    let with = |count: usize| {
        let mut document = "{r{".to_owned();
        for index in 0..count {
            write!(document, "a{index}:a(x:{{y:1}}) ").expect("memory");
        }
        document + "}}"
    };
    assert_eq!(guard(&with(30)), Ok(()));
    assert_over(&with(31), GuardLimit::Aliases, 30);
    assert_eq!(guard(&format!("query($v:A={{{}}}){{a(x:{{b:1,c:2}})}}", "k:1 ".repeat(100))), Ok(()));
}

#[test]
fn directives_are_counted_everywhere() {
    assert_eq!(guard(&format!("query @a{{b{}}}", "@a".repeat(49))), Ok(()));
    assert_over(&format!("query @a{{b{}}}", "@a".repeat(50)), GuardLimit::Directives, 50);
    assert_over(&format!("{{a{}}}", "@a".repeat(10_000)), GuardLimit::Directives, 50);
}

#[test]
fn root_fields_are_counted_through_fragments() {
    let fields = |count: usize| "a ".repeat(count);
    assert_eq!(guard(&format!("{{{}}}", fields(20))), Ok(()));
    assert_over(&format!("{{{}}}", fields(21)), GuardLimit::RootFields, 20);
    assert_over(
        &format!("{{...{{{}}}...@include(if:true){{{}}}}}", fields(10), fields(11)),
        GuardLimit::RootFields,
        20,
    );
    assert_over(
        &format!("query{{...F ...F}} fragment F on Query{{...on Query{{{}}}}}", fields(11)),
        GuardLimit::RootFields,
        20,
    );
    assert_eq!(guard(&format!("{{a{{{}}}}} {{{}}}", fields(100), fields(20))), Ok(()));
    assert_eq!(guard(&format!("{{x{{...F}}}} fragment F on A{{{}}}", fields(100))), Ok(()));
}

#[test]
fn a_mutation_has_fewer_root_fields() {
    for keyword in ["mutation", "mutation M", "mutationM", "mutation M($a:[Int]={b:1})@d(x:{y:1})"] {
        assert_eq!(guard(&format!("{keyword}{{a b c d:e f{{g h i}}}}")), Ok(()), "{keyword}");
        assert_over(&format!("{keyword}{{a b c d:e f g}}"), GuardLimit::RootFields, 5);
    }
    assert_over("mutation{...F b c} fragment F on Mutation{w x y z}", GuardLimit::RootFields, 5);
    assert_over("mutation{...F b c} fragmentF on Mutation{w x y z}", GuardLimit::RootFields, 5);
}

#[test]
fn fragments_and_spreads_are_counted() {
    let mut document = "{a}".to_owned();
    for index in 0..50 {
        write!(document, "fragment F{index} on A{{a}}").expect("memory");
    }
    assert_eq!(guard(&document), Ok(()));
    assert_over(&(document + "fragment G on A{a}"), GuardLimit::Fragments, 50);

    let spreads = |count: usize| format!("{{a{{{}}}}} fragment F on A{{a}}", "...F ".repeat(count));
    assert_eq!(guard(&spreads(200)), Ok(()));
    assert_over(&spreads(201), GuardLimit::Spreads, 200);
}

/// `count` fragments, each of which spreads the next one twice.
fn bomb(count: usize) -> String {
    let mut document = "{r{...F0}}".to_owned();
    for index in 0..count {
        write!(document, "fragment F{index} on A{{...F{next} ...F{next}}}", next = index + 1).expect("memory");
    }
    write!(document, "fragment F{count} on A{{a}}").expect("memory");
    document
}

#[test]
fn a_fragment_bomb_is_refused_without_going_off() {
    assert_eq!(guard(&bomb(9)), Ok(()));
    assert_over(&bomb(30), GuardLimit::ExpandedSelections, 4_000);
    let unlimited =
        GuardLimits { fragments_max: 500, spreads_max: 1_000, tokens_max: 100_000, ..GuardLimits::default() };
    assert!(check(&bomb(400), &unlimited).is_err());
}

#[test]
fn a_fragment_called_on_is_followed_too() {
    // `... on` with a comment behind it is a spread of the fragment `on` to the parser.
    let document = bomb(30).replace("F0}", "on#\n}").replace("fragment F0 ", "fragment on ");
    assert_over(&document, GuardLimit::ExpandedSelections, 4_000);
}

#[test]
fn fragments_that_go_in_circles_are_refused() {
    let cycle = |fragment: &str| Err(GuardError::FragmentCycle { fragment: fragment.to_owned() });
    assert_eq!(guard("{...A} fragment A on Q{a{...A}}"), cycle("A"));
    assert_eq!(guard("{...A} fragment A on Q{...B} fragment B on Q{...C ...A} fragment C on Q{c}"), cycle("A"));
    assert_eq!(guard("{a} fragment A on Q{...B} fragment B on Q{...A}"), cycle("A"));
    assert_eq!(guard("{...A ...A ...C} fragment A on Q{...B ...C} fragment B on Q{...C} fragment C on Q{c}"), Ok(()));
}

#[test]
fn what_is_no_graphql_is_left_to_the_parser() {
    for document in [
        "",
        "}",
        ")]}",
        "{",
        "...",
        "@",
        ":",
        "\0",
        "é{",
        "fragment",
        "fragment{a}",
        "{...}",
        "\"",
        "\"\"\"",
        "{a(x:\"\\",
    ] {
        assert_eq!(guard(document), Ok(()), "{document:?}");
    }
}

#[test]
fn the_introspection_query_of_tools_passes() {
    let type_ref = (0..9).fold("kind name".to_owned(), |inner, _| format!("kind name ofType{{{inner}}}"));
    let document = format!(
        "query IntrospectionQuery{{__schema{{queryType{{name}}mutationType{{name}}types{{...FullType}}\
         directives{{name description locations args{{...InputValue}}}}}}}}\
         fragment FullType on __Type{{kind name fields(includeDeprecated:true){{name args{{...InputValue}}type{{...TypeRef}}}}\
         inputFields{{...InputValue}}interfaces{{...TypeRef}}enumValues(includeDeprecated:true){{name}}possibleTypes{{...TypeRef}}}}\
         fragment InputValue on __InputValue{{name type{{...TypeRef}}defaultValue}}\
         fragment TypeRef on __Type{{{type_ref}}}"
    );
    assert_eq!(guard(&document), Ok(()));
}

#[test]
fn variables_are_nested_up_to_their_limit() {
    let nested = |depth: usize, open: &str, close: &str| {
        let json = format!("{{\"v\":{}1{}}}", open.repeat(depth), close.repeat(depth));
        match serde_json::from_str(&json) {
            Ok(serde_json::Value::Object(variables)) => variables,
            other => panic!("no object: {other:?}"),
        }
    };
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        assert_eq!(check_variables(&nested(32, open, close), &GuardLimits::default()), Ok(()));
        let error = check_variables(&nested(33, open, close), &GuardLimits::default());
        let expected = GuardError::OverLimit { limit: GuardLimit::VariablesNesting, max: 32, found: 33 };
        assert_eq!(error, Err(expected));
    }
}
