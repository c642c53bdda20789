// SPDX-License-Identifier: Apache-2.0

use std::mem;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::encoding::{self, DecodeContext, WireType};
use prost::{DecodeError, Message, Name};

use crate::tensorflow::{DataType, TensorShapeProto};
use crate::wire::malformed;
use crate::Strings;

/// TensorFlow's bound on the rank of a shape.
const MAX_RANK: usize = 254;

/// `tensorflow.TensorProto`, made for tensors of many elements.
///
/// Numbers stay in the packed form they have on the wire; decoded from [`Bytes`] or from a gRPC
/// message they share its memory. Strings lie in one buffer. `resource_handle_val` and
/// `variant_val` are skipped like unknown fields: what they name lives inside one runtime.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorProto {
    /// A [`DataType`], or a number this crate does not know.
    pub dtype: i32,
    pub tensor_shape: Option<TensorShapeProto>,
    pub version_number: i32,
    pub tensor_content: Bytes,
    /// Payloads of the numeric `*_val` lists by field number, in ascending order, no number twice,
    /// none empty: as [`set_list`](Self::set_list) keeps it.
    ///
    /// A payload is what a packed field holds: little-endian numbers of 4 or 8 bytes for floats and
    /// complex parts, single bytes for `float8_val`, varints for all others. After decoding it ends
    /// with a whole element; that no varint is longer than ten bytes remains for its reader to
    /// check.
    pub lists: Vec<(u32, Bytes)>,
    /// The list `string_val`.
    pub strings: Strings,
}

impl TensorProto {
    pub const FLOAT_VAL: u32 = 5;
    pub const DOUBLE_VAL: u32 = 6;
    pub const INT_VAL: u32 = 7;
    pub const SCOMPLEX_VAL: u32 = 9;
    pub const INT64_VAL: u32 = 10;
    pub const BOOL_VAL: u32 = 11;
    pub const DCOMPLEX_VAL: u32 = 12;
    pub const HALF_VAL: u32 = 13;
    pub const UINT32_VAL: u32 = 16;
    pub const UINT64_VAL: u32 = 17;
    pub const FLOAT8_VAL: u32 = 18;

    /// The type of the elements; `DtInvalid` for a number this crate does not know.
    pub fn dtype(&self) -> DataType {
        DataType::try_from(self.dtype).unwrap_or_default()
    }

    /// The payload of a numeric list, `None` for an empty one.
    pub fn list(&self, number: u32) -> Option<&Bytes> {
        self.lists.iter().find(|(n, _)| *n == number).map(|(_, payload)| payload)
    }

    /// Replaces the payload of a numeric list; an empty payload removes the list.
    ///
    /// # Panics
    ///
    /// If `number` is not one of the `*_VAL` numbers above.
    pub fn set_list(&mut self, number: u32, payload: impl Into<Bytes>) {
        assert!(List::find(number).is_some(), "field {number} is not a numeric list");
        let payload = payload.into();
        match (self.position(number), payload.is_empty()) {
            (Ok(index), false) => self.lists[index].1 = payload,
            (Ok(index), true) => drop(self.lists.remove(index)),
            (Err(index), false) => self.lists.insert(index, (number, payload)),
            (Err(_), true) => {}
        }
    }

    fn position(&self, number: u32) -> Result<usize, usize> {
        self.lists.binary_search_by_key(&number, |(n, _)| *n)
    }

    fn append_to_list(&mut self, number: u32, payload: &[u8]) {
        let index = self.position(number).unwrap_or_else(|index| {
            self.lists.insert(index, (number, Bytes::new()));
            index
        });
        let list = &mut self.lists[index].1;
        // Copies the first time only: from then on nobody else holds the memory, and it grows in
        // place however many single elements follow.
        let mut joined = match mem::take(list).try_into_mut() {
            Ok(own) => own,
            Err(shared) => BytesMut::from(shared.as_ref()),
        };
        joined.extend_from_slice(payload);
        *list = joined.freeze();
    }

