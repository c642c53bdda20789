// SPDX-License-Identifier: Apache-2.0
//! Connections over a Unix socket, whose callers name a path as the host that they ask.
//!
//! gRPC for C++, Python and Java sends the socket's path as `:authority`, with `/` as it is or as
//! `%2F`. HTTP/2 allows neither, and hyper refuses the request. Nobody reads the value: while it
//! passes, these characters become dashes. No length changes, so the rest of the stream stays as it
//! is, and of the bytes only those of header blocks are looked at.

use std::io;
use std::pin::Pin;
use std::task::{ready, Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const PREFACE_BYTES: usize = 24;
const FRAME_HEAD_BYTES: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
const PRIORITY_BYTES: usize = 5;
const NAME: &[u8] = b":authority";
/// Of `NAME` in HPACK's static table.
const NAME_INDEX: usize = 1;

/// A stream of HTTP/2 on which a path is a host.
#[derive(Debug)]
pub(crate) struct PathAsHost<S> {
    stream: S,
    frames: Frames,
}

impl<S> PathAsHost<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, frames: Frames::default() }
    }
}

/// How far the stream has been read: what comes next, in this order.
#[derive(Debug)]
struct Frames {
    head: [u8; FRAME_HEAD_BYTES],
    head_bytes: usize,
    padded: bool,
    before_block: usize,
    block: usize,
    after_block: usize,
    part: Part,
}

/// A place in a header block.
#[derive(Clone, Copy, Debug)]
enum Part {
    Field,
    /// The rest of a number that did not fit into its first byte.
    Number {
        so_far: usize,
        shift: u32,
        of: Counted,
    },
    NameLength,
    /// `matched` bytes of it are those of `NAME`; `None` when it is another, or compressed.
    Name {
        left: usize,
        matched: Option<usize>,
    },
    ValueLength {
        is_host: bool,
    },
    Value {
        left: usize,
        is_host: bool,
    },
}

/// What a number says.
#[derive(Clone, Copy, Debug)]
enum Counted {
    /// Nothing more of the field follows.
    Whole,
    NameIndex,
    NameBytes {
        plain: bool,
    },
    ValueBytes {
        is_host: bool,
    },
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            head: [0; FRAME_HEAD_BYTES],
            head_bytes: 0,
            padded: false,
            before_block: PREFACE_BYTES,
            block: 0,
            after_block: 0,
            part: Part::Field,
        }
    }
}

impl Frames {
    /// Takes note of the next bytes of the stream, and changes those of a path.
    fn pass(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let passed = if self.padded {
                self.padded = false;
                self.after_block = usize::from(bytes[0]).min(self.block);
                self.block -= self.after_block;
                1
            } else if self.before_block > 0 {
                skip(&mut self.before_block, bytes.len())
            } else if self.block > 0 {
                let passed = skip(&mut self.block, bytes.len());
                for byte in &mut bytes[..passed] {
                    self.part = self.part.next(byte);
                }
                passed
            } else if self.after_block > 0 {
                skip(&mut self.after_block, bytes.len())
            } else {
                self.head[self.head_bytes] = bytes[0];
                self.head_bytes += 1;
                if self.head_bytes == FRAME_HEAD_BYTES {
                    self.begin();
                }
                1
            };
            bytes = &mut bytes[passed..];
        }
    }

    /// A frame's head is complete.
    fn begin(&mut self) {
        self.head_bytes = 0;
        let [a, b, c, kind, flags, ..] = self.head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        match kind {
            HEADERS => {
                self.padded = flags & PADDED != 0 && length > 0;
                let left = length - usize::from(self.padded);
                self.before_block =
                    if flags & PRIORITY == 0 { 0 } else { PRIORITY_BYTES.min(left) };
                self.block = left - self.before_block;
                self.part = Part::Field;
            }
            CONTINUATION => self.block = length,
            _ => self.before_block = length,
        }
    }
}

/// Counts down by as many as there are.
fn skip(left: &mut usize, available: usize) -> usize {
    let passed = available.min(*left);
    *left -= passed;
    passed
}

impl Part {
    /// The place after `byte`, which changes when it belongs to a path.
    fn next(self, byte: &mut u8) -> Part {
        let low = usize::from(*byte & 0x7f);
        match self {
            Part::Field => match *byte {
                0x80.. => number(low, 7, Counted::Whole),
                0x40 | 0x00 | 0x10 => Part::NameLength,
                0x40.. => number(low & 0x3f, 6, Counted::NameIndex),
                0x20.. => number(low & 0x1f, 5, Counted::Whole),
                _ => number(low & 0x0f, 4, Counted::NameIndex),
            },
            Part::Number { so_far, shift, of } => {
                // A number that is too large is the end of the connection, whatever comes of it.
                let so_far = so_far.saturating_add(low.checked_shl(shift).unwrap_or(0));
                match *byte {
                    0x80.. => Part::Number { so_far, shift: shift + 7, of },
                    _ => of.follow(so_far),
                }
            }
            Part::NameLength => number(low, 7, Counted::NameBytes { plain: *byte < 0x80 }),
            Part::Name { left, matched } => {
                let matched = matched.filter(|&at| NAME.get(at) == Some(byte)).map(|at| at + 1);
                match left {
                    1 => Part::ValueLength { is_host: matched == Some(NAME.len()) },
                    _ => Part::Name { left: left - 1, matched },
                }
            }
            Part::ValueLength { is_host } => {
                number(low, 7, Counted::ValueBytes { is_host: is_host && *byte < 0x80 })
            }
            Part::Value { left, is_host } => {
                if is_host && matches!(*byte, b'/' | b'%') {
                    *byte = b'-';
                }
                match left {
                    1 => Part::Field,
                    _ => Part::Value { left: left - 1, is_host },
                }
            }
        }
    }
}

