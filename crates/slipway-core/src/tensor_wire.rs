// SPDX-License-Identifier: Apache-2.0
//! Between `TensorProto` messages and tensors, by the rules of TensorFlow's `Tensor::FromProto`.

use bytes::{Buf, Bytes};
use prost::encoding::{decode_varint, encode_varint};
use prost::Message;
use slipway_proto::tensorflow::tensor_shape_proto::Dim;
use slipway_proto::tensorflow::TensorShapeProto;
use slipway_proto::{Strings, TensorProto};

use crate::budget::STRING_COST;
use crate::{element_count, AlignedBytes, Code, DType, Data, Error, Result, Room, Tensor};

/// TensorFlow's bound on the rank of a shape.
const MAX_RANK: usize = 254;

/// Reads the tensor that a message holds for the input `alias`, where there is `room` for it.
///
/// A short list repeats its last value, an empty one means zeros, `tensor_content` wins over lists.
///
/// # Errors
/// INVALID_ARGUMENT `tensor parsing error: <alias>` and the reason: no such dtype, a shape that is
/// none, more values than the shape has, a narrow integer that does not fit its dtype.
/// RESOURCE_EXHAUSTED without room, before memory is taken.
pub fn tensor_from_wire(alias: &str, proto: &TensorProto, room: Room<'_>) -> Result<Tensor> {
    let reader = Reader { proto, room };
    reader.read().map_err(|error| {
        let message = format!("tensor parsing error: {alias}: {}", error.message);
        Error::new(error.code, message)
    })
}

/// The bytes that reading a message comes to: those it has, or those its shape asks for.
pub fn wire_work(proto: &TensorProto) -> usize {
    let shape: Vec<i64> = proto.tensor_shape.iter().flat_map(dims).collect();
    let size = DType::from_number(proto.dtype).and_then(DType::size).unwrap_or(STRING_COST);
    let asked = element_count(&shape).map_or(0, |count| count.saturating_mul(size));
    asked.max(proto.encoded_len())
}

/// The dims of a shape, of which there are not many more than allowed.
fn dims(shape: &TensorShapeProto) -> impl Iterator<Item = i64> + '_ {
    shape.dim.iter().take(MAX_RANK + 1).map(|dim| dim.size)
}

struct Reader<'a> {
    proto: &'a TensorProto,
    room: Room<'a>,
}

