// SPDX-License-Identifier: Apache-2.0
//! Answers as JSON, laid out to the blank as RapidJSON's pretty writer does.

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use bytemuck::AnyBitPattern;
use slipway_core::number_text::{push_float, push_integer};
use slipway_core::{Classes, DType, Error, Outcome, Result, Tensor, Values};

use super::narrow::{BFLOAT16, HALF};
use super::text::plain_run;
use super::Format;

/// The body of an answer; `tensors[i]` is the output with the alias `aliases[i]`.
///
/// # Errors
/// INVALID_ARGUMENT when there is no output, when one is of a dtype without a form in JSON, and in
/// rows when outputs do not share their first dim.
pub(crate) fn write_predict(
    format: Format,
    aliases: &[&str],
    tensors: &[Tensor],
) -> Result<Vec<u8>> {
    if tensors.is_empty() {
        return Err(Error::invalid_argument("Cannot convert empty tensor map to JSON"));
    }
    let mut outputs: Vec<_> = aliases.iter().zip(tensors).map(Output::new).collect();
    outputs.sort_by_key(|output| output.alias);
    // A usual element takes a dozen bytes; what is missing is added as it is needed.
    let elements: usize = outputs.iter().map(|output| output.dims.iter().product::<usize>()).sum();
    let mut out = Vec::with_capacity(64 + 12 * elements);
    match format {
        Format::Row => write_rows(&mut out, &outputs)?,
        Format::Column => write_columns(&mut out, &outputs)?,
    }
    Ok(out)
}

/// The body of the answer to Classify or Regress.
///
/// # Errors
/// INVALID_ARGUMENT when there is no example.
pub(crate) fn write_results(outcome: &Outcome<'_>) -> Result<Vec<u8>> {
    match outcome {
        Outcome::Classified(classes) => write_classes(classes),
        Outcome::Regressed(values) => write_values(values),
    }
}

fn write_classes(classes: &Classes<'_>) -> Result<Vec<u8>> {
    if classes.examples() == 0 {
        return Err(Error::invalid_argument("Cannot convert empty ClassificationResults to JSON"));
    }
    let mut out = b"{\n    \"results\": [".to_vec();
    for example in 0..classes.examples() {
        out.extend_from_slice(if example == 0 { b"[" } else { b", [" });
        for (index, (label, score)) in classes.of(example).enumerate() {
            out.extend_from_slice(if index == 0 { b"[" } else { b", [" });
            push_string(&mut out, label);
            out.extend_from_slice(b", ");
            push_float(&mut out, score);
            out.push(b']');
        }
        out.push(b']');
    }
    close_line(&mut out, 1);
    out.extend_from_slice(b"]\n}");
    Ok(out)
}

fn write_values(values: &Values<'_>) -> Result<Vec<u8>> {
    let mut out = b"{\n    \"results\": [".to_vec();
    let mut separator: &[u8] = b"";
    for value in values.iter() {
        out.extend_from_slice(separator);
        push_float(&mut out, value);
        separator = b", ";
    }
    if separator.is_empty() {
        return Err(Error::invalid_argument("Cannot convert empty RegressionResults to JSON"));
    }
    out.extend_from_slice(b"]\n}");
    Ok(out)
}

/// The body that reports an error.
pub(crate) fn write_error(message: &str) -> Vec<u8> {
    let mut out = b"{\n    \"error\": ".to_vec();
    push_string(&mut out, message.as_bytes());
    out.extend_from_slice(b"\n}");
    out
}

