// SPDX-License-Identifier: Apache-2.0

use std::borrow::Cow;

use bytes::{Buf, BufMut, Bytes};
use prost::encoding::{self, DecodeContext, WireType};
use prost::{DecodeError, Message};

use crate::wire::{malformed, Field, Fields};

/// `tensorflow.serving.Input`, whose examples stay serialized: that is how a graph is fed them.
///
/// Decoded from [`Bytes`] or from a gRPC message it shares its memory. An example takes two bytes of
/// a message at least, and none of memory here: they are told apart when they are asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Input {
    /// Which of the two lists it is, by the number of its field; 0 for neither.
    kind: u32,
    /// The list, serialized: all of these together.
    pieces: Vec<Bytes>,
}

const EXAMPLE_LIST: u32 = 1;
const EXAMPLE_LIST_WITH_CONTEXT: u32 = 2;

/// Of either list.
const EXAMPLES: u32 = 1;
/// Of the second list only.
const CONTEXT: u32 = 2;

/// A list has one piece as everybody writes it. Joining some is protobuf's rule; thousands are
/// nobody's.
const MAX_PIECES: usize = 1000;

impl Input {
    /// A list of serialized examples, with a context where one is given.
    pub fn of<E: AsRef<[u8]>>(context: Option<&[u8]>, examples: &[E]) -> Self {
        let mut list = Vec::new();
        let mut put = |number, value: &[u8]| {
            encoding::encode_key(number, WireType::LengthDelimited, &mut list);
            encoding::encode_varint(value.len() as u64, &mut list);
            list.put_slice(value);
        };
        examples.iter().for_each(|example| put(EXAMPLES, example.as_ref()));
        context.into_iter().for_each(|context| put(CONTEXT, context));
        let kind = context.map_or(EXAMPLE_LIST, |_| EXAMPLE_LIST_WITH_CONTEXT);
        Self { kind, pieces: vec![list.into()] }
    }

    /// Bytes of the list.
    pub fn byte_len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    /// The examples in their order, each serialized; an error in a piece of the list is the last item
    /// of that piece. Whether examples themselves are malformed is another question: see
    /// [`is_plain_example`](crate::is_plain_example).
    pub fn examples(&self) -> impl Iterator<Item = Result<&[u8], DecodeError>> {
        let is_one = |field: &Result<Field<'_>, DecodeError>| {
            field.as_ref().map_or(true, |field| field.number == EXAMPLES)
        };
        self.fields().filter(is_one).map(|field| field.map(|field| field.value))
    }

    /// The features that all examples share, as a serialized example; empty without a context.
    ///
    /// # Errors
    /// When the list is malformed.
    pub fn context(&self) -> Result<Cow<'_, [u8]>, DecodeError> {
        let mut context: Cow<'_, [u8]> = Cow::Borrowed(&[]);
        if self.kind != EXAMPLE_LIST_WITH_CONTEXT {
            return Ok(context);
        }
        for field in self.fields() {
            let Field { number, value, .. } = field?;
            match (number, context.is_empty()) {
                (CONTEXT, true) => context = Cow::Borrowed(value),
                (CONTEXT, false) => context.to_mut().extend_from_slice(value),
                _ => {}
            }
        }
        Ok(context)
    }

    /// The fields that count.
    fn fields(&self) -> impl Iterator<Item = Result<Field<'_>, DecodeError>> {
        let last = self.kind;
        let known = move |field: &Result<Field<'_>, DecodeError>| {
            field.as_ref().map_or(true, |field| (EXAMPLES..=last).contains(&field.number))
        };
        let delimited = |field: Field<'_>| {
            encoding::check_wire_type(WireType::LengthDelimited, field.wire_type)
        };
        self.pieces
            .iter()
            .flat_map(|piece| Fields::of(piece))
            .filter(known)
            .map(move |field| field.and_then(|field| delimited(field).map(|()| field)))
    }
}

impl Message for Input {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        for piece in &self.pieces {
            encoding::bytes::encode(self.kind, piece, buf);
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        let name = match tag {
            EXAMPLE_LIST => "example_list",
            EXAMPLE_LIST_WITH_CONTEXT => "example_list_with_context",
            _ => return encoding::skip_field(wire_type, tag, buf, ctx),
        };
        let mut piece = Bytes::new();
        let mut merged = encoding::bytes::merge(wire_type, &mut piece, buf, ctx);
        if tag != self.kind {
            // The last one of a oneof counts.
            self.pieces.clear();
            self.kind = tag;
        }
        if self.pieces.len() == MAX_PIECES {
            merged = merged.and(Err(malformed("the list is in too many pieces")));
        }
        self.pieces.push(piece);
        merged.map_err(|mut error| {
            error.push("Input", name);
            error
        })
    }

