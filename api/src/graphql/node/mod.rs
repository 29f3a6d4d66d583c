//! Global object identification after the Relay specification: opaque, typed ids; `node` and `nodes`.

use async_graphql::{Context, Error, ID, Interface, Object};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::values::{Id, IdKind, OrderId, PostId, ProductId, StockId, UserId};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;

use super::{
    PositionToken,
    connection::PAGE_ITEMS_MAX,
    operator::{self, ActionKind, OperatorActionObject},
    order::{self, OrderObject},
    post::{self, PostObject},
    product::{self, ProductObject},
    profile::{self, ProfileObject},
    stock::{self, StockLevelObject},
};
use crate::error_code::ErrorCode;

/// Objects of one question that are looked up at the same time: one caller does not take all connections of the read store.
const LOOKS_AT_ONCE: usize = 8;

/// An object with a global id.
#[derive(Clone, Debug, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The global id, opaque."))]
pub(super) enum Node {
    /// An order.
    Order(OrderObject),
    /// What somebody said, or passed on.
    Post(PostObject),
    /// A product.
    Product(ProductObject),
    /// Somebody, as others see them.
    Profile(ProfileObject),
    /// The pieces of a SKU in one warehouse.
    StockLevel(StockLevelObject),
    /// What an operator did.
    OperatorAction(OperatorActionObject),
}

/// The global form of an id: base64url of kind and UUID.
pub(crate) fn global<K: IdKind>(id: Id<K>) -> ID {
    ID(URL_SAFE_NO_PAD.encode(format!("{}:{id}", K::NAME)))
}

/// The id of this kind in its global form. None for anything else: such an object does not exist.
pub(super) fn local<K: IdKind>(id: &ID) -> Option<Id<K>> {
    let (kind, uuid) = parse(id)?;
    (kind == K::NAME).then_some(Id::new(uuid))
}

/// The same, for the target of a mutation: an id of another kind is a mistake worth a word.
pub(super) fn target<K: IdKind>(id: &ID) -> Result<Id<K>, Error> {
    local(id).ok_or_else(|| ErrorCode::BadUserInput.error(format!("`id` is not the id of a kind of {}", K::NAME)))
}

fn parse(id: &ID) -> Option<(String, Uuid)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(id.as_str()).ok()?).ok()?;
    let (kind, uuid) = text.split_once(':')?;
    Some((kind.to_owned(), Uuid::parse_str(uuid).ok()?))
}

/// `node` and `nodes`.
#[derive(Debug, Default)]
pub(super) struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The object with this id; null if it does not exist or is not yours to see.
    async fn node(
        &self,
        context: &Context<'_>,
        id: ID,
        min_position: Option<PositionToken>,
    ) -> Result<Option<Node>, Error> {
        find(context, &id, min_position).await
    }

    /// The objects with these ids, at most 100, in their order; null for what does not exist or is not yours to see.
    #[graphql(complexity = "ids.len() * (child_complexity + 1)")]
    async fn nodes(
        &self,
        context: &Context<'_>,
        ids: Vec<ID>,
        min_position: Option<PositionToken>,
    ) -> Result<Vec<Option<Node>>, Error> {
        if i32::try_from(ids.len()).map_or(true, |count| count > PAGE_ITEMS_MAX) {
            return Err(ErrorCode::BadUserInput.error(format!("at most {PAGE_ITEMS_MAX} ids at once")));
        }
        let looks: Vec<_> = ids.iter().map(|id| find(context, id, min_position)).collect();
        stream::iter(looks).buffered(LOOKS_AT_ONCE).try_collect().await
    }
}

async fn find(context: &Context<'_>, id: &ID, min_position: Option<PositionToken>) -> Result<Option<Node>, Error> {
    let Some((kind, uuid)) = parse(id) else { return Ok(None) };
    if kind == <domain::values::OrderKind as IdKind>::NAME {
        return Ok(order::find(context, OrderId::new(uuid), min_position).await?.map(Node::Order));
    }
    if kind == <domain::values::ProductKind as IdKind>::NAME {
        return Ok(product::find(context, ProductId::new(uuid), min_position).await?.map(Node::Product));
    }
    if kind == <domain::values::PostKind as IdKind>::NAME {
        return Ok(post::find(context, PostId::new(uuid), min_position).await?.map(Node::Post));
    }
    if kind == <domain::values::UserKind as IdKind>::NAME {
        return Ok(profile::find(context, UserId::new(uuid), min_position).await?.map(Node::Profile));
    }
    if kind == <domain::values::StockKind as IdKind>::NAME {
        return Ok(stock::find(context, StockId::new(uuid), min_position).await?.map(Node::StockLevel));
    }
    if kind == <ActionKind as IdKind>::NAME {
        return Ok(operator::find(context, Id::new(uuid)).await?.map(Node::OperatorAction));
    }
    Ok(None)
}
