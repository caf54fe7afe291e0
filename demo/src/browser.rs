//! A small browser: follows redirects, keeps cookies by a browser's rules, fills in forms. Every host is reached on
//! 127.0.0.1, because names under `.localhost` are this machine and no DNS knows them.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::cookies::{Context, Jar, site};
use crate::form::{self, Form};

/// What stops the browser.
#[derive(Debug, thiserror::Error)]
pub enum BrowseError {
    /// The address cannot be read, or has no host.
    #[error("not an address that can be visited: {0}")]
    Address(String),
    /// Nobody answers, or not in HTTP.
    #[error("no answer from {0}: {1}")]
    NoAnswer(String, String),
    /// More redirects than a browser takes.
    #[error("redirects without end at {0}")]
    Loop(String),
    /// The page has no such form.
    #[error("the page {0} has no form to send")]
    NoForm(String),
}

/// A page that was reached.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its address, after redirects.
    pub url: String,
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its text; what is no UTF-8 is replaced.
    pub body: String,
}

impl Page {
    /// Its forms.
    pub fn forms(&self) -> Vec<Form> {
        form::forms(&self.body)
    }

    /// A header's value, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }
}

/// The browser.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// Its cookies.
    pub jar: Jar,
    /// Headers that it sends with every request, besides its own.
    pub extra: Vec<(String, String)>,
    program: bool,
}

struct Target {
    scheme: String,
    host: String,
    port: u16,
    path: String,
}

fn target(url: &str) -> Result<Target, BrowseError> {
    let bad = || BrowseError::Address(url.to_owned());
    let uri: Uri = url.split('#').next().unwrap_or_default().parse().map_err(|_| bad())?;
    let scheme = uri.scheme_str().ok_or_else(bad)?.to_owned();
    let host = uri.host().ok_or_else(bad)?.to_owned();
    let port = uri.port_u16().unwrap_or(80);
    let path = uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
    Ok(Target { scheme, host, port, path })
}

/// `reference` as seen from the page at `base` (RFC 3986, 5.2, for the forms that pages here use).
pub fn resolve(base: &str, reference: &str) -> String {
    if reference.starts_with("http://") || reference.starts_with("https://") {
        return reference.to_owned();
    }
    let origin_end = base.find("://").and_then(|at| base.get(at + 3..)?.find('/').map(|p| at + 3 + p));
    let (origin, path) = base.split_at(origin_end.unwrap_or(base.len()));
    let path = path.split(['?', '#']).next().unwrap_or_default();
    match reference.as_bytes().first() {
        None => base.to_owned(),
        Some(b'/') => format!("{origin}{reference}"),
        Some(b'?') => format!("{origin}{path}{reference}"),
        Some(_) => {
            let folder = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or("/");
            format!("{origin}{folder}{reference}")
        }
    }
}

impl Browser {
    /// A browser without cookies.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that asks for JSON and says nothing of navigation: the answers are then for a program.
    pub fn program() -> Self {
        Self { program: true, ..Self::default() }
    }

    /// Visits an address as if a person typed it, and follows redirects.
    ///
    /// # Errors
    /// [`BrowseError`] when nobody answers or redirects do not end. A page with an error status is a page.
    pub async fn open(&mut self, url: &str) -> Result<Page, BrowseError> {
        self.navigate(Method::GET, url.to_owned(), None, None).await
    }

