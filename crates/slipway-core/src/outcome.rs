// SPDX-License-Identifier: Apache-2.0
//! What the outputs of a run say about each example: classes, or a value.

use bytes::BufMut;
use prost::encoding::{encode_varint, encoded_len_varint};
use slipway_proto::{Serialized, Strings};

use crate::{DType, Error, Inference, Result, Tensor};

/// The outcome of a Classify or Regress task.
#[derive(Debug)]
pub enum Outcome<'a> {
    Classified(Classes<'a>),
    Regressed(Values<'a>),
}

/// The classes of each example, in the order of the model's outputs.
#[derive(Clone, Copy, Debug)]
pub struct Classes<'a> {
    examples: usize,
    /// Of each example.
    classes: usize,
    labels: Option<&'a Strings>,
    /// Floats.
    scores: Option<&'a Tensor>,
}

/// A value for each example.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a>(&'a Tensor);

impl<'a> Outcome<'a> {
    /// Reads the outputs that a task has, in their order.
    ///
    /// # Errors
    /// INVALID_ARGUMENT in TensorFlow Serving's words when they are of another shape or dtype.
    pub(crate) fn new(
        inference: Inference,
        examples: usize,
        outputs: &[Option<&'a Tensor>],
    ) -> Result<Self> {
        match (inference, outputs) {
            (Inference::Classify, &[labels, scores]) => {
                Classes::new(examples, labels, scores).map(Self::Classified)
            }
            (Inference::Regress, &[Some(values)]) => {
                Values::new(examples, values).map(Self::Regressed)
            }
            _ => Err(Error::internal("a task has other outputs than its run: this is a bug")),
        }
    }
}

impl<'a> Classes<'a> {
    /// The classes of so many examples by the outputs that a model has of the two.
    ///
    /// # Errors
    /// INVALID_ARGUMENT in TensorFlow Serving's words when they are of another shape or dtype.
    pub fn new(
        examples: usize,
        labels: Option<&'a Tensor>,
        scores: Option<&'a Tensor>,
    ) -> Result<Self> {
        let check = |name: &str, tensor: &Tensor, dtype: DType| {
            let &[batch, classes] = tensor.shape() else {
                let shape = bracketed(tensor.shape());
                return refuse(format!(
                    "Expected Tensor shape: [batch_size num_classes] but got {shape}"
                ));
            };
            if tensor.dtype() != dtype {
                let (wanted, found) = (dtype.wire_name(), tensor.dtype().wire_name());
                return refuse(format!("Expected {name} Tensor of {wanted}. Got: {found}"));
            }
            if batch as usize != examples {
                return refuse(format!(
                    "Expected {name} output batch size of {examples}. Got: {batch}"
                ));
            }
            Ok(classes)
        };
        let labelled = labels.map(|tensor| check("classes", tensor, DType::String)).transpose()?;
        let scored = scores.map(|tensor| check("scores", tensor, DType::Float)).transpose()?;
        if let (Some(labelled), Some(scored)) = (labelled, scored) {
            if labelled != scored {
                return refuse(format!(
                    "Tensors class and score should match in dim_size(1). Got {labelled} vs. \
                     {scored}"
                ));
            }
        }
        let classes = labelled.or(scored).unwrap_or(0) as usize;
        Ok(Self { examples, classes, labels: labels.and_then(Tensor::strings), scores })
    }

    /// How many examples there are.
    pub fn examples(&self) -> usize {
        self.examples
    }

    /// Label and score of each class of an example; empty and 0 where the model has none.
    pub fn of(&self, example: usize) -> impl Iterator<Item = (&'a [u8], f32)> + Clone {
        let Self { classes, labels, scores, .. } = *self;
        let scores = scores.and_then(Tensor::bytes);
        let begin = example * classes;
        (begin..begin + classes).map(move |place| {
            let label = labels.map_or(&[][..], |labels| labels.get(place));
            let score = scores.map_or(0.0, |scores| {
                bytemuck::pod_read_unaligned(&scores[size_of::<f32>() * place..][..4])
            });
            (label, score)
        })
    }

