//! What a browser keeps for us: sealed sessions and begun logins.

pub mod locale;

pub use locale::Locale;
