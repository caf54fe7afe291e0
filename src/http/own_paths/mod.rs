//! Our own paths, under the prefix: what each takes, and the documents among them. Nothing here is ever forwarded.

mod login;
mod oidc;
mod session;
mod slo;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use http::{HeaderMap, HeaderValue, Method, Response};

use super::navigation;
use super::pages::Site;
use super::query::Query;
use super::respond::{self, Asked, Fault};
use crate::base::ProviderId;
use crate::gate::{Cookies, Gate, IdentityHeaders};

/// The style sheet, compiled in.
pub(in crate::http) const STYLE: &str = include_str!("../../../assets/style.css");

/// What a picture may do that is opened by itself: draw.
const LOGO_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'";

/// What an e-service may put into its pages, compiled in.
const SESSION_SCRIPT: &str = include_str!("../../../assets/session.js");

/// One of our own paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnPath {
    /// `login`
    Login,
    /// `login/confirm`
    Confirm,
    /// `logout`
    Logout,
    /// `session`
    Session,
    /// `session/extend`
    Extend,
    /// `saml/acs`, and the addresses of `acs_aliases`
    Acs,
    /// `saml/logout`
    SingleLogout,
    /// `saml/metadata`
    Metadata,
    /// `oidc/callback/{provider id}`: the provider by its place among those of logins by OpenID Connect.
    Callback(usize),
    /// `oidc/backchannel`
    Backchannel,
    /// `jwks.json`
    Jwks,
    /// `assets/style.css`
    Style,
    /// `assets/session.js`
    Script,
    /// `assets/logo`, where there is one.
    Logo,
    /// Anything else under the prefix.
    Unknown,
}

impl OwnPath {
    fn named(name: &str) -> Self {
        match name {
            "login" => Self::Login,
            "login/confirm" => Self::Confirm,
            "logout" => Self::Logout,
            "session" => Self::Session,
            "session/extend" => Self::Extend,
            "saml/acs" => Self::Acs,
            "saml/logout" => Self::SingleLogout,
            "saml/metadata" => Self::Metadata,
            "oidc/backchannel" => Self::Backchannel,
            "jwks.json" => Self::Jwks,
            "assets/style.css" => Self::Style,
            "assets/session.js" => Self::Script,
            "assets/logo" => Self::Logo,
            _ => Self::Unknown,
        }
    }

    /// What it takes, as the `Allow` header writes it.
    const fn allow(self) -> &'static str {
        match self {
            Self::Login | Self::Session | Self::Metadata | Self::Jwks | Self::Style | Self::Logo | Self::Script => {
                "GET, HEAD"
            }
            // A look at the headers alone must not spend the code.
            Self::Callback(_) => "GET",
            Self::Confirm | Self::Extend | Self::Acs | Self::Backchannel => "POST",
            Self::Logout => "GET, HEAD, POST",
            // A look at the headers alone must not carry out an order.
            Self::SingleLogout => "GET, POST",
            Self::Unknown => "",
        }
    }

    fn takes(self, method: &Method) -> bool {
        self == Self::Unknown || self.allow().split(", ").any(|name| name == method.as_str())
    }

    /// Whether its form is read: the caller reads no other body.
    pub fn has_form(self, method: &Method) -> bool {
        let takes_one = matches!(self, Self::Acs | Self::Confirm | Self::Backchannel | Self::SingleLogout);
        takes_one && method == Method::POST
    }

    /// Whether a change is made in the name of whoever sends the cookies: only our own origin may ask for it.
    fn same_origin_only(self, method: &Method) -> bool {
        matches!((self, method), (Self::Logout | Self::Extend | Self::Confirm, &Method::POST))
    }
}

/// What of a request our own paths look at.
#[derive(Clone, Copy)]
pub struct OwnRequest<'r> {
    /// The method.
    pub method: &'r Method,
    /// The headers.
    pub headers: &'r HeaderMap,
    /// The query.
    pub query: Query<'r>,
    /// The cookies.
    pub cookies: Cookies<'r>,
    /// Where the client is, as far as we know it.
    pub from: Option<IpAddr>,
    /// How the e-service is told that a session is over.
    pub e_service: &'r dyn EService,
}

