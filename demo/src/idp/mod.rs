//! A demo provider's web site: takes an AuthnRequest, lets the visitor pick who logs in, how and how it ends, and sends
//! the answer back by a form that submits itself.

pub(crate) mod page;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use grindvakt::base::Clock;
use http::{Method, Request as HttpRequest, StatusCode};

use crate::demo_idp::DemoIdp;
use crate::form;
use crate::key::{DemoKey, new_id};
use crate::logout::Said;
use crate::metadata::Feed;
use crate::names::loa_uri;
use crate::outcome::Outcome;
use crate::person::TestPerson;
use crate::request::{BadRequest, KnownService, Request};
use crate::serve::{Answer, html, text, xml};

/// Logins that are waiting for the visitor's choice. The oldest makes room.
const WAITING: usize = 100;

struct Waiting {
    handle: String,
    request: Request,
    relay_state: Option<String>,
}

/// A provider with its web site. Clones share one state.
#[derive(Clone)]
pub struct IdpSite {
    shared: Arc<Shared>,
}

struct Shared {
    idp: Mutex<DemoIdp>,
    /// What it is the likeness of: `BankID`, `Freja`.
    likeness: String,
    clock: Arc<dyn Clock>,
    people: Vec<TestPerson>,
    service: Mutex<Option<Arc<KnownService>>>,
    waiting: Mutex<VecDeque<Waiting>>,
    last_answer: Mutex<Option<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A panic in one request leaves nothing half-done here that another could trip over.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl IdpSite {
    /// A site for `idp`, which visitors know as `likeness`, with the persons of the demo. It refuses every request until
    /// [`Self::knows`].
    pub fn new(idp: DemoIdp, likeness: &str, clock: Arc<dyn Clock>) -> Self {
        Self::with_people(idp, likeness, clock, TestPerson::of_the_demo())
    }

    /// The same with other persons.
    pub fn with_people(idp: DemoIdp, likeness: &str, clock: Arc<dyn Clock>, people: Vec<TestPerson>) -> Self {
        let shared = Shared {
            idp: Mutex::new(idp),
            likeness: likeness.to_owned(),
            clock,
            people,
            service: Mutex::new(None),
            waiting: Mutex::new(VecDeque::new()),
            last_answer: Mutex::new(None),
        };
        Self { shared: Arc::new(shared) }
    }

    /// From now on requests of this service are taken.
    pub fn knows(&self, service: impl Into<Arc<KnownService>>) {
        *locked(&self.shared.service) = Some(service.into());
    }

    /// The provider behind the site, as it is now.
    pub fn idp(&self) -> DemoIdp {
        locked(&self.shared.idp).clone()
    }

    /// A key roll-over: from now on it signs with `key`, and its metadata lists `published`.
    pub fn roll_over(&self, key: Arc<DemoKey>, published: Vec<Arc<DemoKey>>) {
        let mut idp = locked(&self.shared.idp);
        *idp = idp.clone().rolled_over(key, published);
    }

    /// Who can log in here.
    pub fn people(&self) -> &[TestPerson] {
        &self.shared.people
    }

    /// Answers one HTTP request: `/sso` (both bindings), `/answer`, `/metadata`, and a page about itself at `/`.
    pub fn handle(&self, request: HttpRequest<Bytes>) -> Answer {
        let body = || String::from_utf8_lossy(request.body()).into_owned();
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/sso") => self.redirect(request.uri().query().unwrap_or_default()),
            (&Method::POST, "/sso") => self.post(&form::parse(&body())),
            (&Method::GET, "/slo") => {
                self.logout(|service| service.logout_by_redirect(request.uri().query().unwrap_or_default()))
            }
            (&Method::POST, "/slo") => self.logout(|service| {
                let fields = form::parse(&body());
                let field = form::get(&fields, "SAMLRequest").or_else(|| form::get(&fields, "SAMLResponse"));
                service.logout_by_post(field.unwrap_or_default())
            }),
            (&Method::POST, "/answer") => self.answer(&form::parse(&body())),
            (&Method::GET, "/metadata") => xml(Feed::new().idp(&self.idp()).build()),
            (&Method::GET, "/") => html(StatusCode::OK, page::about(&self.shared.likeness)),
            _ => text(StatusCode::NOT_FOUND, "404\n"),
        }
    }

    fn service(&self) -> Result<Arc<KnownService>, BadRequest> {
        locked(&self.shared.service).clone().ok_or_else(|| BadRequest::UnknownService("none yet".to_owned()))
    }

    fn redirect(&self, query: &str) -> Answer {
        let taken = self.service().and_then(|service| service.redirect(query, &self.idp().sso_url()));
        match taken {
            Ok((request, relay_state)) => self.ask(request, relay_state),
            Err(bad) => self.refuse(&bad),
        }
    }

