//! What a request tells of who sends it: a person following a link or a program, from our own pages or from elsewhere,
//! and in which language.

use http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, ORIGIN, REFERER};
use http::{HeaderMap, HeaderValue, Method};

use crate::session::Locale;

/// Whether the answer is for a person to look at: only then is a redirect or a page of use.
///
/// Browsers say it in `Sec-Fetch-Mode` (W3C Fetch Metadata); without it, something that reads HTML is taken for one.
pub fn is_navigation(method: &Method, headers: &HeaderMap) -> bool {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return false;
    }
    wants_page(headers)
}

/// Like [`is_navigation`], for any method: a form that was posted is answered with a page too.
pub fn wants_page(headers: &HeaderMap) -> bool {
    match text(headers, "sec-fetch-mode") {
        Some(mode) => mode.eq_ignore_ascii_case("navigate"),
        None => accepts_html(headers),
    }
}

/// Whether a browser says that nobody went here: a picture, a script's call, the content of a frame or an object, which
/// are navigations too, of a page within a page that the person may not even see. A program that says nothing is none.
pub fn is_known_subresource(headers: &HeaderMap) -> bool {
    let framed = |dest: &str| {
        ["iframe", "frame", "embed", "object", "fencedframe"].iter().any(|kind| dest.eq_ignore_ascii_case(kind))
    };
    text(headers, "sec-fetch-mode").is_some_and(|mode| !mode.eq_ignore_ascii_case("navigate"))
        || text(headers, "sec-fetch-dest").is_some_and(framed)
}

/// Whether a person did this: posted a form of our own, or followed a link in a browser that says so (W3C Fetch Metadata:
/// `Sec-Fetch-Mode: navigate` for a document of its own). What says nothing, and what only looks, is none.
pub fn is_a_persons(method: &Method, headers: &HeaderMap, own_origin: &str) -> bool {
    let is = |name: &str, value: &str| text(headers, name).is_some_and(|said| said.eq_ignore_ascii_case(value));
    // A browser that fetches ahead says so, and nobody has gone anywhere.
    let ahead = text(headers, "sec-purpose").or(text(headers, "purpose")).is_some_and(|said| said.contains("prefetch"));
    match *method {
        Method::POST => is_same_origin(headers, own_origin),
        Method::GET => is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document") && !ahead,
        _ => false,
    }
}

/// Whether a gRPC client asks: it looks at nothing but its own status. gRPC-Web clients read HTTP's.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let rest = kind.strip_prefix(b"application/grpc");
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// The path and query of the page that the request was sent from, where it is one of our own: where a person who has
/// lost a form wants to go.
pub fn came_from<'h>(headers: &'h HeaderMap, own_origin: &str) -> Option<&'h str> {
    let path = text(headers, REFERER.as_str())?.strip_prefix(own_origin)?;
    path.starts_with('/').then_some(path)
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(',')).any(
        |range| {
            let mut parts = range.split(';').map(str::trim);
            let html = parts.next().is_some_and(|kind| {
                kind.eq_ignore_ascii_case("text/html") || kind.eq_ignore_ascii_case("application/xhtml+xml")
            });
            // RFC 9110, 12.4.2: a weight of 0 means "not this".
            html && !parts
                .any(|p| p.split_once('=').is_some_and(|(n, v)| n.trim().eq_ignore_ascii_case("q") && is_zero(v)))
        },
    )
}

fn is_zero(weight: &str) -> bool {
    weight.trim().parse::<f32>().is_ok_and(|q| q <= 0.0)
}

