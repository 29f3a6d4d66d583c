//! The same seed gives the same shop, every kind of life occurs in it, and every life comes to an end.

use std::collections::BTreeSet;

use super::*;

const CUSTOMERS: u32 = 50;

/// Whether a visit is of some kind.
type Kind = fn(&Visit) -> bool;

fn visits(seed: u64, run: u64) -> Vec<Visit> {
    (1..=2_000).map(|number| visit(seed, run, number, CUSTOMERS)).collect()
}

#[test]
fn the_same_seed_gives_the_same_visits_and_another_one_others() {
    assert_eq!(visits(1, 1), visits(1, 1));
    assert_ne!(visits(1, 1), visits(2, 1), "the seed");
    assert_ne!(visits(1, 1), visits(1, 2), "the start: what goes on does not begin anew");
}

#[test]
fn visits_are_what_the_shop_can_sell() {
    for visit in visits(7, 1) {
        assert!((1..=CUSTOMERS).contains(&visit.customer), "{visit:?}");
        let articles: BTreeSet<usize> = visit.lines.iter().map(|(article, _)| *article).collect();
        assert!(!visit.lines.is_empty() && articles.len() == visit.lines.len(), "each article once: {visit:?}");
        for (article, pieces) in &visit.lines {
            assert!(*article < CATALOGUE.len() && (1..=PIECES_MAX).contains(pieces), "{visit:?}");
        }
    }
}

#[test]
fn every_kind_of_visit_occurs_and_most_buy_and_keep() {
    let visits = visits(1, 1);
    let how_many = |is: Kind| visits.iter().filter(|visit| is(visit)).count();
    let is_scarce = |visit: &Visit| visit.lines.iter().any(|(article, _)| CATALOGUE[*article].supply == Supply::Scarce);
    let kinds: [(&str, Kind); 9] = [
        ("scarce", is_scarce),
        ("declined", |visit| visit.token == "tok_declined"),
        ("late", |visit| visit.token == "tok_late"),
        ("gives up", |visit| visit.fate.after_decline == AfterDecline::GiveUp),
        ("forgets", |visit| visit.fate.after_decline == AfterDecline::Forget),
        ("changes their mind", |visit| visit.fate.mind == Mind::Change),
        ("sends back", |visit| visit.fate.mind == Mind::SendBack { is_restocked: true }),
        ("sends back broken", |visit| visit.fate.mind == Mind::SendBack { is_restocked: false }),
        ("split", |visit| visit.fate.is_split),
    ];
    for (name, is) in kinds {
        let count = how_many(is);
        assert!((10..visits.len() / 2).contains(&count), "{name}: {count} of {}", visits.len());
    }
    let good = how_many(|visit| visit.token == GOOD_CARD && visit.fate.mind == Mind::Keep);
    assert!(good > visits.len() / 2, "{good} are simply customers");
}

#[test]
fn the_catalogue_is_sorted_by_supply_and_has_each_sku_once() {
    let is_ordinary = |article: &Article| article.supply != Supply::Scarce;
    assert_eq!(CATALOGUE.iter().take_while(|article| is_ordinary(article)).count(), ORDINARY as usize);
    assert!(!CATALOGUE.iter().skip(ORDINARY as usize).any(is_ordinary));
    let skus: BTreeSet<&str> = CATALOGUE.iter().map(|article| article.sku).collect();
    assert_eq!(skus.len(), CATALOGUE.len());
}

#[test]
fn what_is_plentiful_is_delivered_in_time_and_what_is_scarce_once_it_is_gone() {
    let of = |supply: Supply| CATALOGUE.into_iter().find(|article| article.supply == supply).unwrap();
    assert_eq!(delivery(&of(Supply::Unlimited), 0, 0, 20), None);
    assert_eq!(delivery(&of(Supply::Plenty), 0, 3, 20), Some(1_200));
    assert_eq!(delivery(&of(Supply::Plenty), 600, 3, 20), None);
    assert_eq!(delivery(&of(Supply::Scarce), 0, 0, 20), Some(3));
    assert_eq!(delivery(&of(Supply::Scarce), 0, 1, 20), None, "it is a while until the next delivery");
    assert_eq!(delivery(&of(Supply::Scarce), 1, SCARCE_ROUNDS, 20), None, "there is some left");
    assert_eq!(delivery(&of(Supply::Scarce), 0, SCARCE_ROUNDS, 20), Some(3));
}

