//! The threads that lists are read on: in the background, because a list that takes a moment longer delays nobody, and a
//! request that takes a moment longer does.

use std::{
    io,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, mpsc},
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::tasks::{self, Background};

type Read = Box<dyn FnOnce() + Send>;

/// Where reads are handed over. The threads end with it, after what was handed over.
#[derive(Debug)]
pub(super) struct ReaderThreads(mpsc::Sender<Read>);

impl ReaderThreads {
    /// # Errors
    /// When the operating system has no thread to give.
    pub(super) fn start(count: usize) -> io::Result<Self> {
        let (sender, reads) = mpsc::channel();
        let reads = Arc::new(Mutex::new(reads));
        for _ in 0..count {
            let reads = Arc::clone(&reads);
            tasks::background_thread("store-reader", Background::Idle, move || serve(&reads))?;
        }
        Ok(Self(sender))
    }

    /// Runs `read` on one of them, to its end even if nobody waits for it any more. `None`: it panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = oneshot::channel();
        let read: Read = Box::new(move || {
            // Whoever asked may have left.
            drop(done.send(read()));
        });
        self.0.send(read).ok()?;
        result.await.ok()
    }
}

fn serve(reads: &Mutex<mpsc::Receiver<Read>>) {
    loop {
        // In a statement of its own, so that the lock is held while waiting and not while reading.
        let next = reads.lock().recv();
        let Ok(read) = next else {
            return;
        };
        // The hook has reported it, and dropping what it would have answered with tells whoever waits.
        drop(panic::catch_unwind(AssertUnwindSafe(read)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_read_that_panics_costs_its_own_answer_alone() {
        let threads = ReaderThreads::start(1).unwrap();
        let panicked: Option<()> = threads.run(|| panic!("on purpose")).await;
        assert_eq!(panicked, None);
        assert_eq!(threads.run(|| 1).await, Some(1));
    }

    #[tokio::test]
    async fn a_read_that_was_begun_is_ended_though_nobody_waits_for_it() {
        let threads = ReaderThreads::start(1).unwrap();
        let (ended, end) = oneshot::channel();
        let read = threads.run(move || ended.send(1));
        // Handed over by the first poll, and left.
        assert!(futures_util::poll!(std::pin::pin!(read)).is_pending());
        assert_eq!(end.await, Ok(1));
    }
}
