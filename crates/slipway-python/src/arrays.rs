// SPDX-License-Identifier: Apache-2.0
//! NumPy arrays as tensors, and tensors as arrays.

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyList, PyString, PyTuple, PyType};
use slipway_core::{DType, Data, Error, Result, Tensor};
use slipway_proto::Strings;

use crate::errors::exception;

/// The dtypes that NumPy has itself. The quantized ones come back as the integers they are.
const DTYPES: [(DType, &str); 19] = [
    (DType::Float, "float32"),
    (DType::Double, "float64"),
    (DType::Half, "float16"),
    (DType::Int8, "int8"),
    (DType::Int16, "int16"),
    (DType::Int32, "int32"),
    (DType::Int64, "int64"),
    (DType::UInt8, "uint8"),
    (DType::UInt16, "uint16"),
    (DType::UInt32, "uint32"),
    (DType::UInt64, "uint64"),
    (DType::Bool, "bool"),
    (DType::Complex64, "complex64"),
    (DType::Complex128, "complex128"),
    (DType::QInt8, "int8"),
    (DType::QInt16, "int16"),
    (DType::QInt32, "int32"),
    (DType::QUInt8, "uint8"),
    (DType::QUInt16, "uint16"),
];

/// What is needed of NumPy, looked up once.
struct NumPy {
    ndarray: Py<PyType>,
    /// `tensorflow.DataType` numbers by `numpy.dtype`.
    numbers: Py<PyDict>,
    /// `numpy.dtype`s by `tensorflow.DataType` number.
    dtypes: Vec<Option<Py<PyAny>>>,
    object: Py<PyAny>,
}

fn numpy(py: Python<'_>) -> PyResult<&NumPy> {
    static NUMPY: PyOnceLock<NumPy> = PyOnceLock::new();
    NUMPY.get_or_try_init(py, || {
        let module = py.import("numpy")?;
        let dtype = module.getattr("dtype")?;
        let numbers = PyDict::new(py);
        let mut dtypes: Vec<Option<Py<PyAny>>> = Vec::new();
        let mut add = |number: DType, found: Bound<'_, PyAny>| {
            if !numbers.contains(&found)? {
                numbers.set_item(&found, number as i32)?;
            }
            let index = number as usize;
            dtypes.resize_with(dtypes.len().max(index + 1), || None);
            dtypes[index] = Some(found.unbind());
            PyResult::Ok(())
        };
        for (number, name) in DTYPES {
            add(number, dtype.call1((name,))?)?;
        }
        match py.import("ml_dtypes") {
            Ok(ml_dtypes) => {
                add(DType::BFloat16, dtype.call1((ml_dtypes.getattr("bfloat16")?,))?)?;
            }
            // Its bits, which cannot be told from integers on their way back.
            Err(_) => add(DType::BFloat16, dtype.call1(("uint16",))?)?,
        }
        Ok(NumPy {
            ndarray: module.getattr("ndarray")?.cast_into::<PyType>()?.unbind(),
            numbers: numbers.unbind(),
            dtypes,
            object: dtype.call1(("O",))?.unbind(),
        })
    })
}

/// Tensors of arrays, which are copied, by alias.
pub(crate) fn tensors<C>(arrays: &Bound<'_, PyDict>) -> PyResult<C>
where
    C: FromIterator<(String, Tensor)>,
{
    let tensors = arrays.iter().map(|(alias, array)| {
        let alias: String = alias.extract()?;
        let tensor = tensor(&alias, &array)?;
        Ok((alias, tensor))
    });
    tensors.collect()
}

fn tensor(alias: &str, array: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    let py = array.py();
    let numpy = numpy(py)?;
    let refuse = |reason: String| {
        exception(py, &Error::invalid_argument(format!("input \"{alias}\": {reason}")))
    };
    if !array.is_instance(numpy.ndarray.bind(py))? {
        return Err(refuse(format!("{} is no array", array.get_type())));
    }
    let dtype = array.getattr("dtype")?;
    let shape: Vec<i64> = array.getattr("shape")?.extract()?;
    let made = match numpy.numbers.bind(py).get_item(&dtype)? {
        Some(number) => numbers(number.extract()?, shape, array),
        None => {
            let kind: String = dtype.getattr("kind")?.extract()?;
            let native = dtype.call_method1("newbyteorder", ("=",))?;
            if matches!(kind.as_str(), "O" | "S" | "U") {
                strings(shape, array)
            } else if let Some(number) = numpy.numbers.bind(py).get_item(&native)? {
                numbers(number.extract()?, shape, &array.call_method1("astype", (native,))?)
            } else {
                Ok(Err(Error::invalid_argument(format!("TensorFlow has no dtype {dtype}"))))
            }
        }
    };
    made?.map_err(|error| refuse(error.message))
}

fn numbers(number: i32, shape: Vec<i64>, array: &Bound<'_, PyAny>) -> PyResult<Result<Tensor>> {
    let Some(dtype) = DType::from_number(number) else {
        return Ok(Err(Error::internal(format!("no dtype {number}"))));
    };
    // One copy, in row-major order whatever the array's own.
    let bytes: PyBackedBytes = array.call_method0("tobytes")?.extract()?;
    Ok(Tensor::new(dtype, shape, Data::Shared(Bytes::from_owner(bytes))))
}

fn strings(shape: Vec<i64>, array: &Bound<'_, PyAny>) -> PyResult<Result<Tensor>> {
    let values = array.call_method0("ravel")?.call_method0("tolist")?.cast_into::<PyList>()?;
    let mut strings = Strings::with_capacity(values.len(), 0);
    for value in &values {
        if let Ok(bytes) = value.cast::<PyBytes>() {
            strings.push(bytes.as_bytes());
        } else if let Ok(text) = value.cast::<PyString>() {
            strings.push(text.to_cow()?.as_bytes());
        } else if value.is_instance_of::<PyList>() {
            return Ok(Err(Error::invalid_argument("its lists differ in length")));
        } else {
            let kind = value.get_type();
            let reason = format!("an array of objects holds bytes and str, not {kind}");
            return Ok(Err(Error::invalid_argument(reason)));
        }
    }
    Ok(Tensor::from_strings(shape, strings))
}

/// Arrays of tensors, with memory of their own, by alias.
pub(crate) fn arrays<'py>(
    py: Python<'py>,
    tensors: &[(String, Tensor)],
) -> PyResult<Bound<'py, PyDict>> {
    let arrays = PyDict::new(py);
    for (alias, tensor) in tensors {
        arrays.set_item(alias, array(py, tensor)?)?;
    }
    Ok(arrays)
}

fn array<'py>(py: Python<'py>, tensor: &Tensor) -> PyResult<Bound<'py, PyAny>> {
    let numpy = numpy(py)?;
    let ndarray = numpy.ndarray.bind(py);
    let shape = PyTuple::new(py, tensor.shape())?;
    if let Some(strings) = tensor.strings() {
        let values = PyList::new(py, strings.iter().map(|value| PyBytes::new(py, value)))?;
        let flat = ndarray.call1(((strings.len(),), &numpy.object))?;
        flat.set_item(pyo3::types::PySlice::full(py), values)?;
        return flat.call_method1("reshape", (shape,));
    }
    let dtype = numpy.dtypes.get(tensor.dtype() as usize).and_then(Option::as_ref);
    match (dtype, tensor.bytes()) {
        (Some(dtype), Some(bytes)) => ndarray.call1((shape, dtype, PyByteArray::new(py, bytes))),
        _ => {
            let reason = format!("an output is {}, which no array can hold", tensor.dtype());
            Err(exception(py, &Error::unimplemented(reason)))
        }
    }
}
