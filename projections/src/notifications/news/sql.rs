//! Statements about what happens: items, their groups, and what decides whether they are shown.

use domain::{
    Timestamp,
    follow::FollowEvent,
    inbox::NotificationKind,
    order::OrderEvent,
    post::{Mention, PostEvent, Published, Visibility},
    reaction::ReactionEvent,
    values::{CustomerId, OrderId, PostId, UserId},
};
use infrastructure::{
    event_store::Revision,
    read_store::{Statement, Value},
};
use uuid::Uuid;

use super::{
    super::sql::{Change, Names, kind, refresh},
    News, OrderNews, of_post,
};
use crate::{
    hidden,
    values::{micros, person},
};

/// The item `x` is in the group `g`.
const OF_ITEM: &str = "g.recipient = x.recipient AND g.kind = x.kind AND g.subject = x.subject";

pub(in crate::notifications) fn create(names: &Names) -> Vec<String> {
    let Names { items, groups, hidden, posts, orders, .. } = names;
    vec![
        // `source`: who did it; of an order's news, the number of the event in its stream, as a UUID. `moment`: in microseconds
        // since 1970. `is_public`: not only for those who follow whoever did it. `is_shown`: wanted, and of nobody whom
        // the recipient blocks, mutes, or does not follow where they have to.
        format!(
            "CREATE TABLE IF NOT EXISTS {items} (
                recipient UUID NOT NULL,
                kind TEXT NOT NULL,
                subject UUID NOT NULL,
                source UUID NOT NULL,
                position BIGINT NOT NULL,
                moment BIGINT NOT NULL,
                what TEXT,
                is_public BIGINT NOT NULL,
                is_shown BIGINT NOT NULL,
                PRIMARY KEY (recipient, kind, subject, source)
            )"
        ),
        format!(
            "CREATE INDEX IF NOT EXISTS {items}_newest ON {items} (recipient, kind, subject, moment, position) \
             WHERE is_shown = 1"
        ),
        format!("CREATE INDEX IF NOT EXISTS {items}_source ON {items} (recipient, source)"),
        format!("CREATE INDEX IF NOT EXISTS {items}_since ON {items} (recipient, is_shown, position)"),
        // `newest_moment`, `newest_position`: of the newest item that is shown; none where none is. `unread_moment`: the same
        // of those behind what was read of the group by itself.
        format!(
            "CREATE TABLE IF NOT EXISTS {groups} (
                recipient UUID NOT NULL,
                kind TEXT NOT NULL,
                subject UUID NOT NULL,
                shown BIGINT NOT NULL,
                newest_moment BIGINT,
                newest_position BIGINT,
                unread_moment BIGINT,
                PRIMARY KEY (recipient, kind, subject)
            )"
        ),
        format!("CREATE INDEX IF NOT EXISTS {groups}_list ON {groups} (recipient, newest_moment, newest_position)"),
        format!("CREATE INDEX IF NOT EXISTS {groups}_unread ON {groups} (recipient, unread_moment)"),
        format!("CREATE INDEX IF NOT EXISTS {groups}_subject ON {groups} (subject)"),
        hidden::sql::create(hidden),
        format!(
            "CREATE TABLE IF NOT EXISTS {posts} (
                post_id UUID NOT NULL PRIMARY KEY,
                author UUID NOT NULL,
                of_post UUID,
                of_author UUID,
                parent_author UUID,
                quoted_author UUID,
                is_public BIGINT NOT NULL,
                is_deleted BIGINT NOT NULL
            )"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {orders} (
                order_id UUID NOT NULL PRIMARY KEY,
                customer UUID NOT NULL
            )"
        ),
    ]
}

