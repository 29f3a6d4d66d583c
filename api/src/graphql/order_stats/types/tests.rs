//! Sums of money, with the digits of their currency.

use super::*;

#[test]
fn a_sum_has_the_digits_of_its_currency() {
    let sum = |minor, code| money(minor, Currency::from_code(code).unwrap()).amount.0;
    assert_eq!((sum(0, "EUR"), sum(5, "EUR"), sum(1_990, "EUR")), ("0.00".into(), "0.05".into(), "19.90".into()));
    assert_eq!((sum(0, "JPY"), sum(1_990, "JPY")), ("0".into(), "1990".into()));
    assert_eq!(sum(u64::MAX, "EUR"), "184467440737095516.15", "more than a single amount may be");
}
