//! A browser's cookie jar, with the rules that decide whether a login works: sites, SameSite, Secure, `__Host-`
//! (RFC 6265bis). Expiry follows `Max-Age` 0 only: a test's browser does not live long.

/// What a request is, as far as cookies care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// The page that began the request is of the same site, or a person typed the address.
    SameSite,
    /// A link, form with GET or redirect from another site, in the address bar.
    CrossSiteNavigation,
    /// A POST or a script's request from another site.
    CrossSiteOther,
}

/// A cookie in the jar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The host that set it: sent to this host only, on any port.
    pub host: String,
    /// Secure.
    pub secure: bool,
    /// HttpOnly.
    pub http_only: bool,
    /// SameSite as written: `Lax`, `None`, `Strict`; none when it was not.
    pub same_site: Option<String>,
    /// The whole header, as it was set.
    pub raw: String,
}

/// The jar.
#[derive(Clone, Debug, Default)]
pub struct Jar {
    cookies: Vec<Cookie>,
}

/// The site of a host: its last two labels. `etjanst.localhost` and `bankid.localhost` are two sites, because
/// `localhost` is a public suffix to browsers; two ports of one host are one site.
pub fn site(host: &str) -> &str {
    let mut dots = host.rmatch_indices('.').map(|(at, _)| at);
    let numeric = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match dots.nth(1) {
        Some(at) if !numeric => host.get(at + 1..).unwrap_or(host),
        _ => host,
    }
}

impl Jar {
    /// Takes a `Set-Cookie` header that came from `host` over `scheme`. What a browser would throw away is thrown away.
    pub fn set(&mut self, host: &str, scheme: &str, header: &str) {
        let mut parts = header.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let attributes: Vec<(String, &str)> = parts
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
            .collect();
        let get = |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
        let secure = get("secure").is_some();
        let https = scheme == "https";
        if secure && !https {
            return;
        }
        if name.starts_with("__Host-") && !(secure && get("path") == Some("/") && get("domain").is_none()) {
            return;
        }
        let same_site = get("samesite").map(str::to_owned);
        if same_site.as_deref().is_some_and(|s| s.eq_ignore_ascii_case("none")) && !secure {
            return;
        }
        self.cookies.retain(|c| !(c.host == host && c.name == name));
        if get("max-age") == Some("0") {
            return;
        }
        self.cookies.push(Cookie {
            name: name.to_owned(),
            value: value.to_owned(),
            host: host.to_owned(),
            secure,
            http_only: get("httponly").is_some(),
            same_site,
            raw: header.to_owned(),
        });
    }

    /// The `Cookie` header for a request, if any cookie goes along.
    pub fn header(&self, host: &str, scheme: &str, context: Context) -> Option<String> {
        let sent: Vec<String> = self
            .cookies
            .iter()
            .filter(|c| c.host == host && (!c.secure || scheme == "https"))
            .filter(|c| {
                let same_site = c.same_site.as_deref().unwrap_or("Lax").to_ascii_lowercase();
                match context {
                    Context::SameSite => true,
                    Context::CrossSiteNavigation => same_site != "strict",
                    Context::CrossSiteOther => same_site == "none",
                }
            })
            .map(|c| format!("{}={}", c.name, c.value))
            .collect();
        if sent.is_empty() { None } else { Some(sent.join("; ")) }
    }

    /// Every cookie, oldest first.
    pub fn all(&self) -> &[Cookie] {
        &self.cookies
    }

    /// Every cookie, for a test that tampers.
    pub fn all_mut(&mut self) -> &mut Vec<Cookie> {
        &mut self.cookies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_what_browsers_take_for_sites() {
        for (host, of) in [
            ("etjanst.localhost", "etjanst.localhost"),
            ("a.etjanst.localhost", "etjanst.localhost"),
            ("localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("www.example.se", "example.se"),
        ] {
            assert_eq!(site(host), of);
        }
    }

    #[test]
    fn lax_cookies_stay_behind_on_a_post_from_another_site() {
        let mut jar = Jar::default();
        jar.set("a.localhost", "http", "lax=1; Path=/; SameSite=Lax");
        jar.set("a.localhost", "http", "none=1; Path=/; SameSite=None");
        jar.set("a.localhost", "https", "both=1; Path=/; SameSite=None; Secure");
        jar.set("a.localhost", "http", "__Host-x=1; Path=/");
        let header = |scheme, context| jar.header("a.localhost", scheme, context);
        assert_eq!(header("http", Context::SameSite).as_deref(), Some("lax=1"));
        assert_eq!(header("https", Context::CrossSiteNavigation).as_deref(), Some("lax=1; both=1"));
        assert_eq!(header("https", Context::CrossSiteOther).as_deref(), Some("both=1"));
        assert_eq!(header("http", Context::CrossSiteOther), None);
        assert_eq!(jar.header("b.localhost", "http", Context::SameSite), None);
    }
}
