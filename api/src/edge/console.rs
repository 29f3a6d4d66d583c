//! The console at `/graphiql`: GraphiQL from files inside the binary, so that it works without internet.
//!
//! **Invariant:** the page runs no script and loads no file but those listed here; the Content-Security-Policy makes
//! the browser see to it. api/assets/graphiql/README.md says where the files come from.

#[cfg(test)]
mod tests;

use axum::{
    Router,
    http::{HeaderName, header},
    response::{IntoResponse as _, Response},
    routing::get,
};

/// `unsafe-inline` is for styles alone: `GraphiQL`'s dialogs add a style element that keeps the page from scrolling.
/// Sockets to this server are `self` too.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     font-src 'self' data:; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// How long a browser may keep a file without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caching {
    /// For good: another version has another name.
    Immutable,
    /// Not at all: it changes with the server.
    Revalidate,
}

/// A file inside the binary.
#[derive(Clone, Copy, Debug)]
struct File {
    path: &'static str,
    media_type: &'static str,
    caching: Caching,
    content: &'static [u8],
}

macro_rules! own {
    ($path:literal, $file:literal, $media_type:expr) => {
        File {
            path: $path,
            media_type: $media_type,
            caching: Caching::Revalidate,
            content: include_bytes!(concat!("../../assets/graphiql/", $file)),
        }
    };
}

macro_rules! vendored {
    ($file:literal, $media_type:expr) => {
        File {
            path: concat!("/graphiql/", $file),
            media_type: $media_type,
            caching: Caching::Immutable,
            content: include_bytes!(concat!("../../assets/graphiql/vendor/", $file)),
        }
    };
}

const FILES: &[File] = &[
    own!("/graphiql", "index.html", HTML),
    own!("/graphiql/console.js", "console.js", SCRIPT),
    own!("/graphiql/console.css", "console.css", STYLE),
    vendored!("graphiql-3.8.3.min.css", STYLE),
    vendored!("graphiql-3.8.3.min.js", SCRIPT),
    vendored!("graphql-ws-5.16.2.min.js", SCRIPT),
    vendored!("react-18.3.1.min.js", SCRIPT),
    vendored!("react-dom-18.3.1.min.js", SCRIPT),
];

/// `/graphiql` and the files that its page loads.
pub fn router() -> Router {
    FILES.iter().fold(Router::new(), |router, file| router.route(file.path, get(async || serve(file))))
}

fn serve(file: &'static File) -> Response {
    let cache_control = match file.caching {
        Caching::Immutable => "public, max-age=31536000, immutable",
        Caching::Revalidate => "no-cache",
    };
    let headers: [(HeaderName, &'static str); 8] = [
        (header::CONTENT_TYPE, file.media_type),
        (header::CACHE_CONTROL, cache_control),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    (headers, file.content).into_response()
}
