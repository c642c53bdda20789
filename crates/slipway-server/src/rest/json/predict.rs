// SPDX-License-Identifier: Apache-2.0
//! The body of a Predict request.

use std::sync::Arc;

use slipway_core::{Callable, Code, Error, Room, Tensor, DEFAULT_SIGNATURE};

use super::dump::dump;
use super::reader::{Kind, Reader, SyntaxError};
use super::rows::{read_inputs, read_instances};
use super::tensors::Failure;
use super::{not_json, open, Format, Limits};

/// What a Predict request asks for.
#[derive(Debug)]
pub(crate) struct PredictBody {
    pub(crate) callable: Arc<Callable>,
    /// In the order of the signature's inputs, and of their dtypes.
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) format: Format,
}

/// Reads the body of a Predict request.
///
/// `resolve` answers which signature a `signature_name` means, `""` when the body has none, or why
/// there is none to call. It is asked before the whole body is known to be JSON, and again when the
/// name comes late in the body.
///
/// # Errors
/// In this order: text that is no JSON, wherever it is; no object; a `signature_name` that is no
/// string; the error of `resolve`; inputs that are missing or not what the signature asks for, as
/// INVALID_ARGUMENT or, for a column of a dtype without a form in JSON, UNIMPLEMENTED.
/// RESOURCE_EXHAUSTED for an input over the limit.
pub(crate) fn read_predict(
    body: &[u8],
    limits: &Limits<'_>,
    resolve: impl FnMut(&str) -> Result<Arc<Callable>, Error>,
) -> Result<PredictBody, Error> {
    let document = open(body, limits)?;
    let mut members = Members::new(document, limits.room, resolve);
    members.read().map_err(not_json)?;
    members.into_predict()
}

/// The first member of each name that counts.
struct Members<'a, R> {
    document: Reader<'a>,
    room: Room<'a>,
    resolve: R,
    /// `None` within when it is no string.
    signature_name: Option<Option<String>>,
    instances: Option<Reader<'a>>,
    inputs: Option<Reader<'a>>,
    attempt: Option<Attempt>,
}

/// The tensors as read with the signature named so far: the ones wanted, unless another name comes.
struct Attempt {
    signature_name: String,
    outcome: Result<PredictBody, Error>,
}

impl Attempt {
    /// Whether reading again with `signature_name` would end the same.
    fn is_for(&self, signature_name: &str) -> bool {
        let implied = self.signature_name.is_empty() && signature_name == DEFAULT_SIGNATURE;
        // An error may quote the name.
        self.signature_name == signature_name || (implied && self.outcome.is_ok())
    }
}

impl<'a, R: FnMut(&str) -> Result<Arc<Callable>, Error>> Members<'a, R> {
    fn new(document: Reader<'a>, room: Room<'a>, resolve: R) -> Self {
        Self {
            document,
            room,
            resolve,
            signature_name: None,
            instances: None,
            inputs: None,
            attempt: None,
        }
    }

    /// Goes through the document once; after it the whole document is known to be JSON.
    fn read(&mut self) -> Result<(), SyntaxError> {
        let mut reader = self.document;
        if reader.kind() != Kind::Object {
            return reader.skip_value();
        }
        let mut member = reader.open_object()?;
        while let Some(name) = member {
            match &*name.bytes() {
                b"signature_name" if self.signature_name.is_none() => {
                    let name = match reader.kind() {
                        Kind::String => Some(reader.string()?.to_lossy()),
                        _ => {
                            reader.skip_value()?;
                            None
                        }
                    };
                    self.attempt = self
                        .attempt
                        .take()
                        .filter(|attempt| name.as_ref().is_some_and(|name| attempt.is_for(name)));
                    self.signature_name = Some(name);
                }
                b"instances" if self.instances.is_none() => {
                    self.instances = Some(reader);
                    self.attempt_or_skip(&mut reader, Format::Row)?;
                }
                b"inputs" if self.inputs.is_none() => {
                    self.inputs = Some(reader);
                    self.attempt_or_skip(&mut reader, Format::Column)?;
                }
                _ => reader.skip_value()?,
            }
            member = reader.next_member()?;
        }
        Ok(())
    }

