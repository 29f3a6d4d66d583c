//! People in memory: whose a handle is and what a profile says, in plain maps and ifs.

use std::collections::BTreeMap;

use domain::{Timestamp, profile::Person, values::UserId};
use projections::profile_directory::ProfileRow;
use uuid::Uuid;

/// How many people there are, and how many handles for them.
pub(super) const PEOPLE: u8 = 3;
pub(super) const HANDLES: u8 = 4;

/// What somebody wants to be found under and to be called, and what they say; what is not given stays.
pub(super) type Wishes = (Option<u8>, Option<u8>, Option<u8>);

pub(super) fn person(n: u8) -> UserId {
    UserId::new(Uuid::from_u128(0xa000 + u128::from(n)))
}

pub(super) fn handle(n: u8) -> String {
    format!("person_{n}")
}

pub(super) fn name(n: u8) -> String {
    format!("Person {n}")
}

/// The first one is silence.
pub(super) fn biography(n: u8) -> String {
    if n == 0 { String::new() } else { format!("I like {n}.\nAnd tea.") }
}

#[derive(Clone, Debug)]
struct Profile {
    handle: u8,
    name: u8,
    biography: u8,
    created_at: Timestamp,
    updated_at: Timestamp,
    events: u64,
}

/// Who is there so far.
#[derive(Debug, Default)]
pub(super) struct People {
    /// Who claimed a handle. It stays theirs: everything here happens within minutes.
    claims: BTreeMap<u8, u8>,
    profiles: BTreeMap<u8, Profile>,
}

impl People {
    pub(super) fn create(&mut self, who: u8, (handle, name, biography): (u8, u8, u8), now: Timestamp) -> bool {
        if !self.claim(handle, who) || self.profiles.contains_key(&who) {
            return false;
        }
        let profile = Profile { handle, name, biography, created_at: now, updated_at: now, events: 1 };
        self.profiles.insert(who, profile);
        true
    }

    pub(super) fn update(&mut self, who: u8, (handle, name, biography): Wishes, now: Timestamp) -> bool {
        if handle.is_some_and(|handle| !self.claim(handle, who)) {
            return false;
        }
        let Some(profile) = self.profiles.get_mut(&who) else { return false };
        let said = (name.unwrap_or(profile.name), biography.unwrap_or(profile.biography));
        let changes =
            [handle.is_some_and(|handle| handle != profile.handle), said != (profile.name, profile.biography)];
        let events = changes.into_iter().map(u64::from).sum::<u64>();
        if events > 0 {
            profile.updated_at = now;
        }
        profile.handle = handle.unwrap_or(profile.handle);
        (profile.name, profile.biography) = said;
        profile.events += events;
        true
    }

    /// Whether they have a profile.
    pub(super) fn is_there(&self, who: u8) -> bool {
        self.profiles.contains_key(&who)
    }

    /// Whether the handle is theirs to take now.
    fn claim(&mut self, handle: u8, who: u8) -> bool {
        *self.claims.entry(handle).or_insert(who) == who
    }

    /// How many events there are.
    pub(super) fn events(&self) -> u64 {
        self.claims.len() as u64 + self.profiles.values().map(|profile| profile.events).sum::<u64>()
    }

    pub(super) fn view(&self) -> PeopleView {
        let profiles = self.profiles.iter().map(|(who, profile)| {
            let view = ProfileView {
                handle: handle(profile.handle),
                name: name(profile.name),
                biography: biography(profile.biography),
                created_at: profile.created_at,
                updated_at: profile.updated_at,
                revision: profile.events - 1,
            };
            (person(*who).uuid(), view)
        });
        let whose =
            |n| self.profiles.iter().find(|(_, profile)| profile.handle == n).map(|(who, _)| person(*who).uuid());
        PeopleView { profiles: profiles.collect(), found: (0..=HANDLES).map(whose).collect() }
    }
}

/// What the directory says, in plain words.
#[derive(Debug, PartialEq)]
pub(super) struct PeopleView {
    profiles: BTreeMap<Uuid, ProfileView>,
    /// Who is found under each handle, one more than there are.
    found: Vec<Option<Uuid>>,
}

#[derive(Debug, PartialEq)]
struct ProfileView {
    handle: String,
    name: String,
    biography: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    revision: u64,
}

impl PeopleView {
    /// What these rows say, and who was found under each handle.
    pub(super) fn read(rows: &[ProfileRow], found: &[Option<ProfileRow>]) -> Self {
        let user = |row: &ProfileRow| row.person.user.uuid();
        let view = |row: &ProfileRow| {
            let Person { handle, name, biography, created_at, updated_at, .. } = &row.person;
            ProfileView {
                handle: handle.to_string(),
                name: name.to_string(),
                biography: biography.to_string(),
                created_at: *created_at,
                updated_at: *updated_at,
                revision: row.revision.value(),
            }
        };
        let profiles: BTreeMap<_, _> = rows.iter().map(|row| (user(row), view(row))).collect();
        assert_eq!(profiles.len(), rows.len(), "a row is there twice");
        Self { profiles, found: found.iter().map(|row| row.as_ref().map(user)).collect() }
    }
}
