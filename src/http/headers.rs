//! Header names that are ours, in every spelling that an e-service might take for them.
//!
//! PHP, CGI and WSGI fold `-`, `_` and, in places, `.` into one: `X_Eid_Subject` reaches the application as our header
//! does (T43). So every inbound name that folds to one of ours is removed, on every path, before anything else.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, CONNECTION, HeaderName, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};

use crate::config::HeaderNames;
use crate::gate::{IdentityHeader, IdentityHeaders};
use crate::identity::Field;

/// Everything that begins so is ours.
const OURS: &str = "x-eid-";

/// What proxies tell of the client, of who it is, and of the request as they saw it: whole families, since applications
/// behind other proxies believe them all. What an e-service needs of it is rebuilt by us.
///
/// Beside them single names of the same kind, and those by which a request asks to be taken for another one: for another
/// path (`Script-Name` reaches WSGI as the mount point), another method, or another proxy to call (`Proxy`, "httpoxy").
fn is_told_by_others(name: &str) -> bool {
    FAMILIES_OF_OTHERS.iter().any(|family| name.starts_with(family)) || is_name_of_others(name)
}

/// What the names of a family begin with. A proxy that passes requests on itself has to take them off as well: the examples
/// of `deploy/examples` are held against this list and the next.
pub const FAMILIES_OF_OTHERS: [&str; 7] =
    ["x-forwarded-", "x-auth-request-", "x-original-", "x-envoy-", "x-ssl-", "ssl-client-", "x-arr-"];

macro_rules! names_of_others {
    ($( $name:literal )*) => {
        /// Single names beside the families.
        pub const NAMES_OF_OTHERS: &[&str] = &[$( $name ),*];

        fn is_name_of_others(name: &str) -> bool {
            matches!(name, $( $name )|*)
        }
    };
}

names_of_others! {
    "cf-connecting-ip"
    "client-ip"
    "forwarded"
    "path-info"
    "proxy"
    "remote-user"
    "script-name"
    "true-client-ip"
    "x-client-ip"
    "x-cluster-client-ip"
    "x-forwarded"
    "x-host"
    "x-http-method"
    "x-http-method-override"
    "x-method-override"
    "x-real-ip"
    "x-remote-user"
    "x-rewrite-url"
}

/// Headers that concern one connection (RFC 9110, 7.6.1) and end with it. `Trailer` is among them: what it announces
/// reaches an application as headers do, after ours were looked at (T43).
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// What may not come after a body (RFC 9110, 6.5.1): whoever merges trailers with the headers would take it for something
/// that was looked at before. Content and range fields are among them, and all that says who asks.
fn is_for_heads_only(name: &str) -> bool {
    name.starts_with("content-")
        || name.starts_with("if-")
        || name.starts_with("sec-")
        || matches!(
            name,
            "accept-encoding"
                | "age"
                | "authorization"
                | "cache-control"
                | "cookie"
                | "date"
                | "expect"
                | "expires"
                | "host"
                | "location"
                | "max-forwards"
                | "origin"
                | "pragma"
                | "range"
                | "retry-after"
                | "set-cookie"
                | "vary"
                | "warning"
                | "www-authenticate"
        )
}

/// Takes out of the e-service's trailers what has no place there.
pub fn clean_answer_trailers(trailers: &mut HeaderMap) {
    remove_all(trailers, |name| is_hop_by_hop(name) || is_for_heads_only(name));
}

/// Removes every header whose name `goes`: one look at each name, and most of the time nothing is removed.
fn remove_all(headers: &mut HeaderMap, goes: impl Fn(&str) -> bool) {
    let gone: Vec<HeaderName> = headers.keys().filter(|name| goes(name.as_str())).cloned().collect();
    gone.iter().for_each(|name| drop(headers.remove(name)));
}

/// The names that carry identities, made once from the configuration.
pub struct IdentityNames {
    /// Further names, folded.
    also: Vec<String>,
    /// Which header gives a further name its value.
    copies: Vec<(IdentityHeader, HeaderName)>,
}

