// SPDX-License-Identifier: Apache-2.0
//! What each dtype takes as an element, and the buffer it goes to.

use std::borrow::Cow;

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};
use slipway_core::{AlignedBytes, Code, DType, Data, Error, Room, Tensor, TensorSpec, STRING_COST};
use slipway_proto::Strings;

use super::dump::dump;
use super::narrow::{BFLOAT16, HALF};
use super::number::Number;
use super::reader::{Kind, Reader};
use super::tensors::{Failure, Nesting, TakeScalar};

/// Buffers begin with so many bytes.
const FIRST_ROOM: usize = 256;

/// The elements of one input, as they are read.
pub(super) struct Scalars<'s> {
    spec: &'s TensorSpec,
    room: Room<'s>,
    bytes: AlignedBytes,
    strings: Strings,
}

/// Why a number is no element of a dtype.
enum Misfit {
    Type,
    Range { low: i32, high: i32 },
}

impl<'s> Scalars<'s> {
    pub(super) fn new(spec: &'s TensorSpec, room: Room<'s>) -> Self {
        Self { spec, room, bytes: AlignedBytes::new(64), strings: Strings::new() }
    }

    /// Reads the value at `reader`, whose shape `nesting` learns or checks.
    pub(super) fn read(
        &mut self,
        reader: &mut Reader<'_>,
        nesting: &mut Nesting,
    ) -> Result<(), Failure> {
        // One reading loop a dtype, each with its own conversion inlined.
        macro_rules! numbers {
            ($convert:expr) => {
                nesting.read(reader, &mut Numbers { scalars: self, convert: $convert })
            };
        }
        macro_rules! narrow {
            ($integer:ty) => {
                numbers!(|number: Number<'_>| {
                    let integer = number.to_integer().ok_or(Misfit::Type)?;
                    let (low, high) = (<$integer>::MIN.into(), <$integer>::MAX.into());
                    let fits = <$integer>::try_from(integer);
                    fits.map(<$integer>::to_ne_bytes).map_err(|_| Misfit::Range { low, high })
                })
            };
        }
        macro_rules! wide {
            ($integer:ty) => {
                numbers!(|number: Number<'_>| {
                    let integer = number.to_integer().ok_or(Misfit::Type)?;
                    let fits = <$integer>::try_from(integer);
                    fits.map(<$integer>::to_ne_bytes).map_err(|_| Misfit::Type)
                })
            };
        }
        match self.spec.dtype {
            DType::Float => numbers!(|number: Number<'_>| Ok(number.to_f32().to_ne_bytes())),
            DType::Double => numbers!(|number: Number<'_>| Ok(number.to_f64().to_ne_bytes())),
            DType::Half => {
                numbers!(|number: Number<'_>| Ok(HALF.nearest(number.to_f64()).to_ne_bytes()))
            }
            DType::BFloat16 => {
                numbers!(|number: Number<'_>| Ok(BFLOAT16.nearest(number.to_f64()).to_ne_bytes()))
            }
            DType::Int8 => narrow!(i8),
            DType::UInt8 => narrow!(u8),
            DType::Int16 => narrow!(i16),
            DType::UInt16 => narrow!(u16),
            DType::Int32 => wide!(i32),
            DType::UInt32 => wide!(u32),
            DType::Int64 => wide!(i64),
            DType::UInt64 => wide!(u64),
            DType::Bool => nesting.read(reader, &mut Others(self, Scalars::bool)),
            DType::String => nesting.read(reader, &mut Others(self, Scalars::string)),
            DType::Complex64
            | DType::Complex128
            | DType::QInt8
            | DType::QUInt8
            | DType::QInt16
            | DType::QUInt16
            | DType::QInt32
            | DType::Resource
            | DType::Variant => nesting.read(reader, &mut Others(self, Scalars::unsupported)),
        }
    }

    /// Elements read so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() / self.spec.dtype.size().unwrap_or(1) + self.strings.len()
    }

    /// The tensor of all that was read: `count` rows of shape `dims`, or `dims` alone.
    pub(super) fn into_tensor(self, dims: &[usize], count: Option<usize>) -> Result<Tensor, Error> {
        let shape = count.iter().chain(dims).map(|&dim| dim as i64).collect();
        let data = match self.spec.dtype.size() {
            Some(_) => Data::Owned(self.bytes),
            None => Data::Strings(self.strings),
        };
        Tensor::new(self.spec.dtype, shape, data)
    }

    fn bool(&mut self, reader: &mut Reader<'_>) -> Result<(), Failure> {
        match reader.kind() {
            Kind::True => reader.word("true")?,
            Kind::False => {
                reader.word("false")?;
                return self.push(&[0]);
            }
            _ => return Err(self.wrong_type(reader)),
        }
        self.push(&[1])
    }

    fn string(&mut self, reader: &mut Reader<'_>) -> Result<(), Failure> {
        match reader.kind() {
            Kind::String => {
                let text = reader.string()?;
                self.push_string(&text.bytes())
            }
            Kind::Object => {
                let value = *reader;
                let Some((text, behind)) = reader.base64_wrapper() else {
                    reader.skip_value()?;
                    let dump = dump(value);
                    let what = "not formatted correctly for base64 data";
                    return Err(Failure::value(format!("JSON Value: {dump} {what}")));
                };
                *reader = behind;
                let decoded = decode_base64(&text.bytes())
                    .ok_or_else(|| Failure::value("Unable to base64 decode"))?;
                self.push_string(&decoded)
            }
            _ => Err(self.wrong_type(reader)),
        }
    }

    #[inline]
    fn push(&mut self, element: &[u8]) -> Result<(), Failure> {
        if element.len() > self.bytes.capacity() - self.bytes.len() {
            self.grow(element.len())?;
        }
        self.bytes.extend_from_slice(element);
        Ok(())
    }

    /// Makes room for another `size` bytes, pays for it, and takes no more than the limit.
    #[cold]
    fn grow(&mut self, size: usize) -> Result<(), Failure> {
        let needed = self.bytes.len() + size;
        let limit = self.room.max_tensor_bytes;
        if needed > limit {
            return Err(self.over_limit());
        }
        let wanted = self.bytes.capacity().saturating_mul(2).max(FIRST_ROOM);
        let capacity = wanted.min(limit).max(needed);
        self.room.lease.take(capacity - self.bytes.capacity()).map_err(Failure::Limit)?;
        self.bytes.reserve_exact(capacity - self.bytes.len());
        Ok(())
    }

    fn push_string(&mut self, string: &[u8]) -> Result<(), Failure> {
        let cost = (self.strings.len() + 1) * STRING_COST;
        if self.strings.byte_len() + string.len() + cost > self.room.max_tensor_bytes {
            return Err(self.over_limit());
        }
        self.room.lease.take(string.len() + STRING_COST).map_err(Failure::Limit)?;
        self.strings.push(string);
        Ok(())
    }

    #[cold]
    fn over_limit(&self) -> Failure {
        let message = format!(
            "input \"{}\" takes more than the limit of {} bytes for a tensor",
            self.spec.alias, self.room.max_tensor_bytes
        );
        Failure::Limit(Error::new(Code::ResourceExhausted, message))
    }

    #[cold]
    fn wrong_type(&self, reader: &mut Reader<'_>) -> Failure {
        let value = *reader;
        match reader.skip_value() {
            Ok(()) => self.misfit(value, Misfit::Type),
            Err(error) => error.into(),
        }
    }

    #[cold]
    fn misfit(&self, value: Reader<'_>, misfit: Misfit) -> Failure {
        let (dump, kind, dtype) = (dump(value), value.kind().name(), self.spec.dtype);
        let message = format!("JSON Value: {dump} Type: {kind} is not of expected type: {dtype}");
        Failure::value(match misfit {
            Misfit::Type => message,
            Misfit::Range { low, high } => {
                let alias = &self.spec.alias;
                format!("{message}: input \"{alias}\" takes {low} to {high}")
            }
        })
    }

    fn unsupported(&mut self, reader: &mut Reader<'_>) -> Result<(), Failure> {
        if reader.kind() == Kind::Object {
            return Err(self.wrong_type(reader));
        }
        let value = *reader;
        reader.skip_value()?;
        let message =
            format!("Conversion of JSON Value: {} to type: {}", dump(value), self.spec.dtype);
        Err(Failure::Value(Error::unimplemented(message)))
    }
}

/// Takes numbers, which become the bytes that `convert` makes of them.
struct Numbers<'a, 's, C> {
    scalars: &'a mut Scalars<'s>,
    convert: C,
}

impl<const N: usize, C> TakeScalar for Numbers<'_, '_, C>
where
    C: Fn(Number<'_>) -> Result<[u8; N], Misfit>,
{
    #[inline(always)]
    fn take(&mut self, reader: &mut Reader<'_>) -> Result<(), Failure> {
        if reader.kind() != Kind::Number {
            return Err(self.scalars.wrong_type(reader));
        }
        let offset = reader.offset();
        match (self.convert)(reader.number()?) {
            Ok(element) => self.scalars.push(&element),
            Err(misfit) => Err(self.scalars.misfit(reader.back_at(offset), misfit)),
        }
    }
}

/// Takes what is no number.
struct Others<'a, 's>(
    &'a mut Scalars<'s>,
    fn(&mut Scalars<'s>, &mut Reader<'_>) -> Result<(), Failure>,
);

impl TakeScalar for Others<'_, '_> {
    fn take(&mut self, reader: &mut Reader<'_>) -> Result<(), Failure> {
        (self.1)(self.0, reader)
    }
}

/// Padding is looked at beforehand; bits that the last character has in excess are ignored.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes base64 as Abseil does: blanks are skipped, padding is whole or absent, and `.` pads too.
pub(super) fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0B;
    let text = if text.iter().any(is_blank) {
        Cow::Owned(text.iter().copied().filter(|byte| !is_blank(byte)).collect())
    } else {
        Cow::Borrowed(text)
    };
    let is_padding = |&byte: &u8| byte == b'=' || byte == b'.';
    let padding = text.iter().rev().take_while(|byte| is_padding(byte)).count();
    if padding > 2 || (padding > 0 && text.len() % 4 != 0) {
        return None;
    }
    BASE64.decode(&text[..text.len() - padding]).ok()
}

#[cfg(test)]
mod tests {
    use slipway_core::Lease;

    use super::*;

    fn spec(dtype: DType) -> TensorSpec {
        TensorSpec { alias: "x".into(), tensor_name: "x:0".into(), dtype, shape: None }
    }

    fn read(dtype: DType, limit: usize, body: &str) -> Result<Tensor, Failure> {
        let spec = spec(dtype);
        let lease = Lease::unlimited();
        let room = Room { max_tensor_bytes: limit, lease: &lease };
        let mut scalars = Scalars::new(&spec, room);
        let mut reader = Reader::new(body.as_bytes(), 64).unwrap();
        scalars.read(&mut reader, &mut Nesting::default())?;
        let count = scalars.len();
        Ok(scalars.into_tensor(&[count], None).unwrap())
    }

    fn bytes(dtype: DType, body: &str) -> Vec<u8> {
        read(dtype, 1 << 20, body).unwrap().bytes().unwrap().to_vec()
    }

    fn error(dtype: DType, body: &str) -> String {
        match read(dtype, 1 << 20, body).unwrap_err() {
            Failure::Value(error) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_dtype_takes_its_numbers() {
        assert_eq!(bytes(DType::Int8, "[-128,127]"), [0x80, 0x7F]);
        assert_eq!(bytes(DType::UInt8, "[0,255]"), [0, 0xFF]);
        assert_eq!(bytes(DType::Int16, "[-32768]"), i16::MIN.to_ne_bytes());
        assert_eq!(bytes(DType::UInt16, "[65535]"), u16::MAX.to_ne_bytes());
        assert_eq!(bytes(DType::Int32, "[-2147483648]"), i32::MIN.to_ne_bytes());
        assert_eq!(bytes(DType::UInt32, "[4294967295]"), u32::MAX.to_ne_bytes());
        assert_eq!(bytes(DType::Int64, "[-9223372036854775808]"), i64::MIN.to_ne_bytes());
        assert_eq!(bytes(DType::UInt64, "[18446744073709551615]"), u64::MAX.to_ne_bytes());
        assert_eq!(bytes(DType::Float, "[1]"), 1f32.to_ne_bytes());
        assert_eq!(bytes(DType::Double, "[0.1]"), 0.1f64.to_ne_bytes());
        assert_eq!(bytes(DType::Half, "[1.5]"), 0x3E00u16.to_ne_bytes());
        assert_eq!(bytes(DType::BFloat16, "[-1.5]"), 0xBFC0u16.to_ne_bytes());
        assert_eq!(bytes(DType::Bool, "[true,false]"), [1, 0]);
    }

    #[test]
    fn what_a_dtype_does_not_take_is_shown_with_its_type() {
        for (dtype, body, value, kind) in [
            (DType::Int32, "[1.0]", "1.0", "Number"),
            (DType::Int32, "[2147483648]", "2147483648", "Number"),
            (DType::UInt32, "[-1]", "-1", "Number"),
            (DType::UInt64, "[-1]", "-1", "Number"),
            (DType::Int64, "[9223372036854775808]", "9223372036854775808", "Number"),
            (DType::Int32, "[NaN]", "NaN", "Number"),
            (DType::UInt8, "[1e2]", "100.0", "Number"),
            (DType::Float, "[\"x\"]", "\"x\"", "String"),
            (DType::Float, "[null]", "null", "Null"),
            (DType::Float, "[{\"b64\":\"\"}]", "{\n    \"b64\": \"\"\n}", "Object"),
            (DType::Bool, "[1]", "1", "Number"),
            (DType::String, "[1]", "1", "Number"),
            (DType::String, "[true]", "true", "True"),
            (DType::Complex64, "[{}]", "{}", "Object"),
        ] {
            let expected = format!(
                "INVALID_ARGUMENT: JSON Value: {value} Type: {kind} is not of expected type: \
                 {dtype}"
            );
            assert_eq!(error(dtype, body), expected);
        }
    }

    #[test]
    fn a_narrow_integer_out_of_range_is_refused_with_the_range() {
        for (dtype, body, range) in [
            (DType::UInt8, "300", "0 to 255"),
            (DType::UInt8, "-1", "0 to 255"),
            (DType::Int8, "128", "-128 to 127"),
            (DType::Int16, "99999999999", "-32768 to 32767"),
            (DType::UInt16, "65536", "0 to 65535"),
        ] {
            let expected = format!(
                "INVALID_ARGUMENT: JSON Value: {body} Type: Number is not of expected type: \
                 {dtype}: input \"x\" takes {range}"
            );
            assert_eq!(error(dtype, &format!("[{body}]")), expected);
        }
    }

    #[test]
    fn a_dtype_without_a_form_in_json_is_unimplemented() {
        assert_eq!(
            error(DType::Complex64, "[1]"),
            "UNIMPLEMENTED: Conversion of JSON Value: 1 to type: complex64"
        );
        assert!(bytes(DType::Complex64, "[]").is_empty());
    }

    #[test]
    fn strings_are_texts_or_base64() {
        let tensor = read(DType::String, 1000, r#"["a\u0000","",{"b64":"aGVsbG8="}]"#).unwrap();
        let strings: Vec<&[u8]> = tensor.strings().unwrap().iter().collect();
        assert_eq!(strings, [&b"a\0"[..], b"", b"hello"]);
        assert_eq!(
            error(DType::String, r#"{"b64":"a"}"#),
            "INVALID_ARGUMENT: Unable to base64 decode"
        );
        assert_eq!(
            error(DType::String, r#"{"b64":1}"#),
            "INVALID_ARGUMENT: JSON Value: {\n    \"b64\": 1\n} not formatted correctly for \
             base64 data"
        );
    }

    #[test]
    fn base64_is_decoded_as_abseil_does() {
        for (text, expected) in [
            ("", Some(&b""[..])),
            ("aGVsbG8=", Some(b"hello")),
            ("aGVsbG8", Some(b"hello")),
            ("aGVsbG8.", Some(b"hello")),
            (" aG Vs\nbG8 = ", Some(b"hello")),
            ("aA==", Some(b"h")),
            ("aB==", Some(b"h")),
            ("aA=", None),
            ("aA===", None),
            ("a", None),
            ("a===", None),
            ("====", None),
            ("aGVs=", None),
            ("aGVsbG8=aGVs", None),
            ("-_-_", None),
        ] {
            assert_eq!(decode_base64(text.as_bytes()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_tensor_grows_up_to_the_limit_and_not_beyond() {
        let list = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        assert!(read(DType::Float, 4000, &list(1000)).is_ok());
        let failure = read(DType::Float, 3999, &list(1000)).unwrap_err();
        let Failure::Limit(error) = failure else { panic!("{failure:?}") };
        assert_eq!(
            error.to_string(),
            "RESOURCE_EXHAUSTED: input \"x\" takes more than the limit of 3999 bytes for a tensor"
        );
        assert!(matches!(read(DType::String, 27, "[\"abcd\"]"), Err(Failure::Limit(_))));
    }
}
