// SPDX-License-Identifier: Apache-2.0

use bytes::Bytes;

/// `tensorflow.serving.Input`, whose examples stay serialized: that is how a graph is fed them.
///
/// Decoded from [`Bytes`] or from a gRPC message they share its memory. Whether they are well-formed
/// is for the graph to find out.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Input {
    #[prost(oneof = "InputKind", tags = "1, 2")]
    pub kind: Option<InputKind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum InputKind {
    #[prost(message, tag = "1")]
    ExampleList(ExampleList),
    #[prost(message, tag = "2")]
    ExampleListWithContext(ExampleListWithContext),
}

/// `tensorflow.serving.ExampleList`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ExampleList {
    /// Serialized `tensorflow.Example`s.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub examples: Vec<Bytes>,
}

/// `tensorflow.serving.ExampleListWithContext`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ExampleListWithContext {
    /// Serialized `tensorflow.Example`s.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub examples: Vec<Bytes>,
    /// A serialized `tensorflow.Example` with the features that all of them share.
    #[prost(bytes = "bytes", tag = "2")]
    pub context: Bytes,
}
