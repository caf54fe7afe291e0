//! A provider ends sessions (OpenID Connect Back-Channel Logout 1.0): no browser takes part, and no cookie is needed.

use std::sync::Arc;

use super::super::judge::Judge;
use super::super::{Denial, Gate};
use super::finish::is_encrypted;
use crate::base::{ProviderId, UnixTime};
use crate::provider::{ProviderEntry, Snapshot};
use crate::replay::{Mark, ProviderMark, ReplayKey};
use crate::telemetry::{ProviderLogout, ProviderLogoutRefused};
use crate::verify::jose::{Hint, LogoutToken, Received};
use crate::verify::{Reason, Reject, Verified};

/// Why a provider's logout was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutRefused(pub Denial);

impl Gate {
    /// Ends the sessions that a logout token names: one by `sid`, else every one of the person by `sub`.
    ///
    /// # Errors
    /// The token was refused or used before, or nobody can remember it now: nothing was ended.
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
        let line = self.lasting.store.line().await.map_err(Denial::StoreDown)?;
        let once = [ReplayKey::assertion(&self.digest, &logout.issuer, &logout.replay_id)];
        // Shown again, it would end sessions that were opened since.
        let used = self.lasting.store.consume(&once, &line.instance, logout.acceptable_until, now).await;
        drop(used.map_err(super::super::finish::not_first)?);
        let mark = match (&logout.session_id, &logout.subject) {
            (Some(sid), _) => ProviderMark::sid(&self.digest, &logout.issuer, sid),
            (None, Some(sub)) => ProviderMark::sub(&self.digest, &logout.issuer, sub),
            // The verifier lets none such through.
            (None, None) => return Err(Denial::Rejected(Reason::ClaimMissing.into())),
        };
        // None that it may mean lasts longer.
        let until = now.plus(self.times.lifetime);
        // Where other replicas cannot be told yet they will be.
        let told = self.lasting.store.end(&[(Mark::AtProvider(mark), until)], now).await.is_ok();
        let by = if logout.session_id.is_some() { "sid" } else { "sub" };
        if let Some(provider) = found {
            self.telemetry.emit(ProviderLogout { provider, by, everywhere: told });
        }
        Ok(())
    }

    /// Whose token it is, and whether it holds.
    async fn judge_logout(
        &self,
        snapshot: &Arc<Snapshot>,
        token: &Arc<[u8]>,
    ) -> Result<(Option<ProviderId>, Result<Verified<LogoutToken>, Reject>), Denial> {
        let (judge, snapshot, token) = (Arc::clone(&self.judge), Arc::clone(snapshot), Arc::clone(token));
        let now = self.clock.now();
        self.in_pool(is_encrypted(&token), move || match judge.of_logout(&snapshot, &token) {
            Ok(entry) => (Some(entry.config().id.clone()), judge.logout_token(entry, &token, now)),
            Err(reject) => (None, Err(reject)),
        })
        .await
    }
}

impl Judge {
    /// The provider whose rules a logout token is held to: by what it says of itself, which decides nothing else.
    fn of_logout<'s>(&self, snapshot: &'s Snapshot, token: &[u8]) -> Result<&'s ProviderEntry, Reject> {
        let mut received = Received::parse(token)?;
        let hint = if received.is_encrypted() {
            match received.open(&self.decryption)? {
                Some(opened) => opened.token()?.hint()?,
                None => Hint::default(),
            }
        } else {
            received.hint()?
        };
        let issuer = hint.issuer.as_deref().ok_or_else(|| Reject::new(Reason::IssuerMissing, "no `iss`"))?;
        let of =
            |entry: &&ProviderEntry| entry.config().oidc().is_some_and(|own| hint.audiences.contains(&own.client_id));
        let unknown = || Reject::new(Reason::IssuerUnknown, "no provider of logins is called so, or not for us");
        snapshot.by_issuer(issuer).find(of).ok_or_else(unknown)
    }

    fn logout_token(
        &self,
        entry: &ProviderEntry,
        token: &[u8],
        now: UnixTime,
    ) -> Result<Verified<LogoutToken>, Reject> {
        let expect = entry.oidc(now)?;
        Received::parse(token)?.logout_token(&expect.logout_expect(&self.config, &self.decryption), now)
    }
}
