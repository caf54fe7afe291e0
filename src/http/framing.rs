//! Where an HTTP/1 message ends, by the letter of RFC 9112, before hyper reads it: a veto, as the second reader is for XML.
//!
//! hyper is lenient where the standard allows it: it takes a bare line feed for a line end, `Content-Length` beside
//! `Transfer-Encoding`, lists of codings. What stands before us may have been lenient in another way, and then two
//! requests are one for the one and two for the other (T57). So what has two readings is refused here: in a head by a null
//! byte in its place, which hyper answers 400, in a body by an error. Nothing is ever read from what is seen here; after a
//! head without a fault, both can only agree on where it ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use memchr::{memchr, memchr2};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What ends a head for hyper.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// The longest line that can say where a message ends: name, colon, twenty digits, and white space enough.
const LINE: usize = 64;

/// Digits of a chunk size: 2^60 bytes are enough, and nothing that is added to them wraps.
const CHUNK_DIGITS: u8 = 15;

/// A connection whose HTTP/1 messages have one reading.
pub struct Framed<S> {
    stream: S,
    messages: Messages,
}

impl<S> Framed<S> {
    /// Watches over `stream`, which speaks HTTP/1.
    pub fn new(stream: S) -> Self {
        Self { stream, messages: Messages::default() }
    }

