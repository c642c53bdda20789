// SPDX-License-Identifier: Apache-2.0
//! TFRecord files: records one after the other, each with its length and checksums of both.

use std::io::{ErrorKind, Read};

use slipway_core::{Code, Error, Result};

use crate::checksum;

/// A record's length in eight bytes, and their checksum in four.
const HEADER_BYTES: usize = 12;
/// The checksum behind a record.
const TRAILER_BYTES: usize = 4;

/// Reads records in their order; ends after the first error.
pub(crate) struct Records<R> {
    file: R,
    offset: u64,
    /// Of the whole file: no record is longer than what is left of it.
    length: u64,
    max_record_bytes: usize,
    is_done: bool,
}

impl<R: Read> Records<R> {
    /// `length` is the file's.
    pub(crate) fn new(file: R, length: u64, max_record_bytes: usize) -> Self {
        Self { file, offset: 0, length, max_record_bytes, is_done: false }
    }

    /// The next record, `None` at the end of the file.
    fn read(&mut self) -> Result<Option<Vec<u8>>> {
        let left = self.length.saturating_sub(self.offset);
        if left == 0 {
            return Ok(None);
        }
        let mut header = [0; HEADER_BYTES];
        self.fill(&mut header)?;
        let (length, checksum) = header.split_at(8);
        if checksum::masked(length).to_le_bytes() != checksum {
            return Err(self.damage("corrupted"));
        }
        let length = length.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        let whole = length.checked_add((HEADER_BYTES + TRAILER_BYTES) as u64);
        let whole = whole.filter(|whole| *whole <= left).ok_or_else(|| self.damage("truncated"))?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > self.max_record_bytes {
            return Err(Error::invalid_argument(format!(
                "the record at {} has {length} bytes, and may have {}",
                self.offset, self.max_record_bytes
            )));
        }
        let mut record = vec![0; length];
        self.fill(&mut record)?;
        let mut checksum = [0; TRAILER_BYTES];
        self.fill(&mut checksum)?;
        if checksum::masked(&record).to_le_bytes() != checksum {
            return Err(self.damage("corrupted"));
        }
        self.offset += whole;
        Ok(Some(record))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.file.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => self.damage("truncated"),
            _ => Error::new(Code::Unknown, format!("reading failed: {error}")),
        })
    }

    fn damage(&self, kind: &str) -> Error {
        Error::new(Code::DataLoss, format!("{kind} record at {}", self.offset))
    }
}

impl<R: Read> Iterator for Records<R> {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let record = self.read().transpose();
        self.is_done = !matches!(record, Some(Ok(_)));
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tf.io.TFRecordWriter` wrote it: "one", "" and 300 times "x".
    const WRITTEN_BY_TENSORFLOW: &[u8] = include_bytes!("../testdata/three_records.tfrecord");

    fn read(file: &[u8]) -> Vec<Result<Vec<u8>>> {
        Records::new(file, file.len() as u64, 300).collect()
    }

    fn record(length: u64, contents: &[u8]) -> Vec<u8> {
        let length = length.to_le_bytes();
        let checksums = [&length, contents].map(|bytes| checksum::masked(bytes).to_le_bytes());
        [&length, &checksums[0][..], contents, &checksums[1]].concat()
    }

    #[test]
    fn what_tensorflow_writes_is_read() {
        let records: Result<Vec<_>> = read(WRITTEN_BY_TENSORFLOW).into_iter().collect();
        assert_eq!(records.unwrap(), [b"one".to_vec(), Vec::new(), vec![b'x'; 300]]);
        assert!(read(b"").is_empty());
    }

    #[test]
    fn what_is_cut_off_is_data_loss() {
        let ends = [0, 3 + 16, 3 + 16 + 16];
        for length in (0..WRITTEN_BY_TENSORFLOW.len()).filter(|length| !ends.contains(length)) {
            let error = read(&WRITTEN_BY_TENSORFLOW[..length]).pop().unwrap().unwrap_err();
            assert_eq!(error.code, Code::DataLoss, "{length} bytes");
        }
    }

    #[test]
    fn a_changed_byte_is_data_loss() {
        for position in 0..WRITTEN_BY_TENSORFLOW.len() {
            let mut changed = WRITTEN_BY_TENSORFLOW.to_vec();
            changed[position] ^= 0x55;
            let error = read(&changed).pop().unwrap().unwrap_err();
            assert_eq!(error.code, Code::DataLoss, "byte {position}");
        }
    }

    #[test]
    fn no_memory_is_taken_for_a_length_that_cannot_be() {
        for length in [u64::MAX, u64::MAX - 15, i64::MAX as u64, 1 << 40, 4] {
            let error = read(&record(length, b"one")).pop().unwrap().unwrap_err();
            assert_eq!((error.code, &*error.message), (Code::DataLoss, "truncated record at 0"));
        }
        let error = read(&record(301, &[0; 301])).pop().unwrap().unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
    }

    #[test]
    fn a_file_that_shrinks_meanwhile_is_truncated() {
        let mut records = Records::new(&WRITTEN_BY_TENSORFLOW[..10], 1000, 300);
        assert_eq!(records.next().unwrap().unwrap_err().message, "truncated record at 0");
        assert!(records.next().is_none());
    }
}
