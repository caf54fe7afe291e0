//! The numbers that count: few, named, comparable from one run to the next.

use serde::{Deserialize, Serialize};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Less.
    Lower,
    /// More.
    Higher,
}

/// A number that counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
}

impl Figure {
    /// By how much this is worse than `earlier`, as a share of it; negative when it is better.
    pub fn worse_than(&self, earlier: &Self) -> f64 {
        if earlier.value == 0.0 {
            return 0.0;
        }
        let change = (self.value - earlier.value) / earlier.value.abs();
        match self.better {
            Better::Lower => change,
            Better::Higher => -change,
        }
    }
}
