//! Connections after the Relay specification: keyset cursors, never offsets.

use async_graphql::{Error, InputValueError, InputValueResult, Scalar, ScalarType, SimpleObject, Value};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::PositionToken;
use crate::error_code::ErrorCode;

/// The most items of one page.
pub(super) const PAGE_ITEMS_MAX: i32 = 100;

/// A place in one connection, in one sorting. Opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor(pub(super) String);

/// A place in one connection, in one sorting. Opaque; a cursor of another connection is refused.
#[Scalar(name = "Cursor")]
impl ScalarType for Cursor {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = value else { return Err(InputValueError::expected_type(value)) };
        Ok(Self(text))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

impl Cursor {
    /// A cursor of the list called `list`, at the place written as `key`.
    pub(super) fn new(list: &str, key: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(format!("{list}|{key}")))
    }

    /// The key of a cursor of the list called `list`.
    pub(super) fn key(&self, list: &str) -> Result<String, Error> {
        let text = URL_SAFE_NO_PAD.decode(&self.0).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        text.as_deref()
            .and_then(|text| text.strip_prefix(list)?.strip_prefix('|'))
            .map(ToOwned::to_owned)
            .ok_or_else(bad_cursor)
    }
}

/// The error for a cursor that is none of this list.
pub(super) fn bad_cursor() -> Error {
    ErrorCode::BadCursor.error("the cursor is not one of this connection in this order; start again without it")
}

/// Which part of a list somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// How many items, 1 to [`PAGE_ITEMS_MAX`].
    pub(super) size: usize,
    /// The last ones instead of the first.
    pub(super) from_end: bool,
}

impl Window {
    /// Exactly one of `first` and `last`, within bounds.
    pub(super) fn of(first: Option<i32>, last: Option<i32>) -> Result<Self, Error> {
        let (size, from_end) = match (first, last) {
            (Some(first), None) => (first, false),
            (None, Some(last)) => (last, true),
            (None, None) | (Some(_), Some(_)) => {
                return Err(ErrorCode::BadUserInput.error("give exactly one of `first` and `last`"));
            }
        };
        match usize::try_from(size) {
            Ok(size @ 1..) if i32::try_from(size).is_ok_and(|size| size <= PAGE_ITEMS_MAX) => {
                Ok(Self { size, from_end })
            }
            _ => Err(ErrorCode::BadUserInput.error(format!("a page has 1 to {PAGE_ITEMS_MAX} items, not {size}"))),
        }
    }

    /// How many rows to ask for: one more than wanted tells whether there are more.
    pub(super) const fn limit(self) -> usize {
        self.size + 1
    }
}

/// Where a page lies in its list.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct PageInfo {
    /// Whether there are items behind this page.
    pub(super) has_next_page: bool,
    /// Whether there are items before this page.
    pub(super) has_previous_page: bool,
    /// The cursor of the first item.
    pub(super) start_cursor: Option<Cursor>,
    /// The cursor of the last item.
    pub(super) end_cursor: Option<Cursor>,
}

/// A page: items with their cursors, in list order.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) edges: Vec<(Cursor, T)>,
    pub(super) info: PageInfo,
    /// The position of the read model it was taken from.
    pub(super) position: PositionToken,
}

impl<T> Page<T> {
    /// The page made of `rows`, which were asked for with [`Window::limit`]: in list order, or reversed if from the
    /// end. `bounds`: whether it was asked for after a cursor, and before one.
    pub(super) fn new(
        mut rows: Vec<T>,
        window: Window,
        bounds: (bool, bool),
        position: PositionToken,
        cursor: impl Fn(&T) -> Cursor,
    ) -> Self {
        let has_more = rows.len() > window.size;
        rows.truncate(window.size);
        if window.from_end {
            rows.reverse();
        }
        let (is_after, is_before) = bounds;
        let edges: Vec<(Cursor, T)> = rows.into_iter().map(|row| (cursor(&row), row)).collect();
        let info = PageInfo {
            // Whoever gave a bound came from there: something lies beyond it.
            has_next_page: if window.from_end { is_before } else { has_more },
            has_previous_page: if window.from_end { has_more } else { is_after },
            start_cursor: edges.first().map(|(cursor, _)| cursor.clone()),
            end_cursor: edges.last().map(|(cursor, _)| cursor.clone()),
        };
        Self { edges, info, position }
    }

    /// The same page, of a list that was not looked through to its end: there may be more behind this cursor.
    pub(super) fn going_on(mut self, window: Window, cursor: Option<Cursor>) -> Self {
        if let Some(cursor) = cursor {
            let info = &mut self.info;
            let (has_more, end) = if window.from_end {
                (&mut info.has_previous_page, &mut info.start_cursor)
            } else {
                (&mut info.has_next_page, &mut info.end_cursor)
            };
            *has_more = true;
            *end = Some(cursor);
        }
        self
    }
}

/// The connection and edge types of one kind of object.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty) => {
        /// A page of a list.
        #[derive(Debug)]
        pub(crate) struct $connection($crate::graphql::connection::Page<$node>);

        impl From<$crate::graphql::connection::Page<$node>> for $connection {
            fn from(page: $crate::graphql::connection::Page<$node>) -> Self {
                Self(page)
            }
        }

        /// An item and its place in the list.
        #[derive(Debug, async_graphql::SimpleObject)]
        pub(crate) struct $edge {
            /// Its place.
            cursor: $crate::graphql::connection::Cursor,
            /// The item.
            node: $node,
        }

        /// A page of a list.
        #[async_graphql::Object]
        impl $connection {
            /// The items with their places.
            async fn edges(&self) -> Vec<$edge> {
                let edges = self.0.edges.iter().cloned();
                edges.map(|(cursor, node)| $edge { cursor, node }).collect()
            }

            /// The items.
            async fn nodes(&self) -> Vec<$node> {
                self.0.edges.iter().map(|(_, node)| node.clone()).collect()
            }

            /// Where the page lies.
            async fn page_info(&self) -> &$crate::graphql::connection::PageInfo {
                &self.0.info
            }

            /// The position this page reflects. Give it as `after` to a subscription to hear of every change since.
            async fn position(&self) -> $crate::graphql::PositionToken {
                self.0.position
            }
        }
    };
}
pub(super) use connection;
