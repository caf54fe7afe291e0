//! Routes and what each demands.

mod demand;
mod path;
mod route;

pub use demand::{MeetsRoute, meets, meets_by_token};
pub use path::{BadPath, normal_path};
pub use route::{Access, Route, Routes};
