// SPDX-License-Identifier: Apache-2.0
//! Examples, the input of Classify and Regress, as the tensor of strings that a graph parses.

use std::borrow::Cow;
use std::fmt;

use bytes::Buf;
use slipway_proto::{is_plain_example, plain_example, Input, Strings};

use crate::budget::STRING_COST;
use crate::{Error, Result, Room, Tensor};

/// What an example takes at most while it is written anew, for each of its bytes: an object for a
/// feature or a value of a few bytes.
const REWRITING_COST: usize = 64;
/// How many times as long it may become: an entry of the map may leave out half of itself.
const REWRITING_GROWTH: usize = 2;

/// The examples of an input, serialized, in a vector of strings, where there is `room` for them.
///
/// A context's bytes go before those of each example: to protobuf that is their merge, in which a
/// feature of the example wins over the context's. Bytes are passed on as they came, save for an
/// example that a graph could not read though protobuf can.
///
/// # Errors
/// INVALID_ARGUMENT `Input is empty.` without examples, or naming the one that is malformed;
/// RESOURCE_EXHAUSTED without room, before memory is taken.
pub fn examples_from_wire(input: Option<&Input>, room: Room<'_>) -> Result<Tensor> {
    let none = Input::default();
    let input = input.unwrap_or(&none);
    let broken = |error| malformed(&"The input", &error);
    let context = input.context().map_err(broken)?;
    let context = plain(&context, &"The context of the input", room)?;
    let (mut count, mut bytes, mut is_plain) = (0usize, 0usize, true);
    for example in input.examples() {
        let example = example.map_err(broken)?;
        let growth = match is_plain_example(example) {
            Ok(true) => 1,
            Ok(false) => {
                is_plain = false;
                REWRITING_GROWTH
            }
            Err(error) => return Err(malformed(&Numbered(count), &error)),
        };
        count += 1;
        bytes = bytes.saturating_add(context.len()).saturating_add(growth * example.len());
        if count > room.max_tensor_bytes / STRING_COST {
            // However many more there are.
            break;
        }
    }
    if count == 0 {
        return Err(Error::invalid_argument("Input is empty."));
    }
    room.take_strings(count, bytes)?;
    let mut strings = Strings::with_capacity(count, bytes);
    for (index, example) in input.examples().enumerate() {
        let example = example.map_err(broken)?;
        let example = match is_plain {
            true => Cow::Borrowed(example),
            false => plain(example, &Numbered(index), room)?,
        };
        strings.push_from(&mut context.chain(&*example), context.len() + example.len());
    }
    Tensor::from_strings(vec![count as i64], strings)
}

/// `examples`, each with the bytes of `context` before its own, where there is `room` for them; they
/// are serialized as graphs read them.
///
/// # Errors
/// RESOURCE_EXHAUSTED without room, before memory is taken.
pub fn examples_with_context(context: &[u8], examples: Strings, room: Room<'_>) -> Result<Tensor> {
    let count = examples.len();
    if context.is_empty() {
        return Tensor::from_strings(vec![count as i64], examples);
    }
    let bytes = context.len().saturating_mul(count).saturating_add(examples.byte_len());
    room.take_strings(count, bytes)?;
    let mut strings = Strings::with_capacity(count, bytes);
    for example in examples.iter() {
        strings.push_from(&mut context.chain(example), context.len() + example.len());
    }
    Tensor::from_strings(vec![count as i64], strings)
}

/// An example as a graph reads it.
fn plain<'a>(example: &'a [u8], name: &dyn fmt::Display, room: Room<'_>) -> Result<Cow<'a, [u8]>> {
    let refuse = |error| malformed(name, &error);
    if is_plain_example(example).map_err(refuse)? {
        return Ok(Cow::Borrowed(example));
    }
    room.take(example.len().saturating_mul(REWRITING_COST))?;
    plain_example(example).map(Cow::Owned).map_err(refuse)
}

/// An example in messages.
struct Numbered(usize);

impl fmt::Display for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Example {} of the input", self.0)
    }
}

