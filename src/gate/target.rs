//! Where a person may be sent after a login: a place on our own base_url and nowhere else (T32).

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::policy::normal_path;

/// The longest target that a login remembers. Five login states with such targets are 8 KB of cookies, which the
/// proxies in front of most services still take; what is longer leads to the service's front page.
const TARGET_BYTES: usize = 1024;

/// What cannot stand in a query as it is (RFC 3986, 3.4); a `%` may, since it is already an encoding.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'#').add(b'\\');
/// The same for a path, where our normal form takes ASCII only.
const PATH: &AsciiSet = QUERY;

/// Our own place on the web.
#[derive(Clone, Debug)]
pub(super) struct Targets {
    /// `https://host[:port]`.
    origin: String,
    /// The path of base_url, without a slash at its end; empty for the root.
    base_path: String,
    /// Our own paths: base path and prefix. A login never leads there.
    own_paths: String,
}

impl Targets {
    /// From base_url's origin and path, and the prefix of our own paths.
    pub(super) fn new(origin: &str, base_path: &str, prefix: &str) -> Self {
        let base_path = base_path.trim_end_matches('/').to_owned();
        let own_paths = format!("{base_path}{}", prefix.trim_end_matches('/'));
        Self { origin: origin.trim_end_matches('/').to_owned(), base_path, own_paths }
    }

    /// The service's front page.
    pub(super) fn front(&self) -> String {
        format!("{}/", self.base_path)
    }

    /// `rd` as a path in normal form with its query, or the front page when it is no place of ours.
    pub(super) fn local(&self, rd: Option<&str>) -> String {
        rd.and_then(|rd| self.place(rd)).unwrap_or_else(|| self.front())
    }

    /// `rd` as a path in normal form with its query; none for a place that is not ours, or that has two readings.
    fn place(&self, rd: &str) -> Option<String> {
        if rd.len() > TARGET_BYTES || rd.chars().any(|c| c.is_control() || c == '\\') {
            return None;
        }
        let local = match rd.strip_prefix(&self.origin) {
            // `https://host.evil` begins with our origin, too.
            Some("") => "/",
            Some(rest) if rest.starts_with(['/', '?', '#']) => rest,
            Some(_) => return None,
            None => rd,
        };
        let local = local.split_once('#').map_or(local, |(before, _)| before);
        let (path, query) = match local.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (local, None),
        };
        let path = if path.is_empty() && rd.len() != local.len() { "/" } else { path };
        // Browsers read `//host` as another host; the normal form refuses it, and every path with two readings.
        let path = utf8_percent_encode(path, PATH).to_string();
        let path = normal_path(&path).ok()?;
        let ours = path.strip_prefix(self.base_path.as_str())?;
        if !(ours.starts_with('/') || ours.is_empty()) || self.is_own_path(&path) {
            return None;
        }
        let path = if ours.is_empty() { self.front() } else { path.into_owned() };
        let target = match query {
            Some(query) => format!("{path}?{}", utf8_percent_encode(query, QUERY)),
            None => path,
        };
        (target.len() <= TARGET_BYTES).then_some(target)
    }

    /// Whether a path in normal form is one of our own.
    pub(super) fn is_own_path(&self, path: &str) -> bool {
        path.strip_prefix(self.own_paths.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The path of a target, without its query.
    pub(super) fn path_of(target: &str) -> &str {
        target.split_once('?').map_or(target, |(path, _)| path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_ours_are_kept_in_one_form() {
        let root = Targets::new("https://e.example.se", "", "/eid");
        let app = Targets::new("https://e.example.se", "/app", "/eid");
        let cases = [
            (&root, "/ansokan?steg=2&x=%20y", "/ansokan?steg=2&x=%20y"),
            (&root, "https://e.example.se/ansokan?a=b#del", "/ansokan?a=b"),
            (&root, "https://e.example.se", "/"),
            (&root, "https://e.example.se?x=1", "/?x=1"),
            (&root, "/%61nsokan", "/ansokan"),
            (&root, "/sök?q=å ä", "/s%C3%B6k?q=%C3%A5%20%C3%A4"),
            (&root, "/x?next=https://evil.example/", "/x?next=https://evil.example/"),
            (&root, "/eidx", "/eidx"),
            (&app, "/app/x", "/app/x"),
            (&app, "/app", "/app/"),
        ];
        for (targets, rd, expected) in cases {
            assert_eq!(targets.local(Some(rd)), expected, "{rd}");
        }
    }

    #[test]
    fn everything_else_leads_to_the_front_page() {
        let targets = Targets::new("https://e.example.se", "", "/eid");
        let long = format!("/{}", "x".repeat(TARGET_BYTES));
        for rd in [
            "",
            "ansokan",
            "//evil.example",
            "///evil.example",
            "////evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            " /x",
            " //evil.example",
            "https://evil.example/",
            "https:evil.example",
            "http:/evil.example",
            "http://e.example.se/x",
            "https://e.example.se.evil.example/",
            "https://e.example.se@evil.example/",
            "https://e.example.se:444/",
            "HTTPS://evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "/.//evil.example",
            "/..//evil.example",
            "/%2e%2e/x",
            "/%2f/evil.example",
            "/%5cevil.example",
            "/x;y",
            "?x=1",
            "/eid/login?rd=/x",
            "/eid/logout",
            "/eid",
            "/%65id/logout",
            &long,
        ] {
            assert_eq!(targets.local(Some(rd)), "/", "{rd:?}");
        }
        assert_eq!(targets.local(None), "/");
        let app = Targets::new("https://e.example.se", "/app/", "/eid");
        for rd in ["/", "/apple", "/other", "/app/eid/logout", "/app/../x"] {
            assert_eq!(app.local(Some(rd)), "/app/", "{rd:?}");
        }
    }
}
