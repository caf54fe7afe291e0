//! The admin address: what operators and kubelets look at. It changes nothing.

use std::sync::Arc;

use bytes::Bytes;
use http::header::VARY;
use http::{HeaderValue, Method, Request, Response, StatusCode};

use super::body::{AnswerBody, RequestBody};
use super::own_paths::STYLE;
use super::query::Query;
use super::server::{Client, Handler};
use super::{navigation, pages, respond};

/// What can be asked of a running sidecar.
pub trait AdminState: Send + Sync + 'static {
    /// Whether it should get traffic: if so, which providers are usable, in words.
    ///
    /// # Errors
    /// Why not, in words.
    fn ready(&self) -> Result<String, &'static str>;
    /// Whether it has started.
    fn started(&self) -> bool;
    /// Every metric, in Prometheus' text form.
    fn metrics(&self) -> String;
    /// Providers and versions.
    fn status(&self) -> serde_json::Value;
    /// Whether the e-service takes connections.
    fn upstream_reachable(&self) -> impl Future<Output = bool> + Send;
}

/// Answers on the admin address.
pub struct Admin<S>(pub Arc<S>);

impl<S: AdminState> Handler for Admin<S> {
    async fn handle(&self, request: Request<RequestBody>, _client: Client) -> Response<AnswerBody> {
        let answer = if matches!(*request.method(), Method::GET | Method::HEAD) {
            self.answer(&request).await
        } else {
            text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n")
        };
        answer.map(AnswerBody::from)
    }
}

impl<S: AdminState> Admin<S> {
    async fn answer(&self, request: &Request<RequestBody>) -> Response<Bytes> {
        let yes_or_no = |good: bool, otherwise: &'static str| match good {
            true => text(StatusCode::OK, "ok\n"),
            false => text(StatusCode::SERVICE_UNAVAILABLE, otherwise),
        };
        match request.uri().path() {
            "/livez" | "/healthz" => text(StatusCode::OK, "ok\n"),
            "/startupz" => yes_or_no(self.0.started(), "starting\n"),
            "/readyz" => match self.0.ready() {
                Ok(providers) => text(StatusCode::OK, format!("ok\n{providers}")),
                Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
            },
            "/upstream/readyz" => yes_or_no(self.0.upstream_reachable().await, "the e-service takes no connections\n"),
            "/metrics" => {
                let mut out = text(StatusCode::OK, self.0.metrics());
                let exposition = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                out.headers_mut().insert(http::header::CONTENT_TYPE, exposition);
                out
            }
            "/status" => {
                let mut out = self.status(request);
                out.headers_mut().insert(VARY, HeaderValue::from_static("accept, sec-fetch-mode"));
                out
            }
            "/style.css" => respond::document("text/css; charset=utf-8", STYLE),
            _ => text(
                StatusCode::NOT_FOUND,
                "no such path; there are /livez /readyz /startupz /metrics /status /upstream/readyz\n",
            ),
        }
    }
}

impl<S: AdminState> Admin<S> {
    /// Programs get JSON, whatever they say that they take; a browser says that it takes a page.
    fn status(&self, request: &Request<RequestBody>) -> Response<Bytes> {
        let query = Query::new(request.uri().query());
        if query.flag("json") || !navigation::wants_page(request.headers()) {
            respond::document("application/json", format!("{:#}\n", self.0.status()))
        } else {
            pages::status(&self.0.status(), query.flag("live"))
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut out = respond::document("text/plain; charset=utf-8", body);
    *out.status_mut() = status;
    out
}
