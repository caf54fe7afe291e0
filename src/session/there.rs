//! What a SAML provider calls a person and their session, word for word: an order to end the session there must say the
//! same (SAML Core 3.7.3.1). It is personal data, and is nowhere but in what the session keeps, sealed.
//!
//! It stands among the session's fields, under names that no field has: a version that does not know them passes over
//! them, so that sessions stay good while one version takes the other's place.

/// A NameID and a SessionIndex. It has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct NameThere {
    /// The NameID.
    pub value: String,
    /// Its Format.
    pub format: Option<String>,
    /// Its NameQualifier.
    pub name_qualifier: Option<String>,
    /// Its SPNameQualifier.
    pub sp_name_qualifier: Option<String>,
    /// The SessionIndex.
    pub session_index: Option<String>,
}

const VALUE: &str = "~n";
const FORMAT: &str = "~f";
const NAME_QUALIFIER: &str = "~q";
const SP_NAME_QUALIFIER: &str = "~s";
const SESSION_INDEX: &str = "~i";

/// What most formats begin with: a cookie has little room.
const FORMATS: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:";

impl NameThere {
    pub(crate) fn into_fields(self) -> impl Iterator<Item = (String, String)> {
        let short = |format: String| match format.strip_prefix(FORMATS) {
            Some(rest) => format!("~{rest}"),
            None => format,
        };
        [
            (VALUE, Some(self.value)),
            (FORMAT, self.format.map(short)),
            (NAME_QUALIFIER, self.name_qualifier),
            (SP_NAME_QUALIFIER, self.sp_name_qualifier),
            (SESSION_INDEX, self.session_index),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    }

    pub(super) fn from_fields<'f>(field: impl Fn(&str) -> Option<&'f str>) -> Option<Self> {
        let long = |format: &str| match format.strip_prefix('~') {
            Some(rest) => format!("{FORMATS}{rest}"),
            None => format.to_owned(),
        };
        let owned = |name| field(name).map(str::to_owned);
        Some(Self {
            value: owned(VALUE)?,
            format: field(FORMAT).map(long),
            name_qualifier: owned(NAME_QUALIFIER),
            sp_name_qualifier: owned(SP_NAME_QUALIFIER),
            session_index: owned(SESSION_INDEX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Field;

    #[test]
    fn a_name_is_the_same_after_the_cookie() {
        let some = |text: &str| Some(text.to_owned());
        let full = NameThere {
            value: "kJ3~x".to_owned(),
            format: some("urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"),
            name_qualifier: some("https://idp.example.se"),
            sp_name_qualifier: some("https://e.example.se/sp"),
            session_index: some("_1"),
        };
        let other = NameThere { format: some("urn:x"), name_qualifier: None, session_index: None, ..full.clone() };
        for name in [full, other] {
            let fields: Vec<(String, String)> = name.clone().into_fields().collect();
            let find = |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
            assert!(NameThere::from_fields(find) == Some(name));
            assert!(Field::ALL.iter().all(|field| find(field.name()).is_none()), "no field has such a name");
        }
        assert!(NameThere::from_fields(|_| None).is_none());
    }
}
