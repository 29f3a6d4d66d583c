//! A profile's rules as sentences.

use chrono::TimeDelta;

use super::{handle::Claim, *};
use crate::{
    testing::{anna, ben, biography, claim, display_name, given, handle, handle_changed, now, profile_created},
    values::Biography,
};

fn create(claim: Claim) -> ProfileCommand {
    let (name, biography) = (display_name("anna"), Biography::default());
    ProfileCommand::Create { user: anna(), claim, name, biography }
}

fn update(name: Option<&str>, said: Option<&str>) -> ProfileCommand {
    ProfileCommand::Update { claim: None, name: name.map(display_name), biography: said.map(biography) }
}

fn take(claim: Claim) -> ProfileCommand {
    ProfileCommand::Update { claim: Some(claim), name: None, biography: None }
}

#[test]
fn somebody_becomes_visible_under_the_handle_they_claimed() {
    given::<Profile>([]).when(create(claim("anna", anna()))).then([profile_created(anna(), "anna")]);
}

#[test]
fn one_person_has_one_profile() {
    given::<Profile>([profile_created(anna(), "anna")])
        .when(create(claim("other", anna())))
        .then_rejected(&ProfileRejection::AlreadyCreated);
}

#[test]
fn a_handle_is_taken_under_an_own_claim_that_is_not_over() {
    let over = Claim { until: now(), ..claim("anna", anna()) };
    let expected = ProfileRejection::HandleNotClaimed;
    for claim in [claim("anna", ben()), over] {
        given::<Profile>([]).when(create(claim.clone())).then_rejected(&expected);
        given::<Profile>([profile_created(anna(), "first")]).when(take(claim)).then_rejected(&expected);
    }
    let just_in_time = Claim { until: now() + TimeDelta::milliseconds(1), ..claim("anna", anna()) };
    given::<Profile>([]).when(create(just_in_time)).then([profile_created(anna(), "anna")]);
}

#[test]
fn what_is_not_given_stays_as_it_is() {
    let created = || profile_created(anna(), "anna");
    let updated = |name: &str, said: &str| {
        let (name, biography) = (display_name(name), biography(said));
        ProfileEvent::Updated { user: anna(), name, biography, at: now() }
    };
    given::<Profile>([created()]).when(update(Some("Anna B."), None)).then([updated("Anna B.", "")]);
    given::<Profile>([created(), updated("Anna B.", "")])
        .when(update(None, Some("Tea.")))
        .then([updated("Anna B.", "Tea.")]);
    given::<Profile>([created(), updated("Anna B.", "Tea.")])
        .when(update(None, Some("")))
        .then([updated("Anna B.", "")]);
}

#[test]
fn an_update_to_what_it_is_changes_nothing() {
    for command in [update(None, None), update(Some("anna"), Some("")), update(Some(" anna "), None)] {
        given::<Profile>([profile_created(anna(), "anna")]).when(command).then([]);
    }
}

#[test]
fn a_handle_changes_and_the_event_says_what_it_was() {
    given::<Profile>([profile_created(anna(), "anna")]).when(take(claim("anna_bee", anna()))).then([handle_changed(
        anna(),
        "anna",
        "anna_bee",
    )]);
    let state =
        crate::testing::fold::<Profile>([profile_created(anna(), "anna"), handle_changed(anna(), "anna", "anna_bee")]);
    assert!(state.has(&handle("anna_bee")) && !state.has(&handle("anna")));
}

#[test]
fn a_handle_and_words_change_together_or_not_at_all() {
    let both = |claim| ProfileCommand::Update { claim: Some(claim), name: Some(display_name("Bee")), biography: None };
    let (name, biography) = (display_name("Bee"), Biography::default());
    let updated = ProfileEvent::Updated { user: anna(), name, biography, at: now() };
    given::<Profile>([profile_created(anna(), "anna")])
        .when(both(claim("anna_bee", anna())))
        .then([handle_changed(anna(), "anna", "anna_bee"), updated]);
    given::<Profile>([profile_created(anna(), "anna")])
        .when(both(claim("anna_bee", ben())))
        .then_rejected(&ProfileRejection::HandleNotClaimed);
}

#[test]
fn changing_a_handle_to_what_it_is_changes_nothing_even_without_a_claim() {
    let over = Claim { until: now() - TimeDelta::days(1), ..claim("anna", anna()) };
    given::<Profile>([profile_created(anna(), "anna")]).when(take(over)).then([]);
}

#[test]
fn what_is_not_there_is_not_changed() {
    let commands = [update(Some("x"), None), take(claim("anna", anna()))];
    for command in commands {
        given::<Profile>([]).when(command).then_rejected(&ProfileRejection::NotFound);
    }
}
