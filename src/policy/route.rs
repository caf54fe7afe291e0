//! Routes: the longest that matches wins, and a path that none names needs a session.

use std::sync::Arc;
use std::time::Duration;

use super::path::folded;
use crate::base::{EidId, ProviderId, RouteName};
use crate::identity::{Field, Loa};

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone; identity headers are taken off here too.
    Anonymous,
    /// Whoever has a session that meets the route.
    Session,
}

/// A route, compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its pattern, as metrics and logs name it.
    pub name: RouteName,
    /// Who may use it.
    pub access: Access,
    /// The levels that it takes; empty takes any that the provider may assert.
    pub loa: Vec<Loa>,
    /// Fields that must be there.
    pub require: Vec<Field>,
    /// The e-IDs that it takes, in order of preference; empty takes all.
    pub eid: Vec<EidId>,
    /// How long ago a person may have logged in at the provider, give or take what clocks may differ; none: as long as
    /// the session lasts.
    pub max_age: Option<Duration>,
    /// Requests for it are made by a page and not by a person: they keep no session alive.
    pub background: bool,
    /// The providers whose bearer tokens open it, beside sessions.
    pub bearer: Vec<ProviderId>,
    /// What a bearer token must be allowed.
    pub scopes: Vec<String>,
    /// What the e-service is told of the person on this route.
    pub forward: Vec<Field>,
}

impl Route {
    /// Where a visit to it begins: its path, or its folder as it is written without a slash. None for the route of all
    /// paths that no other names.
    pub fn door(&self) -> Option<&str> {
        match self.name.as_str() {
            "/*" => Some("/"),
            name => name.strip_suffix("/*").or_else(|| name.starts_with('/').then_some(name)),
        }
    }
}

/// Every route of a service.
#[derive(Clone, Debug)]
pub struct Routes {
    /// Longest pattern first.
    routes: Vec<(Pattern, Arc<Route>)>,
    rest: Arc<Route>,
}

/// Which paths a route is for. What is open to all is open as it is written. What is guarded is guarded in every spelling
/// that an e-service may take for it: many do not tell `/Admin` from `/admin` (T46).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    open: bool,
    /// In full for an open route, folded for a guarded one. Of a folder it ends with its slash.
    path: String,
    shape: Shape,
    /// How long the path is that was written.
    length: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// This path, and nothing under it. Where it needs a session, a slash more or less at the end does not lead round
    /// it: most servers take both for one page.
    Exact,
    /// This folder, and everything under it.
    Under,
}

impl Pattern {
    fn of(route: &Route) -> Self {
        let name = route.name.as_str();
        let (written, shape) = match name.strip_suffix('*') {
            Some(prefix) => (prefix, Shape::Under),
            None => (name, Shape::Exact),
        };
        let open = route.access == Access::Anonymous;
        let path = if open { written.to_owned() } else { folded(written).into_owned() };
        Self { open, path, shape, length: written.len() }
    }

    fn matches(&self, path: &str, folded: &str) -> bool {
        let path = if self.open { path } else { folded };
        let bare = |path: &str| path.strip_suffix('/').unwrap_or(path).len();
        match self.shape {
            Shape::Exact => {
                path == self.path || (!self.open && path.get(..bare(path)) == self.path.get(..bare(&self.path)))
            }
            // `/ansokan/*` covers `/ansokan` too: whoever guards a folder means its door as well.
            Shape::Under => path.starts_with(self.path.as_str()) || self.path.strip_suffix('/') == Some(path),
        }
    }

    /// An exact pattern wins over a prefix of the same length.
    const fn weight(&self) -> (usize, bool) {
        (self.length, matches!(self.shape, Shape::Exact))
    }
}

