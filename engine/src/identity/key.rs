//! The instance's key: 32 random bytes in a file that nobody else can read, from which others are derived.
//!
//! Knows nothing of cookies: a purpose is a label.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ring::hmac;

use super::{from_hex, hex, random};
use crate::whole_file::{private, sync_parent};

/// An instance's key. Never printed.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("cannot {what} the key {}", path.display())]
    Failed {
        /// `read`, `make`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others may read it, or it is somebody else's.
    #[error("the key {} is not safe: {reason}", path.display())]
    Unsafe {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It is not 64 hex digits.
    #[error("the key {} is not 64 hex digits", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
    },
    /// The system has no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

impl Key {
    /// From bytes that somebody else keeps.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the key, or makes one (mode 0600 from the first moment, synced before its name appears).
    ///
    /// # Errors
    /// [`KeyError`]; a file that others may read is refused, not repaired: it may be known already.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        match Self::load(path) {
            Err(KeyError::Failed { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Self::create(path)?;
                // Whoever was first has made it: everybody reads the same file.
                Self::load(path)
            }
            loaded => loaded,
        }
    }

    /// Reads the key, and makes none.
    ///
    /// # Errors
    /// [`KeyError`]; where there is none, `NotFound` is its source.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Failed { what: "read", path: path.to_owned(), source };
        let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
        let file =
            OpenOptions::new().read(true).custom_flags(no_follow).open(path).map_err(failed)?;
        let seen = file.metadata().map_err(failed)?;
        let not_safe = |reason: String| KeyError::Unsafe { path: path.to_owned(), reason };
        if !seen.is_file() {
            return Err(not_safe("it is no regular file".to_owned()));
        }
        if seen.mode() & 0o077 != 0 {
            return Err(not_safe(format!("its mode is {:04o}, not 0600", seen.mode() & 0o7777)));
        }
        if seen.uid() != rustix::process::geteuid().as_raw() {
            return Err(not_safe(format!("it belongs to uid {}", seen.uid())));
        }
        let mut text = String::new();
        file.take(256).read_to_string(&mut text).map_err(failed)?;
        from_hex(text.trim_end())
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| KeyError::Malformed { path: path.to_owned() })
    }

    fn create(path: &Path) -> Result<(), KeyError> {
        let failed = |source| KeyError::Failed { what: "make", path: path.to_owned(), source };
        let secret: [u8; 32] = random().map_err(|_| KeyError::NoRandomness)?;
        let suffix: [u8; 8] = random().map_err(|_| KeyError::NoRandomness)?;
        let mut staged = path.as_os_str().to_owned();
        staged.push(format!(".{}", hex(&suffix)));
        let staged = PathBuf::from(staged);
        let mut file = private().create_new(true).open(&staged).map_err(failed)?;
        let written = writeln!(file, "{}", hex(&secret)).and_then(|()| file.sync_all());
        // A link, not a rename: it never replaces a key that somebody else made meanwhile.
        let linked = written.and_then(|()| match std::fs::hard_link(&staged, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        });
        let removed = std::fs::remove_file(&staged);
        linked.and(removed).map_err(failed)?;
        sync_parent(path).map_err(failed)
    }

    /// What tells it from any other key, and says nothing of it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex(&self.bytes_for("fingerprint")[..8])
    }

    /// 32 bytes for one purpose: what keys of another kind are made from.
    #[must_use]
    pub fn bytes_for(&self, label: &str) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hmac::sign(&self.derive(label), b"bytes").as_ref());
        bytes
    }

    /// The key for one purpose.
    #[must_use]
    pub fn derive(&self, label: &str) -> hmac::Key {
        let root = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, label.as_bytes()).as_ref())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_start_makes_a_key_that_only_its_owner_can_read_and_the_second_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let first = Key::load_or_create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(Key::load_or_create(&path).unwrap().0, first.0);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        Key::load_or_create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Key::load_or_create(&path), Err(KeyError::Unsafe { .. })));
    }

    #[test]
    fn a_torn_key_and_a_symlink_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let torn = dir.path().join("torn");
        std::fs::write(&torn, "0123").unwrap();
        std::fs::set_permissions(&torn, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(Key::load_or_create(&torn), Err(KeyError::Malformed { .. })));
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&torn, &link).unwrap();
        assert!(matches!(Key::load_or_create(&link), Err(KeyError::Failed { .. })));
    }

    #[test]
    fn a_key_never_prints_itself() {
        assert_eq!(format!("{:?}", Key::from_bytes([7; 32])), "Key(..)");
    }
}
