//! JSON lines with Cloud Logging's field names.

use std::fmt;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer;
use tracing_subscriber::registry::LookupSpan;

/// What every line says about the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    pub job_id: String,
    /// Empty when it is not understood.
    pub operation: String,
}

/// A layer that writes each event as one line of JSON, with the fields of its spans.
pub struct Lines<W> {
    writer: W,
    context: Map<String, Value>,
    clock: fn() -> Timestamp,
}

impl<W> Lines<W> {
    pub fn new(writer: W, context: &Context, clock: fn() -> Timestamp) -> Self {
        let mut fields = Map::new();
        fields.insert("job_id".to_owned(), json!(context.job_id));
        if !context.operation.is_empty() {
            fields.insert("operation".to_owned(), json!(context.operation));
        }
        Self {
            writer,
            context: fields,
            clock,
        }
    }
}

/// The words that a person looks for come first.
#[derive(Serialize)]
struct Line {
    time: Timestamp,
    severity: &'static str,
    message: Value,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// A span's fields, kept with it.
struct Fields(Map<String, Value>);

impl<S, W> layer::Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: layer::Context<'_, S>) {
        let mut fields = Map::new();
        attributes.record(&mut Collect(&mut fields));
        if let Some(span) = ctx.span(id) {
            span.extensions_mut().insert(Fields(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: layer::Context<'_, S>) {
        if let Some(span) = ctx.span(id)
            && let Some(Fields(fields)) = span.extensions_mut().get_mut()
        {
            values.record(&mut Collect(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: layer::Context<'_, S>) {
        let mut fields = self.context.clone();
        let scope = ctx.event_scope(event);
        for span in scope.into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(Fields(more)) = span.extensions().get() {
                fields.extend(more.clone());
            }
        }
        event.record(&mut Collect(&mut fields));
        let line = Line {
            time: (self.clock)(),
            severity: severity(*event.metadata().level()),
            message: fields.remove("message").unwrap_or_default(),
            fields,
        };
        // Texts and numbers only: rendering cannot fail.
        let mut text = serde_json::to_string(&line).unwrap_or_default();
        text.push('\n');
        // A log that cannot be written has nobody left to be told.
        let _ = self.writer.make_writer().write_all(text.as_bytes());
    }
}

/// Cloud Logging's words.
fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG | Level::TRACE => "DEBUG",
    }
}

/// Collects fields; `error.kind` becomes `kind` of an object `error`, as in the callback.
struct Collect<'a>(&'a mut Map<String, Value>);

impl Collect<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        let Some((outer, inner)) = field.name().split_once('.') else {
            self.0.insert(field.name().to_owned(), value);
            return;
        };
        let object = self.0.entry(outer).or_insert_with(|| json!({}));
        match object.as_object_mut() {
            Some(object) => object.insert(inner.to_owned(), value),
            None => self.0.insert(field.name().to_owned(), value),
        };
    }
}

impl Visit for Collect<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, json!(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, json!(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, json!(format!("{value:?}")));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use expect_test::{Expect, expect};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::error::{Error, Kind};

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl<'a> MakeWriter<'a> for Memory {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn check(log: impl FnOnce(), expected: &Expect) {
        let memory = Memory::default();
        let context = Context {
            job_id: "7".to_owned(),
            operation: "backup".to_owned(),
        };
        let clock = || Timestamp::from_millisecond(1_767_323_045_250).unwrap();
        let lines = Lines::new(memory.clone(), &context, clock);
        let subscriber = tracing_subscriber::registry().with(lines);
        tracing::subscriber::with_default(subscriber, log);
        expected.assert_eq(&String::from_utf8(memory.0.lock().unwrap().clone()).unwrap());
    }

    #[test]
    fn lines_have_cloud_loggings_fields() {
        check(
            || {
                tracing::info!(n_tables = 3, ratio = 0.5, hot = true, "planned");
                tracing::warn!(table = "a\"b\nc", "odd name");
                tracing::debug!(path = ?Some(1), "detail");
            },
            &expect![[r#"
                {"time":"2026-01-02T03:04:05.25Z","severity":"INFO","message":"planned","hot":true,"job_id":"7","n_tables":3,"operation":"backup","ratio":0.5}
                {"time":"2026-01-02T03:04:05.25Z","severity":"WARNING","message":"odd name","job_id":"7","operation":"backup","table":"a\"b\nc"}
                {"time":"2026-01-02T03:04:05.25Z","severity":"DEBUG","message":"detail","job_id":"7","operation":"backup","path":"Some(1)"}
            "#]],
        );
    }

    #[test]
    fn fields_of_spans_come_along() {
        check(
            || {
                let span = tracing::info_span!("piece", name = "x", rows = tracing::field::Empty);
                let _entered = span.enter();
                span.record("rows", 5);
                tracing::info!("done");
            },
            &expect![[r#"
                {"time":"2026-01-02T03:04:05.25Z","severity":"INFO","message":"done","job_id":"7","name":"x","operation":"backup","rows":5}
            "#]],
        );
    }

    #[test]
    fn the_last_line_of_a_failure_has_the_callbacks_error() {
        let error = Error::new(Kind::Store, "put a").because(std::io::Error::other("reset"));
        check(
            || crate::telemetry::final_error("backup failed", &error),
            &expect![[r#"
                {"time":"2026-01-02T03:04:05.25Z","severity":"ERROR","message":"backup failed","error":{"kind":"store","message":"put a: reset"},"job_id":"7","operation":"backup"}
            "#]],
        );
    }
}