    fn merge_shape(
        &mut self,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        let mut payload = Bytes::new();
        encoding::bytes::merge(wire_type, &mut payload, buf, ctx)?;
        let shape = self.tensor_shape.get_or_insert_with(Default::default);
        // A dim takes two bytes here and many more in memory: one too many is enough to refuse.
        while payload.has_remaining() && shape.dim.len() <= MAX_RANK {
            let (tag, wire_type) = encoding::decode_key(&mut payload)?;
            shape.merge_field(tag, wire_type, &mut payload, DecodeContext::default())?;
        }
        Ok(())
    }

    fn merge_list(
        &mut self,
        list: &List,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        match (list.element, wire_type) {
            // One `bytes` field and not a list: the last one counts.
            (Element::Byte, _) => {
                let mut payload = Bytes::new();
                encoding::bytes::merge(wire_type, &mut payload, buf, ctx)?;
                self.set_list(list.number, payload);
            }
            (element, WireType::LengthDelimited) => {
                let mut payload = Bytes::new();
                encoding::bytes::merge(wire_type, &mut payload, buf, ctx)?;
                if !element.ends_whole(&payload) {
                    return Err(malformed("packed list ends within an element"));
                }
                if self.list(list.number).is_none() {
                    self.set_list(list.number, payload);
                } else {
                    self.append_to_list(list.number, &payload);
                }
            }
            (Element::Fixed32, _) => {
                let mut bits = 0;
                encoding::fixed32::merge(wire_type, &mut bits, buf, ctx)?;
                self.append_to_list(list.number, &bits.to_le_bytes());
            }
            (Element::Fixed64, _) => {
                let mut bits = 0;
                encoding::fixed64::merge(wire_type, &mut bits, buf, ctx)?;
                self.append_to_list(list.number, &bits.to_le_bytes());
            }
            (Element::Varint, _) => {
                let mut value = 0;
                encoding::uint64::merge(wire_type, &mut value, buf, ctx)?;
                let mut varint = [0; 10];
                encoding::encode_varint(value, &mut varint.as_mut_slice());
                let length = encoding::encoded_len_varint(value);
                self.append_to_list(list.number, &varint[..length]);
            }
        }
        Ok(())
    }

    fn merge_string(&mut self, wire_type: WireType, buf: &mut impl Buf) -> Result<(), DecodeError> {
        encoding::check_wire_type(WireType::LengthDelimited, wire_type)?;
        let length = encoding::decode_varint(buf)?;
        if length > buf.remaining() as u64 {
            return Err(malformed("buffer underflow"));
        }
        self.strings.push_from(buf, length as usize);
        Ok(())
    }

    fn encode_lists(&self, among: &[List], buf: &mut impl BufMut) {
        for list in among {
            if let Some(payload) = self.list(list.number).filter(|payload| !payload.is_empty()) {
                encoding::bytes::encode(list.number, payload, buf);
            }
        }
    }
}

