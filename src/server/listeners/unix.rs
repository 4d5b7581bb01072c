//! The admin API's unix socket.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::Path,
};

use super::ListenError;

/// Binds a unix socket at `path` with `mode` (0o600 or 0o660). A socket left behind by a process that is gone is
/// replaced; one that answers, or a file of another kind, is an error.
///
/// Between creation and `chmod` the umask rules for a moment. That opens nothing: who may do what is decided by the
/// peer's uid with every connection.
///
/// # Errors
/// [`ListenError`], naming the path and what to do.
pub fn bind_unix(path: &Path, mode: u32, key: &'static str) -> Result<UnixListener, ListenError> {
    let failed = |source| ListenError::BindSocket {
        path: path.to_owned(),
        key,
        source,
    };
    make_way(path, key)?;
    let listener = UnixListener::bind(path).map_err(|source| match source.kind() {
        // Another gateway started in the same moment and was first.
        io::ErrorKind::AddrInUse => ListenError::SocketTaken {
            path: path.to_owned(),
            key,
        },
        _ => failed(source),
    })?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// Removes a socket at `path` that nobody answers on.
fn make_way(path: &Path, key: &'static str) -> Result<(), ListenError> {
    let failed = |source| ListenError::BindSocket {
        path: path.to_owned(),
        key,
        source,
    };
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if !kind.is_socket() {
        return Err(ListenError::NotASocket {
            path: path.to_owned(),
            key,
        });
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        // It answers, or its queue is full, or it is somebody else's: alive as far as we can tell.
        _ => Err(ListenError::SocketTaken {
            path: path.to_owned(),
            key,
        }),
    }
}