impl Reader<'_> {
    fn read(&self) -> Result<Tensor> {
        let dtype = DType::from_number(self.proto.dtype)
            .filter(|dtype| dtype.size().is_some() || *dtype == DType::String)
            .ok_or_else(|| {
                Error::invalid_argument(format!("unsupported dtype number {}", self.proto.dtype))
            })?;
        let shape: Vec<i64> = self.proto.tensor_shape.iter().flat_map(dims).collect();
        if shape.len() > MAX_RANK {
            return Err(Error::invalid_argument(format!("more than {MAX_RANK} dims")));
        }
        let count = element_count(&shape)?;
        let data = match dtype.size() {
            Some(_) if count == 0 => Data::Owned(AlignedBytes::new(64)),
            None if count == 0 => Data::Strings(Strings::default()),
            Some(size) => self.elements(dtype, size, count)?,
            None => Data::Strings(self.strings(count)?),
        };
        Tensor::new(dtype, shape, data)
    }

    fn elements(&self, dtype: DType, size: usize, count: usize) -> Result<Data> {
        let bytes = self.fits(count, count.checked_mul(size))?;
        let content = &self.proto.tensor_content;
        if !content.is_empty() {
            if content.len() != bytes {
                return Err(Error::invalid_argument(format!(
                    "tensor_content has {} bytes, {count} {dtype} elements take {bytes}",
                    content.len()
                )));
            }
            // A byte other than 0 and 1 is no bool to the kernels.
            if dtype == DType::Bool && content.iter().any(|&byte| byte > 1) {
                return Err(Error::invalid_argument("a bool in tensor_content is neither 0 nor 1"));
            }
            // The runtime gets a copy in memory of its own.
            self.room.lease.take(bytes)?;
            return Ok(Data::Shared(content.clone()));
        }
        match dtype {
            DType::Float => self.fixed(TensorProto::FLOAT_VAL, size, count),
            DType::Double => self.fixed(TensorProto::DOUBLE_VAL, size, count),
            DType::Complex64 => self.fixed(TensorProto::SCOMPLEX_VAL, size, count),
            DType::Complex128 => self.fixed(TensorProto::DCOMPLEX_VAL, size, count),
            DType::Int8 | DType::QInt8 => self.narrow::<i8, 1>(dtype, TensorProto::INT_VAL, count),
            DType::UInt8 | DType::QUInt8 => {
                self.narrow::<u8, 1>(dtype, TensorProto::INT_VAL, count)
            }
            DType::Int16 | DType::QInt16 => {
                self.narrow::<i16, 2>(dtype, TensorProto::INT_VAL, count)
            }
            DType::UInt16 | DType::QUInt16 => {
                self.narrow::<u16, 2>(dtype, TensorProto::INT_VAL, count)
            }
            DType::Half | DType::BFloat16 => {
                self.narrow::<u16, 2>(dtype, TensorProto::HALF_VAL, count)
            }
            DType::Int32 | DType::QInt32 => {
                self.varints(TensorProto::INT_VAL, count, |value| Ok((value as i32).to_le_bytes()))
            }
            DType::UInt32 => self
                .varints(TensorProto::UINT32_VAL, count, |value| Ok((value as u32).to_le_bytes())),
            DType::Int64 => {
                self.varints(TensorProto::INT64_VAL, count, |value| Ok(value.to_le_bytes()))
            }
            DType::UInt64 => {
                self.varints(TensorProto::UINT64_VAL, count, |value| Ok(value.to_le_bytes()))
            }
            DType::Bool => {
                self.varints(TensorProto::BOOL_VAL, count, |value| Ok([u8::from(value != 0)]))
            }
            DType::String | DType::Resource | DType::Variant => {
                Err(Error::internal(format!("{dtype} elements have no fixed size")))
            }
        }
    }

    /// A list of fixed-width values: its payload is the tensor's memory already.
    fn fixed(&self, field: u32, size: usize, count: usize) -> Result<Data> {
        let payload = self.payload(field);
        // Complex numbers are pairs: half of one is malformed.
        if payload.len() % size != 0 {
            return Err(Error::invalid_argument("a value is incomplete"));
        }
        self.not_too_many(payload.len() / size, count)?;
        self.room.lease.take(count * size)?;
        if payload.len() == count * size {
            return Ok(Data::Shared(self.proto.list(field).cloned().unwrap_or_default()));
        }
        let mut bytes = AlignedBytes::with_capacity(64, count * size);
        bytes.extend_from_slice(payload);
        repeat_last(&mut bytes, size, count);
        Ok(Data::Owned(bytes))
    }

    /// A list of varints whose values must fit `T`, the integer in which `dtype` is kept.
    fn narrow<T, const N: usize>(&self, dtype: DType, field: u32, count: usize) -> Result<Data>
    where
        T: TryFrom<i32> + ToLe<N>,
    {
        self.varints(field, count, |value| {
            // int32 fields hold the low 32 bits, as any protobuf reader takes them.
            let value = value as i32;
            T::try_from(value)
                .map(ToLe::to_le)
                .map_err(|_| Error::invalid_argument(format!("value {value} does not fit {dtype}")))
        })
    }

    fn payload(&self, field: u32) -> &[u8] {
        self.proto.list(field).map_or(&[], |payload| payload)
    }

    fn varints<const N: usize>(
        &self,
        field: u32,
        count: usize,
        convert: impl Fn(u64) -> Result<[u8; N]>,
    ) -> Result<Data> {
        let mut payload: &[u8] = self.payload(field);
        self.room.lease.take(count * N)?;
        let mut bytes = AlignedBytes::with_capacity(64, count * N);
        let mut found = 0;
        while payload.has_remaining() {
            let value = decode_varint(&mut payload)
                .map_err(|_| Error::invalid_argument("a value is no varint"))?;
            found += 1;
            if found <= count {
                bytes.extend_from_slice(&convert(value)?);
            }
        }
        self.not_too_many(found, count)?;
        repeat_last(&mut bytes, N, count);
        Ok(Data::Owned(bytes))
    }

    fn strings(&self, count: usize) -> Result<Strings> {
        let content = &self.proto.tensor_content;
        let overhead = self.fits(count, count.checked_mul(STRING_COST))?;
        self.room.lease.take(overhead)?;
        if !content.is_empty() {
            return strings_from_content(content, count);
        }
        let given = &self.proto.strings;
        self.not_too_many(given.len(), count)?;
        if given.len() == count {
            return Ok(given.clone());
        }
        let last: &[u8] = given.iter().next_back().unwrap_or_default();
        let added = (count - given.len()).saturating_mul(last.len());
        let bytes = given.byte_len().saturating_add(added);
        self.fits(count, overhead.checked_add(bytes))?;
        self.room.lease.take(bytes)?;
        let mut strings = Strings::with_capacity(count, bytes);
        given.iter().for_each(|value| strings.push(value));
        while strings.len() < count {
            strings.push(last);
        }
        Ok(strings)
    }

    fn not_too_many(&self, found: usize, count: usize) -> Result<()> {
        if found > count {
            return Err(Error::invalid_argument(format!(
                "{found} values were given for a shape of {count} elements"
            )));
        }
        Ok(())
    }

    /// The `bytes` of `count` elements, when a tensor may be that large.
    fn fits(&self, count: usize, bytes: Option<usize>) -> Result<usize> {
        let limit = self.room.max_tensor_bytes;
        bytes.filter(|&bytes| bytes <= limit).ok_or_else(|| {
            Error::new(
                Code::ResourceExhausted,
                format!("{count} elements are more than the limit of {limit} bytes"),
            )
        })
    }
}

