//! Hands operations to the writer: a thread of its own, the caller, or a task in simulated time.

use super::{
    Place, Position, Recovered, Segments, VoteRecord,
    writer::{Done, NewEntry, Op, Placed, Wanted, Writer},
};
use crate::storage::Driver;
use parking_lot::{Condvar, Mutex};
use runtime::Tasks;
use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, oneshot};

/// A batch is closed when it has this many bytes.
const BATCH_BYTES: usize = 4 << 20;

#[derive(Default)]
struct Queue {
    ops: Mutex<(VecDeque<Op>, bool)>,
    ready: Condvar,
    notify: Notify,
}

impl Queue {
    fn push(&self, op: Op) -> Result<(), Op> {
        let mut ops = self.ops.lock();
        if ops.1 {
            return Err(op);
        }
        ops.0.push_back(op);
        self.ready.notify_one();
        self.notify.notify_one();
        Ok(())
    }
    fn close(&self) {
        self.ops.lock().1 = true;
        self.ready.notify_one();
        self.notify.notify_one();
    }
    /// Everything that waits, up to the size of a batch.
    fn take(ops: &mut VecDeque<Op>) -> Vec<Op> {
        let mut weight = 0;
        let mut n = 0;
        while n < ops.len() && weight < BATCH_BYTES {
            weight += ops[n].weight();
            n += 1;
        }
        ops.drain(..n).collect()
    }
}

enum Way {
    Queue(Arc<Queue>),
    Inline(Box<Mutex<Writer>>),
}

/// The log's way to the disk. Operations take effect in the order of the calls.
pub struct Wal {
    way: Way,
    segments: Arc<Segments>,
    wanted: Wanted,
    pushed: AtomicU64,
}

impl Drop for Wal {
    fn drop(&mut self) {
        if let Way::Queue(queue) = &self.way {
            queue.close();
        }
    }
}

impl Wal {
    /// Starts the writer where recovery ended.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        segments: Arc<Segments>,
        found: &Recovered,
        driver: &Driver,
        placed: Placed,
        tasks: &Tasks,
    ) -> io::Result<Self> {
        let wanted = Wanted::default();
        let writer = Writer::new(segments.clone(), found, wanted.clone(), placed);
        let way = match driver {
            Driver::Inline => Way::Inline(Box::new(Mutex::new(writer))),
            Driver::Thread => {
                let queue = Arc::new(Queue::default());
                let (for_thread, segments) = (queue.clone(), segments.clone());
                std::thread::Builder::new()
                    .name("raft-wal".into())
                    .spawn(move || run_thread(&for_thread, writer, &segments))?;
                Way::Queue(queue)
            }
            Driver::Simulated { delay } => {
                let queue = Arc::new(Queue::default());
                tasks.spawn("raft-wal", run_task(queue.clone(), writer, *delay));
                Way::Queue(queue)
            }
        };
        Ok(Self { way, segments, wanted, pushed: AtomicU64::new(0) })
    }

    fn push(&self, op: Op) {
        self.pushed.fetch_add(1, Ordering::AcqRel);
        match &self.way {
            Way::Queue(queue) => {
                if let Err(op) = queue.push(op) {
                    let (Op::Append(_, done)
                    | Op::Vote(_, done)
                    | Op::Truncate(_, done)
                    | Op::Purge(_, done)
                    | Op::Flush(done)) = op;
                    done(Err(io::Error::other("the Raft log is closed")));
                }
            }
            Way::Inline(writer) => {
                let mut writer = writer.lock();
                let staged = writer.write([op]);
                writer.commit(staged);
            }
        }
    }

    async fn wait(&self, op: impl FnOnce(Done) -> Op) -> io::Result<()> {
        let (tx, rx) = oneshot::channel();
        self.push(op(Box::new(move |result| drop(tx.send(result)))));
        rx.await.unwrap_or_else(|_| Err(io::Error::other("the writer of the Raft log ended")))
    }

    /// Writes entries; `done` is called when they are on disk.
    pub fn append(&self, entries: Vec<NewEntry>, done: Done) {
        self.push(Op::Append(entries, done));
    }
    /// Writes the vote; it is on disk when this answers.
    ///
    /// # Errors
    /// The disk fails.
    pub async fn vote(&self, vote: VoteRecord) -> io::Result<()> {
        self.wait(|done| Op::Vote(vote, done)).await
    }
    /// Removes entries from `from` on.
    ///
    /// # Errors
    /// The disk fails.
    pub async fn truncate(&self, from: u64) -> io::Result<()> {
        self.wait(|done| Op::Truncate(from, done)).await
    }
    /// Removes entries up to `upto`.
    ///
    /// # Errors
    /// The disk fails.
    pub async fn purge(&self, upto: Position) -> io::Result<()> {
        self.wait(|done| Op::Purge(upto, done)).await
    }
    /// Remembers the committed position; saved with a later write, not before the operations that came before it.
    pub fn committed(&self, p: Position) {
        *self.wanted.lock() = Some((p, self.pushed.load(Ordering::Acquire)));
    }
    /// Writes everything, then takes no more.
    pub async fn close(&self) {
        if let Err(e) = self.wait(Op::Flush).await {
            tracing::debug!(error = %e, "closing the Raft log");
        }
        if let Way::Queue(queue) = &self.way {
            queue.close();
        }
    }
    /// Reads an entry's data back.
    ///
    /// # Errors
    /// The disk fails or the data is damaged.
    pub fn read(&self, place: &Place) -> io::Result<Vec<u8>> {
        self.segments.read(place)
    }
}

fn run_thread(queue: &Queue, mut writer: Writer, segments: &Arc<Segments>) {
    // Makes the next segment while the current one is filled, so that no commit waits for it.
    let (spare, wanted) = std::sync::mpsc::sync_channel::<()>(1);
    let for_spare = segments.clone();
    let helper = std::thread::Builder::new().name("raft-wal-spare".into()).spawn(move || {
        while wanted.recv().is_ok() {
            if let Err(e) = for_spare.prepare_spare() {
                tracing::warn!(error = %e, "the next segment of the Raft log could not be made ahead of need");
            }
        }
    });
    if let Err(e) = helper {
        tracing::warn!(error = %e, "no thread for the next segment of the Raft log");
    }
    let mut asked = false;
    loop {
        let batch = {
            let mut ops = queue.ops.lock();
            while ops.0.is_empty() && !ops.1 {
                queue.ready.wait(&mut ops);
            }
            Queue::take(&mut ops.0)
        };
        if batch.is_empty() {
            return;
        }
        let staged = writer.write(batch);
        writer.commit(staged);
        if writer.wants_spare() != asked {
            asked = !asked;
            if asked {
                // Full means that it was asked already.
                let _ = spare.try_send(());
            }
        }
    }
}

async fn run_task(queue: Arc<Queue>, mut writer: Writer, delay: Duration) {
    loop {
        let (batch, closed) = {
            let mut ops = queue.ops.lock();
            (Queue::take(&mut ops.0), ops.1)
        };
        if batch.is_empty() {
            if closed {
                return;
            }
            queue.notify.notified().await;
            continue;
        }
        tokio::time::sleep(delay).await;
        let staged = writer.write(batch);
        tokio::time::sleep(delay).await;
        writer.commit(staged);
    }
}
