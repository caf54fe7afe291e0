//! Why a fetch failed: told apart as finely as an operator or a health probe needs it, each with a stable code.

use std::fmt;

use crate::base::redact;

/// How far a fetch had come when its time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Name, TCP, proxy or TLS.
    Connect,
    /// The request was sent; no head of an answer came.
    Head,
    /// The body came too slowly.
    Body,
}

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// Nobody that we trust vouches for it: an inspecting proxy, or a private authority without `[network] ca_file`.
    UnknownIssuer,
    /// It has expired.
    Expired,
    /// It is not valid yet: or our clock is wrong.
    NotYetValid,
    /// It is for another name.
    WrongName,
    /// Anything else: no common version or cipher, an alert, not TLS at all.
    Other,
}

/// Why there is no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The host's name was not resolved.
    #[error("cannot resolve {host}: {detail}")]
    Dns {
        /// The host.
        host: String,
        /// What the resolver said.
        detail: String,
    },
    /// No address of the host takes TCP connections.
    #[error("cannot connect to {host}: {detail}")]
    Connect {
        /// The host, or the proxy.
        host: String,
        /// What the last attempt said.
        detail: String,
    },
    /// The proxy cannot be reached, or refused to connect us.
    #[error("the proxy {proxy} {detail}")]
    Proxy {
        /// The proxy, without credentials.
        proxy: String,
        /// What it did.
        detail: String,
        /// The status it answered CONNECT with.
        status: Option<u16>,
    },
    /// No TLS with the host.
    #[error("no TLS with {host}: {detail}{}", issued(.issuer))]
    Tls {
        /// The host.
        host: String,
        /// What kind of fault.
        fault: TlsFault,
        /// What the library said.
        detail: String,
        /// Who issued the certificate that was refused.
        issuer: Option<String>,
    },
    /// It took too long.
    #[error("took too long: {}", .0.words())]
    Timeout(Stage),
    /// What came is no answer in HTTP, or broke off.
    #[error("no whole answer: {0}")]
    Broken(String),
    /// The answer leads elsewhere. We go only where the configuration says.
    #[error("answered {status} and leads to {location:?}, which the configuration does not name")]
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// Where to: the host and the path, as far as it can hold nothing of anybody.
        location: String,
    },
    /// Another status than was needed.
    #[error("answered {0}")]
    Status(u16),
    /// The body is larger than the limit.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The request itself cannot be made: a mistake of ours.
    #[error("cannot be asked: {0}")]
    Request(String),
}

fn issued(issuer: &Option<String>) -> String {
    issuer.as_ref().map_or_else(String::new, |issuer| format!(" (the certificate was issued by {issuer:?})"))
}

impl Stage {
    const fn words(self) -> &'static str {
        match self {
            Self::Connect => "no connection in time",
            Self::Head => "no answer in time",
            Self::Body => "the answer did not end in time",
        }
    }
}

impl FetchError {
    /// Every code there is: a closed set, fit for a metric label.
    pub const CODES: [&'static str; 16] = [
        "dns",
        "tcp_connect",
        "proxy",
        "tls_unknown_issuer",
        "tls_expired",
        "tls_not_yet_valid",
        "tls_wrong_name",
        "tls_failed",
        "timeout_connect",
        "timeout_head",
        "timeout_body",
        "http_broken",
        "http_redirect",
        "http_status",
        "answer_too_large",
        "request_impossible",
    ];

    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Dns { .. } => "dns",
            Self::Connect { .. } => "tcp_connect",
            Self::Proxy { .. } => "proxy",
            Self::Tls { fault: TlsFault::UnknownIssuer, .. } => "tls_unknown_issuer",
            Self::Tls { fault: TlsFault::Expired, .. } => "tls_expired",
            Self::Tls { fault: TlsFault::NotYetValid, .. } => "tls_not_yet_valid",
            Self::Tls { fault: TlsFault::WrongName, .. } => "tls_wrong_name",
            Self::Tls { fault: TlsFault::Other, .. } => "tls_failed",
            Self::Timeout(Stage::Connect) => "timeout_connect",
            Self::Timeout(Stage::Head) => "timeout_head",
            Self::Timeout(Stage::Body) => "timeout_body",
            Self::Broken(_) => "http_broken",
            Self::Redirect { .. } => "http_redirect",
            Self::Status(_) => "http_status",
            Self::TooLarge { .. } => "answer_too_large",
            Self::Request(_) => "request_impossible",
        }
    }

    /// Whether it failed before a byte of TCP reached the host: then the fault may be our own way out, and says nothing
    /// of the host.
    pub const fn before_the_host(&self) -> bool {
        matches!(self, Self::Dns { .. } | Self::Connect { .. } | Self::Proxy { .. } | Self::Timeout(Stage::Connect))
    }
}

