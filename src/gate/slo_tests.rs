//! An order of a provider is carried out, whatever becomes of our answer. The rest of single logout is told in `tests/it`.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::fixture::{NOW, entries, world_with};
use super::pool::Pool;
use super::{Cookies, Decision};
use crate::provider::ProviderEntry;
use crate::provider::fixture::{idp, provider};
use crate::replay::ProviderMark;
use crate::session::live::tests::{called, session};
use crate::verify::saml::{LogoutRequest, NameId, SloEndpoint, SsoBinding};

const BANKID: &str = "https://bankid-a.example.se";

fn with_single_logout() -> ProviderEntry {
    let mut idp = idp(BANKID, &["loa3"], &[SsoBinding::Redirect]);
    let (location, response_location) = (format!("{BANKID}/slo"), format!("{BANKID}/slo"));
    idp.slo.push(SloEndpoint { binding: SsoBinding::Redirect, location, response_location });
    ProviderEntry::new(provider("bankid-a", "bankid"), Ok(Arc::new(idp)))
}

/// Without room for a signature there is no answer. The session is over all the same, and its browser is told so.
#[tokio::test]
async fn what_was_ended_is_no_refusal_when_the_answer_cannot_be_signed() {
    for jobs in [0, 1] {
        let mut entries = entries();
        *entries.first_mut().unwrap() = with_single_logout();
        let mut world = world_with("https://e.example.se", entries);
        world.gate.pool = Pool::with_jobs(jobs);
        let gate = &world.gate;
        let name_id =
            NameId { value: "someone".to_owned(), format: None, name_qualifier: None, sp_name_qualifier: None };
        let mark = ProviderMark::session_index(&gate.digest, BANKID, "someone", "_1");
        let loa3 = "http://id.elegnamnden.se/loa/1.0/loa3";
        let browser = world.signed_in(&called(session(NOW, loa3, &[]), vec![mark]));
        let order = LogoutRequest {
            id: "_order".to_owned(),
            issuer: BANKID.to_owned(),
            name_id,
            session_indexes: vec!["_1".to_owned()],
            issued: NOW,
            acceptable_until: NOW,
        };
        let pairs: Vec<(&str, &str)> = browser.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let cookies = Cookies::new(&pairs);
        assert!(matches!(gate.authorize("/x", &cookies), Decision::Permit(_)));
        let providers = gate.providers();
        let ended = gate.carry_out(&order, None, providers.all().first().unwrap(), &cookies).await;
        let ended = ended.map_err(|denial| denial.code()).unwrap();
        assert_eq!(ended.answer.is_some(), jobs == 1);
        assert!(ended.everywhere);
        let expired = ended.set_cookies.iter().any(|c| c.name == gate.names.session() && c.value.is_none());
        assert!(expired, "the cookie goes too");
        assert!(matches!(gate.authorize("/x", &cookies), Decision::Denied(_)));
        let text = gate.telemetry.metrics().text().unwrap();
        let unanswered = r#"grindvakt_provider_logouts_total{outcome="unanswered",provider="bankid-a"} 1"#;
        assert_eq!(text.contains(unanswered), jobs == 0, "{text}");
    }
}
