//! The table `stock_level`.

use domain::{
    Decider as _,
    stock::Stock,
    values::{Pieces, Sku, StockId, Warehouse},
};
use infrastructure::{
    event_store::{Name, Revision, StreamId},
    read_store::{ReadStoreError, Row, Value},
};
use uuid::Uuid;

use super::{NAME, StockLevel, StockLevelRow, VERSION, fold};
use crate::{Decoded, KeyedFold, Sources};

impl KeyedFold for StockLevel {
    const NAME: &'static str = NAME;
    const VERSION: u32 = VERSION;
    const EVENTS: &'static [&'static str] = &["stock."];
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("stock_id", "UUID NOT NULL"),
        ("sku", "TEXT NOT NULL"),
        ("warehouse", "TEXT NOT NULL"),
        ("on_hand", "BIGINT NOT NULL"),
        ("reserved", "BIGINT NOT NULL"),
        ("updated_at", "TIMESTAMPTZ NOT NULL"),
        ("revision", "BIGINT NOT NULL"),
    ];
    const INDEXES: &'static [&'static str] = &["sku, warehouse"];

    type Row = StockLevelRow;

    fn key(event: &Decoded) -> Option<Uuid> {
        fold::key(event)
    }

    fn sources(key: Uuid) -> Sources {
        Sources::Streams(vec![StreamId::new(Name::from(Stock::CATEGORY), key)])
    }

    fn starts(event: &Decoded) -> bool {
        fold::starts(event)
    }

    fn fold(row: Option<StockLevelRow>, event: &Decoded) -> Option<StockLevelRow> {
        fold::fold(row, event)
    }

    fn write(row: &StockLevelRow) -> Vec<Value> {
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        vec![
            Value::Uuid(row.stock.uuid()),
            Value::Text(row.sku.as_str().to_owned()),
            Value::Text(row.warehouse.as_str().to_owned()),
            number(row.on_hand.number()),
            number(row.reserved.number()),
            Value::Timestamp(row.updated_at),
            number(row.revision.value()),
        ]
    }

    fn read(row: &Row) -> Result<StockLevelRow, ReadStoreError> {
        let broken = |column, wanted| ReadStoreError::Column { column, wanted };
        let pieces =
            |column| Pieces::try_new(row.int(column)?).map_err(|_| broken(column, "a number of pieces of a stock"));
        Ok(StockLevelRow {
            stock: StockId::new(row.uuid(0)?),
            sku: Sku::parse(row.text(1)?).map_err(|_| broken(1, "a SKU"))?,
            warehouse: Warehouse::parse(row.text(2)?).map_err(|_| broken(2, "a warehouse"))?,
            on_hand: pieces(3)?,
            reserved: pieces(4)?,
            updated_at: row.timestamp(5)?,
            revision: Revision::new(u64::try_from(row.int(6)?).map_err(|_| broken(6, "a revision"))?),
        })
    }
}
