//! Rules that a Response and its Assertion share.

use std::time::Duration;

use super::schema::{Readable, instant};
use super::{Binding, Expect, IdpMetadata};
use crate::base::UnixTime;
use crate::verify::{Reason, Reject};

/// The issuer is the one that was asked, compared exactly.
pub(super) fn same_issuer(name: &str, idp: &IdpMetadata) -> Result<(), Reject> {
    if name == idp.entity_id {
        return Ok(());
    }
    let detail = format_args!("the issuer is {name:?}; {:?} was asked", idp.entity_id);
    Err(Reject::new(Reason::IssuerMismatch, detail))
}

/// How old a message may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// How far clocks may differ.
    pub(super) clock_skew: Duration,
    /// The oldest IssueInstant that is taken, skew apart.
    pub(super) max_age: Duration,
}

/// IssueInstant: not in the future, and not too old (profile 7.1, 19).
pub(super) fn recent(issued: UnixTime, what: &str, window: Window, now: UnixTime) -> Result<(), Reject> {
    let Window { clock_skew, max_age } = window;
    if issued > now.plus(clock_skew) {
        return Err(Reject::new(Reason::IssuedInFuture, format_args!("{what} was issued at {issued}; it is {now}")));
    }
    if now > issued.plus(max_age).plus(clock_skew) {
        return Err(Reject::new(Reason::IssuedTooLongAgo, format_args!("{what} was issued at {issued}; it is {now}")));
    }
    Ok(())
}

/// InResponseTo against the request. `optional`: where its absence is made up for by the signed assertion's.
pub(super) fn in_response_to(value: Option<&str>, expect: &Expect<'_>, optional: bool) -> Result<(), Reject> {
    match (&expect.binding, value) {
        (Binding::Unchecked, _) => Ok(()),
        (Binding::Request { id, .. }, Some(value)) if value == *id => Ok(()),
        (Binding::Request { id, .. }, Some(value)) => Err(Reject::new(
            Reason::InResponseToMismatch,
            format_args!("it answers {value:?}; this browser's request is {id:?}"),
        )),
        (Binding::Request { .. }, None) if optional => Ok(()),
        (Binding::Request { .. }, None) => {
            Err(Reject::new(Reason::InResponseToMissing, "no InResponseTo where a request was sent"))
        }
        (Binding::None, Some(value)) => Err(Reject::new(
            Reason::InResponseToMismatch,
            format_args!("it answers {value:?}; this browser holds no request"),
        )),
        (Binding::None, None) if expect.allow_unsolicited => Ok(()),
        (Binding::None, None) => Err(Reject::new(Reason::Unsolicited, "an answer to no request")),
    }
}

/// An instant that must not have come, unless it is absent.
pub(super) fn not_reached<'d>(
    element: impl Readable<'d>,
    name: &str,
    reason: Reason,
    expect: &Expect<'_>,
    now: UnixTime,
) -> Result<Option<UnixTime>, Reject> {
    let until = instant(element, name)?;
    match until {
        // Exclusive: at the instant itself it is over (SAML Core 2.5.1.2).
        Some(until) if now >= until.plus(expect.clock_skew) => {
            Err(Reject::new(reason, format_args!("{name} of {} was {until}; it is {now}", element.local_name())))
        }
        other => Ok(other),
    }
}
