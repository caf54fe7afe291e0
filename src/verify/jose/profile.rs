//! What providers of OpenID Connect are held to, and where they write what: one row for each profile. The sources of every
//! cell are in docs/oidc-profiles.md.

use std::time::Duration;

/// A profile by its name in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OidcProfile {
    /// OpenID Connect Core, and what the configuration says.
    Generic,
    /// The Swedish OpenID Connect Profile.
    OidcSweden,
    /// The profile of Sweden Connect, eIDAS included.
    SwedenConnect,
    /// Freja's own provider.
    Freja,
    /// Inera's: SITHS and health care.
    Inera,
}

/// When `auth_time` must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthTime {
    /// Always.
    Required,
    /// When a fresh login or `max_age` was asked for (OpenID Connect Core, 3.1.2.1).
    WhenAsked,
    /// Never: the provider does not send it, and only what it sends is checked.
    Optional,
}

/// One row.
#[derive(Debug)]
pub struct ProfileRules {
    /// The longest time between `iat` and `exp` of an ID token; none takes any.
    pub lifetime: Option<Duration>,
    /// When `auth_time` must be there.
    pub auth_time: AuthTime,
    /// Whether UserInfo must come signed.
    pub userinfo_signed: bool,
    /// The claim that holds the level.
    pub loa_claim: &'static str,
    /// (what the provider writes there, the level that it means): for those that do not write URIs.
    pub loa_words: &'static [(&'static str, &'static str)],
    /// Whether personal and coordination numbers have claims of their own, so that one in the other's place is a mistake.
    pub numbers_apart: bool,
    /// The claim that must say `SE` where an identity number is to count as a Swedish one.
    pub number_country: Option<&'static str>,
    /// What is asked for, unless the configuration says otherwise.
    pub scopes: &'static [&'static str],
    /// The same at the eIDAS connector, where that is a provider of another kind of person.
    pub connector_scopes: &'static [&'static str],
    /// Where the person is.
    pub claims: ClaimNames,
}

impl ProfileRules {
    /// The scopes to ask a provider for (OpenID Connect Core, 5.4).
    pub fn scopes(&self, eidas_connector: bool) -> impl Iterator<Item = &'static str> {
        let scopes = if eidas_connector { self.connector_scopes } else { self.scopes };
        scopes.iter().copied()
    }
}

/// Claims by what they tell. Of several names the first one that is there counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClaimNames {
    /// Personal identity number.
    pub personal_number: &'static [&'static str],
    /// Coordination number.
    pub coordination_number: &'static [&'static str],
    /// `confirmed`, `probable` or `uncertain`.
    pub coordination_level: &'static [&'static str],
    /// The number that the person had before.
    pub previous_number: &'static [&'static str],
    /// A number that the eIDAS connector has found for a foreign identity.
    pub mapped_number: &'static [&'static str],
    /// How it was found.
    pub number_binding: &'static [&'static str],
    /// The connector's own identifier.
    pub prid: &'static [&'static str],
    /// The country that authenticated.
    pub country: &'static [&'static str],
    /// The identity in the health-care directory.
    pub hsa_id: &'static [&'static str],
    /// Identities in organisations: a string, or an array of them.
    pub org_affiliation: &'static [&'static str],
    /// The whole name.
    pub name: &'static [&'static str],
    /// Given names.
    pub given_name: &'static [&'static str],
    /// Surname.
    pub surname: &'static [&'static str],
    /// Date of birth.
    pub date_of_birth: &'static [&'static str],
}

/// The standard claims of OpenID Connect Core, 5.1: names only. Who a person is no standard claim tells.
const STANDARD: ClaimNames = ClaimNames {
    personal_number: &[],
    coordination_number: &[],
    coordination_level: &[],
    previous_number: &[],
    mapped_number: &[],
    number_binding: &[],
    prid: &[],
    country: &[],
    hsa_id: &[],
    org_affiliation: &[],
    name: &["name"],
    given_name: &["given_name"],
    surname: &["family_name"],
    date_of_birth: &["birthdate"],
};

const SWEDISH: ClaimNames = ClaimNames {
    personal_number: &["https://id.oidc.se/claim/personalIdentityNumber"],
    coordination_number: &["https://id.oidc.se/claim/coordinationNumber"],
    coordination_level: &["https://id.oidc.se/claim/coordinationNumberLevel"],
    previous_number: &["https://id.oidc.se/claim/previousCoordinationNumber"],
    org_affiliation: &["https://id.oidc.se/claim/orgAffiliation"],
    ..STANDARD
};

