// SPDX-License-Identifier: Apache-2.0
//! A loaded version of a model.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{mpsc, Arc, Mutex, PoisonError};

use slipway_proto::tensorflow::serving::SignatureDefMap;

use crate::{Error, Executor, Meter, Result, RunPlanner, Signature, Tensor, DEFAULT_SIGNATURE};

/// A model's name and a version's number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServableId {
    pub model: String,
    pub version: i64,
}

impl fmt::Display for ServableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{name: {} version: {}}}", self.model, self.version)
    }
}

/// What computes: a TensorFlow session, or a double of one.
pub trait Backend: Send + Sync {
    /// Runs one signature, blocking until it is done. Called from many threads at once.
    ///
    /// The signature is one of the servable's, or of several of them in one. `inputs` are in the
    /// order of its inputs and of their dtypes; `outputs` are indices into its outputs, and the answer
    /// has their order.
    fn run(
        &self,
        signature: &Signature,
        inputs: Vec<Tensor>,
        outputs: &[usize],
        executor: Executor,
    ) -> Result<Vec<Tensor>>;
}

/// A signature that can be run, and what is known of its runs.
#[derive(Debug)]
pub struct Callable {
    pub signature: Signature,
    pub planner: RunPlanner,
    /// Whether the signature answers only the calls that its method name is for.
    pub checks_method_name: bool,
    /// Counts the requests for it.
    pub meter: Arc<Meter>,
}

/// Sets of signatures whose runs are remembered.
const MAX_SETS: usize = 64;

/// Gets the backend of a servable that has been dropped.
pub type Gone = mpsc::Receiver<Box<dyn Backend>>;

/// A version in memory: its signatures and the backend that runs them.
pub struct Servable {
    id: ServableId,
    callables: BTreeMap<String, Result<Arc<Callable>>>,
    /// Of several signatures in one, by their names.
    sets: Mutex<HashMap<Vec<String>, Arc<Callable>>>,
    metadata: SignatureDefMap,
    /// There until the drop.
    backend: Option<Box<dyn Backend>>,
    /// Where the backend goes then: whoever lets go of a version last may be a network thread, which
    /// has no time to free its memory.
    gone: mpsc::Sender<Box<dyn Backend>>,
}

impl Servable {
    /// A servable with its signatures by name, and the receiver that gets its backend when it has
    /// been dropped.
    pub fn new(
        id: ServableId,
        callables: BTreeMap<String, Result<Arc<Callable>>>,
        metadata: SignatureDefMap,
        backend: Box<dyn Backend>,
    ) -> (Arc<Self>, Gone) {
        let (sender, receiver) = mpsc::channel();
        let sets = Mutex::default();
        let servable = Self { id, callables, sets, metadata, backend: Some(backend), gone: sender };
        (Arc::new(servable), receiver)
    }

    pub fn id(&self) -> &ServableId {
        &self.id
    }

    /// Every signature of the loaded graph, as it declares them.
    pub fn metadata(&self) -> &SignatureDefMap {
        &self.metadata
    }

    pub fn backend(&self) -> Result<&dyn Backend> {
        self.backend.as_deref().ok_or_else(|| {
            Error::internal(format!("{} has lost its backend: this is a bug", self.id))
        })
    }

    /// The signature of this name: `None` when the graph has none, an error when it has one that
    /// cannot be served.
    pub fn callable(&self, name: &str) -> Option<&Result<Arc<Callable>>> {
        self.callables.get(name)
    }

