//! What happens to a request, as one list.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, GetAll};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Body as _;

use super::bearer::{self, Brought};
use super::body::{AnswerBody, FormRoom, NotRead, RequestBody, gather};
use super::own_paths::{EService, OwnPath, OwnPaths, OwnRequest};
use super::pages::Site;
use super::proxy::Proxy;
use super::query::Query;
use super::respond::{self, Asked, Fault};
use super::server::{Client, Handler};
use super::upgrade::{self, Wish};
use super::upstream::{Failed, Upstream};
use super::watchdog::{Cut, Expired, Watched};
use super::{admit, cookies, counted, navigation, trace};
use crate::config::Config;
use crate::crypto::digest::Random;
use crate::gate::{Cookies, Decision, Denial, Gate, IdentityHeaders, Lease, Permit, Reference};
use crate::policy::normal_path;
use crate::telemetry::trace::within;
use crate::telemetry::{BadTrace, ForgedHeaders, Metrics, Outcome, StreamCut, Telemetry, UpstreamFailed};

/// A form is base64 of the message, four bytes for three, with line ends and `+`, `/` and `=` percent-encoded: one and a
/// half times the message in practice.
const FORM_FACTOR: usize = 2;

/// Everything that follows from one configuration. Swapped whole at a reload: a request sees one of them from its
/// beginning to its end.
pub struct Generation<U> {
    /// What it follows from.
    pub config: Arc<Config>,
    /// The use cases.
    pub gate: Arc<Gate>,
    /// Our own paths.
    pub own: OwnPaths,
    /// What pages know of the service.
    pub site: Arc<Site>,
    /// How a request is passed on.
    pub proxy: Proxy,
    /// Where it is passed on to: connections of its own for each core.
    pub upstreams: Arc<[U]>,
    /// Where it is told.
    pub telemetry: Arc<Telemetry>,
    /// For references.
    pub random: Arc<dyn Random>,
    /// Room for forms that are being read.
    pub forms: Arc<FormRoom>,
    /// What goes on beside requests for as long as this is in force; it ends when this is dropped.
    pub beside: Box<dyn std::any::Any + Send + Sync>,
}

/// What a core answers with.
pub struct Service<U> {
    /// What is in force. Shared by all cores.
    pub current: Arc<ArcSwap<Generation<U>>>,
    /// Which core this is.
    pub core: usize,
}

impl<U: Upstream> Handler for Service<U> {
    async fn handle(&self, mut request: Request<RequestBody>, client: Client) -> Response<AnswerBody> {
        let began = Instant::now();
        let generation = self.current.load_full();
        let _counted = InFlight::count(generation.telemetry.metrics());
        // HTTP/2 has streams for that.
        let has_body = !request.body().is_end_stream() && request.version() < Version::HTTP_2;
        let trace = trace::admit(request.headers_mut()).unwrap_or_else(|_| {
            generation.telemetry.emit(BadTrace);
            None
        });
        let answering = pin!(generation.answer(request, client, Came { began, core: self.core }));
        let mut answer = within(trace, answering).await;
        // What is left of a refused request is nobody's: not read to its end, and above all not as the next one (T57).
        if has_body && is_refusal(&answer) {
            upgrade::close(answer.headers_mut());
        }
        answer
    }

    fn is_over(&self, lease: &Lease) -> bool {
        self.current.load().gate.is_over(lease)
    }

    async fn session_ended(&self) {
        let gate = Arc::clone(&self.current.load().gate);
        gate.session_ended().await;
    }

    fn cut(&self, why: Cut) {
        self.current.load().telemetry.emit(StreamCut { why: why.name() });
    }
}

/// When and where a request came in.
#[derive(Clone, Copy)]
pub(super) struct Came {
    pub(super) began: Instant,
    core: usize,
}

/// Whether an answer is our own no.
fn is_refusal(answer: &Response<AnswerBody>) -> bool {
    let refused = answer.status().is_client_error() || answer.status().is_server_error();
    refused && matches!(answer.body(), AnswerBody::Own(_))
}

/// A request that is being answered. Dropped with it, also when the client goes away in the middle.
struct InFlight<'m>(&'m Metrics);

impl<'m> InFlight<'m> {
    fn count(metrics: &'m Metrics) -> Self {
        metrics.requests.in_flight.inc();
        Self(metrics)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.requests.in_flight.dec();
    }
}