fn write_rows(out: &mut Vec<u8>, outputs: &[Output<'_>]) -> Result<()> {
    let rows = row_count(outputs)?;
    out.extend_from_slice(b"{\n    \"predictions\": [");
    if let [output] = outputs {
        output.write(out, Layout::OneLine, Part::Items)?;
    } else {
        for row in 0..rows {
            open_line(out, row, 2);
            out.push(b'{');
            for (index, output) in outputs.iter().enumerate() {
                push_name(out, index, output.alias, 3);
                output.write(out, Layout::OneLine, Part::Row(row))?;
            }
            close_line(out, 2);
            out.push(b'}');
        }
    }
    if rows > 0 {
        close_line(out, 1);
    }
    out.extend_from_slice(b"]\n}");
    Ok(())
}

fn write_columns(out: &mut Vec<u8>, outputs: &[Output<'_>]) -> Result<()> {
    out.extend_from_slice(b"{\n    \"outputs\": ");
    if let [output] = outputs {
        output.write(out, Layout::Lines, Part::Whole { level: 1 })?;
    } else {
        out.push(b'{');
        for (index, output) in outputs.iter().enumerate() {
            push_name(out, index, output.alias, 2);
            output.write(out, Layout::Lines, Part::Whole { level: 2 })?;
        }
        close_line(out, 1);
        out.push(b'}');
    }
    out.extend_from_slice(b"\n}");
    Ok(())
}

/// The number of rows that all outputs have.
fn row_count(outputs: &[Output<'_>]) -> Result<usize> {
    let mut count = None;
    for Output { alias, dims, .. } in outputs {
        let &rows = dims.first().ok_or_else(|| {
            Error::invalid_argument(format!("Tensor name: {alias} has no shape information "))
        })?;
        let expected = *count.get_or_insert(rows);
        if rows != expected {
            return Err(Error::invalid_argument(format!(
                "Tensor name: {alias} has inconsistent batch size: {rows} expecting: {expected}"
            )));
        }
    }
    Ok(count.unwrap_or(0))
}

struct Output<'a> {
    alias: &'a str,
    tensor: &'a Tensor,
    dims: Vec<usize>,
}

/// What to write of a tensor.
#[derive(Clone, Copy)]
enum Part {
    /// All of it, within so many lists and objects.
    Whole { level: usize },
    /// The elements of its first dim, for brackets that are there already.
    Items,
    /// One element of its first dim, as a member of its row's object.
    Row(usize),
}

impl<'a> Output<'a> {
    fn new((alias, tensor): (&&'a str, &'a Tensor)) -> Self {
        let dims = tensor.shape().iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect();
        Self { alias, tensor, dims }
    }

    fn write(&self, out: &mut Vec<u8>, layout: Layout, part: Part) -> Result<()> {
        // One writing loop a dtype, each with its own conversion inlined.
        macro_rules! each {
            ($element:ty, $push:expr) => {
                self.write_with(out, layout, part, |first| self.elements::<$element>(first), $push)
            };
        }
        match self.tensor.dtype() {
            DType::Float => each!(f32, |out, value: f32, _| push_float(out, value)),
            DType::Double => each!(f64, |out, value: f64, _| push_float(out, value)),
            DType::Half => each!(u16, |out, bits: u16, _| push_float(out, HALF.value(bits))),
            DType::BFloat16 => {
                each!(u16, |out, bits: u16, _| push_float(out, BFLOAT16.value(bits)))
            }
            DType::Int8 => each!(i8, |out, value: i8, _| push_integer(out, value)),
            DType::UInt8 => each!(u8, |out, value: u8, _| push_integer(out, value)),
            DType::Int16 => each!(i16, |out, value: i16, _| push_integer(out, value)),
            DType::UInt16 => each!(u16, |out, value: u16, _| push_integer(out, value)),
            DType::Int32 => each!(i32, |out, value: i32, _| push_integer(out, value)),
            DType::UInt32 => each!(u32, |out, value: u32, _| push_integer(out, value)),
            DType::Int64 => each!(i64, |out, value: i64, _| push_integer(out, value)),
            DType::UInt64 => each!(u64, |out, value: u64, _| push_integer(out, value)),
            DType::Bool => each!(u8, |out, value: u8, _| {
                out.extend_from_slice(if value == 0 { b"false" } else { b"true" });
            }),
            DType::String if self.alias.ends_with("_bytes") => {
                self.write_with(out, layout, part, |first| self.strings(first), push_base64)
            }
            DType::String => {
                let push = |out: &mut Vec<u8>, string: &[u8], _| push_string(out, string);
                self.write_with(out, layout, part, |first| self.strings(first), push)
            }
            dtype => {
                // Without elements there is nothing that could not be written.
                if self.dims.contains(&0) {
                    return each!(u8, |_, _, _| ());
                }
                Err(Error::invalid_argument(format!(
                    "Failed to write JSON value for tensor type: {dtype}"
                )))
            }
        }
    }

    fn write_with<T, I: Iterator<Item = T>>(
        &self,
        out: &mut Vec<u8>,
        layout: Layout,
        part: Part,
        elements: impl FnOnce(usize) -> I,
        push: impl FnMut(&mut Vec<u8>, T, usize),
    ) -> Result<()> {
        let row_len = || self.dims[1..].iter().product::<usize>();
        let first = if let Part::Row(row) = part { row * row_len() } else { 0 };
        let mut nested = Nested { out, layout, elements: elements(first), push };
        match part {
            Part::Whole { level } => nested.value(&self.dims, level),
            Part::Items => nested.items(&self.dims, 1),
            Part::Row(_) => nested.value(&self.dims[1..], 3),
        }
        Ok(())
    }

    fn elements<T: AnyBitPattern>(&self, first: usize) -> impl Iterator<Item = T> + 'a {
        let size = std::mem::size_of::<T>();
        let bytes = self.tensor.bytes().unwrap_or_default();
        bytes[first * size..].chunks_exact(size).map(bytemuck::pod_read_unaligned)
    }

    fn strings(&self, first: usize) -> impl Iterator<Item = &'a [u8]> {
        let strings = self.tensor.strings();
        strings.into_iter().flat_map(move |all| (first..all.len()).map(|index| all.get(index)))
    }
}

