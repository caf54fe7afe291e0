//! A provider ends sessions (OpenID Connect Back-Channel Logout 1.0): no browser takes part, and no cookie is needed.

use std::sync::Arc;

use super::super::judge::Judge;
use super::super::provider_order::{CarriedOut, OrderAtProvider};
use super::super::{Denial, Gate};
use super::finish::is_encrypted;
use crate::base::{ProviderId, UnixTime};
use crate::provider::{ProviderEntry, Snapshot};
use crate::replay::{ProviderMark, ReplayKey};
use crate::telemetry::{ProviderLogout, ProviderLogoutRefused};
use crate::verify::jose::{LogoutToken, Received};
use crate::verify::{Reason, Reject, Verified};

/// Why a provider's logout was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutRefused(pub Denial);

impl Gate {
    /// Ends the sessions that a logout token names: one by `sid`, else every one of the person by `sub`.
    ///
    /// # Errors
    /// The token was refused, or used before: nothing was ended by it now. Or nobody can remember it now (`StoreDown`): the
    /// logins that it names are over, here at once, and it may be sent once more.
    pub async fn logout_by_provider(&self, token: &str) -> Result<(), LogoutRefused> {
        let mut provider = None;
        let done = self.by_token(token.as_bytes(), &mut provider).await;
        done.map_err(|denial| {
            let (code, detail) = (denial.code(), denial.detail());
            self.telemetry.emit(ProviderLogoutRefused { provider: provider.as_ref(), code, detail, reference: None });
            LogoutRefused(denial)
        })
    }

    async fn by_token(&self, token: &[u8], found: &mut Option<ProviderId>) -> Result<(), Denial> {
        let token: Arc<[u8]> = token.into();
        let mut snapshot = self.registry.owned();
        let mut judged = self.judge_logout(&snapshot, &token).await?;
        if let (Some(id), Err(reject)) = (&judged.0, &judged.1)
            && let Some(newer) = self.newer_keys(reject, id, &snapshot).await
        {
            snapshot = newer;
            judged = self.judge_logout(&snapshot, &token).await?;
        }
        let (id, verdict) = judged;
        *found = id;
        let logout = verdict.map_err(Denial::Rejected)?.into_claims();
        let now = self.clock.now();
        let once = self.once(|key| ReplayKey::assertion(key, &logout.issuer, &logout.replay_id));
        let issuer = logout.issuer.as_str();
        let (mut named, mut unnamed) = (Vec::new(), Vec::new());
        for key in self.digests() {
            let subject = logout.subject.as_deref();
            match &logout.session_id {
                None => named.extend(subject.map(|sub| ProviderMark::sub(key, issuer, sub))),
                // It may be one that we were not told the `sid` of: then it is one of the person's (2.7).
                Some(sid) => {
                    named.push(ProviderMark::sid(key, issuer, sid));
                    unnamed.extend(subject.map(|sub| ProviderMark::without_sid(key, issuer, sub)));
                }
            }
        }
        let (ordered, acceptable_until) = (logout.issued_at, logout.acceptable_until);
        let order = OrderAtProvider { named, unnamed, ordered, acceptable_until, once };
        let everywhere = match self.carry_out_once(&order, now).await? {
            CarriedOut::Everywhere => true,
            // Where other replicas cannot be told yet they will be.
            CarriedOut::Here => false,
            // There is no word for "in part" here, and what comes again ends what was opened meanwhile too.
            CarriedOut::Unremembered(error) => return Err(Denial::StoreDown(error)),
        };
        let by = if logout.session_id.is_some() { "sid" } else { "sub" };
        if let Some(provider) = found {
            self.telemetry.emit(ProviderLogout { provider, by, everywhere });
        }
        Ok(())
    }

    /// Whose token it is, and whether it holds.
    async fn judge_logout(
        &self,
        snapshot: &Arc<Snapshot>,
        token: &Arc<[u8]>,
    ) -> Result<(Option<ProviderId>, Result<Verified<LogoutToken>, Reject>), Denial> {
        let encrypted = is_encrypted(token);
        // Nobody has signed it yet, and anybody can encrypt to us: strangers must not fill the pool that logins need.
        let place =
            if encrypted { Some(self.sealed_logouts.try_acquire().map_err(|_| Denial::Overloaded)?) } else { None };
        let (judge, snapshot, token) = (Arc::clone(&self.judge), Arc::clone(snapshot), Arc::clone(token));
        let now = self.clock.now();
        let judged = self.in_pool(encrypted, move || {
            let mut of = None;
            let verdict = judge.logout_token(&snapshot, &token, now, &mut of);
            (of, verdict)
        });
        let judged = judged.await;
        drop(place);
        judged
    }
}

impl Judge {
    /// The claims of a logout token. `of` becomes the provider whose rules it is held to: by what it says of itself, which
    /// decides nothing else.
    fn logout_token(
        &self,
        snapshot: &Snapshot,
        token: &[u8],
        now: UnixTime,
        of: &mut Option<ProviderId>,
    ) -> Result<Verified<LogoutToken>, Reject> {
        let opened;
        let mut received = Received::parse(token)?;
        if received.is_encrypted() {
            let none = || Reject::new(Reason::TokenMalformed, "encrypted, and nothing in it");
            opened = received.open(&self.decryption)?.ok_or_else(none)?;
            received = opened.token()?;
        }
        let hint = received.hint()?;
        let issuer = hint.issuer.as_deref().ok_or_else(|| Reject::new(Reason::IssuerMissing, "no `iss`"))?;
        let is_for =
            |entry: &&ProviderEntry| entry.config().oidc().is_some_and(|own| hint.audiences.contains(&own.client_id));
        let unknown = || Reject::new(Reason::IssuerUnknown, "no provider of logins is called so, or not for us");
        let entry = snapshot.by_issuer(issuer).find(is_for).ok_or_else(unknown)?;
        *of = Some(entry.config().id.clone());
        received.logout_token(&entry.oidc(now)?.logout_expect(&self.config, &self.decryption), now)
    }
}
