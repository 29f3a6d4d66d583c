//! Questions about products.

use async_graphql::{Context, Error, ID, InputObject, Object};
use domain::values::{ProductId, Sku};
use projections::product_catalog::{ProductFilter, ProductPage};

use super::{ProductObject, types::ProductStatus};
use crate::{
    error_code::ErrorCode,
    graphql::{
        PositionToken,
        behind::refuse_if_stale,
        call::{services, viewer},
        connection::{Cursor, Page, Window, bad_cursor, connection},
        node::local,
        read::{query_error, ready},
    },
};

/// The list these cursors belong to.
const LIST: &str = "products";

/// Which products.
#[derive(Debug, Default, InputObject)]
struct ProductWhere {
    /// Only those that can be ordered, or only those that cannot.
    status: Option<ProductStatus>,
}

connection!(ProductConnection, ProductEdge, ProductObject);

/// `product` and `products`.
#[derive(Debug, Default)]
pub(crate) struct ProductQuery;

#[Object]
impl ProductQuery {
    /// The product with this id or SKU (give one of the two); null if there is none.
    async fn product(
        &self,
        context: &Context<'_>,
        id: Option<ID>,
        sku: Option<String>,
        min_position: Option<PositionToken>,
    ) -> Result<Option<ProductObject>, Error> {
        let product = match (id, sku) {
            (Some(id), None) => local(&id),
            (None, Some(sku)) => Sku::parse(&sku).ok().map(|sku| domain::product::id_of(&sku)),
            (None, None) | (Some(_), Some(_)) => {
                return Err(ErrorCode::BadUserInput.error("give exactly one of `id` and `sku`"));
            }
        };
        match product {
            Some(product) => find(context, product, min_position).await,
            None => Ok(None),
        }
    }

    /// The catalogue by SKU: the `first` products after a cursor, or the `last` before one.
    #[graphql(complexity = "first.or(last).unwrap_or(1).clamp(1, 100) as usize * (child_complexity + 1)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments, each named in the document")]
    async fn products(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<Cursor>,
        last: Option<i32>,
        before: Option<Cursor>,
        #[graphql(name = "where")] filter: Option<ProductWhere>,
        min_position: Option<PositionToken>,
    ) -> Result<ProductConnection, Error> {
        viewer(context)?;
        let window = Window::of(first, last)?;
        let (after, before) = (sku_of(after)?, sku_of(before)?);
        let bounds = (after.is_some(), before.is_some());
        let (beyond, until) = if window.from_end { (before, after) } else { (after, before) };
        let catalog = ready(context, &services(context).read_models.product_catalog, min_position).await?;
        let position = PositionToken(catalog.position());
        let page = ProductPage {
            filter: ProductFilter { status: filter.and_then(|filter| filter.status).map(Into::into) },
            beyond,
            until,
            is_backwards: window.from_end,
            limit: window.limit(),
        };
        let rows = catalog.page(&page).await.map_err(query_error)?.into_iter().map(ProductObject).collect();
        Ok(Page::new(rows, window, bounds, position, |product: &ProductObject| {
            Cursor::new(LIST, product.0.sku.as_str())
        })
        .into())
    }
}

/// The product with this id, for everybody who is signed in.
pub(in crate::graphql) async fn find(
    context: &Context<'_>,
    product: ProductId,
    min_position: Option<PositionToken>,
) -> Result<Option<ProductObject>, Error> {
    viewer(context)?;
    let catalog = ready(context, &services(context).read_models.product_catalog, min_position).await?;
    // Asked for first: what is released meanwhile shows in the row.
    let behind = catalog.behind(product.uuid());
    let row = catalog.row(product.uuid()).await.map_err(query_error)?;
    refuse_if_stale(behind.as_ref(), row.is_some(), min_position)?;
    Ok(row.map(ProductObject))
}

fn sku_of(cursor: Option<Cursor>) -> Result<Option<Sku>, Error> {
    let Some(cursor) = cursor else { return Ok(None) };
    Sku::parse(&cursor.key(LIST)?).map(Some).map_err(|_| bad_cursor())
}