/// How the elements of a list are set apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    OneLine,
    Lines,
}

/// Writes `elements` as nested lists; `push` gets an element and the level that it stands at.
struct Nested<'o, I, F> {
    out: &'o mut Vec<u8>,
    layout: Layout,
    elements: I,
    push: F,
}

impl<T, I: Iterator<Item = T>, F: FnMut(&mut Vec<u8>, T, usize)> Nested<'_, I, F> {
    /// A value of shape `dims` within `level` lists and objects.
    #[inline]
    fn value(&mut self, dims: &[usize], level: usize) {
        if !dims.is_empty() {
            self.out.push(b'[');
            self.items(dims, level);
            self.out.push(b']');
        } else if let Some(element) = self.elements.next() {
            (self.push)(self.out, element, level);
        }
    }

    /// What stands between the brackets of a list of shape `dims`.
    fn items(&mut self, dims: &[usize], level: usize) {
        for index in 0..dims[0] {
            match self.layout {
                Layout::Lines => open_line(self.out, index, level + 1),
                Layout::OneLine if index > 0 => self.out.extend_from_slice(b", "),
                Layout::OneLine => {}
            }
            self.value(&dims[1..], level + 1);
        }
        if self.layout == Layout::Lines && dims[0] > 0 {
            close_line(self.out, level);
        }
    }
}

/// Begins the line of the element or member number `index`.
fn open_line(out: &mut Vec<u8>, index: usize, level: usize) {
    out.extend_from_slice(if index == 0 { b"\n" } else { b",\n" });
    push_indent(out, level);
}

/// Begins the line of a closing bracket.
fn close_line(out: &mut Vec<u8>, level: usize) {
    out.push(b'\n');
    push_indent(out, level);
}

fn push_name(out: &mut Vec<u8>, index: usize, name: &str, level: usize) {
    open_line(out, index, level);
    push_string(out, name.as_bytes());
    out.extend_from_slice(b": ");
}

pub(super) fn push_indent(out: &mut Vec<u8>, level: usize) {
    out.resize(out.len() + 4 * level, b' ');
}

/// Bytes that are no UTF-8 pass as they are.
pub(super) fn push_string(out: &mut Vec<u8>, string: &[u8]) {
    out.push(b'"');
    let mut rest = string;
    loop {
        let (plain, special) = rest.split_at(plain_run(rest));
        out.extend_from_slice(plain);
        let Some((&byte, behind)) = special.split_first() else { break };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => out.extend_from_slice(format!("\\u{control:04X}").as_bytes()),
        }
        rest = behind;
    }
    out.push(b'"');
}

