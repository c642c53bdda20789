// SPDX-License-Identifier: Apache-2.0
//! What a signature reaches: the ops between its inputs and outputs, behind every function they call.
//!
//! Two things are asked of them. A signature is *bounded* when the sizes of its inputs bound the time
//! it takes: no loops, queues or files, and no ops whose output grows with an input's *value* (`Fill`,
//! `Range`, `Tile`). It is *harmless* when it can be run though nobody asked: it ends, and neither
//! writes state, draws random numbers, nor reads queues or files. An op that is not in a list is
//! neither.

use std::collections::{HashMap, HashSet};

use slipway_core::Signature;
use slipway_proto::outline::{Graph, Node};

/// Ops whose time is bounded by the sizes of their inputs.
const BOUNDED_OPS: &[&str] = &[
    // Structure and state that is only read.
    "Placeholder",
    "PlaceholderWithDefault",
    "Const",
    "Identity",
    "IdentityN",
    "NoOp",
    "StopGradient",
    "PreventGradient",
    "Snapshot",
    "EnsureShape",
    "Assert",
    "_Arg",
    "_Retval",
    "VarHandleOp",
    "ReadVariableOp",
    "VariableV2",
    "Variable",
    "HashTableV2",
    "MutableHashTableV2",
    "LookupTableFindV2",
    "LookupTableSizeV2",
    "ResourceGather",
    "ResourceGatherNd",
    // Element by element.
    "Abs",
    "Add",
    "AddN",
    "AddV2",
    "Acos",
    "Asin",
    "Atan",
    "Atan2",
    "Cast",
    "Ceil",
    "ClipByValue",
    "Cos",
    "Cosh",
    "Div",
    "DivNoNan",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expm1",
    "Floor",
    "FloorDiv",
    "FloorMod",
    "Greater",
    "GreaterEqual",
    "Inv",
    "IsFinite",
    "IsInf",
    "IsNan",
    "LeakyRelu",
    "Less",
    "LessEqual",
    "Log",
    "Log1p",
    "LogicalAnd",
    "LogicalNot",
    "LogicalOr",
    "Maximum",
    "Minimum",
    "Mod",
    "Mul",
    "MulNoNan",
    "Neg",
    "NotEqual",
    "OnesLike",
    "Pow",
    "RealDiv",
    "Reciprocal",
    "Relu",
    "Relu6",
    "Rint",
    "Round",
    "Rsqrt",
    "Select",
    "SelectV2",
    "Selu",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Square",
    "SquaredDifference",
    "Sub",
    "Tan",
    "Tanh",
    "TruncateDiv",
    "TruncateMod",
    "Xdivy",
    "ZerosLike",
    // Shape and place.
    "BroadcastArgs",
    "ConcatV2",
    "Concat",
    "ExpandDims",
    "Gather",
    "GatherNd",
    "GatherV2",
    "Pack",
    "Rank",
    "Reshape",
    "Reverse",
    "ReverseV2",
    "ReverseSequence",
    "Shape",
    "ShapeN",
    "Size",
    "Slice",
    "Split",
    "SplitV",
    "Squeeze",
    "StridedSlice",
    "Transpose",
    "Unpack",
    // Reductions and linear algebra.
    "All",
    "Any",
    "ArgMax",
    "ArgMin",
    "BatchMatMul",
    "BatchMatMulV2",
    "BatchMatMulV3",
    "BiasAdd",
    "Cumsum",
    "Einsum",
    "InTopKV2",
    "L2Loss",
    "LogSoftmax",
    "MatMul",
    "Max",
    "Mean",
    "Min",
    "Prod",
    "Softmax",
    "Sum",
    "TopKV2",
    // Networks.
    "AvgPool",
    "Conv2D",
    "DepthwiseConv2dNative",
    "FusedBatchNorm",
    "FusedBatchNormV2",
    "FusedBatchNormV3",
    "MaxPool",
    "_FusedConv2D",
    "_FusedMatMul",
    // Strings.
    "AsString",
    "StringJoin",
    "StringLength",
    "StringLower",
    "StringStrip",
    "StringToHashBucketFast",
    "StringToNumber",
    "StringUpper",
];

