//! What clients are told of each rejection.

use domain::{
    order::{LineProblem, OrderRejection, PartProblem},
    testing::{eur, product_of},
};

use super::*;

/// The codes and fields of a rejection, the latter without the leading `input`.
fn told(rejection: &OrderRejection) -> Vec<(OrderErrorCode, String)> {
    let errors = rejected(rejection);
    assert!(errors.iter().all(|error| !error.message.is_empty() && error.field[0] == "input"), "{errors:?}");
    errors.into_iter().map(|error| (error.code, error.field[1..].join("."))).collect()
}

#[test]
fn every_rejection_of_a_whole_order_has_its_code_and_its_field() {
    use OrderErrorCode as Code;
    let table = [
        (OrderRejection::NoLines, Code::NoLines, "lines"),
        (OrderRejection::TooManyLines(501), Code::TooManyLines, "lines"),
        (OrderRejection::TotalTooLarge, Code::TotalTooLarge, "lines"),
        (OrderRejection::AlreadyPlaced, Code::AlreadyPlaced, ""),
        (OrderRejection::NotFound, Code::NotFound, "id"),
        (OrderRejection::NotConfirmed, Code::NotConfirmed, "id"),
        (OrderRejection::AlreadyConfirmed, Code::AlreadyConfirmed, "id"),
        (OrderRejection::AlreadyShipped, Code::AlreadyShipped, "id"),
        (OrderRejection::AlreadyDelivered, Code::AlreadyDelivered, "id"),
        (OrderRejection::Cancelled, Code::Cancelled, "id"),
        (OrderRejection::NotShipped, Code::NotShipped, "id"),
        (OrderRejection::OnAccount, Code::OnAccount, "id"),
        (OrderRejection::PaymentUnderWay, Code::PaymentUnderWay, "id"),
        (OrderRejection::TooManyAttempts, Code::TooManyAttempts, "id"),
        (OrderRejection::OtherPayment, Code::OtherPayment, "id"),
        (OrderRejection::NoSuchReturn, Code::NoSuchReturn, "number"),
        (OrderRejection::ReturnAlreadyReceived, Code::ReturnAlreadyReceived, "restock"),
        (OrderRejection::NoAmount, Code::InvalidAmount, "amount"),
        (OrderRejection::OtherCurrency { expected: "EUR" }, Code::WrongCurrency, "amount.currencyCode"),
        (OrderRejection::OverPaid { left: eur(7) }, Code::ExceedsPaid, ""),
        (OrderRejection::KeyReused, Code::RefundKeyReused, "idempotencyKey"),
    ];
    for (rejection, code, field) in table {
        assert_eq!(told(&rejection), [(code, field.to_owned())], "{rejection:?}");
    }
}

#[test]
fn every_line_that_is_wrong_has_its_code_its_field_and_what_helps() {
    let product = product_of("TEA-1");
    let lines = vec![
        (0, LineProblem::UnknownProduct(product)),
        (2, LineProblem::RetiredProduct(product)),
        (3, LineProblem::OtherCurrency { expected: "EUR", found: "USD" }),
        (4, LineProblem::TotalTooLarge),
    ];
    let expected = [
        (OrderErrorCode::UnknownProduct, "lines.0.productId"),
        (OrderErrorCode::RetiredProduct, "lines.2.productId"),
        (OrderErrorCode::MixedCurrencies, "lines.3.productId"),
        (OrderErrorCode::TotalTooLarge, "lines.4.quantity"),
    ];
    let rejection = OrderRejection::Lines(lines);
    assert_eq!(told(&rejection), expected.map(|(code, field)| (code, field.to_owned())));
    assert_eq!(rejected(&rejection)[1].product_id, Some(global(product)));

    let parts =
        vec![(0, PartProblem::UnknownLine), (1, PartProblem::NamedTwice), (5, PartProblem::TooMany { left: 3 })];
    let expected = [
        (OrderErrorCode::UnknownLine, "lines.0.line"),
        (OrderErrorCode::LineNamedTwice, "lines.1.line"),
        (OrderErrorCode::TooManyPieces, "lines.5.quantity"),
    ];
    let rejection = OrderRejection::Parts(parts);
    assert_eq!(told(&rejection), expected.map(|(code, field)| (code, field.to_owned())));
    assert_eq!(rejected(&rejection)[2].left, Some(3));
}

#[test]
fn whoever_gives_too_much_back_is_told_how_much_there_is() {
    let errors = rejected(&OrderRejection::OverPaid { left: eur(1_250) });
    let refundable = errors[0].refundable.as_ref().expect("an amount");
    assert_eq!((refundable.amount.0.as_str(), refundable.currency_code.0.as_str()), ("12.50", "EUR"));
}