fn push_base64(out: &mut Vec<u8>, string: &[u8], level: usize) {
    out.push(b'{');
    close_line(out, level + 1);
    out.extend_from_slice(b"\"b64\": \"");
    let begin = out.len();
    out.resize(begin + string.len().div_ceil(3) * 4, b'=');
    // The room is what padded base64 takes, so this cannot fail.
    let written = STANDARD.encode_slice(string, &mut out[begin..]).unwrap_or(0);
    out.truncate(begin + written);
    out.push(b'"');
    close_line(out, level);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use slipway_core::{AlignedBytes, Data};
    use slipway_proto::Strings;

    use super::*;

    fn ints(shape: &[i64]) -> Tensor {
        let count = shape.iter().product::<i64>() as i32;
        Tensor::from_slice(shape.to_vec(), &(1..=count).collect::<Vec<i32>>()).unwrap()
    }

    fn strings(shape: &[i64], values: &[&str]) -> Tensor {
        Tensor::from_strings(shape.to_vec(), Strings::from_iter(values)).unwrap()
    }

    fn written(format: Format, outputs: &[(&str, Tensor)]) -> String {
        let aliases: Vec<&str> = outputs.iter().map(|(alias, _)| *alias).collect();
        let tensors: Vec<Tensor> = outputs.iter().map(|(_, tensor)| tensor.clone()).collect();
        match write_predict(format, &aliases, &tensors) {
            Ok(body) => String::from_utf8(body).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    fn compact(format: Format, outputs: &[(&str, Tensor)]) -> String {
        written(format, outputs).replace([' ', '\n'], "")
    }

    #[test]
    fn one_output_stands_bare() {
        let cube = [("y", ints(&[2, 3, 2]))];
        let values = "[[[1,2],[3,4],[5,6]],[[7,8],[9,10],[11,12]]]";
        assert_eq!(compact(Format::Row, &cube), format!("{{\"predictions\":{values}}}"));
        assert_eq!(compact(Format::Column, &cube), format!("{{\"outputs\":{values}}}"));
        let list = [("y", ints(&[5]))];
        assert_eq!(compact(Format::Row, &list), "{\"predictions\":[1,2,3,4,5]}");
        assert_eq!(compact(Format::Column, &list), "{\"outputs\":[1,2,3,4,5]}");
        assert_eq!(compact(Format::Column, &[("y", ints(&[]))]), "{\"outputs\":1}");
    }

    #[test]
    fn rows_are_laid_out_to_the_blank() {
        let floats = Tensor::from_slice(vec![2, 2], &[2.5f32, 3.0, 3.5, 4.0]).unwrap();
        assert_eq!(
            written(Format::Row, &[("y", floats)]),
            "{\n    \"predictions\": [[2.5, 3.0], [3.5, 4.0]\n    ]\n}"
        );
        assert_eq!(
            written(Format::Row, &[("b", ints(&[2, 2])), ("a", ints(&[2]))]),
            r#"{
    "predictions": [
        {
            "a": 1,
            "b": [1, 2]
        },
        {
            "a": 2,
            "b": [3, 4]
        }
    ]
}"#
        );
        assert_eq!(
            written(Format::Row, &[("y_bytes", strings(&[2], &["tf", "tf"]))]),
            r#"{
    "predictions": [{
            "b64": "dGY="
        }, {
            "b64": "dGY="
        }
    ]
}"#
        );
    }

    #[test]
    fn columns_are_laid_out_to_the_blank() {
        let square = Tensor::from_slice(vec![1, 2], &[1i64, 2]).unwrap();
        assert_eq!(
            written(Format::Column, &[("y", ints(&[])), ("x", square), ("w", ints(&[2, 0]))]),
            r#"{
    "outputs": {
        "w": [
            [],
            []
        ],
        "x": [
            [
                1,
                2
            ]
        ],
        "y": 1
    }
}"#
        );
        assert_eq!(
            written(Format::Column, &[("y_bytes", strings(&[1], &[""]))]),
            "{\n    \"outputs\": [\n        {\n            \"b64\": \"\"\n        }\n    ]\n}"
        );
    }

    #[test]
    fn an_alias_that_ends_in_bytes_makes_base64_of_strings_alone() {
        let values = strings(&[2, 2], &["hello", "world", "tf", "serving"]);
        assert_eq!(
            compact(Format::Row, &[("str_tensor_bytes", values)]),
            r#"{"predictions":[[{"b64":"aGVsbG8="},{"b64":"d29ybGQ="}],"#.to_owned()
                + r#"[{"b64":"dGY="},{"b64":"c2VydmluZw=="}]]}"#
        );
        assert_eq!(compact(Format::Row, &[("x_bytes", ints(&[1]))]), "{\"predictions\":[1]}");
    }

    #[test]
    fn floats_have_their_shortest_text_and_a_point_or_an_exponent() {
        for (value, text) in [
            (1f32, "1.0"),
            (999999.0, "999999.0"),
            (0.5, "0.5"),
            (0.0003, "0.0003"),
            (555557.5, "555557.5"),
            (16777216.0, "16777216.0"),
            (1.0 / 3.0, "0.33333334"),
            (-0.0, "-0.0"),
            (f32::NAN, "NaN"),
            (f32::INFINITY, "Infinity"),
            (f32::NEG_INFINITY, "-Infinity"),
        ] {
            let mut out = Vec::new();
            push_float(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        for value in [9e6f64, 0.00003, 1e10, 1e21, 1e300, 5e-324, 0.1 + 0.2, f64::MAX, -1e16] {
            let mut out = Vec::new();
            push_float(&mut out, value);
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains(['.', 'e']), "{text}");
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read.as_f64(), Some(value), "{text}");
        }
    }

    #[test]
    fn every_dtype_with_a_form_in_json_is_written() {
        let of_bytes = |dtype, bytes: &[u8]| {
            Tensor::new(dtype, vec![1], Data::Owned(AlignedBytes::from_slice(64, bytes))).unwrap()
        };
        for (dtype, bytes, text) in [
            (DType::Bool, &[1][..], "true"),
            (DType::Int8, &[0xFF], "-1"),
            (DType::UInt8, &[0xFF], "255"),
            (DType::Int16, &i16::MIN.to_ne_bytes(), "-32768"),
            (DType::UInt16, &u16::MAX.to_ne_bytes(), "65535"),
            (DType::UInt32, &u32::MAX.to_ne_bytes(), "4294967295"),
            (DType::Int64, &i64::MIN.to_ne_bytes(), "-9223372036854775808"),
            (DType::UInt64, &u64::MAX.to_ne_bytes(), "18446744073709551615"),
            (DType::Double, &0.1f64.to_ne_bytes(), "0.1"),
            (DType::Half, &0x3E00u16.to_ne_bytes(), "1.5"),
            (DType::BFloat16, &0xFF80u16.to_ne_bytes(), "-Infinity"),
        ] {
            let expected = format!("{{\"predictions\":[{text}]}}");
            assert_eq!(compact(Format::Row, &[("y", of_bytes(dtype, bytes))]), expected);
        }
        for format in [Format::Row, Format::Column] {
            assert_eq!(
                written(format, &[("y", of_bytes(DType::Complex64, &[0; 8]))]),
                "INVALID_ARGUMENT: Failed to write JSON value for tensor type: complex64"
            );
        }
    }

    #[test]
    fn outputs_that_are_no_rows_are_refused() {
        let refused = "INVALID_ARGUMENT: Tensor name: b has ";
        for (outputs, rest) in [
            (vec![("b", ints(&[]))], "no shape information "),
            (vec![("a", ints(&[2])), ("b", ints(&[1]))], "inconsistent batch size: 1 expecting: 2"),
            (vec![("a", ints(&[0])), ("b", ints(&[1]))], "inconsistent batch size: 1 expecting: 0"),
        ] {
            assert_eq!(written(Format::Row, &outputs), format!("{refused}{rest}"));
        }
        for format in [Format::Row, Format::Column] {
            let error = "INVALID_ARGUMENT: Cannot convert empty tensor map to JSON";
            assert_eq!(written(format, &[]), error);
        }
    }

    #[test]
    fn five_outputs_share_their_rows() {
        let outputs = [
            ("bin_bytes", strings(&[2, 2], &["hello", "world", "tf", "serving"])),
            ("dbl", Tensor::from_slice(vec![2], &[8.0f64, 9.0]).unwrap()),
            ("flt", Tensor::from_slice(vec![2, 1], &[1.0f32, 2.0]).unwrap()),
            ("int", ints(&[2, 3, 2])),
            ("str", strings(&[2, 2], &["a", "b", "c", "d"])),
        ];
        let row = |b64: [&str; 2], dbl, flt, int, str| {
            let [first, second] = b64;
            format!(
                "{{\"bin_bytes\":[{{\"b64\":\"{first}\"}},{{\"b64\":\"{second}\"}}],\"dbl\":{dbl},\
                 \"flt\":[{flt}],\"int\":{int},\"str\":{str}}}"
            )
        };
        let first =
            row(["aGVsbG8=", "d29ybGQ="], "8.0", "1.0", "[[1,2],[3,4],[5,6]]", "[\"a\",\"b\"]");
        let second =
            row(["dGY=", "c2VydmluZw=="], "9.0", "2.0", "[[7,8],[9,10],[11,12]]", "[\"c\",\"d\"]");
        let expected = format!("{{\"predictions\":[{first},{second}]}}");
        assert_eq!(compact(Format::Row, &outputs), expected);
        let whole = compact(Format::Column, &outputs);
        assert!(whole.contains("\"dbl\":[8.0,9.0],\"flt\":[[1.0],[2.0]],"), "{whole}");
    }

    #[test]
    fn no_rows_make_an_empty_list() {
        let floats = Tensor::from_slice::<f32>(vec![0, 3, 4], &[]).unwrap();
        let empty = "{\n    \"predictions\": []\n}";
        assert_eq!(written(Format::Row, &[("a", ints(&[0, 2]))]), empty);
        assert_eq!(written(Format::Row, &[("a", strings(&[0, 1, 2], &[])), ("b", floats)]), empty);
    }

    fn results(outcome: Result<Outcome<'_>>) -> String {
        match outcome.and_then(|outcome| write_results(&outcome)) {
            Ok(body) => String::from_utf8(body).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    fn classified(examples: usize, labels: Option<&Tensor>, scores: Option<&Tensor>) -> String {
        results(Classes::new(examples, labels, scores).map(Outcome::Classified))
    }

    fn regressed(values: &[f32]) -> String {
        let tensor = Tensor::from_slice(vec![values.len() as i64], values).unwrap();
        results(Values::new(values.len(), &tensor).map(Outcome::Regressed))
    }

    #[test]
    fn c10_classes_are_pairs_of_label_and_score() {
        let labels = strings(&[2, 3], &["car", "bike", "bus", "car", "bike", "bus"]);
        let scores = [0.2f32, 0.7, 0.1, 0.7, 0.1, 0.2];
        let scores = Tensor::from_slice(vec![2, 3], &scores).unwrap();
        assert_eq!(
            classified(2, Some(&labels), Some(&scores)),
            r#"{
    "results": [[["car", 0.2], ["bike", 0.7], ["bus", 0.1]], [["car", 0.7], ["bike", 0.1], ["bus", 0.2]]
    ]
}"#
        );
        let odd = strings(&[1, 1], &["\"\n"]);
        assert!(classified(1, Some(&odd), None).contains(r#"[[["\"\n", 0.0]]"#));
        let score = Tensor::from_slice(vec![1, 1], &[f32::NAN]).unwrap();
        assert!(classified(1, None, Some(&score)).contains(r#"[[["", NaN]]"#));
        let none = Tensor::from_slice::<f32>(vec![2, 0], &[]).unwrap();
        assert_eq!(classified(2, None, Some(&none)), "{\n    \"results\": [[], []\n    ]\n}");
    }

    #[test]
    fn c11_values_stand_in_one_line() {
        assert_eq!(
            regressed(&[0.2, f32::INFINITY, 1.0, f32::NEG_INFINITY, f32::NAN]),
            "{\n    \"results\": [0.2, Infinity, 1.0, -Infinity, NaN]\n}"
        );
    }

    #[test]
    fn c12_there_are_no_results_of_no_examples() {
        let empty = "INVALID_ARGUMENT: Cannot convert empty";
        assert_eq!(classified(0, None, None), format!("{empty} ClassificationResults to JSON"));
        assert_eq!(regressed(&[]), format!("{empty} RegressionResults to JSON"));
    }

    #[test]
    fn errors_and_strings_are_escaped_as_rapidjson_does() {
        let body = |message: &str| String::from_utf8(write_error(message)).unwrap();
        assert_eq!(
            body("Bad key: \"key\" 'x'"),
            "{\n    \"error\": \"Bad key: \\\"key\\\" 'x'\"\n}"
        );
        let mut out = Vec::new();
        push_string(&mut out, b"\x08\x0c\n\r\t\\/<>\x1f\x7f\xff");
        assert_eq!(out, b"\"\\b\\f\\n\\r\\t\\\\/<>\\u001F\x7f\xff\"");
    }
}
