// SPDX-License-Identifier: Apache-2.0

//! JSON and text forms of the messages, by their descriptors.

use std::fmt;
use std::sync::LazyLock;

use miette::Diagnostic;
use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::ser::PrettyFormatter;

use crate::DESCRIPTORS;

#[expect(clippy::expect_used, reason = "the build made these bytes; a test reads them")]
static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).expect("descriptors are malformed"));

/// A text that is not the text form of a message, and where. Lines and columns begin at 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    pub line: usize,
    pub column: usize,
    pub reason: String,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.reason)
    }
}

impl std::error::Error for TextError {}

/// The JSON of `message` as the C++ protobuf printer writes it: proto names, 64-bit numbers as
/// strings, default values too, `indent` a level.
pub fn to_json<M: Message + Name>(message: &M, indent: &[u8]) -> Result<Vec<u8>, fmt::Error> {
    let dynamic = dynamic(message)?;
    let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(false);
    let mut json = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent);
    let mut serializer = serde_json::Serializer::with_formatter(&mut json, formatter);
    dynamic.serialize_with_options(&mut serializer, &options).map_err(|_| fmt::Error)?;
    Ok(json)
}

/// Reads the protobuf text form of the message named `name` and returns it as JSON: proto names,
/// numbers as numbers, only fields that are set.
///
/// # Errors
/// Where the text is wrong. A name without a message is an error at 1:1.
pub fn text_to_json(name: &str, text: &str) -> Result<String, TextError> {
    json_of(&parsed(name, text)?).map_err(|error| at_start(error.to_string()))
}

/// Reads the protobuf text form of a message of ours.
///
/// # Errors
/// Where the text is wrong.
pub fn text_to_message<M: Message + Name + Default>(text: &str) -> Result<M, TextError> {
    let message = parsed(&M::full_name(), text)?;
    message.transcode_to().map_err(|error| at_start(error.to_string()))
}

fn parsed(name: &str, text: &str) -> Result<DynamicMessage, TextError> {
    let descriptor =
        descriptor(name).ok_or_else(|| at_start(format!("there is no message {name}")))?;
    DynamicMessage::parse_text_format(descriptor, text).map_err(|error| {
        let offset = error.labels().and_then(|mut labels| labels.next());
        let (line, column) = position(text, offset.map_or(text.len(), |label| label.offset()));
        TextError { line, column, reason: error.to_string() }
    })
}

fn at_start(reason: String) -> TextError {
    TextError { line: 1, column: 1, reason }
}

/// The JSON of a message of ours, in the form of [`text_to_json`].
pub fn message_to_json<M: Message + Name>(message: &M) -> Result<String, fmt::Error> {
    json_of(&dynamic(message)?).map_err(|_| fmt::Error)
}

fn json_of(message: &DynamicMessage) -> Result<String, serde_json::Error> {
    let options =
        SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    let mut json = Vec::new();
    message.serialize_with_options(&mut serde_json::Serializer::new(&mut json), &options)?;
    String::from_utf8(json).map_err(serde::ser::Error::custom)
}

fn dynamic<M: Message + Name>(message: &M) -> Result<DynamicMessage, fmt::Error> {
    let mut dynamic = DynamicMessage::new(descriptor(&M::full_name()).ok_or(fmt::Error)?);
    dynamic.transcode_from(message).map_err(|_| fmt::Error)?;
    Ok(dynamic)
}

fn descriptor(name: &str) -> Option<MessageDescriptor> {
    POOL.get_message_by_name(name)
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensorflow::serving::model_server_config::Config;
    use crate::tensorflow::serving::{
        GetModelStatusResponse, ModelServerConfig, ModelVersionStatus, StatusProto,
    };

    const CONFIG: &str = "tensorflow.serving.ModelServerConfig";

    #[test]
    fn defaults_and_64_bit_numbers_are_written_as_the_original_does() {
        let response = GetModelStatusResponse {
            model_version_status: vec![ModelVersionStatus {
                version: 123,
                state: 30,
                status: Some(StatusProto::default()),
            }],
        };
        let json = to_json(&response, b" ").unwrap();
        let expected = r#"{
 "model_version_status": [
  {
   "version": "123",
   "state": "AVAILABLE",
   "status": {
    "error_code": "OK",
    "error_message": ""
   }
  }
 ]
}"#;
        assert_eq!(String::from_utf8(json).unwrap(), expected);
    }

    #[test]
    fn text_becomes_json_with_numbers_as_numbers() {
        let text = r#"
            model_config_list { config {
              name: "half"  # a comment
              base_path: "/models/half", model_platform: 'tensorflow';
              model_version_policy < specific { versions: 42 versions: 43 } >
              version_labels { key: "stable" value: 42 }
            } }"#;
        let json: serde_json::Value =
            serde_json::from_str(&text_to_json(CONFIG, text).unwrap()).unwrap();
        let expected = serde_json::json!({"model_config_list": {"config": [{
            "name": "half",
            "base_path": "/models/half",
            "model_platform": "tensorflow",
            "model_version_policy": {"specific": {"versions": [42, 43]}},
            "version_labels": {"stable": 42},
        }]}});
        assert_eq!(json, expected);
    }

    #[test]
    fn text_becomes_a_message() {
        let text =
            r#"model_config_list { config { name: "m" version_labels { key: "a" value: 3 } } }"#;
        let config: ModelServerConfig = text_to_message(text).unwrap();
        let Some(Config::ModelConfigList(list)) = config.config else { panic!("no list") };
        assert_eq!(list.config[0].name, "m");
        assert_eq!(list.config[0].version_labels["a"], 3);
        let error = text_to_message::<ModelServerConfig>("model_config_list {\n}}").unwrap_err();
        assert_eq!((error.line, error.column), (2, 2));
    }

    #[test]
    fn an_error_says_where() {
        let error = |text| text_to_json(CONFIG, text).unwrap_err();
        let unknown = error("model_config_list {\n  konfig { }\n}");
        assert_eq!((unknown.line, unknown.column), (2, 3));
        assert!(unknown.reason.contains("konfig"), "{unknown}");
        let unclosed = error("model_config_list {\n");
        assert_eq!((unclosed.line, unclosed.column), (2, 1));
        assert_eq!(text_to_json("no.Such", "").unwrap_err().reason, "there is no message no.Such");
    }
}
