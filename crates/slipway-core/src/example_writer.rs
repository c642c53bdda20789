// SPDX-License-Identifier: Apache-2.0
//! Serialized `tensorflow.Example`s, written value by value.

use bytes::BufMut;
use prost::encoding::encode_varint;
use slipway_proto::Strings;

use crate::budget::STRING_COST;
use crate::{Code, Error, Result, Room};

/// The buffer begins with so many bytes.
const FIRST_ROOM: usize = 256;

/// The kind of a feature's values, numbered as the fields of `tensorflow.Feature`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureKind {
    Bytes = 1,
    Float = 2,
    Int64 = 3,
}

impl FeatureKind {
    /// The name used in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Float => "float",
            Self::Int64 => "int64",
        }
    }
}

/// Writes one example after the other into one buffer, each thing behind what is written: what goes
/// before it, which has its length, is put there when it is complete.
#[derive(Debug)]
pub struct ExampleWriter<'r> {
    room: Room<'r>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Where the feature begins that is being written.
    feature: usize,
    kind: Option<FeatureKind>,
    /// What goes before it.
    head: Vec<u8>,
}

impl<'r> ExampleWriter<'r> {
    /// A writer of examples that take no more than there is `room` for in one tensor.
    pub fn new(room: Room<'r>) -> Self {
        let (bytes, ends, head) = (Vec::new(), Vec::new(), Vec::new());
        Self { room, bytes, ends, feature: 0, kind: None, head }
    }

    /// Begins a feature, to which all values belong until its end.
    pub fn begin_feature(&mut self) {
        self.feature = self.bytes.len();
        self.kind = None;
    }

    /// Says what the next value is.
    ///
    /// # Errors
    /// The kind of the values so far, when they are of another.
    pub fn expect(&mut self, kind: FeatureKind) -> std::result::Result<(), FeatureKind> {
        match *self.kind.get_or_insert(kind) {
            same if same == kind => Ok(()),
            other => Err(other),
        }
    }

    /// Adds a value of the kind that is expected.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED without room, before memory is taken. So it is for all that is written.
    pub fn push_bytes(&mut self, value: &[u8]) -> Result<()> {
        self.reserve(MAX_KEY + value.len())?;
        put_field(&mut self.bytes, 1, value.len());
        self.bytes.put_slice(value);
        Ok(())
    }

    pub fn push_float(&mut self, value: f32) -> Result<()> {
        self.reserve(size_of::<f32>())?;
        self.bytes.put_f32_le(value);
        Ok(())
    }

    pub fn push_int64(&mut self, value: i64) -> Result<()> {
        self.reserve(MAX_VARINT)?;
        encode_varint(value as u64, &mut self.bytes);
        Ok(())
    }

    /// Ends the feature that is being written.
    pub fn end_feature(&mut self, name: &[u8]) -> Result<()> {
        let values = self.bytes.len() - self.feature;
        // From the innermost message outwards: a list, a feature, an entry of the map of features.
        let is_packed = self.kind.is_some_and(|kind| kind != FeatureKind::Bytes) && values > 0;
        let list = if is_packed { field_len(values) } else { values };
        let feature = if self.kind.is_some() { field_len(list) } else { 0 };
        let entry = field_len(name.len()) + field_len(feature);
        let mut head = std::mem::take(&mut self.head);
        head.clear();
        put_field(&mut head, 1, entry);
        put_field(&mut head, 1, name.len());
        head.put_slice(name);
        put_field(&mut head, 2, feature);
        if let Some(kind) = self.kind {
            put_field(&mut head, kind as u8, list);
        }
        if is_packed {
            put_field(&mut head, 1, values);
        }
        let inserted = self.insert(self.feature, &head);
        self.head = head;
        inserted
    }

    /// Ends the example that is being written.
    pub fn end_example(&mut self) -> Result<()> {
        let begin = self.ends.last().copied().unwrap_or(0);
        let features = self.bytes.len() - begin;
        if features > 0 {
            let mut head = Vec::with_capacity(MAX_KEY);
            put_field(&mut head, 1, features);
            self.insert(begin, &head)?;
        }
        let cost = STRING_COST.saturating_mul(self.ends.len() + 1);
        if cost.saturating_add(self.bytes.len()) > self.room.max_tensor_bytes {
            return Err(self.over_limit());
        }
        self.room.lease.take(STRING_COST)?;
        self.ends.push(self.bytes.len());
        Ok(())
    }

    /// The examples that have been ended.
    pub fn into_strings(mut self) -> Strings {
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
        Strings::from_parts(self.bytes, self.ends)
    }

    fn insert(&mut self, place: usize, head: &[u8]) -> Result<()> {
        self.reserve(head.len())?;
        let end = self.bytes.len();
        self.bytes.put_slice(head);
        self.bytes.copy_within(place..end, place + head.len());
        self.bytes[place..][..head.len()].copy_from_slice(head);
        Ok(())
    }

    fn reserve(&mut self, more: usize) -> Result<()> {
        let needed = self.bytes.len() + more;
        if needed <= self.bytes.capacity() {
            return Ok(());
        }
        let limit = self.room.max_tensor_bytes;
        if needed > limit {
            return Err(self.over_limit());
        }
        let wanted = self.bytes.capacity().saturating_mul(2).max(FIRST_ROOM);
        let capacity = wanted.min(limit).max(needed);
        self.room.lease.take(capacity - self.bytes.capacity())?;
        self.bytes.reserve_exact(capacity - self.bytes.len());
        Ok(())
    }

    #[cold]
    fn over_limit(&self) -> Error {
        let limit = self.room.max_tensor_bytes;
        Error::new(
            Code::ResourceExhausted,
            format!("the examples take more than the limit of {limit} bytes for a tensor"),
        )
    }
}