    /// Goes behind the value at `reader`, by way of converting it where that may be of use.
    fn attempt_or_skip(
        &mut self,
        reader: &mut Reader<'a>,
        format: Format,
    ) -> Result<(), SyntaxError> {
        let both = self.instances.is_some() && self.inputs.is_some();
        let signature_name = match &self.signature_name {
            None => String::new(),
            Some(Some(name)) => name.clone(),
            Some(None) => return reader.skip_value(),
        };
        if both {
            return reader.skip_value();
        }
        let value = *reader;
        let outcome = match self.convert(&signature_name, reader, format) {
            Ok(predict) => Ok(predict),
            Err(Failure::Syntax(error)) => return Err(error),
            Err(Failure::Value(error) | Failure::Limit(error)) => {
                // Wherever the conversion gave up, the syntax of the rest comes first.
                *reader = value;
                reader.skip_value()?;
                Err(error)
            }
        };
        self.attempt = Some(Attempt { signature_name, outcome });
        Ok(())
    }

    /// Reads the value at `reader`; `reader` ends behind it unless that fails.
    fn convert(
        &mut self,
        signature_name: &str,
        reader: &mut Reader<'_>,
        format: Format,
    ) -> Result<PredictBody, Failure> {
        let callable = self.callable(signature_name).map_err(Failure::Value)?;
        let signature = &callable.signature;
        let inputs = match format {
            Format::Row => read_instances(reader, self.document, signature, self.room)?,
            Format::Column => read_inputs(reader, signature, self.room)?,
        };
        Ok(PredictBody { callable, inputs, format })
    }

    fn callable(&mut self, signature_name: &str) -> Result<Arc<Callable>, Error> {
        let callable = (self.resolve)(signature_name)?;
        if callable.signature.inputs.is_empty() {
            let shown = if signature_name.is_empty() { "DEFAULT" } else { signature_name };
            return Err(Error::invalid_argument(format!(
                "Failed to get input map for signature: {shown}"
            )));
        }
        Ok(callable)
    }

