// SPDX-License-Identifier: Apache-2.0
//! Element types, numbered as in `tensorflow.DataType`.

macro_rules! dtypes {
    ($($variant:ident = $number:literal, $name:literal, $size:expr;)*) => {
        /// The type of a tensor's elements.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum DType { $($variant = $number),* }

        impl DType {
            /// The type with this `tensorflow.DataType` number, if the server can carry it.
            pub fn from_number(number: i32) -> Option<DType> {
                match number { $($number => Some(DType::$variant),)* _ => None }
            }

            /// The type of the values of a tensor that a model declares: that of a reference variable
            /// is numbered as the type it refers to, from 100 up.
            pub fn from_declaration(number: i32) -> Option<DType> {
                Self::from_number(if number > 100 { number - 100 } else { number })
            }

            /// The name used in messages, such as `float` or `int64`.
            pub fn name(self) -> &'static str {
                match self { $(DType::$variant => $name),* }
            }

            /// The name in `tensorflow.DataType`, such as `DT_FLOAT`.
            pub fn wire_name(self) -> String {
                format!("DT_{}", self.name().to_uppercase())
            }

            /// Bytes of one element; `None` where an element is not a fixed run of bytes.
            pub fn size(self) -> Option<usize> {
                match self { $(DType::$variant => $size),* }
            }
        }

        #[cfg(test)]
        const ALL: &[DType] = &[$(DType::$variant),*];
    };
}

dtypes! {
    Float = 1, "float", Some(4);
    Double = 2, "double", Some(8);
    Int32 = 3, "int32", Some(4);
    UInt8 = 4, "uint8", Some(1);
    Int16 = 5, "int16", Some(2);
    Int8 = 6, "int8", Some(1);
    String = 7, "string", None;
    Complex64 = 8, "complex64", Some(8);
    Int64 = 9, "int64", Some(8);
    Bool = 10, "bool", Some(1);
    QInt8 = 11, "qint8", Some(1);
    QUInt8 = 12, "quint8", Some(1);
    QInt32 = 13, "qint32", Some(4);
    BFloat16 = 14, "bfloat16", Some(2);
    QInt16 = 15, "qint16", Some(2);
    QUInt16 = 16, "quint16", Some(2);
    UInt16 = 17, "uint16", Some(2);
    Complex128 = 18, "complex128", Some(16);
    Half = 19, "half", Some(2);
    Resource = 20, "resource", None;
    Variant = 21, "variant", None;
    UInt32 = 22, "uint32", Some(4);
    UInt64 = 23, "uint64", Some(8);
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_found_by_its_number() {
        for &dtype in ALL {
            assert_eq!(DType::from_number(dtype as i32), Some(dtype));
        }
        assert_eq!(DType::from_number(0), None);
        assert_eq!(DType::from_number(101), None);
    }

    #[test]
    fn a_type_has_the_name_that_its_number_has() {
        for &dtype in ALL {
            let name = slipway_proto::tensorflow::DataType::try_from(dtype as i32).unwrap();
            assert_eq!(dtype.wire_name(), name.as_str_name());
        }
    }

    #[test]
    fn a_declared_reference_has_values_of_the_type_it_refers_to() {
        assert_eq!(DType::from_declaration(1), Some(DType::Float));
        assert_eq!(DType::from_declaration(109), Some(DType::Int64));
        assert_eq!(DType::from_declaration(100), None);
    }
}
