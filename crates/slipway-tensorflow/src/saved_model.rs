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
use tracing::{debug, info};

use crate::library::{trim_memory, Library};
use crate::reach::Reach;
use crate::session::{Order, Session};
use crate::trial::{is_cheap_to_open, Trial};
use crate::warm_up::{replay, run_made_up, WarmUp, GENERATED_LIMIT};

/// How a version is loaded.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Tags that name the graph in the SavedModel.
    pub tags: Vec<String>,
    pub threads: Threads,
    /// What a process may take of the memory of each GPU; `None` leaves that to the runtime. All
    /// sessions share what the first has taken.
    pub gpu_memory_fraction: Option<f64>,
    /// Who executes the ops; `None` leaves it to measurement.
    pub executor: Option<Pin>,
    /// Bytes that the default value of an input, or a request to warm up with, may take.
    pub max_tensor_bytes: usize,
    /// Whether a signature answers only the calls that its method name is for.
    pub check_method_names: bool,
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

/// Who executes the ops of a version, whatever measurement would say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// The thread that calls.
    Caller,
    /// TensorFlow's inter-op pool.
    Pool,
    /// The thread that calls, by TensorFlow's single-threaded executor; a version that it refuses is
    /// left to measurement.
    SingleThreaded,
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
    let open = |order| Opened::new(library, path, options, order);
    let Opened { mut session, graph, signatures } = match options.executor {
        Some(Pin::SingleThreaded) => open(Order::Sorted).or_else(|error| {
            info!("{id} cannot be run by the single-threaded executor: {error}");
            open(Order::Ready)
        })?,
        _ => open(Order::Ready)?,
    };
    let opening = begin.elapsed();
    let reach = Reach::new(graph.graph_def.as_ref());
    let makes_up = options.warm_up.is_some_and(|warm_up| warm_up.generated);
    let sound = || signatures.values().flatten();
    if options.executor.is_none()
        && makes_up
        && !reach.has_reference_variables()
        && sound().all(|signature| reach.is_harmless(signature))
        && is_cheap_to_open(path, opening)
    {
        let trial = Trial::new(&session, sound(), options.max_tensor_bytes);
        match trial.and_then(|trial| trial.winner(open(Order::Sorted)?.session)) {
            Ok((sorted, figures)) => {
                info!("{id} is run by the single-threaded executor: {figures}");
                session = sorted;
            }
            Err(error) => debug!("{id} is not run by the single-threaded executor: {error}"),
        }
        // Whichever session has gone.
        trim_memory();
    }
    let pinned = match (session.order(), options.executor) {
        (Order::Sorted, _) | (_, Some(Pin::Caller)) => Some(Executor::Caller),
        (_, Some(Pin::Pool)) => Some(Executor::Pool),
        (Order::Ready, None | Some(Pin::SingleThreaded)) => None,
    };
    let callables: BTreeMap<String, Result<Arc<Callable>>> = signatures
        .into_iter()
        .map(|(name, signature)| {
            let callable = signature.map(|signature| {
                let planner = RunPlanner::new(reach.is_bounded(&signature), pinned);
                Arc::new(Callable {
                    signature,
                    planner,
                    checks_method_name: options.check_method_names,
                    meter: Arc::default(),
                })
            });
            (name, callable)
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

/// A session over a version, ready to run its signatures.
struct Opened {
    session: Session,
    graph: MetaGraph,
    signatures: BTreeMap<String, Result<Signature>>,
}

impl Opened {
    /// # Errors
    /// The runtime's own; for sorted ops also where these cannot run one of the signatures.
    fn new(library: Library, path: &Path, options: &LoadOptions, order: Order) -> Result<Self> {
        let (mut session, definition) = Session::load(library, path, options, order)?;
        let graph = MetaGraph::decode(definition.as_slice()).map_err(|error| {
            Error::internal(format!("the graph definition is malformed: {error}"))
        })?;
        drop(definition);
        if Reach::new(graph.graph_def.as_ref()).has_reference_variables() {
            session.copy_outputs();
        }
        let mut signature = |name: &str, def| {
            let signature = Signature::from_wire(name, def, options.max_tensor_bytes)?;
            session.prepare(&signature)?;
            Ok(signature)
        };
        let signatures: BTreeMap<String, Result<Signature>> = graph
            .signature_def
            .iter()
            .map(|(name, def)| {
                let signature = signature(name, def).map_err(|error: Error| {
                    let message =
                        format!("Signature \"{name}\" cannot be served: {}", error.message);
                    Error::new(error.code, message)
                });
                (name.clone(), signature)
            })
            .collect();
        if order == Order::Sorted {
            signatures.values().flatten().try_for_each(|signature| session.check(signature))?;
        }
        Ok(Self { session, graph, signatures })
    }
}