/// Strings as `tensor_content` has them: all lengths as varints, then all bytes.
fn strings_from_content(content: &Bytes, count: usize) -> Result<Strings> {
    let malformed =
        || Error::invalid_argument(format!("tensor_content does not hold exactly {count} strings"));
    let mut rest: &[u8] = content;
    // Each length takes a byte at least: more strings than bytes cannot be there.
    if count > rest.len() {
        return Err(malformed());
    }
    let mut lengths = Vec::with_capacity(count);
    for _ in 0..count {
        let length = decode_varint(&mut rest).map_err(|_| malformed())?;
        lengths.push(usize::try_from(length).map_err(|_| malformed())?);
    }
    let total = lengths.iter().try_fold(0usize, |sum, &length| sum.checked_add(length));
    if total != Some(rest.len()) {
        return Err(malformed());
    }
    let mut strings = Strings::with_capacity(count, rest.len());
    for length in lengths {
        let (value, tail) = rest.split_at(length);
        strings.push(value);
        rest = tail;
    }
    Ok(strings)
}

fn repeat_last(bytes: &mut AlignedBytes, size: usize, count: usize) {
    if bytes.is_empty() {
        bytes.resize(count * size, 0);
        return;
    }
    let wanted = count * size;
    let repeated = bytes.len() - size;
    let mut filled = bytes.len();
    bytes.resize(wanted, 0);
    // From the last value on, what has been filled is copied behind itself, twice as much each time.
    while filled < wanted {
        let more = (filled - repeated).min(wanted - filled);
        bytes.copy_within(repeated..repeated + more, filled);
        filled += more;
    }
}

/// Little-endian bytes of a narrow integer.
trait ToLe<const N: usize> {
    fn to_le(self) -> [u8; N];
}

macro_rules! to_le {
    ($($narrow:ty => $size:literal),*) => {
        $(impl ToLe<$size> for $narrow {
            fn to_le(self) -> [u8; $size] { self.to_le_bytes() }
        })*
    };
}

to_le!(i8 => 1, u8 => 1, i16 => 2, u16 => 2);

