//! The log: readable or JSON lines on standard error, one line for one fault. Standard output belongs to commands.

use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::fields;
use super::traces::Exporter;

/// The environment variable that sets the filter, in the syntax of `RUST_LOG`.
pub const FILTER_VARIABLE: &str = "QUOTAD_LOG";

/// The filter where nobody sets one.
const DEFAULT_FILTER: &str = "info";

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people; coloured on a terminal.
    #[default]
    Readable,
    /// One JSON object a line, for collectors.
    Json,
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("log filter {filter:?}: {source}")]
pub struct BadFilter {
    filter: String,
    source: tracing_subscriber::filter::ParseError,
}

/// Starts the log of the process and sends panics through it.
///
/// The filter is `filter`, else the variable [`FILTER_VARIABLE`], else `info`. In a process that has a log already
/// (several servers in one test) it changes nothing and succeeds. Spans go to `exporter` as well, where there is one.
///
/// # Errors
/// A filter that can't be parsed.
pub fn init(format: Format, filter: Option<&str>, exporter: Option<&Exporter>) -> Result<(), BadFilter> {
    let text = filter.map(str::to_owned).or_else(|| std::env::var(FILTER_VARIABLE).ok());
    let filter = parse_filter(text.as_deref().unwrap_or(DEFAULT_FILTER))?;
    let started = match exporter {
        // A filter for all is cheaper than one for each layer.
        None => tracing_subscriber::registry().with(lines(format)).with(filter).try_init(),
        Some(exporter) => {
            let lines = lines(format).with_filter(filter);
            tracing_subscriber::registry().with(lines).with(exporter.layer()).try_init()
        }
    };
    if started.is_ok() {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            // A panic must be seen even where the filter silences everything.
            if tracing::enabled!(tracing::Level::ERROR) { log_panic(panic) } else { previous(panic) }
        }));
    }
    Ok(())
}

/// The lines on standard error.
fn lines<S>(format: Format) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
{
    // A line that can't be written (a full disk, a reader that is gone) is lost and nothing else: to complain of it on
    // standard error would panic there, and the panic hook would log once more.
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).log_internal_errors(false);
    match format {
        Format::Readable => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    }
}

fn parse_filter(text: &str) -> Result<EnvFilter, BadFilter> {
    EnvFilter::builder().parse(text).map_err(|source| BadFilter { filter: text.to_owned(), source })
}

/// The one line of a panic. The layer that catches it answers INTERNAL and logs nothing more.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let message = panic.payload_as_str().unwrap_or("(no message)");
    tracing::error!({ fields::LOCATION } = location, thread = thread.name(), "panicked: {message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_filter_is_named() {
        assert!(parse_filter("info,quotad=debug").is_ok());
        let error = parse_filter("quotad=loud").expect_err("no such level").to_string();
        assert!(error.contains("quotad=loud"), "{error}");
    }
}
