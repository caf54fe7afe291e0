//! The demo's OpenID provider: whose requests it takes, what it sends back, and that each wrong answer is wrong in the one
//! way that its name says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs, unreachable_pub)]

mod answers;
mod requests;
mod rig;
