// SPDX-License-Identifier: Apache-2.0
//! The body of a Classify or Regress request: examples of features, which become serialized
//! `tensorflow.Example`s as they are read.

use slipway_core::{examples_with_context, Error, ExampleWriter, FeatureKind, Result, Tensor};
use slipway_proto::Strings;

use super::dump::dump;
use super::number::Number;
use super::reader::{Kind, Reader, SyntaxError};
use super::scalars::decode_base64;
use super::tensors::Failure;
use super::{not_json, open, Limits};

/// What a Classify or Regress request asks for.
#[derive(Debug)]
pub(crate) struct ExamplesBody {
    /// `""` when the body has none.
    pub(crate) signature_name: String,
    /// A vector of strings.
    pub(crate) examples: Tensor,
}

/// Reads the body of a Classify or Regress request.
///
/// # Errors
/// In this order: text that is no JSON, wherever it is; no object; a `signature_name` that is no
/// string; a `context` that is no example; `examples` that are missing or none. All of them are
/// INVALID_ARGUMENT. RESOURCE_EXHAUSTED for more than there is room for.
pub(crate) fn read_examples(body: &[u8], limits: &Limits<'_>) -> Result<ExamplesBody> {
    let document = open(body, limits)?;
    let mut members = Members { document, signature_name: None, context: None, examples: None };
    members.read(limits).map_err(not_json)?;
    members.into_body(limits)
}

/// The first member of each name that counts.
struct Members<'a> {
    document: Reader<'a>,
    /// `None` within when it is no string.
    signature_name: Option<Option<String>>,
    /// One string.
    context: Option<Result<Strings>>,
    examples: Option<Result<Strings>>,
}

impl<'a> Members<'a> {
    /// Goes through the document once; after it the whole document is known to be JSON.
    fn read(&mut self, limits: &Limits<'_>) -> std::result::Result<(), SyntaxError> {
        let document = self.document;
        let mut reader = document;
        if reader.kind() != Kind::Object {
            return reader.skip_value();
        }
        let mut member = reader.open_object()?;
        while let Some(name) = member {
            match &*name.bytes() {
                b"signature_name" if self.signature_name.is_none() => {
                    self.signature_name = Some(match reader.kind() {
                        Kind::String => Some(reader.string()?.to_lossy()),
                        _ => {
                            reader.skip_value()?;
                            None
                        }
                    });
                }
                b"context" if self.context.is_none() => {
                    self.context = Some(attempt(&mut reader, limits, read_example)?);
                }
                b"examples" if self.examples.is_none() => {
                    self.examples = Some(attempt(&mut reader, limits, |reader, writer| {
                        read_list(reader, document, writer)
                    })?);
                }
                _ => reader.skip_value()?,
            }
            member = reader.next_member()?;
        }
        Ok(())
    }

    /// Judges what was found, in the order of the original.
    fn into_body(self, limits: &Limits<'_>) -> Result<ExamplesBody> {
        let document = self.document;
        if document.kind() != Kind::Object {
            return Err(unfit(document, "Is not object"));
        }
        let signature_name = self.signature_name.unwrap_or_else(|| Some(String::new()));
        let signature_name = signature_name.ok_or_else(|| {
            unfit(document, "not formatted correctly. 'signature_name' key must be a string value.")
        })?;
        let context = self.context.transpose()?.unwrap_or_default();
        // The words are the original's for either method.
        let missing = || {
            unfit(document, "When method is classify, key 'examples' is expected and was not found")
        };
        let examples = self.examples.ok_or_else(missing)??;
        let context = context.iter().next().unwrap_or_default();
        let examples = examples_with_context(context, examples, limits.room)?;
        Ok(ExamplesBody { signature_name, examples })
    }
}

