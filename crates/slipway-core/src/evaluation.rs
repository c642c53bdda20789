// SPDX-License-Identifier: Apache-2.0
//! One run that answers Classify and Regress tasks about the same examples.

use std::sync::Arc;

use crate::predict::check_dtype;
use crate::{Call, DType, Error, Outcome, Result, Room, Servable, Task, Tensor};

/// A run, and what to make of its outputs.
#[derive(Debug)]
pub struct Evaluation {
    pub call: Call,
    pub reading: Reading,
}

/// What the outputs of a run are to the tasks that it is for.
#[derive(Debug)]
pub struct Reading {
    tasks: Vec<(Task, Places)>,
    examples: usize,
}

/// For each output of a task, its place among those of the run.
type Places = Vec<Option<usize>>;

impl Evaluation {
    /// A run that answers all `tasks`, whose signatures are different ones of `servable`, about
    /// `examples`, a vector of strings.
    ///
    /// # Errors
    /// INVALID_ARGUMENT when a signature takes no strings. RESOURCE_EXHAUSTED without room for
    /// another copy of the examples, where signatures have different inputs.
    pub fn new(
        servable: Arc<Servable>,
        tasks: Vec<Task>,
        examples: Tensor,
        room: Room<'_>,
    ) -> Result<Self> {
        for task in &tasks {
            check_dtype(task.signature(), 0, DType::String)?;
        }
        let callables: Vec<_> = tasks.iter().map(|task| Arc::clone(task.callable())).collect();
        let callable = servable.together(&callables);
        let signature = &callable.signature;

        let mut outputs = Vec::new();
        let mut place = |tensor: &str| {
            let index = signature.outputs.iter().position(|spec| spec.tensor_name == tensor);
            let index = index.ok_or_else(|| {
                Error::internal(format!("{} lacks {tensor}: this is a bug", signature.name))
            })?;
            Ok(outputs.iter().position(|&wanted| wanted == index).unwrap_or_else(|| {
                outputs.push(index);
                outputs.len() - 1
            }))
        };
        let tasks = tasks
            .into_iter()
            .map(|task| {
                let places = task.outputs().map(|tensor| tensor.map(&mut place).transpose());
                let places = places.collect::<Result<Places>>()?;
                Ok((task, places))
            })
            .collect::<Result<_>>()?;

        let count = examples.strings().map_or(0, |strings| strings.len());
        let mut inputs = Vec::with_capacity(signature.inputs.len());
        for _ in 1..signature.inputs.len() {
            room.take_strings(count, examples.byte_len())?;
            inputs.push(examples.clone());
        }
        inputs.push(examples);
        let reading = Reading { tasks, examples: count };
        Ok(Self { call: Call { servable, callable, inputs, outputs }, reading })
    }
}

impl Reading {
    /// How many examples the run is about.
    pub fn examples(&self) -> usize {
        self.examples
    }

