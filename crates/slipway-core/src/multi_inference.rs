// SPDX-License-Identifier: Apache-2.0
//! MultiInference: several signatures of one model about the same examples.

use std::collections::BTreeSet;

use slipway_proto::tensorflow::serving::InferenceTask;

use crate::{Error, Inference, Result, Servable, Task, DEFAULT_SIGNATURE};

/// The tasks of a request to `servable`, in their order.
///
/// # Errors
/// In TensorFlow Serving's words, of the first task that cannot be done. INVALID_ARGUMENT without a
/// model's name, with another one than the tasks before, with a signature that they have already,
/// that is missing or does not fit the method; UNIMPLEMENTED for another method.
pub fn multi_inference_tasks(servable: &Servable, tasks: &[InferenceTask]) -> Result<Vec<Task>> {
    let refuse = |message: String| Err(Error::invalid_argument(message));
    let mut signatures = BTreeSet::new();
    let mut read = Vec::with_capacity(tasks.len());
    for task in tasks {
        let model = name_of(task);
        if model.is_empty() {
            return refuse("Found ModelSpec with an empty model name.".to_owned());
        }
        if model != name_of(&tasks[0]) {
            return refuse(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
                    .to_owned(),
            );
        }
        let signature = match task.model_spec.as_ref().map_or("", |spec| &spec.signature_name) {
            "" => DEFAULT_SIGNATURE,
            name => name,
        };
        if !signatures.insert(signature) {
            return refuse(format!("Duplicate evaluation of signature: {signature}"));
        }
        let callable = servable.requested(signature, |name| {
            Error::invalid_argument(format!("Requested signature not found in model graph: {name}"))
        })?;
        read.push(Task::new(Inference::from_method_name(&task.method_name)?, callable)?);
    }
    Ok(read)
}

fn name_of(task: &InferenceTask) -> &str {
    task.model_spec.as_ref().map_or("", |spec| &spec.name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use slipway_proto::tensorflow::serving::ModelSpec;

    use super::*;
    use crate::{
        Backend, Callable, Code, DType, Executor, RunPlanner, ServableId, Signature, Tensor,
        TensorSpec,
    };

    struct Nothing;

    impl Backend for Nothing {
        fn run(
            &self,
            _: &Signature,
            _: Vec<Tensor>,
            _: &[usize],
            _: Executor,
        ) -> Result<Vec<Tensor>> {
            Ok(Vec::new())
        }
    }

    fn servable() -> Arc<Servable> {
        let spec = |alias: &str| TensorSpec {
            alias: alias.into(),
            tensor_name: format!("{alias}:0"),
            dtype: DType::String,
            shape: None,
        };
        let callable = |name: &str| {
            let signature = Signature {
                name: name.into(),
                method_name: String::new(),
                inputs: vec![spec("inputs")],
                outputs: vec![spec("outputs")],
                defaults: BTreeMap::new(),
            };
            let planner = RunPlanner::new(true, None);
            (
                name.to_owned(),
                Ok(Arc::new(Callable {
                    signature,
                    planner,
                    checks_method_name: false,
                    meter: Arc::default(),
                })),
            )
        };
        let callables = ["a", "b", DEFAULT_SIGNATURE].map(callable).into();
        let id = ServableId { model: "m".into(), version: 1 };
        Servable::new(id, callables, Default::default(), Box::new(Nothing)).0
    }

    fn task(model: &str, signature: &str, method: &str) -> InferenceTask {
        let spec = ModelSpec {
            name: model.into(),
            signature_name: signature.into(),
            ..ModelSpec::default()
        };
        let method_name = format!("tensorflow/serving/{method}");
        InferenceTask { model_spec: Some(spec), method_name }
    }

    fn read(tasks: &[InferenceTask]) -> Result<Vec<String>> {
        let tasks = multi_inference_tasks(&servable(), tasks)?;
        Ok(tasks.iter().map(|task| task.signature().name.clone()).collect())
    }

    #[test]
    fn tasks_keep_their_order_and_one_may_leave_its_signature_to_the_default() {
        let tasks = ["b", "", "a"].map(|signature| task("m", signature, "regress"));
        assert_eq!(read(&tasks).unwrap(), ["b", DEFAULT_SIGNATURE, "a"]);
        assert!(read(&[]).unwrap().is_empty());
    }

    #[test]
    fn e24_e25_the_first_task_that_cannot_be_done_is_told_of() {
        let good = || task("m", "a", "regress");
        let nameless = InferenceTask { model_spec: None, ..good() };
        let unknown = "Unsupported signature method_name: tensorflow/serving/";
        for (second, code, message) in [
            (nameless, Code::InvalidArgument, "Found ModelSpec with an empty model name.".into()),
            (
                task("n", "b", "regress"),
                Code::InvalidArgument,
                "All ModelSpecs in a MultiInferenceRequest must access the same model name.".into(),
            ),
            (
                task("m", "a", "classify"),
                Code::InvalidArgument,
                "Duplicate evaluation of signature: a".into(),
            ),
            (
                task("m", "c", "predict"),
                Code::InvalidArgument,
                "Requested signature not found in model graph: c".into(),
            ),
            (task("m", "b", "predict"), Code::Unimplemented, format!("{unknown}predict")),
            (task("m", "b", ""), Code::Unimplemented, unknown.to_owned()),
            (
                task("m", "b", "classify"),
                Code::InvalidArgument,
                "Expected classification signature outputs to contain at least one of".into(),
            ),
        ] {
            let worse = task("", "", "");
            let error = read(&[good(), second.clone(), worse]).unwrap_err();
            assert_eq!(error.code, code, "{second:?}");
            assert!(error.message.starts_with(&message), "{second:?}: {error}");
        }
        let twice = [task("m", "", "regress"), task("m", DEFAULT_SIGNATURE, "regress")];
        assert!(read(&twice).unwrap_err().message.ends_with(DEFAULT_SIGNATURE));
    }
}