/// Ops that are harmless although their time hangs on their inputs' values, beside the bounded ones.
const HARMLESS_OPS: &[&str] = &[
    // Structure and state that is only read.
    "CheckNumerics",
    "GuaranteeConst",
    "HashTable",
    "LookupTableFind",
    "LookupTableSize",
    "Merge",
    "Switch",
    "VarIsInitializedOp",
    // Element by element.
    "BitwiseAnd",
    "BitwiseOr",
    "BitwiseXor",
    "Bucketize",
    "Erfc",
    "Invert",
    "LeftShift",
    "Lgamma",
    "RightShift",
    "Xlogy",
    // Shape and place.
    "BroadcastTo",
    "Cumprod",
    "DynamicPartition",
    "DynamicStitch",
    "Fill",
    "InvertPermutation",
    "LinSpace",
    "MatrixBandPart",
    "MirrorPad",
    "OneHot",
    "Pad",
    "PadV2",
    "ParallelDynamicStitch",
    "Range",
    "Roll",
    "ScatterNd",
    "SparseToDense",
    "TensorScatterUpdate",
    "Tile",
    "Unique",
    "UniqueV2",
    "UnsortedSegmentSum",
    "Where",
    // Networks.
    "BatchToSpaceND",
    "BlockLSTM",
    "BlockLSTMV2",
    "Conv2DBackpropInput",
    "Conv3D",
    "DepthToSpace",
    "FakeQuantWithMinMaxVars",
    "MaxPool3D",
    "MaxPoolV2",
    "ResizeBicubic",
    "ResizeBilinear",
    "ResizeNearestNeighbor",
    "SpaceToBatchND",
    "SpaceToDepth",
    "SparseSegmentMean",
    "SparseSegmentSqrtN",
    "SparseSegmentSum",
    // Strings, examples and images.
    "DecodeBase64",
    "DecodeImage",
    "DecodeJpeg",
    "DecodePng",
    "DecodeRaw",
    "EncodeBase64",
    "ParseExample",
    "ParseExampleV2",
    "ReduceJoin",
    "RegexFullMatch",
    "RegexReplace",
    "StaticRegexFullMatch",
    "StaticRegexReplace",
    "StringSplit",
    "StringSplitV2",
    "StringToHashBucket",
    "StringToHashBucketStrong",
    "Substr",
];

/// Ops that run one function once.
const CALLS: &[&str] = &["PartitionedCall", "StatefulPartitionedCall"];

/// Ops that run one of their functions once.
const CHOICES: &[&str] = &["If", "StatelessIf"];

/// Variables that are changed in place, whoever else has a tensor of their memory.
const REFERENCE_VARIABLES: &[&str] = &["Variable", "VariableV2"];

/// Answers for the signatures of one graph.
pub(crate) struct Reach<'a> {
    nodes: HashMap<&'a str, &'a Node>,
    functions: HashMap<&'a str, &'a [Node]>,
    bounded: HashSet<&'static str>,
    harmless: HashSet<&'static str>,
}

impl<'a> Reach<'a> {
    pub(crate) fn new(graph: Option<&'a Graph>) -> Self {
        let nodes = graph.map_or(&[][..], |graph| &graph.node);
        let functions = graph
            .and_then(|graph| graph.library.as_ref())
            .map_or(&[][..], |library| &library.function);
        let bounded = [BOUNDED_OPS, CALLS].concat();
        let harmless = [&bounded[..], HARMLESS_OPS, CHOICES].concat();
        Self {
            nodes: nodes.iter().map(|node| (node.name.as_str(), node)).collect(),
            functions: functions
                .iter()
                .filter_map(|function| {
                    let signature = function.signature.as_ref()?;
                    Some((signature.name.as_str(), function.node_def.as_slice()))
                })
                .collect(),
            bounded: bounded.into_iter().collect(),
            harmless: harmless.into_iter().collect(),
        }
    }

