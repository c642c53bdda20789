// SPDX-License-Identifier: Apache-2.0
//! The rules of a Predict call, in the order in which a caller meets them.

use std::collections::{BTreeMap, BTreeSet};

use slipway_proto::TensorProto;

use crate::{tensor_from_wire, Callable, Code, DType, Error, Result, Room, Signature, Tensor};

/// The signature that answers when a request names none.
pub const DEFAULT_SIGNATURE: &str = "serving_default";

/// The method names of signatures that Predict can be asked of, where that is checked.
const METHODS: [&str; 3] =
    ["tensorflow/serving/predict", "tensorflow/serving/classify", "tensorflow/serving/regress"];

/// The inputs of `signature`, in its order, from what a request gave and the signature's defaults,
/// where there is `room` for each.
///
/// # Errors
/// INVALID_ARGUMENT in TensorFlow Serving's words: aliases too many, too few or unknown, a tensor
/// that cannot be parsed, a dtype other than the declared one. RESOURCE_EXHAUSTED without room.
pub fn bind_inputs(
    signature: &Signature,
    given: &BTreeMap<String, TensorProto>,
    room: Room<'_>,
) -> Result<Vec<Tensor>> {
    bind(signature, given, |position, proto| {
        // Before memory is taken for a tensor that cannot be used.
        if let Some(dtype) = DType::from_number(proto.dtype) {
            check_dtype(signature, position, dtype)?;
        }
        tensor_from_wire(&signature.inputs[position].alias, proto, room)
    })
}

/// The inputs of `signature`, in its order, from tensors of this process and the defaults.
///
/// # Errors
/// Those of [`bind_inputs`], save for memory.
pub fn bind_tensors(
    signature: &Signature,
    given: &BTreeMap<String, Tensor>,
) -> Result<Vec<Tensor>> {
    bind(signature, given, |_, tensor| Ok(tensor.clone()))
}

fn bind<T>(
    signature: &Signature,
    given: &BTreeMap<String, T>,
    read: impl Fn(usize, &T) -> Result<Tensor>,
) -> Result<Vec<Tensor>> {
    let (sent, declared) = (given.len(), signature.inputs.len());
    if sent > declared || (sent < declared && signature.defaults.is_empty()) {
        return Err(wrong_input_count(signature, given));
    }
    let mut used = 0;
    let mut inputs = Vec::with_capacity(declared);
    for (position, spec) in signature.inputs.iter().enumerate() {
        let tensor = match given.get(&spec.alias) {
            Some(value) => {
                used += 1;
                read(position, value)?
            }
            None => signature
                .defaults
                .get(&spec.alias)
                .cloned()
                .ok_or_else(|| missing_input(signature, position, given))?,
        };
        check_dtype(signature, position, tensor.dtype())?;
        inputs.push(tensor);
    }
    if used < sent {
        let declared = signature.inputs.iter().map(|spec| spec.alias.as_str());
        let used = declared.filter(|alias| given.contains_key(*alias));
        return Err(Error::invalid_argument(format!(
            "Inputs contains invalid name. Used request inputs: {}, request input: {}",
            braced(used),
            braced(given.keys().map(String::as_str)),
        )));
    }
    Ok(inputs)
}

/// The error of a Predict call for a signature that the graph does not have.
pub fn no_signature(name: &str) -> Error {
    Error::failed_precondition(format!("Serving signature key \"{name}\" not found."))
}

/// Refuses a Predict call of a signature that is for other calls, where that is checked.
///
/// # Errors
/// INTERNAL, as in TensorFlow Serving.
pub fn check_predict(callable: &Callable) -> Result<()> {
    check_method(callable, &METHODS, |wanted, found| {
        Error::internal(format!(
            "Expected prediction signature method_name to be one of {{{wanted}}}. Was: {found}"
        ))
    })
}

/// Refuses a call of a signature whose method name is not one of `methods`, where that is checked, by
/// the error that `refusal` makes of what is wanted and what was found.
pub(crate) fn check_method(
    callable: &Callable,
    methods: &[&str],
    refusal: impl FnOnce(&str, &str) -> Error,
) -> Result<()> {
    let found = callable.signature.method_name.as_str();
    if callable.checks_method_name && !methods.contains(&found) {
        return Err(refusal(&methods.join(", "), found));
    }
    Ok(())
}

/// Refuses a tensor whose dtype is not the declared one of the input at `position`.
pub fn check_dtype(signature: &Signature, position: usize, dtype: DType) -> Result<()> {
    let spec = &signature.inputs[position];
    if dtype == spec.dtype {
        return Ok(());
    }
    Err(Error::invalid_argument(format!(
        "Expects arg[{position}] to be {} but {dtype} is provided (input \"{}\" of signature \
         \"{}\")",
        spec.dtype, spec.alias, signature.name
    )))
}