impl<U: Upstream> Generation<U> {
    async fn answer(&self, mut request: Request<RequestBody>, client: Client, came: Came) -> Response<AnswerBody> {
        // First: a client must never speak for us, on whatever path.
        let forged = self.proxy.identity.strip(request.headers_mut());
        if forged > 0 {
            self.telemetry.emit(ForgedHeaders { count: forged });
        }
        match upgrade::asked(&mut request) {
            Ok(None) => self.decided(request, client, came, None).await,
            // Rare, and without a body.
            Ok(wish) => {
                let watched = Arc::clone(&client.watched);
                closed(Box::pin(self.decided(request, client, came, wish)).await, &watched)
            }
            Err(upgrade::BadUpgrade) => closed(self.fault(&request, Fault::BadUpgrade, None), &client.watched),
        }
    }

    async fn decided(
        &self,
        request: Request<RequestBody>,
        client: Client,
        came: Came,
        wish: Option<Wish>,
    ) -> Response<AnswerBody> {
        // TRACE sends a request back as it reached the e-service, with what no browser may read; CONNECT is for proxies
        // of another kind.
        if matches!(*request.method(), Method::TRACE | Method::CONNECT) {
            return self.fault(&request, Fault::Method("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"), None);
        }
        if let Err(fault) = admit::admit(&request) {
            return self.fault(&request, fault, None);
        }
        // One form of the path: decided on, and passed on. Most come in it, and are not copied.
        let written = request.uri().path_and_query().cloned();
        let path = match normal_path(written.as_ref().map_or("", PathAndQuery::path)) {
            Ok(path) => path,
            Err(_) => return self.fault(&request, Fault::BadPath, None),
        };
        let path = &*path;
        if let Some(dialect) = self.dialect(path) {
            return Box::pin(self.ask(dialect, request, &client, came)).await;
        }
        if let Some(own) = self.own.find(path) {
            // Rare beside what is passed on, whose future need not be as large as this one.
            self.telemetry.metrics().requests.answered(None, Outcome::Own);
            return Box::pin(self.own_path(own, request, &client, came.core)).await;
        }
        match self.decide(&request, path).await {
            Decision::Denied(denial) => self.denied_with_challenge(&request, path, &denial),
            Decision::Permit(permit) => self.forward(request, path, &client, permit, wish, came).await,
        }
    }

    /// The decision on a request for `path`, which is in normal form.
    pub(super) async fn decide<B>(&self, request: &Request<B>, path: &str) -> Decision {
        let brought = bearer::brought(request.headers());
        let route = (!matches!(brought, Brought::Nothing)).then(|| self.gate.route(path));
        match (brought, route.filter(|route| !route.bearer.is_empty())) {
            (Brought::Malformed, Some(_)) => Decision::Denied(self.gate.malformed_token(path)),
            (Brought::Unclear, Some(_)) => Decision::Denied(Gate::unclear_token()),
            (Brought::Token(token), Some(route)) => {
                let presented = token.presented(request, path);
                let cookie_too = {
                    let pairs = cookies::pairs(request.headers());
                    self.gate.has_session_cookie(&Cookies::new(&pairs))
                };
                match self.gate.authorize_known_token(route, &presented, cookie_too) {
                    Some(decision) => decision,
                    // Programs only, and their first request: its future need not be in everybody's.
                    None => Box::pin(self.gate.authorize_token(path, &presented)).await,
                }
            }
            // None, or for the e-service itself, where the route takes no tokens.
            (_, None) | (Brought::Nothing, _) => self.by_cookies(request.headers(), path).await,
        }
    }

    /// A denial, with what a program needs to know of the tokens that the route takes.
    pub(super) fn denied_with_challenge<B>(
        &self,
        request: &Request<B>,
        path: &str,
        denial: &Denial,
    ) -> Response<AnswerBody> {
        let mut answer = self.denied(request, path, denial);
        if self.gate.takes_tokens(path) {
            bearer::challenge(&mut answer, denial, &self.gate.token_terms(path), self.config.service.id.as_str());
        }
        answer
    }

    async fn by_cookies(&self, headers: &HeaderMap, path: &str) -> Decision {
        let pairs = cookies::pairs(headers);
        let held = Cookies::new(&pairs);
        if self.gate.may_lack_fields(&held) {
            // Rare, and only the first time that this replica meets such a session.
            Box::pin(self.gate.fetch_session(&held)).await;
        }
        self.gate.authorize(path, &held)
    }

