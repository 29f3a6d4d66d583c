//! The table `product_catalog`.

use domain::values::{Currency, Label, Money, ProductId, Sku};
use infrastructure::{
    event_store::{Revision, StreamId},
    read_store::{ReadStoreError, Row, Value},
};
use uuid::Uuid;

use super::{NAME, ProductCatalog, ProductRow, ProductStatus, VERSION, fold};
use crate::{Decoded, KeyedFold, Sources};

impl KeyedFold for ProductCatalog {
    const NAME: &'static str = NAME;
    const VERSION: u32 = VERSION;
    const EVENTS: &'static [&'static str] = &["product."];
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("product_id", "UUID NOT NULL"),
        ("sku", "TEXT NOT NULL"),
        ("name", "TEXT NOT NULL"),
        ("price_minor", "BIGINT NOT NULL"),
        ("currency", "TEXT NOT NULL"),
        ("status", "TEXT NOT NULL"),
        ("is_stocked", "BIGINT NOT NULL"),
        ("registered_at", "TIMESTAMPTZ NOT NULL"),
        ("updated_at", "TIMESTAMPTZ NOT NULL"),
        ("revision", "BIGINT NOT NULL"),
    ];
    const INDEXES: &'static [&'static str] = &["sku", "status, sku"];

    type Row = ProductRow;

    fn key(event: &Decoded) -> Option<Uuid> {
        fold::key(event)
    }

    fn sources(key: Uuid) -> Sources {
        Sources::Streams(vec![StreamId::new("product", key)])
    }

    fn starts(event: &Decoded) -> bool {
        fold::starts(event)
    }

    fn fold(row: Option<ProductRow>, event: &Decoded) -> Option<ProductRow> {
        fold::fold(row, event)
    }

    fn write(row: &ProductRow) -> Vec<Value> {
        vec![
            Value::Uuid(row.product.uuid()),
            Value::Text(row.sku.as_str().to_owned()),
            Value::Text(row.name.as_str().to_owned()),
            Value::Int(row.price.minor()),
            Value::Text(row.price.currency().code().to_owned()),
            Value::Text(row.status.as_str().to_owned()),
            Value::Int(row.is_stocked.into()),
            Value::Timestamp(row.registered_at),
            Value::Timestamp(row.updated_at),
            Value::Int(i64::try_from(row.revision.value()).unwrap_or(i64::MAX)),
        ]
    }

    fn read(row: &Row) -> Result<ProductRow, ReadStoreError> {
        let broken = |column, wanted| ReadStoreError::Column { column, wanted };
        let currency = Currency::from_code(row.text(4)?).ok_or(broken(4, "a currency"))?;
        Ok(ProductRow {
            product: ProductId::new(row.uuid(0)?),
            sku: Sku::parse(row.text(1)?).map_err(|_| broken(1, "a SKU"))?,
            name: Label::parse(row.text(2)?).map_err(|_| broken(2, "a label"))?,
            price: Money::try_new(row.int(3)?, currency).map_err(|_| broken(3, "an amount"))?,
            status: ProductStatus::parse(row.text(5)?).ok_or(broken(5, "a product's status"))?,
            is_stocked: row.int(6)? != 0,
            registered_at: row.timestamp(7)?,
            updated_at: row.timestamp(8)?,
            revision: Revision::new(u64::try_from(row.int(9)?).map_err(|_| broken(9, "a revision"))?),
        })
    }

    /// Version 1 knew no stock.
    fn stand_in(column: &str) -> Option<&'static str> {
        (column == "is_stocked").then_some("CAST(0 AS BIGINT)")
    }
}
