//! What the caller and somebody else are to each other, as the caller sees it.

use async_graphql::Object;
use domain::{follow::PairState, values::UserId};
use projections::profile_directory::ProfileRow;

use crate::graphql::profile::ProfileObject;

/// What the caller and somebody else are to each other.
#[derive(Clone, Debug)]
pub(in crate::graphql) struct UserRelation {
    viewer: UserId,
    other: UserId,
    pair: PairState,
    profile: Option<ProfileObject>,
}

impl UserRelation {
    /// What `viewer` is told.
    pub(super) fn of(viewer: UserId, other: UserId, pair: PairState, profile: Option<ProfileRow>) -> Self {
        Self { viewer, other, pair, profile: profile.map(ProfileObject::of) }
    }
}

/// What the caller and somebody else are to each other.
#[Object]
impl UserRelation {
    /// The other person; null if nobody has this profile.
    async fn profile(&self) -> Option<&ProfileObject> {
        self.profile.as_ref()
    }

    /// Whether the caller follows them.
    async fn is_following(&self) -> bool {
        self.pair.follows(self.viewer, self.other)
    }

    /// Whether they follow the caller.
    async fn is_followed_by(&self) -> bool {
        self.pair.follows(self.other, self.viewer)
    }

    /// Whether the caller blocks them.
    async fn is_blocking(&self) -> bool {
        self.pair.blocks(self.viewer, self.other)
    }

    /// Whether the caller mutes them, which they do not know.
    async fn is_muting(&self) -> bool {
        self.pair.mutes(self.viewer, self.other)
    }
}
