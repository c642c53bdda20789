// SPDX-License-Identifier: Apache-2.0
//! Inputs made from what a signature declares, for a run that nobody asked for.

use std::iter;

use slipway_proto::Strings;

use crate::{element_count, AlignedBytes, DType, Data, Room, Signature, Tensor, TensorSpec};

/// Inputs that a signature may well accept: of each open dim `open`, integers 1, other numbers 0,
/// strings empty, and its own defaults. `None` where a rank is open or there is no `room`.
pub fn made_up_inputs(signature: &Signature, open: i64, room: Room<'_>) -> Option<Vec<Tensor>> {
    let value = |spec: &TensorSpec| match signature.defaults.get(&spec.alias) {
        Some(default) => Some(default.clone()),
        None => made_up(spec, open, room),
    };
    signature.inputs.iter().map(value).collect()
}

fn made_up(spec: &TensorSpec, open: i64, room: Room<'_>) -> Option<Tensor> {
    let declared = spec.shape.as_ref()?;
    let shape: Vec<i64> = declared.iter().map(|&dim| if dim < 0 { open } else { dim }).collect();
    let count = element_count(&shape).ok()?;
    let data = match spec.dtype.size() {
        Some(size) => {
            room.take(count.checked_mul(size)?).ok()?;
            let element = one_or_zero(spec.dtype, size);
            let mut bytes = AlignedBytes::with_capacity(64, count * size);
            (0..count).for_each(|_| bytes.extend_from_slice(&element));
            Data::Owned(bytes)
        }
        None if spec.dtype == DType::String => {
            room.take_strings(count, 0).ok()?;
            Data::Strings(iter::repeat_n([], count).collect::<Strings>())
        }
        None => return None,
    };
    Tensor::new(spec.dtype, shape, data).ok()
}

/// The bytes of a number, which is a length, an index or a count where it is an integer.
fn one_or_zero(dtype: DType, size: usize) -> Vec<u8> {
    use DType::{Int16, Int32, Int64, Int8, UInt16, UInt32, UInt64, UInt8};
    match dtype {
        Int8 | UInt8 => 1u8.to_ne_bytes().to_vec(),
        Int16 | UInt16 => 1u16.to_ne_bytes().to_vec(),
        Int32 | UInt32 => 1u32.to_ne_bytes().to_vec(),
        Int64 | UInt64 => 1u64.to_ne_bytes().to_vec(),
        _ => vec![0; size],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lease;

    fn made_up(dtype: DType, shape: Option<&[i64]>) -> Option<Tensor> {
        made_up_of(1, dtype, shape)
    }

    fn made_up_of(open: i64, dtype: DType, shape: Option<&[i64]>) -> Option<Tensor> {
        let spec = TensorSpec {
            alias: "x".into(),
            tensor_name: "x:0".into(),
            dtype,
            shape: shape.map(<[i64]>::to_vec),
        };
        let lease = Lease::unlimited();
        super::made_up(&spec, open, Room { max_tensor_bytes: 1000, lease: &lease })
    }

    #[test]
    fn open_dims_are_as_asked_and_integers_one() {
        let tensor = made_up(DType::Int32, Some(&[-1, 3])).unwrap();
        assert_eq!(tensor.shape(), [1, 3]);
        let Data::Owned(bytes) = tensor.data() else { panic!("{tensor:?}") };
        assert_eq!(bytemuck::cast_slice::<u8, i32>(bytes), [1, 1, 1]);
        assert_eq!(made_up_of(8, DType::Int32, Some(&[-1, 3, -1])).unwrap().shape(), [8, 3, 8]);
        let tensor = made_up(DType::Double, Some(&[-1])).unwrap();
        let Data::Owned(bytes) = tensor.data() else { panic!("{tensor:?}") };
        assert_eq!(bytes.as_slice(), [0; 8]);
        let tensor = made_up(DType::String, Some(&[2])).unwrap();
        let Data::Strings(strings) = tensor.data() else { panic!("{tensor:?}") };
        assert_eq!((strings.len(), strings.byte_len()), (2, 0));
    }

    #[test]
    fn there_is_no_input_of_open_rank_or_without_room() {
        assert!(made_up(DType::Float, None).is_none());
        assert!(made_up(DType::Float, Some(&[-1, 300])).is_none());
        assert!(made_up(DType::String, Some(&[300])).is_none());
        assert!(made_up(DType::Float, Some(&[i64::MAX, 2])).is_none());
        assert!(made_up(DType::Resource, Some(&[])).is_none());
    }
}