/// The message of a tensor: typed lists, always complete, and the shape.
pub fn tensor_to_wire(tensor: Tensor) -> TensorProto {
    let (dtype, shape, data) = tensor.into_parts();
    let dim = shape.iter().map(|&size| Dim { size, name: String::new() }).collect();
    let mut proto = TensorProto {
        dtype: dtype as i32,
        tensor_shape: Some(TensorShapeProto { dim, unknown_rank: false }),
        ..TensorProto::default()
    };
    let bytes = match data {
        Data::Strings(strings) => {
            proto.strings = strings;
            return proto;
        }
        Data::Owned(bytes) => Bytes::from_owner(bytes),
        Data::Shared(bytes) => bytes,
    };
    if bytes.is_empty() {
        return proto;
    }
    match dtype {
        DType::Float => proto.set_list(TensorProto::FLOAT_VAL, bytes),
        DType::Double => proto.set_list(TensorProto::DOUBLE_VAL, bytes),
        DType::Complex64 => proto.set_list(TensorProto::SCOMPLEX_VAL, bytes),
        DType::Complex128 => proto.set_list(TensorProto::DCOMPLEX_VAL, bytes),
        // A bool is one byte, 0 or 1, in memory as on the wire.
        DType::Bool => proto.set_list(TensorProto::BOOL_VAL, bytes),
        DType::Int8 | DType::QInt8 => proto.set_list(
            TensorProto::INT_VAL,
            packed(&bytes, |value: [u8; 1]| i64::from(i8::from_le_bytes(value)) as u64),
        ),
        DType::UInt8 | DType::QUInt8 => {
            proto.set_list(
                TensorProto::INT_VAL,
                packed(&bytes, |value: [u8; 1]| u64::from(value[0])),
            );
        }
        DType::Int16 | DType::QInt16 => proto.set_list(
            TensorProto::INT_VAL,
            packed(&bytes, |value| i64::from(i16::from_le_bytes(value)) as u64),
        ),
        DType::UInt16 | DType::QUInt16 => {
            proto.set_list(
                TensorProto::INT_VAL,
                packed(&bytes, |value| u16::from_le_bytes(value).into()),
            );
        }
        DType::Half | DType::BFloat16 => {
            proto.set_list(
                TensorProto::HALF_VAL,
                packed(&bytes, |value| u16::from_le_bytes(value).into()),
            );
        }
        DType::Int32 | DType::QInt32 => proto.set_list(
            TensorProto::INT_VAL,
            packed(&bytes, |value| i64::from(i32::from_le_bytes(value)) as u64),
        ),
        DType::UInt32 => {
            proto.set_list(
                TensorProto::UINT32_VAL,
                packed(&bytes, |value| u32::from_le_bytes(value).into()),
            );
        }
        DType::Int64 => proto.set_list(TensorProto::INT64_VAL, packed(&bytes, u64::from_le_bytes)),
        DType::UInt64 => {
            proto.set_list(TensorProto::UINT64_VAL, packed(&bytes, u64::from_le_bytes))
        }
        // Their data is never fixed-size: `Tensor::new` refuses it.
        DType::String | DType::Resource | DType::Variant => {}
    }
    proto
}