    /// As a `tensorflow.serving.ClassificationResult`.
    pub fn to_wire(&self) -> Serialized {
        let mut out = Vec::new();
        for example in 0..self.examples {
            let classes = self.of(example);
            let length = classes.clone().map(|class| field_len(class_len(class))).sum();
            put_field(&mut out, 1, length);
            for class @ (label, score) in classes {
                put_field(&mut out, 1, class_len(class));
                if !label.is_empty() {
                    put_field(&mut out, 1, label.len());
                    out.put_slice(label);
                }
                put_float(&mut out, 2, score);
            }
        }
        out.into()
    }
}

impl<'a> Values<'a> {
    /// The values of so many examples.
    ///
    /// # Errors
    /// INVALID_ARGUMENT in TensorFlow Serving's words when they are of another shape or dtype.
    pub fn new(examples: usize, values: &'a Tensor) -> Result<Self> {
        let batch = match *values.shape() {
            [batch] | [batch, 1] => batch,
            _ => {
                let shape = bracketed(values.shape());
                return refuse(format!(
                    "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but \
                     got {shape}"
                ));
            }
        };
        if batch as usize != examples {
            return refuse(format!(
                "Input batch size did not match output batch size: {examples} vs. {batch}"
            ));
        }
        if values.dtype() != DType::Float {
            let found = values.dtype().wire_name();
            // The two blanks are the original's.
            return refuse(format!("Expected output Tensor of DT_FLOAT.  Got: {found}"));
        }
        Ok(Self(values))
    }

    /// The value of each example.
    pub fn iter(&self) -> impl Iterator<Item = f32> + 'a {
        self.0.elements().into_iter().flatten()
    }

    /// As a `tensorflow.serving.RegressionResult`.
    pub fn to_wire(&self) -> Serialized {
        let mut out = Vec::new();
        for value in self.iter() {
            put_field(&mut out, 1, float_len(value));
            put_float(&mut out, 1, value);
        }
        out.into()
    }
}

fn class_len((label, score): (&[u8], f32)) -> usize {
    let label = if label.is_empty() { 0 } else { field_len(label.len()) };
    label + float_len(score)
}

/// Bytes of a field that has `length` bytes of content.
fn field_len(length: usize) -> usize {
    1 + encoded_len_varint(length as u64) + length
}

/// Zero goes without saying, and minus zero is another number.
fn float_len(value: f32) -> usize {
    if value.to_bits() == 0 {
        0
    } else {
        5
    }
}

/// Begins a field of `length` bytes.
fn put_field(out: &mut Vec<u8>, number: u8, length: usize) {
    out.put_u8(number << 3 | 2);
    encode_varint(length as u64, out);
}

fn put_float(out: &mut Vec<u8>, number: u8, value: f32) {
    if float_len(value) > 0 {
        out.put_u8(number << 3 | 5);
        out.put_f32_le(value);
    }
}

fn refuse<T>(reason: String) -> Result<T> {
    Err(Error::invalid_argument(reason))
}

