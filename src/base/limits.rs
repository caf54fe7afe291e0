//! Every limit on input from outside, each with its source. Passing one is a refusal with a code of its own.
//!
//! They are part of the interface: change one only with a line in CHANGELOG.

/// What a document may hold. One value for messages, one for metadata feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XmlLimits {
    /// Bytes of source.
    pub bytes: usize,
    /// Elements within each other. A Response with everything the Swedish profile allows stays under 20.
    pub depth: usize,
    /// Elements, texts and comments together.
    pub nodes: usize,
    /// Attributes on one element. Reading checks them pairwise, so this bounds a quadratic step (T29).
    pub attributes: usize,
    /// Namespace declarations in scope at one element. Other readers take seconds on thousands (T29).
    pub namespaces_in_scope: usize,
    /// Namespace declarations in the whole document.
    pub namespaces_in_document: usize,
    /// Whether processing instructions outside the document element are skipped (feeds) or refused (messages).
    pub skip_outer_instructions: bool,
}

/// A SAML message: 256 KiB holds the largest Response seen (13 KB encrypted) about twenty times.
pub const MESSAGE: XmlLimits = XmlLimits {
    bytes: 256 * 1024,
    depth: 64,
    nodes: 20_000,
    attributes: 64,
    namespaces_in_scope: 64,
    namespaces_in_document: 256,
    skip_outer_instructions: false,
};

/// A metadata feed: eduGAIN, the largest federation, is about 100 MB; national ones stay under 32 MiB.
///
/// Namespace declarations are counted per document for messages only: a feed of thousands of entities repeats its
/// declarations on each, and each element's own scope stays bounded.
pub const FEED: XmlLimits = XmlLimits {
    bytes: 32 * 1024 * 1024,
    depth: 64,
    nodes: 2_000_000,
    attributes: 64,
    namespaces_in_scope: 64,
    namespaces_in_document: 2_000_000,
    skip_outer_instructions: true,
};

/// An agency's logo: a picture of a few hundred pixels. It is on every page of ours.
pub const LOGO_BYTES: u64 = 128 * 1024;

/// The same as SVG: what drawing programs write stays well under it.
pub const SVG: XmlLimits = XmlLimits {
    bytes: 128 * 1024,
    depth: 64,
    nodes: 20_000,
    attributes: 64,
    namespaces_in_scope: 64,
    namespaces_in_document: 256,
    skip_outer_instructions: true,
};

/// Headers of one request, all together (nginx: 4 × 8 KiB).
pub const HEADER_BLOCK_BYTES: usize = 32 * 1024;

/// Header fields of a request: what hyper takes of an HTTP/1 message. HTTP/2 can repeat one for a byte each, and every one
/// of them takes memory of ours.
pub const HEADERS: usize = 100;

/// RelayState (SAML Bindings 3.5.3): 80 bytes at the most.
pub const RELAY_STATE_BYTES: usize = 80;

/// Logins begun in one browser that can still finish. Each is a cookie of its own; more would fill the header block.
pub const LOGINS_IN_FLIGHT: usize = 5;

/// How long a begun login can be finished.
pub const LOGIN_LIFETIME_SECS: u64 = 60 * 60;

/// A session's cookie, its value: what is larger goes to the shared store, where there is one. Browsers send it with every
/// picture of a page.
pub const SESSION_COOKIE_BYTES: usize = 1024;

/// What a session may hold in the shared store. A person with every attribute of the profile takes about 3 KB.
pub const STORED_SESSION_BYTES: usize = 64 * 1024;

/// RSA keys shorter than this are refused when they are loaded (profile 3.4).
pub const RSA_MIN_BITS: usize = 2048;

/// Making a connection out of the pod: name, TCP, proxy and TLS together. A way that works takes well under a second.
pub const FETCH_CONNECT_SECS: u64 = 5;

/// From the request to the head of its answer. A federation's feed is a static file; token endpoints answer at once.
pub const FETCH_HEAD_SECS: u64 = 10;

/// A whole exchange: the largest feed takes it at 550 KB a second, and a peer that drips bytes gets no more of us.
pub const FETCH_WHOLE_SECS: u64 = 60;

/// The head of an answer to us, and what is read ahead of a body. It is held against this after each read: a head of
/// up to twice the size may pass.
pub const FETCH_HEAD_BYTES: usize = 64 * 1024;

/// The head of a proxy's answer to CONNECT.
pub const PROXY_HEAD_BYTES: usize = 8 * 1024;

/// One entity from a metadata query service: the largest of the federation's is 20 KB.
pub const ENTITY_BYTES: usize = 1024 * 1024;

