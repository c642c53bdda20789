// SPDX-License-Identifier: Apache-2.0
//! Signatures: the named inputs and outputs a model declares.

use std::collections::BTreeMap;
use std::fmt;

use slipway_proto::tensorflow::{tensor_info::Encoding, SignatureDef, TensorInfo};

use crate::tensor_wire::tensor_from_wire;
use crate::{DType, Error, Lease, Result, Room, Tensor};

/// One declared input or output.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// The name that callers use.
    pub alias: String,
    /// The tensor in the graph, such as `x:0`.
    pub tensor_name: String,
    pub dtype: DType,
    /// Declared dims, -1 where open; `None` when even the rank is open.
    pub shape: Option<Vec<i64>>,
}

/// What a model declares under one signature name. Inputs and outputs are sorted by alias.
#[derive(Clone, Debug)]
pub struct Signature {
    pub name: String,
    pub method_name: String,
    pub inputs: Vec<TensorSpec>,
    pub outputs: Vec<TensorSpec>,
    /// Values for inputs that a gRPC caller may leave out, by alias.
    pub defaults: BTreeMap<String, Tensor>,
}

impl Signature {
    /// Reads a `SignatureDef`; `defaults` may take at most `limit` bytes each.
    ///
    /// # Errors
    /// UNIMPLEMENTED when an input or output is sparse, composite or of a dtype that cannot travel.
    pub fn from_wire(name: &str, def: &SignatureDef, limit: usize) -> Result<Self> {
        // What the operator loads is not what a request takes.
        let lease = Lease::unlimited();
        let room = Room { max_tensor_bytes: limit, lease: &lease };
        let defaults = def
            .defaults
            .iter()
            .map(|(alias, proto)| Ok((alias.clone(), tensor_from_wire(alias, proto, room)?)))
            .collect::<Result<_>>()?;
        Ok(Self {
            name: name.to_owned(),
            method_name: def.method_name.clone(),
            inputs: specs_from_wire(&def.inputs)?,
            outputs: specs_from_wire(&def.outputs)?,
            defaults,
        })
    }

    /// The inputs and outputs of several signatures in one, each tensor once.
    pub(crate) fn of_all<'a>(signatures: impl Iterator<Item = &'a Self>) -> Self {
        let (mut names, mut inputs, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
        for signature in signatures {
            names.push(signature.name.as_str());
            add_new(&mut inputs, &signature.inputs);
            add_new(&mut outputs, &signature.outputs);
        }
        let (method_name, defaults) = (String::new(), BTreeMap::new());
        Self { name: names.join("+"), method_name, inputs, outputs, defaults }
    }
}

fn add_new(specs: &mut Vec<TensorSpec>, more: &[TensorSpec]) {
    for spec in more {
        if !specs.iter().any(|known| known.tensor_name == spec.tensor_name) {
            specs.push(spec.clone());
        }
    }
}

/// As protobuf shows a `SignatureDef` in messages.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (field, specs) in [("inputs", &self.inputs), ("outputs", &self.outputs)] {
            for spec in specs {
                let (alias, tensor) = (spec.alias.escape_debug(), spec.tensor_name.escape_debug());
                writeln!(f, "{field} {{\n  key: \"{alias}\"\n  value {{")?;
                writeln!(f, "    name: \"{tensor}\"\n    dtype: {}", spec.dtype.wire_name())?;
                writeln!(f, "    tensor_shape {{")?;
                match &spec.shape {
                    None => writeln!(f, "      unknown_rank: true")?,
                    Some(dims) => dims.iter().try_for_each(|size| {
                        writeln!(f, "      dim {{\n        size: {size}\n      }}")
                    })?,
                }
                writeln!(f, "    }}\n  }}\n}}")?;
            }
        }
        writeln!(f, "method_name: \"{}\"", self.method_name.escape_debug())
    }
}

fn specs_from_wire(infos: &BTreeMap<String, TensorInfo>) -> Result<Vec<TensorSpec>> {
    infos.iter().map(|(alias, info)| TensorSpec::from_wire(alias, info)).collect()
}

impl TensorSpec {
    fn from_wire(alias: &str, info: &TensorInfo) -> Result<Self> {
        let Some(Encoding::Name(tensor_name)) = &info.encoding else {
            return Err(Error::unimplemented(format!(
                "\"{alias}\" is a sparse or composite tensor; only dense tensors can be served"
            )));
        };
        let dtype = DType::from_declaration(info.dtype).ok_or_else(|| {
            Error::unimplemented(format!("\"{alias}\" has unsupported dtype number {}", info.dtype))
        })?;
        let shape = info
            .tensor_shape
            .as_ref()
            .filter(|shape| !shape.unknown_rank)
            .map(|shape| shape.dim.iter().map(|dim| dim.size).collect());
        Ok(Self { alias: alias.to_owned(), tensor_name: tensor_name.clone(), dtype, shape })
    }

    /// Whether a tensor of `shape` is one that this declaration allows.
    pub fn accepts_shape(&self, shape: &[i64]) -> bool {
        self.shape.as_ref().is_none_or(|declared| {
            declared.len() == shape.len()
                && declared.iter().zip(shape).all(|(&want, &got)| want < 0 || want == got)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_shown_as_protobuf_shows_it() {
        let spec = |alias: &str, dtype, shape| TensorSpec {
            alias: alias.into(),
            tensor_name: format!("{alias}:0"),
            dtype,
            shape,
        };
        let signature = Signature {
            name: "s".into(),
            method_name: "tensorflow/serving/classify".into(),
            inputs: vec![spec("x", DType::String, None)],
            outputs: vec![spec("y", DType::Float, Some(vec![-1]))],
            defaults: BTreeMap::new(),
        };
        let shown = r#"inputs {
  key: "x"
  value {
    name: "x:0"
    dtype: DT_STRING
    tensor_shape {
      unknown_rank: true
    }
  }
}
outputs {
  key: "y"
  value {
    name: "y:0"
    dtype: DT_FLOAT
    tensor_shape {
      dim {
        size: -1
      }
    }
  }
}
method_name: "tensorflow/serving/classify"
"#;
        assert_eq!(signature.to_string(), shown);
    }
}
