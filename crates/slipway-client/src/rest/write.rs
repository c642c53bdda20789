// SPDX-License-Identifier: Apache-2.0
//! Bodies of Predict, by column.

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use bytemuck::Pod;
use slipway_core::narrow::{Format, BFLOAT16, HALF};
use slipway_core::number_text::{push_float, push_integer};
use slipway_core::{DType, Error, Result, Tensor};
use slipway_proto::Strings;

use crate::model::Predict;

/// # Errors
/// UNIMPLEMENTED, with the input's name, for dtypes that JSON cannot carry.
pub(super) fn predict_body(predict: &Predict) -> Result<Vec<u8>> {
    let bytes: usize = predict.inputs.iter().map(|(_, tensor)| tensor.byte_len()).sum();
    let mut out = Vec::with_capacity(128 + 3 * bytes);
    out.push(b'{');
    if !predict.signature.is_empty() {
        out.extend_from_slice(b"\"signature_name\":");
        push_text(&mut out, &predict.signature);
        out.push(b',');
    }
    out.extend_from_slice(b"\"inputs\":{");
    for (index, (alias, tensor)) in predict.inputs.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_text(&mut out, alias);
        out.push(b':');
        push_tensor(&mut out, alias, tensor)?;
    }
    out.extend_from_slice(b"}}");
    Ok(out)
}

fn push_tensor(out: &mut Vec<u8>, alias: &str, tensor: &Tensor) -> Result<()> {
    if let Some(strings) = tensor.strings() {
        push_nested(out, tensor.shape(), &mut 0, &mut |out, index| {
            push_bytes(out, string(strings, index));
        });
        return Ok(());
    }
    match tensor.dtype() {
        DType::Float => push_all(out, tensor, push_float::<f32>),
        DType::Double => push_all(out, tensor, push_float::<f64>),
        DType::Half => push_all(out, tensor, push_narrow(HALF)),
        DType::BFloat16 => push_all(out, tensor, push_narrow(BFLOAT16)),
        DType::Int8 | DType::QInt8 => push_all(out, tensor, push_integer::<i8>),
        DType::Int16 | DType::QInt16 => push_all(out, tensor, push_integer::<i16>),
        DType::Int32 | DType::QInt32 => push_all(out, tensor, push_integer::<i32>),
        DType::Int64 => push_all(out, tensor, push_integer::<i64>),
        DType::UInt8 | DType::QUInt8 => push_all(out, tensor, push_integer::<u8>),
        DType::UInt16 | DType::QUInt16 => push_all(out, tensor, push_integer::<u16>),
        DType::UInt32 => push_all(out, tensor, push_integer::<u32>),
        DType::UInt64 => push_all(out, tensor, push_integer::<u64>),
        DType::Bool => push_all(out, tensor, |out, value: u8| {
            out.extend_from_slice(if value == 0 { b"false" } else { b"true" });
        }),
        dtype @ (DType::Complex64
        | DType::Complex128
        | DType::String
        | DType::Resource
        | DType::Variant) => {
            let message = format!("input \"{alias}\": {dtype} cannot travel over REST; use gRPC");
            return Err(Error::unimplemented(message));
        }
    }
    Ok(())
}

fn string(strings: &Strings, index: usize) -> &[u8] {
    strings.get(index)
}

fn push_all<T: Pod>(out: &mut Vec<u8>, tensor: &Tensor, push: impl Fn(&mut Vec<u8>, T)) {
    let size = std::mem::size_of::<T>();
    let bytes = tensor.bytes().unwrap_or_default();
    push_nested(out, tensor.shape(), &mut 0, &mut |out, index| {
        push(out, bytemuck::pod_read_unaligned(&bytes[index * size..][..size]));
    });
}

/// Lists in lists, as deep as the shape; `next` counts the elements.
fn push_nested(
    out: &mut Vec<u8>,
    shape: &[i64],
    next: &mut usize,
    push: &mut impl FnMut(&mut Vec<u8>, usize),
) {
    let Some((&size, inner)) = shape.split_first() else {
        push(out, *next);
        *next += 1;
        return;
    };
    out.push(b'[');
    for index in 0..size {
        if index > 0 {
            out.push(b',');
        }
        push_nested(out, inner, next, push);
    }
    out.push(b']');
}

fn push_narrow(format: Format) -> impl Fn(&mut Vec<u8>, u16) {
    move |out, bits| push_float(out, format.value(bits))
}

/// Text where the bytes are some, base64 in the form of the API where they are not.
fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => push_text(out, text),
        Err(_) => {
            out.extend_from_slice(b"{\"b64\":\"");
            out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
            out.extend_from_slice(b"\"}");
        }
    }
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for &byte in text.as_bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x00..=0x1F => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use slipway_core::{Code, Data, VersionChoice};

    use super::*;
    use crate::model::ModelRef;

    fn body(signature: &str, inputs: Vec<(&str, Tensor)>) -> Result<String> {
        let predict = Predict {
            model: ModelRef { name: "m".to_owned(), choice: VersionChoice::Latest },
            signature: signature.to_owned(),
            inputs: inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            outputs: vec![],
        };
        predict_body(&predict).map(|body| String::from_utf8(body).unwrap())
    }

    #[test]
    fn columns_are_nested_lists() {
        let matrix = Tensor::from_slice(vec![2, 2], &[1.0f32, 0.1, f32::NAN, f32::NEG_INFINITY]);
        let scalar = Tensor::from_slice(vec![], &[u64::MAX]);
        let empty = Tensor::from_slice::<i32>(vec![2, 0], &[]);
        let inputs = vec![("a", matrix.unwrap()), ("b", scalar.unwrap()), ("c", empty.unwrap())];
        assert_eq!(
            body("s", inputs).unwrap(),
            r#"{"signature_name":"s","inputs":{"a":[[1.0,0.1],[NaN,-Infinity]],"b":18446744073709551615,"c":[[],[]]}}"#
        );
    }

    #[test]
    fn strings_are_text_when_they_can_be() {
        let strings = Strings::from_iter([&b"\xe5\xa5\xbd\"\n"[..], b"\xff", b""]);
        let tensor = Tensor::from_strings(vec![3], strings).unwrap();
        assert_eq!(
            body("", vec![("a\"", tensor)]).unwrap(),
            "{\"inputs\":{\"a\\\"\":[\"好\\\"\\u000a\",{\"b64\":\"/w==\"},\"\"]}}"
        );
    }

    #[test]
    fn narrow_floats_and_bools_have_their_own_forms() {
        let shared = |dtype, bytes: &'static [u8]| {
            Tensor::new(dtype, vec![2], Data::Shared(bytes.into())).unwrap()
        };
        let half = shared(DType::Half, &[0x00, 0x3e, 0x00, 0xfc]);
        let bools = shared(DType::Bool, &[0, 1]);
        assert_eq!(
            body("", vec![("a", half), ("b", bools)]).unwrap(),
            r#"{"inputs":{"a":[1.5,-Infinity],"b":[false,true]}}"#
        );
    }

    #[test]
    fn complex_numbers_are_refused_with_the_input_and_a_way_out() {
        let bytes = Data::Shared((&[0; 8][..]).into());
        let complex = Tensor::new(DType::Complex64, vec![1], bytes).unwrap();
        let error = body("", vec![("z", complex)]).unwrap_err();
        assert_eq!(error.code, Code::Unimplemented);
        assert_eq!(error.message, "input \"z\": complex64 cannot travel over REST; use gRPC");
    }
}