/// What happened between two people.
pub(in crate::notifications) fn between(change: &Change, event: &FollowEvent) -> Vec<Statement> {
    let (by, whom) = event.parties();
    let hidden = hidden::sql::changed(&change.names.hidden, event);
    match event {
        FollowEvent::Followed { at, .. } => {
            let (kind, subject) = (NotificationKind::Follow, whom.uuid());
            let visibility = Visibility::Public;
            let follow = News { recipient: whom, kind, subject, actor: by, visibility, at: *at };
            [told(change, &follow), follow_changed(change, by, whom)].concat()
        }
        FollowEvent::Unfollowed { .. } => {
            let follow = taken_back(change, whom, NotificationKind::Follow, whom.uuid(), by);
            [follow, follow_changed(change, by, whom)].concat()
        }
        FollowEvent::Blocked { .. } | FollowEvent::Unblocked { .. } => {
            [hidden, regard_changed(change, by, whom), regard_changed(change, whom, by)].concat()
        }
        FollowEvent::Muted { .. } | FollowEvent::Unmuted { .. } => [hidden, regard_changed(change, by, whom)].concat(),
    }
}

/// What somebody thinks of a post.
pub(in crate::notifications) fn reacted(change: &Change, event: &ReactionEvent) -> Vec<Statement> {
    let kind = NotificationKind::Like;
    match event {
        ReactionEvent::Liked { post, author, by, at } => {
            let (subject, visibility) = (post.uuid(), Visibility::Public);
            told(change, &News { recipient: *author, kind, subject, actor: *by, visibility, at: *at })
        }
        ReactionEvent::Unliked { post, author, by, .. } => taken_back(change, *author, kind, post.uuid(), *by),
    }
}

/// What happened to a post.
pub(in crate::notifications) fn posted(change: &Change, event: &PostEvent) -> Vec<Statement> {
    match event {
        PostEvent::Published(published) => said(change, published),
        PostEvent::Edited { post, content, at, .. } => edited(change, *post, &content.mentions, *at),
        PostEvent::Reposted { post, author, of, of_author, at } => {
            let (subject, visibility) = (of.uuid(), Visibility::Public);
            let kind = NotificationKind::Repost;
            let news = News { recipient: *of_author, kind, subject, actor: *author, visibility, at: *at };
            let others = [Value::Uuid(subject), person(*of_author), Value::Null, Value::Null];
            [vec![known(change, *post, *author, &others, visibility)], told(change, &news)].concat()
        }
        PostEvent::Deleted { post, .. } => deleted(change, *post),
    }
}

/// What happened to an order, which is its `revision`-th event.
pub(in crate::notifications) fn ordered(change: &Change, event: &OrderEvent, revision: Revision) -> Vec<Statement> {
    if let OrderEvent::Placed { order, customer, .. } = event {
        return vec![owned(change, *order, *customer)];
    }
    OrderNews::of(event).map_or_else(Vec::new, |news| of_order(change, event, news, revision))
}

fn owned(change: &Change, order: OrderId, customer: CustomerId) -> Statement {
    let sql = format!(
        "INSERT INTO {} (order_id, customer) VALUES ($1, $2) ON CONFLICT (order_id) DO NOTHING",
        change.names.orders
    );
    Statement::once(sql, vec![Value::Uuid(order.uuid()), person(customer.into())])
}

fn of_order(change: &Change, event: &OrderEvent, news: OrderNews, revision: Revision) -> Vec<Statement> {
    let Names { items, orders, .. } = &change.names;
    let is_shown = shown(&change.names, ["o.customer", "'order'", "$2", "$3", "1"]);
    let insert = format!(
        "INSERT INTO {items} (recipient, kind, subject, source, position, moment, what, is_public, is_shown) \
         SELECT o.customer, 'order', o.order_id, $2, CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS TEXT), 1, \
         {is_shown} FROM {orders} o WHERE o.order_id = $1 ON CONFLICT (recipient, kind, subject, source) DO NOTHING"
    );
    let number = Uuid::from_u128(u128::from(revision.value()));
    let item = [Value::Uuid(event.order().uuid()), Value::Uuid(number), change.place()];
    let rest = [Value::Int(micros(event.at())), Value::Text(news.word().to_owned())];
    let customer = format!("(SELECT o.customer FROM {orders} o WHERE o.order_id = $1)");
    let is_it = format!(
        "x.recipient = {customer} AND x.kind = 'order' AND x.subject = $1 AND x.source = $2 AND x.position = $3"
    );
    let insert = Statement::once(insert, [item.as_slice(), &rest].concat());
    [vec![insert], counted(change, &is_it, &item)].concat()
}