    /// The outcome of each task, in their order, from the outputs of the run.
    ///
    /// # Errors
    /// INVALID_ARGUMENT in TensorFlow Serving's words when outputs are not what a task asks for.
    pub fn outcomes<'a>(&self, outputs: &'a [Tensor]) -> Result<Vec<Outcome<'a>>> {
        let outcome = |(task, places): &(Task, Places)| {
            let output = |place: &Option<usize>| place.and_then(|place| outputs.get(place));
            let outputs = places.iter().map(output).collect::<Vec<_>>();
            Outcome::new(task.inference(), self.examples, &outputs)
        };
        self.tasks.iter().map(outcome).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use slipway_proto::Strings;

    use super::*;
    use crate::{
        Backend, Callable, Code, Executor, Inference, Lease, RunPlanner, ServableId, Signature,
        TensorSpec,
    };

    /// Answers each output with as many numbers as there are examples, all of them the output's
    /// number in the run.
    struct Numbering;

    impl Backend for Numbering {
        fn run(
            &self,
            _: &Signature,
            inputs: Vec<Tensor>,
            outputs: &[usize],
            _: Executor,
        ) -> Result<Vec<Tensor>> {
            let count = inputs[0].shape()[0];
            let numbers = |number| vec![number as f32; count as usize];
            let tensor = |number| Tensor::from_slice(vec![count, 1], &numbers(number));
            (0..outputs.len()).map(tensor).collect()
        }
    }

    fn task(inference: Inference, name: &str, input: (&str, DType), output: (&str, &str)) -> Task {
        let spec = |alias: &str, tensor: &str, dtype| TensorSpec {
            alias: alias.into(),
            tensor_name: tensor.into(),
            dtype,
            shape: None,
        };
        let signature = Signature {
            name: name.into(),
            method_name: String::new(),
            inputs: vec![spec("inputs", input.0, input.1)],
            outputs: vec![spec(output.0, output.1, DType::Float)],
            defaults: BTreeMap::new(),
        };
        let planner = RunPlanner::new(true, None);
        let callable =
            Callable { signature, planner, checks_method_name: false, meter: Arc::default() };
        Task::new(inference, callable.into()).unwrap()
    }

    fn evaluation(tasks: Vec<Task>, max_tensor_bytes: usize) -> Result<Evaluation> {
        let id = ServableId { model: "m".into(), version: 1 };
        let (servable, _) =
            Servable::new(id, BTreeMap::new(), Default::default(), Box::new(Numbering));
        let examples = Tensor::from_strings(vec![2], Strings::from_iter(["a", "b"])).unwrap();
        let lease = Lease::unlimited();
        Evaluation::new(servable, tasks, examples, Room { max_tensor_bytes, lease: &lease })
    }

    /// The number of the run's output that each task is answered with.
    fn answers(tasks: Vec<Task>) -> (usize, Vec<f32>) {
        let Evaluation { call, reading } = evaluation(tasks, 1000).unwrap();
        let inputs = call.inputs.len();
        let plan = call.plan();
        let outputs = call.run(plan).unwrap();
        let outcomes = reading.outcomes(&outputs).unwrap();
        let first = |outcome: &Outcome<'_>| match outcome {
            Outcome::Classified(classes) => classes.of(0).next().unwrap().1,
            Outcome::Regressed(values) => values.iter().next().unwrap(),
        };
        (inputs, outcomes.iter().map(first).collect())
    }

    const STRINGS: (&str, DType) = ("examples:0", DType::String);

    #[test]
    fn tasks_share_a_run_its_input_and_its_outputs() {
        let tasks = || {
            vec![
                task(Inference::Regress, "a", STRINGS, ("outputs", "y:0")),
                task(Inference::Classify, "b", STRINGS, ("scores", "z:0")),
                task(Inference::Classify, "c", STRINGS, ("scores", "y:0")),
            ]
        };
        assert_eq!(answers(tasks()), (1, vec![0.0, 1.0, 0.0]));
        assert_eq!(answers(tasks().split_off(1)), (1, vec![0.0, 1.0]));
        assert_eq!(answers(tasks().split_off(2)), (1, vec![0.0]));
    }

    #[test]
    fn inputs_of_different_tensors_get_the_same_examples() {
        let tasks = || {
            vec![
                task(Inference::Regress, "a", STRINGS, ("outputs", "y:0")),
                task(Inference::Regress, "b", ("others:0", DType::String), ("outputs", "z:0")),
            ]
        };
        assert_eq!(answers(tasks()), (2, vec![0.0, 1.0]));
        let error = evaluation(tasks(), 10).unwrap_err();
        assert_eq!(error.code, Code::ResourceExhausted);
    }

    #[test]
    fn a_signature_of_numbers_is_not_asked_about_examples() {
        let task = task(Inference::Regress, "a", ("x2:0", DType::Float), ("outputs", "y:0"));
        assert_eq!(
            evaluation(vec![task], 1000).unwrap_err().to_string(),
            "INVALID_ARGUMENT: Expects arg[0] to be float but string is provided (input \"inputs\" \
             of signature \"a\")"
        );
    }
}
