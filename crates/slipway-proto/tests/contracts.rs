// SPDX-License-Identifier: Apache-2.0

//! What users of the crate rely on beyond single messages.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use prost_types::{Any, FileDescriptorSet};
use slipway_proto::outline::{MetaGraph, SavedModel};
use slipway_proto::tensorflow::serving::SignatureDefMap;
use slipway_proto::tensorflow::SignatureDef;
use slipway_proto::DESCRIPTORS;

#[test]
fn descriptors_hold_the_services_and_all_that_is_imported() {
    let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap().file;

    let names: BTreeSet<_> = files.iter().map(|file| file.name()).collect();
    let imports: BTreeSet<_> = files.iter().flat_map(|f| &f.dependency).map(|d| &**d).collect();
    assert!(imports.is_subset(&names), "{imports:?} {names:?}");

    let services = files.iter().flat_map(|file| {
        file.service.iter().map(|service| format!("{}.{}", file.package(), service.name()))
    });
    assert_eq!(
        services.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>(),
        [
            "grpc.health.v1.Health",
            "slipway.Configuration",
            "tensorflow.serving.ModelService",
            "tensorflow.serving.PredictionService",
        ],
    );
}

#[test]
fn metadata_travels_under_the_url_that_other_languages_expect() {
    let any = Any::from_msg(&SignatureDefMap::default()).unwrap();
    assert_eq!(any.type_url, "type.googleapis.com/tensorflow.serving.SignatureDefMap");
}

/// An attribute as SavedModels hold it; `tensor` stands for the message of a constant.
#[derive(Clone, PartialEq, prost::Message)]
struct AttrValue {
    #[prost(bytes = "vec", tag = "8")]
    tensor: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct NodeDef {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    op: String,
    #[prost(string, repeated, tag = "3")]
    input: Vec<String>,
    #[prost(btree_map = "string, message", tag = "5")]
    attr: BTreeMap<String, AttrValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct GraphDef {
    #[prost(message, repeated, tag = "1")]
    node: Vec<NodeDef>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct MetaGraphDef {
    #[prost(message, optional, tag = "2")]
    graph_def: Option<GraphDef>,
}

#[test]
fn an_outline_keeps_nodes_and_signatures_and_leaves_constants_out() {
    let node = NodeDef {
        name: "weights".to_owned(),
        op: "Const".to_owned(),
        input: vec!["^init".to_owned()],
        attr: [("value".to_owned(), AttrValue { tensor: vec![0xff; 1 << 20] })].into(),
    };
    let mut meta_graph =
        MetaGraphDef { graph_def: Some(GraphDef { node: vec![node] }) }.encode_to_vec();
    let signatures = MetaGraph {
        signature_def: [("serving_default".to_owned(), SignatureDef::default())].into(),
        ..Default::default()
    };
    signatures.encode(&mut meta_graph).unwrap();

    let outline = MetaGraph::decode(&meta_graph[..]).unwrap();
    assert_eq!(outline.signature_def, signatures.signature_def);
    let node = &outline.graph_def.as_ref().unwrap().node[0];
    assert_eq!((&*node.name, &*node.op, &*node.input[0]), ("weights", "Const", "^init"));

    let model = SavedModel { saved_model_schema_version: 1, meta_graphs: vec![outline] };
    assert!(model.encoded_len() < 100);
}
