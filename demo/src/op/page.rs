//! The provider's pages beside the one where a visitor chooses.

use askama::Template;
use http::StatusCode;

use crate::idp::page::render;
use crate::serve::{Answer, html};

#[derive(Template)]
#[template(path = "op-logout.html")]
struct Logout<'a> {
    likeness: &'a str,
    who: &'a str,
    kept: Vec<(&'a str, &'a str)>,
}

#[derive(Template)]
#[template(path = "idp-text.html")]
struct Text<'a> {
    likeness: &'a str,
    heading: &'a str,
    text: String,
}

/// A request that is not taken, and cannot be answered.
pub(super) fn refused(likeness: &str, why: &str) -> Answer {
    let text = format!("Begäran tas inte emot. The request is not taken: {why}.");
    html(StatusCode::BAD_REQUEST, render(&Text { likeness, heading: "Fel begäran · Bad request", text }))
}

/// What one sees who comes here by themselves: whether one is logged in, and the way out.
pub(super) fn home(likeness: &str, who: Option<&str>) -> Answer {
    let Some(who) = who else {
        let text = "Hit kommer man från e-tjänsten. People come here from the e-service.".to_owned();
        return html(StatusCode::OK, render(&Text { likeness, heading: "Demoleverantör · Demo provider", text }));
    };
    logout(likeness, who, Vec::new())
}

/// Whether the person wants to be logged out; `kept` goes along with the answer.
pub(super) fn logout(likeness: &str, who: &str, kept: Vec<(&str, &str)>) -> Answer {
    html(StatusCode::OK, render(&Logout { likeness, who, kept }))
}

/// After a logout that leads nowhere else.
pub(super) fn logged_out(likeness: &str) -> Answer {
    let text = "Du är utloggad här, och e-tjänsterna har fått veta det. You are logged out here, and the e-services were told."
        .to_owned();
    html(StatusCode::OK, render(&Text { likeness, heading: "Utloggad · Logged out", text }))
}