/// Bytes of the longest varint.
const MAX_VARINT: usize = 10;
/// Bytes that a field of bytes takes at most beside its content.
const MAX_KEY: usize = 1 + MAX_VARINT;

fn put_field(out: &mut Vec<u8>, number: u8, length: usize) {
    out.put_u8(number << 3 | 2);
    encode_varint(length as u64, out);
}

/// Bytes of a field that has `length` bytes of content.
fn field_len(length: usize) -> usize {
    1 + prost::encoding::encoded_len_varint(length as u64) + length
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use slipway_proto::is_plain_example;
    use slipway_proto::tensorflow::feature::Kind;
    use slipway_proto::tensorflow::{BytesList, Example, FloatList, Int64List};

    use super::*;
    use crate::{Budget, Lease};

    fn features(example: &[u8]) -> Vec<(String, Option<Kind>)> {
        let features = Example::decode(example).unwrap().features.unwrap_or_default();
        features.feature.into_iter().map(|(name, feature)| (name, feature.kind)).collect()
    }

    fn ints(writer: &mut ExampleWriter<'_>, name: &str, values: &[i64]) -> Result<()> {
        writer.begin_feature();
        for &value in values {
            writer.expect(FeatureKind::Int64).unwrap();
            writer.push_int64(value)?;
        }
        writer.end_feature(name.as_bytes())
    }

    #[test]
    fn what_is_written_is_read_by_protobuf_and_by_graphs() {
        let lease = Lease::unlimited();
        let mut writer = ExampleWriter::new(Room { max_tensor_bytes: 1 << 20, lease: &lease });
        writer.begin_feature();
        for value in [&b"foo"[..], b"", &[b'x'; 300]] {
            writer.expect(FeatureKind::Bytes).unwrap();
            writer.push_bytes(value).unwrap();
        }
        writer.end_feature(b"names").unwrap();
        writer.begin_feature();
        for value in [8.5, f32::NEG_INFINITY, 0.0] {
            writer.expect(FeatureKind::Float).unwrap();
            writer.push_float(value).unwrap();
        }
        writer.end_feature(b"ratings").unwrap();
        ints(&mut writer, "age", &[20, -1, i64::MAX]).unwrap();
        ints(&mut writer, "", &[]).unwrap();
        writer.end_example().unwrap();
        writer.end_example().unwrap();
        ints(&mut writer, "age", &[0; 1000]).unwrap();
        writer.end_example().unwrap();
        let strings = writer.into_strings();

        let bytes = vec![b"foo"[..].into(), b""[..].into(), vec![b'x'; 300].into()];
        let int64 = |value| Some(Kind::Int64List(Int64List { value }));
        let ratings = FloatList { value: vec![8.5, f32::NEG_INFINITY, 0.0] };
        assert_eq!(
            features(strings.get(0)),
            [
                (String::new(), None),
                ("age".to_owned(), int64(vec![20, -1, i64::MAX])),
                ("names".to_owned(), Some(Kind::BytesList(BytesList { value: bytes }))),
                ("ratings".to_owned(), Some(Kind::FloatList(ratings))),
            ]
        );
        assert_eq!(strings.get(1), b"");
        assert_eq!(features(strings.get(2)), [("age".to_owned(), int64(vec![0; 1000]))]);
        assert!(strings.iter().all(|example| is_plain_example(example) == Ok(true)));
    }

    #[test]
    fn values_of_a_feature_are_of_one_kind() {
        let lease = Lease::unlimited();
        let mut writer = ExampleWriter::new(Room { max_tensor_bytes: 1000, lease: &lease });
        writer.begin_feature();
        assert_eq!(writer.expect(FeatureKind::Float), Ok(()));
        assert_eq!(writer.expect(FeatureKind::Float), Ok(()));
        assert_eq!(writer.expect(FeatureKind::Bytes), Err(FeatureKind::Float));
        writer.begin_feature();
        assert_eq!(writer.expect(FeatureKind::Bytes), Ok(()));
    }

    #[test]
    fn what_was_not_ended_is_left_out() {
        let lease = Lease::unlimited();
        let mut writer = ExampleWriter::new(Room { max_tensor_bytes: 1000, lease: &lease });
        ints(&mut writer, "a", &[1]).unwrap();
        writer.end_example().unwrap();
        ints(&mut writer, "a", &[2]).unwrap();
        assert_eq!(writer.into_strings().len(), 1);
    }

    #[test]
    fn memory_is_paid_for_before_it_is_taken_and_has_a_limit() {
        let budget = Budget::new(1000);
        let lease = budget.lease();
        let write = |max_tensor_bytes, examples| {
            let mut writer = ExampleWriter::new(Room { max_tensor_bytes, lease: &lease });
            let mut write = || {
                for _ in 0..examples {
                    ints(&mut writer, "age", &[-1; 20])?;
                    writer.end_example()?;
                }
                Ok::<_, Error>(())
            };
            write().map_err(|error| error.to_string())
        };
        write(1 << 20, 1).unwrap();
        assert_eq!(budget.used(), FIRST_ROOM + STRING_COST);
        let error = write(1 << 20, 10).unwrap_err();
        assert!(error.contains("they may hold together"), "{error}");
        lease.release();
        let error = write(500, 10).unwrap_err();
        assert!(error.contains("more than the limit of 500 bytes for a tensor"), "{error}");
        let mut writer = ExampleWriter::new(Room { max_tensor_bytes: 100, lease: &lease });
        let ended = (0..5).map(|_| writer.end_example().is_ok()).collect::<Vec<_>>();
        assert_eq!(ended, [true, true, true, true, false]);
    }
}
