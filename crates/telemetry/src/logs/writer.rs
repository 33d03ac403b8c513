//! The thread that writes.

use super::{Level, LogConfig, LogError, file::RotatedFile, syslog::Syslog};
use runtime::WallClock;
use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

/// Lines that may wait to be written.
const BACKLOG: usize = 4096;

enum Job {
    Line { level: Level, line: Arc<str>, syslog: Option<String> },
    Flush(SyncSender<()>),
}

/// Sending side of the writer thread; the thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: SyncSender<Job>,
    lost: Arc<AtomicU64>,
}

impl Writer {
    pub(super) fn start(config: &LogConfig, clock: Arc<dyn WallClock>) -> Result<Self, LogError> {
        let file = match &config.file {
            Some(f) => Some(RotatedFile::open(f, clock.unix_ms())?),
            None => None,
        };
        let syslog = config.syslog.map(Syslog::connect).transpose()?;
        let (jobs, inbox) = sync_channel(BACKLOG);
        let lost = Arc::new(AtomicU64::new(0));
        let sinks = Sinks { stdout: config.stdout, file, syslog, clock, lost: Arc::clone(&lost) };
        thread::Builder::new()
            .name("log-writer".into())
            .spawn(move || sinks.run(&inbox))
            .map_err(LogError::Thread)?;
        Ok(Self { jobs, lost })
    }

    pub(super) fn send(&self, level: Level, line: Arc<str>, syslog: Option<String>) {
        if self.jobs.try_send(Job::Line { level, line, syslog }).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.jobs.send(Job::Flush(done)).is_ok() {
            // An error means the writer is gone, and there is nothing left to wait for.
            let _ = wait.recv();
        }
    }
}

struct Sinks {
    stdout: bool,
    file: Option<RotatedFile>,
    syslog: Option<Syslog>,
    clock: Arc<dyn WallClock>,
    lost: Arc<AtomicU64>,
}

impl Sinks {
    fn run(mut self, inbox: &Receiver<Job>) {
        while let Ok(first) = inbox.recv() {
            let mut batch = String::new();
            let mut waiting = Vec::new();
            // Everything that has queued up meanwhile goes out in one write.
            for job in std::iter::once(first).chain(inbox.try_iter().take(256)) {
                match job {
                    Job::Line { level, line, syslog } => {
                        batch.push_str(&line);
                        if let (Some(sink), Some(text)) = (&mut self.syslog, syslog) {
                            sink.send(level, &text);
                        }
                    }
                    Job::Flush(done) => waiting.push(done),
                }
            }
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                batch.push_str(&format!("{lost} log lines were lost: the output is too slow\n"));
            }
            self.write(&batch);
            for done in waiting {
                // Whoever waited may have given up.
                let _ = done.send(());
            }
        }
    }

    /// There is nobody to tell about a failing log output, so errors end here.
    fn write(&mut self, batch: &str) {
        if self.stdout {
            let mut out = io::stdout().lock();
            let _ = out.write_all(batch.as_bytes()).and_then(|()| out.flush());
        }
        if let Some(file) = &mut self.file {
            for line in batch.split_inclusive('\n') {
                file.write(line.as_bytes(), self.clock.unix_ms());
            }
        }
    }
}
