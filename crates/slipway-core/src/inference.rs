// SPDX-License-Identifier: Apache-2.0
//! Classify and Regress: which signatures they can be asked of.

use std::sync::Arc;

use crate::predict::check_method;
use crate::{Callable, Error, Result, Signature};

const INPUTS: &str = "inputs";

/// What is asked about examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inference {
    Classify,
    Regress,
}

/// One thing that is asked of one signature, which can answer it by its inputs and outputs.
#[derive(Clone, Debug)]
pub struct Task {
    inference: Inference,
    callable: Arc<Callable>,
}

impl Inference {
    /// The one that a task of a MultiInference names.
    ///
    /// # Errors
    /// UNIMPLEMENTED for another method, that of Predict too.
    pub fn from_method_name(name: &str) -> Result<Self> {
        let all = [Self::Classify, Self::Regress];
        all.into_iter().find(|inference| inference.method_name() == name).ok_or_else(|| {
            Error::unimplemented(format!("Unsupported signature method_name: {name}"))
        })
    }

    fn method_name(self) -> &'static str {
        match self {
            Self::Classify => "tensorflow/serving/classify",
            Self::Regress => "tensorflow/serving/regress",
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Classify => "classification",
            Self::Regress => "regression",
        }
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
        let noun = self.noun();
        let Signature { inputs, outputs, .. } = signature;
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
            return refuse(format!("No {noun} inputs found in SignatureDef: {signature}"));
        }
        if self.outputs().iter().all(|alias| output(signature, alias).is_none()) {
            return refuse(match self {
                Self::Classify => format!(
                    "Expected classification signature outputs to contain at least one of \
                     \"classes\" or \"scores\". Signature was: {signature}"
                ),
                Self::Regress => {
                    format!("No regression outputs found in SignatureDef: {signature}")
                }
            });
        }
        Ok(())
    }
}

impl Task {
    /// Asks `inference` of a signature.
    ///
    /// # Errors
    /// INVALID_ARGUMENT in TensorFlow Serving's words: a signature with other inputs and outputs, or
    /// with another method name where that is checked.
    pub fn new(inference: Inference, callable: Arc<Callable>) -> Result<Self> {
        check_method(&callable, &[inference.method_name()], |wanted, found| {
            let noun = inference.noun();
            Error::invalid_argument(format!(
                "Expected {noun} signature method_name to be {wanted}. Was: {found}"
            ))
        })?;
        inference.check(&callable.signature)?;
        Ok(Self { inference, callable })
    }

    pub fn inference(&self) -> Inference {
        self.inference
    }

    pub fn callable(&self) -> &Arc<Callable> {
        &self.callable
    }

    pub fn signature(&self) -> &Signature {
        &self.callable.signature
    }

    /// The tensors that the answer is made of, in the order of [`Inference::outputs`]; `None` for an
    /// output that the signature does not have.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = Option<&str>> {
        let aliases = self.inference.outputs().iter();
        aliases.map(|alias| output(self.signature(), alias))
    }
}

/// The tensor of an output.
fn output<'a>(signature: &'a Signature, alias: &str) -> Option<&'a str> {
    let spec = signature.outputs.iter().find(|spec| spec.alias == alias);
    spec.map(|spec| spec.tensor_name.as_str())
}

