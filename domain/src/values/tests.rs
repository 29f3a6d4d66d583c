//! Values refuse what they must, and write back what they read.

use proptest::prelude::*;

use super::*;

fn eur(minor: i64) -> Money {
    Money::try_new(minor, Currency::EUR).expect("in range")
}

#[test]
fn an_amount_is_read_and_written_with_the_digits_of_its_currency() {
    for (text, currency, minor, written) in [
        ("19.90", Currency::EUR, 1990, "19.90"),
        ("19.9", Currency::EUR, 1990, "19.90"),
        ("19", Currency::EUR, 1900, "19.00"),
        ("0.01", Currency::USD, 1, "0.01"),
        ("500", Currency::JPY, 500, "500"),
        ("1.234", Currency::KWD, 1234, "1.234"),
    ] {
        let money = Money::parse(text, currency).expect(text);
        assert_eq!((money.minor(), money.to_string().as_str()), (minor, written), "{text}");
    }
}

#[test]
fn what_is_no_amount_is_refused() {
    for text in ["", ".", "1.", ".5", "1,5", "1e3", "+1", " 1", "1 ", "0x1", "١"] {
        assert_eq!(Money::parse(text, Currency::EUR), Err(MoneyError::Malformed), "{text:?}");
    }
    assert_eq!(Money::parse("-1", Currency::EUR), Err(MoneyError::Negative));
    let too_precise = MoneyError::TooPrecise { currency: "JPY", digits: 0 };
    assert_eq!(Money::parse("1.5", Currency::JPY), Err(too_precise));
    assert_eq!(Money::parse("99999999999999999999", Currency::EUR), Err(MoneyError::Overflow));
    assert_eq!(Money::parse("9999999999999.991", Currency::KWD), Err(MoneyError::Overflow));
}

#[test]
fn euro_and_dollar_are_never_added() {
    let dollar = Money::try_new(1, Currency::USD).expect("in range");
    assert_eq!(eur(1).checked_add(dollar), Err(MoneyError::CurrencyMismatch { left: "EUR", right: "USD" }));
}

#[test]
fn a_sum_or_product_over_the_limit_is_refused() {
    let two = Quantity::try_new(2).expect("in range");
    assert_eq!(eur(MINOR_UNITS_MAX).checked_add(eur(1)), Err(MoneyError::Overflow));
    assert_eq!(eur(MINOR_UNITS_MAX).checked_mul(two), Err(MoneyError::Overflow));
}

#[test]
fn a_quantity_of_zero_or_over_the_limit_is_refused() {
    for units in [0, -1, i64::from(QUANTITY_UNITS_MAX) + 1, i64::MAX, i64::MIN] {
        assert_eq!(Quantity::try_new(units), Err(QuantityError(units)));
    }
    assert_eq!(Quantity::try_new(1).map(Quantity::units), Ok(1));
}

#[test]
fn a_sku_is_upper_case_and_refuses_white_space_and_symbols() {
    assert_eq!(Sku::parse("tea-1.x_Y").expect("valid").as_str(), "TEA-1.X_Y");
    for text in ["", "-A", "A B", "A/B", "Ä", "A\n", &"A".repeat(SKU_BYTES_MAX + 1)] {
        assert_eq!(Sku::parse(text), Err(SkuError), "{text:?}");
    }
}

#[test]
fn a_label_is_trimmed_and_refuses_control_characters() {
    assert_eq!(Label::parse("  Green tea ").expect("valid").as_str(), "Green tea");
    for text in ["", "   ", "a\u{1b}[31m", "a\nb", &"x".repeat(LABEL_CHARS_MAX + 1)] {
        assert_eq!(Label::parse(text), Err(LabelError), "{text:?}");
    }
}

#[test]
fn an_actor_is_taken_as_it_is_and_refuses_control_characters() {
    for text in ["ann", " ann ", "日本", &"x".repeat(ACTOR_BYTES_MAX)] {
        assert_eq!(Actor::parse(text).expect("valid").as_str(), text);
    }
    for text in ["", "a\nb", "a\u{1b}[31m", &"x".repeat(ACTOR_BYTES_MAX + 1), &"é".repeat(128)] {
        assert_eq!(Actor::parse(text), Err(ActorError), "{text:?}");
    }
}

#[test]
fn a_projections_name_is_what_a_table_could_be_called() {
    for text in ["order_summary", "a", "feed2", &"x".repeat(PROJECTION_NAME_BYTES_MAX)] {
        assert_eq!(ProjectionName::parse(text).expect("valid").as_str(), text);
    }
    for text in ["", "_a", "2a", "Orders", "a-b", "a b", "ä", "a\n", &"x".repeat(PROJECTION_NAME_BYTES_MAX + 1)] {
        assert_eq!(ProjectionName::parse(text), Err(ProjectionNameError), "{text:?}");
    }
}

