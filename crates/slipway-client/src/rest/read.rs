// SPDX-License-Identifier: Apache-2.0
//! Answers: tensors of the dtypes that the model declares, metadata, statuses, errors.

use std::collections::BTreeMap;

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use slipway_core::narrow::{Format, BFLOAT16, HALF};
use slipway_core::{element_count, AlignedBytes, Code, DType, Data, State, Tensor, VersionStatus};
use slipway_proto::tensorflow::DataType;
use slipway_proto::Strings;

use super::json::Value;
use crate::model::{Metadata, SignatureInfo, TensorInfo};

/// What is wrong with an answer.
pub(super) type Fault = String;

/// The outputs of a Predict by column, as `signature` declares them.
pub(super) fn outputs(
    answer: &Value<'_>,
    signature: &SignatureInfo,
) -> Result<Vec<(String, Tensor)>, Fault> {
    let outputs = answer.get("outputs").ok_or("it has no outputs")?;
    let declared = &signature.outputs;
    let read = |alias: &String, info: &TensorInfo, value: &Value<'_>| {
        let tensor = tensor(value, info).map_err(|fault| format!("output \"{alias}\": {fault}"))?;
        Ok((alias.clone(), tensor))
    };
    // A single output comes without its name.
    if let (1, Some((alias, info))) = (declared.len(), declared.iter().next()) {
        return Ok(vec![read(alias, info, outputs)?]);
    }
    let Value::Map(members) = outputs else { return Err("its outputs have no names".to_owned()) };
    if members.len() != declared.len() {
        return Err(format!("it has {} outputs of {}", members.len(), declared.len()));
    }
    let found = declared.iter().map(|(alias, info)| {
        let value = outputs.get(alias).ok_or_else(|| format!("output \"{alias}\" is missing"))?;
        read(alias, info, value)
    });
    found.collect()
}

fn tensor(value: &Value<'_>, info: &TensorInfo) -> Result<Tensor, Fault> {
    let dtype = DType::from_declaration(info.dtype)
        .filter(|dtype| dtype.size().is_some() || *dtype == DType::String)
        .ok_or("its dtype cannot be read from JSON")?;
    let mut shape = Vec::new();
    let mut first = Some(value);
    while let Some(Value::List(values)) = first {
        shape.push(values.len() as i64);
        first = values.first();
    }
    let rank = shape.len();
    if let (Some(0), Some(declared)) = (shape.last(), &info.shape) {
        // An empty list says nothing of the dims behind it.
        shape.extend(declared.iter().skip(rank).map(|&size| size.max(0)));
    }
    let count = element_count(&shape).map_err(|error| error.message)?;
    let mut elements = Elements::of(dtype, count)?;
    collect(value, &shape[..rank], &mut elements)?;
    let data = match elements {
        Elements::Numbers { bytes, .. } => Data::Owned(bytes),
        Elements::Strings(strings) => Data::Strings(strings),
    };
    Tensor::new(dtype, shape, data).map_err(|error| error.message)
}

/// Takes in the elements below `value`, whose nesting is that of its first ones.
fn collect(value: &Value<'_>, shape: &[i64], elements: &mut Elements) -> Result<(), Fault> {
    match (shape.split_first(), value) {
        (Some((&size, inner)), Value::List(values)) if values.len() as i64 == size => {
            values.iter().try_for_each(|value| collect(value, inner, elements))
        }
        (None, value) => elements.push(value).ok_or_else(|| format!("{value:?} is no element")),
        _ => Err("its lists differ in length".to_owned()),
    }
}

/// The elements of a tensor that is being read.
enum Elements {
    Numbers { bytes: AlignedBytes, push: Push },
    Strings(Strings),
}