    /// Whether variables of TF1 are in the graph, whose memory a run hands out as it is.
    pub(crate) fn has_reference_variables(&self) -> bool {
        self.nodes.values().any(|node| REFERENCE_VARIABLES.contains(&node.op.as_str()))
    }

    /// Whether the sizes of its inputs bound the time that `signature` takes.
    pub(crate) fn is_bounded(&self, signature: &Signature) -> bool {
        self.has_only(&self.bounded, signature)
    }

    /// Whether `signature` can be run though nobody asked for it.
    pub(crate) fn is_harmless(&self, signature: &Signature) -> bool {
        self.has_only(&self.harmless, signature)
    }

    /// Whether nothing but these ops lies between the inputs and outputs of `signature`.
    fn has_only(&self, ops: &HashSet<&str>, signature: &Signature) -> bool {
        let mut seen: HashSet<&str> =
            signature.inputs.iter().map(|spec| node_of(&spec.tensor_name)).collect();
        let mut waiting: Vec<&str> =
            signature.outputs.iter().map(|spec| node_of(&spec.tensor_name)).collect();
        let mut called = HashSet::new();
        while let Some(name) = waiting.pop() {
            if !seen.insert(name) {
                continue;
            }
            let Some(node) = self.nodes.get(name) else { return false };
            if !self.is_one_of(ops, node, &mut called) {
                return false;
            }
            waiting.extend(node.input.iter().map(|input| node_of(input)));
        }
        true
    }

    fn is_one_of(
        &self,
        ops: &HashSet<&str>,
        node: &'a Node,
        called: &mut HashSet<&'a str>,
    ) -> bool {
        let mut functions = node.attr.values().filter_map(|attribute| attribute.func.as_ref());
        ops.contains(node.op.as_str())
            && functions.all(|function| {
                // One that is looked into already, further up or before.
                if !called.insert(function.name.as_str()) {
                    return true;
                }
                self.functions
                    .get(function.name.as_str())
                    .is_some_and(|body| body.iter().all(|node| self.is_one_of(ops, node, called)))
            })
    }
}

