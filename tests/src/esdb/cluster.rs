//! The members of a cluster: who is there, who is alive, who leads. A single node is a cluster of one.

use std::{
    net::SocketAddr,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use uuid::Uuid;

/// A member of the cluster.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: Uuid,
    pub(super) address: SocketAddr,
    pub(super) is_alive: AtomicBool,
}

/// What a member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It takes the writes.
    Leader,
    /// It follows the leader.
    Follower,
    /// There is no leader now.
    Searching,
    /// It is not running.
    Dead,
}

/// The members and their leader.
#[derive(Debug)]
pub(super) struct Members {
    list: Vec<Member>,
    leader: RwLock<Option<usize>>,
}

impl Members {
    /// These members, the first of which leads.
    pub(super) fn new(members: impl IntoIterator<Item = (Uuid, SocketAddr)>) -> Self {
        let list = members.into_iter().map(|(id, address)| Member { id, address, is_alive: AtomicBool::new(true) });
        Self { list: list.collect(), leader: RwLock::new(Some(0)) }
    }

    pub(super) fn list(&self) -> &[Member] {
        &self.list
    }

    /// Whose turn it is.
    pub(super) fn leader(&self) -> Option<usize> {
        *self.leader.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the lead to another member, or to none.
    pub(super) fn set_leader(&self, leader: Option<usize>) {
        *self.leader.write().unwrap_or_else(PoisonError::into_inner) = leader;
    }

    pub(super) fn set_alive(&self, index: usize, is_alive: bool) {
        self.list[index].is_alive.store(is_alive, Ordering::Release);
    }

    /// What the member of this index does now.
    pub(super) fn role(&self, index: usize) -> Role {
        match self.leader() {
            _ if !self.list[index].is_alive.load(Ordering::Acquire) => Role::Dead,
            None => Role::Searching,
            Some(leader) if leader == index => Role::Leader,
            Some(_) => Role::Follower,
        }
    }
}
