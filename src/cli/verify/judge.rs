//! One message judged: by the same functions as in the server, with the configuration's providers, at a given instant.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::base::{ProviderId, Secret, UnixTime, limits};
use crate::config::Config;
use crate::crypto::digest::HmacKey;
use crate::crypto::own::DecryptionKeys;
use crate::identity::{Field, Identity, Loa, from_assertion};
use crate::policy::{Route, meets, normal_path};
use crate::provider::{ProviderEntry, Snapshot};
use crate::replay::{FirstUse, MemoryGuard, ReplayGuard as _, ReplayKey};
use crate::verify::saml::{Binding, Received};
use crate::verify::{Reason, Reject, base64};

/// What is asked.
#[derive(Debug, Default)]
pub(super) struct Question<'q> {
    /// SAML XML, its base64, or a compact JWT.
    pub(super) message: Cow<'q, [u8]>,
    /// The instant to judge at.
    pub(super) at: Option<UnixTime>,
    /// The request that the browser holds; `*` leaves the binding out.
    pub(super) in_response_to: Option<&'q str>,
    /// The provider that was asked; none finds it by Issuer.
    pub(super) provider: Option<&'q str>,
    /// The route's path; none asks for the provider's rules only.
    pub(super) route: Option<&'q str>,
}

/// The answer.
pub(super) struct Verdict {
    /// Why not; none when accepted.
    pub(super) refused: Option<Reject>,
    /// The provider's id, where it was found.
    pub(super) provider: Option<ProviderId>,
    /// What the message speaks, where that was found.
    pub(super) protocol: Option<&'static str>,
    /// Rules that were not looked at.
    pub(super) unchecked: Vec<&'static str>,
    /// Whether nothing says that the person logged in, and when: of an access token it is not told then.
    pub(super) no_login: bool,
    /// Who, when accepted.
    pub(super) identity: Option<Identity>,
}

/// What one run of the command remembers.
pub(super) struct Judge {
    pub(super) config: Config,
    pub(super) snapshot: Snapshot,
    pub(super) decryption: DecryptionKeys,
    used: MemoryGuard,
    pub(super) key: HmacKey,
}

impl Judge {
    /// With the providers that `config` names.
    pub(super) fn new(config: Config, snapshot: Snapshot, decryption: DecryptionKeys) -> Self {
        // Subjects are not shown, and uses are remembered for this run only: any key does.
        Self { config, snapshot, decryption, used: MemoryGuard::default(), key: HmacKey::new(&Secret::new([0; 32])) }
    }

    /// Judges one message. `now` is the instant where the question names none.
    pub(super) async fn judge(&self, question: &Question<'_>, now: UnixTime) -> Verdict {
        let mut verdict = Verdict {
            refused: None,
            provider: None,
            protocol: None,
            unchecked: Vec::new(),
            no_login: false,
            identity: None,
        };
        match self.accept(question, question.at.unwrap_or(now), &mut verdict).await {
            Ok(identity) => verdict.identity = Some(identity),
            Err(reject) => verdict.refused = Some(reject),
        }
        verdict
    }

    async fn accept(&self, question: &Question<'_>, now: UnixTime, verdict: &mut Verdict) -> Result<Identity, Reject> {
        let asked = question.provider.map(|id| self.provider(id)).transpose()?;
        if let Some(entry) = asked {
            verdict.found(entry);
        }
        match message(&question.message)? {
            Message::Token(token) => self.token(token, asked, question, now, verdict).await,
            Message::Saml(xml) => {
                verdict.protocol = Some("saml");
                self.response(&xml, asked, question, now, verdict).await
            }
        }
    }

    async fn response(
        &self,
        xml: &[u8],
        asked: Option<&ProviderEntry>,
        question: &Question<'_>,
        now: UnixTime,
        verdict: &mut Verdict,
    ) -> Result<Identity, Reject> {
        // Off the hot path, so the second reader is always asked.
        let received = Received::parse(xml, true)?;
        let entry = match asked {
            Some(entry) => entry,
            None => self.by_issuer(&received)?,
        };
        verdict.found(entry);
        let binding = match question.in_response_to {
            None => Binding::None,
            Some("*") => {
                verdict.unchecked.push("request_binding");
                Binding::Unchecked
            }
            // When the request was made is not known: no earlier than a login may last.
            Some(id) => {
                let issued_at = now.minus(std::time::Duration::from_secs(limits::LOGIN_LIFETIME_SECS));
                Binding::Request { id, issued_at, loa: &[] }
            }
        };
        let saml = entry.saml(now)?;
        let acs = self.config.acs_urls();
        let verified = received.verify(&saml.expect(&self.config, &acs, binding, &self.decryption), now)?;
        let identity = from_assertion(verified, &saml.identity_rules(&self.config), &self.key)?;
        self.on_route(&identity, entry, question, now)?;
        self.once(&identity, now).await?;
        Ok(identity)
    }

    /// Whether the route, if one is asked about, lets the person in.
    pub(super) fn on_route(
        &self,
        identity: &Identity,
        entry: &ProviderEntry,
        question: &Question<'_>,
        now: UnixTime,
    ) -> Result<(), Reject> {
        let Some(route) = self.route(question)? else { return Ok(()) };
        let eid = &entry.config().eid;
        let age = now.since(identity.authenticated_at().plus(self.config.verification.clock_skew));
        let has = |field| field == Field::Eid || identity.field(field).is_some();
        meets(route, identity.loa(), eid, age, has).map(drop)
    }