const SWEDISH_SCOPES: &[&str] =
    &["openid", "https://id.oidc.se/scope/naturalPersonInfo", "https://id.oidc.se/scope/naturalPersonNumber"];

const SIGNED_FOR_FIVE_MINUTES: ProfileRules = ProfileRules {
    lifetime: Some(Duration::from_secs(5 * 60)),
    auth_time: AuthTime::Required,
    userinfo_signed: true,
    loa_claim: "acr",
    loa_words: &[],
    numbers_apart: true,
    number_country: None,
    scopes: SWEDISH_SCOPES,
    connector_scopes: SWEDISH_SCOPES,
    claims: SWEDISH,
};

static GENERIC: ProfileRules = ProfileRules {
    lifetime: None,
    auth_time: AuthTime::WhenAsked,
    userinfo_signed: false,
    loa_claim: "acr",
    loa_words: &[],
    numbers_apart: false,
    number_country: None,
    scopes: &["openid", "profile"],
    connector_scopes: &["openid", "profile"],
    claims: STANDARD,
};

static OIDC_SWEDEN: ProfileRules = SIGNED_FOR_FIVE_MINUTES;

static SWEDEN_CONNECT: ProfileRules = ProfileRules {
    connector_scopes: &[
        "openid",
        "https://id.swedenconnect.se/scope/eidasNaturalPersonIdentity",
        "https://id.swedenconnect.se/scope/eidasSwedishIdentity",
    ],
    claims: ClaimNames {
        mapped_number: &[
            "https://id.swedenconnect.se/claim/mappedPersonalIdentityNumber",
            "https://id.swedenconnect.se/claim/mappedCoordinationNumber",
        ],
        number_binding: &["https://id.swedenconnect.se/claim/identityBinding"],
        prid: &["https://id.swedenconnect.se/claim/prid"],
        country: &["https://id.swedenconnect.se/claim/eidasCountry"],
        ..SWEDISH
    },
    ..SIGNED_FOR_FIVE_MINUTES
};

const FREJA_SCOPES: &[&str] = &[
    "openid",
    "profile",
    "https://frejaeid.com/oidc/scopes/personalIdentityNumber",
    "https://frejaeid.com/oidc/scopes/registrationLevel",
];

static FREJA: ProfileRules = ProfileRules {
    lifetime: None,
    auth_time: AuthTime::Optional,
    userinfo_signed: false,
    loa_claim: "https://frejaeid.com/oidc/claims/loaLevel",
    loa_words: &[
        ("LOA1", "http://id.elegnamnden.se/loa/1.0/loa1"),
        ("LOA2", "http://id.elegnamnden.se/loa/1.0/loa2"),
        ("LOA3", "http://id.elegnamnden.se/loa/1.0/loa3"),
        ("LOA3_NR", "http://id.swedenconnect.se/loa/1.0/loa3-nonresident"),
    ],
    numbers_apart: false,
    number_country: Some("https://frejaeid.com/oidc/claims/country"),
    scopes: FREJA_SCOPES,
    connector_scopes: FREJA_SCOPES,
    claims: ClaimNames {
        personal_number: &["https://frejaeid.com/oidc/claims/personalIdentityNumber"],
        country: &["https://frejaeid.com/oidc/claims/country"],
        ..STANDARD
    },
};

static INERA: ProfileRules = ProfileRules {
    lifetime: None,
    auth_time: AuthTime::WhenAsked,
    userinfo_signed: false,
    loa_claim: "acr",
    loa_words: &[],
    numbers_apart: false,
    number_country: None,
    scopes: &["openid", "profile"],
    connector_scopes: &["openid", "profile"],
    claims: ClaimNames {
        personal_number: &["credentialPersonalIdentityNumber"],
        hsa_id: &["employeeHsaId"],
        name: &["name", "credentialDisplayName"],
        given_name: &["given_name", "credentialGivenName"],
        surname: &["family_name", "credentialSurname"],
        ..STANDARD
    },
};

impl OidcProfile {
    /// Every profile.
    pub const ALL: [Self; 5] = [Self::Generic, Self::OidcSweden, Self::SwedenConnect, Self::Freja, Self::Inera];

    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::OidcSweden => "oidc-sweden",
            Self::SwedenConnect => "sweden-connect",
            Self::Freja => "freja",
            Self::Inera => "inera",
        }
    }

    /// Its row.
    pub const fn rules(self) -> &'static ProfileRules {
        match self {
            Self::Generic => &GENERIC,
            Self::OidcSweden => &OIDC_SWEDEN,
            Self::SwedenConnect => &SWEDEN_CONNECT,
            Self::Freja => &FREJA,
            Self::Inera => &INERA,
        }
    }
}