impl Message for TensorProto {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        if self.dtype != 0 {
            encoding::int32::encode(DTYPE, &self.dtype, buf);
        }
        if let Some(shape) = &self.tensor_shape {
            encoding::message::encode(TENSOR_SHAPE, shape, buf);
        }
        if self.version_number != 0 {
            encoding::int32::encode(VERSION_NUMBER, &self.version_number, buf);
        }
        if !self.tensor_content.is_empty() {
            encoding::bytes::encode(TENSOR_CONTENT, &self.tensor_content, buf);
        }
        let (before, after) = LISTS.split_at(LISTS.partition_point(|l| l.number < STRING_VAL));
        self.encode_lists(before, buf);
        for string in self.strings.iter() {
            encoding::encode_key(STRING_VAL, WireType::LengthDelimited, buf);
            encoding::encode_varint(string.len() as u64, buf);
            buf.put_slice(string);
        }
        self.encode_lists(after, buf);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        let (name, merged) = match tag {
            DTYPE => ("dtype", encoding::int32::merge(wire_type, &mut self.dtype, buf, ctx)),
            TENSOR_SHAPE => ("tensor_shape", self.merge_shape(wire_type, buf, ctx)),
            VERSION_NUMBER => {
                let version = &mut self.version_number;
                ("version_number", encoding::int32::merge(wire_type, version, buf, ctx))
            }
            TENSOR_CONTENT => {
                let content = &mut self.tensor_content;
                ("tensor_content", encoding::bytes::merge(wire_type, content, buf, ctx))
            }
            STRING_VAL => ("string_val", self.merge_string(wire_type, buf)),
            _ => match List::find(tag) {
                Some(list) => (list.name, self.merge_list(list, wire_type, buf, ctx)),
                None => return encoding::skip_field(wire_type, tag, buf, ctx),
            },
        };
        merged.map_err(|mut error| {
            error.push(Self::NAME, name);
            error
        })
    }

    fn encoded_len(&self) -> usize {
        let mut length = 0;
        if self.dtype != 0 {
            length += encoding::int32::encoded_len(DTYPE, &self.dtype);
        }
        if let Some(shape) = &self.tensor_shape {
            length += encoding::message::encoded_len(TENSOR_SHAPE, shape);
        }
        if self.version_number != 0 {
            length += encoding::int32::encoded_len(VERSION_NUMBER, &self.version_number);
        }
        if !self.tensor_content.is_empty() {
            length += encoding::bytes::encoded_len(TENSOR_CONTENT, &self.tensor_content);
        }
        for list in &LISTS {
            if let Some(payload) = self.list(list.number).filter(|payload| !payload.is_empty()) {
                length += encoding::bytes::encoded_len(list.number, payload);
            }
        }
        let lengths = self.strings.iter().map(|s| encoding::encoded_len_varint(s.len() as u64));
        length
            + encoding::key_len(STRING_VAL) * self.strings.len()
            + lengths.sum::<usize>()
            + self.strings.byte_len()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Name for TensorProto {
    const NAME: &'static str = "TensorProto";
    const PACKAGE: &'static str = "tensorflow";

    fn type_url() -> String {
        "type.googleapis.com/tensorflow.TensorProto".into()
    }
}

const DTYPE: u32 = 1;
const TENSOR_SHAPE: u32 = 2;
const VERSION_NUMBER: u32 = 3;
const TENSOR_CONTENT: u32 = 4;
const STRING_VAL: u32 = 8;

/// How one element of a list is written.
#[derive(Clone, Copy)]
enum Element {
    Byte,
    Fixed32,
    Fixed64,
    Varint,
}

impl Element {
    /// Whether the last element of a payload is there to its end. Joining payloads relies on it.
    fn ends_whole(self, payload: &[u8]) -> bool {
        match self {
            Element::Byte => true,
            Element::Fixed32 => payload.len() % 4 == 0,
            Element::Fixed64 => payload.len() % 8 == 0,
            Element::Varint => payload.last().is_none_or(|byte| byte & 0x80 == 0),
        }
    }
}

struct List {
    number: u32,
    name: &'static str,
    element: Element,
}

impl List {
    const fn new(number: u32, name: &'static str, element: Element) -> Self {
        Self { number, name, element }
    }

    fn find(number: u32) -> Option<&'static Self> {
        LISTS.iter().find(|list| list.number == number)
    }
}

