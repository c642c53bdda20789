// SPDX-License-Identifier: Apache-2.0
//! A session over a SavedModel, and runs of its signatures.

use std::collections::HashMap;
use std::ffi::{c_int, CString};
use std::path::Path;
use std::ptr;

use prost::encoding::{bytes, double, int32, string};
use slipway_core::{Backend, Code, DType, Error, Executor, Result, Signature, Tensor, TensorSpec};

use crate::denormals::FlushedDenormals;
use crate::library::Library;
use crate::saved_model::LoadOptions;
use crate::status::Status;
use crate::sys::{TF_Buffer, TF_Graph, TF_Output, TF_Session, TF_Tensor};
use crate::tensor::RuntimeTensor;

/// A loaded graph with its state, and where its signatures are fed and fetched.
pub(crate) struct Session {
    library: Library,
    raw: *mut TF_Session,
    graph: *mut TF_Graph,
    /// Where the tensors of signatures are, by the names that these have for them.
    tensors: HashMap<String, TF_Output>,
    in_caller: RunOptions,
    order: Order,
    copies_outputs: bool,
}

// SAFETY: TF_SessionRun may be called from any thread and from many at once; everything else of a
// session happens while it is made or dropped, by one owner.
unsafe impl Send for Session {}
// SAFETY: as above.
unsafe impl Sync for Session {}

/// In which order a session executes the ops of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Each as soon as its inputs are there, so that branches may go side by side.
    Ready,
    /// One after the other, as sorted once: TensorFlow's single-threaded executor. It keeps no queue
    /// and counts no inputs, and it refuses graphs with reference edges, loops and branches.
    Sorted,
}

impl Session {
    /// Loads the graph of `path` with the tags of `options` and restores its state. Returns the
    /// session and the graph's serialized `MetaGraphDef`.
    pub(crate) fn load(
        library: Library,
        path: &Path,
        options: &LoadOptions,
        order: Order,
    ) -> Result<(Self, Vec<u8>)> {
        let functions = library.functions;
        let path = path.to_str().ok_or_else(|| {
            Error::invalid_argument(format!("{} is not UTF-8, which paths must be", path.display()))
        })?;
        let path = c_string(path)?;
        let tags = options.tags.iter().map(|tag| c_string(tag)).collect::<Result<Vec<_>>>()?;
        let tags: Vec<_> = tags.iter().map(|tag| tag.as_ptr()).collect();
        let config = session_config(options, order);
        let mut status = Status::new(library);
        // SAFETY: all pointers live until they are freed below; a null session is an error with
        // its reason in the status, which is checked after everything has an owner.
        let (session, definition) = unsafe {
            let options = (functions.TF_NewSessionOptions)();
            (functions.TF_SetConfig)(
                options,
                config.as_ptr().cast(),
                config.len(),
                status.as_ptr(),
            );
            let graph = (functions.TF_NewGraph)();
            let definition = (functions.TF_NewBuffer)();
            let raw = if status.result().is_ok() {
                (functions.TF_LoadSessionFromSavedModel)(
                    options,
                    ptr::null(),
                    path.as_ptr(),
                    tags.as_ptr(),
                    tags.len() as c_int,
                    graph,
                    definition,
                    status.as_ptr(),
                )
            } else {
                ptr::null_mut()
            };
            (functions.TF_DeleteSessionOptions)(options);
            let bytes = match (*definition).length {
                0 => Vec::new(),
                length => {
                    std::slice::from_raw_parts((*definition).data.cast::<u8>(), length).to_vec()
                }
            };
            (functions.TF_DeleteBuffer)(definition);
            let in_caller = RunOptions::in_caller(library);
            (
                Self {
                    library,
                    raw,
                    graph,
                    tensors: HashMap::new(),
                    in_caller,
                    order,
                    copies_outputs: false,
                },
                bytes,
            )
        };
        status.result()?;
        Ok((session, definition))
    }

    /// Has outputs copied while their run is still the latest to have touched them. Memory of a
    /// reference variable may be written to by the next run.
    pub(crate) fn copy_outputs(&mut self) {
        self.copies_outputs = true;
    }

    /// Finds the inputs and outputs of a signature, which can then be run.
    ///
    /// # Errors
    /// INVALID_ARGUMENT when the graph does not have what the signature declares.
    pub(crate) fn prepare(&mut self, signature: &Signature) -> Result<()> {
        for spec in signature.inputs.iter().chain(&signature.outputs) {
            let output = self.output(spec)?;
            self.tensors.insert(spec.tensor_name.clone(), output);
        }
        Ok(())
    }

    fn prepared(&self, spec: &TensorSpec) -> Result<TF_Output> {
        self.tensors.get(&spec.tensor_name).copied().ok_or_else(|| {
            Error::internal(format!("{} was not prepared: this is a bug", spec.tensor_name))
        })
    }

