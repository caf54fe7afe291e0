//! Judging a message where it arrives, or in the pool where a private key is needed for it.

use std::sync::Arc;

use memchr::memmem;

use super::{Denial, Gate};
use crate::base::UnixTime;
use crate::config::{Config, SecondReader};
use crate::crypto::own::DecryptionKeys;
use crate::provider::{ProviderEntry, Snapshot};
use crate::session::LoginState;
use crate::telemetry::{Judged, Stopwatch, VerifiedProtocol};
use crate::verify::saml::{Assertion, Binding, Expect, Received};
use crate::verify::{Reason, Reject, Verified};

/// What judging takes beside the message and its provider.
pub(super) struct Judge {
    pub(super) config: Arc<Config>,
    /// Our ACS addresses: requests name the first, answers may be addressed to any.
    pub(super) acs: Vec<String>,
    pub(super) decryption: DecryptionKeys,
}

impl Judge {
    pub(super) fn received<'m>(&self, xml: &'m [u8]) -> Result<Received<'m>, Reject> {
        Received::parse(xml, self.config.verification.second_reader == SecondReader::Always)
    }

    /// The claims of a message that answers `state`, or nothing that we asked.
    fn verify(
        &self,
        provider: &ProviderEntry,
        state: Option<&LoginState>,
        xml: &[u8],
        now: UnixTime,
        watch: &mut Stopwatch,
    ) -> Result<Verified<Assertion>, Reject> {
        // Before the provider is asked for keys that it cannot have: an answer to a login by another protocol is no outage.
        let binding = match state {
            None => Binding::None,
            Some(state) => {
                let other = || Reject::new(Reason::StateOtherProvider, "the login was begun by another protocol");
                let id = state.sent.request_id().ok_or_else(other)?;
                Binding::Request { id, issued_at: state.issued_at, loa: &state.loa }
            }
        };
        let saml = provider.saml(now)?;
        // Whether this login had to be fresh was settled when it began. Where nobody asked, nothing can be held against
        // a request.
        let force_authn = state.is_some_and(|state| state.force_authn);
        let expect = Expect { force_authn, ..saml.expect(&self.config, &self.acs, binding, &self.decryption) };
        let received = self.received(xml)?;
        watch.read();
        received.verify_observed(&expect, now, watch)
    }
}

impl Gate {
    /// The verified claims of a message. A plain one is judged here and now; one that is encrypted costs as much as ten,
    /// and goes to the pool, so that logins never slow live sessions.
    pub(super) async fn verified(
        &self,
        snapshot: &Arc<Snapshot>,
        provider: &ProviderEntry,
        state: Option<&LoginState>,
        xml: &[u8],
        now: UnixTime,
    ) -> Result<Verified<Assertion>, Denial> {
        let mut watch = Stopwatch::start();
        // XML has no other way to write the name.
        let judged = if memmem::find(xml, b"EncryptedAssertion").is_none() {
            self.judge.verify(provider, state, xml, now, &mut watch)
        } else {
            let (judge, snapshot, id) = (Arc::clone(&self.judge), Arc::clone(snapshot), provider.config().id.clone());
            let (state, xml) = (state.cloned(), xml.to_vec());
            let job = move || {
                // Without the time that it has waited for its turn.
                let mut watch = Stopwatch::start();
                let gone = || Reject::new(Reason::IssuerUnknown, "the provider is no longer configured");
                let provider = snapshot.by_id(&id).ok_or_else(gone);
                let judged =
                    provider.and_then(|provider| judge.verify(provider, state.as_ref(), &xml, now, &mut watch));
                (judged, watch)
            };
            let (judged, own) = self.pool.run(job).await.map_err(|_| Denial::Overloaded)?;
            watch = own;
            judged
        };
        self.telemetry.emit(Judged {
            provider: &provider.config().id,
            protocol: VerifiedProtocol::Saml,
            code: judged.as_ref().err().map(Reject::code),
            watch,
            made: judged.as_ref().ok().map(|verified| (verified.claims().issue_instant, now)),
        });
        judged.map_err(Denial::Rejected)
    }
}
