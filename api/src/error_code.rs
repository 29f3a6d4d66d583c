//! The stable codes of everything that can go wrong, the same over HTTP, WebSocket and SSE.
//!
//! A code never changes its meaning; docs/errors.md lists each with what to do. Rejections of commands are not
//! here: they are data (`userErrors`), with an enum of codes for each slice.

use async_graphql::ErrorExtensions as _;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, retry: $retry:literal;)*) => {
        /// What went wrong, for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $variant,)* }

        impl ErrorCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it stands in `extensions.code`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// Whether the same request may succeed later, unchanged.
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$variant => $retry,)* }
            }
        }
    };
}

error_codes! {
    /// No token, or one that is not valid.
    Unauthenticated = "UNAUTHENTICATED", retry: false;
    /// The token's role may not do this.
    Forbidden = "FORBIDDEN", retry: false;
    /// An argument is malformed.
    BadUserInput = "BAD_USER_INPUT", retry: false;
    /// A cursor is malformed, of another connection or from the future.
    BadCursor = "BAD_CURSOR", retry: false;
    /// The HTTP request is malformed: body, JSON, fields.
    BadRequest = "BAD_REQUEST", retry: false;
    /// The method is not the one that this address takes.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", retry: false;
    /// None of the accepted media types can be answered with.
    NotAcceptable = "NOT_ACCEPTABLE", retry: false;
    /// The body's media type is not `application/json`.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", retry: false;
    /// The body, or a WebSocket message, is too large.
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", retry: false;
    /// The document's syntax is wrong.
    GraphqlParseFailed = "GRAPHQL_PARSE_FAILED", retry: false;
    /// The document does not fit the schema, or the operation or its variables do not fit the document.
    GraphqlValidationFailed = "GRAPHQL_VALIDATION_FAILED", retry: false;
    /// The document is over a limit: bytes, tokens, nesting, aliases, directives, root fields, depth, complexity.
    DocumentTooComplex = "DOCUMENT_TOO_COMPLEX", retry: false;
    /// The operation is a subscription, which this transport does not carry, or the other way round.
    OperationNotSupported = "OPERATION_NOT_SUPPORTED", retry: false;
    /// The host or origin is not one this server answers.
    OriginNotAllowed = "ORIGIN_NOT_ALLOWED", retry: false;
    /// The idempotency key was used with another input.
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", retry: false;
    /// A notice of the payment provider is not signed with our secret, or not now.
    SignatureInvalid = "SIGNATURE_INVALID", retry: false;
    /// A notice is about a payment that nobody asked for.
    UnknownPayment = "UNKNOWN_PAYMENT", retry: false;
    /// A notice tells of what comes after something that was not told yet.
    NoticeTooEarly = "NOTICE_TOO_EARLY", retry: true;
    /// A notice has the id of another one.
    NoticeIdReused = "NOTICE_ID_REUSED", retry: false;
    /// Others kept changing the same object. Nothing was written.
    Contended = "CONTENDED", retry: true;
    /// Whether the command took effect cannot be told. Retry with the same idempotency key.
    OutcomeUnknown = "OUTCOME_UNKNOWN", retry: true;
    /// The event store takes no writes now. Nothing was written.
    StoreUnavailable = "STORE_UNAVAILABLE", retry: true;
    /// The device of the event store is full. Nothing was written.
    StorageFull = "STORAGE_FULL", retry: true;
    /// The read models cannot be read now.
    ReadStoreUnavailable = "READ_STORE_UNAVAILABLE", retry: true;
    /// The read model has not reached `minPosition` in time.
    ProjectionTimeout = "PROJECTION_TIMEOUT", retry: true;
    /// The read model stopped at an event it cannot apply.
    ProjectionStopped = "PROJECTION_STOPPED", retry: true;
    /// An event of this object cannot be applied to the read model yet: there is no answer, or none that is new enough.
    ReadModelBehind = "READ_MODEL_BEHIND", retry: true;
    /// The subscriber read too slowly. Resume with `after` set to the cursor in `extensions.lastCursor`.
    ConsumerTooSlow = "CONSUMER_TOO_SLOW", retry: true;
    /// The server is stopping. Reconnect.
    ShuttingDown = "SHUTTING_DOWN", retry: true;
    /// Too many requests, connections or operations of one caller.
    RateLimited = "RATE_LIMITED", retry: true;
    /// Something is broken on our side; the log has the cause under the request id.
    Internal = "INTERNAL", retry: false;
}

impl ErrorCode {
    /// A GraphQL error with this code.
    pub fn error(self, message: impl Into<String>) -> async_graphql::Error {
        async_graphql::Error::new(message).extend_with(|_, extensions| {
            extensions.set("code", self.as_str());
            if self.is_retryable() {
                extensions.set("retryable", true);
            }
        })
    }
}
