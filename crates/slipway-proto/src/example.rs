// SPDX-License-Identifier: Apache-2.0

//! Serialized `tensorflow.Example`s: whether one is as graphs read it.

use bytes::{BufMut, Bytes};
use prost::encoding::{self, WireType};
use prost::{DecodeError, Message};

use crate::tensorflow::Example;
use crate::wire::{Field, Fields};

/// Whether a serialized example is written as most programs write it. The ops of a graph that read
/// examples do not read all that protobuf allows: entries of a map that leave out what is empty, or
/// lists in several parts.
///
/// # Errors
/// When it is malformed. Of one that is not plain, only [`plain_example`] finds out.
pub fn is_plain_example(example: &[u8]) -> Result<bool, DecodeError> {
    all(example, |field| match (field.number, field.wire_type) {
        (1, WireType::LengthDelimited) => has_plain_features(field.value),
        (1, _) => Ok(false),
        // A graph passes over fields that it does not know, but not over groups.
        (_, wire_type) => Ok(wire_type != WireType::StartGroup),
    })
}

/// The same example as most programs write it.
///
/// # Errors
/// When it is malformed.
pub fn plain_example(example: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let Example { features } = Example::decode(Bytes::copy_from_slice(example))?;
    let mut entries = Vec::new();
    for (name, feature) in features.unwrap_or_default().feature {
        // Unlike prost, which leaves out an empty key or value.
        let length =
            encoding::string::encoded_len(1, &name) + encoding::message::encoded_len(2, &feature);
        encoding::encode_key(1, WireType::LengthDelimited, &mut entries);
        encoding::encode_varint(length as u64, &mut entries);
        encoding::string::encode(1, &name, &mut entries);
        encoding::message::encode(2, &feature, &mut entries);
    }
    let mut plain = Vec::new();
    if !entries.is_empty() {
        encoding::encode_key(1, WireType::LengthDelimited, &mut plain);
        encoding::encode_varint(entries.len() as u64, &mut plain);
        plain.put_slice(&entries);
    }
    Ok(plain)
}

fn has_plain_features(features: &[u8]) -> Result<bool, DecodeError> {
    all(features, |entry| match (entry.number, entry.wire_type) {
        (1, WireType::LengthDelimited) => is_plain_entry(entry.value),
        _ => Ok(false),
    })
}

fn is_plain_entry(entry: &[u8]) -> Result<bool, DecodeError> {
    let mut fields = Fields::of(entry);
    let mut delimited = |number: u32| {
        let field = fields.next().transpose()?;
        let is_it = |field: &Field<'_>| {
            (field.number, field.wire_type) == (number, WireType::LengthDelimited)
        };
        Ok::<_, DecodeError>(field.filter(is_it).map(|field| field.value))
    };
    let (Some(key), Some(value)) = (delimited(1)?, delimited(2)?) else { return Ok(false) };
    Ok(fields.next().is_none() && std::str::from_utf8(key).is_ok() && is_plain_feature(value)?)
}

fn is_plain_feature(feature: &[u8]) -> Result<bool, DecodeError> {
    let mut fields = Fields::of(feature);
    let Some(list) = fields.next().transpose()? else { return Ok(true) };
    if list.wire_type != WireType::LengthDelimited || fields.next().is_some() {
        return Ok(false);
    }
    match list.number {
        1 => all(list.value, |value| Ok(is_one(value, WireType::LengthDelimited))),
        2 => is_plain_list(list.value, WireType::ThirtyTwoBit, |packed| packed.len() % 4 == 0),
        3 => is_plain_list(list.value, WireType::Varint, |packed| {
            packed.last().is_none_or(|byte| byte & 0x80 == 0)
        }),
        _ => Ok(false),
    }
}

/// Whether a list of numbers is packed in one part, which must end with a whole number, or has each
/// for itself.
fn is_plain_list(
    list: &[u8],
    single: WireType,
    ends_whole: impl FnOnce(&[u8]) -> bool,
) -> Result<bool, DecodeError> {
    let mut fields = Fields::of(list);
    match fields.next().transpose()? {
        None => Ok(true),
        Some(packed) if is_one(packed, WireType::LengthDelimited) => {
            Ok(fields.next().is_none() && ends_whole(packed.value))
        }
        Some(_) => all(list, |value| Ok(is_one(value, single))),
    }
}

/// Whether a field is field 1 of its message, written in this way.
fn is_one(field: Field<'_>, wire_type: WireType) -> bool {
    field.number == 1 && field.wire_type == wire_type
}