/// Goes behind the value at `reader`, whose examples `read` writes.
///
/// # Errors
/// Within, what is wrong with the value, when all of it is JSON.
fn attempt<'a>(
    reader: &mut Reader<'a>,
    limits: &Limits<'_>,
    read: impl FnOnce(&mut Reader<'a>, &mut ExampleWriter<'_>) -> std::result::Result<(), Failure>,
) -> std::result::Result<Result<Strings>, SyntaxError> {
    let value = *reader;
    let mut writer = ExampleWriter::new(limits.room);
    match read(reader, &mut writer) {
        Ok(()) => Ok(Ok(writer.into_strings())),
        Err(Failure::Syntax(error)) => Err(error),
        Err(Failure::Value(error) | Failure::Limit(error)) => {
            // Wherever the reading gave up, the syntax of the rest comes first.
            *reader = value;
            reader.skip_value()?;
            Ok(Err(error))
        }
    }
}

fn unfit(document: Reader<'_>, what: &str) -> Error {
    Error::invalid_argument(format!("JSON Value: {} {what}", dump(document)))
}

fn read_list(
    reader: &mut Reader<'_>,
    document: Reader<'_>,
    writer: &mut ExampleWriter<'_>,
) -> std::result::Result<(), Failure> {
    if reader.kind() != Kind::Array {
        return Err(Failure::Value(unfit(
            document,
            "Expecting 'examples' value to be an list/array",
        )));
    }
    let mut more = reader.open_list()?;
    if !more {
        return Err(Failure::Value(unfit(document, "'examples' value is an empty array")));
    }
    while more {
        read_example(reader, writer)?;
        more = reader.next_element()?;
    }
    Ok(())
}

fn read_example(
    reader: &mut Reader<'_>,
    writer: &mut ExampleWriter<'_>,
) -> std::result::Result<(), Failure> {
    if reader.kind() != Kind::Object {
        return Err(Failure::value(format!(
            "Example must be JSON object but got JSON {}",
            reader.kind().name()
        )));
    }
    let mut member = reader.open_object()?;
    while let Some(name) = member {
        let name = name.bytes();
        writer.begin_feature();
        if reader.kind() == Kind::Array {
            let mut more = reader.open_list()?;
            while more {
                read_value(reader, &name, writer)?;
                more = reader.next_element()?;
            }
        } else {
            read_value(reader, &name, writer)?;
        }
        writer.end_feature(&name).map_err(Failure::Limit)?;
        member = reader.next_member()?;
    }
    writer.end_example().map_err(Failure::Limit)
}