    /// The connection itself, for what is no HTTP/1 any more: after an answer of 101.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let refused = || Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "a message with two readings")));
        match this.messages.state {
            State::Refused => return refused(),
            State::HeadRefused => {
                // hyper looks at a head once its end has come: here it is.
                buf.put_slice(HEAD_END.get(..buf.remaining()).unwrap_or(HEAD_END));
                this.messages.state = State::Refused;
                return Poll::Ready(Ok(()));
            }
            _ => {}
        }
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {}
            other => return other,
        }
        let read = buf.filled_mut().get_mut(before..).unwrap_or_default();
        if read.is_empty() {
            return Poll::Ready(Ok(()));
        }
        match this.messages.watch(read) {
            0 => refused(),
            good => {
                buf.set_filled(before + good);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// Where in a message we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Request line and headers.
    Head,
    /// So many bytes of a body.
    Body(u64),
    /// A chunk's size, with so many digits of it.
    Size(u64, u8),
    /// A chunk extension.
    Extension(u64),
    /// The line feed after a chunk's size.
    SizeEnd(u64),
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The carriage return after a chunk.
    ChunkReturn,
    /// The line feed after a chunk.
    ChunkEnd,
    /// What follows the last chunk.
    Trailers,
    /// In a head something was wrong: its end is still owed.
    HeadRefused,
    /// Nothing is read any more.
    Refused,
}

/// The messages of one connection.
struct Messages {
    state: State,
    line: Line,
    /// What the head that is being read has said of its body.
    said: Said,
}

/// What a head has said of its body.
#[derive(Clone, Copy, Default)]
struct Said {
    length: Option<u64>,
    chunked: bool,
    /// Whether the request line is over.
    begun: bool,
}

/// The line that is being read.
struct Line {
    /// The bytes so far.
    length: usize,
    /// Its beginning, where it may be a header that counts.
    text: [u8; LINE],
    /// Whether a carriage return has come.
    returned: bool,
}

impl Default for Messages {
    fn default() -> Self {
        Self { state: State::Head, line: Line::new(), said: Said::default() }
    }
}

impl Line {
    const fn new() -> Self {
        Self { length: 0, text: [0; LINE], returned: false }
    }

    /// Whether the line may name a header that says where a body ends. All others are not kept.
    fn counts(&self, piece: &[u8]) -> bool {
        let first = if self.length == 0 { piece.first() } else { self.text.first() };
        first.is_some_and(|b| matches!(b, b'c' | b'C' | b't' | b'T'))
    }

    fn take(&mut self, piece: &[u8]) {
        if self.length == 0 {
            self.text = [0; LINE];
        }
        if self.counts(piece)
            && let Some(room) = self.text.get_mut(self.length..)
        {
            room.iter_mut().zip(piece).for_each(|(to, from)| *to = *from);
        }
        self.length = self.length.saturating_add(piece.len());
    }

    /// Name and value, where the line is one of those that count; the value is none where it is too long to be one.
    fn header(&self) -> Option<(&[u8], Option<&[u8]>)> {
        let text = self.text.get(..self.length.min(LINE))?;
        let (name, value) = text.split_at(memchr(b':', text)?);
        let value = value.get(1..).filter(|_| self.length <= LINE);
        Some((name, value.map(|value| value.trim_ascii_start().trim_ascii_end())))
    }
}

impl Messages {
    /// Looks at what was just read. Returns how many of the bytes may go on; when not all do, nothing may after them.
    fn watch(&mut self, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.step(rest) {
                Some(read) => at += read,
                None => {
                    let in_head = self.state == State::Head;
                    let bad = at + self.fault(rest);
                    self.state = if in_head { State::HeadRefused } else { State::Refused };
                    // In a head hyper must see that something is wrong, to answer it.
                    return match bytes.get_mut(bad) {
                        Some(byte) if in_head => {
                            *byte = 0;
                            bad + 1
                        }
                        _ => bad.min(bytes.len()),
                    };
                }
            }
        }
        bytes.len()
    }

    /// How much of `rest`, at whose step something was wrong, comes before it.
    fn fault(&self, rest: &[u8]) -> usize {
        let in_line = matches!(self.state, State::Head | State::Trailers) && !self.line.returned;
        if !in_line {
            return 0;
        }
        let end = memchr2(b'\r', b'\n', rest);
        let fragment = memchr(b'#', rest).filter(|_| self.in_request_line());
        end.into_iter().chain(fragment).min().unwrap_or(0)
    }

    const fn in_request_line(&self) -> bool {
        matches!(self.state, State::Head) && !self.said.begun
    }

    /// One step into `rest`, which is not empty: how far it went, or none when what is there has two readings.
    fn step(&mut self, rest: &[u8]) -> Option<usize> {
        let first = *rest.first()?;
        let skip = |left: u64| usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
        match self.state {
            State::Head | State::Trailers => return self.line_step(rest, first),
            State::Body(left) => {
                let read = skip(left);
                let left = left - read as u64;
                self.state = if left == 0 { State::Head } else { State::Body(left) };
                return Some(read);
            }
            State::Chunk(left) => {
                let read = skip(left);
                let left = left - read as u64;
                self.state = if left == 0 { State::ChunkReturn } else { State::Chunk(left) };
                return Some(read);
            }
            State::Size(size, digits) => {
                self.state = match (char::from(first).to_digit(16), first) {
                    (Some(digit), _) if digits < CHUNK_DIGITS => State::Size(size << 4 | u64::from(digit), digits + 1),
                    (None, b';') if digits > 0 => State::Extension(size),
                    (None, b'\r') if digits > 0 => State::SizeEnd(size),
                    _ => return None,
                };
            }
            State::Extension(size) => match first {
                b'\r' => self.state = State::SizeEnd(size),
                b'\t' | b' '..=b'~' | 0x80.. => {}
                _ => return None,
            },
            State::SizeEnd(size) => match (first, size) {
                (b'\n', 0) => {
                    self.line = Line::new();
                    self.state = State::Trailers;
                }
                (b'\n', size) => self.state = State::Chunk(size),
                _ => return None,
            },
            State::ChunkReturn if first == b'\r' => self.state = State::ChunkEnd,
            State::ChunkEnd if first == b'\n' => self.state = State::Size(0, 0),
            State::ChunkReturn | State::ChunkEnd | State::HeadRefused | State::Refused => return None,
        }
        Some(1)
    }

    /// A step through the lines of a head, or of trailers.
    fn line_step(&mut self, rest: &[u8], first: u8) -> Option<usize> {
        if self.line.returned {
            // A line ends with CR LF, and neither of them stands alone (RFC 9112, 2.2).
            return (first == b'\n' && self.line_ends()).then_some(1);
        }
        let end = memchr2(b'\r', b'\n', rest);
        let piece = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        // No client sends a fragment, and hyper would pass over it in silence (T46).
        if self.in_request_line() && memchr(b'#', piece).is_some() {
            return None;
        }
        self.line.take(piece);
        match end {
            Some(at) if rest.get(at) == Some(&b'\r') => {
                self.line.returned = true;
                Some(at + 1)
            }
            Some(_) => None,
            None => Some(piece.len()),
        }
    }

    /// A line is over. Returns whether it has one reading.
    fn line_ends(&mut self) -> bool {
        let empty = self.line.length == 0;
        let good = match self.state {
            State::Trailers => {
                if empty {
                    self.state = State::Head;
                }
                true
            }
            _ if empty && !self.said.begun => true,
            _ if empty => self.head_ends(),
            _ if !self.said.begun => {
                self.said.begun = true;
                true
            }
            _ => self.header_ends(),
        };
        self.line.length = 0;
        self.line.returned = false;
        good
    }

    /// A header is whole. A length stands once and is one number, a coding stands once and is `chunked`.
    fn header_ends(&mut self) -> bool {
        if !self.line.counts(&[]) {
            return true;
        }
        let Some((name, value)) = self.line.header() else { return true };
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = value.and_then(number).filter(|_| self.said.length.is_none());
            self.said.length = length;
            length.is_some()
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let chunked = value.is_some_and(|value| value.eq_ignore_ascii_case(b"chunked")) && !self.said.chunked;
            self.said.chunked = true;
            chunked
        } else {
            true
        }
    }

    /// A head is whole. What follows it is said once, or not at all.
    fn head_ends(&mut self) -> bool {
        let said = std::mem::take(&mut self.said);
        self.state = match (said.length, said.chunked) {
            (Some(_), true) => return false,
            (None, true) => State::Size(0, 0),
            (Some(0) | None, false) => State::Head,
            (Some(length), false) => State::Body(length),
        };
        true
    }
}

/// A length as RFC 9110 (8.6) has it. Zeros before it make it octal for some.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let octal = text.len() > 1 && text.first() == Some(&b'0');
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if octal || !digits {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;