/// The node of a tensor or input: `x` of `x`, `x:0`, `^x` and `x:output:0`.
fn node_of(tensor: &str) -> &str {
    let tensor = tensor.strip_prefix('^').unwrap_or(tensor);
    tensor.split_once(':').map_or(tensor, |(node, _)| node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipway_core::{DType, TensorSpec};
    use slipway_proto::outline::{
        Attribute, Function, FunctionLibrary, FunctionName, FunctionSignature,
    };

    fn node(name: &str, op: &str, inputs: &[&str]) -> Node {
        Node {
            name: name.into(),
            op: op.into(),
            input: inputs.iter().map(|input| input.to_string()).collect(),
            ..Node::default()
        }
    }

    fn call(name: &str, function: &str, inputs: &[&str]) -> Node {
        let func = Some(FunctionName { name: function.into() });
        Node {
            attr: [("f".to_owned(), Attribute { func })].into(),
            ..node(name, "StatefulPartitionedCall", inputs)
        }
    }

    fn function(name: &str, body: Vec<Node>) -> Function {
        Function { signature: Some(FunctionSignature { name: name.into() }), node_def: body }
    }

    fn x_to_y() -> Signature {
        let spec = |alias: &str| TensorSpec {
            alias: alias.into(),
            tensor_name: format!("{alias}:0"),
            dtype: DType::Float,
            shape: None,
        };
        Signature {
            name: "serving_default".into(),
            method_name: String::new(),
            inputs: vec![spec("x")],
            outputs: vec![spec("y")],
            defaults: Default::default(),
        }
    }

    fn is_bounded(node: Vec<Node>, function: Vec<Function>) -> bool {
        let graph = Graph { node, library: Some(FunctionLibrary { function }) };
        Reach::new(Some(&graph)).is_bounded(&x_to_y())
    }

    fn is_harmless(node: Vec<Node>, function: Vec<Function>) -> bool {
        let graph = Graph { node, library: Some(FunctionLibrary { function }) };
        Reach::new(Some(&graph)).is_harmless(&x_to_y())
    }

    #[test]
    fn arithmetic_is_bounded() {
        let graph = vec![
            node("x", "Placeholder", &[]),
            node("two", "Const", &[]),
            node("y", "AddV2", &["x", "two:0", "^two"]),
        ];
        assert!(is_bounded(graph, vec![]));
    }

    #[test]
    fn only_what_the_signature_reaches_counts() {
        let graph = vec![
            node("x", "Identity", &["endless"]),
            node("endless", "While", &[]),
            node("y", "Neg", &["x"]),
        ];
        assert!(is_bounded(graph, vec![]));
        let graph = vec![node("y", "Neg", &["endless"]), node("endless", "While", &[])];
        assert!(!is_bounded(graph, vec![]));
    }

    #[test]
    fn functions_are_looked_into() {
        let graph = || vec![node("x", "Placeholder", &[]), call("y", "outer", &["x"])];
        let outer = || function("outer", vec![call("z", "inner", &[])]);
        let inner = |op| function("inner", vec![node("r", op, &[])]);
        assert!(is_bounded(graph(), vec![outer(), inner("Relu")]));
        assert!(!is_bounded(graph(), vec![outer(), inner("RandomUniform")]));
        assert!(!is_bounded(graph(), vec![outer()]));
    }

    #[test]
    fn what_grows_with_a_value_is_harmless_and_not_bounded() {
        let graph = || vec![node("x", "Placeholder", &[]), node("y", "Range", &["x"])];
        assert!(is_harmless(graph(), vec![]));
        assert!(!is_bounded(graph(), vec![]));
    }

    #[test]
    fn what_writes_draws_reads_files_or_may_never_end_is_not_harmless() {
        let graph = |op| vec![node("x", "Placeholder", &[]), node("y", op, &["x"])];
        let ops = ["AssignVariableOp", "RandomUniform", "QueueDequeueV2", "ReadFile", "While"];
        for op in ops.into_iter().chain(["Enter", "PyFunc", "NobodyKnowsThisOp"]) {
            assert!(!is_harmless(graph(op), vec![]), "{op}");
        }
    }

    #[test]
    fn a_control_input_counts_like_any_other() {
        let graph = |op| {
            let write = node("write", op, &[]);
            vec![node("x", "Placeholder", &[]), write, node("y", "Neg", &["x", "^write"])]
        };
        assert!(is_harmless(graph("NoOp"), vec![]));
        assert!(!is_harmless(graph("AssignAddVariableOp"), vec![]));
    }

    #[test]
    fn both_branches_of_a_choice_are_looked_into() {
        let branch = |name: &str, op| function(name, vec![node("r", op, &[])]);
        let choice = || {
            let func = |name: &str| Attribute { func: Some(FunctionName { name: name.into() }) };
            let branches = [("then_branch", func("yes")), ("else_branch", func("no"))];
            let attr = branches.map(|(name, attribute)| (name.to_owned(), attribute)).into();
            vec![Node { attr, ..node("y", "If", &["x"]) }, node("x", "Placeholder", &[])]
        };
        assert!(is_harmless(choice(), vec![branch("yes", "Neg"), branch("no", "Tile")]));
        assert!(!is_harmless(choice(), vec![branch("yes", "Neg"), branch("no", "WriteFile")]));
        assert!(!is_bounded(choice(), vec![branch("yes", "Neg"), branch("no", "Neg")]));
    }
}
