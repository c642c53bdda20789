// SPDX-License-Identifier: Apache-2.0
//! Examples, the input of Classify and Regress, as the tensor of strings that a graph parses.

use bytes::Buf;
use slipway_proto::{ExampleList, ExampleListWithContext, Input, InputKind, Strings};

use crate::{Error, Result, Room, Tensor};

/// The examples of an input, serialized, in a vector of strings, where there is `room` for them.
///
/// A context's bytes go before those of each example: to protobuf that is their merge, in which a
/// feature of the example wins over the context's.
///
/// # Errors
/// INVALID_ARGUMENT `Input is empty.` without examples; RESOURCE_EXHAUSTED without room, before
/// memory is taken.
pub fn examples_from_wire(input: Option<&Input>, room: Room<'_>) -> Result<Tensor> {
    let (context, examples) = match input.and_then(|input| input.kind.as_ref()) {
        Some(InputKind::ExampleList(ExampleList { examples })) => (&[][..], examples.as_slice()),
        Some(InputKind::ExampleListWithContext(ExampleListWithContext { examples, context })) => {
            (context.as_ref(), examples.as_slice())
        }
        None => (&[][..], &[][..]),
    };
    if examples.is_empty() {
        return Err(Error::invalid_argument("Input is empty."));
    }
    let bytes = examples
        .iter()
        .map(|example| example.len())
        .try_fold(0usize, |sum, length| sum.checked_add(context.len())?.checked_add(length));
    room.take_strings(examples.len(), bytes.unwrap_or(usize::MAX))?;
    let mut strings = Strings::with_capacity(examples.len(), bytes.unwrap_or_default());
    for example in examples {
        strings.push_from(&mut context.chain(example.as_ref()), context.len() + example.len());
    }
    Tensor::from_strings(vec![examples.len() as i64], strings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, Data, Lease};
    use bytes::Bytes;
    use prost::Message;
    use slipway_proto::tensorflow::{feature::Kind, Example, Feature, Features, Int64List};

    fn example(features: &[(&str, i64)]) -> Example {
        let int64 =
            |value| Feature { kind: Some(Kind::Int64List(Int64List { value: vec![value] })) };
        let feature =
            features.iter().map(|&(name, value)| (name.to_owned(), int64(value))).collect();
        Example { features: Some(Features { feature }) }
    }

    fn bytes(example: &Example) -> Bytes {
        example.encode_to_vec().into()
    }

    fn list(examples: &[Example]) -> Input {
        let examples = examples.iter().map(bytes).collect();
        Input { kind: Some(InputKind::ExampleList(ExampleList { examples })) }
    }

    fn with_context(context: &Example, examples: &[Example]) -> Input {
        let (context, examples) = (bytes(context), examples.iter().map(bytes).collect());
        let list = ExampleListWithContext { examples, context };
        Input { kind: Some(InputKind::ExampleListWithContext(list)) }
    }

    fn fed(input: &Input) -> Vec<Example> {
        let lease = Lease::unlimited();
        let room = Room { max_tensor_bytes: 1 << 20, lease: &lease };
        let tensor = examples_from_wire(Some(input), room).unwrap();
        let Data::Strings(strings) = tensor.data() else { panic!("{tensor:?}") };
        assert_eq!(tensor.shape(), [strings.len() as i64]);
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
    fn a_context_is_not_repeated_beyond_the_room_there_is() {
        let input = with_context(&example(&[("a", 1)]), &vec![example(&[]); 100]);
        let lease = Lease::unlimited();
        let room = Room { max_tensor_bytes: 1000, lease: &lease };
        let error = examples_from_wire(Some(&input), room).unwrap_err();
        assert_eq!(error.code, Code::ResourceExhausted);
    }

    #[test]
    fn what_travels_is_the_published_message() {
        let input = with_context(&example(&[("a", 1)]), &[example(&[("b", 2)])]);
        assert_eq!(Input::decode(input.encode_to_vec().as_slice()).unwrap(), input);
        // Field 2 of Input: field 1 is an example, field 2 the context.
        let (a, b) = (bytes(&example(&[("a", 1)])), bytes(&example(&[("b", 2)])));
        let inner = [&[0x0a, b.len() as u8][..], &b, &[0x12, a.len() as u8], &a].concat();
        let outer = [&[0x12, inner.len() as u8][..], &inner].concat();
        assert_eq!(input.encode_to_vec(), outer);
    }
}
