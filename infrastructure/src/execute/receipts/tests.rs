//! What is remembered, against a list that forgets by looking through all of it.

use proptest::prelude::*;

use super::*;

fn receipt(position: u64, hash: Option<u128>) -> Receipt {
    Receipt { position: Position::new(position), input_hash: hash.map(Uuid::from_u128) }
}

fn command(number: u64) -> Uuid {
    Uuid::from_u128(number.into())
}

#[test]
fn the_newest_commands_are_remembered_and_older_ones_are_not() {
    let mut receipts = Receipts::default();
    let all = COMMANDS_REMEMBERED_MAX as u64 + 100;
    for number in 0..all {
        receipts.insert(command(number), receipt(number, None));
    }
    let remembered: Vec<_> = (0..all).filter(|number| receipts.get(command(*number)).is_some()).collect();
    assert_eq!(remembered, (100..all).collect::<Vec<_>>());
    assert_eq!(receipts.get(command(100)), Some(receipt(100, None)));
}

#[test]
fn commands_without_a_key_push_out_no_key() {
    let mut receipts = Receipts::default();
    receipts.insert(command(0), receipt(1, Some(7)));
    for number in 1..=2 * COMMANDS_REMEMBERED_MAX as u64 {
        receipts.insert(command(number), receipt(number, None));
    }
    assert_eq!(receipts.get(command(0)), Some(receipt(1, Some(7))));
    assert_eq!(receipts.get(command(1)), None);
}

#[test]
fn what_is_remembered_takes_no_more_than_its_bound() {
    let mut receipts = Receipts::default();
    let mut weights = Vec::new();
    for number in 0..4 * COMMANDS_REMEMBERED_MAX as u64 {
        receipts.insert(command(2 * number), receipt(number, None));
        receipts.insert(command(2 * number + 1), receipt(number, Some(1)));
        weights.push(receipts.weight());
    }
    let (early, late) = (weights[2 * COMMANDS_REMEMBERED_MAX], weights[weights.len() - 1]);
    assert!(late <= early && late < 4 * 1024 * 1024, "{early} bytes, then {late}");
}

#[test]
fn a_text_that_is_none_of_ours_is_not_read() {
    let mut receipts = Receipts::default();
    receipts.insert(command(1), receipt(1, Some(1)));
    receipts.insert(command(2), receipt(2, None));
    let bytes = STANDARD_NO_PAD.decode(receipts.copy().to_text()).unwrap();
    let reads = |bytes: &[u8]| Receipts::of_text(&STANDARD_NO_PAD.encode(bytes)).is_some();
    assert!(reads(&bytes));
    let another_layout = [&[2], &bytes[1..]].concat();
    let too_many = [&[1, 255, 255, 255, 255], &bytes[5..]].concat();
    for wrong in [&bytes[..bytes.len() - 1], &bytes[..4], &[], &another_layout, &too_many] {
        assert!(!reads(wrong), "{wrong:?}");
    }
    assert!(Receipts::of_text("no base 64 at all!").is_none());
}

/// The same, slowly.
#[derive(Default)]
struct Slow(Vec<Kept>);

impl Slow {
    fn insert(&mut self, command: Uuid, receipt: Receipt, max: usize) {
        if let Some(known) = self.0.iter_mut().find(|(known, _)| *known == command) {
            known.1 = receipt;
            return;
        }
        self.0.push((command, receipt));
        if self.0.len() > max {
            self.0.remove(0);
        }
    }
}

proptest! {
    #[test]
    fn it_remembers_what_a_slow_list_remembers_and_so_does_its_text(
        max in 1..8_usize,
        commands in proptest::collection::vec((0..24_u64, any::<bool>()), 0..200),
    ) {
        let mut receipts = Receipts::with_max(max);
        let (mut chosen, mut made) = (Slow::default(), Slow::default());
        for (position, (number, is_chosen)) in (0..).zip(commands) {
            // The same command always has the same input, or none.
            let (number, hash) = if is_chosen { (number, Some(9)) } else { (number + 100, None) };
            let receipt = receipt(position, hash);
            receipts.insert(command(number), receipt);
            let slow = if is_chosen { &mut chosen } else { &mut made };
            slow.insert(command(number), receipt, max);
        }
        let read = Receipts::of_text(&receipts.copy().to_text()).expect("it was written here");
        for number in 0..124 {
            let all = chosen.0.iter().chain(&made.0);
            let expected = all.clone().find(|(known, _)| *known == command(number)).map(|(_, receipt)| *receipt);
            prop_assert_eq!(receipts.get(command(number)), expected);
            prop_assert_eq!(read.get(command(number)), expected);
        }
    }
}
