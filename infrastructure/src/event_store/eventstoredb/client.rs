//! A client: the node that it has found, and the connection to it.
//!
//! It looks for a node once and stays with it: a connection that is over is made anew to the same node. When to look for
//! another node is decided in supervise.rs, which then takes another client.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};

use super::{address::Node, failure::Failure, link::Link, settings::Settings};

/// A client. It finds and connects when it is first asked for a connection.
#[derive(Clone, Debug)]
pub(super) struct Client {
    settings: Arc<Settings>,
    place: Arc<Mutex<Place>>,
}

/// Where it is.
#[derive(Debug)]
struct Place {
    node: Option<Node>,
    link: Option<Link>,
}

impl Client {
    /// A client that goes to `node`, or looks for one.
    pub(super) fn new(settings: Arc<Settings>, node: Option<Node>) -> Self {
        Self { settings, place: Arc::new(Mutex::new(Place { node, link: None })) }
    }

    /// The connection to its node. Nothing was sent when this fails. One search and one connection at a time: whoever
    /// comes meanwhile gets what comes of it, or tries next.
    pub(super) async fn link(&self) -> Result<Link, Failure> {
        let mut place = self.place.lock().await;
        if let Some(link) = place.link.as_ref().filter(|link| link.is_open()) {
            return Ok(link.clone());
        }
        let node = match &place.node {
            Some(node) => node.clone(),
            None => self.find().await?,
        };
        let link = Link::connect(&node, &self.settings).await?;
        *place = Place { node: Some(node), link: Some(link.clone()) };
        Ok(link)
    }

    /// The node to use: the leader of a cluster, or the only one there is.
    async fn find(&self) -> Result<Node, Failure> {
        let Settings { seeds, is_cluster, search, .. } = &*self.settings;
        if !is_cluster {
            return Ok(seeds[0].clone());
        }
        let mut why = "no node knows a leader".to_owned();
        for attempt in 0..search.attempts {
            if attempt > 0 {
                sleep(search.pause).await;
            }
            // All at once: one that is dead must not keep the others waiting.
            let mut answers: FuturesUnordered<_> =
                seeds.iter().map(|seed| timeout(search.timeout, self.ask(seed))).collect();
            while let Some(answer) = answers.next().await {
                match answer {
                    Ok(Ok(Some(leader))) => {
                        tracing::debug!(node = %leader, "the event store's leader is {leader}");
                        return Ok(leader);
                    }
                    Ok(Ok(None)) => {}
                    Ok(Err(failure)) => why = failure.to_string(),
                    Err(_) => why = Failure::TimedOut.to_string(),
                }
            }
        }
        Err(Failure::Unreachable(format!("no leader was found in {} attempts: {why}", search.attempts)))
    }

    async fn ask(&self, seed: &Node) -> Result<Option<Node>, Failure> {
        Link::connect(seed, &self.settings).await?.leader().await
    }
}
