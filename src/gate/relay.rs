//! What a provider gets as RelayState and hands back: the login's handle, and a hint of the route that it was for.
//!
//! The hint is for the one case in which nothing else is left: the answer comes to a browser that holds no state of the
//! login. The page that says so can then begin again at the same route. The provider learns nothing from it, and
//! nothing is decided by it.

use std::fmt;

use super::target::Targets;
use crate::crypto::digest::HmacKey;
use crate::policy::{Route, Routes};
use crate::session::Handle;

const HINT_LEN: usize = 6;
/// In base64url.
const HINT_TEXT_LEN: usize = 8;

/// A RelayState of ours.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct RelayState {
    pub(super) handle: Handle,
    hint: [u8; HINT_LEN],
}

impl RelayState {
    /// For a login at `route`.
    pub(super) fn new(key: &HmacKey, handle: Handle, route: &Route) -> Self {
        Self { handle, hint: hint(key, &handle, route) }
    }

    /// Reads one back; none for any other text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (handle, hint) = text.split_at_checked(text.len().checked_sub(HINT_TEXT_LEN)?)?;
        let handle = Handle::parse(handle)?;
        let hint = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(hint).ok()?;
        Some(Self { handle, hint: hint.try_into().ok()? })
    }

    /// Where a login for the same route begins: its path, or its folder. None when no route of ours gives this hint.
    ///
    /// It takes a digest per route, and is asked when a login has failed: a route costs less than half a microsecond.
    pub(super) fn door(&self, key: &HmacKey, routes: &Routes, targets: &Targets) -> Option<String> {
        let route = routes.all().find(|route| hint(key, &self.handle, route) == self.hint)?;
        Some(targets.local(route.door()))
    }
}

impl fmt::Display for RelayState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.handle, base64_simd::URL_SAFE_NO_PAD.encode_to_string(self.hint))
    }
}

/// Another one for each login, so that a provider cannot tell which logins are for the same part of the service. 48 bits
/// are plenty: who guesses right is shown a link that anyone may follow.
fn hint(key: &HmacKey, handle: &Handle, route: &Route) -> [u8; HINT_LEN] {
    let [a, b, c, d, e, f, ..] = key.tag(&[b"route", handle.to_string().as_bytes(), route.name.as_str().as_bytes()]);
    [a, b, c, d, e, f]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::limits::RELAY_STATE_BYTES;
    use crate::base::{RouteName, Secret};
    use crate::crypto::digest::SystemRandom;
    use crate::policy::Access;
    use crate::session::Instance;

    fn route(pattern: &str) -> Route {
        let (loa, require, eid, forward) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (bearer, scopes) = (Vec::new(), Vec::new());
        Route {
            name: RouteName::new(pattern),
            access: Access::Session,
            loa,
            require,
            eid,
            bearer,
            scopes,
            forward,
            max_age: None,
            background: false,
        }
    }

    #[test]
    fn it_leads_back_to_the_route_and_tells_a_provider_nothing() {
        let random = SystemRandom::new();
        let instance = Instance::new(&random).unwrap();
        let (key, other) = (HmacKey::new(&Secret::new([1; 32])), HmacKey::new(&Secret::new([2; 32])));
        let routes = Routes::new(["/ansokan/*", "/ansokan/klar", "/*"].map(route).into(), Vec::new());
        let targets = Targets::new("https://e.example.se", "", "/eid");
        let app = Targets::new("https://e.example.se", "/app", "/eid");
        for (path, door) in [("/ansokan/1", "/ansokan"), ("/ansokan/klar", "/ansokan/klar"), ("/x", "/")] {
            let route = routes.find(path);
            let handle = Handle::new(&instance, &random).unwrap();
            let sent = RelayState::new(&key, handle, route).to_string();
            assert!(sent.len() <= RELAY_STATE_BYTES, "{sent}");
            let back = RelayState::parse(&sent).unwrap();
            assert_eq!(back.handle, handle);
            assert_eq!(back.door(&key, &routes, &targets).as_deref(), Some(door));
            assert_eq!(back.door(&other, &routes, &targets), None, "another service's");
            assert_eq!(back.door(&key, &Routes::new(Vec::new(), Vec::new()), &targets), None, "no such route any more");
            assert_eq!(back.door(&key, &routes, &app).as_deref(), Some("/app/"), "never out of the service");
            let again = RelayState::new(&key, Handle::new(&instance, &random).unwrap(), route).to_string();
            assert_ne!(sent[sent.len() - HINT_TEXT_LEN..], again[again.len() - HINT_TEXT_LEN..], "{path}");
        }
        // A path that no route names leads to the front page.
        let bare = Routes::new(Vec::new(), Vec::new());
        let handle = Handle::new(&instance, &random).unwrap();
        let state = RelayState::new(&key, handle, bare.find("/x"));
        assert_eq!(state.door(&key, &bare, &targets).as_deref(), Some("/"));
        for bad in ["", "x", &handle.to_string(), &format!("{state}A"), &"å".repeat(17), &"=".repeat(35)] {
            assert!(RelayState::parse(bad).is_none(), "{bad}");
        }
    }
}