impl IdentityNames {
    /// From the configured mapping; the standard names are always there.
    pub fn new(names: &HeaderNames) -> Self {
        let mut copies = Vec::new();
        for (field, name) in &names.also {
            let header = match Field::parse(field) {
                Some(field) => IdentityHeader::of(field),
                None => IdentityHeader::Subject,
            };
            copies.extend(HeaderName::from_bytes(name.as_bytes()).ok().map(|name| (header, name)));
        }
        Self { also: names.also.iter().map(|(_, name)| fold(name)).collect(), copies }
    }

    /// The further names that the configuration maps an identity to.
    pub fn mapped(&self) -> impl Iterator<Item = &str> {
        self.copies.iter().map(|(_, name)| name.as_str())
    }

    /// Whether an inbound name folds to one of ours.
    fn is_ours(&self, name: &str) -> bool {
        let folded: Cow<'_, str> = if is_plain(name) { name.into() } else { fold(name).into() };
        folded.starts_with(OURS) || self.also.iter().any(|own| *own == folded)
    }

    /// Removes every inbound header that folds to one of ours, and every one whose name has other characters than
    /// letters, digits and hyphens: an application may take it for any other header. Returns how many were ours.
    pub fn strip(&self, headers: &mut HeaderMap) -> usize {
        let suspect = |name: &&HeaderName| !is_plain(name.as_str()) || self.is_ours(name.as_str());
        let gone: Vec<HeaderName> = headers.keys().filter(suspect).cloned().collect();
        let mut forged = 0;
        for name in gone {
            if self.is_ours(name.as_str()) {
                forged += headers.get_all(&name).iter().count();
            }
            headers.remove(&name);
        }
        forged
    }

    /// Takes out of a request's trailers what is ours, what an application could take for it, what others tell of the
    /// client, and what has no place in trailers: applications that merge them with the headers would believe it (T43).
    pub fn clean_trailers(&self, trailers: &mut HeaderMap) {
        self.strip(trailers);
        remove_all(trailers, |name| is_hop_by_hop(name) || is_told_by_others(name) || is_for_heads_only(name));
    }

    /// Adds the identity. Called last, so that nothing the client sent can take a header away again (T44).
    pub fn attach(&self, headers: &mut HeaderMap, identity: &IdentityHeaders) {
        // Made once for a session on a route: a token has a thousand bytes to look at.
        let made;
        let Prepared(list) = match identity.prepared(|identity| self.prepare(identity)) {
            Some(kept) => kept,
            None => {
                made = self.prepare(identity);
                &made
            }
        };
        for (name, value) in list {
            headers.insert(name, value.clone());
        }
    }

    fn prepare(&self, identity: &IdentityHeaders) -> Prepared {
        let mut list = Vec::new();
        for (header, value) in identity.iter() {
            // Checked when the headers were built: visible ASCII.
            let Ok(value) = HeaderValue::from_maybe_shared(value.clone()) else { continue };
            for (_, name) in self.copies.iter().filter(|(of, _)| *of == header) {
                list.push((name.clone(), value.clone()));
            }
            list.push((HeaderName::from_static(header.name()), value));
        }
        Prepared(list)
    }
}

/// The identity as headers of a request.
struct Prepared(Vec<(HeaderName, HeaderValue)>);

/// Whether a name in lower case, as `http` keeps them, has letters, digits and hyphens only: the one form that every
/// server reads alike.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Lower case, and every character but letters and digits as a hyphen.
pub fn fold(name: &str) -> String {
    name.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b.to_ascii_lowercase()) } else { '-' }).collect()
}

/// What a client cannot take away by naming it in `Connection` (T44): what the next hop relies on, and what a proxy that
/// we trust tells of the client.
fn is_end_to_end(name: &str) -> bool {
    matches!(name, "host" | "cookie" | "content-length" | "content-type" | "authorization")
        || name.starts_with("x-forwarded-")
}

