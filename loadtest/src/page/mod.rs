//! The report as a page.

use crate::report::Report;

/// The whole page.
pub fn render(report: &Report, _earlier: Option<&Report>) -> String {
    report.scenario.clone()
}
