// SPDX-License-Identifier: Apache-2.0
//! From a SavedModel's folder to a servable.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use prost::Message;
use slipway_core::{
    Callable, Error, Executor, Gone, LoadReport, Result, RunPlanner, Servable, ServableId,
    Signature,
};
use slipway_proto::outline::MetaGraph;
use slipway_proto::tensorflow::serving::SignatureDefMap;

use crate::library::Library;
use crate::reach::Reach;
use crate::session::Session;
use crate::warm_up::{replay, run_made_up, WarmUp, GENERATED_LIMIT};

/// How a version is loaded.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Tags that name the graph in the SavedModel.
    pub tags: Vec<String>,
    pub threads: Threads,
    /// Who executes the ops; `None` measures both and takes the faster.
    pub executor: Option<Executor>,
    /// Bytes that the default value of an input, or a request to warm up with, may take.
    pub max_tensor_bytes: usize,
    /// `None` for a servable that has run nothing yet.
    pub warm_up: Option<WarmUp>,
}

/// A version in memory.
#[derive(Debug)]
pub struct Loaded {
    pub servable: Arc<Servable>,
    /// Gets the backend when the servable has been dropped.
    pub gone: Gone,
    pub report: LoadReport,
}

/// Sizes of the runtime's thread pools; all sessions of the process share the pools of the first.
#[derive(Clone, Copy, Debug)]
pub struct Threads {
    /// Within one op.
    pub intra_op: usize,
    /// For ops side by side.
    pub inter_op: usize,
}

/// The files of which a SavedModel has one.
pub(crate) const FILES: [&str; 3] = ["saved_model.pb", "saved_model.pbtxt", "saved_model.cpb"];

/// Loads the SavedModel in the folder `path`, blocking until its state is restored, its tables are
/// filled and it is warmed up.
///
/// # Errors
/// The runtime's own, with the path in the text. NOT_FOUND where there is no SavedModel. Those of the
/// requests that it brings to be warmed up with.
pub fn load(
    library: Library,
    id: ServableId,
    path: &Path,
    options: &LoadOptions,
) -> Result<Loaded> {
    let begin = Instant::now();
    if !FILES.iter().any(|file| path.join(file).is_file()) {
        return Err(Error::not_found(format!(
            "{} does not appear to contain a SavedModel bundle (should have a file called \
             `saved_model.pb`)",
            path.display()
        )));
    }
    let (mut session, definition) = Session::load(library, path, &options.tags, options.threads)?;
    let graph = MetaGraph::decode(definition.as_slice())
        .map_err(|error| Error::internal(format!("the graph definition is malformed: {error}")))?;
    drop(definition);
    let reach = Reach::new(graph.graph_def.as_ref());
    if reach.has_reference_variables() {
        session.copy_outputs();
    }
    let mut callable = |name: &str, def| {
        let signature = Signature::from_wire(name, def, options.max_tensor_bytes)?;
        session.prepare(&signature)?;
        let planner = RunPlanner::new(reach.is_bounded(&signature), options.executor);
        Ok(Arc::new(Callable { signature, planner, meter: Arc::default() }))
    };
    let callables: BTreeMap<String, Result<Arc<Callable>>> = graph
        .signature_def
        .iter()
        .map(|(name, def)| {
            let callable = callable(name, def).map_err(|error: Error| {
                let message = format!("Signature \"{name}\" cannot be served: {}", error.message);
                Error::new(error.code, message)
            });
            (name.clone(), callable)
        })
        .collect();
    let harmless: Vec<Arc<Callable>> = callables
        .values()
        .flatten()
        .filter(|callable| reach.is_harmless(&callable.signature))
        .cloned()
        .collect();
    drop(reach);
    let metadata = SignatureDefMap { signature_def: graph.signature_def };
    let (servable, gone) = Servable::new(id, callables, metadata, Box::new(session));
    let mut replayed = None;
    if let Some(WarmUp { iterations, generated }) = options.warm_up {
        replayed = replay(&servable, path, iterations, options.max_tensor_bytes)?;
        if generated && replayed.is_none() {
            run_made_up(&servable, &harmless, options.max_tensor_bytes, GENERATED_LIMIT);
        }
    }
    Ok(Loaded { servable, gone, report: LoadReport { time: begin.elapsed(), replayed } })
}