/// Somebody is told of something, unless they did it.
fn told(change: &Change, news: &News) -> Vec<Statement> {
    let News { recipient, kind: of_kind, subject, actor, visibility, at } = *news;
    if recipient == actor {
        return vec![];
    }
    let is_shown = shown(&change.names, ["$1", "$2", "$4", "$5", "CAST($7 AS BIGINT)"]);
    let insert = format!(
        "INSERT INTO {} (recipient, kind, subject, source, position, moment, what, is_public, is_shown) \
         VALUES ($1, $2, $3, $4, $5, $6, NULL, $7, {is_shown}) \
         ON CONFLICT (recipient, kind, subject, source) DO NOTHING",
        change.names.items
    );
    let item = [person(recipient), kind(of_kind), Value::Uuid(subject), person(actor), change.place()];
    let rest = [Value::Int(micros(at)), Value::Int(is_public(visibility))];
    let insert = Statement::once(insert, [item.as_slice(), &rest].concat());
    [vec![insert], counted(change, IS_IT, &item)].concat()
}

/// The item `x` that was written with recipient, kind, subject, source and position.
const IS_IT: &str = "x.recipient = $1 AND x.kind = $2 AND x.subject = $3 AND x.source = $4 AND x.position = $5";

/// The item `x` that was just written, if it was, counts in its group.
fn counted(change: &Change, is_it: &str, params: &[Value]) -> Vec<Statement> {
    let Names { items, groups, .. } = &change.names;
    let group = format!(
        "INSERT INTO {groups} (recipient, kind, subject, shown) \
         SELECT x.recipient, x.kind, x.subject, 0 FROM {items} x WHERE {is_it} \
         ON CONFLICT (recipient, kind, subject) DO NOTHING"
    );
    let count =
        format!("UPDATE {groups} AS g SET shown = g.shown + x.is_shown FROM {items} x WHERE {is_it} AND {OF_ITEM}");
    let newest = refresh(&change.names, &format!("FROM {items} x"), &format!("{is_it} AND {OF_ITEM}"));
    [group, count, newest].map(|sql| Statement::once(sql, params.to_vec())).into()
}

/// Somebody is not told any more of what somebody did.
fn taken_back(
    change: &Change,
    recipient: UserId,
    of_kind: NotificationKind,
    subject: Uuid,
    actor: UserId,
) -> Vec<Statement> {
    let group = vec![person(recipient), kind(of_kind), Value::Uuid(subject)];
    let item = [group.as_slice(), &[person(actor)]].concat();
    removed(change, ["$1", "$2", "$3", "$4"], &item, &group)
}

/// The item with this recipient, kind, subject and source is there no longer, and its group if it was the last one.
fn removed(
    change: &Change,
    [recipient, of_kind, subject, source]: [&str; 4],
    item: &[Value],
    group: &[Value],
) -> Vec<Statement> {
    let Names { items, groups, .. } = &change.names;
    let of = |one: &str| format!("{one}recipient = {recipient} AND {one}kind = {of_kind} AND {one}subject = {subject}");
    let count = format!(
        "UPDATE {groups} AS g SET shown = g.shown - x.is_shown FROM {items} x \
         WHERE {} AND x.source = {source} AND {OF_ITEM}",
        of("x.")
    );
    let gone = format!("DELETE FROM {items} WHERE {} AND source = {source}", of(""));
    let newest = refresh(&change.names, "", &of("g."));
    let empty = format!(
        "DELETE FROM {groups} WHERE {} AND NOT EXISTS (SELECT 1 FROM {items} i WHERE i.recipient = {groups}.recipient \
         AND i.kind = {groups}.kind AND i.subject = {groups}.subject)",
        of("")
    );
    vec![
        Statement::once(count, item.to_vec()),
        Statement::once(gone, item.to_vec()),
        Statement::once(newest, group.to_vec()),
        Statement::once(empty, group.to_vec()),
    ]
}

