//! Profiles as they are read: fold, row and handles.

use domain::{
    EventPayload as _,
    profile::{Person, ProfileEvent},
    testing::{anna, ben, biography, display_name, handle, handle_changed, order_placed, profile_created},
    values::{Biography, DisplayName, Handle, UserId},
};
use infrastructure::event_store::Revision;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    KeyedFold,
    tests::{block_on, decoded, folded, moment, serving, temp_rows},
};

fn updated() -> ProfileEvent {
    ProfileEvent::Updated { user: anna(), name: display_name("Bee"), biography: biography("Tea."), at: moment(9) }
}

#[test]
fn a_profile_is_as_its_last_event_says() {
    let row = folded::<ProfileDirectory, _>([
        profile_created(anna(), "anna"),
        handle_changed(anna(), "anna", "anna_bee"),
        updated(),
    ])
    .unwrap();
    let person = row.person;
    assert_eq!((person.user, person.handle, row.revision), (anna(), handle("anna_bee"), Revision::new(2)));
    assert_eq!((person.name, person.biography, person.updated_at), (display_name("Bee"), biography("Tea."), moment(9)));
}

#[test]
fn a_profile_that_was_never_made_has_no_row() {
    assert_eq!(folded::<ProfileDirectory, _>([updated(), handle_changed(anna(), "anna", "anna_bee")]), None);
}

#[test]
fn only_the_making_makes_a_row_anew_and_orders_are_no_concern() {
    let start = decoded(1, 0, profile_created(anna(), "anna"));
    assert!(ProfileDirectory::starts(&start));
    assert!(!ProfileDirectory::starts(&decoded(2, 1, updated())));
    let order = decoded(1, 0, order_placed());
    assert_eq!(ProfileDirectory::key(&order), None);
    let row = folded::<ProfileDirectory, _>([profile_created(anna(), "anna")]);
    assert_eq!(ProfileDirectory::fold(row.clone(), &order), row);
}

#[test]
fn every_event_of_a_profile_is_read() {
    let events = [profile_created(anna(), "anna"), updated(), handle_changed(anna(), "anna", "bee")];
    assert_eq!(events.len(), ProfileEvent::types().len());
    for event in events {
        assert_eq!(ProfileDirectory::key(&decoded(1, 0, event)), Some(anna().uuid()));
    }
    for name in ProfileEvent::types() {
        assert!(ProfileDirectory::EVENTS.iter().any(|prefix| name.starts_with(prefix)), "{name}");
    }
}

fn row_of(user: UserId, handle_text: &str, updated_s: i64) -> ProfileRow {
    let mut row = folded::<ProfileDirectory, _>([profile_created(user, handle_text)]).unwrap();
    row.person.updated_at = moment(updated_s);
    row
}

#[tokio::test]
async fn a_profile_is_found_by_its_handle_and_whoever_took_it_last_has_it() {
    let (_folder, store) = temp_rows();
    // Ben has left the handle, which is not to be seen yet.
    let (left, has) = (row_of(ben(), "anna", 5), row_of(anna(), "anna", 6));
    let directory = serving::<ProfileDirectory>(&store, &[left, has.clone()]).await;
    assert_eq!(directory.by_handle(&handle("ANNA")).await.unwrap(), Some(has));
    assert_eq!(directory.by_handle(&handle("ann")).await.unwrap(), None);
}

prop_compose! {
    fn some_row()(
        user in any::<u128>(),
        handle in r"[^\pC\pZ]{1,20}",
        name in r"\PC{1,20}",
        said in r"(\PC|\n){0,50}",
        times in (-1_000_000_000_000_000_i64..1_000_000_000_000_000, 0_i64..1_000_000_000),
        revision in 0..=u64::from(u32::MAX),
    ) -> ProfileRow {
        let person = Person {
            user: UserId::new(Uuid::from_u128(user)),
            // What was stored is read, whether it would be a handle today or not.
            handle: Handle::stored(&handle),
            name: DisplayName::stored(&name),
            biography: Biography::stored(&said),
            created_at: moment(times.0),
            updated_at: moment(times.0 + times.1),
        };
        ProfileRow { person, revision: Revision::new(revision) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_row_comes_back_as_it_was_written(row in some_row()) {
        block_on(async {
            let (_folder, store) = temp_rows();
            let directory = serving::<ProfileDirectory>(&store, std::slice::from_ref(&row)).await;
            assert_eq!(directory.row(row.person.user.uuid()).await.unwrap().as_ref(), Some(&row));
            assert_eq!(directory.by_handle(&row.person.handle).await.unwrap(), Some(row));
        });
    }
}