    /// The route that is asked about.
    pub(super) fn route(&self, question: &Question<'_>) -> Result<Option<&Arc<Route>>, Reject> {
        let Some(path) = question.route else { return Ok(None) };
        let path =
            normal_path(path).map_err(|e| Reject::new(Reason::RouteMalformed, format_args!("the route's path {e}")))?;
        Ok(Some(self.config.routes.find(&path)))
    }

    /// Uses the message up, for this run.
    pub(super) async fn once(&self, identity: &Identity, now: UnixTime) -> Result<(), Reject> {
        let key = ReplayKey::assertion(&self.key, identity.issuer(), identity.assertion_id());
        let consumed = self.used.consume(&[key], identity.acceptable_until(), now).await;
        // Nothing is opened with it: the run only remembers.
        let _: FirstUse =
            consumed.map_err(|_| Reject::new(Reason::Replayed, "this message was accepted before in this run"))?;
        Ok(())
    }

    fn provider(&self, id: &str) -> Result<&ProviderEntry, Reject> {
        let found = ProviderId::new(id).ok().and_then(|id| self.snapshot.by_id(&id));
        found.ok_or_else(|| Reject::new(Reason::IssuerUnknown, format_args!("no provider has the id {id:?}")))
    }

    fn by_issuer(&self, received: &Received<'_>) -> Result<&ProviderEntry, Reject> {
        let issuer = received.issuer_hint().ok_or_else(|| Reject::new(Reason::IssuerMissing, "no Issuer"))?;
        let found = self.snapshot.by_entity_id(&issuer);
        found.ok_or_else(|| Reject::new(Reason::IssuerUnknown, format_args!("no provider is called {issuer:?}")))
    }
}

/// What a message is.
enum Message<'m> {
    Saml(Cow<'m, [u8]>),
    Token(&'m [u8]),
}

/// Takes SAML XML, its base64, or a compact token.
fn message(message: &[u8]) -> Result<Message<'_>, Reject> {
    let start = message.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(message.len());
    let rest = message.get(start..).unwrap_or_default();
    // A byte-order mark or any other byte that base64 has not is the reader's to judge.
    if rest.first().is_none_or(|b| *b == b'<' || !b.is_ascii()) {
        return Ok(Message::Saml(Cow::Borrowed(message)));
    }
    // Base64 has no dots and no braces, and no XML begins like the header of a token.
    if rest.starts_with(b"eyJ") || rest.starts_with(b"{") || memchr::memchr(b'.', rest).is_some() {
        return Ok(Message::Token(rest.trim_ascii_end()));
    }
    // Base64 is a third longer than what it holds; white space may double it.
    if rest.len() > limits::MESSAGE.bytes * 3 {
        return Err(Reject::new(Reason::MessageTooLarge, format_args!("{} bytes of base64", rest.len())));
    }
    let text = std::str::from_utf8(rest).ok();
    let xml = text.and_then(base64::decode_spaced);
    xml.map(|xml| Message::Saml(Cow::Owned(xml)))
        .ok_or_else(|| Reject::new(Reason::MessageEncoding, "neither XML, nor base64 of it, nor a token"))
}

impl Verdict {
    /// The provider is known, and with it what it speaks.
    pub(super) fn found(&mut self, entry: &ProviderEntry) {
        self.provider = Some(entry.config().id.clone());
        self.protocol = Some(entry.config().protocol.name());
    }

    /// The verdict as `verify --batch` writes it. `identity` says whether the person is shown.
    pub(super) fn as_json(&self, id: &Value, identity: bool) -> Value {
        let mut out = json!({
            "id": id,
            "verdict": if self.refused.is_none() { "accepted" } else { "rejected" },
            "code": self.refused.as_ref().map(Reject::code),
            "detail": self.refused.as_ref().map(Reject::detail),
            "provider": self.provider.as_ref().map(ProviderId::as_str),
            "protocol": self.protocol,
            "loa": self.identity.as_ref().map(|who| who.loa()).filter(|loa| !loa.is_unstated()).map(Loa::uri),
            "unchecked": self.unchecked,
        });
        if let (Some(who), true, Some(object)) = (&self.identity, identity, out.as_object_mut()) {
            object.insert("identity".into(), person(who, self.no_login));
        }
        out
    }
}

/// A person for programs: fields that are there, and every attribute by its own name.
fn person(who: &Identity, no_login: bool) -> Value {
    let mut out = Map::new();
    out.insert("subject".into(), json!(who.name_id().value));
    for field in Field::ALL.into_iter().filter(|field| *field != Field::Loa) {
        if let Some(value) = who.field(field) {
            out.insert(field.name().into(), json!(value));
        }
    }
    if !no_login {
        out.insert("authenticated_at".into(), json!(who.authenticated_at().to_string()));
    }
    let mut attributes = Map::new();
    for attribute in who.attributes().iter() {
        let entry = attributes.entry(attribute.name.clone()).or_insert_with(|| json!([]));
        if let Some(list) = entry.as_array_mut() {
            list.extend(attribute.values.iter().map(|value| json!(value)));
        }
    }
    out.insert("attributes".into(), Value::Object(attributes));
    Value::Object(out)
}
