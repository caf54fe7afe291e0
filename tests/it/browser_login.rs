//! Logins as a real browser goes through them (feature `peers`): Debian's Chromium, the providers on other registrable
//! domains, TLS everywhere, and so the cookies that production has.

use crate::support::browser::Profile;
use crate::support::web::{SERVICE, story};

fn at(path: &str) -> String {
    format!("https://{SERVICE}{path}")
}

#[tokio::test]
async fn a_person_logs_in_by_redirect_and_lands_where_they_wanted() {
    story("redirect", "", async |web| {
        let browser = web.browser(&Profile::default()).await;
        browser.open(&at("/ansokan?steg=2")).await;
        assert_eq!(browser.reads("h1").await, "Välj hur du vill logga in");
        browser.press("a.choice[href*='eid=bankid']").await;
        assert!(browser.reads("h1").await.contains("demo-BankID"));
        browser.press("button[type=submit]").await;
        browser.arrives(&at("/ansokan?steg=2")).await;
    })
    .await;
}
