//! Five authors and everybody who follows them.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use chrono::SecondsFormat;
use domain::{
    follow,
    values::{CustomerId, UserId},
};
use infrastructure::clock::{Clock as _, SystemClock};
use tempfile::TempDir;
use tests::{
    events_db,
    log::{key_of, position_of},
    server::{POLL_INTERVAL, Server, Start, temp_dir},
    social::Person,
};
use uuid::Uuid;

use super::evidence::{self, Posted};

pub(super) const AUTHORS: usize = 5;
/// Followers of each: as many as an author may have whose posts are written into feeds (`SocialGraph`'s `LARGE`).
pub(super) const FANS: usize = 20_000;
/// How long the read model may take to follow. Everybody who follows somebody is an event.
const FOLLOW_TIME_MAX: Duration = Duration::from_secs(240);

/// A data directory, and who is known there.
#[derive(Debug)]
pub(super) struct Crowd {
    folder: TempDir,
    /// Clients; their address is that of the server that was there when they signed in.
    pub(super) authors: Vec<Person>,
    /// The authors as events name them.
    pub(super) users: Vec<Uuid>,
    /// Everybody follows somebody up to here.
    pub(super) gathered: u64,
    /// Who made the first author too large for entries, and where.
    pub(super) latecomer: Option<Person>,
    outgrown: Option<u64>,
}

/// A follower as they sign in.
pub(super) fn name(author: usize, fan: usize) -> String {
    format!("fan-{author}-{fan}")
}

/// Whoever signs in under this name, as events name them.
pub(super) fn user(name: &str) -> Uuid {
    CustomerId::named(name).uuid()
}

impl Crowd {
    /// Brings them together: the authors as everybody comes, the others straight into the log, since there are so many.
    pub(super) async fn gather() -> Self {
        let folder = temp_dir();
        let server = Server::start_in(folder.path(), Start::default()).await;
        let mut authors = Vec::new();
        for number in 0..AUTHORS {
            authors.push(Person::join(&server, &format!("author_{number}")).await);
        }
        server.stop().await;
        let users: Vec<Uuid> = authors.iter().map(|author| key_of("user", &author.id)).collect();
        let at = SystemClock.now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let pairs =
            (0..FANS).flat_map(|fan| users.iter().enumerate().map(move |(author, whom)| (name(author, fan), whom)));
        let follows = pairs.map(|(name, whom)| {
            let by = user(&name);
            let pair = follow::id_of(UserId::new(by), UserId::new(*whom)).uuid();
            (pair, format!(r#"{{"by":"{by}","whom":"{whom}","at":"{at}"}}"#))
        });
        let gathered = events_db::write(&folder.path().join("events.db"), |events| {
            events.append_new("follow", "follow.followed.v1", follows)
        });
        let crowd = Self { folder, authors, users, gathered, latecomer: None, outgrown: None };
        let server = Server::start_in(crowd.path(), Start::default()).await;
        crowd.applied(gathered).await;
        server.stop().await;
        crowd
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until the events up to here are in the feeds.
    pub(super) async fn applied(&self, position: u64) {
        let began = Instant::now();
        while evidence::checkpoint(self.path()) < position {
            assert!(began.elapsed() < FOLLOW_TIME_MAX, "it does not get to {position}");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// One more follows the first author: what they post from now on is written into nobody's feed.
    pub(super) async fn outgrow(&mut self, server: &Server) {
        let late = Person::join(server, "latecomer").await;
        let followed = late.to("userFollow", &self.authors[0].id).await;
        let position = followed.done("userFollow")["position"].as_str().expect("a position").to_owned();
        self.outgrown = Some(position_of(&position));
        self.latecomer = Some(late);
    }

    /// How many entries a post has once it is applied.
    pub(super) fn entries_of(&self, post: &Posted) -> u64 {
        let is_looked_up = post.author == self.users[0] && self.outgrown.is_some_and(|since| post.position > since);
        if is_looked_up { 0 } else { FANS as u64 }
    }
}
