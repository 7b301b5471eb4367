//! Starting an incarnation: the directory, which is the fence; the spec in it; then the keeper.
//!
//! Each step is synced before the next, so that a crash between any two can be told from the
//! directory alone (`launcher::local` has the table).

use std::collections::BTreeSet;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;

use engine_core::ids::UserName;
use engine_core::observed::Exit;
use engine_core::plan::StartOrder;
use nix::unistd::User;
use rustix::fs::{MemfdFlags, Mode, SealFlags};

use super::{InProcess, directory, refused, system};
use crate::boundary;
use crate::keeper;
use crate::keeper::child::Environment;
use crate::keeper::record::{self, EXIT, ExitRecord, FORMAT, SPEC, Spec, USER_DIR};
use crate::layout::SOCKET_NAME;
use crate::ports::WardenError;

impl InProcess {
    pub(super) fn start(
        &self,
        order: &StartOrder,
        env: &Environment,
        args: &[String],
        working_dir: &str,
    ) -> Result<(), WardenError> {
        self.check(order, &env.0, args, working_dir)?;
        let incarnation = &order.incarnation;
        let what = || format!("make the directory of {incarnation}");
        let environment = seal_environment(env).map_err(|source| system("hold secrets", source))?;
        let boot_id = keeper::process::boot_id().map_err(|source| system("read /proc", source))?;
        let dir = self.fence(order)?;
        boundary::reached("after", "directory-made");
        let spec = Spec {
            format: FORMAT,
            boot_id,
            order: order.clone(),
            args: args.to_vec(),
            working_dir: working_dir.to_owned(),
            engine_uid: self.bounds.engine_uid,
            engine_gid: self.bounds.engine_gid,
        };
        record::write(dir.as_fd(), SPEC, &spec, self.bounds.group())
            .map_err(|source| system(what(), source))?;
        boundary::reached("after", "spec-written");
        let path = self.bounds.layout.incarnation(incarnation);
        let started = keeper::start(&self.bounds.exe, &path, Stdio::from(environment));
        started.map_err(|source| {
            // Nothing runs and nothing will: said at once, instead of after everybody's patience.
            let failure = format!("the keeper could not be started: {source}");
            let exit = Exit { at: record::now(), failure, ..Exit::default() };
            let exit = ExitRecord::from(exit);
            let _ = record::write(dir.as_fd(), EXIT, &exit, self.bounds.group());
            system(format!("start the keeper of {incarnation}"), source)
        })
    }

    /// The exclusive making of the directory: who comes second is told that it exists.
    fn fence(&self, order: &StartOrder) -> Result<OwnedFd, WardenError> {
        let incarnation = &order.incarnation;
        let what = || format!("make the directory of {incarnation}");
        let gid = self.bounds.group();
        let sessions = record::open_dir(&self.bounds.layout.sessions())
            .map_err(|source| system("open the sessions' directory", source))?;
        let mode = directory::SESSIONS_MODE;
        let session = directory::ensure(&sessions, incarnation.session.as_str(), mode, gid)
            .map_err(|source| system(what(), source))?;
        let owner = directory::Owner { uid: None, gid };
        let dir = directory::make(&session, &incarnation.n.to_string(), mode, owner);
        let dir = dir.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => WardenError::Exists { what: incarnation.to_string() },
            _ => system(what(), source),
        })?;
        // Set-group-id: what the session makes in it belongs to the engine's group.
        let (user, engine) = (order.user.uid, self.bounds.engine_gid);
        let owner = directory::Owner::of(user, engine);
        directory::make(&dir, USER_DIR, Mode::from_raw_mode(0o2710), owner)
            .map_err(|source| system(what(), source))?;
        Ok(dir)
    }

    fn check(
        &self,
        order: &StartOrder,
        env: &[(String, String)],
        args: &[String],
        working_dir: &str,
    ) -> Result<(), WardenError> {
        let incarnation = &order.incarnation;
        let refuse = |reason: String| Err(refused(format!("start {incarnation}"), reason));
        if incarnation.n == 0 {
            return refuse("starts are counted from 1".to_owned());
        }
        if !self.bounds.layout.fits(incarnation) {
            let dir = self.bounds.layout.user_dir(incarnation);
            let path = dir.join(SOCKET_NAME);
            return refuse(format!(
                "{} is longer than the 107 bytes of a socket's path",
                path.display()
            ));
        }
        self.check_user(order)?;
        for (name, path) in
            [("executable", &order.exe), ("working directory", &working_dir.to_owned())]
        {
            if !path.starts_with('/') {
                return refuse(format!("the {name} `{}` is no absolute path", path.escape_debug()));
            }
        }
        let mut names = BTreeSet::new();
        for (name, _) in env {
            if name.is_empty() || name.contains('=') || !names.insert(name) {
                return refuse(format!(
                    "`{}` is no name of a variable, or twice there",
                    name.escape_debug()
                ));
            }
        }
        let texts = env.iter().flat_map(|(name, value)| [name, value]).chain(args);
        let texts = texts.chain([&order.exe]).map(String::as_str).chain([working_dir]);
        if texts.clone().any(|text| text.contains('\0')) {
            return refuse("a NUL byte cannot be passed to a program".to_owned());
        }
        Ok(())
    }

    /// The account is looked up again: the order may be old, or forged.
    fn check_user(&self, order: &StartOrder) -> Result<(), WardenError> {
        let name: &UserName = &order.launch.user;
        let what = || format!("start {} as {name}", order.incarnation);
        let user = look_up(name.as_str())?;
        if (user.uid.as_raw(), user.gid.as_raw()) != (order.user.uid, order.user.gid) {
            let reason = format!(
                "the account is uid {} gid {} now, the order says uid {} gid {}",
                user.uid, user.gid, order.user.uid, order.user.gid
            );
            return Err(refused(what(), reason));
        }
        if user.uid.is_root() && !self.bounds.allow_root {
            return Err(refused(what(), "sessions never run as root"));
        }
        let own = nix::unistd::geteuid();
        if !own.is_root() && own != user.uid {
            return Err(refused(what(), format!("needs root to run as {name}")));
        }
        Ok(())
    }
}

/// The account called `name`.
pub(super) fn look_up(name: &str) -> Result<User, WardenError> {
    let name = UserName::new(name).map_err(|bad| refused("look up an account", bad.to_string()))?;
    User::from_name(name.as_str())
        .map_err(|errno| system(format!("look up {name}"), errno))?
        .ok_or_else(|| refused(format!("use the account {name}"), "there is no such account"))
}

/// The environment in sealed memory: on no disk, in no argument, unchangeable, gone with its last descriptor.
fn seal_environment(env: &Environment) -> io::Result<OwnedFd> {
    let environment = serde_json::to_vec(env)?;
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = std::fs::File::from(rustix::fs::memfd_create("environment", flags)?);
    file.write_all(&environment)?;
    file.rewind()?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file.into())
}
