// SPDX-License-Identifier: Apache-2.0

use bytes::{Buf, BufMut, Bytes};
use prost::encoding::{self, DecodeContext, WireType};
use prost::{DecodeError, Message};

/// A message that is serialized already: `tensorflow.serving.ClassificationResult` or
/// `RegressionResult`, whose objects would take many times the memory of what they say.
///
/// It is for sending only: nobody here reads one, and decoding passes over all that it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serialized(Bytes);

impl From<Vec<u8>> for Serialized {
    fn from(message: Vec<u8>) -> Self {
        Self(message.into())
    }
}

impl AsRef<[u8]> for Serialized {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Message for Serialized {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        buf.put_slice(&self.0);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        encoding::skip_field(wire_type, tag, buf, ctx)
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}
