//! SAML attributes by `Name` (ATTR 3.1; Inera's own names): which field each one is.

use crate::verify::saml::Attribute;
use crate::verify::{Reason, Reject};

/// personalIdentityNumber: either kind of number.
pub(super) const NUMBER: &[&str] = &["urn:oid:1.2.752.29.4.13", "urn:credential:personalIdentityNumber"];
/// previousPersonalIdentityNumber.
pub(super) const PREVIOUS_NUMBER: &[&str] = &["urn:oid:1.2.752.201.3.15"];
/// mappedPersonalIdentityNumber.
pub(super) const MAPPED_NUMBER: &[&str] = &["urn:oid:1.2.752.201.3.16"];
/// personalIdentityNumberBinding.
pub(super) const NUMBER_BINDING: &[&str] = &["urn:oid:1.2.752.201.3.6"];
/// sn.
pub(super) const SURNAME: &[&str] =
    &["urn:oid:2.5.4.4", "urn:credential:surname", "http://sambi.se/attributes/1/surname"];
/// givenName.
pub(super) const GIVEN_NAME: &[&str] =
    &["urn:oid:2.5.4.42", "urn:credential:givenName", "http://sambi.se/attributes/1/givenName"];
/// displayName.
pub(super) const NAME: &[&str] = &["urn:oid:2.16.840.1.113730.3.1.241"];
/// dateOfBirth.
pub(super) const DATE_OF_BIRTH: &[&str] = &["urn:oid:1.3.6.1.5.5.7.9.1"];
/// c.
pub(super) const COUNTRY: &[&str] = &["urn:oid:2.5.4.6"];
/// orgAffiliation.
pub(super) const ORG_AFFILIATION: &[&str] = &["urn:oid:1.2.752.201.3.1"];
/// employeeHsaId.
pub(super) const HSA_ID: &[&str] = &["urn:oid:1.2.752.29.6.2.1", "http://sambi.se/attributes/1/employeeHsaId"];
/// prid.
pub(super) const PRID: &[&str] = &["urn:oid:1.2.752.201.3.4"];

/// The one value of a single-valued attribute, without white space around it (ATTR 3.1.1); none when it is not there.
///
/// # Errors
/// `attribute_duplicate` when it stands twice, also under another of its names, and `attribute_values` when it holds no
/// value, an empty one or several (T7; ATTR 2, 3.1.2).
pub(super) fn single<'a>(attributes: &'a [Attribute], names: &[&str]) -> Result<Option<&'a str>, Reject> {
    let Some(values) = values(attributes, names)? else { return Ok(None) };
    // A second value that is an element and no text is a second value all the same.
    let structured = attributes.iter().find(|a| names.contains(&a.name.as_str())).map_or(0, |a| a.structured);
    match values {
        [value] if structured == 0 && !value.trim().is_empty() => Ok(Some(value.trim())),
        _ => {
            let many = values.len() + structured;
            let detail = format_args!("{} has {many} values; it must have one", names.first().unwrap_or(&""));
            Err(Reject::new(Reason::AttributeValues, detail))
        }
    }
}

/// The values of an attribute; none when it is not there.
///
/// # Errors
/// `attribute_duplicate` when it stands twice.
pub(super) fn values<'a>(attributes: &'a [Attribute], names: &[&str]) -> Result<Option<&'a [String]>, Reject> {
    let mut found = attributes.iter().filter(|a| names.contains(&a.name.as_str()));
    let first = found.next();
    match found.next() {
        Some(second) => {
            Err(Reject::new(Reason::AttributeDuplicate, format_args!("the attribute {:?} stands twice", second.name)))
        }
        None => Ok(first.map(|a| a.values.as_slice())),
    }
}
