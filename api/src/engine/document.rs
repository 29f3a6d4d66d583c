//! Prepares documents and executes them: guard, parse once, choose the operation, run it.
//!
//! Documents are kept parsed, keyed by their text; a kept document has passed the guard. Validation against the
//! schema is async-graphql's and happens at each execution, because it depends on the variables.

use std::{fmt, panic::AssertUnwindSafe, sync::Arc};

use async_graphql::{
    Executor, Name, Request, Response, ServerError, Variables,
    parser::types::{ExecutableDocument, OperationDefinition, OperationType, Selection},
};
use futures_util::FutureExt as _;
use infrastructure::lifecycle::Lifecycle;
use quick_cache::{Weighter, sync::Cache};
use sha2::{Digest as _, Sha256};
use tracing::Instrument as _;

use super::{
    cohort::Cohorts,
    context::CallContext,
    errors,
    guard::{self, GuardLimits},
    request::{GraphQlRequest, RequestError},
};
use crate::graphql::ReadPosition;

/// What the engine allows and keeps.
#[derive(Clone, Copy, Debug)]
pub struct EngineLimits {
    /// What a document may hold.
    pub guard: GuardLimits,
    /// Memory for parsed documents, estimated from their text.
    pub cache_bytes_max: u64,
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self { guard: GuardLimits::default(), cache_bytes_max: 16 * 1024 * 1024 }
    }
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// Reads.
    Query,
    /// Writes; it runs to its end, whether its client stays or leaves.
    Mutation,
    /// Delivers until it ends.
    Subscription,
}

impl OperationKind {
    /// As GraphQL spells it.
    const fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Subscription => "subscription",
        }
    }
}

/// Executes documents against a schema. Cheap to clone.
pub struct Engine<S>(Arc<Inner<S>>);

struct Inner<S> {
    schema: S,
    /// Answers questions about the schema itself, see [`Engine::with_introspection`].
    introspection: Option<S>,
    limits: EngineLimits,
    lifecycle: Lifecycle,
    documents: Cache<Box<str>, Arc<Document>, DocumentWeight>,
    cohorts: Cohorts,
}

impl<S> fmt::Debug for Engine<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Engine").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

impl<S> Clone for Engine<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A document that passed the guard and the parser.
#[derive(Debug)]
struct Document {
    parsed: ExecutableDocument,
    hash: [u8; 32],
}

/// An operation that is ready to run: of a guarded, parsed document, with its variables.
#[derive(Clone, Debug)]
pub struct Prepared {
    document: Arc<Document>,
    kind: OperationKind,
    /// As the request names it; the operation may have a name all the same.
    operation_name: Option<String>,
    variables: Variables,
}

impl Prepared {
    /// What the operation does.
    pub fn kind(&self) -> OperationKind {
        self.kind
    }

    /// The operation the request names, if it names one.
    pub fn operation_name(&self) -> Option<&str> {
        self.operation_name.as_deref()
    }

    /// SHA-256 of the document's text: equal for equal documents only.
    pub fn document_hash(&self) -> [u8; 32] {
        self.document.hash
    }

    /// The values of the variables.
    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    /// The values of the variables as JSON with sorted keys, so that equal values are equal texts.
    pub fn variables_json(&self) -> String {
        let sorted = serde_json::to_value(&self.variables).expect("variables came from JSON and go back to it");
        sorted.to_string()
    }

    /// The same, without one variable.
    pub(super) fn variables_json_without(&self, name: Option<&str>) -> String {
        let mut sorted = serde_json::to_value(&self.variables).expect("variables came from JSON and go back to it");
        if let (Some(variables), Some(name)) = (sorted.as_object_mut(), name) {
            variables.remove(name);
        }
        sorted.to_string()
    }

    /// The variable that gives the root field's argument `after`. In a subscription nothing else is of its type, so
    /// subscriptions that differ in it alone deliver the same from then on.
    pub(super) fn after_variable(&self) -> Option<String> {
        let operation = operation(&self.document.parsed, self.operation_name()).ok()?;
        let Selection::Field(field) = &operation.selection_set.node.items.first()?.node else { return None };
        // The parser's type of values cannot be named here; a variable is the only one that is written so.
        let after = field.node.get_argument("after")?.node.to_string();
        after.strip_prefix('$').map(ToOwned::to_owned)
    }

    /// The fields at the top of the operation, by their names in the schema; what fragments add is not among them.
    pub fn root_fields(&self) -> impl Iterator<Item = &str> {
        let operation = operation(&self.document.parsed, self.operation_name()).ok();
        operation.into_iter().flat_map(|operation| &operation.selection_set.node.items).filter_map(|selection| {
            match &selection.node {
                Selection::Field(field) => Some(field.node.name.node.as_str()),
                Selection::FragmentSpread(_) | Selection::InlineFragment(_) => None,
            }
        })
    }

