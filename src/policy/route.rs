//! Routes: the longest that matches wins, and a path that none names needs a session.

use std::sync::Arc;

use crate::base::{EidId, RouteName};
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

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// This path, and nothing under it. Where it needs a session, a slash more or less at the end does not lead round
    /// it: most servers take both for one page. Where it is open to all, it is open as it is written.
    Exact { path: String, open: bool },
    /// This prefix, which ends with a slash, and the path before the slash.
    Under(String),
}

impl Pattern {
    fn of(route: &Route) -> Self {
        match route.name.as_str().strip_suffix('*') {
            Some(prefix) => Self::Under(prefix.to_owned()),
            None => Self::Exact { path: route.name.as_str().to_owned(), open: route.access == Access::Anonymous },
        }
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact { path: exact, open } => {
                let bare = |path: &str| path.strip_suffix('/').unwrap_or(path).len();
                path == exact || (!open && path.get(..bare(path)) == exact.get(..bare(exact)))
            }
            // `/ansokan/*` covers `/ansokan` too: whoever guards a folder means its door as well.
            Self::Under(prefix) => path.starts_with(prefix.as_str()) || prefix.strip_suffix('/') == Some(path),
        }
    }

    /// An exact pattern wins over a prefix of the same length.
    fn weight(&self) -> (usize, bool) {
        match self {
            Self::Exact { path, .. } => (path.len(), true),
            Self::Under(prefix) => (prefix.len(), false),
        }
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
            forward,
        };
        let mut routes: Vec<_> = routes.into_iter().map(|route| (Pattern::of(&route), Arc::new(route))).collect();
        routes.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.weight()));
        Self { routes, rest: Arc::new(rest) }
    }

    /// The route of a path in normal form.
    pub fn find(&self, path: &str) -> &Arc<Route> {
        self.routes.iter().find(|(pattern, _)| pattern.matches(path)).map_or(&self.rest, |(_, route)| route)
    }

    /// Whether `route` asks for a higher level than another route with a session: one that people step up to. A level is
    /// compared within its family only, and a route that takes any level takes the lowest.
    pub fn asks_for_more(&self, route: &Route) -> bool {
        let less = |other: &Route| {
            let below = |low: &Loa| {
                let higher = |level: &Loa| level.family() == low.family() && level.rank() > low.rank();
                low.family().is_some() && !route.loa.contains(low) && route.loa.iter().any(higher)
            };
            other.loa.is_empty() || other.loa.iter().any(below)
        };
        let mut others = self.routes.iter().map(|(_, other)| other).filter(|other| other.access == Access::Session);
        !route.loa.is_empty() && others.any(|other| less(other))
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
}