    pub(crate) fn order(&self) -> Order {
        self.order
    }

    /// Has the runtime prepare a run of `signature`, and executes nothing.
    ///
    /// # Errors
    /// Why the signature cannot be run, whatever its inputs.
    pub(crate) fn check(&self, signature: &Signature) -> Result<()> {
        // Inputs of other dtypes than the graph has: the runtime looks at them last, when all that
        // a run needs is made.
        let inputs = signature.inputs.iter().map(|spec| match spec.dtype {
            DType::Int32 => Tensor::from_slice(vec![], &[0f32]),
            _ => Tensor::from_slice(vec![], &[0i32]),
        });
        let inputs: Vec<Tensor> = inputs.collect::<Result<_>>()?;
        if inputs.is_empty() {
            return Err(Error::unimplemented("a signature without inputs can only be run"));
        }
        let outputs: Vec<usize> = (0..signature.outputs.len()).collect();
        match self.run(signature, inputs, &outputs, Executor::Caller) {
            Err(error) if error.code == Code::InvalidArgument => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(Error::internal("inputs of another dtype were accepted")),
        }
    }

    fn output(&self, spec: &TensorSpec) -> Result<TF_Output> {
        let missing = || {
            Error::invalid_argument(format!(
                "\"{}\" is declared as tensor {}, which the graph does not have",
                spec.alias, spec.tensor_name
            ))
        };
        let (operation, index) =
            spec.tensor_name.rsplit_once(':').unwrap_or((&spec.tensor_name, "0"));
        let index: c_int = index.parse().map_err(|_| missing())?;
        let operation = c_string(operation)?;
        let functions = self.library.functions;
        // SAFETY: the graph is live, and the name is NUL-terminated.
        let oper = unsafe { (functions.TF_GraphOperationByName)(self.graph, operation.as_ptr()) };
        if oper.is_null() {
            return Err(missing());
        }
        // SAFETY: `oper` is an operation of the live graph.
        let outputs = unsafe { (functions.TF_OperationNumOutputs)(oper) };
        if !(0..outputs).contains(&index) {
            return Err(missing());
        }
        let output = TF_Output { oper, index };
        // SAFETY: the operation has an output of this index.
        let number = unsafe { (functions.TF_OperationOutputType)(output) };
        if DType::from_declaration(number) != Some(spec.dtype) {
            return Err(Error::invalid_argument(format!(
                "\"{}\" is declared {}, but tensor {} is not",
                spec.alias, spec.dtype, spec.tensor_name
            )));
        }
        Ok(output)
    }
}

impl Backend for Session {
    fn run(
        &self,
        signature: &Signature,
        inputs: Vec<Tensor>,
        outputs: &[usize],
        executor: Executor,
    ) -> Result<Vec<Tensor>> {
        if inputs.len() != signature.inputs.len() {
            return Err(Error::internal("a run has inputs for another signature: this is a bug"));
        }
        let feeds = signature.inputs.iter().map(|spec| self.prepared(spec));
        let feeds = feeds.collect::<Result<Vec<_>>>()?;
        let inputs = inputs
            .into_iter()
            .map(|tensor| RuntimeTensor::from_tensor(self.library, tensor))
            .collect::<Result<Vec<_>>>()?;
        let fed: Vec<*mut TF_Tensor> = inputs.iter().map(RuntimeTensor::as_ptr).collect();
        let fetches = outputs
            .iter()
            .map(|&index| {
                let spec = signature.outputs.get(index).ok_or_else(|| {
                    Error::internal("a run asks for an output that is not there: this is a bug")
                })?;
                self.prepared(spec)
            })
            .collect::<Result<Vec<_>>>()?;
        let mut fetched: Vec<*mut TF_Tensor> = vec![ptr::null_mut(); fetches.len()];
        let mut status = Status::new(self.library);
        let (options, flushed) = match executor {
            Executor::Caller => (self.in_caller.raw, Some(FlushedDenormals::new())),
            Executor::Pool => (ptr::null_mut(), None),
        };
        // SAFETY: feeds and fetches belong to this session's graph and are as many as the counts
        // say; the fed tensors outlive the call; fetched ones are ours when it succeeds.
        unsafe {
            (self.library.functions.TF_SessionRun)(
                self.raw,
                options,
                feeds.as_ptr(),
                fed.as_ptr(),
                fed.len() as c_int,
                fetches.as_ptr(),
                fetched.as_mut_ptr(),
                fetches.len() as c_int,
                ptr::null(),
                0,
                ptr::null_mut(),
                status.as_ptr(),
            );
        }
        drop(flushed);
        let fetched: Vec<RuntimeTensor> = fetched
            .into_iter()
            .filter(|raw| !raw.is_null())
            // SAFETY: a tensor that the run left here is live and ours.
            .map(|raw| unsafe { RuntimeTensor::from_raw(self.library, raw) })
            .collect();
        status.result()?;
        fetched
            .into_iter()
            .map(
                |tensor| {
                    if self.copies_outputs {
                        tensor.into_copy()
                    } else {
                        tensor.into_tensor()
                    }
                },
            )
            .collect()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut status = Status::new(self.library);
        let functions = self.library.functions;
        // SAFETY: session and graph are live and ours, no run is under way while they are dropped,
        // and the session goes before its graph. Errors of closing leave nothing to be done.
        unsafe {
            if !self.raw.is_null() {
                (functions.TF_CloseSession)(self.raw, status.as_ptr());
                (functions.TF_DeleteSession)(self.raw, status.as_ptr());
            }
            (functions.TF_DeleteGraph)(self.graph);
        }
    }
}

