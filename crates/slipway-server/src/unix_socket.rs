// SPDX-License-Identifier: Apache-2.0
//! The file of a Unix socket: taken over, made, and removed again.

use std::fs::{self, Metadata};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// The file of a socket that this process listens on. Dropping it removes the file, unless another
/// process has taken it over.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    /// Listens at `path`, within a runtime. A socket that is there already is removed first.
    ///
    /// # Errors
    /// When something else is there, or the socket cannot be made; they name the path.
    pub(crate) fn bind(path: &Path) -> Result<(UnixListener, Self)> {
        Self::take_over(path).map_err(|error| {
            let message = format!("cannot listen on unix:{}: {error}", path.display());
            Error::new(error.kind(), message)
        })
    }

    fn take_over(path: &Path) -> Result<(UnixListener, Self)> {
        match fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
            Ok(_) => {
                let reason =
                    "something that is no socket is there; remove it or choose another path";
                return Err(Error::new(ErrorKind::AlreadyExists, reason));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(path)?;
        let identity = identity(&fs::symlink_metadata(path)?);
        Ok((listener, Self { path: path.to_owned(), identity }))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| identity(&found) == self.identity) {
            // One that stays is taken over by the next server.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Which file it is, whatever its name.
fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
