// SPDX-License-Identifier: Apache-2.0
//! What a model server knows without a network, Python or TensorFlow: values, the registry of
//! servables, the rules of a Predict call, and what is counted of it.

#![forbid(unsafe_code)]

mod budget;
mod call;
mod dtype;
mod error;
mod examples;
mod histogram;
mod inference;
mod ledger;
mod made_up;
mod meter;
pub mod narrow;
pub mod number_text;
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
pub use examples::examples_from_wire;
pub use histogram::{Histogram, Tally};
pub use inference::Inference;
pub use ledger::{
    Ledger, LoadReport, ModelMeter, ModelTally, Replayed, VersionTally, UNCONFIGURED,
};
pub use made_up::made_up_inputs;
pub use meter::{
    Api, ExampleMeter, ExampleTally, KindTally, Meter, Protocol, RunTimes, Tallies, Times,
};
pub use predict::{
    bind_inputs, bind_tensors, check_dtype, explain_shapes, no_signature, odd_shapes,
    select_outputs, DEFAULT_SIGNATURE,
};
pub use registry::{Model, Publication, Registry, Snapshot, State, VersionChoice, VersionStatus};
pub use replay::logged_calls;
pub use run_plan::{Executor, Place, RunPlan, RunPlanner};
pub use servable::{Backend, Callable, Gone, Servable, ServableId};
pub use signature::{Signature, TensorSpec};
pub use tensor::{element_count, AlignedBytes, Data, Element, Tensor};
pub use tensor_wire::{tensor_from_wire, tensor_to_wire, wire_work};
