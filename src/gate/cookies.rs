//! Cookies as the gate sees them: pairs in, orders to set or expire out.

use std::time::Duration;

/// The cookies of one request, as (name, value) pairs in the order of the `Cookie` header. A name may stand twice.
#[derive(Clone, Copy, Default)]
pub struct Cookies<'a>(&'a [(&'a str, &'a str)]);

impl<'a> Cookies<'a> {
    /// The pairs, as split from the header: no decoding of any kind.
    pub const fn new(pairs: &'a [(&'a str, &'a str)]) -> Self {
        Self(pairs)
    }

    /// Every value of `name`. A second one can be planted by a neighbouring host where there is no `__Host-` prefix;
    /// which is ours is decided by opening them.
    pub fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.0.iter().filter(move |(n, _)| *n == name).map(|(_, value)| *value)
    }

    /// All pairs.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.0.iter().copied()
    }
}

/// When a browser sends a cookie along from another site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Only when the person follows a link.
    Lax,
    /// Always: the provider's form posts to us from its own site.
    None,
}

/// An order to set or expire one cookie. Always `Path=/` and `HttpOnly`, never with a Domain.
#[derive(Clone, PartialEq, Eq)]
pub struct SetCookie {
    /// The name, in the alphabet of tokens.
    pub name: String,
    /// The value in base64url; none expires the cookie.
    pub value: Option<String>,
    /// How long the browser keeps it; none: until it closes.
    pub max_age: Option<Duration>,
    /// SameSite.
    pub same_site: SameSite,
    /// Secure: always, but on a loopback `http` base_url.
    pub secure: bool,
}