/// Removes what concerns one connection: the fixed list, and what `Connection` names.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    clean(headers, is_hop_by_hop);
}

/// The same of a request, and every header that tells of the client or of the request as some proxy saw it: at one look.
/// Other spellings of those are gone by now: [`IdentityNames::strip`] comes first.
pub fn remove_what_ends_here(headers: &mut HeaderMap) {
    clean(headers, |name| is_hop_by_hop(name) || is_told_by_others(name));
}

/// Removes every header whose name `goes`, what `Connection` names, and what authenticates a connection. Each name is looked at
/// once; what is not there is not looked up again.
fn clean(headers: &mut HeaderMap, goes: impl Fn(&str) -> bool) {
    let mut gone = Vec::new();
    let (mut names_others, mut authenticates) = (false, false);
    for name in headers.keys() {
        names_others |= *name == CONNECTION;
        authenticates |= *name == AUTHORIZATION || *name == WWW_AUTHENTICATE;
        if goes(name.as_str()) {
            gone.push(name.clone());
        }
    }
    if names_others {
        remove_named_by_connection(headers);
    }
    gone.iter().for_each(|name: &HeaderName| drop(headers.remove(name)));
    if authenticates {
        remove_connection_authentication(headers);
    }
}

fn remove_named_by_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .filter(|name| !is_end_to_end(name.as_str()))
        .collect();
    named.iter().for_each(|name| drop(headers.remove(name)));
}