#[test]
fn an_order_that_was_there_before_has_a_fate_of_its_own() {
    assert_eq!(Fate::of_order(1, "order-a"), Fate::of_order(1, "order-a"));
    let fates: BTreeSet<String> =
        (0..100).map(|number| format!("{:?}", Fate::of_order(1, &format!("order-{number}")).mind)).collect();
    assert!(fates.len() >= 3, "{fates:?}");
}

/// What a shop does at once that always says yes.
fn carried_out(seen: &Seen, step: &Step) -> Seen {
    let mut next = seen.clone();
    match step {
        // Whatever is under way comes about.
        Step::Wait => match seen.status {
            Status::Placed => next.status = Status::Confirmed,
            Status::Confirmed | Status::Shipped | Status::Delivered | Status::Cancelled => {
                next.paid = seen.total;
                next.refunds_open = 0;
            }
        },
        Step::Pay(_) => next.is_declined = false,
        Step::Cancel => next.status = Status::Cancelled,
        Step::Ship(parts) => {
            next.shipments += 1;
            next.status = if parts.is_some() { Status::Confirmed } else { Status::Shipped };
        }
        Step::Deliver => next.status = Status::Delivered,
        Step::RequestReturn(_) => next.returns.push(false),
        Step::ReceiveReturn { number, .. } => next.returns[number - 1] = true,
        Step::RefundLines(_) | Step::RefundAmount(_) => {
            next.refunds += 1;
            next.refunds_open += 1;
        }
        Step::Done => {}
    }
    next
}

#[test]
fn every_life_comes_to_its_own_end() {
    for visit in visits(3, 1) {
        let is_declined = visit.token == "tok_declined";
        let lines = (0..).zip(&visit.lines).map(|(index, (_, pieces))| (index, *pieces)).collect();
        let mut seen = Seen { is_declined, lines, total: 1_000, ..Seen::default() };
        let mut steps = Vec::new();
        while steps.last() != Some(&Step::Done) {
            assert!(steps.len() < 20, "it does not end: {visit:?} {steps:?}");
            let step = visit.fate.next(&seen);
            seen = carried_out(&seen, &step);
            steps.push(step);
        }
        let gave_up = is_declined && visit.fate.after_decline == AfterDecline::GiveUp;
        let forgot = is_declined && visit.fate.after_decline == AfterDecline::Forget;
        let expected = match visit.fate.mind {
            _ if gave_up => Status::Cancelled,
            _ if forgot => Status::Placed,
            Mind::Change => Status::Cancelled,
            Mind::Keep | Mind::SendBack { .. } | Mind::Complain => Status::Delivered,
        };
        assert_eq!(seen.status, expected, "{visit:?} {steps:?}");
        if seen.status != Status::Delivered {
            continue;
        }
        let pieces: u32 = visit.lines.iter().map(|(_, pieces)| pieces).sum();
        assert_eq!(seen.shipments, if visit.fate.is_split && pieces > 1 { 2 } else { 1 }, "{visit:?}");
        let comes_back = matches!(visit.fate.mind, Mind::SendBack { .. });
        assert_eq!(seen.returns, if comes_back { vec![true] } else { vec![] }, "{visit:?}");
        let is_refunded = comes_back || visit.fate.mind == Mind::Complain;
        assert_eq!((seen.refunds, seen.refunds_open), (usize::from(is_refunded), 0), "{visit:?}");
    }
}

#[test]
fn nothing_is_sent_back_before_it_is_paid() {
    let fate = Fate {
        after_decline: AfterDecline::Forget,
        mind: Mind::SendBack { is_restocked: true },
        is_split: false,
        pace_ms: 1,
    };
    let seen = Seen { status: Status::Delivered, lines: vec![(0, 2)], total: 500, ..Seen::default() };
    assert_eq!(fate.next(&seen), Step::Wait);
    assert_eq!(fate.next(&Seen { paid: 500, ..seen }), Step::RequestReturn(vec![(0, 2)]));
}
