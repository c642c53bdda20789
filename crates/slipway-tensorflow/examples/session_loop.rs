// SPDX-License-Identifier: Apache-2.0
//! Runs half_plus_two in a loop on one thread, with no server around it: what is there to be
//! served.
//!
//! Usage: `session_loop LIBTENSORFLOW_CC SAVED_MODEL_DIR SECONDS`. Prints the version of the
//! runtime, and runs per second with the ops executed by the calling thread and by the pool.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::path::Path;
use std::time::{Duration, Instant};

use slipway_core::{Error, Executor, Servable, ServableId, Signature, Tensor};
use slipway_tensorflow::{load, Library, LoadOptions, Threads};

const RUNS_BETWEEN_CLOCKS: u32 = 500;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [library, model, seconds] = arguments.as_slice() else {
        return Err("usage: session_loop LIBTENSORFLOW_CC SAVED_MODEL_DIR SECONDS".into());
    };
    let duration = Duration::from_secs_f64(seconds.parse()?);

    let library = Library::load(Path::new(library)).map_err(text)?;
    let id = ServableId { model: "half_plus_two".into(), version: 123 };
    let threads = std::thread::available_parallelism()?.get();
    let options = LoadOptions {
        tags: vec!["serve".into()],
        threads: Threads { intra_op: threads, inter_op: threads },
        gpu_memory_fraction: None,
        executor: None,
        max_tensor_bytes: 1 << 20,
        check_method_names: false,
        warm_up: None,
    };
    let loaded = load(library, id, Path::new(model), &options).map_err(text)?;
    let servable = loaded.servable;
    let callable = servable.callable("serving_default").ok_or("no serving_default")?;
    let signature = &callable.as_ref().map_err(|error| text(error.clone()))?.signature;

    println!("tensorflow {}", library.version());
    for (name, executor) in [("caller", Executor::Caller), ("pool", Executor::Pool)] {
        let answer = run(&servable, signature, executor)?;
        if answer != [2.5, 3.0, 4.5] {
            return Err(format!("the model answered {answer:?}").into());
        }
        measure(&servable, signature, executor, duration / 10)?;
        println!("{name} {:.0}", measure(&servable, signature, executor, duration)?);
    }
    Ok(())
}

/// Runs for at least `duration`; returns runs per second.
fn measure(
    servable: &Servable,
    signature: &Signature,
    executor: Executor,
    duration: Duration,
) -> Result<f64, String> {
    let begin = Instant::now();
    let mut runs = 0;
    while begin.elapsed() < duration {
        for _ in 0..RUNS_BETWEEN_CLOCKS {
            run(servable, signature, executor)?;
        }
        runs += RUNS_BETWEEN_CLOCKS;
    }
    Ok(f64::from(runs) / begin.elapsed().as_secs_f64())
}

/// One request's worth of work: a new input tensor, the run, and its output read.
fn run(servable: &Servable, signature: &Signature, executor: Executor) -> Result<Vec<f32>, String> {
    let input = Tensor::from_slice(vec![3], &[1.0f32, 2.0, 5.0]).map_err(text)?;
    let backend = servable.backend().map_err(text)?;
    let outputs = backend.run(signature, vec![input], &[0], executor).map_err(text)?;
    let values = outputs.first().and_then(Tensor::elements::<f32>).ok_or("no floats")?;
    Ok(values.collect())
}

fn text(error: Error) -> String {
    error.message
}
