//! How posts are received and what people are to the caller, asked once for all of an answer's page.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Error};
use domain::values::{PostId, UserId};
use projections::social_graph::{PersonCounts, PostFacts, Regards};
use tokio::sync::OnceCell;

use crate::graphql::{
    call::{services, viewer},
    read::{asked, query_error, ready_tables},
};

/// The people of one answer; asked of at most once for each question.
#[derive(Debug, Default)]
pub(in crate::graphql) struct PeopleTogether {
    people: Vec<UserId>,
    counts: OnceCell<Result<HashMap<UserId, PersonCounts>, Error>>,
    regards: OnceCell<Result<HashMap<UserId, Regards>, Error>>,
}

impl PeopleTogether {
    pub(in crate::graphql) fn new(people: Vec<UserId>) -> Arc<Self> {
        Arc::new(Self { people, ..Self::default() })
    }

    /// Somebody's numbers.
    pub(in crate::graphql) async fn counts(&self, context: &Context<'_>, of: UserId) -> Result<PersonCounts, Error> {
        let ask = async {
            let graph = ready_tables(context, &services(context).read_models.social_graph, asked(context)).await?;
            graph.counts(&self.people).await.map_err(query_error)
        };
        let counts = self.counts.get_or_init(|| ask).await.as_ref().map_err(Error::clone)?;
        Ok(counts.get(&of).copied().unwrap_or_default())
    }

    /// What the caller and somebody are to each other.
    pub(in crate::graphql) async fn regards(&self, context: &Context<'_>, other: UserId) -> Result<Regards, Error> {
        let ask = async {
            let viewer = viewer(context)?.user();
            let graph = ready_tables(context, &services(context).read_models.social_graph, asked(context)).await?;
            graph.regards(viewer, &self.people).await.map_err(query_error)
        };
        let regards = self.regards.get_or_init(|| ask).await.as_ref().map_err(Error::clone)?;
        Ok(regards.get(&other).copied().unwrap_or_default())
    }
}

/// The posts of one answer; asked of at most once.
#[derive(Debug, Default)]
pub(in crate::graphql) struct FactsTogether {
    posts: Vec<PostId>,
    facts: OnceCell<Result<HashMap<PostId, PostFacts>, Error>>,
}

impl FactsTogether {
    pub(in crate::graphql) fn new(posts: Vec<PostId>) -> Self {
        Self { posts, ..Self::default() }
    }

    /// How a post is received; nothing if the read model does not know it yet.
    pub(in crate::graphql) async fn fact(&self, context: &Context<'_>, of: PostId) -> Result<Option<PostFacts>, Error> {
        let ask = async {
            let viewer = viewer(context)?.user();
            let graph = ready_tables(context, &services(context).read_models.social_graph, asked(context)).await?;
            graph.facts(viewer, &self.posts).await.map_err(query_error)
        };
        let facts = self.facts.get_or_init(|| ask).await.as_ref().map_err(Error::clone)?;
        Ok(facts.get(&of).copied())
    }
}
