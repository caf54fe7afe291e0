//! The ground floor: instants and clocks, names, secrets and limits. It knows no other room.

pub mod clock;
pub mod hash;
pub mod ids;
pub mod limits;
pub mod redact;
pub mod secret;
pub mod time;

pub use clock::{Clock, ManualClock, SystemClock};
pub use hash::ByDigest;
pub use ids::{EidId, FeedId, ProviderId, RouteName, ServiceId};
pub use secret::Secret;
pub use time::{UnixTime, WallTime};