/// Reads one value of the feature `name`.
fn read_value(
    reader: &mut Reader<'_>,
    name: &[u8],
    writer: &mut ExampleWriter<'_>,
) -> std::result::Result<(), Failure> {
    let feature = || String::from_utf8_lossy(name);
    let mut expect = |kind| {
        writer.expect(kind).map_err(|other| {
            Failure::value(format!(
                "Unexpected element type in feature: {} expecting type: {}",
                feature(),
                other.name()
            ))
        })
    };
    let kind = reader.kind();
    let unexpected = || {
        Failure::value(format!(
            "Feature: {} has element with unexpected JSON type: {}",
            feature(),
            kind.name()
        ))
    };
    let written = match kind {
        Kind::Null | Kind::Array => return Err(unexpected()),
        Kind::False | Kind::True => {
            let value = kind == Kind::True;
            reader.word(if value { "true" } else { "false" })?;
            expect(FeatureKind::Int64)?;
            writer.push_int64(value.into())
        }
        Kind::Object => {
            let (text, behind) = reader.base64_wrapper().ok_or_else(unexpected)?;
            *reader = behind;
            expect(FeatureKind::Bytes)?;
            let decoded = decode_base64(&text.bytes())
                .ok_or_else(|| Failure::value("Unable to base64 decode"))?;
            writer.push_bytes(&decoded)
        }
        Kind::String => {
            let text = reader.string()?;
            expect(FeatureKind::Bytes)?;
            writer.push_bytes(&text.bytes())
        }
        Kind::Number => match reader.number()? {
            integer @ Number::Integer { .. } => {
                expect(FeatureKind::Int64)?;
                let value = integer.to_integer().and_then(|value| i64::try_from(value).ok());
                let value = value.ok_or_else(|| {
                    Failure::value(format!(
                        "Feature: {} has uint64_t element. Only int64_t is supported.",
                        feature()
                    ))
                })?;
                writer.push_int64(value)
            }
            decimal @ (Number::Decimal(_) | Number::NotFinite(_)) => {
                expect(FeatureKind::Float)?;
                writer.push_float(decimal.to_f32())
            }
        },
    };
    written.map_err(Failure::Limit)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use prost::Message;
    use slipway_core::{Budget, Code, Lease, Room};
    use slipway_proto::is_plain_example;
    use slipway_proto::tensorflow::feature::Kind as Values;
    use slipway_proto::tensorflow::{BytesList, Example, FloatList, Int64List};

    use super::*;

    static LEASE: LazyLock<Lease> = LazyLock::new(Lease::unlimited);

    fn limits() -> Limits<'static> {
        Limits { max_depth: 64, room: Room { max_tensor_bytes: 256 << 20, lease: &LEASE } }
    }

    type Features = BTreeMap<String, Option<Values>>;

    /// The signature's name and the features of each example.
    fn read(body: &str) -> (String, Vec<Features>) {
        let ExamplesBody { signature_name, examples } =
            read_examples(body.as_bytes(), &limits()).unwrap();
        let strings = examples.strings().unwrap();
        assert_eq!(examples.shape(), [strings.len() as i64]);
        let features = |example: &[u8]| {
            // With a context it is two examples in one, which graphs read too.
            assert_eq!(is_plain_example(example), Ok(true));
            let features = Example::decode(example).unwrap().features.unwrap_or_default();
            features.feature.into_iter().map(|(name, feature)| (name, feature.kind)).collect()
        };
        (signature_name, strings.iter().map(features).collect())
    }

    fn refusal(body: &str) -> String {
        let error = read_examples(body.as_bytes(), &limits()).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        error.message
    }

    fn features<const N: usize>(features: [(&str, Option<Values>); N]) -> Features {
        features.map(|(name, values)| (name.to_owned(), values)).into()
    }

    fn bytes(values: &[&str]) -> Option<Values> {
        let value = values.iter().map(|value| value.as_bytes().to_vec().into()).collect();
        Some(Values::BytesList(BytesList { value }))
    }

    fn floats(values: &[f32]) -> Option<Values> {
        Some(Values::FloatList(FloatList { value: values.to_vec() }))
    }

    fn ints(values: &[i64]) -> Option<Values> {
        Some(Values::Int64List(Int64List { value: values.to_vec() }))
    }

    #[test]
    fn c1_features_are_lists_of_bytes_floats_or_integers() {
        let (signature_name, examples) = read(
            r#"{"examples":[{"names":["foo","bar"],"ratings":[8.0,9.0],"age":20},
                            {"names":["baz"],"ratings":6.0}]}"#,
        );
        assert_eq!(signature_name, "");
        assert_eq!(
            examples,
            [
                features([
                    ("names", bytes(&["foo", "bar"])),
                    ("ratings", floats(&[8.0, 9.0])),
                    ("age", ints(&[20])),
                ]),
                features([("names", bytes(&["baz"])), ("ratings", floats(&[6.0]))]),
            ]
        );
    }

    #[test]
    fn c2_a_context_goes_with_each_example() {
        for (before, behind) in [
            (r#""context":{"query":"pizza","location":["sfo"]},"#, ""),
            ("", r#","context":{"query":"pizza","location":["sfo"]}"#),
        ] {
            let (signature_name, examples) = read(&format!(
                r#"{{"signature_name":"custom_signture",{before}"examples":[
                    {{"names":["foo",{{"b64":"aGVsbG8="}}],"ratings":[8.0,NaN]}},
                    {{"names":["bar"],"ratings":[Infinity,-Infinity]}},
                    {{"intboolmix":[1,true,false],"query":"own"}}]{behind}}}"#
            ));
            assert_eq!(signature_name, "custom_signture");
            let context = [("query", bytes(&["pizza"])), ("location", bytes(&["sfo"]))];
            let with_context = |own: Features| {
                let mut all = features(context.clone());
                all.extend(own);
                all
            };
            let Some(Values::FloatList(ratings)) = &examples[0]["ratings"] else {
                panic!("{examples:?}");
            };
            assert!(ratings.value[0] == 8.0 && ratings.value[1].is_nan());
            assert_eq!(examples[0]["names"], bytes(&["foo", "hello"]));
            assert_eq!(
                examples[1..],
                [
                    with_context(features([
                        ("names", bytes(&["bar"])),
                        ("ratings", floats(&[f32::INFINITY, f32::NEG_INFINITY])),
                    ])),
                    with_context(features([
                        ("intboolmix", ints(&[1, 1, 0])),
                        ("query", bytes(&["own"])),
                    ])),
                ]
            );
        }
    }

    #[test]
    fn what_an_example_may_hold_beyond_that() {
        let one = |example: &str| read(&format!(r#"{{"examples":[{example}]}}"#)).1.remove(0);
        assert_eq!(one("{}"), features([]));
        assert_eq!(one(r#"{"a":[]}"#), features([("a", None)]));
        assert_eq!(
            one(r#"{"":1,"\u00e9\n":-1}"#),
            features([("", ints(&[1])), ("é\n", ints(&[-1]))])
        );
        assert_eq!(one(r#"{"a":1,"b":2,"a":["last"]}"#)["a"], bytes(&["last"]));
        assert_eq!(one(r#"{"b64":"aGVsbG8="}"#), features([("b64", bytes(&["aGVsbG8="]))]));
        assert_eq!(one(r#"{"a":{"b64":"aGVsbG8="}}"#), features([("a", bytes(&["hello"]))]));
        assert_eq!(
            one(r#"{"a":[9223372036854775807,-9223372036854775808,-0]}"#),
            features([("a", ints(&[i64::MAX, i64::MIN, 0]))])
        );
        // Beyond 64 bits an integer is a decimal, and what does not fit a float is infinite.
        assert_eq!(
            one(r#"{"a":[18446744073709551616,-9223372036854775809,1e39,-0.0]}"#),
            features([(
                "a",
                floats(&[18446744073709551616.0, -9223372036854775809.0, f32::INFINITY, -0.0])
            )])
        );
    }

    #[test]
    fn names_and_texts_may_be_any_bytes() {
        let body = b"{\"examples\":[{\"a\":\"\xff\\u0000\"}]}";
        let ExamplesBody { examples, .. } = read_examples(body, &limits()).unwrap();
        let example = Example::decode(examples.strings().unwrap().get(0)).unwrap();
        assert_eq!(
            example.features.unwrap().feature["a"].kind,
            Some(Values::BytesList(BytesList { value: vec![b"\xff\0"[..].into()] }))
        );
        let body = b"{\"examples\":[{\"\xff\":1}]}";
        let ExamplesBody { examples, .. } = read_examples(body, &limits()).unwrap();
        assert_eq!(
            examples.strings().unwrap().get(0),
            b"\x0a\x0c\x0a\x0a\x0a\x01\xff\x12\x05\x1a\x03\x0a\x01\x01"
        );
    }

    #[test]
    fn what_is_wrong_is_said_in_the_words_of_the_original() {
        let one = |value: &str| format!(r#"{{"examples":[{{"names":{value}}}]}}"#);
        for (body, message) in [
            ("".into(), "JSON Parse error: The document is empty"),
            ("[1]".into(), "JSON Value: [1] Is not object"),
            (
                r#"{"signature_name":["hello"],"examples":[{}]}"#.into(),
                "JSON Value: {\n    \"signature_name\": [\"hello\"],\n    \"examples\": [{}]\n} \
                 not formatted correctly. 'signature_name' key must be a string value.",
            ),
            (r#"{"context":[]}"#.into(), "Example must be JSON object but got JSON Array"),
            (
                r#"{"examples":[1],"context":{"a":null}}"#.into(),
                "Feature: a has element with unexpected JSON type: Null",
            ),
            (
                "{}".into(),
                "JSON Value: {} When method is classify, key 'examples' is expected and was not \
                 found",
            ),
            (
                r#"{"Examples":[]}"#.into(),
                "JSON Value: {\n    \"Examples\": []\n} When method is classify, key 'examples' is \
                 expected and was not found",
            ),
            (
                r#"{"examples":{}}"#.into(),
                "JSON Value: {\n    \"examples\": {}\n} Expecting 'examples' value to be an \
                 list/array",
            ),
            (
                r#"{"examples":[]}"#.into(),
                "JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array",
            ),
            (
                r#"{"examples":[[{"a":1}]]}"#.into(),
                "Example must be JSON object but got JSON Array",
            ),
            (r#"{"examples":[{},"a"]}"#.into(), "Example must be JSON object but got JSON String"),
            (r#"{"examples":[1.5]}"#.into(), "Example must be JSON object but got JSON Number"),
            (
                one("[10,null]"),
                "Feature: names has element with unexpected JSON type: Null",
            ),
            (
                one(r#"[10,{"test":10}]"#),
                "Feature: names has element with unexpected JSON type: Object",
            ),
            (
                one("[[10],20]"),
                "Feature: names has element with unexpected JSON type: Array",
            ),
            (
                one(r#"{"b64":5}"#),
                "Feature: names has element with unexpected JSON type: Object",
            ),
            (
                one("[10,10.0]"),
                "Unexpected element type in feature: names expecting type: int64",
            ),
            (
                one("[10.0,10]"),
                "Unexpected element type in feature: names expecting type: float",
            ),
            (
                one(r#"["a",true]"#),
                "Unexpected element type in feature: names expecting type: bytes",
            ),
            (
                one(r#"[true,{"b64":"broken!"}]"#),
                "Unexpected element type in feature: names expecting type: int64",
            ),
            (
                one(r#"[1,18446744073709551616]"#),
                "Unexpected element type in feature: names expecting type: int64",
            ),
            (
                one("[20,18446744073709551603]"),
                "Feature: names has uint64_t element. Only int64_t is supported.",
            ),
            (
                one("[1.5,18446744073709551603]"),
                "Unexpected element type in feature: names expecting type: float",
            ),
            (one(r#"{"b64":"a"}"#), "Unable to base64 decode"),
        ] {
            assert_eq!(refusal(&body), message, "{body}");
        }
    }

    #[test]
    fn broken_json_anywhere_comes_before_all_else() {
        for body in [
            r#"{"examples":[null],"other":[1 2]}"#,
            r#"{"examples":[{"a":[null,[1 2]]}]}"#,
            r#"{"context":[[1 2]]}"#,
            r#"{"signature_name":[1 2],"examples":[{}]}"#,
            r#"{"examples":[{"a":{"b64":[1 2]}}]}"#,
            "[1 2]",
        ] {
            let error = refusal(body);
            assert!(error.contains("Missing a comma or ']' after an array element."), "{error}");
        }
        for body in [r#"{"examples":[{"a":nan}]}"#, r#"{"context":nul,"examples":[{}]}"#] {
            assert!(refusal(body).contains("JSON Parse error: Invalid value."));
        }
    }

    #[test]
    fn nesting_ends_at_the_limit_wherever_it_is() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        for name in ["examples", "context", "other", "signature_name"] {
            let body = format!(r#"{{"{name}":{}}}"#, nested(500_000));
            assert!(refusal(&body).contains("Nested deeper than the limit of 64"), "{name}");
        }
        let body = format!(r#"{{"other":{},"examples":[{{}}]}}"#, nested(63));
        assert_eq!(read(&body).1, [features([])]);
    }

    #[test]
    fn the_first_of_a_member_twice_counts() {
        let body = r#"{"examples":[{"a":1}],"examples":5,"context":{},"context":[],
                       "signature_name":"s","signature_name":5}"#;
        assert_eq!(read(body), ("s".to_owned(), vec![features([("a", ints(&[1]))])]));
    }

    #[test]
    fn memory_is_paid_for_before_it_is_taken_and_has_a_limit() {
        let budget = Budget::new(10_000);
        let lease = budget.lease();
        let read = |max_tensor_bytes, body: &str| {
            let room = Room { max_tensor_bytes, lease: &lease };
            let read = read_examples(body.as_bytes(), &Limits { max_depth: 64, room });
            lease.release();
            read.map(drop).map_err(|error| (error.code, error.message))
        };
        let empty = format!(r#"{{"examples":[{}{{}}]}}"#, "{},".repeat(999));
        let ints = format!(r#"{{"examples":[{{"a":[{}1]}}]}}"#, "-1,".repeat(1000));
        for body in [&empty, &ints] {
            let (code, message) = read(1 << 20, body).unwrap_err();
            assert_eq!(code, Code::ResourceExhausted);
            assert!(message.contains("that they may hold together"), "{message}");
            let (code, message) = read(1000, body).unwrap_err();
            assert_eq!(code, Code::ResourceExhausted);
            assert!(message.contains("more than the limit of 1000 bytes"), "{message}");
        }
        let repeated = format!(
            r#"{{"context":{{"a":"{}"}},"examples":[{}{{}}]}}"#,
            "x".repeat(500),
            "{},".repeat(50)
        );
        assert_eq!(read(1 << 20, &repeated).unwrap_err().0, Code::ResourceExhausted);
        assert!(read(1 << 20, r#"{"examples":[{"a":[1,2,3]}]}"#).is_ok());
    }

    proptest! {
        #[test]
        fn any_features_are_read_as_serde_writes_them(
            examples in proptest::collection::vec(any_example(), 1..5),
            context in proptest::option::of(any_example()),
            pretty: bool,
        ) {
            let write = if pretty { serde_json::to_string_pretty } else { serde_json::to_string };
            let mut body = serde_json::json!({"examples": json_of(&examples)});
            if let Some(context) = &context {
                body["context"] = json_of(std::slice::from_ref(context))[0].take();
            }
            let (_, found) = read(&write(&body).unwrap());
            let merged = examples.into_iter().map(|example| {
                let mut all = context.clone().unwrap_or_default();
                all.extend(example);
                all
            });
            prop_assert_eq!(found, merged.collect::<Vec<_>>());
        }

        #[test]
        fn no_bytes_make_it_panic(
            body in "(\\{\"(examples|context)\":)?[\\[\\]{}\",:a-f64N0-9.\\\\u \n-]{0,60}",
            noise in proptest::collection::vec(any::<(u8, usize)>(), 0..3),
        ) {
            let mut body = body.into_bytes();
            for (byte, place) in noise {
                let place = place % (body.len() + 1);
                body.insert(place, byte);
            }
            let _ = read_examples(&body, &limits());
        }
    }

    fn any_example() -> impl Strategy<Value = Features> {
        let float = any::<f32>().prop_filter("finite", |float| float.is_finite());
        let list = prop_oneof![
            proptest::collection::vec(any::<String>(), 1..4).prop_map(|values| {
                bytes(&values.iter().map(String::as_str).collect::<Vec<_>>())
            }),
            proptest::collection::vec(float, 1..4).prop_map(|values| floats(&values)),
            proptest::collection::vec(any::<i64>(), 1..4).prop_map(|values| ints(&values)),
            Just(None),
        ];
        proptest::collection::btree_map(any::<String>(), list, 0..4)
    }

    fn json_of(examples: &[Features]) -> serde_json::Value {
        let values = |values: &Option<Values>| match values {
            None => serde_json::json!([]),
            Some(Values::BytesList(list)) => {
                let text = |value: &bytes::Bytes| String::from_utf8(value.to_vec()).unwrap();
                list.value.iter().map(text).collect()
            }
            Some(Values::FloatList(list)) => {
                list.value.iter().map(|&value| serde_json::json!(f64::from(value))).collect()
            }
            Some(Values::Int64List(list)) => list.value.iter().copied().collect(),
        };
        let example = |features: &Features| {
            let members = features.iter().map(|(name, list)| (name.clone(), values(list)));
            serde_json::Value::Object(members.collect())
        };
        examples.iter().map(example).collect()
    }
}