/// In the order of their numbers, which is the order on the wire.
static LISTS: [List; 11] = [
    List::new(TensorProto::FLOAT_VAL, "float_val", Element::Fixed32),
    List::new(TensorProto::DOUBLE_VAL, "double_val", Element::Fixed64),
    List::new(TensorProto::INT_VAL, "int_val", Element::Varint),
    List::new(TensorProto::SCOMPLEX_VAL, "scomplex_val", Element::Fixed32),
    List::new(TensorProto::INT64_VAL, "int64_val", Element::Varint),
    List::new(TensorProto::BOOL_VAL, "bool_val", Element::Varint),
    List::new(TensorProto::DCOMPLEX_VAL, "dcomplex_val", Element::Fixed64),
    List::new(TensorProto::HALF_VAL, "half_val", Element::Varint),
    List::new(TensorProto::UINT32_VAL, "uint32_val", Element::Varint),
    List::new(TensorProto::UINT64_VAL, "uint64_val", Element::Varint),
    List::new(TensorProto::FLOAT8_VAL, "float8_val", Element::Byte),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensorflow::serving::PredictRequest;
    use crate::tensorflow::tensor_shape_proto::Dim;

    /// What prost generates for the message.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Generated {
        #[prost(enumeration = "DataType", tag = "1")]
        dtype: i32,
        #[prost(message, optional, tag = "2")]
        tensor_shape: Option<TensorShapeProto>,
        #[prost(int32, tag = "3")]
        version_number: i32,
        #[prost(bytes = "bytes", tag = "4")]
        tensor_content: Bytes,
        #[prost(float, repeated, tag = "5")]
        float_val: Vec<f32>,
        #[prost(double, repeated, tag = "6")]
        double_val: Vec<f64>,
        #[prost(int32, repeated, tag = "7")]
        int_val: Vec<i32>,
        #[prost(bytes = "bytes", repeated, tag = "8")]
        string_val: Vec<Bytes>,
        #[prost(float, repeated, tag = "9")]
        scomplex_val: Vec<f32>,
        #[prost(int64, repeated, tag = "10")]
        int64_val: Vec<i64>,
        #[prost(bool, repeated, tag = "11")]
        bool_val: Vec<bool>,
        #[prost(double, repeated, tag = "12")]
        dcomplex_val: Vec<f64>,
        #[prost(int32, repeated, tag = "13")]
        half_val: Vec<i32>,
        #[prost(uint32, repeated, tag = "16")]
        uint32_val: Vec<u32>,
        #[prost(uint64, repeated, tag = "17")]
        uint64_val: Vec<u64>,
        #[prost(bytes = "bytes", tag = "18")]
        float8_val: Bytes,
    }

    /// The numeric lists as prost generates them without packing.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Unpacked {
        #[prost(float, repeated, packed = "false", tag = "5")]
        float_val: Vec<f32>,
        #[prost(double, repeated, packed = "false", tag = "6")]
        double_val: Vec<f64>,
        #[prost(int32, repeated, packed = "false", tag = "7")]
        int_val: Vec<i32>,
        #[prost(float, repeated, packed = "false", tag = "9")]
        scomplex_val: Vec<f32>,
        #[prost(int64, repeated, packed = "false", tag = "10")]
        int64_val: Vec<i64>,
        #[prost(bool, repeated, packed = "false", tag = "11")]
        bool_val: Vec<bool>,
        #[prost(double, repeated, packed = "false", tag = "12")]
        dcomplex_val: Vec<f64>,
        #[prost(int32, repeated, packed = "false", tag = "13")]
        half_val: Vec<i32>,
        #[prost(uint32, repeated, packed = "false", tag = "16")]
        uint32_val: Vec<u32>,
        #[prost(uint64, repeated, packed = "false", tag = "17")]
        uint64_val: Vec<u64>,
    }

    fn numbers() -> Unpacked {
        Unpacked {
            float_val: vec![0.0, 1.5, f32::NEG_INFINITY],
            double_val: vec![-0.0, 2.5],
            int_val: vec![0, -1, i32::MAX, 300],
            scomplex_val: vec![1.0, -1.0],
            int64_val: vec![i64::MIN, 7],
            bool_val: vec![true, false, true],
            dcomplex_val: vec![0.5, -0.5],
            half_val: vec![0x3c00, 0xffff],
            uint32_val: vec![u32::MAX],
            uint64_val: vec![0, u64::MAX],
        }
    }

    fn every_field() -> Generated {
        let numbers = numbers();
        Generated {
            dtype: DataType::DtString as i32,
            tensor_shape: Some(shape(&[2, -1])),
            version_number: 3,
            tensor_content: Bytes::from_static(b"content"),
            float_val: numbers.float_val,
            double_val: numbers.double_val,
            int_val: numbers.int_val,
            string_val: [&b"text"[..], b"", b"\0nul\0", b"\xff\xfe"].map(Bytes::from_static).into(),
            scomplex_val: numbers.scomplex_val,
            int64_val: numbers.int64_val,
            bool_val: numbers.bool_val,
            dcomplex_val: numbers.dcomplex_val,
            half_val: numbers.half_val,
            uint32_val: numbers.uint32_val,
            uint64_val: numbers.uint64_val,
            float8_val: Bytes::from_static(&[0x00, 0x7f, 0x80]),
        }
    }

    fn shape(sizes: &[i64]) -> TensorShapeProto {
        let dim = sizes.iter().map(|size| Dim { size: *size, name: String::new() }).collect();
        TensorShapeProto { dim, unknown_rank: false }
    }

    fn decode(wire: &[u8]) -> Result<TensorProto, DecodeError> {
        TensorProto::decode(Bytes::copy_from_slice(wire))
    }

    fn field(number: u32, wire_type: WireType, rest: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        encoding::encode_key(number, wire_type, &mut wire);
        wire.extend_from_slice(rest);
        wire
    }

    fn packed(number: u32, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        field(number, WireType::LengthDelimited, &[&[length], payload].concat())
    }

    fn is_within(part: &Bytes, whole: &Bytes) -> bool {
        whole.as_ptr_range().contains(&part.as_ptr())
    }

    #[test]
    fn reads_and_writes_the_bytes_that_generated_code_does() {
        let wire = every_field().encode_to_vec();
        let tensor = decode(&wire).unwrap();

        assert_eq!(tensor.dtype(), DataType::DtString);
        assert_eq!(tensor.tensor_shape, Some(shape(&[2, -1])));
        assert_eq!(tensor.lists.len(), LISTS.len());
        assert_eq!(tensor.strings, every_field().string_val.iter().collect());
        assert_eq!(tensor.encode_to_vec(), wire);
        assert_eq!(tensor.encoded_len(), wire.len());
    }

    #[test]
    fn defaults_take_no_bytes() {
        let mut tensor = TensorProto { lists: vec![(5, Bytes::new())], ..Default::default() };
        assert_eq!((tensor.encoded_len(), tensor.encode_to_vec()), (0, vec![]));

        tensor = decode(&every_field().encode_to_vec()).unwrap();
        tensor.clear();
        assert_eq!(tensor, TensorProto::default());
    }

    #[test]
    fn an_empty_shape_is_written_because_it_means_a_scalar() {
        let tensor = TensorProto { tensor_shape: Some(shape(&[])), ..Default::default() };
        assert_eq!(tensor.encode_to_vec(), packed(TENSOR_SHAPE, b""));
        assert_eq!(decode(&tensor.encode_to_vec()).unwrap(), tensor);
    }

    #[test]
    fn numbers_share_the_memory_of_the_message() {
        let tensor = decode(&every_field().encode_to_vec()).unwrap();
        let request = PredictRequest {
            inputs: [("x".to_owned(), tensor.clone())].into(),
            ..Default::default()
        };
        let wire = Bytes::from(request.encode_to_vec());
        let received = PredictRequest::decode(wire.clone()).unwrap();

        assert_eq!(received, request);
        let input = &received.inputs["x"];
        assert!(is_within(&input.tensor_content, &wire));
        assert!(input.lists.iter().all(|(_, payload)| is_within(payload, &wire)));
    }

    #[test]
    fn single_elements_mean_the_same_as_packed_ones() {
        let wire = numbers().encode_to_vec();
        let Unpacked { float_val, double_val, int_val, scomplex_val, int64_val, .. } = numbers();
        let Unpacked { bool_val, dcomplex_val, half_val, uint32_val, uint64_val, .. } = numbers();
        let packed = Generated {
            float_val,
            double_val,
            int_val,
            scomplex_val,
            int64_val,
            bool_val,
            dcomplex_val,
            half_val,
            uint32_val,
            uint64_val,
            ..Default::default()
        };
        assert_eq!(decode(&wire).unwrap().encode_to_vec(), packed.encode_to_vec());
    }

    #[test]
    fn pieces_of_a_list_are_joined_in_their_order() {
        let wire = [
            packed(TensorProto::INT_VAL, &[1, 0x80, 2]),
            packed(TensorProto::FLOAT_VAL, &1.0f32.to_le_bytes()),
            field(TensorProto::INT_VAL, WireType::Varint, &[3]),
            packed(TensorProto::INT_VAL, &[]),
            packed(TensorProto::INT_VAL, &[4, 5]),
        ];
        let tensor = decode(&wire.concat()).unwrap();

        assert_eq!(tensor.list(TensorProto::INT_VAL).unwrap()[..], [1, 0x80, 2, 3, 4, 5]);
        assert_eq!(tensor.list(TensorProto::FLOAT_VAL).unwrap()[..], 1.0f32.to_le_bytes());
    }

    #[test]
    fn joining_leaves_the_message_it_came_in_alone() {
        let pieces = [packed(TensorProto::INT_VAL, &[1]), packed(TensorProto::INT_VAL, &[2])];
        let wire = Bytes::from([&pieces.concat()[..], &packed(TENSOR_CONTENT, b"after")].concat());
        let untouched = wire.to_vec();
        let tensor = TensorProto::decode(wire.clone()).unwrap();

        assert_eq!(tensor.tensor_content, "after");
        assert_eq!(wire, untouched);
        // The same with nobody else holding the memory.
        assert_eq!(TensorProto::decode(Bytes::from(untouched)).unwrap(), tensor);
    }

    #[test]
    fn single_elements_are_joined_in_linear_time() {
        // Copying the list for each element would move 80 GB.
        let count = 200_000;
        let element = field(TensorProto::FLOAT_VAL, WireType::ThirtyTwoBit, &1.0f32.to_le_bytes());
        let tensor = decode(&element.repeat(count)).unwrap();

        assert_eq!(tensor.list(TensorProto::FLOAT_VAL).unwrap().len(), 4 * count);
    }

    #[test]
    fn the_last_float8_val_counts() {
        let pieces =
            [packed(TensorProto::FLOAT8_VAL, &[1, 2]), packed(TensorProto::FLOAT8_VAL, &[3])];
        let tensor = decode(&pieces.concat()).unwrap();
        assert_eq!(tensor.list(TensorProto::FLOAT8_VAL).unwrap()[..], [3]);

        let emptied = [&pieces.concat()[..], &packed(TensorProto::FLOAT8_VAL, &[])].concat();
        assert_eq!(decode(&emptied).unwrap(), TensorProto::default());
    }

    #[test]
    fn refuses_a_cut_message_where_generated_code_does() {
        for wire in [every_field().encode_to_vec(), numbers().encode_to_vec()] {
            for end in 0..=wire.len() {
                let expected = Generated::decode(&wire[..end]).is_ok();
                assert_eq!(decode(&wire[..end]).is_ok(), expected, "cut at {end}");
            }
        }
    }

    #[test]
    fn takes_the_wire_types_that_generated_code_does() {
        let values: [(WireType, &[u8]); 6] = [
            (WireType::Varint, &[1]),
            (WireType::SixtyFourBit, &[0; 8]),
            // One payload for all: eight zeros are whole elements of every list.
            (WireType::LengthDelimited, &[8, 0, 0, 0, 0, 0, 0, 0, 0]),
            (WireType::StartGroup, &[]),
            (WireType::EndGroup, &[]),
            (WireType::ThirtyTwoBit, &[0; 4]),
        ];
        for number in 1..=20 {
            for (wire_type, value) in values {
                let wire = field(number, wire_type, value);
                let expected = Generated::decode(&wire[..]).is_ok();
                assert_eq!(decode(&wire).is_ok(), expected, "field {number}, {wire_type:?}");
            }
        }
    }

    #[test]
    fn refuses_packed_lists_that_end_within_an_element() {
        for list in LISTS.iter().filter(|list| !matches!(list.element, Element::Byte)) {
            let wire = packed(list.number, &[0x80; 3]);
            assert!(Generated::decode(&wire[..]).is_err());

            let message = decode(&wire).unwrap_err().to_string();
            let expected = format!("TensorProto.{}: packed list ends within", list.name);
            assert!(message.contains(&expected), "{message}");
        }
    }

    #[test]
    fn refuses_lengths_beyond_the_message() {
        for number in (4..=18).filter(|number| !matches!(number, 14 | 15)) {
            for length in [1, u64::from(u32::MAX), u64::MAX] {
                let mut varint = Vec::new();
                encoding::encode_varint(length, &mut varint);
                let wire = field(number, WireType::LengthDelimited, &varint);
                let message = decode(&wire).unwrap_err().to_string();
                assert!(message.ends_with("buffer underflow"), "{message}");
            }
        }
    }

    #[test]
    fn broken_bytes_are_refused_or_read_as_generated_code_reads_them() {
        let wire = every_field().encode_to_vec();
        for index in 0..wire.len() {
            for bit in 0..8 {
                let mut broken = wire.clone();
                broken[index] ^= 1 << bit;
                let expected = Generated::decode(&broken[..]);
                match (decode(&broken), expected) {
                    (Ok(tensor), Ok(expected)) => {
                        let again = Generated::decode(&tensor.encode_to_vec()[..]).unwrap();
                        // Bytes, because a NaN does not equal itself.
                        assert_eq!(again.encode_to_vec(), expected.encode_to_vec());
                    }
                    // Varints of more than ten bytes are left to the reader of the list.
                    (Ok(tensor), Err(_)) => {
                        assert!(Generated::decode(&tensor.encode_to_vec()[..]).is_err());
                    }
                    (Err(_), expected) => assert!(expected.is_err()),
                }
            }
        }
    }

    #[test]
    fn keeps_one_dim_more_than_a_shape_can_have() {
        let dims = packed(TENSOR_SHAPE, &[0x12, 0].repeat(60));
        let tensor = decode(&dims.repeat(5)).unwrap();
        assert_eq!(tensor.tensor_shape.unwrap().dim.len(), 255);
    }

    #[test]
    fn skips_handles_variants_and_fields_nobody_knows() {
        let tensor = decode(&every_field().encode_to_vec()).unwrap();
        let wire = [
            packed(14, b"\x0a\x03cpu"),
            packed(15, b"anything"),
            field(19, WireType::Varint, &[1]),
            [field(20, WireType::StartGroup, &packed(1, b"x")), field(20, WireType::EndGroup, &[])]
                .concat(),
            tensor.encode_to_vec(),
            field(1000, WireType::SixtyFourBit, &[0; 8]),
        ];
        assert_eq!(decode(&wire.concat()).unwrap(), tensor);
    }

    #[test]
    fn keeps_one_payload_a_list_in_ascending_order() {
        let mut tensor = TensorProto::default();
        tensor.set_list(TensorProto::UINT64_VAL, vec![1]);
        tensor.set_list(TensorProto::FLOAT_VAL, vec![0; 4]);
        tensor.set_list(TensorProto::UINT64_VAL, vec![2]);
        tensor.set_list(TensorProto::BOOL_VAL, Bytes::new());
        assert_eq!(tensor.lists, [(5, Bytes::from(vec![0; 4])), (17, Bytes::from(vec![2]))]);

        tensor.set_list(TensorProto::FLOAT_VAL, Bytes::new());
        assert_eq!(tensor.list(TensorProto::FLOAT_VAL), None);
    }

    #[test]
    #[should_panic(expected = "field 8 is not a numeric list")]
    fn refuses_to_set_what_is_no_list() {
        TensorProto::default().set_list(STRING_VAL, vec![0]);
    }

    #[test]
    fn any_finds_it_under_its_public_url() {
        let tensor = decode(&every_field().encode_to_vec()).unwrap();
        let any = prost_types::Any::from_msg(&tensor).unwrap();

        assert_eq!(any.type_url, "type.googleapis.com/tensorflow.TensorProto");
        assert_eq!(any.to_msg::<TensorProto>().unwrap(), tensor);
    }
}