/// Adds a value; `None` when it is none of the dtype.
type Push = fn(&mut AlignedBytes, &Value<'_>) -> Option<()>;

impl Elements {
    fn of(dtype: DType, count: usize) -> Result<Self, Fault> {
        macro_rules! numbers {
            ($rust:ty) => {
                |bytes, value| {
                    let Value::Number(text) = value else { return None };
                    bytes.extend_from_slice(&text.parse::<$rust>().ok()?.to_le_bytes());
                    Some(())
                }
            };
        }
        let push: Push = match dtype {
            DType::String => return Ok(Elements::Strings(Strings::new())),
            DType::Float => |bytes, value| {
                // By way of f64, whose reader knows numbers too large for f32.
                bytes.extend_from_slice(&(float(value)? as f32).to_le_bytes());
                Some(())
            },
            DType::Double => |bytes, value| {
                bytes.extend_from_slice(&float(value)?.to_le_bytes());
                Some(())
            },
            DType::Half => |bytes, value| narrow(bytes, value, HALF),
            DType::BFloat16 => |bytes, value| narrow(bytes, value, BFLOAT16),
            DType::Int8 | DType::QInt8 => numbers!(i8),
            DType::Int16 | DType::QInt16 => numbers!(i16),
            DType::Int32 | DType::QInt32 => numbers!(i32),
            DType::Int64 => numbers!(i64),
            DType::UInt8 | DType::QUInt8 => numbers!(u8),
            DType::UInt16 | DType::QUInt16 => numbers!(u16),
            DType::UInt32 => numbers!(u32),
            DType::UInt64 => numbers!(u64),
            DType::Bool => |bytes, value| {
                let Value::Bool(value) = value else { return None };
                bytes.push(u8::from(*value));
                Some(())
            },
            DType::Complex64 | DType::Complex128 | DType::Resource | DType::Variant => {
                return Err(format!("{dtype} cannot be read from JSON"));
            }
        };
        let size = dtype.size().unwrap_or_default();
        Ok(Elements::Numbers { bytes: AlignedBytes::with_capacity(64, count * size), push })
    }

    fn push(&mut self, value: &Value<'_>) -> Option<()> {
        match self {
            Elements::Numbers { bytes, push } => push(bytes, value),
            Elements::Strings(strings) => {
                match value.get("b64") {
                    Some(wrapped) => strings.push(&STANDARD.decode(wrapped.text()?).ok()?),
                    None => strings.push(value.text()?),
                }
                Some(())
            }
        }
    }
}

fn float(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Number(text) => text.parse().ok(),
        _ => None,
    }
}

fn narrow(bytes: &mut AlignedBytes, value: &Value<'_>, format: Format) -> Option<()> {
    bytes.extend_from_slice(&format.nearest(float(value)?).to_le_bytes());
    Some(())
}

/// The answer to a question for metadata.
pub(super) fn metadata(answer: &Value<'_>) -> Option<Metadata> {
    let spec = answer.get("model_spec");
    let member = |name| spec.and_then(|spec| spec.get(name)).and_then(Value::lossy_text);
    let signatures = answer.get("metadata")?.get("signature_def")?.get("signature_def")?;
    let Value::Map(signatures) = signatures else { return None };
    let signatures = signatures.iter().map(|(name, def)| {
        let infos = |which| infos(def.get(which)).unwrap_or_default();
        let signature = SignatureInfo {
            method_name: def.get("method_name").and_then(Value::lossy_text).unwrap_or_default(),
            inputs: infos("inputs"),
            outputs: infos("outputs"),
        };
        (String::from_utf8_lossy(name).into_owned(), signature)
    });
    Some(Metadata {
        name: member("name").unwrap_or_default(),
        version: member("version").and_then(|version| version.parse().ok()),
        signatures: signatures.collect(),
    })
}

fn infos(map: Option<&Value<'_>>) -> Option<BTreeMap<String, TensorInfo>> {
    let Some(Value::Map(members)) = map else { return None };
    let infos = members
        .iter()
        .map(|(alias, info)| (String::from_utf8_lossy(alias).into_owned(), tensor_info(info)));
    Some(infos.collect())
}

fn tensor_info(info: &Value<'_>) -> TensorInfo {
    let text = |name| info.get(name).and_then(Value::lossy_text).unwrap_or_default();
    let shape = info.get("tensor_shape");
    let unknown = shape.and_then(|shape| shape.get("unknown_rank")) == Some(&Value::Bool(true));
    let dims = |shape: &Value<'_>| match shape.get("dim") {
        Some(Value::List(dims)) => dims.iter().map(dim).collect(),
        _ => Vec::new(),
    };
    TensorInfo {
        dtype: DataType::from_str_name(&text("dtype")).unwrap_or_default() as i32,
        shape: shape.filter(|_| !unknown).map(dims),
        tensor_name: text("name"),
    }
}

/// Sizes are 64-bit numbers, which come as strings.
fn dim(dim: &Value<'_>) -> i64 {
    integer(dim.get("size")).unwrap_or(0)
}

