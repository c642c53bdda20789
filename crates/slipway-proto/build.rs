// SPDX-License-Identifier: Apache-2.0

//! Compiles `proto/` without protoc, so that building needs nothing but cargo.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);

    let mut sources = Vec::new();
    walk(&root, &mut sources)?;
    sources.sort();

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).open_files(&sources)?;

    // Reflection answers from these; the original server sends no comments either.
    let bare = compiler.include_source_info(false).file_descriptor_set();
    fs::write(out_dir.join("descriptors.bin"), bare.encode_to_vec())?;

    let commented = compiler.include_source_info(true).file_descriptor_set();
    config().compile_fds(commented)?;
    Ok(())
}

fn config() -> prost_build::Config {
    let mut config = prost_build::Config::new();
    config
        // `bytes` fields share the memory of the message they came in.
        .bytes(["."])
        // Maps in one order: the same message gives the same bytes, error texts list names sorted.
        .btree_map(["."])
        // Lets `prost_types::Any` hold the messages under the URLs that other languages expect.
        .enable_type_names()
        .type_name_domain(["."], "type.googleapis.com")
        // Written by hand: see src/tensor_proto.rs, src/input.rs and src/serialized.rs.
        .extern_path(".tensorflow.TensorProto", "crate::TensorProto")
        .extern_path(".tensorflow.serving.Input", "crate::Input")
        .extern_path(".tensorflow.serving.ClassificationResult", "crate::Serialized")
        .extern_path(".tensorflow.serving.RegressionResult", "crate::Serialized")
        // By far the largest kind of a structured value, and a rare one.
        .boxed(".tensorflow.StructuredValue.kind.bounded_tensor_spec_value");

    #[cfg(feature = "services")]
    config.service_generator(
        tonic_prost_build::configure()
            .build_client(false)
            .codec_path("crate::bounded_codec::BoundedCodec")
            .service_generator(),
    );

    config
}

/// Collects the `.proto` files below `folder`, and has cargo watch the folder for new ones.
fn walk(folder: &Path, sources: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo:rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            println!("cargo:rerun-if-changed={}", path.display());
            sources.push(path);
        }
    }
    Ok(())
}