/// The longest part of a path that is told: beyond it, it may be a token.
const PATH_PART_BYTES: usize = 32;

/// Where an answer leads to, for a log: the host and the path. What follows may be what we had sent there, such as a code,
/// and so may long parts of the path; a name before the host, and a number that may be somebody's, are not told.
pub(super) fn place(location: &str) -> String {
    let (place, more) = match location.split_once(['?', '#']) {
        Some((place, _)) => (place, "…"),
        None => (location, ""),
    };
    let (scheme, rest) = match place.split_once("//") {
        Some((scheme, rest)) => (format!("{scheme}//"), rest),
        None => (String::new(), place),
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // Without a scheme there is no host: it is all path.
    let host = if scheme.is_empty() { cut(host) } else { host.rsplit('@').next().unwrap_or_default() };
    let path: Vec<&str> = path.split('/').map(cut).collect();
    told(redact::numbers(&format!("{scheme}{host}{}{more}", path.join("/"))))
}

fn cut(part: &str) -> &str {
    if part.len() > PATH_PART_BYTES { "…" } else { part }
}

/// What a library or a peer said, on one line and cut to a length.
pub(super) fn told(what: impl fmt::Display) -> String {
    let mut text: String = what.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.len() > 200 {
        text.truncate(text.floor_char_boundary(200));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_an_answer_leads_is_told_without_what_it_may_hold() {
        for (location, expect) in [
            ("https://md.example.net/feed.xml", "https://md.example.net/feed.xml"),
            ("https://op.example.se/login?code=SplxlOBeZQQYbYS6WxSbIA&state=x", "https://op.example.se/login…"),
            ("https://op.example.se/#access_token=abc", "https://op.example.se/…"),
            ("https://user:secret@op.example.se/x", "https://op.example.se/x"),
            ("https://op.example.se/p/195006262546", "https://op.example.se/p/[number]"),
            ("/moved/here?id=1", "/moved/here…"),
            ("elsewhere", "elsewhere"),
            ("//op.example.se/x", "//op.example.se/x"),
            ("https://op.example.se", "https://op.example.se"),
            ("/r/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl/x", "/r/…/x"),
            ("https://op.example.se/a\nb", "https://op.example.se/a b"),
            ("", ""),
        ] {
            assert_eq!(place(location), expect);
        }
    }

    #[test]
    fn codes_are_stable_and_all_listed() {
        let mut seen = std::collections::HashSet::new();
        for code in FetchError::CODES {
            assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code}");
            assert!(seen.insert(code), "{code} stands twice");
        }
        let tls = |fault| FetchError::Tls { host: "h".into(), fault, detail: "d".into(), issuer: None };
        for (error, code) in [
            (tls(TlsFault::UnknownIssuer), "tls_unknown_issuer"),
            (tls(TlsFault::Other), "tls_failed"),
            (FetchError::Timeout(Stage::Body), "timeout_body"),
            (FetchError::Status(500), "http_status"),
        ] {
            assert_eq!(error.code(), code);
            assert!(seen.contains(code));
        }
    }

    #[test]
    fn what_was_told_stays_on_one_line() {
        assert_eq!(told("a\nb"), "a b");
        assert!(told("å".repeat(300)).len() < 210);
        let issuer = FetchError::Tls {
            host: "md.example.se".into(),
            fault: TlsFault::UnknownIssuer,
            detail: "invalid".into(),
            issuer: Some("CN=Inspektion AB".into()),
        };
        assert_eq!(
            issuer.to_string(),
            "no TLS with md.example.se: invalid (the certificate was issued by \"CN=Inspektion AB\")"
        );
    }
}