fn said(change: &Change, published: &Published) -> Vec<Statement> {
    let Published { post, author, visibility, reply, quoted, at, .. } = published;
    let parent = reply.map_or(Value::Null, |reply| person(reply.parent_author));
    let quoted = quoted.map_or(Value::Null, |quoted| person(quoted.author));
    let others = [Value::Null, Value::Null, parent, quoted];
    let mut statements = vec![known(change, *post, *author, &others, *visibility)];
    for (recipient, kind) in of_post(published) {
        let (subject, actor) = (post.uuid(), *author);
        statements.extend(told(change, &News { recipient, kind, subject, actor, visibility: *visibility, at: *at }));
    }
    statements
}

/// There is such a post; `others` are the post that it shows and whose that is, whom it answers, and whom it quotes.
fn known(change: &Change, post: PostId, author: UserId, others: &[Value; 4], visibility: Visibility) -> Statement {
    let sql = format!(
        "INSERT INTO {} (post_id, author, of_post, of_author, parent_author, quoted_author, is_public, is_deleted) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0) ON CONFLICT (post_id) DO NOTHING",
        change.names.posts
    );
    let itself = [Value::Uuid(post.uuid()), person(author)];
    let rest = [Value::Int(is_public(visibility))];
    Statement::once(sql, [itself.as_slice(), others, &rest].concat())
}

/// Whoever is mentioned now and was not before is told; whoever is mentioned no longer is not.
fn edited(change: &Change, post: PostId, mentions: &[Mention], at: Timestamp) -> Vec<Statement> {
    let Names { items, groups, posts, .. } = &change.names;
    let id = Value::Uuid(post.uuid());
    let marks: Vec<String> = (2..2 + mentions.len()).map(|number| format!("${number}")).collect();
    let is_other = if marks.is_empty() {
        String::new()
    } else {
        // Each in its place, so that all of them have the type of the column.
        format!(" AND recipient NOT IN ({})", marks.join(", "))
    };
    // An item of this kind is a group by itself.
    let gone = format!(
        "DELETE FROM {items} WHERE recipient IN (SELECT g.recipient FROM {groups} g WHERE g.subject = $1) \
         AND kind = 'mention' AND subject = $1{is_other}"
    );
    let empty = format!("DELETE FROM {groups} WHERE subject = $1 AND kind = 'mention'{is_other}");
    let all: Vec<Value> = std::iter::once(id.clone()).chain(mentions.iter().map(|one| person(one.user))).collect();
    let mut statements = vec![Statement::once(gone, all.clone()), Statement::once(empty, all)];
    let is_shown = shown(&change.names, ["$1", "'mention'", "p.author", "$3", "p.is_public"]);
    let mention = format!(
        "INSERT INTO {items} (recipient, kind, subject, source, position, moment, what, is_public, is_shown) \
         SELECT $1, 'mention', p.post_id, p.author, CAST($3 AS BIGINT), CAST($4 AS BIGINT), NULL, p.is_public, {is_shown} \
         FROM {posts} p WHERE p.post_id = $2 AND p.of_post IS NULL AND p.is_deleted = 0 AND p.author <> $1 \
         AND (p.parent_author IS NULL OR p.parent_author <> $1) AND (p.quoted_author IS NULL OR p.quoted_author <> $1) \
         ON CONFLICT (recipient, kind, subject, source) DO NOTHING"
    );
    let is_it = "x.recipient = $1 AND x.kind = 'mention' AND x.subject = $2 AND x.position = $3";
    for one in mentions {
        let item = [person(one.user), id.clone(), change.place()];
        let params = [item.as_slice(), &[Value::Int(micros(at))]].concat();
        statements.push(Statement::once(mention.clone(), params));
        statements.extend(counted(change, is_it, &item));
    }
    statements
}

