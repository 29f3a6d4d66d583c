//! The way through the server without any work behind it: for probes, and as the floor that benchmarks measure against.

use async_graphql::{Context, Error, InputObject, Object, SimpleObject};

use super::call::viewer;

/// What to send back.
#[derive(Debug, InputObject)]
struct PingInput {
    /// Any text.
    message: String,
}

/// What came back.
#[derive(Debug, SimpleObject)]
struct PingPayload {
    /// The text.
    message: String,
}

/// The question that asks nothing.
#[derive(Debug, Default)]
pub(super) struct PingQuery;

#[Object]
impl PingQuery {
    /// Gives the text back. Reads nothing.
    #[expect(clippy::unused_async, reason = "async-graphql asks for it")]
    async fn ping(&self, context: &Context<'_>, message: String) -> Result<String, Error> {
        viewer(context)?;
        Ok(message)
    }
}

/// The command that does nothing.
#[derive(Debug, Default)]
pub(super) struct PingMutation;

#[Object]
impl PingMutation {
    /// Gives the text back. Changes nothing.
    #[expect(clippy::unused_async, reason = "async-graphql asks for it")]
    async fn ping(&self, context: &Context<'_>, input: PingInput) -> Result<PingPayload, Error> {
        viewer(context)?;
        Ok(PingPayload { message: input.message })
    }
}
