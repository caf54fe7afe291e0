//! What a browser keeps for us: sealed sessions and begun logins. Pure: time and randomness are arguments.

pub mod codec;
pub mod fields;
pub mod live;
pub mod locale;
pub mod login;
pub mod maker;
pub mod names;
pub mod there;
mod wire;

pub use crate::replay::Instance;
pub use codec::{CookieKey, CookieSealer, SealError, Sealed};
pub use fields::Fields;
pub use live::{Ended, Session, SessionParams, SessionTimes, open_session};
pub use locale::Locale;
pub use login::{Handle, LoginState, Sent, StepUpFrom};
pub use maker::Maker;
pub use names::CookieNames;
pub use there::NameThere;