    async fn forward(
        &self,
        request: Request<RequestBody>,
        path: &str,
        client: &Client,
        permit: Permit,
        wish: Option<Wish>,
        came: Came,
    ) -> Response<AnswerBody> {
        let Some(upstream) = self.upstreams.get(came.core) else {
            return self.fault(&request, Fault::Internal, Some(self.reference()));
        };
        // A session's cookies go along with what any page of the same site opens.
        if wish.is_some() && permit.lease.as_ref().is_some_and(|lease| lease.session().is_some()) {
            let own = upgrade::is_from(request.headers(), &self.proxy.websocket_origins);
            if !own {
                return self.fault(&request, Fault::CrossSite, None);
            }
        }
        let mut passed = self.telemetry.metrics().requests.passing(&permit.route, came.began);
        let accept = request.headers().get(ACCEPT).cloned();
        let grpc = is_grpc(&request);
        match self.proxy.forward(upstream, request, path, client, permit, wish).await {
            Ok(response) => {
                passed.became(Outcome::Forwarded);
                response
            }
            Err(failed) => {
                passed.became(counted::of_fault(fault_of(&failed).0));
                self.upstream_failed(accept, grpc, &failed)
            }
        }
    }

    async fn own_path(
        &self,
        path: OwnPath,
        request: Request<RequestBody>,
        client: &Client,
        core: usize,
    ) -> Response<AnswerBody> {
        let (parts, body) = request.into_parts();
        let behind = Behind { generation: self, core, client, cookies: parts.headers.get_all(COOKIE) };
        let pairs = cookies::pairs(&parts.headers);
        let own = OwnRequest {
            method: &parts.method,
            headers: &parts.headers,
            query: Query::new(parts.uri.query()),
            cookies: Cookies::new(&pairs),
            from: Some(self.proxy.address.client(&parts.headers, client.address)),
            e_service: &behind,
        };
        if let Err(refused) = self.own.admit(path, &own) {
            return (*refused).map(AnswerBody::from);
        }
        let form = if path.has_form(&parts.method) {
            match self.form(&parts.headers, body).await {
                Ok(form) => form,
                Err(fault) => {
                    let asked = self.asked(&parts.headers, &self.site.home);
                    let reference = asked.page.then(|| self.gate.tell_fault(fault.code()));
                    return respond::fault(&self.site, &asked, fault, reference).map(AnswerBody::from);
                }
            }
        } else {
            Bytes::new()
        };
        if self.gate.may_lack_fields(&own.cookies) {
            Box::pin(self.gate.fetch_session(&own.cookies)).await;
        }
        self.own.answer(path, &own, &form).await.map(AnswerBody::from)
    }

