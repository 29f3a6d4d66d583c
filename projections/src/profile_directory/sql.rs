//! The table `profile_directory`.

use domain::{
    profile::Person,
    values::{Biography, DisplayName, Handle, UserId},
};
use infrastructure::{
    event_store::{Revision, StreamId},
    read_store::{ReadStoreError, Row, Value},
};
use uuid::Uuid;

use super::{NAME, ProfileDirectory, ProfileRow, VERSION, fold};
use crate::{Decoded, KeyedFold, Sources};

impl KeyedFold for ProfileDirectory {
    const NAME: &'static str = NAME;
    const VERSION: u32 = VERSION;
    const EVENTS: &'static [&'static str] = &["profile."];
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("user_id", "UUID NOT NULL"),
        ("handle", "TEXT NOT NULL"),
        ("name", "TEXT NOT NULL"),
        ("biography", "TEXT NOT NULL"),
        ("created_at", "TIMESTAMPTZ NOT NULL"),
        ("updated_at", "TIMESTAMPTZ NOT NULL"),
        ("revision", "BIGINT NOT NULL"),
    ];
    const INDEXES: &'static [&'static str] = &["handle, updated_at"];

    type Row = ProfileRow;

    fn key(event: &Decoded) -> Option<Uuid> {
        fold::key(event)
    }

    fn sources(key: Uuid) -> Sources {
        Sources::Streams(vec![StreamId::new("profile", key)])
    }

    fn starts(event: &Decoded) -> bool {
        fold::starts(event)
    }

    fn fold(row: Option<ProfileRow>, event: &Decoded) -> Option<ProfileRow> {
        fold::fold(row, event)
    }

    fn write(row: &ProfileRow) -> Vec<Value> {
        let person = &row.person;
        vec![
            Value::Uuid(person.user.uuid()),
            Value::Text(person.handle.as_str().to_owned()),
            Value::Text(person.name.as_str().to_owned()),
            Value::Text(person.biography.as_str().to_owned()),
            Value::Timestamp(person.created_at),
            Value::Timestamp(person.updated_at),
            Value::Int(i64::try_from(row.revision.value()).unwrap_or(i64::MAX)),
        ]
    }

    fn read(row: &Row) -> Result<ProfileRow, ReadStoreError> {
        let broken = |column, wanted| ReadStoreError::Column { column, wanted };
        let person = Person {
            user: UserId::new(row.uuid(0)?),
            handle: Handle::stored(row.text(1)?),
            name: DisplayName::stored(row.text(2)?),
            biography: Biography::stored(row.text(3)?),
            created_at: row.timestamp(4)?,
            updated_at: row.timestamp(5)?,
        };
        let revision = Revision::new(u64::try_from(row.int(6)?).map_err(|_| broken(6, "a revision"))?);
        Ok(ProfileRow { person, revision })
    }
}
