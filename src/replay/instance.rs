//! Who remembers, and since when.

use serde::{Deserialize, Serialize};

use crate::base::UnixTime;
use crate::crypto::digest::{NoRandomness, Random, random_bytes};

/// One memory of uses, from its beginning to its end: of a process that remembers for itself, or of a store's primary.
///
/// A begun login names the memory that it was begun under, and only that one can finish it. A process that has started
/// anew remembers nothing, and a store that came back empty, or whose replica took over, may have forgotten its last
/// uses: what was begun before cannot be told from what was finished before.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Instance([u8; 16]);

impl Instance {
    /// A new one.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails.
    pub fn new(random: &dyn Random) -> Result<Self, NoRandomness> {
        random_bytes(random).map(Self)
    }

    pub(in crate::replay) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its 128 random bits.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The memory in force.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Which one.
    pub instance: Instance,
    /// What was used before this instant, it does not know.
    pub since: UnixTime,
}
