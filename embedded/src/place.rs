//! The folder a server lives in: its data, its password, its log, and the lock that keeps a second one out.

use std::{
    env,
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf, absolute},
};

use rustix::process::geteuid;
use sha2::{Digest, Sha256};

use crate::{
    account::Account,
    binaries::Binaries,
    secret::{hex, random_hex},
};

/// What else may be done with a folder of ours: others may pass through, but not look around.
const PASSABLE: u32 = 0o711;

/// Why a folder cannot be a server's home.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// A living process has a server in this folder.
    #[error("another process runs the server in {0}; stop that process first, or choose another folder")]
    Taken(PathBuf),
    /// The folder belongs to somebody else.
    #[error("{0} is no folder of the user who runs this; remove it, or work as its owner")]
    Foreign(PathBuf),
    /// Neither the folder nor the one that stands in for it can be reached by the server's account.
    #[error(
        "the unprivileged user of the server can enter neither {0} nor {1}; choose a folder it can enter"
    )]
    Unreachable(PathBuf, PathBuf),
    /// The file system refused.
    #[error("cannot use {0} for a server's data: {1}")]
    Io(PathBuf, #[source] io::Error),
}

/// A folder that this process alone uses, until dropped.
#[derive(Debug)]
pub(crate) struct Place {
    root: PathBuf,
    account: Account,
    _lock: File,
}

impl Place {
    /// Opens `wanted`, or, when we are root and the server's account cannot get there (a clone below `/root`, a
    /// folder of mode 700), a folder in the system's temporary folder that is always the same for this path.
    pub(crate) fn open(wanted: &Path, account: Account) -> Result<Self, PlaceError> {
        let wanted = absolute(wanted).map_err(|error| PlaceError::Io(wanted.to_owned(), error))?;
        make_passable(&wanted)?;
        if account.can_enter(&wanted) {
            return Self::lock(wanted, account);
        }
        let instead = stand_in(&wanted);
        make_passable(&instead)?;
        if !account.can_enter(&instead) {
            return Err(PlaceError::Unreachable(wanted, instead));
        }
        Self::lock(instead, account)
    }

    fn lock(root: PathBuf, account: Account) -> Result<Self, PlaceError> {
        let path = root.join("lock");
        let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let lock = open.map_err(|error| PlaceError::Io(path.clone(), error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root, account, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(PlaceError::Taken(root)),
            Err(TryLockError::Error(error)) => Err(PlaceError::Io(path, error)),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What Postgres calls its data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("server.log")
    }

    pub(crate) fn password_file(&self) -> PathBuf {
        self.root.join("password")
    }

    /// The major version that made the data, or none where there is no data yet.
    pub(crate) fn version(&self) -> Option<u32> {
        fs::read_to_string(self.data().join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    pub(crate) fn password(&self) -> io::Result<String> {
        fs::read_to_string(self.password_file())
    }

    /// Thinks up a password and keeps it where only we and the server's account can read it.
    pub(crate) fn new_password(&self) -> io::Result<()> {
        let password = random_hex()?;
        let path = self.password_file();
        remove(&path)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(password.as_bytes())?;
        self.account.own(&path)
    }

    /// An empty folder for data in the making, which becomes [`Place::data`] only when it is whole.
    pub(crate) fn unfinished_data(&self) -> io::Result<PathBuf> {
        let path = self.root.join("data.unfinished");
        remove(&path)?;
        DirBuilder::new().mode(0o700).create(&path)?;
        self.account.own(&path)?;
        Ok(path)
    }

    /// Binaries that the server's account can run: those given, or a copy of them in this place when they lie
    /// where that account cannot get (`.native/postgres` in a clone below `/root`).
    pub(crate) fn within_reach(&self, binaries: Binaries) -> io::Result<Binaries> {
        if self.account.can_enter(&binaries.folder) {
            return Ok(binaries);
        }
        let copy = self.root.join(format!("postgres-{}", binaries.major));
        if !copy.exists() {
            let unfinished = copy.with_extension("unfinished");
            remove(&unfinished)?;
            copy_tree(&binaries.tree, &unfinished)?;
            fs::rename(&unfinished, &copy)?;
        }
        let below = binaries.folder.strip_prefix(&binaries.tree).unwrap_or(Path::new("bin"));
        Ok(Binaries { folder: copy.join(below), tree: copy, ..binaries })
    }
}

/// Where a server lives whose account cannot enter `wanted`.
fn stand_in(wanted: &Path) -> PathBuf {
    let key = Sha256::digest(wanted.as_os_str().as_encoded_bytes());
    env::temp_dir().join(format!("tributary-postgres-{}", hex(&key[..6])))
}

fn make_passable(folder: &Path) -> Result<(), PlaceError> {
    let made = fs::create_dir_all(folder).and_then(|()| fs::symlink_metadata(folder));
    let metadata = made.map_err(|error| PlaceError::Io(folder.to_owned(), error))?;
    if !metadata.is_dir() || metadata.uid() != geteuid().as_raw() {
        return Err(PlaceError::Foreign(folder.to_owned()));
    }
    if metadata.mode() & PASSABLE == PASSABLE {
        return Ok(());
    }
    fs::set_permissions(folder, Permissions::from_mode(PASSABLE))
        .map_err(|error| PlaceError::Io(folder.to_owned(), error))
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target)?;
            continue;
        }
        fs::copy(entry.path(), &target)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_user_at_a_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = Place::open(folder.path(), Account::Ourselves).expect("a free place");
        let second = Place::open(folder.path(), Account::Ourselves);
        assert!(matches!(second, Err(PlaceError::Taken(_))), "{second:?}");
        drop(first);
        Place::open(folder.path(), Account::Ourselves).expect("the place is free again");
    }

    #[test]
    fn a_place_out_of_reach_has_one_stand_in() {
        let (one, other) = (stand_in(Path::new("/a/b")), stand_in(Path::new("/a/c")));
        assert_eq!(one, stand_in(Path::new("/a/b")));
        assert_ne!(one, other);
    }

    #[test]
    fn a_password_is_new_each_time_and_nobody_elses_to_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = Place::open(folder.path(), Account::Ourselves).expect("a free place");
        place.new_password().expect("a password");
        let first = place.password().expect("the password is kept");
        place.new_password().expect("a password");
        assert_ne!(first, place.password().expect("the password is kept"));
        let mode = fs::metadata(place.password_file()).expect("the file").mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
