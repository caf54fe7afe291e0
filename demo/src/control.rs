//! The demo's control room: a page with buttons that break each provider, mend it, and change its signing key.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use askama::Template;
use bytes::Bytes;
use grindvakt::base::{Clock as _, SystemClock};
use http::{Method, Request, StatusCode};

use crate::demo_idp::DemoIdp;
use crate::fault::{Fault, Switch};
use crate::form;
use crate::idp::IdpSite;
use crate::key::DemoKey;
use crate::metadata::Feed;
use crate::op::{OpOutcome, OpSite};
use crate::outcome::Outcome;
use crate::serve::{Answer, host, html, is_foreign, see_other, text};

/// What a button sends that changes the signing key.
const ROTATE: &str = "rotate";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A provider's site.
#[derive(Clone)]
pub enum Site {
    /// By SAML.
    Saml(IdpSite),
    /// By OpenID Connect.
    Oidc(OpSite),
}

impl Site {
    /// Answers one HTTP request.
    pub fn handle(&self, request: Request<Bytes>) -> Answer {
        match self {
            Self::Saml(site) => site.handle(request),
            Self::Oidc(site) => site.handle(request),
        }
    }

    /// The outcome that stands for a technical error in its form.
    pub const fn technical(&self) -> &'static str {
        match self {
            Self::Saml(_) => Outcome::ProviderError.name(),
            Self::Oidc(_) => OpOutcome::TokenBroken.name(),
        }
    }
}

/// A provider that can be broken.
#[derive(Clone)]
pub struct Provider {
    /// Its id in the sidecar's configuration.
    pub id: &'static str,
    /// What visitors of the page read.
    pub label: &'static str,
    /// Its site.
    pub site: Site,
    /// How it does.
    pub switch: Switch,
}

/// Who publishes the feed that the sidecar reads: the federation's operator, in small.
pub struct Publisher {
    folder: PathBuf,
    operator: DemoKey,
}

impl Publisher {
    /// Publishes into `folder`, signed by `operator`.
    pub const fn new(folder: PathBuf, operator: DemoKey) -> Self {
        Self { folder, operator }
    }

    /// Puts the feed in place at once, as every careful publisher does.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn publish<'a>(&self, sites: impl Iterator<Item = &'a IdpSite>) -> io::Result<()> {
        let idps: Vec<DemoIdp> = sites.map(IdpSite::idp).collect();
        let feed = idps.iter().fold(Feed::new().valid_for(SystemClock.now(), 7 * DAY), Feed::idp);
        let part = self.folder.join("metadata.part");
        std::fs::write(&part, feed.build_signed(&self.operator))?;
        std::fs::rename(part, self.folder.join("metadata.xml"))
    }
}

/// The control room.
pub struct Control {
    providers: Vec<Provider>,
    /// One at a time: two feeds at once would leave one key out.
    publisher: Mutex<Publisher>,
}

struct Button {
    value: &'static str,
    label: &'static str,
    pressed: bool,
}

struct Row {
    id: &'static str,
    label: &'static str,
    now: &'static str,
    buttons: Vec<Button>,
}

#[derive(Template)]
#[template(path = "control.html")]
struct Page {
    rows: Vec<Row>,
    rotate: &'static str,
}

impl Control {
    /// For these providers, whose feed `publisher` publishes.
    pub fn new(providers: Vec<Provider>, publisher: Publisher) -> Arc<Self> {
        Arc::new(Self { providers, publisher: Mutex::new(publisher) })
    }

    /// The providers.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// The provider of this id.
    pub fn provider(&self, id: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.id == id)
    }

    /// A new signing key for a provider, published beside the one before, and used at once.
    ///
    /// # Errors
    /// When the feed cannot be published.
    pub fn rotate(&self, provider: &Provider) -> io::Result<()> {
        let publisher = self.publisher.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Arc::new(DemoKey::rsa(provider.label).marked());
        match &provider.site {
            Site::Saml(site) => {
                let before = Arc::clone(site.idp().key());
                site.roll_over(Arc::clone(&key), vec![before, key]);
                let sites = self.providers.iter().filter_map(|provider| match &provider.site {
                    Site::Saml(site) => Some(site),
                    Site::Oidc(_) => None,
                });
                publisher.publish(sites)
            }
            Site::Oidc(site) => {
                let before = Arc::clone(site.op().key());
                site.roll_over(Arc::clone(&key), vec![before, key]);
                Ok(())
            }
        }
    }

    /// Answers one HTTP request: the page, and what its buttons send.
    pub fn handle(&self, request: &Request<Bytes>) -> Answer {
        // Any other name is a page of a stranger that had its name lead to this machine (DNS rebinding).
        if !matches!(host(request.headers()), "drift.localhost" | "localhost" | "127.0.0.1") {
            return text(StatusCode::MISDIRECTED_REQUEST, "no such host here\n");
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/") => self.page(),
            (&Method::POST, "/") if is_foreign(request.headers()) => {
                text(StatusCode::FORBIDDEN, "a page of another origin may not ask this\n")
            }
            (&Method::POST, "/") => self.press(&form::parse(&String::from_utf8_lossy(request.body()))),
            _ => text(StatusCode::NOT_FOUND, "404\n"),
        }
    }

    fn press(&self, fields: &[(String, String)]) -> Answer {
        let field = |name| form::get(fields, name).unwrap_or_default();
        let Some(provider) = self.provider(field("provider")) else {
            return text(StatusCode::BAD_REQUEST, "no such provider\n");
        };
        match (field("state"), Fault::parse(field("state"))) {
            (ROTATE, _) => {
                if let Err(e) = self.rotate(provider) {
                    return text(StatusCode::INTERNAL_SERVER_ERROR, format!("the feed could not be published: {e}\n"));
                }
            }
            (_, Some(fault)) => provider.switch.set(fault),
            (_, None) => return text(StatusCode::BAD_REQUEST, "no such state\n"),
        }
        see_other("/")
    }

    fn page(&self) -> Answer {
        let row = |provider: &Provider| {
            let now = provider.switch.get();
            let button = |fault: &Fault| Button { value: fault.name(), label: fault.label(), pressed: *fault == now };
            let buttons = Fault::ALL.iter().map(button).collect();
            Row { id: provider.id, label: provider.label, now: now.label(), buttons }
        };
        let page = Page { rows: self.providers.iter().map(row).collect(), rotate: ROTATE };
        match page.render() {
            Ok(body) => html(StatusCode::OK, body),
            Err(e) => html(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()),
        }
    }
}