/// The least between two regular fetches of one document, whatever its publisher says.
pub const REFRESH_FLOOR_SECS: u64 = 60;

/// The most between two: a key that was withdrawn is then used no longer than this. Feeds of the federation say five
/// hours and less.
pub const REFRESH_CEILING_SECS: u64 = 6 * 60 * 60;

/// Between two where the publisher says nothing.
pub const REFRESH_DEFAULT_SECS: u64 = 60 * 60;

/// Between two looks at a feed in a file.
pub const FILE_LOOK_SECS: u64 = 60;

/// The first retry after a failure comes within 30 s; each further one waits twice as long.
pub const RETRY_FIRST_SECS: u64 = 15;

/// The longest wait for a retry.
pub const RETRY_CEILING_SECS: u64 = 5 * 60;

/// After an early fetch for an unknown key, the next for the same source: attackers choose keys, and must not choose how
/// often we call.
pub const EARLY_COOLDOWN_SECS: u64 = 30;

/// How long a login waits for an early fetch before it is judged by the keys at hand.
pub const EARLY_WAIT_SECS: u64 = 5;

/// The hard age of what was fetched where the configuration says none: `max_stale`.
pub const MAX_STALE_SECS: u64 = 14 * 24 * 60 * 60;

/// How long keys and discovery documents of OpenID providers may be used after their last confirmation, unless the
/// configuration says otherwise. They carry no end and no signature of their own: a day covers an outage, and no more.
pub const KEYS_MAX_STALE_SECS: u64 = 24 * 60 * 60;

/// How long a person waits for one exchange with an OpenID provider: token endpoint, UserInfo, pushed request.
pub const EXCHANGE_SECS: u64 = 10;

/// Logins that wait for one OpenID provider at the same time. An exchange takes a third of a second where all is well: 64
/// are two hundred logins a second. Each holds a connection of ours, and whoever has begun one login can bring it as many
/// codes as they like; a provider that is slow must cost no other one its logins.
pub const EXCHANGES_AT_ONCE: usize = 64;

/// How long after it was made a logout token counts, whatever it says. Each is remembered for as long as it could be shown
/// again, and providers must not choose how much of that there is (OpenID Connect Back-Channel Logout 1.0, 2.4 recommends
/// two minutes).
pub const LOGOUT_TOKEN_SECS: u64 = 60 * 60;

/// Encrypted logout tokens that are opened at the same time. They take the private keys that logins take, and whoever sends
/// them has shown nothing: four of the pool's sixty-four places.
pub const ENCRYPTED_LOGOUTS_AT_ONCE: usize = 4;

/// An authorization code, a state or an error that comes back: codes of 2 KB have been seen where they are tokens.
pub const CALLBACK_PARAMETER_BYTES: usize = 4096;

/// What a JSON text may hold. One value for tokens, one for documents that a provider publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonLimits {
    /// Bytes of source.
    pub bytes: usize,
    /// Objects and arrays within each other, the outermost counted.
    pub depth: usize,
    /// Values and member names together.
    pub nodes: usize,
    /// Members of one object. Names are compared with each other, so this bounds a quadratic step.
    pub members: usize,
}

/// A token in compact form, all parts together: an ID token with a certificate, a signature and an OCSP answer in it has
/// some 40 KB, and one more base64 around it when it comes encrypted.
pub const TOKEN_BYTES: usize = 128 * 1024;

/// The header of a token, decoded: one with a whole certificate chain in `x5c`, which is not read, fits.
pub const TOKEN_HEADER: JsonLimits = JsonLimits { bytes: 16 * 1024, depth: 8, nodes: 256, members: 64 };

/// The claims of a token, or of UserInfo: OpenID Connect for Identity Assurance, the deepest that is known, needs 8.
pub const TOKEN_CLAIMS: JsonLimits = JsonLimits { bytes: TOKEN_BYTES, depth: 16, nodes: 4_096, members: 256 };

/// A JWKS, a discovery document, the answer of a token endpoint: the largest JWKS that were seen have some 60 KB.
pub const PROVIDER_DOCUMENT: JsonLimits = JsonLimits { bytes: 512 * 1024, depth: 16, nodes: 16_384, members: 256 };

/// Keys that are read from one JWKS.
pub const JWKS_KEYS: usize = 128;

/// `kid`, `jti` and `sid`: names to look up and to remember, not to think about.
pub const TOKEN_NAME_BYTES: usize = 512;

/// `sub` of an ID token (OpenID Connect Core, 2).
pub const SUBJECT_BYTES: usize = 255;
