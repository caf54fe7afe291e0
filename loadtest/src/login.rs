//! Logins, prepared: begun at the sidecar and answered by the provider, so that only finishing them is left.
//!
//! The sidecar takes an answer only together with the cookie that it sealed when the login began, and only to that login's
//! own request. So each login is really begun, and each answer really signed, before anything is measured.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use grindvakt::base::{Clock as _, SystemClock};
use grindvakt_demo::response::ResponseBuilder;
use grindvakt_demo::{DemoIdp, EncryptionKey, form};
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Method, StatusCode};
use tokio::task::JoinSet;

use crate::Failed;
use crate::traffic::{Answer, Conn, Payload, Shot, Traffic, Verdict, request};
use crate::world::{ACS, GUARDED, HOST, SESSION, World};

/// How long a prepared answer holds: longer than any run that the sidecar's configuration lets it live through.
const VALID: Duration = Duration::from_secs(30 * 60);

/// Connections on which logins are begun.
const BEGINNING: usize = 16;

/// Answers that one thread signs in one go.
const BATCH: usize = 32;

/// A login that was begun: what its browser holds, and what the provider is asked.
pub struct Begun {
    cookie: String,
    relay_state: String,
    request: grindvakt_demo::Request,
}

/// A login that only has to be finished.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The cookie of the begun login, `name=value`.
    pub cookie: String,
    /// The form that the provider's page would post.
    pub form: Bytes,
}

/// The address at which a login begins.
pub fn begin_path() -> String {
    format!("/eid/login?eid=bankid&rd={GUARDED}")
}

/// Whether `name` is the cookie of a begun login.
pub fn is_login_cookie(name: &str) -> bool {
    name.strip_prefix(SESSION).is_some_and(|rest| rest.starts_with('-'))
}

impl World {
    /// Begins `count` logins at the sidecar.
    ///
    /// # Errors
    /// When one is not answered with the way to the provider.
    pub async fn begin_logins(&self, count: usize, tell: &dyn Fn(usize)) -> Result<Vec<Begun>, Failed> {
        let mut begun = Vec::with_capacity(count);
        let mut workers = JoinSet::new();
        let left = Rc::new(Cell::new(count));
        for _ in 0..BEGINNING.min(count) {
            let (left, public, path) = (Rc::clone(&left), self.public, begin_path());
            workers.spawn_local(async move {
                let mut conn = Conn::new(public);
                let mut got = Vec::new();
                while left.get() > 0 {
                    left.set(left.get() - 1);
                    let request = request(Method::GET, HOST, &path, None, Payload::empty())?;
                    got.push(conn.exchange(request).await.map_err(|e| Failed::to("beginning a login", e))?);
                }
                Ok::<_, Failed>(got)
            });
        }
        while let Some(answers) = workers.join_next().await {
            for answer in answers.map_err(|e| Failed::to("beginning logins", e))?? {
                begun.push(self.begun(&answer)?);
                tell(begun.len());
            }
        }
        Ok(begun)
    }

    /// A login of which the sidecar's answer is at hand.
    ///
    /// # Errors
    /// When it is not the way to the provider.
    pub fn begun(&self, answer: &Answer) -> Result<Begun, Failed> {
        let location = answer.headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
        let (here, query) = location.split_once('?').unwrap_or_default();
        let cookie = answer.cookie(is_login_cookie);
        let (true, Some(cookie)) = (here == self.idp.sso_url(), cookie) else {
            let what = format!("status {}, location {here}", answer.status);
            return Err(Failed::to("a login did not begin", what));
        };
        let (request, relay_state) =
            self.service.redirect(query, here).map_err(|e| Failed::to("reading our own request", e))?;
        Ok(Begun { cookie: cookie.to_owned(), relay_state: relay_state.unwrap_or_default(), request })
    }

    /// Begins `count` logins and has each answered, `bytes` of XML long or a little more, and encrypted if asked for.
    ///
    /// # Errors
    /// As [`Self::begin_logins`].
    pub async fn prepare_logins(
        &self,
        count: usize,
        bytes: usize,
        encrypted: bool,
        tell: &dyn Fn(usize),
    ) -> Result<VecDeque<Prepared>, Failed> {
        self.prepare_logins_by(&self.idp, count, bytes, encrypted, tell).await
    }

    /// The same, answered by `idp`: the provider as it is with other keys.
    ///
    /// # Errors
    /// As [`Self::begin_logins`].
    pub async fn prepare_logins_by(
        &self,
        idp: &DemoIdp,
        count: usize,
        bytes: usize,
        encrypted: bool,
        tell: &dyn Fn(usize),
    ) -> Result<VecDeque<Prepared>, Failed> {
        let to = self.service.encryption.clone().filter(|_| encrypted);
        if encrypted && to.is_none() {
            return Err(Failed::to("encrypted answers", "the sidecar's metadata has no key to encrypt to"));
        }
        let mut begun = self.begin_logins(count, tell).await?.into_iter().peekable();
        let fillers = begun.peek().map_or(0, |first| fillers(idp, &first.request, bytes));
        let mut signing = JoinSet::new();
        while begun.peek().is_some() {
            let batch: Vec<Begun> = begun.by_ref().take(BATCH).collect();
            let (idp, to) = (idp.clone(), to.clone());
            // The runtime has as many such threads as there are cores.
            signing
                .spawn_blocking(move || batch.iter().map(|b| sign(&idp, b, fillers, to.as_ref())).collect::<Vec<_>>());
        }
        let mut prepared = VecDeque::with_capacity(count);
        while let Some(batch) = signing.join_next().await {
            prepared.extend(batch.map_err(|e| Failed::to("signing answers", e))?);
            tell(prepared.len());
        }
        Ok(prepared)
    }