/// The e-service, as far as our own paths speak to it.
pub trait EService: Sync {
    /// Tells it that the session of `headers` is over. Gives whether it took that.
    fn told<'a>(&'a self, headers: Arc<IdentityHeaders>) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>>;
}

/// Our own paths, ready to answer.
pub struct OwnPaths {
    gate: Arc<Gate>,
    site: Arc<Site>,
    /// The paths of `acs_aliases`.
    acs_aliases: Vec<String>,
    /// Providers of logins by OpenID Connect: each has an address of its own.
    callbacks: Vec<ProviderId>,
}

impl OwnPaths {
    /// Puts them together. `acs_aliases` are full addresses on our origin, or paths; `callbacks` are the providers of
    /// logins by OpenID Connect.
    pub fn new(gate: Arc<Gate>, site: Arc<Site>, acs_aliases: &[String], callbacks: Vec<ProviderId>) -> Self {
        let acs_aliases =
            acs_aliases.iter().map(|alias| alias.strip_prefix(&site.origin).unwrap_or(alias).to_owned()).collect();
        Self { gate, site, acs_aliases, callbacks }
    }

    /// Which of ours `path` is, in normal form; none when it belongs to the e-service.
    pub fn find(&self, path: &str) -> Option<OwnPath> {
        match path.strip_prefix(&self.site.prefix) {
            Some("") => Some(OwnPath::Unknown),
            Some(rest) if rest.starts_with('/') => Some(self.named(rest.get(1..).unwrap_or_default())),
            _ => self.acs_aliases.iter().any(|alias| alias == path).then_some(OwnPath::Acs),
        }
    }

    fn named(&self, name: &str) -> OwnPath {
        match name.strip_prefix("oidc/callback/") {
            None => OwnPath::named(name),
            Some(id) => {
                let place = self.callbacks.iter().position(|known| known.as_str() == id);
                place.map_or(OwnPath::Unknown, OwnPath::Callback)
            }
        }
    }

    /// Refuses what `path` does not take, before any body is read.
    ///
    /// # Errors
    /// The answer: 404, 405 or 403.
    pub fn admit(&self, path: OwnPath, request: &OwnRequest<'_>) -> Result<(), Box<Response<Bytes>>> {
        let refuse = |fault| Err(Box::new(self.fault(&self.asked(request), fault)));
        if path == OwnPath::Unknown {
            return refuse(Fault::NotFound);
        }
        if !path.takes(request.method) {
            return refuse(Fault::Method(path.allow()));
        }
        // Beginning a login leaves a cookie that lasts an hour: pictures and scripts of other sites must not fill the
        // browser with them. Nor do they finish one.
        let by_navigation = matches!(path, OwnPath::Login | OwnPath::Callback(_));
        if by_navigation && navigation::is_known_subresource(request.headers) {
            return refuse(Fault::CrossSite);
        }
        if path.same_origin_only(request.method) && !navigation::is_same_origin(request.headers, &self.site.origin) {
            return refuse(Fault::CrossSite);
        }
        Ok(())
    }

    /// Answers a request that [`Self::admit`] let through. `form` is the form's body, for paths with one.
    pub async fn answer(&self, path: OwnPath, request: &OwnRequest<'_>, form: &[u8]) -> Response<Bytes> {
        match path {
            OwnPath::Login => self.login(request).await,
            OwnPath::Acs => self.acs(request, form).await,
            OwnPath::Callback(place) => without_address(self.callback(place, request).await),
            OwnPath::Backchannel => self.backchannel(form).await,
            OwnPath::Confirm => self.confirm(request, form).await,
            OwnPath::Logout if request.method == Method::POST => self.logout(request).await,
            OwnPath::Logout => self.logout_ask(request),
            OwnPath::SingleLogout => Box::pin(self.single_logout(request, form)).await,
            OwnPath::Session => self.session(request),
            OwnPath::Extend => self.extend(request),
            OwnPath::Metadata => respond::document("application/samlmetadata+xml", self.gate.sp_metadata()),
            OwnPath::Jwks => respond::document("application/jwk-set+json", self.gate.jwks()),
            OwnPath::Style => asset("text/css; charset=utf-8", Bytes::from_static(STYLE.as_bytes())),
            OwnPath::Logo => self.logo(request),
            OwnPath::Script => asset("text/javascript; charset=utf-8", Bytes::from_static(SESSION_SCRIPT.as_bytes())),
            OwnPath::Unknown => self.fault(&self.asked(request), Fault::NotFound),
        }
    }

