//! Metadata feeds: verified whole, then cut down to what a verifier needs of each identity provider (SAML Metadata;
//! profile 3.7 and 7.2).

mod entity;
mod feed;
mod published;
mod validity;

pub use entity::is_safe_endpoint;
pub use feed::{Feed, FeedExpect, Refused, read_feed};
pub use published::{PublishedEndpoint, PublishedService, read_published};