/// Indices of the outputs to fetch: those of `filter` in its order, or all of them.
///
/// # Errors
/// INVALID_ARGUMENT for an alias that is no output, or one named twice.
pub fn select_outputs(signature: &Signature, filter: &[String]) -> Result<Vec<usize>> {
    if filter.is_empty() {
        return Ok((0..signature.outputs.len()).collect());
    }
    let mut selected = Vec::with_capacity(filter.len());
    for alias in filter {
        let index = signature.outputs.iter().position(|spec| spec.alias == *alias);
        let index = index.ok_or_else(|| {
            Error::invalid_argument(format!(
                "output tensor alias not found in signature: {alias} Outputs expected to be in \
                 the set {}.",
                braced(signature.outputs.iter().map(|spec| spec.alias.as_str())),
            ))
        })?;
        if selected.contains(&index) {
            return Err(Error::invalid_argument(format!("duplicate output tensor alias: {alias}")));
        }
        selected.push(index);
    }
    Ok(selected)
}

/// Inputs that do not have their declared shapes: positions, and the shapes they have. Declared
/// shapes are not enforced, since many models are served with others.
pub fn odd_shapes(signature: &Signature, inputs: &[Tensor]) -> Vec<(usize, Vec<i64>)> {
    let specs = signature.inputs.iter().zip(inputs).enumerate();
    specs
        .filter(|(_, (spec, tensor))| !spec.accepts_shape(tensor.shape()))
        .map(|(position, (_, tensor))| (position, tensor.shape().to_vec()))
        .collect()
}

/// Adds to an error of the runtime what it cannot know: which inputs had odd shapes.
pub fn explain_shapes(signature: &Signature, odd: &[(usize, Vec<i64>)], error: Error) -> Error {
    if odd.is_empty() || error.code != Code::InvalidArgument {
        return error;
    }
    let explained: Vec<String> = odd
        .iter()
        .map(|(position, given)| {
            let spec = &signature.inputs[*position];
            let declared = spec.shape.as_deref().unwrap_or_default();
            format!("input \"{}\" is declared {declared:?} and was given {given:?}", spec.alias)
        })
        .collect();
    Error::new(error.code, format!("{} [{}]", error.message, explained.join("; ")))
}

fn wrong_input_count<T>(signature: &Signature, given: &BTreeMap<String, T>) -> Error {
    let sent: BTreeSet<&str> = given.keys().map(String::as_str).collect();
    let declared: BTreeSet<&str> =
        signature.inputs.iter().map(|spec| spec.alias.as_str()).collect();
    let missing = declared
        .difference(&sent)
        .copied()
        .filter(|alias| !signature.defaults.contains_key(*alias));
    Error::invalid_argument(format!(
        "input size does not match signature: {}!={} len({}) != len({}). Sent extra: {}. Missing \
         but required: {}.",
        sent.len(),
        declared.len(),
        braced(sent.iter().copied()),
        braced(declared.iter().copied()),
        braced(sent.difference(&declared).copied()),
        braced(missing),
    ))
}

fn missing_input<T>(signature: &Signature, position: usize, given: &BTreeMap<String, T>) -> Error {
    let spec = &signature.inputs[position];
    Error::invalid_argument(format!(
        "Signature input alias: {}(feed name: {}) not found in request and no default value \
         provided. Inputs expected to be in the request {}, or default input alias set: {}",
        spec.alias,
        spec.tensor_name,
        braced(given.keys().map(String::as_str)),
        braced(signature.defaults.keys().map(String::as_str)),
    ))
}