/// Whether something holds for all fields of a message.
fn all(
    message: &[u8],
    holds: impl Fn(Field<'_>) -> Result<bool, DecodeError>,
) -> Result<bool, DecodeError> {
    for field in Fields::of(message) {
        if !holds(field?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensorflow::{feature::Kind, BytesList, Feature, Features, FloatList, Int64List};

    fn delimited(number: u8, content: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, content.len() as u8], content].concat()
    }

    /// An example with one entry of its map of features.
    fn example(entry: &[u8]) -> Vec<u8> {
        delimited(1, &delimited(1, entry))
    }

    fn feature(name: &[u8], feature: &[u8]) -> Vec<u8> {
        example(&[delimited(1, name), delimited(2, feature)].concat())
    }

    fn meaning(example: &[u8]) -> Vec<(String, Option<Kind>)> {
        let features = Example::decode(example).unwrap().features.unwrap_or_default();
        features.feature.into_iter().map(|(name, feature)| (name, feature.kind)).collect()
    }

    #[test]
    fn what_most_programs_write_is_plain() {
        for plain in [
            vec![],
            delimited(1, b""),
            feature(b"x", b""),
            feature(b"", &delimited(1, b"")),
            feature(b"x", &delimited(1, &[delimited(1, b"a"), delimited(1, b"")].concat())),
            feature(b"x", &delimited(2, &delimited(1, &[0; 8]))),
            feature(b"x", &delimited(2, b"\x0d\0\0\0\0\x0d\0\0\0\x01")),
            feature(b"x", &delimited(3, &delimited(1, b"\x81\x01\x02"))),
            feature(b"x", &delimited(3, b"\x08\x81\x01\x08\x02")),
            [feature(b"x", b""), feature(b"y", b"")].concat(),
            [feature(b"x", b""), delimited(9, b"unknown"), vec![0x50, 1]].concat(),
        ] {
            assert_eq!(is_plain_example(&plain), Ok(true), "{plain:?}");
            assert!(Example::decode(&plain[..]).is_ok());
            assert_eq!(meaning(&plain_example(&plain).unwrap()), meaning(&plain));
        }
    }

    #[test]
    fn what_protobuf_allows_beyond_that_is_written_anew() {
        let ints = delimited(3, &delimited(1, b"\x05"));
        let more_ints = delimited(3, &delimited(1, b"\x06"));
        let both = [&ints[..], &more_ints].concat();
        for odd in [
            example(b""),
            example(&delimited(1, b"x")),
            example(&delimited(2, &ints)),
            example(&[delimited(2, &ints), delimited(1, b"x")].concat()),
            example(&[delimited(1, b"x"), delimited(2, &ints), delimited(2, &ints)].concat()),
            feature(b"x", &both),
            feature(b"x", &[delimited(1, b""), ints.clone()].concat()),
            feature(b"x", &delimited(9, b"")),
            feature(b"x", &delimited(3, &[delimited(1, b"\x05"), delimited(1, b"\x06")].concat())),
            feature(b"x", &delimited(3, &[delimited(1, b"\x05"), b"\x08\x06".to_vec()].concat())),
            feature(b"x", &delimited(2, &[delimited(1, &[0; 4]), vec![0x0d, 0, 0, 0, 0]].concat())),
            delimited(1, &[delimited(1, &delimited(1, b"x")), delimited(2, b"")].concat()),
            [feature(b"x", &ints), b"\x53\x54".to_vec()].concat(),
        ] {
            assert_eq!(is_plain_example(&odd), Ok(false), "{odd:?}");
            let plain = plain_example(&odd).unwrap();
            assert_eq!(is_plain_example(&plain), Ok(true), "{plain:?}");
            assert_eq!(meaning(&plain), meaning(&odd));
        }
    }

    #[test]
    fn what_is_malformed_is_found_out() {
        let unfinished = feature(b"x", &delimited(3, &delimited(1, b"\x05\x80")));
        let half_a_float = feature(b"x", &delimited(2, &delimited(1, &[0; 6])));
        for broken in [
            &b"garbage"[..],
            b"\x0a\x05\0",
            &example(b"\x0a\x07x"),
            &feature(b"\xff", b""),
            &feature(b"x", b"\x0a\x05"),
            &feature(b"x", &delimited(1, b"\x08\x01")),
            &unfinished,
            &half_a_float,
        ] {
            let found = is_plain_example(broken).and_then(|plain| match plain {
                true => Ok(Vec::new()),
                false => plain_example(broken),
            });
            assert!(found.is_err(), "{broken:?}");
        }
    }

    #[test]
    fn no_cut_makes_a_difference_to_what_protobuf_says() {
        let kinds = [
            Kind::BytesList(BytesList { value: vec![Bytes::from_static(b"ab"), Bytes::new()] }),
            Kind::FloatList(FloatList { value: vec![1.5, -0.0] }),
            Kind::Int64List(Int64List { value: vec![-1, 0, 1 << 40] }),
        ];
        let feature = ["a", "b", "c"].into_iter().zip(kinds);
        let feature =
            feature.map(|(name, kind)| (name.to_owned(), Feature { kind: Some(kind) })).collect();
        let whole = Example { features: Some(Features { feature }) }.encode_to_vec();
        for end in 0..=whole.len() {
            let cut = &whole[..end];
            let verdict = is_plain_example(cut).and_then(|plain| match plain {
                true => Ok(()),
                false => plain_example(cut).map(drop),
            });
            assert_eq!(verdict.is_ok(), Example::decode(cut).is_ok(), "cut at {end}");
        }
    }
}