/// How a Classify or Regress call words that a signature is not there.
pub fn no_inference_signature(name: &str) -> Error {
    Error::invalid_argument(format!("No signature was found with the name: {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, RunPlanner, TensorSpec};

    fn callable(method: &str, inputs: &[&str], outputs: &[&str]) -> Callable {
        let specs = |aliases: &[&str]| {
            let spec = |alias: &&str| TensorSpec {
                alias: alias.to_string(),
                tensor_name: format!("{alias}:0"),
                dtype: DType::String,
                shape: None,
            };
            aliases.iter().map(spec).collect()
        };
        let signature = Signature {
            name: "s".into(),
            method_name: method.into(),
            inputs: specs(inputs),
            outputs: specs(outputs),
            defaults: Default::default(),
        };
        Callable {
            signature,
            planner: RunPlanner::new(true, None),
            checks_method_name: false,
            meter: Default::default(),
        }
    }

    fn refusal(inference: Inference, callable: Callable) -> Option<String> {
        let error = Task::new(inference, callable.into()).err()?;
        assert_eq!(error.code, crate::Code::InvalidArgument);
        Some(error.message)
    }

    #[test]
    fn e18_a_signature_has_the_inputs_and_outputs_of_its_api() {
        use Inference::{Classify, Regress};
        for (inference, inputs, outputs, message) in [
            (Classify, &["inputs"][..], &["classes", "scores"][..], None),
            (Classify, &["inputs"], &["scores"], None),
            (Classify, &["inputs"], &["classes", "y"], None),
            (Regress, &["inputs"], &["outputs"], None),
            (Classify, &[], &["scores"], Some("Expected one input Tensor.")),
            (Regress, &["a", "b"], &["outputs"], Some("Expected one input Tensor.")),
            (Classify, &["inputs"], &[], Some("Expected one or two output Tensors, found 0")),
            (
                Classify,
                &["inputs"],
                &["classes", "scores", "y"],
                Some("Expected one or two output Tensors, found 3"),
            ),
            (Regress, &["inputs"], &["outputs", "y"], Some("Expected one output Tensor.")),
            (
                Classify,
                &["x"],
                &["scores"],
                Some("No classification inputs found in SignatureDef: inputs {\n  key: \"x\"\n"),
            ),
            (
                Regress,
                &["x"],
                &["outputs"],
                Some("No regression inputs found in SignatureDef: inputs {\n  key: \"x\"\n"),
            ),
            (
                Classify,
                &["inputs"],
                &["y"],
                Some(
                    "Expected classification signature outputs to contain at least one of \
                     \"classes\" or \"scores\". Signature was: inputs {\n  key: \"inputs\"\n",
                ),
            ),
            (
                Regress,
                &["inputs"],
                &["scores"],
                Some("No regression outputs found in SignatureDef: inputs {\n  key: \"inputs\"\n"),
            ),
        ] {
            let found = refusal(inference, callable("", inputs, outputs));
            let is_it = match (&found, message) {
                (Some(found), Some(message)) => found.starts_with(message),
                (found, message) => found.is_none() && message.is_none(),
            };
            assert!(is_it, "{inference:?} {inputs:?} {outputs:?}: {found:?}");
        }
    }

    #[test]
    fn e11_a_method_name_counts_where_it_is_checked() {
        let [classify, regress] =
            ["classify", "regress"].map(|name| format!("tensorflow/serving/{name}"));
        for (method, is_classify) in [(&*classify, true), (&regress, false), ("", false)] {
            let signature = |checks_method_name| Callable {
                checks_method_name,
                ..callable(method, &["inputs"], &["scores"])
            };
            assert_eq!(refusal(Inference::Classify, signature(false)), None);
            let refused = (!is_classify).then(|| {
                format!(
                    "Expected classification signature method_name to be {classify}. Was: {method}"
                )
            });
            assert_eq!(refusal(Inference::Classify, signature(true)), refused);
        }
        let signature = Callable { checks_method_name: true, ..callable("m", &[], &[]) };
        assert_eq!(
            refusal(Inference::Regress, signature).unwrap(),
            format!("Expected regression signature method_name to be {regress}. Was: m")
        );
    }

    #[test]
    fn a_task_names_its_method() {
        assert_eq!(
            Inference::from_method_name("tensorflow/serving/regress"),
            Ok(Inference::Regress)
        );
        assert_eq!(
            Inference::from_method_name("tensorflow/serving/predict"),
            Err(Error::unimplemented(
                "Unsupported signature method_name: tensorflow/serving/predict"
            ))
        );
    }
}
