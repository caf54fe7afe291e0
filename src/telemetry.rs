//! STUB (never committed).
#![allow(missing_docs)]
use crate::base::*;
pub struct Telemetry;
pub trait Event {
    fn emit(self, t: &Telemetry);
}
impl Telemetry {
    pub fn emit(&self, e: impl Event) {
        e.emit(self)
    }
}
macro_rules! ev { ($n:ident { $($f:ident : $t:ty),* }) => { #[derive(Debug)] pub struct $n<'a> { $(pub $f: $t,)* } impl Event for $n<'_> { fn emit(self, _t: &Telemetry) { $(let _ = self.$f;)* } } } }
ev!(LoginBegun { provider: &'a ProviderId, route: &'a RouteName });
ev!(LoginFinished { provider: &'a ProviderId, loa: &'a str, route: &'a RouteName });
ev!(LoginRefused { code: &'static str, detail: &'a str, provider: Option<&'a ProviderId>, reference: &'a str });
ev!(RequestDenied { code: &'static str, route: &'a RouteName });
ev!(SessionStarted { session: &'a str, provider: &'a ProviderId });
ev!(SessionEnded { session: &'a str, why: &'static str });