/// Serialized `tensorflow.RunOptions`, made once and shared by all runs.
struct RunOptions {
    library: Library,
    raw: *mut TF_Buffer,
}

impl RunOptions {
    /// Options under which the calling thread executes the ops.
    fn in_caller(library: Library) -> Self {
        const INTER_OP_THREAD_POOL: u32 = 3;
        let mut bytes = Vec::new();
        int32::encode(INTER_OP_THREAD_POOL, &-1, &mut bytes);
        // SAFETY: the bytes are copied.
        let raw = unsafe {
            (library.functions.TF_NewBufferFromString)(bytes.as_ptr().cast(), bytes.len())
        };
        Self { library, raw }
    }
}

impl Drop for RunOptions {
    fn drop(&mut self) {
        // SAFETY: `raw` came from TF_NewBufferFromString and is freed once.
        unsafe { (self.library.functions.TF_DeleteBuffer)(self.raw) }
    }
}

/// Serialized `tensorflow.ConfigProto`: pools of these sizes, a share of the memory of GPUs, and ops
/// that ask for a device which is not there run on one that is.
fn session_config(options: &LoadOptions, order: Order) -> Vec<u8> {
    const INTRA_OP_PARALLELISM_THREADS: u32 = 2;
    const INTER_OP_PARALLELISM_THREADS: u32 = 5;
    const GPU_OPTIONS: u32 = 6;
    const PER_PROCESS_GPU_MEMORY_FRACTION: u32 = 1;
    const ALLOW_SOFT_PLACEMENT: u32 = 7;
    const EXPERIMENTAL: u32 = 16;
    const EXECUTOR_TYPE: u32 = 3;
    let threads = options.threads;
    let mut config = Vec::new();
    let number = |threads: usize| i32::try_from(threads).unwrap_or(i32::MAX);
    int32::encode(INTRA_OP_PARALLELISM_THREADS, &number(threads.intra_op), &mut config);
    int32::encode(INTER_OP_PARALLELISM_THREADS, &number(threads.inter_op), &mut config);
    if let Some(fraction) = options.gpu_memory_fraction {
        let mut gpu_options = Vec::new();
        double::encode(PER_PROCESS_GPU_MEMORY_FRACTION, &fraction, &mut gpu_options);
        bytes::encode(GPU_OPTIONS, &gpu_options, &mut config);
    }
    prost::encoding::bool::encode(ALLOW_SOFT_PLACEMENT, &true, &mut config);
    if order == Order::Sorted {
        let mut experimental = Vec::new();
        string::encode(EXECUTOR_TYPE, &"SINGLE_THREADED_EXECUTOR".to_owned(), &mut experimental);
        bytes::encode(EXPERIMENTAL, &experimental, &mut config);
    }
    config
}

fn c_string(text: &str) -> Result<CString> {
    CString::new(text)
        .map_err(|_| Error::invalid_argument(format!("{text:?} has a NUL byte in it")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saved_model::Threads;

    fn config(gpu_memory_fraction: Option<f64>, order: Order) -> Vec<u8> {
        let options = LoadOptions {
            tags: Vec::new(),
            threads: Threads { intra_op: 2, inter_op: 3 },
            gpu_memory_fraction,
            executor: None,
            max_tensor_bytes: 0,
            check_method_names: false,
            warm_up: None,
        };
        session_config(&options, order)
    }

    /// What TensorFlow's own `config_pb2.ConfigProto` serializes to.
    #[test]
    fn a_session_s_configuration_is_the_runtime_s_message() {
        assert_eq!(config(None, Order::Ready), b"\x10\x02(\x038\x01");
        let with_fraction = b"\x10\x02(\x032\t\t\0\0\0\0\0\0\xd0?8\x01";
        assert_eq!(config(Some(0.25), Order::Ready), with_fraction);
        let sorted = b"\x10\x02(\x038\x01\x82\x01\x1a\x1a\x18SINGLE_THREADED_EXECUTOR";
        assert_eq!(config(None, Order::Sorted), sorted);
    }
}
