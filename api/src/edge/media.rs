//! Media types: what a client sends, what it accepts, and what it is answered with.

use axum::http::{HeaderMap, HeaderValue, header};

/// The media types of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/graphql-response+json`: says by its name that the answer comes from a GraphQL server.
    GraphQl,
    /// `application/json`, for clients that know nothing else.
    Json,
}

impl Media {
    pub(super) fn header_value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::GraphQl => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        })
    }
}

/// The media type to answer with, or none that the client accepts. Without `Accept`, everything is accepted.
pub(super) fn negotiate(headers: &HeaderMap) -> Option<Media> {
    if !headers.contains_key(header::ACCEPT) {
        return Some(Media::GraphQl);
    }
    let graphql = quality(headers, "application", "graphql-response+json");
    let json = quality(headers, "application", "json");
    if graphql == 0 && json == 0 {
        None
    } else if graphql >= json {
        Some(Media::GraphQl)
    } else {
        Some(Media::Json)
    }
}

/// Whether the client asks for an event stream by name.
pub(super) fn accepts_event_stream(headers: &HeaderMap) -> bool {
    ranges(headers).any(|range| range.kind == "text" && range.subtype == "event-stream" && range.quality > 0)
}

/// Whether the body is JSON in UTF-8, by its own account.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Ok(text) = value.to_str() else { return false };
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    essence.eq_ignore_ascii_case("application/json")
        && parts.filter(|parameter| !parameter.is_empty()).all(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            !name.trim().eq_ignore_ascii_case("charset") || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
}

/// One entry of `Accept`.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    quality: u16,
}

fn ranges(headers: &HeaderMap) -> impl Iterator<Item = Range<'_>> {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(range)
}

fn range(text: &str) -> Option<Range<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let (kind, subtype) = parts.next()?.split_once('/')?;
    let mut quality = 1_000;
    for parameter in parts {
        if let Some(("q" | "Q", value)) = parameter.split_once('=') {
            quality = parse_quality(value)?;
        }
    }
    Some(Range { kind, subtype, quality })
}

/// `0`, `0.5`, `1.000`: at most three digits behind the point, as RFC 9110 says.
fn parse_quality(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{fraction:0<3}").parse::<u16>().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1_000),
        _ => None,
    }
}

/// How much the client wants this type, in thousandths: what the most specific range says.
fn quality(headers: &HeaderMap, kind: &str, subtype: &str) -> u16 {
    let specificity = |range: &Range<'_>| {
        if range.kind == "*" && range.subtype == "*" {
            Some(0)
        } else if !range.kind.eq_ignore_ascii_case(kind) {
            None
        } else if range.subtype == "*" {
            Some(1)
        } else {
            range.subtype.eq_ignore_ascii_case(subtype).then_some(2)
        }
    };
    ranges(headers)
        .filter_map(|range| specificity(&range).map(|specificity| (specificity, range.quality)))
        .max()
        .map_or(0, |(_, quality)| quality)
}

#[cfg(test)]
mod tests;
