// SPDX-License-Identifier: Apache-2.0
//! The table file behind `variables.index`: sorted keys and values in checked blocks, LevelDB's
//! format. Made to read what may be half a file: nothing in it is trusted before its checksum.

use bytes::Buf;
use prost::encoding::decode_varint;

use crate::checksum;

const MAGIC: u64 = 0xdb47_7524_8b80_fb57;
const FOOTER_BYTES: usize = 48;
/// Behind each block: one byte for its compression, four for its checksum.
const TRAILER_BYTES: usize = 5;
const UNCOMPRESSED: u8 = 0;

/// Why a file is no whole table.
pub(crate) type Reason = &'static str;

/// The values of a table file, in the order of their keys.
pub(crate) fn values(file: &[u8]) -> Result<Vec<&[u8]>, Reason> {
    let cut = file.len().checked_sub(FOOTER_BYTES).ok_or("it is cut off")?;
    let mut footer = &file[cut..];
    let mut magic = &footer[FOOTER_BYTES - 8..];
    if magic.get_u64_le() != MAGIC {
        return Err("its end is missing");
    }
    let _meta_index = Handle::read(&mut footer)?;
    let index = Handle::read(&mut footer)?;
    let mut values = Vec::new();
    for mut handle in entries(block(file, index)?)? {
        values.extend(entries(block(file, Handle::read(&mut handle)?)?)?);
    }
    Ok(values)
}

/// Where a block is.
struct Handle {
    offset: usize,
    size: usize,
}

impl Handle {
    fn read(buf: &mut &[u8]) -> Result<Self, Reason> {
        Ok(Self { offset: varint(buf)?, size: varint(buf)? })
    }
}

/// The contents of a block, once its checksum is found right.
fn block(file: &[u8], handle: Handle) -> Result<&[u8], Reason> {
    let end = handle.offset.checked_add(handle.size).ok_or("a block is out of place")?;
    let with_trailer = end.checked_add(TRAILER_BYTES).ok_or("a block is out of place")?;
    let whole = file.get(handle.offset..with_trailer).ok_or("a block is cut off")?;
    let (checked, mut stored) = whole.split_at(handle.size + 1);
    if stored.get_u32_le() != checksum::masked(checked) {
        return Err("a block is damaged");
    }
    let (contents, compression) = checked.split_at(handle.size);
    if compression != [UNCOMPRESSED] {
        return Err("a block is compressed, which TensorFlow does not do");
    }
    Ok(contents)
}

/// The values of a block's entries: each is preceded by the length that its key shares with the one
/// before, the length of the rest of the key, and its own.
fn entries(block: &[u8]) -> Result<Vec<&[u8]>, Reason> {
    let cut = block.len().checked_sub(4).ok_or("a block is too short")?;
    let (body, mut count) = block.split_at(cut);
    let restarts = (count.get_u32_le() as usize).checked_mul(4).ok_or("a block is malformed")?;
    let end = body.len().checked_sub(restarts).ok_or("a block is malformed")?;
    let mut rest = &body[..end];
    let mut values = Vec::new();
    while !rest.is_empty() {
        let _shared = varint(&mut rest)?;
        let key = varint(&mut rest)?;
        let value = varint(&mut rest)?;
        let entry = key.checked_add(value).ok_or("an entry is malformed")?;
        let entry = rest.split_at_checked(entry).ok_or("an entry is malformed")?;
        values.push(&entry.0[key..]);
        rest = entry.1;
    }
    Ok(values)
}

fn varint(buf: &mut &[u8]) -> Result<usize, Reason> {
    let value = decode_varint(buf).map_err(|_| "a number in it is malformed")?;
    usize::try_from(value).map_err(|_| "a number in it is malformed")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The index that TensorFlow wrote for the example model.
    const INDEX: &[u8] =
        include_bytes!("../../../examples/half_plus_two/123/variables/variables.index");

    #[test]
    fn a_whole_table_has_a_header_and_an_entry_for_each_variable() {
        assert_eq!(values(INDEX).unwrap().len(), 4);
    }

    #[test]
    fn no_part_of_a_table_is_taken_for_the_whole() {
        for length in 0..INDEX.len() {
            assert!(values(&INDEX[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_changed_byte_is_noticed_or_does_not_matter() {
        let whole = values(INDEX).unwrap();
        for position in 0..INDEX.len() {
            let mut changed = INDEX.to_vec();
            changed[position] ^= 0x55;
            if let Ok(found) = values(&changed) {
                assert_eq!(found, whole, "byte {position}");
            }
        }
    }
}