impl Routes {
    /// From the configured routes, and what the service forwards where no route says otherwise.
    pub fn new(routes: Vec<Route>, forward: Vec<Field>) -> Self {
        let rest = Route {
            name: RouteName::new("(default)"),
            access: Access::Session,
            loa: Vec::new(),
            require: Vec::new(),
            eid: Vec::new(),
            max_age: None,
            background: false,
            bearer: Vec::new(),
            scopes: Vec::new(),
            forward,
        };
        let mut routes: Vec<_> = routes.into_iter().map(|route| (Pattern::of(&route), Arc::new(route))).collect();
        routes.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.weight()));
        Self { routes, rest: Arc::new(rest) }
    }

    /// The route of a path in normal form.
    pub fn find(&self, path: &str) -> &Arc<Route> {
        let folded = folded(path);
        self.routes.iter().find(|(pattern, _)| pattern.matches(path, &folded)).map_or(&self.rest, |(_, route)| route)
    }

    /// Whether two patterns, of which one is guarded, are for the same paths: then nobody can say which one counts.
    pub fn clash(one: &str, two: &str) -> bool {
        folded(one) == folded(two)
    }

    /// Whether `route` asks for a higher level or a fresher login than another route with a session: one that people step up to. A level is
    /// compared within its family only, and a route that takes any level takes the lowest.
    pub fn asks_for_more(&self, route: &Route) -> bool {
        let less = |other: &Route| {
            let below = |low: &Loa| {
                let higher = |level: &Loa| level.family() == low.family() && level.rank() > low.rank();
                low.family().is_some() && !route.loa.contains(low) && route.loa.iter().any(higher)
            };
            other.loa.is_empty() || other.loa.iter().any(below)
        };
        // A path that no route names takes a login of any age.
        let mut others = self.routes.iter().map(|(_, other)| other).filter(|other| other.access == Access::Session);
        route.max_age.is_some() || others.any(|other| !route.loa.is_empty() && less(other))
    }

    /// Every route, longest pattern first, the one for all other paths last.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.iter().map(|(_, route)| route).chain([&self.rest])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(pattern: &str) -> Route {
        Route {
            name: RouteName::new(pattern),
            access: Access::Anonymous,
            loa: Vec::new(),
            require: Vec::new(),
            eid: Vec::new(),
            max_age: None,
            background: false,
            bearer: Vec::new(),
            scopes: Vec::new(),
            forward: Vec::new(),
        }
    }

    #[test]
    fn the_longest_match_wins_and_the_rest_needs_a_session() {
        let routes = Routes::new(
            ["/om/*", "/om/oss/*", "/om/oss/kontakt", "/start", "/om/oss/"].map(route).into(),
            vec![Field::Loa],
        );
        for (path, name) in [
            ("/om/", "/om/*"),
            ("/om", "/om/*"),
            ("/om/x", "/om/*"),
            ("/omx", "(default)"),
            ("/om/oss", "/om/oss/*"),
            ("/om/oss/", "/om/oss/"),
            ("/om/oss/x", "/om/oss/*"),
            ("/om/oss/kontakt", "/om/oss/kontakt"),
            ("/om/oss/kontakt/", "/om/oss/*"),
            ("/start", "/start"),
            ("/start/", "(default)"),
            ("/", "(default)"),
        ] {
            assert_eq!(routes.find(path).name.as_str(), name, "{path}");
        }
        assert_eq!(routes.find("/").access, Access::Session);
    }

    #[test]
    fn a_route_that_people_step_up_to_asks_for_more_than_another() {
        let guarded = |(pattern, levels): &(&str, &[&str])| {
            let loa = levels.iter().filter_map(|level| Loa::parse(level).ok()).collect();
            Route { access: Access::Session, loa, ..route(pattern) }
        };
        let rows: &[(&[(&str, &[&str])], &[&str])] = &[
            (&[("/a/*", &["loa3", "loa4"])], &[]),
            (&[("/a/*", &["loa3", "loa4"]), ("/b/*", &["loa3", "loa4"])], &[]),
            (&[("/a/*", &["loa3", "loa4"]), ("/b/*", &["loa4"])], &["/b/*"]),
            (
                &[("/a/*", &["loa2", "loa3", "loa4"]), ("/b/*", &["loa3", "loa4"]), ("/c/*", &["loa4"])],
                &["/b/*", "/c/*"],
            ),
            (&[("/a/*", &[]), ("/b/*", &["loa3", "loa4"])], &["/b/*"]),
            (&[("/a/*", &["loa2", "loa3"]), ("/b/*", &["eidas-nf-high"])], &[]),
            (&[("/a/*", &["loa3", "uncertified-loa2"]), ("/b/*", &["loa3", "uncertified-loa3"])], &["/b/*"]),
            (&[("/a/*", &["urn:x:1"]), ("/b/*", &["urn:x:2"])], &[]),
        ];
        for (written, stepped_up) in rows {
            let routes = Routes::new(written.iter().map(guarded).collect(), Vec::new());
            let mut more: Vec<_> =
                routes.all().filter(|route| routes.asks_for_more(route)).map(|route| route.name.as_str()).collect();
            more.sort_unstable();
            assert_eq!(more, *stepped_up, "{written:?}");
        }
    }

    #[test]
    fn no_spelling_leads_round_what_is_guarded() {
        let guarded = |pattern: &str| Route { access: Access::Session, ..route(pattern) };
        let routes = [route("/om/*"), guarded("/om/Admin/*"), guarded("/s%C3%B6k/x"), route("/Start")];
        let routes = Routes::new(routes.into(), Vec::new());
        for (path, name) in [
            ("/om/x", "/om/*"),
            ("/om/admin/x", "/om/Admin/*"),
            ("/om/ADMIN", "/om/Admin/*"),
            ("/om/admin./x", "/om/Admin/*"),
            ("/om/admin%20/x", "/om/Admin/*"),
            ("/om/aDMIN.%20./x", "/om/Admin/*"),
            ("/s%C3%96K/X/", "/s%C3%B6k/x"),
            ("/Start", "/Start"),
            // What is open is open as it is written.
            ("/OM/x", "(default)"),
            ("/om./x", "(default)"),
            ("/start", "(default)"),
        ] {
            assert_eq!(routes.find(path).name.as_str(), name, "{path}");
        }
        assert!(Routes::clash("/Admin/*", "/admin/*") && !Routes::clash("/admin/*", "/admin"));
    }

    #[test]
    fn a_slash_at_the_end_leads_round_no_demand() {
        let guarded = |pattern: &str| Route { access: Access::Session, ..route(pattern) };
        let routes = [route("/om/*"), guarded("/om/admin"), guarded("/hog/"), route("/start")];
        let routes = Routes::new(routes.into(), Vec::new());
        for (path, name) in [
            ("/om/admin", "/om/admin"),
            ("/om/admin/", "/om/admin"),
            ("/om/admin/x", "/om/*"),
            ("/om/admins", "/om/*"),
            ("/hog", "/hog/"),
            ("/hog/", "/hog/"),
            ("/start", "/start"),
            ("/start/", "(default)"),
        ] {
            assert_eq!(routes.find(path).name.as_str(), name, "{path}");
        }
    }

    /// What a path may become in an e-service that is less strict than we are: decoded once or twice, in Latin-1's or
    /// Windows' way too, with parameters cut off, backslashes turned, slashes joined, dots resolved, names trimmed, in
    /// any case.
    fn readings(path: &str) -> Vec<String> {
        let decode = |path: &str| percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
        let lenient = |path: &str| {
            let replaced =
                path.replace("%c0%af", "/").replace("%C0%AF", "/").replace("%c0%ae", ".").replace("%C0%AE", ".");
            decode(&replaced.replace("%u002f", "/").replace("%u002e", "."))
        };
        let without_parameters =
            |path: &str| path.split('/').map(|s| s.split(';').next().unwrap_or_default()).collect::<Vec<_>>().join("/");
        let plain = |path: &str| {
            let narrow = |c: char| match c {
                '\u{ff0f}' | '\u{2215}' | '\\' => '/',
                '\u{ff0e}' | '\u{2024}' => '.',
                '\u{200b}' => '\0',
                c => c,
            };
            path.chars().map(narrow).filter(|c| *c != '\0').collect::<String>()
        };
        let once = decode(path);
        let all = [path.to_owned(), once.clone(), decode(&once), lenient(path), plain(&decode(&plain(&once)))];
        let all = all.iter().flat_map(|path| [path.clone(), without_parameters(path)]);
        let resolved = |path: String| {
            let mut out: Vec<String> = Vec::new();
            for segment in path.split(['/', '\\']) {
                let name = segment.trim();
                let name = if name.chars().all(|c| c == '.') { name } else { name.trim_end_matches(['.', ' ']) };
                match name {
                    "" | "." => {}
                    ".." => drop(out.pop()),
                    name => out.push(name.to_lowercase()),
                }
            }
            format!("/{}", out.join("/"))
        };
        all.map(resolved).collect()
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(4_000))]

        /// T46: whatever an e-service makes of a path, it is no better guarded than what we decided on.
        #[test]
        fn t46_no_reading_of_a_path_is_better_guarded_than_ours(
            pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..8),
        ) {
            let guarded = |pattern: &str| Route { access: Access::Session, ..route(pattern) };
            let routes = [route("/om/*"), guarded("/om/hemligt/*"), guarded("/om/Sida"), route("/start")];
            let routes = Routes::new(routes.into(), Vec::new());
            let raw = format!("/om{}", pieces.concat());
            let Ok(normal) = super::super::normal_path(&raw) else { return Ok(()) };
            if routes.find(&normal).access == Access::Session {
                return Ok(());
            }
            for reading in readings(&normal) {
                let is_open = reading == "/om" || reading.starts_with("/om/") || reading == "/start";
                let is_guarded = reading == "/om/hemligt" || reading.starts_with("/om/hemligt/") || reading == "/om/sida";
                proptest::prop_assert!(is_open && !is_guarded, "{} is {} is {}", raw, normal, reading);
            }
        }
    }

    const PIECES: &[&str] = &[
        "/",
        "//",
        "/hemligt",
        "hemligt",
        "/HEMLIGT",
        "/%68emligt",
        "/%48EMLIGT/",
        "/hemligt.",
        "/hemligt%20",
        "/sida",
        "/Sida/",
        "x",
        "/x",
        "..",
        "/..",
        "/.",
        "/%2e%2e",
        "/%2E.",
        ".%2e/",
        "%2f",
        "%2F..",
        "%5c",
        "\\",
        "%5C..",
        ";x",
        "/;/",
        "%3b",
        "%252e%252e",
        "%25",
        "%c0%ae",
        "%C0%AF",
        "%u002e",
        "%u002f",
        "%ef%bc%8f",
        "%EF%BC%8E",
        "%e2%88%95",
        "%e2%80%a4",
        "%e2%80%8b",
        "%c2%a0",
        "%20",
        " ",
        "%00",
        "%0a",
        "%09",
        "?",
        "#",
        "%3f",
        "%23",
        "%e5",
        "%c3%a5",
        "~",
        "@",
        "*",
        "..;",
        "...",
        "%2e",
        "/start",
        "/om",
    ];
}
