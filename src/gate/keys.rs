//! A signature by a key that we do not have may be by one that is new: the provider's keys are fetched early, once.

use std::sync::Arc;
use std::time::Duration;

use super::Gate;
use crate::base::ProviderId;
use crate::base::limits::EARLY_WAIT_SECS;
use crate::provider::Snapshot;
use crate::verify::Reject;

impl Gate {
    /// A snapshot to try once more with, where `reject` may be for want of a new key and there is a newer snapshot than
    /// `judged_by`. Waits for an early fetch, for no longer than a person does.
    pub(super) async fn newer_keys(
        &self,
        reject: &Reject,
        provider: &ProviderId,
        judged_by: &Arc<Snapshot>,
    ) -> Option<Arc<Snapshot>> {
        if !reject.may_be_a_new_key() {
            return None;
        }
        let refresher = self.refresher.get()?;
        tokio::select! {
            _ = refresher.early(provider) => {}
            () = self.clock.sleep(Duration::from_secs(EARLY_WAIT_SECS)) => {}
        }
        // Also where this was no time to ask: somebody else may have, since this message was judged.
        let newer = self.registry.owned();
        (!Arc::ptr_eq(&newer, judged_by)).then_some(newer)
    }
}
