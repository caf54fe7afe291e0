//! What a route demands of a person, and the proof that it was met.

use std::sync::Arc;
use std::time::Duration;

use super::Route;
use crate::base::{EidId, ProviderId};
use crate::identity::{Field, Loa};
use crate::verify::{Reason, Reject};

/// Proof that someone meets a route. Only [`meets`] makes one.
///
/// ```compile_fail,E0451
/// use grindvakt::policy::{MeetsRoute, Route};
/// fn forge(route: std::sync::Arc<Route>) -> MeetsRoute {
///     MeetsRoute { route }
/// }
/// ```
///
/// ```
/// use grindvakt::policy::{MeetsRoute, Route};
/// fn name(proof: &MeetsRoute) -> &Route {
///     proof.route()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct MeetsRoute {
    route: Arc<Route>,
}

impl MeetsRoute {
    /// Which route.
    pub fn route(&self) -> &Route {
        &self.route
    }
}

/// Whether a person with the level `loa`, by the e-ID `eid`, who logged in `age` ago at the least, of whom `has` is known,
/// meets `route`.
///
/// # Errors
/// `eid_not_allowed`, `loa_not_allowed`, `required_attribute_missing`, `login_too_old`: the one that a fresh login alone
/// would mend comes last.
pub fn meets(
    route: &Arc<Route>,
    loa: &Loa,
    eid: &EidId,
    age: Duration,
    has: impl Fn(Field) -> bool,
) -> Result<MeetsRoute, Reject> {
    if !route.eid.is_empty() && !route.eid.contains(eid) {
        return Err(Reject::new(Reason::EidNotAllowed, format_args!("the route {} does not take {eid}", route.name)));
    }
    let met = holds(route, loa, has)?;
    match route.max_age {
        Some(most) if age > most => {
            let (name, most, age) = (&route.name, most.as_secs(), age.as_secs());
            let detail = format_args!("the route {name} takes a login of {most} s at the most; it was {age} s ago");
            Err(Reject::new(Reason::LoginTooOld, detail))
        }
        _ => Ok(met),
    }
}

/// Whether a bearer token of `provider` with these scopes (`scope`, RFC 6749, 3.3), which speaks of someone with the level
/// `loa`, meets `route`: in the server and in `grindvakt verify` alike. Which e-ID it was is the token provider's to say by
/// the level: `eid` is about logins.
///
/// # Errors
/// `bearer_not_allowed`, `scope_insufficient`, `loa_not_allowed`, `required_attribute_missing`.
pub fn meets_by_token(
    route: &Arc<Route>,
    provider: &ProviderId,
    scope: &str,
    loa: &Loa,
    has: impl Fn(Field) -> bool,
) -> Result<MeetsRoute, Reject> {
    if !route.bearer.contains(provider) {
        let detail = format_args!("the route {} takes no tokens of {provider}", route.name);
        return Err(Reject::new(Reason::BearerNotAllowed, detail));
    }
    let allowed = |wanted: &&String| scope.split(' ').any(|scope| scope == wanted.as_str());
    if let Some(missing) = route.scopes.iter().find(|wanted| !allowed(wanted)) {
        return Err(Reject::new(Reason::ScopeInsufficient, format_args!("the token has not the scope {missing:?}")));
    }
    holds(route, loa, has)
}

/// Level and attributes.
fn holds(route: &Arc<Route>, loa: &Loa, has: impl Fn(Field) -> bool) -> Result<MeetsRoute, Reject> {
    if !route.loa.is_empty() && !route.loa.contains(loa) {
        return Err(Reject::new(Reason::LoaNotAllowed, format_args!("the route {} does not take {loa}", route.name)));
    }
    if let Some(missing) = route.require.iter().find(|field| !has(**field)) {
        let detail =
            format_args!("the route {} requires {}, which the provider did not give", route.name, missing.name());
        return Err(Reject::new(Reason::RequiredAttributeMissing, detail));
    }
    Ok(MeetsRoute { route: Arc::clone(route) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Access;
    use super::*;
    use crate::base::RouteName;

    #[test]
    fn each_demand_is_met_or_named() {
        let loa = |name| Loa::parse(name).unwrap();
        let eid = |name| EidId::new(name).unwrap();
        let route = Arc::new(Route {
            name: RouteName::new("/ansokan/*"),
            access: Access::Session,
            loa: vec![loa("loa3"), loa("uncertified-loa3")],
            require: vec![Field::PersonalNumber],
            eid: vec![eid("bankid"), eid("freja")],
            max_age: Some(Duration::from_secs(300)),
            background: false,
            bearer: Vec::new(),
            scopes: Vec::new(),
            forward: Vec::new(),
        });
        let aged = |age, level, by, number: bool| {
            meets(&route, &loa(level), &eid(by), Duration::from_secs(age), |field| {
                number && field == Field::PersonalNumber
            })
            .map_err(|r| r.reason())
        };
        let verdict = |level, by, number| aged(0, level, by, number);
        assert_eq!(aged(300, "loa3", "bankid", true).err(), None);
        assert_eq!(aged(301, "loa3", "bankid", true).err(), Some(Reason::LoginTooOld));
        assert_eq!(aged(301, "loa2", "bankid", true).err(), Some(Reason::LoaNotAllowed), "what takes more comes first");
        assert_eq!(verdict("loa3", "bankid", true).unwrap().route().name, route.name);
        assert!(verdict("uncertified-loa3", "freja", true).is_ok());
        assert_eq!(verdict("loa2", "bankid", true).err(), Some(Reason::LoaNotAllowed));
        // The set is exact: a higher level that it does not name is not in it, nor one of another family.
        assert_eq!(verdict("loa4", "bankid", true).err(), Some(Reason::LoaNotAllowed));
        assert_eq!(verdict("eidas-nf-high", "bankid", true).err(), Some(Reason::LoaNotAllowed));
        assert_eq!(verdict("loa3", "siths", true).err(), Some(Reason::EidNotAllowed));
        assert_eq!(verdict("loa3", "bankid", false).err(), Some(Reason::RequiredAttributeMissing));
    }
}
