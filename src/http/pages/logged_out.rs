//! After a logout: what was ended, and what was not.

use askama::Template;
use bytes::Bytes;
use http::{Response, StatusCode};

use super::{FORMS_TO_OURSELVES, Frame, Link, POLICY, Says, Site, forms_from, page, with_policy, words};
use crate::gate::AtProvider;
use crate::session::Locale;

/// What there is to say beside that the session here is over.
#[derive(Clone, Copy, Default)]
pub struct LoggedOut<'a> {
    /// Where the login may live on, which the person can end.
    pub at_provider: Option<&'a AtProvider>,
    /// What a provider said of its own session: the e-ID's label, and whether it is over.
    pub there: Option<(&'a str, bool)>,
    /// Other replicas do not know yet.
    pub spreading: bool,
    /// The e-service should have been told, and could not be.
    pub untold: bool,
}

#[derive(Template)]
#[template(path = "logged_out.html")]
struct LoggedOutPage<'a> {
    frame: Frame<'a>,
    says: Says,
    /// What else was ended, and what was not.
    more: Vec<String>,
    link: Link,
    there: Option<There<'a>>,
}

/// How to log out at the provider.
struct There<'a> {
    sentence: String,
    action: &'a str,
    fields: &'a [(&'static str, String)],
    text: &'static str,
}

/// The page after a logout.
pub fn logged_out(site: &Site, locale: Locale, ended: LoggedOut<'_>) -> Response<Bytes> {
    let words = words(locale);
    let mut more = Vec::new();
    if let Some((label, over)) = ended.there {
        let sentence = if over { words.logged_out_there } else { words.not_logged_out_there };
        more.push(sentence.replace("{}", label));
    }
    if ended.spreading {
        more.push(words.logout_spreading.to_owned());
    }
    if ended.untold {
        more.push(words.logout_untold.to_owned());
    }
    let there = ended.at_provider.map(|there| There {
        sentence: words.still_logged_in_there.replace("{}", &there.label),
        action: &there.location,
        fields: &there.fields,
        text: words.logout_there,
    });
    let link = Link { href: site.home.clone(), text: words.back_to_service };
    let matter = LoggedOutPage { frame: Frame::new(site, locale), says: words.logged_out, more, link, there };
    let out = page(StatusCode::OK, &matter);
    match ended.at_provider.filter(|there| !there.fields.is_empty()) {
        Some(there) => with_policy(out, POLICY.replace(FORMS_TO_OURSELVES, forms_from(&there.location))),
        None => out,
    }
}
