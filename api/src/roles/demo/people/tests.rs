//! The same seed gives the same people, a few are followed by most and most by a few, and everything is done by somebody.

use std::collections::BTreeMap;

use domain::values::{Handle, Hashtag};

use super::*;

const PEOPLE: u32 = 2_000;
const PRODUCTS: u32 = 12;

/// How many followers each has, by number less one.
fn followers(seed: u64, people: u32) -> Vec<u32> {
    let mut followers = vec![0; people as usize];
    for (_, whom) in arrivals(seed, &Fame::of(people)).into_iter().flatten() {
        followers[whom as usize - 1] += 1;
    }
    followers
}

fn acts(seed: u64, run: u64) -> Vec<Act> {
    (1..=3_000).map(|number| act(seed, run, number, 50, PRODUCTS)).collect()
}

#[test]
fn the_same_seed_gives_the_same_follows_and_acts_and_another_one_others() {
    let fame = Fame::of(PEOPLE);
    assert_eq!(arrivals(1, &fame), arrivals(1, &fame));
    assert_ne!(arrivals(1, &fame), arrivals(2, &fame));
    assert_eq!(acts(1, 1), acts(1, 1));
    assert_ne!(acts(1, 1), acts(2, 1), "the seed");
    assert_ne!(acts(1, 1), acts(1, 2), "the start: what goes on does not begin anew");
}

#[test]
fn a_few_are_followed_by_most_and_most_by_a_few() {
    for seed in 1..=5 {
        let mut followers = followers(seed, PEOPLE);
        followers.sort_unstable_by(|one, other| other.cmp(one));
        let all: u32 = followers.iter().sum();
        let top: u32 = followers[..PEOPLE as usize / 100].iter().sum();
        // Were everybody followed alike, one person in a hundred had about one follow in a hundred.
        assert!(top * 5 >= all, "seed {seed}: the first of a hundred have {top} of {all} followers");
        let (mean, median) = (all / PEOPLE, followers[PEOPLE as usize / 2]);
        assert!(median * 2 <= mean, "seed {seed}: half of them have at most {median}, all {mean} on average");
        assert!(followers[0] * 10 >= PEOPLE && followers[0] < PEOPLE, "seed {seed}: the first has {}", followers[0]);
    }
}

#[test]
fn twice_the_followers_have_half_as_many_people() {
    for seed in 1..=5 {
        let followers = followers(seed, PEOPLE);
        let with = |at_least: u32| followers.iter().filter(|count| **count >= at_least).count();
        for at_least in [16, 32, 64] {
            let (some, many) = (with(at_least), with(2 * at_least));
            let percent = many * 100 / some;
            assert!(
                (35..=65).contains(&percent),
                "seed {seed}: {some} have {at_least}, {percent} % of them twice as many"
            );
        }
    }
}

#[test]
fn nobody_follows_themselves_or_somebody_twice_or_anybody_who_is_not_there_yet() {
    for people in [2, 3, 40, 500] {
        let fame = Fame::of(people);
        let mut seen = BTreeSet::new();
        for (index, follows) in arrivals(9, &fame).into_iter().enumerate() {
            for (by, whom) in follows {
                assert!(by != whom && by.max(whom) as usize == index + 1, "{by} follows {whom} as {index} comes");
                assert!(by >= 1 && whom >= 1 && seen.insert((by, whom)), "{by} follows {whom} twice");
            }
        }
        let by: BTreeSet<u32> = seen.iter().map(|(by, _)| *by).collect();
        assert_eq!(by.len(), people as usize, "everybody follows somebody");
    }
}

#[test]
fn every_kind_of_act_occurs_and_is_about_somebody_else() {
    let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
    for Act { by, deed } in acts(1, 1) {
        assert!((1..=50).contains(&by));
        let (kind, whom) = match &deed {
            Deed::Say { product, text, is_for_followers } => {
                assert!(product.is_none_or(|product| product < PRODUCTS));
                let kind = match (text.contains('@'), is_for_followers) {
                    (true, _) => "mention",
                    (false, true) => "for followers",
                    (false, false) => "say",
                };
                (kind, None)
            }
            Deed::Reply { .. } => ("reply", None),
            Deed::Like { .. } => ("like", None),
            Deed::Repost { .. } => ("repost", None),
            Deed::Follow { whom } => ("follow", Some(*whom)),
            Deed::Unfollow { .. } => ("unfollow", None),
            Deed::Mute { whom } => ("mute", Some(*whom)),
            Deed::Block { whom } => ("block", Some(*whom)),
        };
        assert!(whom.is_none_or(|whom| whom != by && (1..=50).contains(&whom)), "{by}: {deed:?}");
        *kinds.entry(kind).or_default() += 1;
    }
    assert_eq!(kinds.len(), 10, "{kinds:?}");
    assert!(kinds.values().all(|count| *count >= 20), "{kinds:?}");
}

#[test]
fn two_who_are_there_are_enough() {
    for number in 1..500 {
        let Act { by, deed } = act(4, 1, number, 2, PRODUCTS);
        if let Deed::Follow { whom } | Deed::Mute { whom } | Deed::Block { whom } = deed {
            assert_eq!(by + whom, 3);
        }
    }
}

#[test]
fn handles_and_hashtags_are_what_the_rules_allow() {
    let mut handles = BTreeSet::new();
    for person in 1..=10_000 {
        let handle = words::handle(person);
        Handle::parse(&handle).unwrap_or_else(|error| panic!("{handle}: {error:?}"));
        assert!(handles.insert(handle));
        assert!(words::name(person).len() <= 50 && words::bio(person).len() <= 300);
    }
    for Act { deed, .. } in acts(3, 1) {
        if let Deed::Say { text, .. } = deed {
            for tag in text.split(' ').filter_map(|word| word.strip_prefix('#')) {
                Hashtag::parse(tag).unwrap_or_else(|error| panic!("{tag}: {error:?}"));
            }
        }
    }
}
