//! What a browser keeps for us: sealed sessions and begun logins. Pure: time and randomness are arguments.

pub mod codec;
pub mod live;
pub mod locale;
pub mod login;
pub mod maker;
pub mod names;

pub use codec::{CookieKey, CookieSealer, SealError};
pub use live::{Ended, Session, SessionParams, SessionTimes, open_session};
pub use locale::Locale;
pub use login::{Handle, Instance, LoginState, StepUpFrom};
pub use maker::Maker;
pub use names::CookieNames;
