//! The console is complete, is served under strict headers, and is made of the files its table names.

use axum::{body::Body, http::Request, http::StatusCode};
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;

use super::*;

const README: &str = include_str!("../../../assets/graphiql/README.md");

async fn fetch(path: &str) -> Response {
    router().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
}

fn text(path: &str) -> &'static str {
    let file = FILES.iter().find(|file| file.path == path).unwrap();
    str::from_utf8(file.content).unwrap()
}

/// Every value of `src` and `href` in the page, except what it carries inside itself.
fn links(html: &str) -> Vec<&str> {
    let values = ["src=\"", "href=\""].into_iter().flat_map(|attribute| html.split(attribute).skip(1));
    values.filter_map(|rest| rest.split('"').next()).filter(|link| !link.starts_with("data:")).collect()
}

#[tokio::test]
async fn every_file_is_served_with_its_type_and_strict_headers() {
    for file in FILES {
        let response = fetch(file.path).await;
        assert_eq!(response.status(), StatusCode::OK, "{}", file.path);
        let headers = response.headers().clone();
        assert_eq!(headers[header::CONTENT_TYPE], file.media_type);
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"), "{policy}");
        let is_kept = headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable");
        assert_eq!(is_kept, file.path.contains(".min."), "{}: only a name with a version may be kept", file.path);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), file.content);
    }
}

#[test]
fn the_page_loads_nothing_that_is_not_in_the_binary() {
    let mut loaded = links(text("/graphiql"));
    loaded.sort_unstable();
    let mut served: Vec<&str> = FILES.iter().map(|file| file.path).filter(|path| *path != "/graphiql").collect();
    served.sort_unstable();
    assert_eq!(loaded, served);
}

#[test]
fn the_page_has_no_script_of_its_own_that_the_policy_would_stop() {
    let html = text("/graphiql");
    for script in html.split("<script").skip(1) {
        let (tag, content) = script.split_once('>').unwrap();
        assert!(tag.contains(" src=\"/graphiql/"), "{tag}");
        assert!(content.starts_with("</script>"), "{content}");
    }
    assert!(!html.contains(" onload=") && !html.contains(" style=") && !html.contains("<style"));
}

#[test]
fn vendored_files_are_the_ones_that_the_readme_vouches_for() {
    for file in FILES.iter().filter(|file| file.caching == Caching::Immutable) {
        let name = file.path.rsplit('/').next().unwrap();
        let hash = format!("{:x}", Sha256::digest(file.content));
        let row = README.lines().find(|line| line.starts_with(&format!("| `{name}` |"))).expect(name);
        assert!(row.contains(&hash), "{name} has the SHA-256 {hash}, which api/assets/graphiql/README.md does not say");
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_not_served() {
    for path in ["/graphiql/", "/graphiql/../console.rs", "/graphiql/README.md", "/graphiql/vendor"] {
        assert_eq!(fetch(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let post = Request::post("/graphiql").body(Body::empty()).unwrap();
    assert_eq!(router().oneshot(post).await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
}