/// `[2,3]`
fn bracketed(shape: &[i64]) -> String {
    let dims: Vec<String> = shape.iter().map(i64::to_string).collect();
    format!("[{}]", dims.join(","))
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use slipway_proto::tensorflow::serving::{Class, Classifications, Regression};

    use super::*;

    /// The generated messages that `Serialized` stands for.
    #[derive(Clone, PartialEq, Message)]
    struct ClassificationResult {
        #[prost(message, repeated, tag = "1")]
        classifications: Vec<Classifications>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct RegressionResult {
        #[prost(message, repeated, tag = "1")]
        regressions: Vec<Regression>,
    }

    fn strings(shape: &[i64], values: &[&str]) -> Tensor {
        Tensor::from_strings(shape.to_vec(), Strings::from_iter(values)).unwrap()
    }

    fn floats(shape: &[i64], values: &[f32]) -> Tensor {
        Tensor::from_slice(shape.to_vec(), values).unwrap()
    }

    fn classified(
        examples: usize,
        labels: Option<&Tensor>,
        scores: Option<&Tensor>,
    ) -> Result<Vec<Vec<(String, f32)>>> {
        let Outcome::Classified(classes) =
            Outcome::new(Inference::Classify, examples, &[labels, scores])?
        else {
            panic!("not classified");
        };
        let wire = classes.to_wire();
        let result = ClassificationResult::decode(wire.as_ref()).unwrap();
        let classes = |one: Classifications| {
            one.classes.into_iter().map(|Class { label, score }| (label, score)).collect()
        };
        Ok(result.classifications.into_iter().map(classes).collect())
    }

    fn regressed(examples: usize, values: &Tensor) -> Result<Vec<f32>> {
        let Outcome::Regressed(values) =
            Outcome::new(Inference::Regress, examples, &[Some(values)])?
        else {
            panic!("not regressed");
        };
        let wire = values.to_wire();
        let result = RegressionResult::decode(wire.as_ref()).unwrap();
        Ok(result.regressions.into_iter().map(|Regression { value }| value).collect())
    }

    fn class(label: &str, score: f32) -> (String, f32) {
        (label.to_owned(), score)
    }

    #[test]
    fn e12_classes_keep_their_order_and_their_scores() {
        let labels = strings(&[2, 2], &["dos", "uno", "cuatro", "tres"]);
        let scores = floats(&[2, 2], &[2.0, 1.0, 4.0, 3.0]);
        assert_eq!(
            classified(2, Some(&labels), Some(&scores)).unwrap(),
            [[class("dos", 2.0), class("uno", 1.0)], [class("cuatro", 4.0), class("tres", 3.0)]]
        );
    }

    #[test]
    fn e15_what_the_model_does_not_say_is_empty() {
        let (labels, scores) = (strings(&[1, 1], &["x"]), floats(&[1, 1], &[2.0]));
        assert_eq!(classified(1, Some(&labels), None).unwrap(), [[class("x", 0.0)]]);
        assert_eq!(classified(1, None, Some(&scores)).unwrap(), [[class("", 2.0)]]);
        let none = floats(&[2, 0], &[]);
        assert_eq!(classified(2, None, Some(&none)).unwrap(), [const { vec![] }; 2]);
    }

    #[test]
    fn e16_a_score_of_zero_is_a_class_too() {
        let labels = strings(&[1, 3], &["a", "b", "c"]);
        let scores = floats(&[1, 3], &[-1.0, 0.0, 1.0]);
        assert_eq!(
            classified(1, Some(&labels), Some(&scores)).unwrap(),
            [[class("a", -1.0), class("b", 0.0), class("c", 1.0)]]
        );
    }

    #[test]
    fn e19_classes_of_another_shape_or_dtype_are_refused() {
        let labels = strings(&[2, 2], &["a"; 4]);
        let narrow = strings(&[2, 1], &["a"; 2]);
        let (one, three) = (strings(&[1, 2], &["a"; 2]), floats(&[2, 3], &[0.0; 6]));
        let (cube, flat) = (floats(&[2, 1, 1], &[0.0; 2]), floats(&[2], &[0.0; 2]));
        let doubles = Tensor::from_slice(vec![2, 1], &[0f64; 2]).unwrap();
        for (labels, scores, message) in [
            (Some(&one), None, "Expected classes output batch size of 2. Got: 1"),
            (
                None,
                Some(&floats(&[3, 1], &[0.0; 3])),
                "Expected scores output batch size of 2. Got: 3",
            ),
            (Some(&three), None, "Expected classes Tensor of DT_STRING. Got: DT_FLOAT"),
            (None, Some(&labels), "Expected scores Tensor of DT_FLOAT. Got: DT_STRING"),
            (None, Some(&doubles), "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE"),
            (
                Some(&labels),
                Some(&three),
                "Tensors class and score should match in dim_size(1). Got 2 vs. 3",
            ),
            (None, Some(&cube), "Expected Tensor shape: [batch_size num_classes] but got [2,1,1]"),
            (
                Some(&narrow),
                Some(&flat),
                "Expected Tensor shape: [batch_size num_classes] but got [2]",
            ),
        ] {
            let error = classified(2, labels, scores).unwrap_err();
            assert_eq!(error, Error::invalid_argument(message));
        }
    }

    #[test]
    fn e20_values_come_one_a_row_or_as_a_vector() {
        assert_eq!(regressed(2, &floats(&[2], &[2.0, 3.0])).unwrap(), [2.0, 3.0]);
        assert_eq!(regressed(2, &floats(&[2, 1], &[0.0, -3.0])).unwrap(), [0.0, -3.0]);
        let odd = regressed(2, &floats(&[2], &[f32::NAN, -0.0])).unwrap();
        assert!(odd[0].is_nan() && odd[1].is_sign_negative());
    }

    #[test]
    fn e21_values_of_another_shape_or_dtype_are_refused() {
        for (values, message) in [
            (floats(&[2], &[0.0; 2]), "Input batch size did not match output batch size: 1 vs. 2"),
            (strings(&[1], &["x"]), "Expected output Tensor of DT_FLOAT.  Got: DT_STRING"),
            (
                floats(&[1, 2], &[0.0; 2]),
                "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got \
                 [1,2]",
            ),
            (
                floats(&[], &[0.0]),
                "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got \
                 []",
            ),
        ] {
            let error = regressed(1, &values).unwrap_err();
            assert_eq!(error, Error::invalid_argument(message));
        }
    }

    #[test]
    fn a_label_need_not_be_text() {
        let labels = Tensor::from_strings(vec![1, 1], Strings::from_iter([b"\xff"])).unwrap();
        let Ok(Outcome::Classified(classes)) =
            Outcome::new(Inference::Classify, 1, &[Some(&labels), None])
        else {
            panic!("not classified");
        };
        assert_eq!(classes.of(0).collect::<Vec<_>>(), [(&b"\xff"[..], 0.0)]);
        assert_eq!(classes.to_wire().as_ref(), b"\x0a\x05\x0a\x03\x0a\x01\xff");
    }
}