/// Removes what authenticates a connection instead of a request (NTLM, and Negotiate where it falls back to it): our
/// connections to the e-service are shared, and whoever came next would be taken for the one before (T58).
fn remove_connection_authentication(headers: &mut HeaderMap) {
    let of_connection = |value: &HeaderValue| {
        // A token of a thousand bytes has no comma: found out at a few bytes a step.
        let mut rest = Some(value.as_bytes());
        let parts = std::iter::from_fn(|| {
            let all = rest?;
            let comma = memchr::memchr(b',', all);
            rest = comma.and_then(|at| all.get(at + 1..));
            Some(comma.and_then(|at| all.get(..at)).unwrap_or(all))
        });
        parts
            .filter_map(|part| part.trim_ascii().split(u8::is_ascii_whitespace).next())
            .any(|scheme| scheme.eq_ignore_ascii_case(b"ntlm") || scheme.eq_ignore_ascii_case(b"negotiate"))
    };
    for name in [AUTHORIZATION, WWW_AUTHENTICATE] {
        if headers.get_all(&name).iter().any(of_connection) {
            let kept: Vec<HeaderValue> = headers.get_all(&name).iter().filter(|v| !of_connection(v)).cloned().collect();
            headers.remove(&name);
            kept.into_iter().for_each(|value| _ = headers.append(&name, value));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn headers(names: &[&str]) -> HeaderMap {
        let mut out = HeaderMap::new();
        for name in names {
            out.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static("forged"));
        }
        out
    }

    #[test]
    fn every_spelling_of_ours_is_removed() {
        let names = IdentityNames::new(&HeaderNames { also: vec![("subject".into(), "x-forwarded-user".into())] });
        for forged in [
            "X-Eid-Subject",
            "x-eid-subject",
            "X_Eid_Subject",
            "X.Eid.Subject",
            "x-eid_personal-number",
            "X_EID-Loa",
            "x-eid-",
            "x-eid-anything-new",
            "x~eid~subject",
            "x!eid-loa",
            "X-Forwarded-User",
            "x_forwarded_user",
        ] {
            let mut map = headers(&[forged, "accept", "x-eidos"]);
            assert_eq!(names.strip(&mut map), 1, "{forged}");
            assert!(map.contains_key("accept") && map.contains_key("x-eidos") && map.len() == 2, "{forged}");
        }
        let mut twice = headers(&["x-eid-loa", "x-eid-loa", "x_eid_loa"]);
        assert_eq!(names.strip(&mut twice), 3);
        assert!(twice.is_empty());
    }

    #[test]
    fn a_name_that_servers_read_in_two_ways_goes_no_further() {
        let names = IdentityNames::new(&HeaderNames::default());
        let mut map = headers(&["SCRIPT_NAME", "path_info", "x.forwarded.for", "x_forwarded_user", "accept", "x~y"]);
        assert_eq!(names.strip(&mut map), 0, "none of them is ours");
        assert_eq!(map.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
    }

    #[test]
    fn trailers_bring_nothing_that_a_head_says() {
        let names = IdentityNames::new(&HeaderNames { also: vec![("subject".into(), "x-user".into())] });
        let mut map = headers(&[
            "X-Eid-Subject",
            "x_eid_loa",
            "x.eid.name",
            "X-User",
            "x_user",
            "authorization",
            "cookie",
            "host",
            "content-length",
            "transfer-encoding",
            "x-forwarded-for",
            "forwarded",
            "remote-user",
            "grpc_status",
            "grpc-status",
            "x-checksum",
        ]);
        names.clean_trailers(&mut map);
        let left = |map: &HeaderMap| {
            let mut left: Vec<_> = map.keys().map(|name| name.as_str().to_owned()).collect();
            left.sort_unstable();
            left
        };
        assert_eq!(left(&map), ["grpc-status", "x-checksum"]);
        let mut map = headers(&["set-cookie", "grpc-status", "my.debug-bin", "content-type", "connection"]);
        clean_answer_trailers(&mut map);
        assert_eq!(left(&map), ["grpc-status", "my.debug-bin"]);
    }

    #[test]
    fn t58_no_authentication_of_a_connection_goes_through() {
        for (name, value, kept) in [
            (AUTHORIZATION, "NTLM TlRMTVNTUAABAAAA", false),
            (AUTHORIZATION, "negotiate YIIJ", false),
            (AUTHORIZATION, "Negotiate", false),
            (AUTHORIZATION, "Basic TlRMTQ==", true),
            (AUTHORIZATION, "Bearer ntlm", true),
            (WWW_AUTHENTICATE, "NTLM", false),
            (WWW_AUTHENTICATE, "Basic realm=\"x\", NTLM", false),
            (WWW_AUTHENTICATE, "Basic realm=\"x\"", true),
        ] {
            let mut map = HeaderMap::new();
            map.append(&name, HeaderValue::from_static("Digest a=b"));
            map.append(&name, HeaderValue::from_static(value));
            remove_hop_by_hop(&mut map);
            let left: Vec<_> = map.get_all(&name).iter().collect();
            assert_eq!(left.len(), 1 + usize::from(kept), "{name}: {value}");
            assert_eq!(left.first().copied(), Some(&HeaderValue::from_static("Digest a=b")), "{name}: {value}");
        }
    }

    #[test]
    fn connection_names_only_what_ends_here() {
        let mut map = headers(&["x-own", "accept", "host", "cookie", "upgrade", "te", "transfer-encoding"]);
        map.insert(CONNECTION, HeaderValue::from_static("close, X-Own, host,cookie"));
        remove_hop_by_hop(&mut map);
        let mut left: Vec<_> = map.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "cookie", "host"]);
    }

    #[test]
    fn what_clients_say_of_themselves_is_removed() {
        let mut map = headers(&[
            "Forwarded",
            "X-Forwarded-For",
            "X-Forwarded-Proto",
            "x-real-ip",
            "accept",
            "X-Forwarded-Access-Token",
            "X-Auth-Request-Email",
            "X-Original-URL",
            "X-Rewrite-URL",
            "X-HTTP-Method-Override",
            "Script-Name",
            "Remote-User",
            "Proxy",
        ]);
        remove_what_ends_here(&mut map);
        assert_eq!(map.len(), 1);
    }
}