    /// The meter of each signature that can be run, by its name.
    pub(crate) fn meters(&self) -> impl Iterator<Item = (String, Arc<Meter>)> + '_ {
        let callables = self
            .callables
            .iter()
            .filter_map(|(name, callable)| callable.as_ref().ok().map(|callable| (name, callable)));
        callables.map(|(name, callable)| (name.clone(), Arc::clone(&callable.meter)))
    }

    /// The signature that a request names, or the default one; `missing` makes the error for a
    /// graph without it, which every API words differently.
    ///
    /// # Errors
    /// `missing`, or why the signature cannot be served.
    pub fn requested(
        &self,
        signature_name: &str,
        missing: impl FnOnce(&str) -> Error,
    ) -> Result<Arc<Callable>> {
        let name = if signature_name.is_empty() { DEFAULT_SIGNATURE } else { signature_name };
        self.callable(name).cloned().unwrap_or_else(|| Err(missing(name)))
    }

    /// One callable that has the inputs and outputs of all of these, which are different ones of this
    /// servable: each tensor once.
    pub fn together(&self, callables: &[Arc<Callable>]) -> Arc<Callable> {
        if let [callable] = callables {
            return Arc::clone(callable);
        }
        let mut names: Vec<_> =
            callables.iter().map(|callable| callable.signature.name.clone()).collect();
        names.sort_unstable();
        // The map is whole between any two of its operations, so a panic elsewhere does not spoil it.
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = sets.get(&names) {
            return Arc::clone(set);
        }
        let set = Arc::new(Callable {
            signature: Signature::of_all(callables.iter().map(|callable| &callable.signature)),
            planner: RunPlanner::of_all(callables.iter().map(|callable| &callable.planner)),
            checks_method_name: false,
            // Requests count for the signatures themselves: nobody reads it.
            meter: Arc::default(),
        });
        if sets.len() < MAX_SETS {
            sets.insert(names, Arc::clone(&set));
        }
        set
    }
}

impl Drop for Servable {
    fn drop(&mut self) {
        if let Some(backend) = self.backend.take() {
            // Nobody waits for it when the whole server goes: then it is dropped here.
            let _ = self.gone.send(backend);
        }
    }
}

impl fmt::Debug for Servable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servable")
            .field("id", &self.id)
            .field("signatures", &self.callables.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, TensorSpec};

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

    fn callable(name: &str, input: &str, outputs: &[&str]) -> Arc<Callable> {
        let spec = |tensor: &str| TensorSpec {
            alias: "any".into(),
            tensor_name: tensor.into(),
            dtype: DType::Float,
            shape: None,
        };
        let signature = Signature {
            name: name.into(),
            method_name: String::new(),
            inputs: vec![spec(input)],
            outputs: outputs.iter().map(|tensor| spec(tensor)).collect(),
            defaults: BTreeMap::new(),
        };
        let planner = RunPlanner::new(true, None);
        Arc::new(Callable { signature, planner, checks_method_name: false, meter: Arc::default() })
    }

    fn servable() -> Arc<Servable> {
        let id = ServableId { model: "m".into(), version: 1 };
        Servable::new(id, BTreeMap::new(), Default::default(), Box::new(Nothing)).0
    }

    fn tensors(specs: &[TensorSpec]) -> Vec<&str> {
        specs.iter().map(|spec| spec.tensor_name.as_str()).collect()
    }

    #[test]
    fn signatures_together_have_each_tensor_once() {
        let [a, b] = [callable("a", "x", &["y", "z"]), callable("b", "x", &["z", "w"])];
        let both = servable().together(&[a, b]);
        assert_eq!(tensors(&both.signature.inputs), ["x"]);
        assert_eq!(tensors(&both.signature.outputs), ["y", "z", "w"]);
        let [c, d] = [callable("c", "x", &["y"]), callable("d", "u", &["y"])];
        let both = servable().together(&[c, d]);
        assert_eq!(tensors(&both.signature.inputs), ["x", "u"]);
    }

    #[test]
    fn what_is_known_of_their_runs_is_kept_whatever_their_order() {
        let servable = servable();
        let [a, b] = [callable("a", "x", &["y"]), callable("b", "x", &["z"])];
        let both = servable.together(&[Arc::clone(&a), Arc::clone(&b)]);
        assert!(Arc::ptr_eq(&both, &servable.together(&[b, Arc::clone(&a)])));
        assert!(Arc::ptr_eq(&a, &servable.together(&[Arc::clone(&a)])));
    }

    #[test]
    fn sets_of_signatures_are_not_kept_without_end() {
        let servable = servable();
        let first = callable("first", "x", &["y"]);
        for number in 0..2 * MAX_SETS {
            let other = callable(&number.to_string(), "x", &["z"]);
            servable.together(&[Arc::clone(&first), other]);
        }
        assert_eq!(servable.sets.lock().unwrap().len(), MAX_SETS);
    }
}
