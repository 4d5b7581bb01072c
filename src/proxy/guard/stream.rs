//! The guarded stream: a client connection with deadlines that the client cannot stretch.
//!
//! One timer serves reading and writing. It is left alone while it is set to ring too early and re-armed when it has
//! rung, so that a busy connection touches the timer wheel once per idle period and not once per request.

use std::{
    fmt, io,
    mem::MaybeUninit,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use pingora::protocols::{ALPN, Peek, Shutdown, Stream};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{Instant, Sleep},
};

use super::{Refusals, Slot};
use crate::ai::upstream::stream_facts::pass_on_stream_facts;
use crate::config::Limits;
use crate::live::KillSwitch;

const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Read ahead when looking for the preface: as much as Pingora's first read, so that looking costs no further read.
const PEEK_BYTES: usize = 4096;
/// After the last byte of an answer, how long and how much of the client's unread request is still taken in. A close
/// over unread bytes resets the connection and may take the answer (413, 401) with it.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 256 * 1024;

/// What is expected from the client next; see the diagram in the folder's front page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    Idle,
    Head,
    Body,
    Http2,
}

impl State {
    fn from_u8(value: u8) -> Self {
        [Self::Idle, Self::Head, Self::Body, Self::Http2]
            .into_iter()
            .find(|state| *state as u8 == value)
            .unwrap_or(Self::Head)
    }
}

/// Tells a guarded stream what comes next.
///
/// [`State::Body`] once the headers are read, [`State::Idle`] once the answer is written. Does nothing on other streams,
/// and nothing on HTTP/2, where Pingora hands out no stream.
pub fn set_state(stream: &Stream, state: State) {
    if let Some(guarded) = (**stream).as_any().downcast_ref::<Guarded>() {
        guarded.state.store(state as u8, Ordering::Relaxed);
    }
}

/// Has a guarded stream break off once the request on it is killed: its next read fails, or the write that it waits for.
///
/// What is written after that goes out, so that the client can be told. Does nothing where [`set_state`] does nothing.
pub fn set_kill_switch(stream: &Stream, kill_switch: Option<KillSwitch>) {
    if let Some(guarded) = (**stream).as_any().downcast_ref::<Guarded>() {
        let watches = kill_switch.is_some();
        if watches || guarded.watches.load(Ordering::Relaxed) {
            *guarded.kill_switch.lock() = kill_switch;
            guarded.watches.store(watches, Ordering::Relaxed);
        }
    }
}

/// A client connection under [`Limits`].
pub struct Guarded {
    pub(super) inner: Stream,
    limits: Arc<Limits>,
    refusals: Arc<Refusals>,
    /// Atomic because the proxy sets it through a shared reference; never contended.
    state: AtomicU8,
    /// Of the request on it, where that cannot watch for itself; shared and uncontended like the state.
    kill_switch: Mutex<Option<KillSwitch>>,
    watches: AtomicBool,
    /// The state that `read_deadline` belongs to.
    timed: State,
    read_deadline: Instant,
    write_deadline: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    head_bytes: usize,
    /// Read while looking for the preface and not handed on yet.
    peeked: Vec<u8>,
    closing: Closing,
    _slot: Slot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// Our side is shut; taking in what the client still sends.
    Lingering {
        until: Instant,
        bytes_left: usize,
    },
    Done,
}

impl Guarded {
    pub(super) fn new(
        inner: Stream,
        limits: Arc<Limits>,
        refusals: Arc<Refusals>,
        slot: Slot,
    ) -> Self {
        let state = match inner.selected_alpn_proto() {
            Some(ALPN::H2) => State::Http2,
            _ => State::Head,
        };
        let read_deadline = Instant::now() + limits.header_timeout;
        Self {
            inner,
            limits,
            refusals,
            state: AtomicU8::new(state as u8),
            kill_switch: Mutex::default(),
            watches: AtomicBool::new(false),
            timed: state,
            read_deadline,
            write_deadline: None,
            timer: Box::pin(tokio::time::sleep_until(read_deadline)),
            head_bytes: 0,
            peeked: Vec::new(),
            closing: Closing::No,
            _slot: slot,
        }
    }

    fn state(&self) -> State {
        State::from_u8(self.state.load(Ordering::Relaxed))
    }

    /// Begins a state in which reading has a deadline.
    fn enter(&mut self, state: State, time_limit: Duration) {
        self.state.store(state as u8, Ordering::Relaxed);
        self.timed = state;
        self.read_deadline = Instant::now() + time_limit;
        self.head_bytes = 0;
    }

    fn poll_read_in_time(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let state = self.state();
        if matches!(state, State::Body | State::Http2) {
            if self.killed(cx) {
                return Poll::Ready(Err(break_off()));
            }
            return Pin::new(&mut *self.inner).poll_read(cx, buf);
        }
        if state == State::Head && self.head_bytes >= self.limits.header_max_bytes {
            return Poll::Ready(Err(self.refuse_header(cx)));
        }
        let before = buf.filled().len();
        match Pin::new(&mut *self.inner).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                let read = buf.filled().len() - before;
                Poll::Ready(self.head_arrived(state, read))
            }
            Poll::Pending => {
                if state == State::Idle && self.timed != State::Idle {
                    self.enter(State::Idle, self.limits.keepalive_timeout);
                }
                if self.overdue(cx, self.read_deadline) {
                    return Poll::Ready(Err(self.give_up("the client was silent for too long")));
                }
                Poll::Pending
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }

