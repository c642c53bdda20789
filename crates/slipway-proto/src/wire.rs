// SPDX-License-Identifier: Apache-2.0

//! Fields of a serialized message, where they lie.

use prost::encoding::{self, DecodeContext, WireType};
use prost::DecodeError;

/// One field as it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    pub(crate) wire_type: WireType,
    /// The content of a length-delimited field, all behind the key of any other.
    pub(crate) value: &'a [u8],
}

/// The fields of a message; an error is the last item.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn read(&mut self) -> Result<Field<'a>, DecodeError> {
        let (number, wire_type) = encoding::decode_key(&mut self.0)?;
        let length = if wire_type == WireType::LengthDelimited {
            let length = encoding::decode_varint(&mut self.0)?;
            usize::try_from(length).unwrap_or(usize::MAX)
        } else {
            let mut behind = self.0;
            encoding::skip_field(wire_type, number, &mut behind, DecodeContext::default())?;
            self.0.len() - behind.len()
        };
        let (value, rest) =
            self.0.split_at_checked(length).ok_or_else(|| malformed("buffer underflow"))?;
        self.0 = rest;
        Ok(Field { number, wire_type, value })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[allow(deprecated, reason = "prost gives messages written by hand no other way to refuse input")]
pub(crate) fn malformed(fact: &'static str) -> DecodeError {
    DecodeError::new(fact)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(message: &[u8]) -> Vec<(u32, &[u8])> {
        let fields = Fields::of(message).map(Result::unwrap);
        fields.map(|Field { number, value, .. }| (number, value)).collect()
    }

    #[test]
    fn values_are_where_they_were_written() {
        let message = b"\x0a\x02hi\x10\x81\x01\x1d\0\0\0\x01\x23\x08\x05\x24\x2a\0";
        assert_eq!(
            fields(message),
            [(1, &b"hi"[..]), (2, b"\x81\x01"), (3, b"\0\0\0\x01"), (4, b"\x08\x05\x24"), (5, b"")]
        );
        assert_eq!(fields(b""), []);
    }

    #[test]
    fn an_error_is_the_last_item() {
        for broken in [&b"\x0a\x03hi"[..], b"\x08", b"\x0d\0\0\0", b"\x0b", b"\x0f", b"\x02\0"] {
            let message = [b"\x0a\x02hi", broken].concat();
            let found: Vec<_> = Fields::of(&message).collect();
            assert!(found.len() == 2 && found[0].is_ok() && found[1].is_err(), "{broken:?}");
        }
    }
}