/// Whether a request that changes something came from our own origin (checked before logout and the like).
///
/// `Sec-Fetch-Site` cannot be set by a page; `none` is the person typing. `same-site` is not enough: a neighbour under
/// the same domain is another party. Browsers without it send `Origin` on every POST. Neither header means that nothing
/// is known of the sender, which is a no.
pub fn is_same_origin(headers: &HeaderMap, own_origin: &str) -> bool {
    match text(headers, "sec-fetch-site") {
        Some(site) => site.eq_ignore_ascii_case("same-origin") || site.eq_ignore_ascii_case("none"),
        None => {
            let mut origins = headers.get_all(ORIGIN).iter();
            match (origins.next(), origins.next()) {
                (Some(origin), None) => origin.as_bytes().eq_ignore_ascii_case(own_origin.as_bytes()),
                _ => false,
            }
        }
    }
}

/// Whether it is known that a page of another site, or something outside of the browser, led here. What says nothing is not
/// known: a browser of before Fetch Metadata that hides where it comes from.
pub fn is_from_elsewhere(headers: &HeaderMap, own_origin: &str) -> bool {
    match text(headers, "sec-fetch-site") {
        Some(site) => !site.eq_ignore_ascii_case("same-origin"),
        None => headers.contains_key(REFERER) && came_from(headers, own_origin).is_none(),
    }
}

/// The language: `asked` (the `locale` parameter) first, then the first language of `Accept-Language` by weight that we
/// have, then Swedish.
pub fn locale(asked: Option<&str>, headers: &HeaderMap) -> Locale {
    asked.and_then(Locale::parse).or_else(|| accepted(headers)).unwrap_or_default()
}