    async fn form(&self, headers: &HeaderMap, body: RequestBody) -> Result<Bytes, Fault> {
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Fault::MediaType);
        }
        let limit = self.config.verification.body_limit.saturating_mul(FORM_FACTOR);
        // Said to be too large: not read at all.
        if body.size_hint().lower() > limit as u64 {
            return Err(Fault::TooLarge);
        }
        gather(body, limit, &self.forms).await.map_err(|not_read| match not_read {
            NotRead::TooLarge => Fault::TooLarge,
            NotRead::NoRoom => Fault::Overloaded,
            NotRead::Broken => Fault::BadForm,
        })
    }

    fn asked<'r>(&'r self, headers: &HeaderMap, target: &'r str) -> Asked<'r> {
        Asked {
            navigation: false,
            page: navigation::wants_page(headers),
            grpc: false,
            locale: navigation::locale(None, headers),
            target,
            now: self.gate.now(),
        }
    }

    fn denied<B>(&self, request: &Request<B>, path: &str, denial: &Denial) -> Response<AnswerBody> {
        // Where a login leads to: what was asked for, or the page of a form that was sent, which nobody sends again.
        let target = if matches!(*request.method(), Method::GET | Method::HEAD) {
            match request.uri().query() {
                Some(query) => format!("{path}?{query}"),
                None => path.to_owned(),
            }
        } else {
            navigation::came_from(request.headers(), &self.site.origin).unwrap_or(&self.site.home).to_owned()
        };
        let route = &self.gate.route(path).name;
        self.telemetry.metrics().requests.answered(Some(route), counted::of_denial(denial));
        let navigation = navigation::is_navigation(request.method(), request.headers());
        let grpc = self.answers_in_grpc(request);
        let asked = Asked { navigation, grpc, ..self.asked(request.headers(), &target) };
        let reference = if let Denial::Internal(own) = denial { *own } else { self.reference() };
        self.gate.tell_denied(path, denial, &reference);
        respond::denied(&self.site, &asked, denial, reference).map(AnswerBody::from)
    }

    pub(super) fn fault<B>(
        &self,
        request: &Request<B>,
        fault: Fault,
        reference: Option<Reference>,
    ) -> Response<AnswerBody> {
        self.telemetry.metrics().requests.answered(None, counted::of_fault(fault));
        let grpc = self.answers_in_grpc(request);
        let asked = Asked { grpc, ..self.asked(request.headers(), &self.site.home) };
        // What has been told of elsewhere has its reference already.
        let reference = reference.or_else(|| asked.page.then(|| self.gate.tell_fault(fault.code())));
        respond::fault(&self.site, &asked, fault, reference).map(AnswerBody::from)
    }

    /// Whether a refusal is gRPC's, which is a 200. Where proxies ask none is, on no path: to them a 200 is a yes (T48),
    /// and whose question it was may not be known yet when it is refused. gRPC clients know what HTTP's own mean.
    fn answers_in_grpc<B>(&self, request: &Request<B>) -> bool {
        self.config.listen.forward_auth.is_empty() && is_grpc(request)
    }

    fn upstream_failed(&self, accept: Option<HeaderValue>, grpc: bool, failed: &Failed) -> Response<AnswerBody> {
        let reference = self.reference();
        let (fault, ours) = fault_of(failed);
        // What the client or its session is the cause of is no failure of the e-service: a stranger must not be able to
        // make it look down.
        if ours {
            tracing::info!(event = "request_ended", code = fault.code(), reference = reference.as_str());
        } else {
            self.telemetry.emit(UpstreamFailed { cause: &failed.to_string(), reference: reference.as_str() });
        }
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(ACCEPT, accept);
        }
        let asked = Asked { grpc, ..self.asked(&headers, &self.site.home) };
        respond::fault(&self.site, &asked, fault, Some(reference)).map(AnswerBody::from)
    }

    pub(super) fn reference(&self) -> Reference {
        Reference::new(&*self.random).unwrap_or(Reference::NONE)
    }
}

/// The e-service behind one request for a path of ours.
struct Behind<'r, U> {
    generation: &'r Generation<U>,
    core: usize,
    client: &'r Client,
    cookies: GetAll<'r, HeaderValue>,
}

impl<U: Upstream> EService for Behind<'_, U> {
    fn told<'a>(&'a self, headers: Arc<IdentityHeaders>) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async move {
            let Self { generation, core, client, cookies } = self;
            let path = generation.config.logout.upstream_path.as_deref();
            let (Some(upstream), Some(path)) = (generation.upstreams.get(*core), path) else { return false };
            let told = generation.proxy.tell(upstream, path, cookies.iter(), client, &headers).await;
            if let Err(failed) = &told {
                let reference = generation.reference();
                generation.telemetry.emit(UpstreamFailed { cause: &failed.to_string(), reference: reference.as_str() });
            }
            told.is_ok_and(|taken| taken)
        })
    }
}

/// What is answered when the e-service did not, and whether the client or its session is the cause of it.
const fn fault_of(failed: &Failed) -> (Fault, bool) {
    match failed {
        Failed::Slow | Failed::Expired(Expired::NoAnswer) => (Fault::UpstreamSlow, false),
        Failed::Connect(_) | Failed::Broken(_) | Failed::Switched => (Fault::UpstreamDown, false),
        Failed::Path => (Fault::BadPath, true),
        Failed::Body(_) => (Fault::BadBody, true),
        Failed::NoUpgrade => (Fault::NoUpgrade, true),
        Failed::Expired(Expired::ClientSlow) => (Fault::ClientSlow, true),
        Failed::Expired(Expired::SessionOver) => (Fault::NoSession, true),
    }
}

/// gRPC is spoken over HTTP/2 alone. Over HTTP/1.1 a content type is no reason to hide a 401 in a 200.
fn is_grpc<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_2 && navigation::is_grpc(request.headers())
}

/// What was asked for in vain is the last on its connection.
fn closed(mut response: Response<AnswerBody>, watched: &Watched) -> Response<AnswerBody> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        upgrade::close(response.headers_mut());
        watched.reads_on();
    }
    response
}
