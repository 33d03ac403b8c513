//! The `tracing` layer and what it shares with [`super::Logs`].

use super::{
    Level, LogConfig, LogStream, TooManyStreams,
    fields::Fields,
    line::Line,
    monitor::{Monitors, Subscriber as Listener},
    names::module_of,
    writer::Writer,
};
use jiff::tz::TimeZone;
use runtime::WallClock;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};
use tracing::{Event, Metadata, Subscriber, level_filters::LevelFilter, subscriber::Interest};
use tracing_subscriber::{Layer, layer::Context};

/// State of the output.
pub(super) struct Shared {
    /// Level of the written log.
    level: AtomicU8,
    /// The lowest level anybody wants, written or followed.
    lowest: AtomicU8,
    json: bool,
    syslog: bool,
    zone: TimeZone,
    clock: Arc<dyn WallClock>,
    pub(super) writer: Writer,
    pub(super) monitors: Monitors,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logs").field("level", &self.level()).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(config: &LogConfig, writer: Writer, clock: Arc<dyn WallClock>) -> Self {
        Self {
            level: AtomicU8::new(config.level as u8),
            lowest: AtomicU8::new(config.level as u8),
            json: config.json,
            syslog: config.syslog.is_some(),
            zone: TimeZone::system(),
            clock,
            writer,
            monitors: Monitors::default(),
        }
    }

    pub(super) fn level(&self) -> Level {
        level_from(self.level.load(Ordering::Relaxed))
    }

    pub(super) fn set_level(&self, level: Level) {
        self.level.store(level as u8, Ordering::Relaxed);
        self.refresh();
    }

    pub(super) fn subscribe(this: &Arc<Self>, level: Level, json: bool) -> Result<LogStream, TooManyStreams> {
        let stream = this.monitors.add(this, level, json)?;
        this.refresh();
        Ok(stream)
    }

    /// Recomputes what is wanted at all; call sites below it cost nothing.
    pub(super) fn refresh(&self) {
        let lowest = self.monitors.lowest().map_or(self.level(), |l| l.min(self.level()));
        if self.lowest.swap(lowest as u8, Ordering::Relaxed) != lowest as u8 {
            tracing::callsite::rebuild_interest_cache();
        }
    }

    fn wants(&self, meta: &Metadata<'_>) -> bool {
        let lowest = level_from(self.lowest.load(Ordering::Relaxed));
        let level = level_of(meta);
        // Libraries speak up from WARN; what they say below is only for TRACE.
        level >= lowest
            && (level >= Level::Warn || lowest == Level::Trace || module_of(meta.target()).is_some())
    }

    fn write(&self, event: &Event<'_>) {
        let meta = event.metadata();
        let level = level_of(meta);
        let module = module_of(meta.target()).unwrap_or(meta.target());
        let listeners = self.monitors.listeners();
        let written = level >= self.level();
        if !written && !listeners.iter().any(|l| l.wants(level)) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = Line { unix_ms: self.clock.unix_ms(), level, module, fields };
        let (mut text, mut json) = (None, None);
        let mut form = |as_json: bool| -> Arc<str> {
            if as_json {
                Arc::clone(json.get_or_insert_with(|| line.json(&self.zone).into()))
            } else {
                Arc::clone(text.get_or_insert_with(|| line.text(&self.zone).into()))
            }
        };
        for listener in listeners.iter().filter(|l| l.wants(level)) {
            Listener::send(listener, form(listener.json));
        }
        if written {
            let syslog = self.syslog.then(|| {
                let mut message = String::new();
                line.push_message(&mut message);
                message
            });
            self.writer.send(level, form(self.json), syslog);
        }
    }
}

/// How much an event matters here. openraft warns of every single message that a dead server does not answer, twenty times a
/// second; `raft` says once that a server is gone and once that it is back.
fn level_of(meta: &Metadata<'_>) -> Level {
    let level = Level::of(*meta.level());
    let chatty = level == Level::Warn && meta.target().split("::").next() == Some("openraft");
    if chatty { Level::Debug } else { level }
}

fn level_from(raw: u8) -> Level {
    Level::ALL.get(usize::from(raw)).copied().unwrap_or(Level::Error)
}

/// Feeds [`super::Logs`] from `tracing` events. Spans are not shown.
#[derive(Debug)]
pub struct LogLayer(Arc<Shared>);

impl LogLayer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn register_callsite(&self, meta: &'static Metadata<'static>) -> Interest {
        if self.0.wants(meta) { Interest::always() } else { Interest::never() }
    }
    fn enabled(&self, meta: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.0.wants(meta)
    }
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(level_from(self.0.lowest.load(Ordering::Relaxed)).filter())
    }
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.0.write(event);
    }
}
