//! A handle's rules as sentences.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    profile::{Profile, ProfileCommand, ProfileState},
    testing::{anna, ben, claim, display_name, fold, given, handle, handle_claimed, id, now},
    values::{Biography, UserId},
};

fn wanted_by(by: UserId, vacancy: impl Into<Option<Vacancy>>) -> HandleCommand {
    HandleCommand::Claim { handle: handle("anna"), by, vacancy: vacancy.into() }
}

/// Anna's claim, as if it had been made so long ago that it ended this long ago.
fn ended(ago: TimeDelta) -> HandleEvent {
    let (until, at) = (now() - ago, now() - ago - CLAIM_KEPT);
    HandleEvent::Claimed { handle: handle("anna"), by: anna(), until, former: None, at }
}

fn vacancy(holder: UserId, ago: TimeDelta) -> Vacancy {
    Vacancy { holder, seen_at: now() - ago }
}

#[test]
fn a_handle_that_nobody_wanted_yet_is_claimed() {
    given::<HandleClaim>([]).when(wanted_by(anna(), None)).then([handle_claimed("anna", anna())]);
}

#[test]
fn of_two_who_want_a_handle_at_the_same_moment_one_wins() {
    let first = given::<HandleClaim>([]).when(wanted_by(anna(), None));
    first.then([handle_claimed("anna", anna())]);
    given::<HandleClaim>([handle_claimed("anna", anna())])
        .when(wanted_by(ben(), None))
        .then_rejected(&HandleRejection::Taken);
}

#[test]
fn however_a_handle_is_written_it_is_one_stream() {
    for text in ["Anna", "ANNA", "ａｎｎａ", "ᴬⁿⁿᵃ"] {
        assert_eq!(Handle::parse(text).map(|handle| id_of(&handle)), Ok(id_of(&handle("anna"))), "{text}");
    }
    assert_ne!(id_of(&handle("anna")), id_of(&handle("an_na")));
}

#[test]
fn claiming_again_at_once_changes_nothing_and_later_renews_the_claim() {
    given::<HandleClaim>([handle_claimed("anna", anna())]).when(wanted_by(anna(), None)).then([]);
    for ago in [-CLAIM_KEPT / 2, TimeDelta::zero(), TimeDelta::days(100)] {
        given::<HandleClaim>([ended(ago)]).when(wanted_by(anna(), None)).then([handle_claimed("anna", anna())]);
    }
}

#[test]
fn a_handle_is_taken_until_somebody_has_seen_that_it_is_vacant() {
    let long_ago = ended(TimeDelta::days(1));
    given::<HandleClaim>([long_ago.clone()]).when(wanted_by(ben(), None)).then_rejected(&HandleRejection::Taken);
    let of_another = vacancy(id(99), TimeDelta::zero());
    given::<HandleClaim>([long_ago.clone()]).when(wanted_by(ben(), of_another)).then_rejected(&HandleRejection::Taken);
    let HandleEvent::Claimed { handle, until, at, .. } = handle_claimed("anna", ben());
    let taken_over = HandleEvent::Claimed { handle, by: ben(), until, former: Some(anna()), at };
    given::<HandleClaim>([long_ago]).when(wanted_by(ben(), vacancy(anna(), TimeDelta::zero()))).then([taken_over]);
}

#[test]
fn a_look_that_was_too_early_shows_nothing() {
    let (at_the_end, early) = (vacancy(anna(), TimeDelta::zero()), vacancy(anna(), TimeDelta::seconds(1)));
    given::<HandleClaim>([ended(CLAIM_MARGIN)]).when(wanted_by(ben(), early)).then_rejected(&HandleRejection::Taken);
    let second = TimeDelta::seconds(1);
    given::<HandleClaim>([ended(CLAIM_MARGIN - second)])
        .when(wanted_by(ben(), at_the_end))
        .then_rejected(&HandleRejection::Taken);
    let outcome = HandleClaim::decide(&fold::<HandleClaim>([ended(CLAIM_MARGIN)]), wanted_by(ben(), at_the_end), now());
    assert_eq!(outcome.map(|events| events.len()), Ok(1));
}

/// What somebody does about one handle, and how much later.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Claim it, with what was last seen of its holder's profile.
    Claim,
    /// Take it into the profile, under the claim as it was last seen.
    Take,
    /// Take another handle instead.
    Leave,
    /// Look whether whoever claimed it last has it.
    Look,
}

/// One of three people, with what they remember: everything may be old by the time it is used.
#[derive(Default)]
struct Player {
    claim: Option<Claim>,
    vacancy: Option<Vacancy>,
    profile: ProfileState,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step, i64)>> {
    let step = prop_oneof![Just(Step::Claim), Just(Step::Take), Just(Step::Leave), Just(Step::Look)];
    // Mostly so soon that claims are still good, now and then so late that they are over.
    let minutes = prop_oneof![4 => 0..3_i64, 1 => 0..30_i64];
    prop::collection::vec((0..3_usize, step, minutes), 1..120)
}

proptest! {
    #[test]
    fn whoever_claims_takes_leaves_and_looks_whenever_no_two_profiles_have_the_same_handle(steps in steps()) {
        let users = [id(1), id(2), id(3)];
        let mut players: BTreeMap<UserId, Player> = users.iter().map(|user| (*user, Player::default())).collect();
        let (mut state, mut now) = (HandleState::default(), now());
        for (who, step, minutes) in steps {
            now += TimeDelta::minutes(minutes);
            let user = users[who];
            match step {
                Step::Claim => {
                    let vacancy = players[&user].vacancy;
                    let command = HandleCommand::Claim { handle: handle("anna"), by: user, vacancy };
                    if let Ok(events) = HandleClaim::decide(&state, command, now) {
                        state = events.iter().fold(state, HandleClaim::evolve);
                        let HandleState::Claimed(claim) = &state else { unreachable!("it was claimed") };
                        players.get_mut(&user).expect("a player").claim = Some(claim.clone());
                    }
                }
                Step::Take | Step::Leave => {
                    let player = players.get_mut(&user).expect("a player");
                    let other = Claim { until: now + CLAIM_KEPT, ..claim("other", user) };
                    let claim = if matches!(step, Step::Take) { player.claim.clone() } else { Some(other) };
                    let Some(claim) = claim else { continue };
                    let (name, biography) = (display_name("x"), Biography::default());
                    let command = if player.profile.present().is_some() {
                        ProfileCommand::Update { claim: Some(claim), name: None, biography: None }
                    } else {
                        ProfileCommand::Create { user, claim, name, biography }
                    };
                    if let Ok(events) = Profile::decide(&player.profile, command, now) {
                        player.profile = events.iter().fold(player.profile.clone(), Profile::evolve);
                    }
                }
                Step::Look => {
                    let HandleState::Claimed(claim) = &state else { continue };
                    if !players[&claim.by].profile.has(&claim.handle) {
                        let vacancy = Some(Vacancy { holder: claim.by, seen_at: now });
                        players.get_mut(&user).expect("a player").vacancy = vacancy;
                    }
                }
            }
            let holders = players.values().filter(|player| player.profile.has(&handle("anna"))).count();
            prop_assert!(holders <= 1, "{holders} profiles have it");
        }
    }
}
