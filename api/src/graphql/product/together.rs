//! Products that are looked up together.

use async_graphql::{Context, Error};
use domain::values::ProductId;
use projections::{
    ReadModels, Served,
    product_catalog::{ProductCatalog, ProductRow},
};
use uuid::Uuid;

use super::ProductObject;
use crate::graphql::together::{Named, Together};

impl Named for ProductCatalog {
    fn among(models: &ReadModels) -> &Served<Self> {
        &models.product_catalog
    }

    fn key_of(row: &ProductRow) -> Uuid {
        row.product.uuid()
    }
}

/// Products of one answer, looked up at most once.
#[derive(Debug)]
pub(in crate::graphql) struct ProductsTogether(Together<ProductCatalog>);

impl ProductsTogether {
    pub(in crate::graphql) fn new(wanted: impl IntoIterator<Item = ProductId>) -> Self {
        Self(Together::new(wanted.into_iter().map(ProductId::uuid)))
    }

    /// One of them, for everybody who is signed in; none if the catalogue does not show it.
    pub(in crate::graphql) async fn get(
        &self,
        context: &Context<'_>,
        product: ProductId,
    ) -> Result<Option<ProductObject>, Error> {
        Ok(self.0.get(context, product.uuid()).await?.cloned().map(ProductObject))
    }
}