fn accepted(headers: &HeaderMap) -> Option<Locale> {
    let mut best: Option<(f32, Locale)> = None;
    let ranges = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|v| v.to_str().ok()).flat_map(|l| l.split(','));
    for range in ranges.take(32) {
        let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
        let weight = match parameters.trim().strip_prefix("q=") {
            Some(q) => q.trim().parse::<f32>().unwrap_or(0.0),
            None => 1.0,
        };
        let Some(locale) = Locale::parse(tag.trim()) else { continue };
        // Of equal weights the first stands.
        if weight > 0.0 && best.is_none_or(|(w, _)| weight > w) {
            best = Some((weight, locale));
        }
    }
    best.map(|(_, locale)| locale)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    // A header that is there but unreadable must not count as absent: it is then no value that we know.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn a_person_is_told_from_a_program() {
        let html = "text/html,application/xhtml+xml,*/*;q=0.8";
        for (method, pairs, expect) in [
            (Method::GET, vec![("sec-fetch-mode", "navigate")], true),
            (Method::HEAD, vec![("sec-fetch-mode", "navigate"), ("accept", "*/*")], true),
            (Method::GET, vec![("sec-fetch-mode", "cors"), ("accept", html)], false),
            (Method::GET, vec![("accept", html)], true),
            (Method::GET, vec![("accept", "Text/HTML; q=0.5")], true),
            (Method::GET, vec![("accept", "text/html;q=0, application/json")], false),
            (Method::GET, vec![("accept", "*/*")], false),
            (Method::GET, vec![], false),
            (Method::POST, vec![("sec-fetch-mode", "navigate")], false),
            (Method::PUT, vec![("accept", html)], false),
        ] {
            assert_eq!(is_navigation(&method, &headers(&pairs)), expect, "{method} {pairs:?}");
        }
    }

    #[test]
    fn what_stands_within_a_page_is_told_from_a_page() {
        for (mode, dest, expect) in [
            ("navigate", Some("document"), false),
            ("navigate", None, false),
            ("navigate", Some("iframe"), true),
            ("navigate", Some("Frame"), true),
            ("navigate", Some("embed"), true),
            ("navigate", Some("object"), true),
            ("navigate", Some("fencedframe"), true),
            ("no-cors", Some("image"), true),
            ("cors", Some("empty"), true),
        ] {
            let mut map = headers(&[("sec-fetch-mode", mode)]);
            if let Some(dest) = dest {
                map.insert("sec-fetch-dest", dest.parse().unwrap());
            }
            assert_eq!(is_known_subresource(&map), expect, "{mode} {dest:?}");
        }
        assert!(!is_known_subresource(&headers(&[])));
    }

    #[test]
    fn only_our_own_origin_is_same_origin() {
        let own = "https://etjanst.example.se";
        for (pairs, expect) in [
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "none")], true),
            (vec![("sec-fetch-site", "same-site"), ("origin", own)], false),
            (vec![("sec-fetch-site", "cross-site"), ("origin", own)], false),
            (vec![("sec-fetch-site", "garbage")], false),
            (vec![("origin", own)], true),
            (vec![("origin", "https://etjanst.example.se:8443")], false),
            (vec![("origin", "https://etjanst.example.se.evil.example")], false),
            (vec![("origin", "null")], false),
            (vec![("origin", own), ("origin", "https://evil.example")], false),
            (vec![], false),
        ] {
            assert_eq!(is_same_origin(&headers(&pairs), own), expect, "{pairs:?}");
        }
        let mut unreadable = headers(&[("origin", own)]);
        unreadable.insert("sec-fetch-site", http::HeaderValue::from_bytes(b"\xe5").unwrap());
        assert!(!is_same_origin(&unreadable, own));
    }

    #[test]
    fn what_is_known_to_come_from_elsewhere() {
        let own = "https://etjanst.example.se";
        for (pairs, expect) in [
            (vec![("sec-fetch-site", "same-origin")], false),
            (vec![("sec-fetch-site", "same-origin"), ("referer", "https://evil.example/")], false),
            (vec![("sec-fetch-site", "same-site")], true),
            (vec![("sec-fetch-site", "cross-site")], true),
            // Typed, or from a letter that somebody got.
            (vec![("sec-fetch-site", "none")], true),
            (vec![("referer", "https://etjanst.example.se/eid/login?rd=/")], false),
            (vec![("referer", "https://etjanst.example.se.evil.example/")], true),
            (vec![("referer", "https://evil.example/")], true),
            (vec![], false),
        ] {
            assert_eq!(is_from_elsewhere(&headers(&pairs), own), expect, "{pairs:?}");
        }
    }

    #[test]
    fn grpc_is_told_by_its_content_type() {
        for (kind, expect) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;x=y", true),
            ("application/grpc-web+proto", false),
            ("application/grpcx", false),
            ("application/json", false),
        ] {
            assert_eq!(is_grpc(&headers(&[("content-type", kind)])), expect, "{kind}");
        }
        assert!(!is_grpc(&headers(&[])));
    }

    #[test]
    fn only_a_page_of_our_own_is_gone_back_to() {
        for (referer, expect) in [
            ("https://etjanst.example.se/ansokan?steg=2", Some("/ansokan?steg=2")),
            ("https://etjanst.example.se/", Some("/")),
            ("https://etjanst.example.se", None),
            ("https://etjanst.example.se.evil.example/x", None),
            ("https://etjanst.example.se:8443/x", None),
            ("https://evil.example/x", None),
        ] {
            let map = headers(&[("referer", referer)]);
            assert_eq!(came_from(&map, "https://etjanst.example.se"), expect, "{referer}");
        }
    }

    #[test]
    fn the_language_is_swedish_until_someone_says_otherwise() {
        for (asked, accept, expect) in [
            (None, None, Locale::Sv),
            (None, Some("en-GB,en;q=0.9,sv;q=0.8"), Locale::En),
            (None, Some("de,sv;q=0.5,en;q=0.4"), Locale::Sv),
            (None, Some("sv;q=0.1,en;q=0.9"), Locale::En),
            (None, Some("en;q=0,de"), Locale::Sv),
            (None, Some("*"), Locale::Sv),
            (Some("en"), Some("sv"), Locale::En),
            (Some("sv"), Some("en"), Locale::Sv),
            (Some("xx"), Some("en"), Locale::En),
        ] {
            let map = accept.map_or_else(HeaderMap::new, |a| headers(&[("accept-language", a)]));
            assert_eq!(locale(asked, &map), expect, "{asked:?} {accept:?}");
        }
    }
}
