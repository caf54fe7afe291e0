//! `[session]` and `[logout]`.

use std::time::Duration;

use super::reader::Section;
use crate::policy::normal_path;

const MINUTE: Duration = Duration::from_secs(60);

/// `[session]`.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Without a request for so long, it ends.
    pub idle_timeout: Duration,
    /// After so long, it ends.
    pub lifetime: Duration,
}

/// `[logout]`: what a logout does beside ending the session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogoutConfig {
    /// Where the e-service is told that a session is over, by a POST: a path of its own in normal form.
    pub upstream_path: Option<String>,
    /// Cookies of the e-service that end with the session.
    pub clear_cookies: Vec<String>,
}

pub(super) fn read_session(root: &mut Section<'_>) -> SessionConfig {
    let mut out = SessionConfig { idle_timeout: 30 * MINUTE, lifetime: 480 * MINUTE };
    let Some(mut s) = root.section("session") else { return out };
    out.idle_timeout = s.duration("idle_timeout", out.idle_timeout);
    out.lifetime = s.duration("lifetime", out.lifetime);
    if out.idle_timeout.is_zero() || out.lifetime.is_zero() {
        s.problem(&s.at().clone(), "a session needs an `idle_timeout` and a `lifetime` above zero");
    }
    if out.idle_timeout > out.lifetime {
        s.problem(&s.at().clone(), "`idle_timeout` is longer than `lifetime`");
    }
    s.finish();
    out
}

/// `prefix` is that of our own paths, which the e-service never sees.
pub(super) fn read_logout(root: &mut Section<'_>, prefix: &str) -> LogoutConfig {
    let Some(mut s) = root.section("logout") else { return LogoutConfig::default() };
    let path = s.text("upstream_path").and_then(|path| {
        let own = path.text == prefix || path.text.starts_with(&format!("{prefix}/"));
        let good = normal_path(&path.text).as_deref() == Ok(path.text.as_str()) && !own;
        if !good {
            s.problem(&path.at, "`upstream_path` must be a path of the e-service in normal form, such as \"/logout\"");
        }
        good.then_some(path.text)
    });
    let mut clear_cookies: Vec<String> = Vec::new();
    for name in s.some_texts("clear_cookies") {
        // A token (RFC 6265, 4.1.1).
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.text.is_empty() || !name.text.bytes().all(token) {
            s.problem(&name.at, format!("`clear_cookies`: {:?} is no name of a cookie", name.text));
        } else if name.text.starts_with("__Host-eid-") || name.text.starts_with("eid-") {
            s.problem(
                &name.at,
                format!("`clear_cookies`: {:?} may be one of ours, which end by themselves", name.text),
            );
        } else if clear_cookies.contains(&name.text) {
            s.problem(&name.at, format!("`clear_cookies` names {:?} twice", name.text));
        } else {
            clear_cookies.push(name.text);
        }
    }
    s.finish();
    LogoutConfig { upstream_path: path, clear_cookies }
}