    /// Whether the operation asks for the schema and for nothing else.
    fn asks_for_the_schema(&self) -> bool {
        let Ok(operation) = operation(&self.document.parsed, self.operation_name()) else { return false };
        let is_about_schema = |selection: &Selection| match selection {
            Selection::Field(field) => matches!(field.node.name.node.as_str(), "__schema" | "__type" | "__typename"),
            Selection::FragmentSpread(_) | Selection::InlineFragment(_) => false,
        };
        self.kind == OperationKind::Query
            && operation.selection_set.node.items.iter().all(|item| is_about_schema(&item.node))
    }

    /// A request that executes this operation. Without a caller: see [`CallContext::attach`].
    pub fn to_request(&self) -> Request {
        self.clone().into_request()
    }

    fn into_request(self) -> Request {
        // The text stays empty: the document is parsed, and nothing else reads it.
        let mut request = Request::new(String::new()).variables(self.variables);
        request.operation_name = self.operation_name;
        request.set_parsed_query(self.document.parsed.clone());
        request
    }
}

impl<S: Executor> Engine<S> {
    /// An engine for this schema. Mutations run as tasks of `lifecycle`, which waits for them.
    pub fn new(schema: S, limits: EngineLimits, lifecycle: Lifecycle) -> Self {
        // Used by quick_cache to size its index; the weight is what bounds the cache.
        let documents_expected = 256;
        let documents = Cache::with_weighter(documents_expected, limits.cache_bytes_max, DocumentWeight);
        Self(Arc::new(Inner { schema, introspection: None, limits, lifecycle, documents, cohorts: Cohorts::default() }))
    }

    /// The same engine, with another schema for questions about the schema alone. Tools ask them in documents that are
    /// deeper and larger than any that fetches data should be, and answering them reads nothing.
    #[must_use]
    pub fn with_introspection(self, introspection: S) -> Self {
        let inner = Arc::into_inner(self.0).expect("a new engine has one owner");
        Self(Arc::new(Inner { introspection: Some(introspection), ..inner }))
    }

    /// The schema that answers this operation.
    fn schema_for(&self, prepared: &Prepared) -> &S {
        match &self.0.introspection {
            Some(introspection) if prepared.asks_for_the_schema() => introspection,
            Some(_) | None => &self.0.schema,
        }
    }

    pub(super) fn schema(&self) -> &S {
        &self.0.schema
    }

    pub(super) fn lifecycle(&self) -> &Lifecycle {
        &self.0.lifecycle
    }

    pub(super) fn cohorts(&self) -> &Cohorts {
        &self.0.cohorts
    }

    /// How many executions serve all live subscriptions: one for each set of equal ones.
    pub fn live_executions(&self) -> usize {
        self.0.cohorts.count()
    }

    /// Guards and parses the document, unless it is known, and chooses the operation.
    pub fn prepare(&self, request: GraphQlRequest) -> Result<Prepared, RequestError> {
        guard::check_variables(&request.variables, &self.0.limits.guard)?;
        let document = self.document(&request.query)?;
        let operation = operation(&document.parsed, request.operation_name.as_deref())?;
        let kind = match operation.ty {
            OperationType::Query => OperationKind::Query,
            OperationType::Mutation => OperationKind::Mutation,
            OperationType::Subscription => {
                check_subscription(operation)?;
                OperationKind::Subscription
            }
        };
        check_variables_present(operation, &request.variables)?;
        let variables = Variables::from_json(serde_json::Value::Object(request.variables));
        Ok(Prepared { document, kind, operation_name: request.operation_name, variables })
    }

    /// Runs a query or a mutation. A subscription is answered with an error: see `Engine::subscribe`.
    ///
    /// A mutation goes on when the returned future is dropped. A panic becomes an `INTERNAL` error.
    pub async fn execute(&self, prepared: Prepared, context: CallContext) -> Response {
        let span = tracing::debug_span!(
            "graphql.execute",
            graphql.operation.type = prepared.kind.name(),
            graphql.operation.name = prepared.operation_name,
        );
        self.run(prepared, context).instrument(span).await
    }

    async fn run(&self, prepared: Prepared, context: CallContext) -> Response {
        let request_id = context.request_id.clone();
        let kind = prepared.kind;
        let schema = self.schema_for(&prepared);
        let reflected = Arc::new(ReadPosition::default());
        let request = context.attach(prepared.into_request()).data(Arc::clone(&reflected));
        let result = match kind {
            OperationKind::Query | OperationKind::Subscription => {
                // The schema is shared and immutable; what a panic leaves half done dies with the request.
                AssertUnwindSafe(schema.execute(request)).catch_unwind().await.ok()
            }
            OperationKind::Mutation => {
                let schema = schema.clone();
                let task = async move { schema.execute(request).await }.in_current_span();
                self.0.lifecycle.spawn(task).await.ok()
            }
        };
        let mut response = result.unwrap_or_else(|| errors::panicked(&request_id));
        errors::finish(&mut response, &request_id);
        if let Some(position) = reflected.get() {
            response.extensions.insert("position".to_owned(), position.to_string().into());
        }
        response
    }