    /// A begun login, answered by the provider in as few bytes as it takes.
    pub fn answered(&self, begun: &Begun) -> Prepared {
        sign(&self.idp, begun, 0, None)
    }

    /// Logs in `count` times and returns the sessions' cookies, `name=value`.
    ///
    /// # Errors
    /// When a login does not lead to a session.
    pub async fn sessions(&self, count: usize) -> Result<Vec<String>, Failed> {
        let mut conn = Conn::new(self.public);
        let mut cookies = Vec::with_capacity(count);
        for login in self.prepare_logins(count, 0, false, &|_| ()).await? {
            let answer = conn.exchange(post(&login)?).await.map_err(|e| Failed::to("logging in", e))?;
            let cookie = answer.cookie(|name| name == SESSION).ok_or_else(|| {
                Failed::to("a login did not lead to a session", format_args!("status {}", answer.status))
            })?;
            cookies.push(cookie.to_owned());
        }
        Ok(cookies)
    }
}

/// How many attributes that nobody asked for bring an answer to `bytes`. Found out once: the padding of the library
/// signs each message twice.
fn fillers(idp: &DemoIdp, request: &grindvakt_demo::Request, bytes: usize) -> usize {
    let length = |fillers| answer(idp, request, fillers).build().len();
    let (none, one) = (length(0), length(1));
    bytes.saturating_sub(none).div_ceil(one.saturating_sub(none).max(1))
}

fn answer<'a>(idp: &'a DemoIdp, request: &grindvakt_demo::Request, fillers: usize) -> ResponseBuilder<'a> {
    let mut answer = idp.response(request).at(SystemClock.now()).valid_for(VALID);
    for n in 0..fillers {
        let value = "Utfyllnad som ingen har bett om: certifikat och underskrifter tar lika mycket plats.";
        answer = answer.attribute(&format!("urn:example:filler:{n:04}"), &[value]);
    }
    answer
}

fn sign(idp: &DemoIdp, begun: &Begun, fillers: usize, to: Option<&EncryptionKey>) -> Prepared {
    let message = answer(idp, &begun.request, fillers).encrypted_to(to.cloned()).build_base64();
    let form = form::encode([("SAMLResponse", message.as_str()), ("RelayState", begun.relay_state.as_str())]);
    Prepared { cookie: begun.cookie.clone(), form: Bytes::from(form) }
}

/// The request that finishes a login: a cross-site POST of the provider's page, with the begun login's cookie.
///
/// # Errors
/// When the cookie is not fit for HTTP.
pub fn post(login: &Prepared) -> Result<http::Request<Payload>, Failed> {
    let body = Payload::Whole(login.form.clone());
    let mut request = request(Method::POST, HOST, ACS, Some(&login.cookie), body)?;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert("origin", HeaderValue::from_static("https://bankid.example.com"));
    headers.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
    Ok(request)
}

/// Prepared logins, each finished once. Good is a login that led to a session.
#[derive(Default)]
pub struct Logins {
    left: RefCell<VecDeque<Prepared>>,
    /// Sent, and remembered until the answer comes; only where somebody wants the used ones.
    sent: RefCell<HashMap<u64, Prepared>>,
    used: Option<Rc<RefCell<VecDeque<Prepared>>>>,
    count: Cell<u64>,
}

impl Logins {
    /// Of `prepared`.
    pub fn new(prepared: VecDeque<Prepared>) -> Self {
        Self { left: RefCell::new(prepared), ..Self::default() }
    }

    /// The same, putting into `used` what has led to a session: for those who want to send it again.
    #[must_use]
    pub fn remembered_in(mut self, used: &Rc<RefCell<VecDeque<Prepared>>>) -> Self {
        self.used = Some(Rc::clone(used));
        self
    }
}

impl Traffic for Logins {
    fn next(&self) -> Option<Shot> {
        let login = self.left.borrow_mut().pop_front()?;
        let tag = self.count.replace(self.count.get() + 1);
        let shot = Shot { request: post(&login).ok()?, tag };
        if self.used.is_some() {
            self.sent.borrow_mut().insert(tag, login);
        }
        Some(shot)
    }

    fn judge(&self, tag: u64, answer: &Answer) -> Verdict {
        let session = answer.cookie(|name| name == SESSION).is_some();
        let sent = self.sent.borrow_mut().remove(&tag);
        match (answer.status, session) {
            (StatusCode::SEE_OTHER, true) => {
                if let (Some(used), Some(login)) = (&self.used, sent) {
                    used.borrow_mut().push_back(login);
                }
                Verdict::Good
            }
            (StatusCode::SEE_OTHER, false) => Verdict::Bad("no session cookie".into()),
            _ => Verdict::unexpected(answer),
        }
    }
}

/// Prepared logins of which each must be refused: by the key that signed them.
pub struct RefusedLogins(pub Logins);

impl Traffic for RefusedLogins {
    fn next(&self) -> Option<Shot> {
        self.0.next()
    }

    fn judge(&self, _tag: u64, answer: &Answer) -> Verdict {
        if answer.cookie(|name| name == SESSION).is_some() {
            return Verdict::Bad("a session by a key that is withdrawn".into());
        }
        if answer.status == StatusCode::FORBIDDEN { Verdict::Good } else { Verdict::unexpected(answer) }
    }
}
