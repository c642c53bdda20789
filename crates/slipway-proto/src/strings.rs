// SPDX-License-Identifier: Apache-2.0

use std::fmt;

use bytes::{Buf, BufMut};

/// Byte strings one after the other in a single buffer: two allocations, however many there are.
///
/// A string may hold any bytes, NUL and non-UTF-8 among them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Strings {
    data: Vec<u8>,
    /// Where each string ends in `data`, which is where the next one begins.
    ends: Vec<usize>,
}

impl Strings {
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes room for `count` strings of `bytes` bytes altogether.
    pub fn with_capacity(count: usize, bytes: usize) -> Self {
        Self { data: Vec::with_capacity(bytes), ends: Vec::with_capacity(count) }
    }

    /// The strings that lie in `data`, each ending at one of `ends`.
    ///
    /// # Panics
    ///
    /// If `ends` go down, or the last is not the end of `data`.
    pub fn from_parts(data: Vec<u8>, ends: Vec<usize>) -> Self {
        assert!(ends.is_sorted() && ends.last().copied().unwrap_or(0) == data.len());
        Self { data, ends }
    }

    pub fn push(&mut self, string: &[u8]) {
        self.data.extend_from_slice(string);
        self.ends.push(self.data.len());
    }

    /// Moves the next `len` bytes of `buf` in as one string.
    ///
    /// # Panics
    ///
    /// If `buf` has fewer bytes left. Nothing is allocated before that is known.
    pub fn push_from(&mut self, buf: &mut impl Buf, len: usize) {
        assert!(len <= buf.remaining(), "{len} bytes wanted, {} left", buf.remaining());
        self.data.put(buf.take(len));
        self.ends.push(self.data.len());
    }

    /// Number of strings.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all strings together.
    pub fn byte_len(&self) -> usize {
        self.data.len()
    }

    /// # Panics
    ///
    /// If there is no string number `index`.
    pub fn get(&self, index: usize) -> &[u8] {
        let begin = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.data[begin..self.ends[index]]
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &[u8]> + ExactSizeIterator {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Forgets the strings and keeps their memory.
    pub fn clear(&mut self) {
        self.data.clear();
        self.ends.clear();
    }
}

impl<S: AsRef<[u8]>> Extend<S> for Strings {
    fn extend<I: IntoIterator<Item = S>>(&mut self, strings: I) {
        for string in strings {
            self.push(string.as_ref());
        }
    }
}

impl<S: AsRef<[u8]>> FromIterator<S> for Strings {
    fn from_iter<I: IntoIterator<Item = S>>(strings: I) -> Self {
        let mut collected = Self::new();
        collected.extend(strings);
        collected
    }
}

impl fmt::Debug for Strings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = self.iter().map(|string| format!("b\"{}\"", string.escape_ascii()));
        f.debug_list().entries(quoted.map(Verbatim)).finish()
    }
}

/// Debug output that is already written the way it should appear.
struct Verbatim(String);

impl fmt::Debug for Verbatim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_was_pushed() {
        let mut strings = Strings::with_capacity(3, 8);
        strings.push(b"one");
        strings.push(b"");
        strings.push(b"\0\xff");

        assert_eq!(strings.iter().collect::<Vec<_>>(), [&b"one"[..], b"", b"\0\xff"]);
        assert_eq!(strings.get(2), b"\0\xff");
        assert_eq!((strings.len(), strings.byte_len()), (3, 5));
    }

    #[test]
    fn takes_over_what_lies_in_one_buffer_already() {
        let strings = Strings::from_parts(b"abc".to_vec(), vec![1, 1, 3]);
        assert_eq!(strings, Strings::from_iter(["a", "", "bc"]));
    }

    #[test]
    fn takes_a_string_from_a_buffer_in_several_pieces() {
        let mut buf = (&b"ab"[..]).chain(&b"cde"[..]);
        let mut strings = Strings::new();
        strings.push_from(&mut buf, 4);
        strings.push_from(&mut buf, 0);

        assert_eq!(strings, Strings::from_iter(["abcd", ""]));
        assert_eq!(buf.remaining(), 1);
    }

    #[test]
    #[should_panic(expected = "3 bytes wanted, 2 left")]
    fn refuses_more_than_the_buffer_holds() {
        Strings::new().push_from(&mut &b"ab"[..], 3);
    }

    #[test]
    fn boundaries_tell_equal_bytes_apart() {
        assert_ne!(Strings::from_iter(["ab", "c"]), Strings::from_iter(["a", "bc"]));
        assert_ne!(Strings::new(), Strings::from_iter([""]));
    }

    #[test]
    fn debug_shows_one_literal_a_string() {
        assert_eq!(format!("{:?}", Strings::from_iter(["a\"", "\0"])), r#"[b"a\"", b"\x00"]"#);
    }
}
