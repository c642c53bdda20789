// SPDX-License-Identifier: Apache-2.0
//! From a SavedModel's folder to a servable.

use std::path::Path;
use std::sync::Arc;

use prost::Message;
use slipway_core::{
    Callable, Error, Executor, Gone, Result, RunPlanner, Servable, ServableId, Signature,
};
use slipway_proto::outline::MetaGraph;
use slipway_proto::tensorflow::serving::SignatureDefMap;

use crate::bounded::Bounded;
use crate::library::Library;
use crate::session::Session;

/// How a version is loaded.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Tags that name the graph in the SavedModel.
    pub tags: Vec<String>,
    /// Size of the runtime's thread pools; all sessions of the process share those of the first.
    pub threads: usize,
    /// Who executes the ops; `None` measures both and takes the faster.
    pub executor: Option<Executor>,
    /// Bytes that the default value of an input may take.
    pub max_tensor_bytes: usize,
}

/// The files of which a SavedModel has one.
pub(crate) const FILES: [&str; 3] = ["saved_model.pb", "saved_model.pbtxt", "saved_model.cpb"];

/// Loads the SavedModel in the folder `path`, blocking until its state is restored and its tables
/// are filled. The receiver gets the backend when the servable has been dropped.
///
/// # Errors
/// The runtime's own, with the path in the text. NOT_FOUND where there is no SavedModel.
pub fn load(
    library: Library,
    id: ServableId,
    path: &Path,
    options: &LoadOptions,
) -> Result<(Arc<Servable>, Gone)> {
    if !FILES.iter().any(|file| path.join(file).is_file()) {
        return Err(Error::not_found(format!(
            "{} does not appear to contain a SavedModel bundle (should have a file called \
             `saved_model.pb`)",
            path.display()
        )));
    }
    let threads = i32::try_from(options.threads).unwrap_or(i32::MAX);
    let (mut session, definition) = Session::load(library, path, &options.tags, threads)?;
    let graph = MetaGraph::decode(definition.as_slice())
        .map_err(|error| Error::internal(format!("the graph definition is malformed: {error}")))?;
    drop(definition);
    let bounded = Bounded::new(graph.graph_def.as_ref());
    if bounded.has_reference_variables() {
        session.copy_outputs();
    }
    let mut callable = |name: &str, def| {
        let signature = Signature::from_wire(name, def, options.max_tensor_bytes)?;
        session.prepare(&signature)?;
        let planner = RunPlanner::new(bounded.is_bounded(&signature), options.executor);
        Ok(Arc::new(Callable { signature, planner }))
    };
    let callables = graph
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
    drop(bounded);
    let metadata = SignatureDefMap { signature_def: graph.signature_def };
    Ok(Servable::new(id, callables, metadata, Box::new(session)))
}
