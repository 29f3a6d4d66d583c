//! Questions to the catalogue.

use domain::values::Sku;
use infrastructure::read_store::{Cost, Query, Value};

use super::{ProductCatalog, ProductRow, ProductStatus};
use crate::{QueryError, Served};

/// Which products.
#[derive(Clone, Debug, Default)]
pub struct ProductFilter {
    /// Only those of this status.
    pub status: Option<ProductStatus>,
}

/// A part of the catalogue, by SKU.
#[derive(Clone, Debug)]
pub struct ProductPage {
    /// Which products.
    pub filter: ProductFilter,
    /// Only those after this SKU in reading order, or before it if `is_backwards`.
    pub beyond: Option<Sku>,
    /// Only those before this SKU in reading order, or after it if `is_backwards`.
    pub until: Option<Sku>,
    /// From the end, in falling order.
    pub is_backwards: bool,
    /// How many at most.
    pub limit: usize,
}

impl Served<ProductCatalog> {
    /// The products of a page, in the order asked for.
    pub async fn page(&self, page: &ProductPage) -> Result<Vec<ProductRow>, QueryError> {
        self.select(|columns, table| {
            let (after, before, order) = if page.is_backwards { ("<", ">", "DESC") } else { (">", "<", "ASC") };
            let mut params = Vec::new();
            let mut conditions = vec!["1 = 1".to_owned()];
            let mut condition = |text: &str, value: Value| {
                params.push(value);
                conditions.push(format!("{text} ${}", params.len()));
            };
            if let Some(status) = page.filter.status {
                condition("status =", Value::Text(status.as_str().to_owned()));
            }
            if let Some(sku) = &page.beyond {
                condition(&format!("sku {after}"), Value::Text(sku.as_str().to_owned()));
            }
            if let Some(sku) = &page.until {
                condition(&format!("sku {before}"), Value::Text(sku.as_str().to_owned()));
            }
            let sql = format!(
                "SELECT {columns} FROM {table} WHERE {} ORDER BY sku {order} LIMIT {}",
                conditions.join(" AND "),
                page.limit
            );
            Query { sql: sql.into(), params, cost: Cost::Scan }
        })
        .await
    }
}
