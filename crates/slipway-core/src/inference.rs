// SPDX-License-Identifier: Apache-2.0
//! Classify and Regress: calls of signatures that take examples and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use slipway_proto::Input;

use crate::{
    bind_tensors, examples_from_wire, select_outputs, Call, Callable, Error, Result, Room,
    Servable, Signature,
};

const INPUTS: &str = "inputs";

/// What is asked about examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inference {
    Classify,
    Regress,
}

impl Inference {
    /// The one that a task of a MultiInference names.
    pub fn from_method_name(name: &str) -> Option<Self> {
        match name {
            "tensorflow/serving/classify" => Some(Self::Classify),
            "tensorflow/serving/regress" => Some(Self::Regress),
            _ => None,
        }
    }

    /// A call of a signature on the examples of `input`, for the outputs that the answer is made of.
    ///
    /// # Errors
    /// INVALID_ARGUMENT in TensorFlow Serving's words: a signature with other inputs and outputs, no
    /// examples. RESOURCE_EXHAUSTED without room.
    pub fn call(
        self,
        servable: Arc<Servable>,
        callable: Arc<Callable>,
        input: Option<&Input>,
        room: Room<'_>,
    ) -> Result<Call> {
        let signature = &callable.signature;
        self.check(signature)?;
        let wanted: Vec<String> = self
            .outputs()
            .iter()
            .filter(|alias| has_output(signature, alias))
            .map(|alias| (*alias).to_owned())
            .collect();
        let given = BTreeMap::from([(INPUTS.to_owned(), examples_from_wire(input, room)?)]);
        let inputs = bind_tensors(signature, &given)?;
        let outputs = select_outputs(signature, &wanted)?;
        Ok(Call { servable, callable, inputs, outputs })
    }

    /// The outputs that a signature may have, of which it has one at least.
    fn outputs(self) -> &'static [&'static str] {
        match self {
            Self::Classify => &["classes", "scores"],
            Self::Regress => &["outputs"],
        }
    }

    fn check(self, signature: &Signature) -> Result<()> {
        let refuse = |reason: String| Err(Error::invalid_argument(reason));
        let kind = match self {
            Self::Classify => "classification",
            Self::Regress => "regression",
        };
        let Signature { name, inputs, outputs, .. } = signature;
        if inputs.len() != 1 {
            return refuse("Expected one input Tensor.".to_owned());
        }
        match (self, outputs.len()) {
            (Self::Classify, 1 | 2) | (Self::Regress, 1) => {}
            (Self::Classify, found) => {
                return refuse(format!("Expected one or two output Tensors, found {found}"));
            }
            (Self::Regress, _) => return refuse("Expected one output Tensor.".to_owned()),
        }
        if inputs[0].alias != INPUTS {
            return refuse(format!("No {kind} inputs found in SignatureDef: {name}"));
        }
        if !self.outputs().iter().any(|alias| has_output(signature, alias)) {
            return refuse(format!("No {kind} outputs found in SignatureDef: {name}"));
        }
        Ok(())
    }
}

fn has_output(signature: &Signature, alias: &str) -> bool {
    signature.outputs.iter().any(|spec| spec.alias == alias)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, TensorSpec};

    fn signature(inputs: &[&str], outputs: &[&str]) -> Signature {
        let specs = |aliases: &[&str]| {
            let spec = |alias: &&str| TensorSpec {
                alias: alias.to_string(),
                tensor_name: format!("{alias}:0"),
                dtype: DType::String,
                shape: None,
            };
            aliases.iter().map(spec).collect()
        };
        Signature {
            name: "s".into(),
            method_name: String::new(),
            inputs: specs(inputs),
            outputs: specs(outputs),
            defaults: Default::default(),
        }
    }

    #[test]
    fn a_signature_has_the_inputs_and_outputs_of_its_api() {
        use Inference::{Classify, Regress};
        for (inference, inputs, outputs, message) in [
            (Classify, &["inputs"][..], &["classes", "scores"][..], None),
            (Classify, &["inputs"], &["scores"], None),
            (Regress, &["inputs"], &["outputs"], None),
            (Classify, &[], &["scores"], Some("Expected one input Tensor.")),
            (Regress, &["a", "b"], &["outputs"], Some("Expected one input Tensor.")),
            (Classify, &["inputs"], &[], Some("Expected one or two output Tensors, found 0")),
            (Regress, &["inputs"], &["outputs", "y"], Some("Expected one output Tensor.")),
            (Classify, &["x"], &["scores"], Some("No classification inputs found")),
            (Classify, &["inputs"], &["y"], Some("No classification outputs found")),
            (Regress, &["inputs"], &["scores"], Some("No regression outputs found")),
        ] {
            match (inference.check(&signature(inputs, outputs)), message) {
                (Ok(()), None) => {}
                (Err(error), Some(message)) => assert!(error.message.starts_with(message)),
                (found, _) => panic!("{inference:?} {inputs:?} {outputs:?}: {found:?}"),
            }
        }
    }
}