/// The packed payload of a varint list.
fn packed<const N: usize>(bytes: &[u8], widen: impl Fn([u8; N]) -> u64) -> Bytes {
    let mut payload = Vec::with_capacity(bytes.len());
    for element in bytes.chunks_exact(N) {
        let mut raw = [0; N];
        raw.copy_from_slice(element);
        encode_varint(widen(raw), &mut payload);
    }
    payload.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Budget, Lease};

    const LIMIT: usize = 1 << 20;

    fn proto(dtype: DType, shape: &[i64]) -> TensorProto {
        let dim = shape.iter().map(|&size| Dim { size, name: String::new() }).collect();
        TensorProto {
            dtype: dtype as i32,
            tensor_shape: Some(TensorShapeProto { dim, unknown_rank: false }),
            ..TensorProto::default()
        }
    }

    fn with_ints(dtype: DType, shape: &[i64], values: &[i64]) -> TensorProto {
        let mut proto = proto(dtype, shape);
        let mut payload = Vec::new();
        values.iter().for_each(|&value| encode_varint(value as u64, &mut payload));
        proto.set_list(TensorProto::INT_VAL, payload);
        proto
    }

    fn read(proto: &TensorProto) -> Result<Tensor> {
        let lease = Lease::unlimited();
        tensor_from_wire("x", proto, Room { max_tensor_bytes: LIMIT, lease: &lease })
    }

    #[test]
    fn a_short_list_repeats_its_last_value() {
        let tensor = read(&with_ints(DType::Int32, &[2, 2], &[-1, 7])).unwrap();
        assert_eq!(tensor.elements::<i32>().unwrap().collect::<Vec<_>>(), [-1, 7, 7, 7]);
    }

    #[test]
    fn no_values_mean_zeros() {
        let tensor = read(&proto(DType::Float, &[3])).unwrap();
        assert_eq!(tensor.elements::<f32>().unwrap().collect::<Vec<_>>(), [0.0; 3]);
        let tensor = read(&proto(DType::String, &[2])).unwrap();
        assert_eq!(tensor.strings().unwrap().iter().collect::<Vec<_>>(), [b"", b""]);
    }

    #[test]
    fn surplus_and_oversized_values_are_refused_by_name() {
        let error = read(&with_ints(DType::Int32, &[1], &[1, 2])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "INVALID_ARGUMENT: tensor parsing error: x: 2 values were given for a shape of 1 \
             elements"
        );
        let error = read(&with_ints(DType::UInt8, &[1], &[300])).unwrap_err();
        assert!(error.message.ends_with("value 300 does not fit uint8"), "{error}");
    }

    #[test]
    fn a_broadcast_over_the_limit_is_refused_before_memory_is_taken() {
        let huge = with_ints(DType::Int32, &[1 << 40], &[1]);
        assert_eq!(read(&huge).unwrap_err().code, Code::ResourceExhausted);
        let mut strings = proto(DType::String, &[1 << 30]);
        strings.strings.push(b"again");
        assert_eq!(read(&strings).unwrap_err().code, Code::ResourceExhausted);
    }

    #[test]
    fn a_broadcast_is_paid_for_before_memory_is_taken() {
        let budget = Budget::new(1000);
        let lease = budget.lease();
        let room = Room { max_tensor_bytes: LIMIT, lease: &lease };
        tensor_from_wire("x", &with_ints(DType::Int32, &[200], &[1]), room).unwrap();
        assert_eq!(budget.used(), 800);
        let error = tensor_from_wire("x", &with_ints(DType::Int32, &[51], &[1]), room).unwrap_err();
        assert_eq!(error.code, Code::ResourceExhausted);
        let mut strings = proto(DType::String, &[100]);
        strings.strings.push(b"again");
        assert!(tensor_from_wire("x", &strings, room).is_err());
    }

    #[test]
    fn content_must_be_as_long_as_the_shape_says() {
        let mut short = proto(DType::Float, &[2]);
        short.tensor_content = Bytes::from_static(&[0; 7]);
        assert!(read(&short).is_err());
        short.tensor_content = Bytes::from_static(&[0; 8]);
        assert!(read(&short).is_ok());
    }

    #[test]
    fn content_of_strings_is_lengths_then_bytes() {
        let mut strings = proto(DType::String, &[2]);
        strings.tensor_content = Bytes::from_static(b"\x02\x00hi");
        let tensor = read(&strings).unwrap();
        assert_eq!(tensor.strings().unwrap().iter().collect::<Vec<_>>(), [&b"hi"[..], b""]);
        strings.tensor_content = Bytes::from_static(b"\x02\x00hi!");
        assert!(read(&strings).is_err());
        strings.tensor_content = Bytes::from_static(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
        assert!(read(&strings).is_err());
    }

    #[test]
    fn a_shape_that_is_none_is_refused() {
        assert!(read(&proto(DType::Float, &[-1])).is_err());
        assert!(read(&proto(DType::Float, &[i64::MAX, i64::MAX])).is_err());
        assert!(read(&proto(DType::Float, &[1; 255])).is_err());
        assert!(read(&TensorProto::default()).is_err());
    }

    #[test]
    fn every_fixed_size_dtype_survives_the_wire() {
        let bits: Vec<u8> = (0..32).map(|byte| byte * 5).collect();
        for number in 1..24 {
            let Some(dtype) = DType::from_number(number) else { continue };
            let Some(size) = dtype.size() else { continue };
            let bits = if dtype == DType::Bool { vec![0, 1, 1, 0] } else { bits.clone() };
            let shape = vec![(bits.len() / size) as i64];
            let data = Data::Owned(AlignedBytes::from_slice(64, &bits));
            let tensor = Tensor::new(dtype, shape.clone(), data).unwrap();
            let back = read(&tensor_to_wire(tensor)).unwrap();
            assert_eq!((back.dtype(), back.shape()), (dtype, &shape[..]));
            assert_eq!(back.bytes().unwrap(), bits, "{dtype}");
        }
    }
}