/// A number whose first byte has room for `bits` bits.
fn number(value: usize, bits: u32, of: Counted) -> Part {
    if value + 1 == 1 << bits {
        Part::Number { so_far: value, shift: 0, of }
    } else {
        of.follow(value)
    }
}

impl Counted {
    fn follow(self, value: usize) -> Part {
        match (self, value) {
            (Counted::Whole, _) | (Counted::ValueBytes { .. }, 0) => Part::Field,
            (Counted::NameIndex, index) => Part::ValueLength { is_host: index == NAME_INDEX },
            (Counted::NameBytes { .. }, 0) => Part::ValueLength { is_host: false },
            (Counted::NameBytes { plain }, left) => {
                Part::Name { left, matched: plain.then_some(0) }
            }
            (Counted::ValueBytes { is_host }, left) => Part::Value { left, is_host },
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PathAsHost<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.frames.pass(&mut buffer.filled_mut()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PathAsHost<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// A field with its name and value in plain bytes, to be indexed.
    fn field(name: &[u8], value: &[u8]) -> Vec<u8> {
        let text = |text: &[u8]| match text.len() {
            length @ ..127 => [&[length as u8], text].concat(),
            length => [&[127, (length - 127) as u8], text].concat(),
        };
        [vec![0x40], text(name), text(value)].concat()
    }

    /// What passes when the stream comes in parts of any size: always the same.
    fn passed(frames: &[Vec<u8>]) -> Vec<u8> {
        let stream = [vec![b'/'; PREFACE_BYTES], frames.concat()].concat();
        let in_parts = |size: usize| {
            let (mut frames, mut stream) = (Frames::default(), stream.clone());
            stream.chunks_mut(size).for_each(|part| frames.pass(part));
            stream[PREFACE_BYTES..].to_vec()
        };
        let whole = in_parts(stream.len());
        for size in 1..40 {
            assert_eq!(in_parts(size), whole, "in parts of {size}");
        }
        whole
    }

    #[test]
    fn a_path_becomes_a_host_wherever_the_field_stands() {
        for path in ["/run/s", "run%2Fs", &"/long".repeat(40)] {
            let dashes = path.replace(['/', '%'], "-");
            let block = |path: &str| {
                let indexed = [vec![0x41, 2], b"/a".to_vec()].concat();
                let indexed =
                    if path == dashes { [vec![0x41, 2], b"-a".to_vec()].concat() } else { indexed };
                let never = [&[0x11, 2], &indexed[2..]].concat();
                let update = vec![0x3f, 0xe1, 0x1f];
                let method = vec![0x83, 0xff, 0x00];
                let other = field(b"path/authority", b"/a%2Fb/c");
                let host = field(NAME, path.as_bytes());
                [update, method, field(b":path", b"/a/b"), host, other, indexed, never].concat()
            };
            let (given, wanted) = (block(path), block(&dashes));
            let padded = |block: &[u8]| [&[3, b'/', 0, 0, 0, 9], block, b"///"].concat();
            let (head, tail) = given.split_at(9);
            let (wanted_head, wanted_tail) = wanted.split_at(9);
            assert_eq!(
                passed(&[
                    frame(4, 0, b"/settings"),
                    frame(HEADERS, 4, &given),
                    frame(0, 0, &given),
                    frame(HEADERS, 4 | PADDED | PRIORITY, &padded(&given)),
                    frame(HEADERS, 0, head),
                    frame(CONTINUATION, 4, tail),
                ]),
                [
                    frame(4, 0, b"/settings"),
                    frame(HEADERS, 4, &wanted),
                    frame(0, 0, &given),
                    frame(HEADERS, 4 | PADDED | PRIORITY, &padded(&wanted)),
                    frame(HEADERS, 0, wanted_head),
                    frame(CONTINUATION, 4, wanted_tail),
                ]
                .concat(),
                "{path}"
            );
        }
    }

    #[test]
    fn what_is_compressed_passes_as_it_is() {
        let name = [&[0x40, 0x83][..], b"/%/", &[3], b"/%/"].concat();
        let value = [&[0x41, 0x83][..], b"/%/"].concat();
        let frames = [frame(HEADERS, 4, &[name, value].concat())];
        assert_eq!(passed(&frames), frames.concat());
    }

    #[test]
    fn nonsense_passes_too() {
        let huge = [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        let frames = [
            frame(HEADERS, PADDED, &[]),
            frame(HEADERS, PADDED, &[200, 1]),
            frame(HEADERS, PRIORITY, &[1, 2]),
            frame(HEADERS, 4, &huge),
        ];
        assert_eq!(passed(&frames), frames.concat());
    }
}