    fn post(&self, fields: &[(String, String)]) -> Answer {
        let message = form::get(fields, "SAMLRequest").unwrap_or_default();
        match self.service().and_then(|service| service.post(message, &self.idp().sso_url())) {
            Ok(request) => self.ask(request, form::get(fields, "RelayState").map(str::to_owned)),
            Err(bad) => self.refuse(&bad),
        }
    }

    /// Takes the service's order to end a session, and answers it: there is no session here to end, each login is new.
    /// Its answer to an order of ours is only shown.
    fn logout(&self, read: impl FnOnce(&KnownService) -> Result<Said, BadRequest>) -> Answer {
        let taken = self.service().and_then(|service| Ok((read(&service)?, service.slo.clone())));
        match taken {
            Ok((said, Some(slo))) if said.kind == "LogoutRequest" && said.destination == self.idp().slo_url() => {
                let answer = self.idp().logout_response(&slo, &said.id, true, self.shared.clock.now());
                let back = format!("{slo}?{}", answer.query(said.relay_state.as_deref(), self.idp().key()));
                let mut out = text(StatusCode::SEE_OTHER, "");
                if let Ok(back) = http::HeaderValue::from_str(&back) {
                    out.headers_mut().insert(http::header::LOCATION, back);
                }
                out
            }
            Ok((said, _)) if said.kind == "LogoutResponse" => html(StatusCode::OK, page::about(&self.shared.likeness)),
            Ok((said, _)) => self.refuse(&BadRequest::WrongDestination(said.destination)),
            Err(bad) => self.refuse(&bad),
        }
    }

    fn refuse(&self, bad: &BadRequest) -> Answer {
        html(StatusCode::BAD_REQUEST, page::refused(&self.shared.likeness, bad))
    }

    fn ask(&self, request: Request, relay_state: Option<String>) -> Answer {
        let handle = new_id();
        let page = page::ask(&self.shared.likeness, &self.idp(), &self.shared.people, &request, &handle);
        let mut waiting = locked(&self.shared.waiting);
        while waiting.len() >= WAITING {
            waiting.pop_front();
        }
        waiting.push_back(Waiting { handle, request, relay_state });
        html(StatusCode::OK, page)
    }

    /// The visitor has chosen. The choice stays good for a second press of the button: what then happens is the
    /// sidecar's business.
    fn answer(&self, fields: &[(String, String)]) -> Answer {
        let field = |name| form::get(fields, name).unwrap_or_default();
        let chosen = {
            let waiting = locked(&self.shared.waiting);
            waiting.iter().find(|w| w.handle == field("handle")).map(|w| (w.request.clone(), w.relay_state.clone()))
        };
        let person = self.shared.people.iter().find(|person| person.id == field("person"));
        let (Some((request, relay_state)), Some(person), Some(outcome)) =
            (chosen, person, Outcome::parse(field("outcome")))
        else {
            return text(StatusCode::BAD_REQUEST, "Den här inloggningen finns inte längre.\nThis login is gone.\n");
        };
        let (loa, outcome) = match field("loa") {
            page::OWN => self.own_level(person, &request, outcome),
            loa => (loa_uri(loa), outcome),
        };
        let encryption = self.service().ok().and_then(|service| service.encryption.clone());
        let idp = self.idp();
        let built = || {
            let builder = idp.response(&request).at(self.shared.clock.now());
            let builder = builder.person(&person.person).loa(&loa).outcome(outcome).encrypted_to(encryption);
            let more = person.attributes.iter();
            let builder = more.fold(builder, |builder, (name, values)| {
                builder.attribute(name, &values.iter().map(String::as_str).collect::<Vec<_>>())
            });
            builder.build_base64()
        };
        let mut last = locked(&self.shared.last_answer);
        let message = match (&*last, outcome) {
            (Some(earlier), Outcome::Replay) => earlier.clone(),
            _ => built(),
        };
        if outcome == Outcome::Success {
            *last = Some(message.clone());
        }
        html(StatusCode::OK, page::send(&self.shared.likeness, &request.acs_url, &message, relay_state.as_deref()))
    }

    /// The level that a person has, and what becomes of a login that asks for others: a provider says that it cannot be met.
    fn own_level(&self, person: &TestPerson, request: &Request, outcome: Outcome) -> (String, Outcome) {
        match &person.loa {
            Some(own) if !request.loa.contains(own) && outcome == Outcome::Success => {
                (own.clone(), Outcome::NoAuthnContext)
            }
            Some(own) => (own.clone(), outcome),
            None => (page::best_level(&self.idp(), request).unwrap_or_default(), outcome),
        }
    }
}
