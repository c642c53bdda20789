// SPDX-License-Identifier: Apache-2.0

//! The messages and services on the wire, compiled from `proto/`. Modules mirror packages.
//!
//! Everything is generated but three. A generated [`TensorProto`] would hold an object for each
//! string and a copy of each number, a generated [`Input`] one for each feature of its examples, and
//! what is [`Serialized`] one for each class.

#![forbid(unsafe_code)]

#[cfg(feature = "services")]
pub mod bounded_codec;
mod example;
mod input;
#[cfg(feature = "reflect")]
pub mod reflect;
mod serialized;
mod strings;
mod tensor_proto;
mod wire;

pub use crate::example::{is_plain_example, plain_example};
pub use crate::input::Input;
pub use crate::serialized::Serialized;
pub use crate::slipway::outline;
pub use crate::strings::Strings;
pub use crate::tensor_proto::TensorProto;

/// All of `proto/` and what it imports, as an encoded `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Package `tensorflow`.
pub mod tensorflow {
    pub use crate::TensorProto;

    include!(concat!(env!("OUT_DIR"), "/tensorflow.rs"));

    /// Package `tensorflow.error`.
    pub mod error {
        include!(concat!(env!("OUT_DIR"), "/tensorflow.error.rs"));
    }

    /// Package `tensorflow.serving`. With the feature `services` also the server traits.
    pub mod serving {
        include!(concat!(env!("OUT_DIR"), "/tensorflow.serving.rs"));
    }
}

/// Package `grpc`.
pub mod grpc {
    /// Package `grpc.health`.
    pub mod health {
        /// Package `grpc.health.v1`. With the feature `services` also the server trait.
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/grpc.health.v1.rs"));
        }
    }
}

/// Package `slipway`: what the contract does not have.
pub mod slipway {
    include!(concat!(env!("OUT_DIR"), "/slipway.rs"));

    /// Package `slipway.outline`: reads a SavedModel without its bulk.
    pub mod outline {
        include!(concat!(env!("OUT_DIR"), "/slipway.outline.rs"));
    }
}
