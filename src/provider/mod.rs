//! Who may log people in: the configured providers with what their verified metadata says, as one immutable snapshot.
//!
//! A request looks at one snapshot from its start to its end. A provider whose metadata did not come is listed with the
//! reason, never dropped; one whose metadata has expired since is without keys from that instant.

pub mod environment;
#[cfg(test)]
pub(crate) mod fixture;
pub mod load;
pub mod registry;
pub mod tokens;

pub use load::{FeedFault, load};
pub use registry::{Known, ProviderEntry, Registry, SamlEntry, Snapshot};
pub use tokens::{JwtEntry, OidcEntry};
