// SPDX-License-Identifier: Apache-2.0
//! The codec of the services: prost's, for messages that have no more fields than they need.

use bytes::Buf;
use prost::encoding::{decode_key, skip_field, DecodeContext};
use prost::Message;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic::Status;
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// Each element of a list and each entry of a map is a field, at the outermost level.
///
/// An entry takes a few bytes here and some hundred in memory, which nobody has paid for.
const MAX_FIELDS: usize = 10_000;

#[derive(Debug)]
pub struct BoundedCodec<T, U>(ProstCodec<T, U>);

#[derive(Debug)]
pub struct BoundedDecoder<U>(ProstDecoder<U>);

impl<T, U> Default for BoundedCodec<T, U> {
    fn default() -> Self {
        Self(ProstCodec::default())
    }
}

impl<T, U> Codec for BoundedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        self.0.encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder(self.0.decoder())
    }
}

impl<U: Message + Default> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    /// Decodes a message.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED for one of too many fields, before memory is taken for them; INTERNAL for
    /// one that is malformed.
    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // All of the message: it is collected in one piece before it is decoded.
        if has_more_fields(message.chunk(), MAX_FIELDS) {
            return Err(Status::resource_exhausted(format!(
                "the message has more than {MAX_FIELDS} inputs, names and other fields"
            )));
        }
        self.0.decode(message)
    }
}

/// Whether there are more than `limit` fields before the message ends or turns out malformed.
fn has_more_fields(mut message: &[u8], limit: usize) -> bool {
    let mut skip = || {
        let (tag, wire_type) = decode_key(&mut message).ok()?;
        skip_field(wire_type, tag, &mut message, DecodeContext::default()).ok()
    };
    (0..=limit).all(|_| skip().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensorflow::serving::PredictRequest;

    #[test]
    fn elements_and_entries_are_counted() {
        let mut request =
            PredictRequest { output_filter: vec!["y".repeat(1000); 3], ..Default::default() };
        request.inputs.insert("x".into(), Default::default());
        let message = request.encode_to_vec();
        assert!(has_more_fields(&message, 3));
        assert!(!has_more_fields(&message, 4));
    }

    #[test]
    fn what_is_malformed_is_left_to_decoding() {
        for message in [&b""[..], b"\x1a", b"\x1a\x05abc", b"\x07", b"\xff\xff"] {
            assert!(!has_more_fields(message, 0), "{message:?}");
        }
    }
}
