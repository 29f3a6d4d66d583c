//! How numbers, times and tables look.

use super::*;

#[test]
fn nothing_from_elsewhere_steers_the_terminal() {
    assert_eq!(plain("a\u{1b}[31mb\nc\u{9b}d é"), "a\\u{1b}[31mb\\nc\\u{9b}d é");
    assert!(!table(["NAME"], &[["\u{1b}[2J".to_owned()]]).contains('\u{1b}'));
    assert!(!list(&[("name", "\u{1b}[2J".to_owned())]).contains('\u{1b}'));
}

#[test]
fn times_are_as_exact_as_they_are_long() {
    for (seconds, text) in [
        (0.0, "0.0 s"),
        (9.94, "9.9 s"),
        (12.3, "12 s"),
        (119.0, "119 s"),
        (600.0, "10 min"),
        (9_000.0, "2.5 h"),
        (345_600.0, "4.0 d"),
    ] {
        assert_eq!(duration(seconds), text);
    }
}

#[test]
fn one_thing_is_no_several_things() {
    assert_eq!([count(0, "event"), count(1, "event"), count(2, "event")], ["0 events", "1 event", "2 events"]);
}

#[test]
fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_spaces() {
    let lines = [["é".to_owned(), String::new()], ["order_summary".to_owned(), "x".to_owned()]];
    assert_eq!(table(["NAME", "LAG"], &lines), "NAME           LAG\né\norder_summary  x");
    assert_eq!(list(&[("a", "1".to_owned()), ("bcd", "2".to_owned())]), "a    1\nbcd  2");
}