fn integer(value: Option<&Value<'_>>) -> Option<i64> {
    match value? {
        Value::Number(text) => text.parse().ok(),
        Value::Text(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

/// The answer to a question for the status; states that nobody knows are left out.
pub(super) fn statuses(answer: &Value<'_>) -> Option<Vec<VersionStatus>> {
    let Some(Value::List(entries)) = answer.get("model_version_status") else { return None };
    let known = entries.iter().filter_map(|entry| {
        let status = entry.get("status");
        let member = |name| status.and_then(|status| status.get(name)).and_then(Value::lossy_text);
        let code = member("error_code").unwrap_or_default();
        Some(VersionStatus {
            version: integer(entry.get("version"))?,
            state: State::from_name(&entry.get("state")?.lossy_text()?)?,
            code: Code::ALL.into_iter().find(|known| known.name() == code).unwrap_or(Code::Ok),
            message: member("error_message").unwrap_or_default(),
        })
    });
    Some(known.collect())
}

/// The text of an error answer.
pub(super) fn error(body: &[u8]) -> Option<String> {
    Value::parse(body).ok()?.get("error")?.lossy_text()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(dtype: DType, shape: Option<&[i64]>) -> TensorInfo {
        TensorInfo {
            dtype: dtype as i32,
            shape: shape.map(<[i64]>::to_vec),
            tensor_name: "t:0".to_owned(),
        }
    }

    fn signature(outputs: &[(&str, TensorInfo)]) -> SignatureInfo {
        let outputs = outputs.iter().map(|(alias, info)| ((*alias).to_owned(), info.clone()));
        SignatureInfo { outputs: outputs.collect(), ..SignatureInfo::default() }
    }

    fn read(text: &str, signature: &SignatureInfo) -> Result<Vec<(String, Tensor)>, Fault> {
        outputs(&Value::parse(text.as_bytes()).unwrap(), signature)
    }

    fn single(text: &str, info: TensorInfo) -> Result<Tensor, Fault> {
        read(&format!("{{\"outputs\": {text}}}"), &signature(&[("y", info)]))
            .map(|mut outputs| outputs.remove(0).1)
    }

    #[test]
    fn numbers_get_the_declared_dtype() {
        let floats = single("[[1, 1e+10], [NaN, -Infinity]]", info(DType::Float, None)).unwrap();
        assert_eq!(floats.shape(), [2, 2]);
        let values: Vec<f32> = floats.elements().unwrap().collect();
        assert!(values[2].is_nan());
        assert_eq!((values[0], values[1], values[3]), (1.0, 1e10, f32::NEG_INFINITY));

        let large = single("[18446744073709551615]", info(DType::UInt64, None)).unwrap();
        assert_eq!(large.elements::<u64>().unwrap().next(), Some(u64::MAX));
        let half = single("1.5", info(DType::Half, None)).unwrap();
        assert_eq!((half.shape(), half.bytes()), (&[][..], Some(&[0x00, 0x3e][..])));
        let bools = single("[true, false]", info(DType::Bool, None)).unwrap();
        assert_eq!(bools.bytes(), Some(&[1, 0][..]));
    }

    #[test]
    fn strings_come_plain_or_wrapped() {
        let strings = single(r#"["好", {"b64": "/wA="}]"#, info(DType::String, None)).unwrap();
        assert_eq!(
            strings.strings().unwrap(),
            &Strings::from_iter([&b"\xe5\xa5\xbd"[..], b"\xff\0"])
        );
        let scalar = single(r#"{"b64": ""}"#, info(DType::String, None)).unwrap();
        assert_eq!(scalar.strings().unwrap(), &Strings::from_iter([""]));
    }

    #[test]
    fn an_empty_list_has_the_declared_dims_behind_it() {
        for (text, declared, shape) in [
            ("[]", Some(&[-1, 3][..]), vec![0, 3]),
            ("[[], []]", Some(&[-1, -1, 2][..]), vec![2, 0, 2]),
            ("[]", None, vec![0]),
        ] {
            let tensor = single(text, info(DType::Float, declared)).unwrap();
            assert_eq!(tensor.shape(), shape);
        }
    }

    #[test]
    fn several_outputs_come_by_name() {
        let both = signature(&[("a", info(DType::Int32, None)), ("b", info(DType::Float, None))]);
        let found = read(r#"{"outputs": {"b": [0.5], "a": 7}}"#, &both).unwrap();
        assert_eq!(found[0].0, "a");
        assert_eq!(found[0].1.elements::<i32>().unwrap().next(), Some(7));
        for (text, fault) in [
            (r#"{"outputs": {"a": 7}}"#, "it has 1 outputs of 2"),
            (r#"{"outputs": {"a": 7, "c": 1}}"#, "output \"b\" is missing"),
            (r#"{"outputs": [1]}"#, "its outputs have no names"),
            ("{}", "it has no outputs"),
        ] {
            assert_eq!(read(text, &both).unwrap_err(), fault);
        }
    }

    #[test]
    fn what_is_no_tensor_of_the_dtype_is_a_fault() {
        for (text, dtype, fault) in [
            ("[[1], [1, 2]]", DType::Float, "its lists differ in length"),
            ("[1, [2]]", DType::Float, "is no element"),
            ("[1.5]", DType::Int32, "is no element"),
            ("[300]", DType::UInt8, "is no element"),
            ("[1]", DType::String, "is no element"),
            ("[1]", DType::Complex64, "complex64 cannot be read from JSON"),
        ] {
            let found = single(text, info(dtype, None)).unwrap_err();
            assert!(found.contains(fault) && found.contains("output \"y\""), "{found}");
        }
    }
}
