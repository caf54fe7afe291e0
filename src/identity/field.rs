//! The fields of a person that a configuration can name, in `forward` and `require`.

/// One field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Field {
    /// Personal identity number, twelve digits.
    PersonalNumber,
    /// Coordination number, twelve digits.
    CoordinationNumber,
    /// How sure the register is of a coordination number: confirmed, probable or uncertain. OIDC only.
    CoordinationLevel,
    /// The number that the person had before.
    PreviousNumber,
    /// The eIDAS connector's own identifier.
    Prid,
    /// The country that authenticated, ISO 3166-1 alpha-2.
    Country,
    /// The identity in the health-care directory.
    HsaId,
    /// Identities in organisations, `id@orgnumber`, joined by a comma.
    OrgAffiliation,
    /// The whole name.
    Name,
    /// Given names.
    GivenName,
    /// Surname.
    Surname,
    /// Date of birth, YYYY-MM-DD.
    DateOfBirth,
    /// The level of assurance.
    Loa,
    /// The e-ID that was used.
    Eid,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 14] = [
        Self::PersonalNumber,
        Self::CoordinationNumber,
        Self::CoordinationLevel,
        Self::PreviousNumber,
        Self::Prid,
        Self::Country,
        Self::HsaId,
        Self::OrgAffiliation,
        Self::Name,
        Self::GivenName,
        Self::Surname,
        Self::DateOfBirth,
        Self::Loa,
        Self::Eid,
    ];

    /// Its name in the configuration, in claims, and in the output of `grindvakt verify`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PersonalNumber => "personal_number",
            Self::CoordinationNumber => "coordination_number",
            Self::CoordinationLevel => "coordination_level",
            Self::PreviousNumber => "previous_number",
            Self::Prid => "prid",
            Self::Country => "country",
            Self::HsaId => "hsa_id",
            Self::OrgAffiliation => "org_affiliation",
            Self::Name => "name",
            Self::GivenName => "given_name",
            Self::Surname => "surname",
            Self::DateOfBirth => "date_of_birth",
            Self::Loa => "loa",
            Self::Eid => "eid",
        }
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}
