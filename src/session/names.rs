//! The names of our cookies.

use super::Handle;
use crate::base::ServiceId;

/// Names for one service. With `__Host-` a browser takes a cookie from our own host over TLS only, so that no
/// neighbour can plant one; a loopback `http` base_url cannot have it.
#[derive(Clone, Debug)]
pub struct CookieNames {
    session: String,
    confirm: String,
    fresh: String,
    last: String,
    secure: bool,
}

impl CookieNames {
    /// `secure` is false on a loopback `http` base_url only.
    pub fn new(service: &ServiceId, secure: bool) -> Self {
        let session = format!("{}eid-{service}", if secure { "__Host-" } else { "" });
        let (confirm, fresh) = (format!("{session}-confirm"), format!("{session}-fresh"));
        // Not of the family of the others, which all begin with the session's name.
        let last = format!("{}last-eid-{service}", if secure { "__Host-" } else { "" });
        Self { session, confirm, fresh, last, secure }
    }

    /// The session's cookie.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// The cookie of a login that waits for the person's yes.
    pub fn confirm(&self) -> &str {
        &self.confirm
    }

    /// The cookie that holds the name of the e-ID that was used last, and nothing else.
    pub fn last(&self) -> &str {
        &self.last
    }

    /// The cookie that says that this browser's next login must be a fresh one: somebody logged out in it.
    pub fn fresh(&self) -> &str {
        &self.fresh
    }

    /// The cookie of a begun login.
    pub fn login(&self, handle: &Handle) -> String {
        format!("{}-{handle}", self.session)
    }

    /// The handle, when `name` is one of a begun login of ours.
    pub fn login_handle(&self, name: &str) -> Option<Handle> {
        Handle::parse(name.strip_prefix(&self.session)?.strip_prefix('-')?)
    }

    /// Whether `name` is one of our cookies: the e-service neither sees nor sets it.
    pub fn is_ours(&self, name: &str) -> bool {
        let own = [&self.session, &self.confirm, &self.fresh, &self.last];
        own.iter().any(|own| *own == name) || self.login_handle(name).is_some()
    }

    /// Whether they carry `Secure`.
    pub const fn secure(&self) -> bool {
        self.secure
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Instance;
    use super::*;
    use crate::crypto::digest::SystemRandom;

    #[test]
    fn names_are_as_promised_and_known_again() {
        let names = CookieNames::new(&ServiceId::new("etjanst").unwrap(), true);
        assert_eq!(names.session(), "__Host-eid-etjanst");
        let random = SystemRandom::new();
        let handle = Handle::new(&Instance::new(&random).unwrap(), &random).unwrap();
        let name = names.login(&handle);
        assert_eq!(name, format!("__Host-eid-etjanst-{handle}"));
        assert_eq!(names.login_handle(&name), Some(handle));
        for ours in [names.session(), names.confirm(), names.fresh(), names.last(), &name] {
            assert!(names.is_ours(ours), "{ours}");
        }
        for other in ["__Host-eid-etjanst-x", "__Host-eid-etjanst2", "eid-etjanst", "sid", ""] {
            assert!(!names.is_ours(other), "{other}");
        }
        let plain = CookieNames::new(&ServiceId::new("etjanst").unwrap(), false);
        assert_eq!(plain.session(), "eid-etjanst");
    }
}