    /// Follows a link on `from`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn follow(&mut self, from: &Page, reference: &str) -> Result<Page, BrowseError> {
        let url = resolve(&from.url, reference);
        self.navigate(Method::GET, url, None, Some(&from.url)).await
    }

    /// Sends a form that stands on `from`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn submit(&mut self, from: &Page, form: &Form) -> Result<Page, BrowseError> {
        let url = resolve(&from.url, &form.action);
        let body = form::encode(form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        if form.post {
            self.navigate(Method::POST, url, Some(body), Some(&from.url)).await
        } else {
            let base = url.split('?').next().unwrap_or_default();
            self.navigate(Method::GET, format!("{base}?{body}"), None, Some(&from.url)).await
        }
    }

    /// Sends the one form of a page, as a page that submits itself would.
    ///
    /// # Errors
    /// As [`Self::open`], and [`BrowseError::NoForm`].
    pub async fn press(&mut self, from: &Page) -> Result<Page, BrowseError> {
        let form = from.forms().into_iter().next().ok_or_else(|| BrowseError::NoForm(from.url.clone()))?;
        self.submit(from, &form).await
    }

    async fn navigate(
        &mut self,
        mut method: Method,
        mut url: String,
        mut body: Option<String>,
        from: Option<&str>,
    ) -> Result<Page, BrowseError> {
        for _ in 0..20 {
            let page = self.once(method.clone(), &url, body.as_deref(), from).await?;
            let location = page.header(LOCATION.as_str()).map(|to| resolve(&url, to));
            match location {
                Some(to) if page.status.is_redirection() => {
                    url = to;
                    // 307 and 308 keep the method; every other redirect turns into a GET.
                    if !matches!(page.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
                        method = Method::GET;
                        body = None;
                    }
                }
                _ => return Ok(page),
            }
        }
        Err(BrowseError::Loop(url))
    }

    /// One request and its answer, redirects not followed. `from` is the page that begins it; none when a person typed
    /// the address.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn once(
        &mut self,
        method: Method,
        url: &str,
        body: Option<&str>,
        from: Option<&str>,
    ) -> Result<Page, BrowseError> {
        let target = target(url)?;
        let from_site = match from {
            Some(from) => Some(self::target(from)?),
            None => None,
        };
        let same = from_site.as_ref().is_none_or(|f| site(&f.host) == site(&target.host) && f.scheme == target.scheme);
        let context = match (same, method == Method::GET) {
            (true, _) => Context::SameSite,
            (false, true) => Context::CrossSiteNavigation,
            (false, false) => Context::CrossSiteOther,
        };

        let mut request = Request::builder()
            .method(method.clone())
            .uri(&target.path)
            .header(HOST, format!("{}:{}", target.host, target.port))
            .header("accept-language", "sv,en;q=0.5");
        request = if self.program {
            request.header(ACCEPT, "application/json")
        } else {
            let site = match (&from_site, same) {
                (None, _) => "none",
                (Some(f), _) if f.host == target.host && f.port == target.port => "same-origin",
                (Some(_), true) => "same-site",
                (Some(_), false) => "cross-site",
            };
            request
                .header(ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")
                .header("sec-fetch-mode", "navigate")
                .header("sec-fetch-dest", "document")
                .header("sec-fetch-site", site)
        };
        if let Some(cookies) = self.jar.header(&target.host, &target.scheme, context) {
            request = request.header(COOKIE, cookies);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            if let Some(f) = &from_site {
                request = request.header(ORIGIN, format!("{}://{}:{}", f.scheme, f.host, f.port));
            }
        }
        for (name, value) in &self.extra {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(Bytes::from(body.unwrap_or_default().to_owned())))
            .map_err(|_| BrowseError::Address(url.to_owned()))?;

        let failed = |e: &dyn std::fmt::Display| BrowseError::NoAnswer(url.to_owned(), e.to_string());
        let exchange = async {
            let stream = TcpStream::connect(("127.0.0.1", target.port)).await.map_err(|e| failed(&e))?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| failed(&e))?;
            let connection = tokio::spawn(connection);
            let (head, answer) = sender.send_request(request).await.map_err(|e| failed(&e))?.into_parts();
            let bytes = answer.collect().await.map_err(|e| failed(&e))?.to_bytes();
            connection.abort();
            Ok((head, bytes))
        };
        let (head, bytes) = tokio::time::timeout(Duration::from_secs(20), exchange).await.map_err(|e| failed(&e))??;
        for set in head.headers.get_all(SET_COOKIE) {
            if let Ok(text) = set.to_str() {
                self.jar.set(&target.host, &target.scheme, text);
            }
        }
        Ok(Page {
            url: url.to_owned(),
            status: head.status,
            headers: head.headers,
            body: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn references_are_resolved_against_the_page() {
        let page = "http://a.localhost:8080/eid/login?x=/y";
        for (reference, want) in [
            ("", page),
            ("/om", "http://a.localhost:8080/om"),
            ("/om?rd=http://x", "http://a.localhost:8080/om?rd=http://x"),
            ("session", "http://a.localhost:8080/eid/session"),
            ("?eid=freja", "http://a.localhost:8080/eid/login?eid=freja"),
            ("http://b.localhost/", "http://b.localhost/"),
        ] {
            assert_eq!(resolve(page, reference), want);
        }
        assert_eq!(resolve("http://a.localhost:8080", "/x"), "http://a.localhost:8080/x");
    }
}