    /// Judges what was found, in the order of the original.
    fn into_predict(mut self) -> Result<PredictBody, Error> {
        let document = self.document;
        let unfit =
            |what| Err(Error::invalid_argument(format!("JSON Value: {} {what}", dump(document))));
        if self.document.kind() != Kind::Object {
            return unfit("Is not object");
        }
        let signature_name = match self.signature_name.take() {
            None => String::new(),
            Some(Some(name)) => name,
            Some(None) => {
                return unfit(
                    "not formatted correctly. 'signature_name' key must be a string value.",
                );
            }
        };
        let (mut value, format) = match (self.instances, self.inputs) {
            (Some(value), None) => (value, Format::Row),
            (None, Some(value)) => (value, Format::Column),
            (instances, _) => {
                self.callable(&signature_name)?;
                return if instances.is_none() {
                    Err(Error::invalid_argument("Missing 'inputs' or 'instances' key"))
                } else {
                    unfit(
                        "Not formatted correctly expecting only one of 'inputs' or 'instances' \
                         keys to exist ",
                    )
                };
            }
        };
        match self.attempt.take() {
            Some(attempt) => attempt.outcome,
            None => {
                self.convert(&signature_name, &mut value, format).map_err(|failure| match failure {
                    Failure::Value(error) | Failure::Limit(error) => error,
                    Failure::Syntax(error) => {
                        Error::new(Code::Internal, format!("{error}, seen late: this is a bug"))
                    }
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use serde_json::Value;
    use slipway_core::{Budget, DType, Lease, RunPlanner, Signature, TensorSpec};

    use super::super::write_predict;
    use super::*;

    static LEASE: LazyLock<Lease> = LazyLock::new(Lease::unlimited);

    fn limits() -> Limits<'static> {
        Limits { max_depth: 64, room: Room { max_tensor_bytes: 256 << 20, lease: &LEASE } }
    }

    const INT32: &[(&str, DType)] = &[("default", DType::Int32)];
    const FLOAT: &[(&str, DType)] = &[("default", DType::Float)];
    const STRING: &[(&str, DType)] = &[("default", DType::String)];
    const TWO: &[(&str, DType)] = &[("int_tensor", DType::Int32), ("str_tensor", DType::String)];

    fn callable(name: &str, inputs: &[(&str, DType)]) -> Arc<Callable> {
        let spec = |&(alias, dtype): &(&str, DType)| TensorSpec {
            alias: alias.into(),
            tensor_name: format!("{alias}:0"),
            dtype,
            shape: None,
        };
        let signature = Signature {
            name: name.into(),
            method_name: "tensorflow/serving/predict".into(),
            inputs: inputs.iter().map(spec).collect(),
            outputs: Vec::new(),
            defaults: BTreeMap::new(),
        };
        let planner = RunPlanner::new(true, None);
        let meter = Arc::default();
        Arc::new(Callable { signature, planner, checks_method_name: false, meter })
    }

    fn predict(inputs: &[(&str, DType)], body: &str) -> Result<PredictBody, Error> {
        read_predict(body.as_bytes(), &limits(), |name| Ok(callable(name, inputs)))
    }

    fn refusal(inputs: &[(&str, DType)], body: &str) -> String {
        predict(inputs, body).unwrap_err().to_string()
    }

    /// The only input, whatever the format.
    fn tensor(inputs: &[(&str, DType)], body: &str) -> Tensor {
        predict(inputs, body).unwrap().inputs.pop().unwrap()
    }

    fn floats(tensor: &Tensor) -> Vec<f32> {
        tensor.elements().unwrap().collect()
    }

    fn strings(tensor: &Tensor) -> Vec<String> {
        let strings = tensor.strings().unwrap().iter();
        strings.map(|string| String::from_utf8(string.to_vec()).unwrap()).collect()
    }

    #[test]
    fn plain_rows_go_to_the_only_input_whatever_its_name() {
        let body = predict(INT32, r#"{"instances":[[1,2],[3,4],[5,6]]}"#).unwrap();
        assert_eq!(body.format, Format::Row);
        assert_eq!(body.inputs[0].shape(), [3, 2]);
        assert_eq!(body.inputs[0].elements().unwrap().collect::<Vec<i32>>(), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn the_signature_name_is_resolved_wherever_it_stands() {
        for body in [
            r#"{"signature_name":"predict_images","instances":[[1,2]]}"#,
            r#"{"instances":[[1,2]],"signature_name":"predict_images"}"#,
            r#"{"instances":[[1,2]],"signature\u005fname":"predict_images","signature_name":"x"}"#,
        ] {
            let resolve = |name: &str| match name {
                "predict_images" => Ok(callable(name, INT32)),
                name => Err(Error::not_found(name)),
            };
            let read = read_predict(body.as_bytes(), &limits(), resolve).unwrap();
            assert_eq!(read.callable.signature.name, "predict_images");
            assert_eq!(read.inputs[0].shape(), [1, 2]);
        }
    }

    #[test]
    fn a_body_is_converted_once_and_again_only_for_a_late_signature_name() {
        for (body, expected) in [
            (r#"{"instances":[1]}"#, &[""][..]),
            (r#"{"signature_name":"a","instances":[1]}"#, &["a"]),
            (r#"{"instances":[1],"signature_name":"a"}"#, &["", "a"]),
            (r#"{"instances":[1],"signature_name":"serving_default"}"#, &[""]),
            (r#"{"instances":["x"],"other":1}"#, &[""]),
            (r#"{"instances":[1],"inputs":[1]}"#, &["", ""]),
        ] {
            let mut names = Vec::new();
            let _ = read_predict(body.as_bytes(), &limits(), |name| {
                names.push(name.to_owned());
                Ok(callable(name, INT32))
            });
            assert_eq!(names, expected, "{body}");
        }
    }

    #[test]
    fn unknown_members_are_ignored_but_not_beyond_the_depth_limit() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let body = |levels| format!(r#"{{"instances":[1],"nested":{}}}"#, nested(levels));
        assert!(predict(INT32, &body(63)).is_ok());
        assert_eq!(
            refusal(INT32, &body(500_000)),
            "INVALID_ARGUMENT: JSON Parse error: Nested deeper than the limit of 64 at offset: 89"
        );
        for name in ["instances", "inputs", "signature_name"] {
            let body = format!(r#"{{"{name}":{}}}"#, nested(500_000));
            assert!(refusal(INT32, &body).contains("Nested deeper than the limit"), "{name}");
        }
        let body = format!(r#"{{"signature_name":{}}}"#, nested(63));
        assert!(refusal(INT32, &body).contains("key must be a string value"));
    }

    #[test]
    fn integers_and_decimals_mix_in_a_float_tensor() {
        let body = r#"{"instances":[1,2.0,3,4,5.003,0.007,0.0]}"#;
        assert_eq!(floats(&tensor(FLOAT, body)), [1.0, 2.0, 3.0, 4.0, 5.003, 0.007, 0.0]);
        let body = r#"{"instances":[1.0,2,3,4,0.662,0,0.0]}"#;
        let doubles = tensor(&[("default", DType::Double)], body);
        let doubles: Vec<f64> = doubles.elements().unwrap().collect();
        assert_eq!(doubles, [1.0, 2.0, 3.0, 4.0, 0.662, 0.0, 0.0]);
    }

    #[test]
    fn floats_are_rounded_and_overflow_in_silence() {
        for (literal, expected) in [
            ("1435774380", 1435774380f32),
            ("1435774380.0", 1435774380f32),
            ("1.79769e+308", f32::INFINITY),
            ("-1.79769e+308", f32::NEG_INFINITY),
            ("2.22507e-308", 0.0),
            ("-2.22507e-308", -0.0),
        ] {
            let read = floats(&tensor(FLOAT, &format!(r#"{{"instances":[{literal}]}}"#)));
            assert_eq!(read[0].to_bits(), expected.to_bits(), "{literal}");
        }
    }

    #[test]
    fn base64_stands_wherever_a_string_may() {
        for (body, shape) in [
            (r#"{"instances":[{"b64":"aGVsbG8="},{"b64":"d29ybGQ="}]}"#, &[2][..]),
            (r#"{"instances":[[{"b64":"aGVsbG8="}],[{"b64":"d29ybGQ="}]]}"#, &[2, 1]),
            (
                r#"{"instances":[{"default":[[{"b64":"aGVsbG8="}],[{"b64":"d29ybGQ="}]]}]}"#,
                &[1, 2, 1],
            ),
            (r#"{"inputs":["hello",{"b64":"d29ybGQ="}]}"#, &[2]),
        ] {
            let read = tensor(STRING, body);
            assert_eq!(
                (read.shape(), strings(&read)),
                (shape, vec!["hello".into(), "world".into()])
            );
        }
    }

    #[test]
    fn object_rows_fill_every_input() {
        let inputs = [
            ("dbl_tensor", DType::Double),
            ("float_tensor", DType::Float),
            ("int_tensor", DType::Int32),
            ("str_tensor", DType::String),
        ];
        let read = predict(
            &inputs,
            r#"{"instances":[
                {"int_tensor":[[1,2],[3,4],[5,6]],"str_tensor":["foo","bar"],
                 "float_tensor":[1.0,NaN],"dbl_tensor":[NaN]},
                {"dbl_tensor":[2.0],"float_tensor":[2.0,Infinity],
                 "int_tensor":[[7,8],[9,0],[1,2]],"str_tensor":["baz","qux"]}]}"#,
        )
        .unwrap();
        let shapes: Vec<&[i64]> = read.inputs.iter().map(Tensor::shape).collect();
        assert_eq!(shapes, [&[2, 1][..], &[2, 2], &[2, 3, 2], &[2, 2]]);
        let read_floats = floats(&read.inputs[1]);
        assert!(read_floats[1].is_nan() && read_floats[3] == f32::INFINITY);
        assert_eq!(strings(&read.inputs[3]), ["foo", "bar", "baz", "qux"]);
    }

    #[test]
    fn columns_have_their_own_shapes() {
        let int = &[("int_tensor", DType::Int32)];
        for body in [
            r#"{"inputs":{"int_tensor":[[[1,2],[3,4],[5,6]]]}}"#,
            r#"{"inputs":[[[1,2],[3,4],[5,6]]]}"#,
            r#"{"inputs":{"extra":{},"int_tensor":[[[1,2],[3,4],[5,6]]],"int_tensor":"second"}}"#,
        ] {
            assert_eq!(tensor(int, body).shape(), [1, 3, 2]);
        }
        assert_eq!(tensor(int, r#"{"inputs":7}"#).shape(), [0i64; 0]);
        let three = [("bin_tensor", DType::String), TWO[0], TWO[1]];
        let body = r#"{"inputs":{"int_tensor":[[1,2]],"str_tensor":["foo","bar"],
                       "bin_tensor":{"b64":"aGVsbG8="}}}"#;
        let read = predict(&three, body).unwrap();
        assert_eq!(read.format, Format::Column);
        let shapes: Vec<&[i64]> = read.inputs.iter().map(Tensor::shape).collect();
        assert_eq!(shapes, [&[][..], &[1, 2], &[2]]);
    }

    #[test]
    fn what_is_wrong_is_said_in_the_words_of_the_original() {
        let parse = "JSON Parse error: ";
        let value = "JSON Value: ";
        let plain = "Failed to process element: 2 of 'instances' list. Error: INVALID_ARGUMENT: ";
        let second = "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: ";
        let keyed = "Failed to process element: 1 key: int_tensor of 'instances' list. Error: \
                     INVALID_ARGUMENT: ";
        for (inputs, body, prefix, rest) in [
            (INT32, "", parse, "The document is empty"),
            (INT32, " ", parse, "The document is empty. at offset: 1"),
            (INT32, "[1, 2]", value, "[1, 2] Is not object"),
            (
                INT32,
                r#"{"signature_name":5,"instances":["x"]}"#,
                value,
                "{\n    \"signature_name\": 5,\n    \"instances\": [\"x\"]\n} not formatted \
                 correctly. 'signature_name' key must be a string value.",
            ),
            (
                INT32,
                r#"{"instances":[1],"inputs":[1]}"#,
                value,
                "{\n    \"instances\": [1],\n    \"inputs\": [1]\n} Not formatted correctly \
                 expecting only one of 'inputs' or 'instances' keys to exist ",
            ),
            (INT32, "{}", "", "Missing 'inputs' or 'instances' key"),
            (
                INT32,
                r#"{"instances":1}"#,
                value,
                "{\n    \"instances\": 1\n} Expecting 'instances' to be an list/array",
            ),
            (
                INT32,
                r#"{"instances":[]}"#,
                value,
                "{\n    \"instances\": []\n} No values in 'instances' array",
            ),
            (&[], r#"{"instances":[1]}"#, "", "Failed to get input map for signature: DEFAULT"),
            (
                &[],
                r#"{"instances":[1],"signature_name":"s"}"#,
                "",
                "Failed to get input map for signature: s",
            ),
            (
                INT32,
                r#"{"instances":[[1,2],[3,4],[5,6,7]]}"#,
                plain,
                "Expecting tensor size: 2 but got: 3",
            ),
            (
                INT32,
                r#"{"instances":[[1,2],[3,4],[[5,6]]]}"#,
                plain,
                "Expecting shape [2] but got: [1,2]",
            ),
            (INT32, r#"{"instances":[1,[1]]}"#, second, "Expecting shape [] but got: [1]"),
            (
                INT32,
                r#"{"instances":[[1,2],["a","b"]]}"#,
                second,
                "JSON Value: \"a\" Type: String is not of expected type: int32",
            ),
            (
                TWO,
                r#"{"instances":[{"int_tensor":[[1,2],[3,4],[5,6]],"str_tensor":"a"},
                                 {"int_tensor":[[[1,2],[3,4],[5,6]]],"str_tensor":"b"}]}"#,
                keyed,
                "Expecting shape [3,2] but got: [1,3,2]",
            ),
            (
                TWO,
                r#"{"instances":[{"int_tensor":[[1,2],[3,4],[5,6],[7,8]],"str_tensor":"a"},
                                 {"int_tensor":[[1,2],[3,4],[5,6]],"str_tensor":"b"}]}"#,
                keyed,
                "Expecting tensor size: 8 but got: 6",
            ),
            (
                TWO,
                r#"{"instances":[{"int_tensor":1,"str_tensor":"a"},[1],{}]}"#,
                "",
                "Expecting object but got list at item 1 of input list",
            ),
            (
                STRING,
                r#"{"instances":[["a"],{"default":["b"]}]}"#,
                "",
                "Expecting value/list but got object at item 1 of input list",
            ),
            (
                TWO,
                r#"{"instances":[1]}"#,
                "",
                "instances is a plain list, but expecting list of objects as multiple input \
                 tensors required as per tensorinfo_map",
            ),
            (
                INT32,
                r#"{"instances":[{"other":1}]}"#,
                "",
                "Failed to process element: 0 key: other of 'instances' list. Error: \
                 INVALID_ARGUMENT: JSON object: does not have named input: other",
            ),
            (
                INT32,
                r#"{"instances":[{"default":1,"default":2}]}"#,
                "",
                "Failed to process element: 0 key: default of 'instances' list. Error: \
                 INVALID_ARGUMENT: JSON object: has named input more than once: default",
            ),
            (
                TWO,
                r#"{"instances":[{"int_tensor":1}]}"#,
                "",
                "Failed to process element: 0 of 'instances' list. JSON object: {\n    \
                 \"int_tensor\": 1\n} keys must be equal to: int_tensor,str_tensor",
            ),
            (
                TWO,
                r#"{"inputs":[1]}"#,
                "",
                "inputs is a plain value/list, but expecting an object as multiple input tensors \
                 required as per tensorinfo_map",
            ),
            (
                TWO,
                r#"{"inputs":{"int_tensor":1}}"#,
                "",
                "Missing named input: str_tensor in 'inputs' object.",
            ),
            (
                INT32,
                r#"{"inputs":[1.5]}"#,
                value,
                "1.5 Type: Number is not of expected type: int32",
            ),
            (
                TWO,
                r#"{"inputs":{"int_tensor":true}}"#,
                value,
                "true Type: True is not of expected type: int32 (input \"int_tensor\")",
            ),
        ] {
            assert_eq!(
                refusal(inputs, body),
                format!("INVALID_ARGUMENT: {prefix}{rest}"),
                "{body}"
            );
        }
    }

    #[test]
    fn a_dtype_without_a_form_in_json_keeps_its_code_in_columns_only() {
        let complex = &[("default", DType::Complex64)];
        assert_eq!(
            refusal(complex, r#"{"inputs":[1]}"#),
            "UNIMPLEMENTED: Conversion of JSON Value: 1 to type: complex64"
        );
        assert_eq!(
            refusal(complex, r#"{"instances":[1]}"#),
            "INVALID_ARGUMENT: Failed to process element: 0 of 'instances' list. Error: \
             UNIMPLEMENTED: Conversion of JSON Value: 1 to type: complex64"
        );
    }

    #[test]
    fn broken_json_anywhere_comes_before_all_else() {
        for body in [
            r#"{"instances":["wrong type"],"other":[1 2]}"#,
            r#"{"instances":[["wrong size"],[1,2],[1 2]]}"#,
            r#"{"signature_name":5,"instances":[1 2]}"#,
            r#"{"instances":[{"unknown key":[1 2]}]}"#,
            "[1 2]",
        ] {
            let error = refusal(INT32, body);
            assert!(error.contains("Missing a comma or ']' after an array element."), "{error}");
        }
    }

    #[test]
    fn the_model_is_looked_up_before_the_data_is_judged() {
        for body in [r#"{"instances":["x"]}"#, "{}", r#"{"instances":[1],"inputs":[1]}"#] {
            let resolve = |_: &str| Err(Error::not_found("no such model"));
            let error = read_predict(body.as_bytes(), &limits(), resolve).unwrap_err();
            assert_eq!(error.to_string(), "NOT_FOUND: no such model", "{body}");
        }
    }

    #[test]
    fn only_the_body_is_read() {
        assert!(predict(INT32, "{\"instances\":[1]} garbage").is_ok());
        let buffer = b"{\"instances\":[1]}2]}";
        let read =
            |length| read_predict(&buffer[..length], &limits(), |name| Ok(callable(name, INT32)));
        assert!(read(16).is_err());
        assert!(read(17).is_ok());
    }

    #[test]
    fn memory_is_paid_for_before_it_is_taken() {
        let budget = Budget::new(1000);
        let lease = budget.lease();
        let room = Room { max_tensor_bytes: 256 << 20, lease: &lease };
        let limits = Limits { max_depth: 64, room };
        let read = |inputs: &[(&str, DType)], body: String| {
            read_predict(body.as_bytes(), &limits, |name| Ok(callable(name, inputs)))
        };
        read(FLOAT, format!(r#"{{"instances":[{}1]}}"#, "1,".repeat(99))).unwrap();
        assert_eq!(budget.used(), 512, "what the buffer has, not what is in it");
        for (inputs, element) in [(FLOAT, "1"), (STRING, "\"\"")] {
            let list = vec![element; 1000].join(",");
            let error = read(inputs, format!(r#"{{"instances":[{list}]}}"#)).unwrap_err();
            assert_eq!(error.code, Code::ResourceExhausted, "{error}");
        }
    }

    #[test]
    fn an_input_over_the_limit_keeps_its_code_in_rows_too() {
        let room = Room { max_tensor_bytes: 16, lease: &LEASE };
        let limits = Limits { room, ..limits() };
        for body in [r#"{"instances":[1,2,3,4,5]}"#, r#"{"inputs":[[1,2,3,4,5],[6]]}"#] {
            let read = |_: &str| Ok(callable("", FLOAT));
            let error = read_predict(body.as_bytes(), &limits, read).unwrap_err();
            assert_eq!(
                error.to_string(),
                "RESOURCE_EXHAUSTED: input \"default\" takes more than the limit of 16 bytes for a \
                 tensor"
            );
        }
    }

    /// `values` in lists of these sizes.
    fn nested(dims: &[usize], values: &mut impl Iterator<Item = Value>) -> Value {
        match dims.split_first() {
            None => values.next().unwrap(),
            Some((&dim, inner)) => (0..dim).map(|_| nested(inner, values)).collect(),
        }
    }

    /// A tensor's dtype and its form in JSON.
    fn any_tensor() -> impl Strategy<Value = (DType, Value)> {
        // As a double, a float has more digits than its own shortest text.
        let shortest = |float: f32| serde_json::from_str(&serde_json::to_string(&float).unwrap());
        let float = any::<f32>().prop_filter("finite", |float| float.is_finite());
        let double = any::<f64>().prop_filter("finite", |double| double.is_finite());
        let element = prop_oneof![
            Just((DType::Float, float.prop_map(move |float| shortest(float).unwrap()).boxed())),
            Just((DType::Double, double.prop_map(Value::from).boxed())),
            Just((DType::Int64, any::<i64>().prop_map(Value::from).boxed())),
            Just((DType::UInt64, any::<u64>().prop_map(Value::from).boxed())),
            Just((DType::Bool, any::<bool>().prop_map(Value::from).boxed())),
            Just((DType::String, any::<String>().prop_map(Value::from).boxed())),
        ];
        let dims = prop_oneof![
            (1..9usize).prop_map(|rows| vec![rows]),
            (1..4usize, 0..4usize, 1..4usize).prop_map(|(rows, a, b)| vec![rows, a, b]),
        ];
        (dims, element).prop_flat_map(|(dims, (dtype, element))| {
            let elements = proptest::collection::vec(element, dims.iter().product::<usize>());
            elements.prop_map(move |all| (dtype, nested(&dims, &mut all.into_iter())))
        })
    }

    proptest! {
        #[test]
        fn what_serde_wrote_is_written_back((dtype, value) in any_tensor(), pretty: bool) {
            let write = if pretty { serde_json::to_string_pretty } else { serde_json::to_string };
            let text = write(&value).unwrap();
            for (format, request, answer) in [
                (Format::Row, format!("{{\"instances\":{text}}}"), "predictions"),
                (Format::Column, format!("{{ \"inputs\" : {{\"x\":{text}}}}}"), "outputs"),
            ] {
                let read = predict(&[("x", dtype)], &request).unwrap();
                prop_assert_eq!(read.format, format);
                let back = write_predict(format, &["x"], &read.inputs).unwrap();
                let mut back: Value = serde_json::from_slice(&back).unwrap();
                prop_assert_eq!(&back[answer].take(), &value);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(
            body in "(\\{\"(instances|inputs)\":)?[\\[\\]{}\",:a-fN0-9.\\\\u \n-]{0,60}",
            noise in proptest::collection::vec(any::<(u8, usize)>(), 0..3),
        ) {
            let mut body = body.into_bytes();
            for (byte, place) in noise {
                let place = place % (body.len() + 1);
                body.insert(place, byte);
            }
            for inputs in [INT32, FLOAT, STRING, TWO] {
                let _ = read_predict(&body, &limits(), |name| Ok(callable(name, inputs)));
            }
        }

        #[test]
        fn arbitrary_bytes_do_not_make_it_panic(body: Vec<u8>) {
            let _ = read_predict(&body, &limits(), |name| Ok(callable(name, STRING)));
        }

        #[test]
        fn what_is_no_json_to_serde_is_refused_and_the_rest_is_not(
            body in "\\[[\\[\\]{}\",:0-9.eE+ tru-]{0,12}\\]",
        ) {
            let body = format!("{{\"other\":{body}}}");
            let error = refusal(INT32, &body);
            let is_json = serde_json::from_str::<serde_json::Value>(&body).is_ok();
            let is_cut_off = error.starts_with("INVALID_ARGUMENT: Missing 'inputs'");
            // Serde reads on behind the document.
            if is_json || !body.contains('}') {
                prop_assert_eq!(is_json, is_cut_off, "{}", error);
            }
        }
    }
}