#[test]
fn a_warehouse_is_lower_case_and_refuses_white_space_and_symbols() {
    for (text, expected) in [("main", "main"), ("North-2", "north-2"), ("7", "7")] {
        assert_eq!(Warehouse::parse(text).expect("valid").as_str(), expected);
    }
    assert_eq!(Warehouse::parse(Warehouse::MAIN), Ok(Warehouse::main()));
    for text in ["", "-a", "a b", "a_b", "a@b", "ä", "a\n", &"x".repeat(WAREHOUSE_BYTES_MAX + 1)] {
        assert_eq!(Warehouse::parse(text), Err(WarehouseError), "{text:?}");
    }
}

#[test]
fn a_payment_token_is_never_the_number_of_a_card_and_is_not_shown() {
    for text in ["tok_visa", "pm_1N-x.y/z=", "4242424242424241", "42", &"x".repeat(PAYMENT_TOKEN_BYTES_MAX)] {
        assert_eq!(PaymentToken::parse(text).expect("valid").as_str(), text);
    }
    for text in ["4242424242424242", "4242-4242-4242-4242", "378282246310005"] {
        assert_eq!(PaymentToken::parse(text), Err(PaymentTokenError::CardNumber), "{text:?}");
    }
    for text in ["", "a b", "tök", "a\n", &"x".repeat(PAYMENT_TOKEN_BYTES_MAX + 1)] {
        assert_eq!(PaymentToken::parse(text), Err(PaymentTokenError::Malformed), "{text:?}");
    }
    assert_eq!(format!("{:?}", PaymentToken::parse("tok_visa").expect("valid")), "PaymentToken(..)");
}

#[test]
fn a_user_is_the_customer_they_are() {
    let customer = CustomerId::named("ann");
    assert_eq!(UserId::from(customer).uuid(), customer.uuid());
}

#[test]
fn a_difference_is_never_negative_and_of_one_currency() {
    let dollar = Money::try_new(1, Currency::USD).expect("in range");
    assert_eq!(eur(5).checked_sub(eur(5)), Ok(Money::zero(Currency::EUR)));
    assert_eq!(eur(5).checked_sub(eur(6)), Err(MoneyError::Negative));
    assert!(matches!(eur(5).checked_sub(dollar), Err(MoneyError::CurrencyMismatch { .. })));
    assert!(Money::zero(Currency::EUR).is_zero() && !eur(1).is_zero());
}

#[test]
fn a_number_of_pieces_is_never_negative_and_has_an_end() {
    let full = i64::try_from(PIECES_MAX).expect("it is small");
    for number in [0, 1, full] {
        assert_eq!(i64::try_from(Pieces::try_new(number).expect("valid").number()), Ok(number));
    }
    for number in [-1, full + 1, i64::MIN, i64::MAX] {
        assert_eq!(Pieces::try_new(number), Err(PiecesError(number.into())));
    }
    for json in ["-1", "1000000001", "1.5"] {
        assert!(serde_json::from_str::<Pieces>(json).is_err(), "{json}");
    }
    let (some, all) = (Pieces::try_new(3).expect("valid"), Pieces::try_new(full).expect("valid"));
    assert_eq!((some.checked_sub(some), some.checked_sub(all)), (Some(Pieces::ZERO), None));
    assert_eq!((some.saturating_sub(all), some.saturating_add(all)), (Pieces::ZERO, all));
    assert!(some.checked_add(all).is_err());
    assert_eq!(some.changed_by(-3), Ok(Pieces::ZERO));
    assert!([some.changed_by(-4), some.changed_by(i64::MAX), some.changed_by(i64::MIN)].iter().all(Result::is_err));
}

#[test]
fn a_stored_amount_out_of_range_or_with_an_unknown_currency_does_not_decode() {
    for json in
        [r#"{"minor":-1,"currency":"EUR"}"#, r#"{"minor":1,"currency":"XYZ"}"#, r#"{"minor":1.5,"currency":"EUR"}"#]
    {
        assert!(serde_json::from_str::<Money>(json).is_err(), "{json}");
    }
}

proptest! {
    #[test]
    fn every_amount_is_read_back_as_it_was_written(minor in 0..=MINOR_UNITS_MAX, index in 0_usize..4) {
        let currency = [Currency::EUR, Currency::JPY, Currency::KWD, Currency::USD][index];
        let money = Money::try_new(minor, currency).expect("in range");
        prop_assert_eq!(Money::parse(&money.to_string(), currency), Ok(money));
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in ".{0,80}") {
        let _ = Money::parse(&text, Currency::EUR);
        let _ = Sku::parse(&text);
        let _ = Warehouse::parse(&text);
        let _ = PaymentToken::parse(&text);
        let _ = Label::parse(&text);
        let _ = Actor::parse(&text);
        let _ = ProjectionName::parse(&text);
        let _ = Handle::parse(&text);
        let _ = Hashtag::parse(&text);
        let _ = MediaUrl::parse(&text);
        let _ = MediaUrl::parse(&format!("https://{text}"));
        let _ = PostText::parse(&text);
    }
}
