//! A configuration directory of a test, and the ways in which such files are changed in the field.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::Port;

/// A self-contained site (it holds a `wharf.toml`) in a directory of its own, with everything else of its engine.
#[derive(Debug)]
pub struct Site {
    temp: TempDir,
    port: Port,
}

impl Site {
    /// The smallest that serves: the loopback, a free port, one session `demo`, decisions within a moment.
    #[must_use]
    pub fn demo() -> Self {
        let site = Self::empty();
        site.write("sessions.d/demo.toml", "workbench = \"demo\"\n");
        site
    }

    /// The same with an empty `sessions.d`.
    ///
    /// # Panics
    /// The system gives no temporary directory.
    #[must_use]
    pub fn empty() -> Self {
        // Short: a socket's path ends at 107 bytes.
        let temp = tempfile::Builder::new().prefix("wh-").tempdir_in("/tmp");
        let temp = temp.expect("a temporary directory");
        // Sessions of another account pass through it.
        fs::set_permissions(temp.path(), PermissionsExt::from_mode(0o711)).expect("it is ours");
        let site = Self { temp, port: Port::free() };
        fs::create_dir_all(site.dir().join("sessions.d")).expect("the directory is ours");
        site.write("wharf.toml", &wharf_toml("60s"));
        site.write("rserver.conf", &site.rserver_conf(site.port()));
        site
    }

    /// The directory that the engine is given.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.temp.path().join("site")
    }

    /// The temporary directory around it: for what must lie outside of it.
    #[must_use]
    pub fn around(&self) -> &Path {
        self.temp.path()
    }

    /// The port that `rserver.conf` names at first.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The text of an `rserver.conf` that names `port`.
    #[must_use]
    pub fn rserver_conf(&self, port: u16) -> String {
        format!("www-address=127.0.0.1\nwww-port={port}\n")
    }

    /// The path of a file in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// Writes a file in place, as an editor or a shell does; makes its directory.
    ///
    /// # Panics
    /// It cannot.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it has a directory")).expect("it is ours");
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Writes it beside and renames it over, as Ansible and Puppet do; makes its directory.
    ///
    /// # Panics
    /// It cannot.
    pub fn replace(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it has a directory")).expect("it is ours");
        let beside = path.with_extension("new~");
        fs::write(&beside, text).expect("the directory is ours");
        fs::rename(&beside, &path).expect("the same directory");
    }

    /// Makes the file a link to one outside of the directory, by way of a link `current` to a directory that
    /// [`Site::swap`] exchanges, as deployments by release do.
    ///
    /// # Panics
    /// It cannot.
    pub fn link_outside(&self, name: &str, text: &str) {
        let file = Path::new(name).file_name().expect("it has a name");
        self.release("first", name, text);
        symlink("first", self.temp.path().join("current")).expect("the directory is ours");
        let path = self.path(name);
        let _ = fs::remove_file(&path);
        symlink(self.temp.path().join("current").join(file), path).expect("the directory is ours");
    }

    /// Exchanges the link `current`: no file of the directory changes.
    ///
    /// # Panics
    /// It cannot.
    pub fn swap(&self, name: &str, text: &str) {
        self.release("second", name, text);
        let beside = self.temp.path().join("current.new");
        symlink("second", &beside).expect("the directory is ours");
        fs::rename(beside, self.temp.path().join("current")).expect("the same directory");
    }

    fn release(&self, release: &str, name: &str, text: &str) {
        let dir = self.temp.path().join(release);
        fs::create_dir_all(&dir).expect("the directory is ours");
        let file = Path::new(name).file_name().expect("it has a name");
        fs::write(dir.join(file), text).expect("the directory is ours");
    }

    /// Takes a file away.
    ///
    /// # Panics
    /// It is not there.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// A copy of the whole directory elsewhere, to be changed before anybody sees it.
    ///
    /// # Panics
    /// It cannot be copied.
    #[must_use]
    pub fn stage(&self) -> PathBuf {
        let stage = self.temp.path().join("stage");
        copy_dir(&self.dir(), &stage);
        stage
    }
}

/// A `wharf.toml` in which decisions come soon and harm waits `harm_delay`.
#[must_use]
pub fn wharf_toml(harm_delay: &str) -> String {
    format!(
        "instance = \"t\"\n\
         [site]\n\
         settle = {{ quiet = \"50ms\", invalid = \"300ms\", max = \"3s\" }}\n\
         poll = \"1s\"\n\
         [policy]\n\
         harm-delay = \"{harm_delay}\"\n"
    )
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the directory is ours");
    for entry in fs::read_dir(from).expect("it is there").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("both are ours");
        }
    }
}
