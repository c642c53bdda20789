// SPDX-License-Identifier: Apache-2.0
//! A loaded version of a model.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{mpsc, Arc};

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
    /// `inputs` are in the order of the signature's inputs and of their dtypes; `outputs` are
    /// indices into its outputs, and the answer has their order.
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
    /// Counts the requests for it.
    pub meter: Arc<Meter>,
}

/// Gets the backend of a servable that has been dropped.
pub type Gone = mpsc::Receiver<Box<dyn Backend>>;

/// A version in memory: its signatures and the backend that runs them.
pub struct Servable {
    id: ServableId,
    callables: BTreeMap<String, Result<Arc<Callable>>>,
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
        let servable = Self { id, callables, metadata, backend: Some(backend), gone: sender };
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