    fn encoded_len(&self) -> usize {
        let pieces = self.pieces.iter();
        pieces.map(|piece| encoding::bytes::encoded_len(self.kind, piece)).sum()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(wire: &[&[u8]]) -> Input {
        Input::decode(Bytes::from(wire.concat())).unwrap()
    }

    /// The examples, and the context.
    fn found(input: &Input) -> (Vec<String>, String) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let examples = input.examples().map(|example| text(example.unwrap()));
        (examples.collect(), text(&input.context().unwrap()))
    }

    fn texts(examples: &[&str], context: &str) -> (Vec<String>, String) {
        (examples.iter().map(|example| example.to_string()).collect(), context.to_owned())
    }

    #[test]
    fn what_travels_is_the_published_message() {
        // Field 1 of Input is a list whose field 1 is an example; field 2 is one whose field 2 is
        // the context.
        let listed = Input::of(None, &[&b"ab"[..], b""]);
        assert_eq!(listed.encode_to_vec(), b"\x0a\x06\x0a\x02ab\x0a\0");
        let with_context = Input::of(Some(b"c"), &[b"ab"]);
        assert_eq!(with_context.encode_to_vec(), b"\x12\x07\x0a\x02ab\x12\x01c");
        for input in [listed, with_context, Input::default()] {
            assert_eq!(decode(&[&input.encode_to_vec()]), input);
            assert_eq!(input.encoded_len(), input.encode_to_vec().len());
        }
    }

    #[test]
    fn examples_and_context_are_found_in_any_order_and_merged() {
        let list = b"\x12\x0c\x12\x01c\x0a\x02ab\x12\x01d\x0a\0";
        let more = b"\x12\x03\x0a\x01e";
        assert_eq!(found(&decode(&[list, more])), texts(&["ab", "", "e"], "cd"));
    }

    #[test]
    fn the_last_kind_counts_and_a_plain_list_has_no_context() {
        let (listed, with_context) = (b"\x0a\x06\x0a\x01a\x12\x01c", b"\x12\x03\x0a\x01b");
        assert_eq!(found(&decode(&[with_context, listed])), texts(&["a"], ""));
        assert_eq!(found(&decode(&[listed, with_context])), texts(&["b"], ""));
        assert_eq!(found(&Input::default()), texts(&[], ""));
    }

    #[test]
    fn fields_nobody_knows_are_passed_over() {
        let input = decode(&[b"\x1a\x01x\x0a\x07\x1a\x01x\x18\x01\x0a\0"]);
        assert_eq!(found(&input), texts(&[""], ""));
    }

    #[test]
    fn an_example_is_no_number() {
        let input = decode(&[b"\x0a\x04\x0a\0\x08\x01"]);
        let examples: Vec<_> = input.examples().collect();
        assert!(examples.len() == 2 && examples[1].is_err());
    }

    #[test]
    fn a_list_that_is_cut_off_is_malformed() {
        let whole = b"\x0a\x02ab\x12\x01c";
        for end in 0..=whole.len() {
            let wire = [&[0x12, end as u8], &whole[..end]].concat();
            let is_whole = [0, 4, whole.len()].contains(&end);
            let input = decode(&[&wire]);
            assert_eq!(input.examples().all(|found| found.is_ok()), is_whole, "cut at {end}");
            assert_eq!(input.context().is_ok(), is_whole, "cut at {end}");
        }
        assert!(Input::decode(&b"\x0a\x05ab"[..]).is_err());
        assert!(Input::decode(&b"\x08\x05"[..]).is_err());
    }

    #[test]
    fn a_list_in_thousands_of_pieces_is_refused() {
        assert!(Input::decode(&b"\x0a\0".repeat(MAX_PIECES)[..]).is_ok());
        let error = Input::decode(&b"\x0a\0".repeat(MAX_PIECES + 1)[..]).unwrap_err();
        assert!(error.to_string().contains("Input.example_list: the list is in too many pieces"));
    }
}
