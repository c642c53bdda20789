// SPDX-License-Identifier: Apache-2.0
//! What a model server knows without a network, Python or TensorFlow: values, the registry of
//! servables, the rules of the calls, and what is counted of them.

#![forbid(unsafe_code)]

mod budget;
mod call;
mod dtype;
mod error;
mod evaluation;
mod example_writer;
mod examples;
mod histogram;
mod inference;
mod ledger;
mod made_up;
mod meter;
mod multi_inference;
pub mod narrow;
pub mod number_text;
mod outcome;
mod predict;
mod registry;
mod replay;
mod run_plan;
mod servable;
mod signature;
mod tensor;
mod tensor_wire;

pub use budget::{Budget, Lease, Room, STRING_COST};
pub use call::{Call, Run};
pub use dtype::DType;
pub use error::{Code, Error, Result};
pub use evaluation::{Evaluation, Reading};
pub use example_writer::{ExampleWriter, FeatureKind};
pub use examples::{examples_from_wire, examples_with_context};
pub use histogram::{Histogram, Tally};
pub use inference::{no_inference_signature, Inference, Task};
pub use ledger::{
    Ledger, LoadReport, ModelMeter, ModelTally, Replayed, VersionTally, UNCONFIGURED,
};
pub use made_up::made_up_inputs;
pub use meter::{
    Api, ExampleMeter, ExampleTally, KindTally, Meter, Protocol, RunTimes, Tallies, Times,
};
pub use multi_inference::multi_inference_tasks;
pub use outcome::{Classes, Outcome, Values};
pub use predict::{
    bind_inputs, bind_tensors, check_dtype, check_predict, explain_shapes, no_signature,
    odd_shapes, select_outputs, DEFAULT_SIGNATURE,
};
pub use registry::{Model, Publication, Registry, Snapshot, State, VersionChoice, VersionStatus};
pub use replay::replay;
pub use run_plan::{Executor, Place, RunPlan, RunPlanner, POOL_GAIN};
pub use servable::{Backend, Callable, Gone, Servable, ServableId};
pub use signature::{Signature, TensorSpec};
pub use tensor::{element_count, AlignedBytes, Data, Element, Tensor};
pub use tensor_wire::{tensor_from_wire, tensor_to_wire, wire_work};