fn malformed(name: &dyn fmt::Display, error: &dyn fmt::Display) -> Error {
    Error::invalid_argument(format!("{name} is malformed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, Data, Lease};
    use prost::Message;
    use slipway_proto::tensorflow::{feature::Kind, Example, Feature, Features, Int64List};

    fn example(features: &[(&str, i64)]) -> Example {
        let int64 =
            |value| Feature { kind: Some(Kind::Int64List(Int64List { value: vec![value] })) };
        let feature =
            features.iter().map(|&(name, value)| (name.to_owned(), int64(value))).collect();
        Example { features: Some(Features { feature }) }
    }

    fn serialized(examples: &[Example]) -> Vec<Vec<u8>> {
        examples.iter().map(Message::encode_to_vec).collect()
    }

    fn list(examples: &[Example]) -> Input {
        Input::of(None, &serialized(examples))
    }

    fn with_context(context: &Example, examples: &[Example]) -> Input {
        Input::of(Some(&context.encode_to_vec()), &serialized(examples))
    }

    fn strings(input: &Input) -> Result<Strings> {
        let lease = Lease::unlimited();
        let room = Room { max_tensor_bytes: 1 << 20, lease: &lease };
        let tensor = examples_from_wire(Some(input), room)?;
        let shape = tensor.shape().to_vec();
        let (_, _, Data::Strings(strings)) = tensor.into_parts() else { panic!("no strings") };
        assert_eq!(shape, [strings.len() as i64]);
        Ok(strings)
    }

    fn fed(input: &Input) -> Vec<Example> {
        let strings = strings(input).unwrap();
        strings.iter().map(|string| Example::decode(string).unwrap()).collect()
    }

    #[test]
    fn examples_are_fed_in_their_order() {
        let examples = [example(&[("a", 1)]), example(&[]), example(&[("b", 2)])];
        assert_eq!(fed(&list(&examples)), examples);
    }

    #[test]
    fn e26_an_example_wins_over_its_context() {
        let input =
            with_context(&example(&[("c", 33)]), &[example(&[("a", 1)]), example(&[("c", 64)])]);
        assert_eq!(fed(&input), [example(&[("a", 1), ("c", 33)]), example(&[("c", 64)])]);
        let lease = Lease::unlimited();
        let room = Room { max_tensor_bytes: 1000, lease: &lease };
        let examples = serialized(&[example(&[("a", 1)]), example(&[("c", 64)])]);
        let context = example(&[("c", 33)]).encode_to_vec();
        let tensor = examples_with_context(&context, examples.into_iter().collect(), room).unwrap();
        assert_eq!(tensor.strings(), Some(&strings(&input).unwrap()));
    }

    #[test]
    fn e17_an_input_without_examples_is_empty() {
        let lease = Lease::unlimited();
        let room = Room { max_tensor_bytes: 1 << 20, lease: &lease };
        let contextual = with_context(&example(&[("a", 1)]), &[]);
        for input in [None, Some(&Input::default()), Some(&list(&[])), Some(&contextual)] {
            let error = examples_from_wire(input, room).unwrap_err();
            assert_eq!(error, Error::invalid_argument("Input is empty."));
        }
    }

    #[test]
    fn nothing_is_repeated_beyond_the_room_there_is() {
        let context = example(&[("a", 1)]);
        let many = vec![example(&[]); 100];
        let lease = Lease::unlimited();
        let room = Room { max_tensor_bytes: 1000, lease: &lease };
        let code = |result: Result<Tensor>| result.unwrap_err().code;
        let input = with_context(&context, &many);
        assert_eq!(code(examples_from_wire(Some(&input), room)), Code::ResourceExhausted);
        let strings: Strings = serialized(&many).into_iter().collect();
        let context = context.encode_to_vec();
        assert_eq!(code(examples_with_context(&context, strings, room)), Code::ResourceExhausted);
    }

    #[test]
    fn many_examples_of_nothing_cost_what_they_take() {
        let input = Input::of(None, &[b""; 100]);
        let lease = Lease::unlimited();
        let room = |max_tensor_bytes| Room { max_tensor_bytes, lease: &lease };
        assert!(examples_from_wire(Some(&input), room(2400)).is_ok());
        let error = examples_from_wire(Some(&input), room(2399)).unwrap_err();
        assert_eq!(error.code, Code::ResourceExhausted);
    }

    #[test]
    fn what_graphs_do_not_read_is_written_anew_where_protobuf_does() {
        // An entry of the map without its empty value, as some libraries leave it out.
        let odd = b"\x0a\x05\x0a\x03\x0a\x01x";
        let plain = b"\x0a\x07\x0a\x05\x0a\x01x\x12\0";
        let after = example(&[("y", 1)]).encode_to_vec();
        let input = Input::of(Some(odd), &[&odd[..], &after]);
        let expected = [[&plain[..], plain].concat(), [&plain[..], &after].concat()];
        assert_eq!(strings(&input).unwrap(), expected.into_iter().collect());
        let lease = Lease::unlimited();
        let room = Room { max_tensor_bytes: 300, lease: &lease };
        let error = examples_from_wire(Some(&Input::of(None, &[odd])), room).unwrap_err();
        assert_eq!(error.code, Code::ResourceExhausted);
    }

    #[test]
    fn the_one_that_is_malformed_is_named() {
        let good = example(&[("a", 1)]).encode_to_vec();
        let message = |context: Option<&[u8]>, examples: &[&[u8]]| {
            let error = strings(&Input::of(context, examples)).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            error.message
        };
        let cut = &good[..good.len() - 1];
        let message_of_second = message(None, &[&good, cut]);
        assert!(
            message_of_second.starts_with("Example 1 of the input is malformed: failed to decode"),
            "{message_of_second}"
        );
        // What only a reading of the whole finds out.
        let bad_name = b"\x0a\x07\x0a\x05\x0a\x01\xff\x12\0";
        assert!(message(None, &[bad_name]).starts_with("Example 0 of the input is malformed"));
        assert!(message(Some(cut), &[&good]).starts_with("The context of the input is malformed"));
        let input = Input::decode(&b"\x0a\x02\x0a\x05"[..]).unwrap();
        let error = strings(&input).unwrap_err();
        assert!(error.message.starts_with("The input is malformed"), "{error}");
    }
}
