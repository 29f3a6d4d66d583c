//! Questions about people.

use std::collections::HashMap;

use domain::values::UserId;
use infrastructure::{
    event_store::Position,
    read_store::{Cost, Query, ReadStoreError, Row, Value},
};

use super::{
    super::{
        SocialGraph,
        sql::{NEVER, Names},
    },
    PeoplePage, PersonCounts, Regards,
    sql::is_blocked,
};
use crate::{
    QueryError, ServedTables,
    bookkeeping::{number_of, position},
    hidden::{BLOCKED, BLOCKS, MUTES},
    social_graph::sql::ASKED_AT_ONCE,
    values::{person, several},
};

impl<const LARGE: i64, const WIDE: i64, const CHUNK: i64> ServedTables<SocialGraph<LARGE, WIDE, CHUNK>> {
    /// The numbers of these people. Nothing for those who have never done anything.
    pub async fn counts(&self, people: &[UserId]) -> Result<HashMap<UserId, PersonCounts>, QueryError> {
        let mut counts = HashMap::new();
        for some in people.chunks(ASKED_AT_ONCE) {
            let (marks, ids) = several(ASKED_AT_ONCE, 1, some.iter().map(|user| user.uuid()));
            let rows = self
                .select(|tables| {
                    let people = Names::of(tables).people;
                    let sql =
                        format!("SELECT user_id, followers, following, posts FROM {people} WHERE user_id IN ({marks})");
                    Query { sql: sql.into(), params: ids.clone(), cost: Cost::Point }
                })
                .await?;
            for row in rows {
                let number = |column| row.int(column).map(|number| u64::try_from(number).unwrap_or(0));
                let of = PersonCounts { followers: number(1)?, following: number(2)?, posts: number(3)? };
                counts.insert(UserId::new(row.uuid(0)?), of);
            }
        }
        Ok(counts)
    }

    /// What `viewer` and these people are to each other. Nothing for those to whom they are nothing in particular.
    pub async fn regards(&self, viewer: UserId, others: &[UserId]) -> Result<HashMap<UserId, Regards>, QueryError> {
        const FOLLOWS: &str = "follows";
        const FOLLOWED: &str = "followed";
        let mut regards: HashMap<UserId, Regards> = HashMap::new();
        for some in others.chunks(ASKED_AT_ONCE) {
            let (marks, ids) = several(ASKED_AT_ONCE, 2, some.iter().map(|user| user.uuid()));
            let rows = self
                .select(|tables| {
                    let Names { follows, hidden, .. } = Names::of(tables);
                    let sql = format!(
                        "SELECT followee, '{FOLLOWS}' FROM {follows} WHERE follower = $1 AND followee IN ({marks}) \
                         UNION ALL SELECT follower, '{FOLLOWED}' FROM {follows} \
                         WHERE followee = $1 AND follower IN ({marks}) \
                         UNION ALL SELECT other, why FROM {hidden} WHERE viewer = $1 AND other IN ({marks})"
                    );
                    Query { sql: sql.into(), params: [&[person(viewer)], ids.as_slice()].concat(), cost: Cost::Point }
                })
                .await?;
            for row in rows {
                let regard = regards.entry(UserId::new(row.uuid(0)?)).or_default();
                match row.text(1)? {
                    FOLLOWS => regard.follows = true,
                    FOLLOWED => regard.is_followed_by = true,
                    BLOCKS => regard.blocks = true,
                    BLOCKED => regard.is_blocked_by = true,
                    MUTES => regard.mutes = true,
                    other => return Err(ReadStoreError::Corrupt(format!("nobody is `{other}` to anybody")).into()),
                }
            }
        }
        Ok(regards)
    }

    /// Who follows `user`, as `viewer` sees it, the newest first, from before some place in the log.
    pub async fn followers(
        &self,
        user: UserId,
        viewer: UserId,
        before: Option<Position>,
        first: usize,
    ) -> Result<PeoplePage, QueryError> {
        self.people(["followee", "follower"], user, viewer, before, first).await
    }

    /// Whom `user` follows, as `viewer` sees it, the newest first, from before some place in the log.
    pub async fn following(
        &self,
        user: UserId,
        viewer: UserId,
        before: Option<Position>,
        first: usize,
    ) -> Result<PeoplePage, QueryError> {
        self.people(["follower", "followee"], user, viewer, before, first).await
    }

    async fn people(
        &self,
        [whose, who]: [&str; 2],
        user: UserId,
        viewer: UserId,
        before: Option<Position>,
        first: usize,
    ) -> Result<PeoplePage, QueryError> {
        let as_of = self.position();
        let before = before.map_or(NEVER, number_of);
        let rows = self
            .select(|tables| {
                let names = Names::of(tables);
                let sql = format!(
                    "SELECT f.{who}, f.since FROM {follows} f WHERE f.{whose} = $2 AND f.since < $3 \
                     AND NOT {blocked} ORDER BY f.since DESC LIMIT {limit}",
                    follows = names.follows,
                    blocked = is_blocked(&names, &format!("f.{who}")),
                    limit = first + 1
                );
                let params = vec![person(viewer), person(user), Value::Int(before)];
                Query { sql: sql.into(), params, cost: Cost::Scan }
            })
            .await?;
        let one = |row: &Row| Ok((UserId::new(row.uuid(0)?), position(row.int(1)?)));
        let mut people = rows.iter().map(one).collect::<Result<Vec<_>, ReadStoreError>>()?;
        let has_more = people.len() > first;
        people.truncate(first);
        Ok(PeoplePage { people, has_more, as_of })
    }
}
