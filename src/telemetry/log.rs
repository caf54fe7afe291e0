//! The log: one line a decision, for people or for machines.

use std::fmt;
use std::io::IsTerminal as _;

use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Full, Json, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::trace;
use crate::config::LogFormat;

/// Begins to write the log to standard error. `RUST_LOG` chooses what; the default is `info`. A second call does nothing.
pub fn init(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Human => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let lines = Format::default().with_target(false);
    let _ = if json {
        let lines = lines.json().flatten_event(true).with_current_span(false).with_span_list(false);
        builder.json().event_format(InJson(lines)).try_init()
    } else {
        builder.event_format(InText(lines)).try_init()
    };
}

/// Lines for machines, with `trace_id` where the line belongs to a trace.
struct InJson(Format<Json>);

impl<S, N> FormatEvent<S, N> for InJson
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    Format<Json>: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(trace) = trace::current() else { return self.0.format_event(context, to, event) };
        let mut line = String::with_capacity(256);
        self.0.format_event(context, Writer::new(&mut line), event)?;
        // The line is one object that is not empty: it has at least its time. The trace is 32 hexadecimal digits.
        match line.trim_end().strip_suffix('}') {
            Some(open) => writeln!(to, "{open},\"trace_id\":\"{trace}\"}}"),
            None => to.write_str(&line),
        }
    }
}

/// Lines for people, likewise.
struct InText(Format<Full>);

impl<S, N> FormatEvent<S, N> for InText
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    Format<Full>: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(trace) = trace::current() else { return self.0.format_event(context, to, event) };
        let mut line = String::with_capacity(256);
        self.0.format_event(context, Writer::new(&mut line), event)?;
        writeln!(to, "{} trace_id={trace}", line.trim_end())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Kept {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// Two lines: one within a trace, one outside of it.
    fn lines(json: bool) -> Vec<String> {
        let kept = Kept::default();
        let builder = tracing_subscriber::fmt().with_writer(kept.clone()).with_ansi(false);
        let format = Format::default().with_target(false);
        let subscriber: Box<dyn Subscriber + Send + Sync> = if json {
            Box::new(builder.json().event_format(InJson(format.json().flatten_event(true))).finish())
        } else {
            Box::new(builder.event_format(InText(format.with_ansi(false))).finish())
        };
        let trace = trace::TraceId::parse(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let within = trace::within(Some(trace), Box::pin(async { tracing::info!(event = "one", code = "x\"}") }));
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(within);
            tracing::info!(event = "other");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_says_which_trace_it_belongs_to() {
        let json: Vec<serde_json::Value> = lines(true).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [one, other] = json.as_slice() else { panic!("{json:?}") };
        assert_eq!((&one["event"], &one["code"]), (&"one".into(), &"x\"}".into()));
        assert_eq!(one["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!((&other["event"], other.get("trace_id")), (&"other".into(), None));
        let text = lines(false);
        assert!(text[0].ends_with("trace_id=4bf92f3577b34da6a3ce929d0e0e4736"), "{text:?}");
        assert!(text[1].contains("other") && !text[1].contains("trace_id"), "{text:?}");
    }
}