    /// Counts header bytes. A client that always has a byte ready never makes us wait, so the deadline is looked at
    /// here as well as by the timer.
    fn head_arrived(&mut self, state: State, read: usize) -> io::Result<()> {
        if read == 0 {
            return Ok(());
        }
        if state == State::Idle {
            self.enter(State::Head, self.limits.header_timeout);
        } else if Instant::now() >= self.read_deadline {
            return Err(self.give_up("the request's headers took too long"));
        }
        self.head_bytes += read;
        Ok(())
    }

    /// Whether `deadline` has passed; if not, the task is woken when it does.
    fn overdue(&mut self, cx: &mut Context<'_>, deadline: Instant) -> bool {
        if self.timer.deadline() > deadline {
            self.timer.as_mut().reset(deadline);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return true;
            }
            self.timer.as_mut().reset(deadline);
        }
        false
    }

    /// Nobody else is writing while a request's head is being read: the last answer is out, the next has not begun.
    fn refuse_header(&mut self, cx: &mut Context<'_>) -> io::Error {
        let answer = self.refusals.header_too_large.clone();
        let written = Pin::new(&mut *self.inner).poll_write(cx, &answer);
        let flushed = Pin::new(&mut *self.inner).poll_flush(cx);
        tracing::trace!(?written, ?flushed, "a request's headers are too large");
        self.state.store(State::Body as u8, Ordering::Relaxed);
        io::Error::new(
            io::ErrorKind::InvalidData,
            "the request's headers are too large",
        )
    }

    fn give_up(&mut self, why: &'static str) -> io::Error {
        self.closing = Closing::Done;
        io::Error::new(io::ErrorKind::TimedOut, why)
    }

    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write_deadline = None;
            return result;
        }
        let deadline = match self.write_deadline {
            Some(deadline) => deadline,
            None => Instant::now() + self.limits.write_timeout,
        };
        self.write_deadline = Some(deadline);
        if self.killed(cx) {
            return Poll::Ready(Err(break_off()));
        }
        if self.overdue(cx, deadline) {
            return Poll::Ready(Err(self.give_up("the client did not read what was written")));
        }
        Poll::Pending
    }

    /// Whether the request is killed, said once; if not, the task is woken when it is.
    fn killed(&mut self, cx: &Context<'_>) -> bool {
        if !*self.watches.get_mut() {
            return false;
        }
        let slot = self.kill_switch.get_mut();
        let killed = slot
            .as_ref()
            .is_some_and(|kill_switch| kill_switch.poll_killed(cx).is_ready());
        if killed {
            *slot = None;
            *self.watches.get_mut() = false;
        }
        killed
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [MaybeUninit::uninit(); PEEK_BYTES];
        while let Closing::Lingering { until, bytes_left } = self.closing {
            let mut buf = ReadBuf::uninit(&mut space);
            match Pin::new(&mut *self.inner).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(()))
                    if !buf.filled().is_empty() && bytes_left > buf.filled().len() =>
                {
                    self.closing = Closing::Lingering {
                        until,
                        bytes_left: bytes_left - buf.filled().len(),
                    };
                }
                Poll::Pending if !self.overdue(cx, until) => return Poll::Pending,
                _ => self.closing = Closing::Done,
            }
        }
        Poll::Ready(())
    }

    async fn read_ahead(&mut self) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); PEEK_BYTES];
        let mut buf = ReadBuf::uninit(&mut space);
        std::future::poll_fn(|cx| self.poll_read_in_time(cx, &mut buf)).await?;
        self.peeked.extend_from_slice(buf.filled());
        Ok(buf.filled().len())
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.peeked.is_empty() {
            return this.poll_read_in_time(cx, buf);
        }
        let count = this.peeked.len().min(buf.remaining());
        buf.put_slice(&this.peeked[..count]);
        if count == this.peeked.len() {
            this.peeked = Vec::new();
        } else {
            this.peeked.drain(..count);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut *this.inner).poll_write(cx, buf);
        this.written(cx, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut *this.inner).poll_write_vectored(cx, bufs);
        this.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut *this.inner).poll_flush(cx);
        this.written(cx, result)
    }

    /// Shuts our side, then lingers.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !matches!(this.closing, Closing::Lingering { .. }) {
            let result = Pin::new(&mut *this.inner).poll_shutdown(cx);
            ready!(this.written(cx, result))?;
            if this.closing == Closing::No && this.state() != State::Http2 {
                this.closing = Closing::Lingering {
                    until: Instant::now() + LINGER,
                    bytes_left: LINGER_BYTES,
                };
            }
        }
        ready!(this.poll_linger(cx));
        Poll::Ready(Ok(()))
    }
}

fn break_off() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the request was killed")
}

#[async_trait]
impl Peek for Guarded {
    /// Reads until the first bytes are the HTTP/2 preface or cannot become it any more. Pingora's own stream waits for
    /// all 24 bytes, without limit, which hangs on a shorter request and on silence.
    async fn try_peek(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        loop {
            let seen = self.peeked.len().min(buf.len());
            let preface_so_far = HTTP2_PREFACE.starts_with(&self.peeked[..seen]);
            if seen == buf.len() || !preface_so_far {
                buf[..seen].copy_from_slice(&self.peeked[..seen]);
                if preface_so_far && seen == HTTP2_PREFACE.len() {
                    self.state.store(State::Http2 as u8, Ordering::Relaxed);
                }
                return Ok(true);
            }
            if self.read_ahead().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

#[async_trait]
impl Shutdown for Guarded {
    async fn shutdown(&mut self) {
        if let Err(error) = AsyncWriteExt::shutdown(self).await {
            tracing::trace!(%error, "a client connection was gone before it could be shut");
        }
    }
}

pass_on_stream_facts!(Guarded);

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("inner", &self.inner)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
