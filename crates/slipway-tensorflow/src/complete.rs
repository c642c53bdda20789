// SPDX-License-Identifier: Apache-2.0
//! Whether a SavedModel has been written, or copied, to its end.

use std::collections::HashMap;
use std::path::Path;
use std::{fs, io};

use prost::Message;
use slipway_proto::outline::{BundleEntry, BundleHeader, MetaGraph, SavedModel};

use crate::saved_model::FILES;
use crate::table;

/// Why the SavedModel in the folder `path` cannot be loaded yet, or `None` when all of it is there:
/// `saved_model.pb` parses, its assets exist, and where it restores variables, their index is whole
/// and each data file is as long as the index says.
///
/// Needs no TensorFlow. Reasons name files relative to `path`.
pub fn incomplete_reason(path: &Path) -> Option<String> {
    check(path).err()
}

fn check(path: &Path) -> Result<(), String> {
    let [binary, others @ ..] = FILES;
    if !path.join(binary).is_file() {
        // Text and chunked forms are rare, and cannot be read part by part: they are taken as found.
        let found = others.iter().any(|file| path.join(file).is_file());
        return if found { Ok(()) } else { Err(format!("{binary} is missing")) };
    }
    let definition = read(path, binary)?;
    let model = SavedModel::decode(definition.as_slice())
        .map_err(|error| format!("{binary} is cut off or damaged: {error}"))?;
    if model.meta_graphs.is_empty() {
        return Err(format!("{binary} has no graph"));
    }
    model.meta_graphs.iter().try_for_each(|graph| check_graph(path, graph))
}

fn check_graph(path: &Path, graph: &MetaGraph) -> Result<(), String> {
    for asset in &graph.asset_file_def {
        let file = format!("assets/{}", asset.filename);
        if !path.join(&file).is_file() {
            return Err(format!("{file} is missing"));
        }
    }
    let restores = graph.saver_def.as_ref().is_some_and(|saver| !saver.restore_op_name.is_empty());
    if restores {
        check_variables(path)?;
    }
    Ok(())
}

fn check_variables(path: &Path) -> Result<(), String> {
    const INDEX: &str = "variables/variables.index";
    let index = read(path, INDEX)?;
    let damaged = |reason: &str| format!("{INDEX} is not whole: {reason}");
    let values = table::values(&index).map_err(damaged)?;
    let (header, entries) = values.split_first().ok_or_else(|| damaged("it is empty"))?;
    let header = BundleHeader::decode(*header).map_err(|error| damaged(&error.to_string()))?;
    let mut lengths: HashMap<i32, i64> = HashMap::new();
    for entry in entries {
        let entry = BundleEntry::decode(*entry).map_err(|error| damaged(&error.to_string()))?;
        let end = entry.offset.saturating_add(entry.size);
        let length = lengths.entry(entry.shard_id).or_default();
        *length = end.max(*length);
    }
    for (shard, length) in lengths {
        let file = format!("variables/variables.data-{shard:05}-of-{:05}", header.num_shards);
        let found = fs::metadata(path.join(&file)).map_err(|_| format!("{file} is missing"))?;
        if i64::try_from(found.len()).is_ok_and(|found| found < length) {
            return Err(format!("{file} has {} of at least {length} bytes", found.len()));
        }
    }
    Ok(())
}

fn read(path: &Path, file: &str) -> Result<Vec<u8>, String> {
    let path = path.join(file);
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("{file} is missing"),
        _ => format!("{file} cannot be read: {error}"),
    };
    // Opening a pipe waits for its other end.
    if !fs::metadata(&path).map_err(unreadable)?.is_file() {
        return Err(format!("{file} is no file"));
    }
    fs::read(&path).map_err(unreadable)
}