/// A post is taken back. One that shows another one leaves nothing; of others it is remembered that they were there.
fn deleted(change: &Change, post: PostId) -> Vec<Statement> {
    let posts = &change.names.posts;
    let id = [Value::Uuid(post.uuid())];
    let of =
        |column: &str| format!("(SELECT p.{column} FROM {posts} p WHERE p.post_id = $1 AND p.of_post IS NOT NULL)");
    let (recipient, subject, source) = (of("of_author"), of("of_post"), of("author"));
    let mut statements = removed(change, [&recipient, "'repost'", &subject, &source], &id, &id);
    let undone = format!("DELETE FROM {posts} WHERE post_id = $1 AND of_post IS NOT NULL");
    let gone = format!("UPDATE {posts} SET is_deleted = 1 WHERE post_id = $1");
    let about = refresh(&change.names, "", "g.subject = $1");
    statements.extend([undone, gone, about].map(|sql| Statement::once(sql, id.to_vec())));
    statements
}

/// `by` follows `whom` since now, or no longer: what `whom` said to their followers is theirs to see, or not.
fn follow_changed(change: &Change, by: UserId, whom: UserId) -> Vec<Statement> {
    let of_them = "x.recipient = $1 AND x.source = $2 AND x.is_public = 0";
    look_again(change, of_them, &[person(by), person(whom)])
}

/// `viewer` wants to see `other`, or no longer.
fn regard_changed(change: &Change, viewer: UserId, other: UserId) -> Vec<Statement> {
    look_again(change, "x.recipient = $1 AND x.source = $2", &[person(viewer), person(other)])
}

/// Whether these items `x` are shown may be otherwise now.
pub(in crate::notifications) fn look_again(change: &Change, which: &str, params: &[Value]) -> Vec<Statement> {
    let Names { items, groups, .. } = &change.names;
    // Several items of one group at once are of one order, or of one recipient's change of mind: summed up first.
    let count = |step: &str| {
        format!(
            "UPDATE {groups} AS g SET shown = g.shown {step} s.n FROM (SELECT x.recipient, x.kind, x.subject, \
             CAST(sum(x.is_shown) AS BIGINT) AS n FROM {items} x WHERE {which} \
             GROUP BY x.recipient, x.kind, x.subject) s \
             WHERE g.recipient = s.recipient AND g.kind = s.kind AND g.subject = s.subject"
        )
    };
    let is_shown = shown(&change.names, ["x.recipient", "x.kind", "x.source", "x.position", "x.is_public"]);
    let look = format!("UPDATE {items} AS x SET is_shown = {is_shown} WHERE {which}");
    let their = format!("FROM (SELECT DISTINCT x.recipient, x.kind, x.subject FROM {items} x WHERE {which}) s");
    let newest =
        refresh(&change.names, &their, "g.recipient = s.recipient AND g.kind = s.kind AND g.subject = s.subject");
    [count("-"), look, count("+"), newest].map(|sql| Statement::once(sql, params.to_vec())).into()
}

/// Whether something is shown: its recipient wanted the kind where it stands in the log, hides whoever did it not, and
/// follows them if it is only for those who do. That somebody follows somebody is an item itself.
fn shown(names: &Names, [recipient, of_kind, source, position, is_public]: [&str; 5]) -> String {
    let Names { items, hidden, preferences, .. } = names;
    format!(
        "CASE WHEN EXISTS (SELECT 1 FROM {hidden} h WHERE h.viewer = {recipient} AND h.other = {source}) \
         OR coalesce((SELECT w.is_wanted FROM {preferences} w WHERE w.user_id = {recipient} AND w.kind = {of_kind} \
         AND w.position < {position} ORDER BY w.position DESC LIMIT 1), 1) = 0 \
         OR ({is_public} = 0 AND NOT EXISTS (SELECT 1 FROM {items} f WHERE f.recipient = {source} \
         AND f.kind = 'follow' AND f.subject = {source} AND f.source = {recipient})) THEN 0 ELSE 1 END"
    )
}

const fn is_public(visibility: Visibility) -> i64 {
    match visibility {
        Visibility::Public => 1,
        Visibility::Followers => 0,
    }
}