    /// Whether a subscription fits the schema, told before it delivers anything. Nothing is resolved.
    pub async fn validate_subscription(&self, prepared: &Prepared, context: &CallContext) -> Result<(), RequestError> {
        // Executed where only queries and mutations are, a valid subscription has exactly one thing wrong with it.
        const VALID_BUT_NOT_HERE: &str = "Subscriptions are not supported on this transport.";
        let mut response = self.0.schema.execute(prepared.to_request()).await;
        if response.errors.iter().all(|error| error.message == VALID_BUT_NOT_HERE) {
            return Ok(());
        }
        errors::finish(&mut response, &context.request_id);
        Err(RequestError::Invalid(response.errors))
    }

    fn document(&self, text: &str) -> Result<Arc<Document>, RequestError> {
        if let Some(known) = self.0.documents.get(text) {
            return Ok(known);
        }
        guard::check(text, &self.0.limits.guard)?;
        let parsed = async_graphql::parser::parse_query(text)?;
        let document = Arc::new(Document { parsed, hash: Sha256::digest(text).into() });
        self.0.documents.insert(text.into(), Arc::clone(&document));
        Ok(document)
    }
}

/// The operation a request means.
fn operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, RequestError> {
    let mut operations = document.operations.iter();
    match name {
        Some(name) => operations
            .find(|(known, _)| known.is_some_and(|known| known == name))
            .map(|(_, operation)| &operation.node)
            .ok_or_else(|| RequestError::invalid(format!("the document has no operation \"{name}\""), None)),
        None if operations.len() > 1 => {
            Err(RequestError::invalid("the document has several operations, \"operationName\" must choose one", None))
        }
        None => operations
            .next()
            .map(|(_, operation)| &operation.node)
            .ok_or_else(|| RequestError::invalid("the document has no operation", None)),
    }
}

/// What the specification asks of subscriptions and async-graphql does not check: one field, chosen without doubt.
fn check_subscription(operation: &OperationDefinition) -> Result<(), RequestError> {
    let set = &operation.selection_set;
    let [selection] = set.node.items.as_slice() else {
        return Err(RequestError::invalid("a subscription must have exactly one root field", Some(set.pos)));
    };
    let refuse = |message| Err(RequestError::invalid(message, Some(selection.pos)));
    match &selection.node {
        Selection::FragmentSpread(_) | Selection::InlineFragment(_) => {
            refuse("the root field of a subscription must be selected directly, not through a fragment")
        }
        Selection::Field(field) if field.node.name.node.starts_with("__") => {
            refuse("the root field of a subscription must not be an introspection field")
        }
        Selection::Field(field) => {
            let is_conditional = |name: &Name| name == "skip" || name == "include";
            if field.node.directives.iter().any(|directive| is_conditional(&directive.node.name.node)) {
                return refuse("@skip and @include are not allowed on the root field of a subscription");
            }
            Ok(())
        }
    }
}

/// Every variable that must have a value has one. async-graphql finds out only when a resolver asks for it.
fn check_variables_present(
    operation: &OperationDefinition,
    variables: &serde_json::Map<String, serde_json::Value>,
) -> Result<(), RequestError> {
    let mut missing = Vec::new();
    for definition in &operation.variable_definitions {
        let name = definition.node.name.node.as_str();
        let declared = &definition.node.var_type.node;
        let is_given = match variables.get(name) {
            Some(serde_json::Value::Null) => false,
            Some(_) => true,
            None => definition.node.default_value.is_some(),
        };
        if !declared.nullable && !is_given {
            let message = format!("variable \"${name}\" of type \"{declared}\" must have a value");
            missing.push(ServerError::new(message, Some(definition.pos)));
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(RequestError::invalid_all(missing)) }
}

/// Estimates the memory of a parsed document: its tree takes about sixteen bytes for each byte of text.
#[derive(Clone, Copy, Debug)]
struct DocumentWeight;

impl Weighter<Box<str>, Arc<Document>> for DocumentWeight {
    fn weight(&self, text: &Box<str>, _: &Arc<Document>) -> u64 {
        const NODE_BYTES_PER_TEXT_BYTE: u64 = 16;
        const ENTRY_BYTES: u64 = 512;
        ENTRY_BYTES + text.len() as u64 * (1 + NODE_BYTES_PER_TEXT_BYTE)
    }
}

#[cfg(test)]
mod tests;