/// `{a,b}`, sorted.
fn braced<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: BTreeSet<&str> = names.collect();
    format!("{{{}}}", names.into_iter().collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{tensor_to_wire, Lease, RunPlanner, TensorSpec};

    fn bind(signature: &Signature, given: &BTreeMap<String, TensorProto>) -> Result<Vec<Tensor>> {
        let lease = Lease::unlimited();
        bind_inputs(signature, given, Room { max_tensor_bytes: 1 << 20, lease: &lease })
    }

    fn spec(alias: &str, dtype: DType) -> TensorSpec {
        let shape = Some(vec![-1, 1]);
        TensorSpec { alias: alias.into(), tensor_name: format!("{alias}:0"), dtype, shape }
    }

    fn signature(inputs: &[&str]) -> Signature {
        Signature {
            name: DEFAULT_SIGNATURE.into(),
            method_name: "tensorflow/serving/predict".into(),
            inputs: inputs.iter().map(|alias| spec(alias, DType::Float)).collect(),
            outputs: vec![spec("y", DType::Float), spec("z", DType::Float)],
            defaults: Default::default(),
        }
    }

    fn floats(values: &[f32]) -> Tensor {
        Tensor::from_slice(vec![values.len() as i64], values).unwrap()
    }

    fn request(aliases: &[&str]) -> BTreeMap<String, TensorProto> {
        aliases.iter().map(|alias| (alias.to_string(), tensor_to_wire(floats(&[1.0])))).collect()
    }

    #[test]
    fn inputs_come_in_the_order_of_the_signature() {
        let bound = bind(&signature(&["a", "b"]), &request(&["b", "a"])).unwrap();
        assert_eq!(bound.len(), 2);
    }

    #[test]
    fn unknown_and_missing_aliases_are_both_named() {
        let given = request(&["unknown_key1", "unknown_key2"]);
        let error = bind(&signature(&["x"]), &given).unwrap_err();
        assert!(error.message.contains("Sent extra: {unknown_key1,unknown_key2}"), "{error}");
        assert!(error.message.contains("Missing but required: {x}"), "{error}");
    }

    #[test]
    fn a_wrong_alias_among_the_right_number_is_named() {
        let error = bind(&signature(&["x"]), &request(&["w"])).unwrap_err();
        assert!(error.message.starts_with("Signature input alias: x(feed name: x:0)"), "{error}");
    }

    #[test]
    fn a_default_stands_in_for_a_missing_input_and_only_for_that() {
        let mut signature = signature(&["a", "b"]);
        signature.defaults.insert("b".into(), floats(&[7.0]));
        let bound = bind(&signature, &request(&["a"])).unwrap();
        assert_eq!(bound[1].elements::<f32>().unwrap().next(), Some(7.0));
        let error = bind(&signature, &request(&["a", "c"])).unwrap_err();
        assert!(error.message.contains("Used request inputs: {a}, request input: {a,c}"));
    }

    #[test]
    fn a_wrong_dtype_is_refused_by_name() {
        let mut signature = signature(&["x"]);
        signature.inputs[0].dtype = DType::Bool;
        let error = bind(&signature, &request(&["x"])).unwrap_err();
        assert!(error.message.contains("to be bool but float is provided"), "{error}");
        assert!(error.message.contains("\"x\""), "{error}");
    }

    #[test]
    fn e11_a_method_name_counts_where_it_is_checked() {
        let check = |method: &str, checks_method_name| {
            let signature = Signature { method_name: method.into(), ..signature(&["x"]) };
            let planner = RunPlanner::new(true, None);
            check_predict(&Callable {
                signature,
                planner,
                checks_method_name,
                meter: Default::default(),
            })
        };
        for method in METHODS {
            assert_eq!(check(method, true), Ok(()));
        }
        assert_eq!(check("not/supported/method", false), Ok(()));
        let wanted = "{tensorflow/serving/predict, tensorflow/serving/classify, \
                      tensorflow/serving/regress}";
        assert_eq!(
            check("not/supported/method", true),
            Err(Error::internal(format!(
                "Expected prediction signature method_name to be one of {wanted}. Was: \
                 not/supported/method"
            )))
        );
    }

    #[test]
    fn a_filter_selects_outputs_in_its_own_order() {
        let signature = signature(&["x"]);
        let select = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
            select_outputs(&signature, &names)
        };
        assert_eq!(select(&[]).unwrap(), [0, 1]);
        assert_eq!(select(&["z", "y"]).unwrap(), [1, 0]);
        assert!(select(&["q"]).unwrap_err().message.contains("not found in signature: q"));
        assert!(select(&["y", "y"]).unwrap_err().message.contains("duplicate output tensor alias"));
    }

    #[test]
    fn an_undeclared_shape_is_explained() {
        let signature = signature(&["x"]);
        let odd = odd_shapes(&signature, &[floats(&[1.0, 2.0, 3.0])]);
        let explained = |error| explain_shapes(&signature, &odd, error).message;
        assert_eq!(
            explained(Error::invalid_argument("no")),
            "no [input \"x\" is declared [-1, 1] and was given [3]]"
        );
        assert_eq!(explained(Error::internal("no")), "no");
        let column = Tensor::from_slice(vec![3, 1], &[1.0f32, 2.0, 3.0]).unwrap();
        assert_eq!(odd_shapes(&signature, &[column]), []);
    }
}
