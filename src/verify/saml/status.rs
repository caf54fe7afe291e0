//! Status codes: what an answer that is no login means (SAML Core 3.2.2.2; profile 3.5).

use super::schema::{Readable, schema, sequence};
use crate::verify::xml::ns;
use crate::verify::{Reason, Reject};

const SAML: &str = "urn:oasis:names:tc:SAML:2.0:status:";
const SWEDISH: &str = "http://id.elegnamnden.se/status/1.0/";

/// The outcome that a provider reports.
pub(super) enum Status {
    Success,
    Failed(Reject),
}

/// Reads a `samlp:Status`.
///
/// # Errors
/// `saml_schema` when it has no StatusCode with a Value.
pub(super) fn read<'d, E: Readable<'d>>(status: E) -> Result<Status, Reject> {
    let [code, message, _detail] =
        sequence(status, [(ns::SAMLP, "StatusCode"), (ns::SAMLP, "StatusMessage"), (ns::SAMLP, "StatusDetail")])?;
    let code = code.ok_or_else(|| schema("Status has no StatusCode"))?;
    let top = code.attribute("Value").ok_or_else(|| schema("StatusCode has no Value"))?;
    let [second] = sequence(code, [(ns::SAMLP, "StatusCode")])?;
    let second = second.and_then(|code| code.attribute("Value")).unwrap_or_default();
    if top.strip_prefix(SAML) == Some("Success") {
        return Ok(Status::Success);
    }
    let reason = match (second.strip_prefix(SWEDISH), second.strip_prefix(SAML)) {
        (Some("cancel"), _) => Reason::StatusCancel,
        (Some("fraud"), _) => Reason::StatusFraud,
        (Some("possibleFraud"), _) => Reason::StatusPossibleFraud,
        (_, Some("AuthnFailed")) => Reason::StatusAuthnFailed,
        (_, Some("NoAuthnContext")) => Reason::StatusNoAuthnContext,
        _ => Reason::StatusError,
    };
    // StatusMessage is the provider's free text and may name a person: it stays out of the log.
    let said = if message.is_some() { ", with a message" } else { "" };
    Ok(Status::Failed(Reject::new(reason, format_args!("the provider answered {top:?}, {second:?}{said}"))))
}