    /// Answers a fault. A person can quote the page's reference; a program has the code.
    fn fault(&self, asked: &Asked<'_>, fault: Fault) -> Response<Bytes> {
        let reference = asked.page.then(|| self.gate.tell_fault(fault.code()));
        respond::fault(&self.site, asked, fault, reference)
    }

    fn logo(&self, request: &OwnRequest<'_>) -> Response<Bytes> {
        let Some(logo) = &self.site.own.logo else {
            return self.fault(&self.asked(request), Fault::NotFound);
        };
        let mut out = asset(logo.media_type, logo.bytes.clone());
        // Also where somebody opens it by itself, nothing in it runs or loads.
        out.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(LOGO_POLICY));
        out
    }

    /// How to answer. `navigation` is false: a refusal here never leads to `login` again, which could go on for ever.
    fn asked<'r>(&'r self, request: &OwnRequest<'r>) -> Asked<'r> {
        Asked {
            navigation: false,
            page: navigation::wants_page(request.headers),
            grpc: false,
            locale: navigation::locale(request.query.get("locale").as_deref(), request.headers),
            target: &self.site.home,
            now: self.gate.now(),
        }
    }
}

/// The address of a callback holds a code and a state: a page that is shown there tells it to nobody, not even to the
/// e-service that its links lead to (RFC 9700, 4.2.4).
fn without_address(mut answer: Response<Bytes>) -> Response<Bytes> {
    answer.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    answer
}

/// It holds nothing of anyone's: it may be kept for an hour.
fn asset(media_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut out = respond::document(media_type, body);
    out.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_takes_its_methods_and_no_other() {
        for (name, path, allow) in [
            ("login", OwnPath::Login, "GET, HEAD"),
            ("login/confirm", OwnPath::Confirm, "POST"),
            ("logout", OwnPath::Logout, "GET, HEAD, POST"),
            ("session", OwnPath::Session, "GET, HEAD"),
            ("session/extend", OwnPath::Extend, "POST"),
            ("saml/acs", OwnPath::Acs, "POST"),
            ("saml/logout", OwnPath::SingleLogout, "GET, POST"),
            ("saml/metadata", OwnPath::Metadata, "GET, HEAD"),
            ("oidc/backchannel", OwnPath::Backchannel, "POST"),
            ("jwks.json", OwnPath::Jwks, "GET, HEAD"),
            ("assets/style.css", OwnPath::Style, "GET, HEAD"),
            ("assets/session.js", OwnPath::Script, "GET, HEAD"),
            ("assets/logo", OwnPath::Logo, "GET, HEAD"),
        ] {
            assert_eq!(OwnPath::named(name), path);
            for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
                let expect = allow.split(", ").any(|m| m == method.as_str());
                assert_eq!(path.takes(&method), expect, "{name} {method}");
            }
        }
        assert!(OwnPath::Callback(0).takes(&Method::GET) && !OwnPath::Callback(0).takes(&Method::HEAD));
        for unknown in ["", "login/", "Login", "saml", "assets/../login", "jwks.jso"] {
            assert_eq!(OwnPath::named(unknown), OwnPath::Unknown, "{unknown}");
        }
    }

    #[test]
    fn only_changes_in_somebodys_name_ask_where_they_come_from() {
        assert!(OwnPath::Logout.same_origin_only(&Method::POST));
        assert!(OwnPath::Extend.same_origin_only(&Method::POST));
        assert!(OwnPath::Confirm.same_origin_only(&Method::POST));
        assert!(!OwnPath::Logout.same_origin_only(&Method::GET), "a link may lead to the question");
        assert!(!OwnPath::Acs.same_origin_only(&Method::POST), "the provider posts from its own site");
        assert!(!OwnPath::SingleLogout.same_origin_only(&Method::POST), "and its signature says who it is");
    }
}
