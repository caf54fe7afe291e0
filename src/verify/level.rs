//! The level of assurance that a message claims, against what was asked for and what its maker may assert (profile 1.3).
//! The route asks again, as the third.

use super::{Reason, Reject};

/// Levels that the official Swedish eIDAS connector alone may assert (TAR 3.3).
const EIDAS_LEVELS: &str = "http://id.elegnamnden.se/loa/1.0/eidas-";

/// Whether `loa` may be believed. `asked` is empty where no level was named; `certified` is what the provider may assert.
///
/// # Errors
/// `loa_not_requested`, `loa_eidas_not_connector`, `loa_not_certified`.
pub(in crate::verify) fn may_assert(
    loa: &str,
    asked: &[String],
    certified: &[String],
    eidas_connector: bool,
) -> Result<(), Reject> {
    let listed = |list: &[String]| list.iter().any(|known| known == loa);
    if !asked.is_empty() && !listed(asked) {
        return Err(Reject::new(Reason::LoaNotRequested, format_args!("the level {loa:?} was not asked for")));
    }
    // Freja's own entry declares an eIDAS level for Swedes abroad: the declaration alone would open the door.
    if loa.starts_with(EIDAS_LEVELS) && !eidas_connector {
        let detail = format_args!("{loa:?} from a provider that is not the eIDAS connector");
        return Err(Reject::new(Reason::LoaEidasNotConnector, detail));
    }
    if !listed(certified) {
        let detail = format_args!("the provider is not certified for {loa:?}, but for {certified:?}");
        return Err(Reject::new(Reason::LoaNotCertified, detail));
    }
    Ok(())
}
