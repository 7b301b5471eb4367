//! `wharf state export|import|check`: a copy of the store, a store made of a copy, and whether a store is whole.
//!
//! While an engine runs it is asked; without one the store is looked into, and nothing of it is changed.

mod check;
pub(super) mod directories;
mod export;
mod import;

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::{FAILED, Global, Place, UNAVAILABLE, complain, serve};
use crate::admin::client::{self, ClientError};
use crate::admin::protocol::{Answer, Request};
use crate::identity::{Key, KeyError};
use crate::layout::Layout;
use crate::ledger::Seal;
use crate::served::Served;
use crate::store::look;
use crate::store::snapshot::{self, Image};

/// The version of the JSON objects' form.
const FORMAT_VERSION: &str = "1.0";

#[derive(Debug, Subcommand)]
pub(super) enum StateCommand {
    /// A copy of everything in the store
    Export(export::ExportArgs),
    /// Make the store of a copy: only with the engine stopped
    Import(import::ImportArgs),
    /// Whether the store is whole, and agrees with the directories of sessions
    Check(check::CheckArgs),
}

pub(super) fn run(global: &Global, command: &StateCommand) -> u8 {
    let done = match command {
        StateCommand::Export(args) => export::run(global, args),
        StateCommand::Import(args) => import::run(global, args),
        StateCommand::Check(args) => check::run(global, args),
    };
    done.unwrap_or_else(|code| code)
}

/// Where an instance keeps its things.
pub(super) struct Kept {
    pub(super) instance: String,
    pub(super) layout: Layout,
    pub(super) store: PathBuf,
    /// The configuration directory that its engine is given; none = this machine's, or it is not known.
    pub(super) dir: Option<PathBuf>,
    /// Whether its files or its last engine say where its store is; without them `store` is only where it is usually.
    store_is_known: bool,
}

impl Kept {
    /// The instance that a command means: the one named, else that of `dir`, else the one there is. Where its engine
    /// runs, or nobody says where its files are, none of them is looked at: they may not answer.
    pub(super) fn find(global: &Global, dir: Option<&Path>) -> Result<Self, u8> {
        if let Some(running) = Self::of_engine(global, dir) {
            return Ok(running);
        }
        let is_given = dir.is_some() || global.config.is_some();
        let found = match &global.instance {
            Some(instance) if is_given => Ok(Self::of_files(global, dir, instance)),
            Some(instance) => Ok(Self::named(global, instance)),
            None if is_given || global.socket.is_some() => Self::of_dir(global, dir),
            None => Self::unnamed(global),
        };
        found.map_err(|message| failed(&message))
    }

    /// The one whose engine runs, as far as that engine has left word where its things are.
    fn of_engine(global: &Global, dir: Option<&Path>) -> Option<Self> {
        let place = Place::here();
        let instance = match (&global.socket, &global.instance) {
            (Some(socket), _) => match client::ask(socket, Request::Status) {
                Ok(Answer::Status { status }) => Some(status.instance),
                _ => None,
            },
            (None, Some(instance)) => Some(instance.clone()).filter(|name| place.has_engine(name)),
            (None, None) if dir.is_some() || global.config.is_some() => {
                serve::on_record(global, dir).filter(|name| place.has_engine(name))
            }
            (None, None) => place.only_engine(),
        };
        Some(Self::of_instance(&instance?)).filter(|kept| kept.store_is_known)
    }

    /// The only one whose engine runs or that left anything here, else that of this machine's files, if they are of one that did.
    fn unnamed(global: &Global) -> Result<Self, String> {
        let place = Place::here();
        if let Some(only) = place.only_engine() {
            return Ok(Self::named(global, &only));
        }
        let found = place.instances();
        let only = found.keys().next().filter(|_| found.len() == 1);
        let only = only.map(|only| Self::of_instance(only));
        let of_machine = match only {
            Some(only) if only.store_is_known => return Ok(only),
            _ => Self::of_dir(global, None),
        };
        match (of_machine, only) {
            (Ok(kept), _) if found.is_empty() || found.contains_key(&kept.instance) => Ok(kept),
            (_, Some(only)) => Ok(only),
            (Err(message), None) if found.is_empty() => Err(message),
            (_, None) => {
                let names: Vec<&str> = found.keys().map(String::as_str).collect();
                let names = names.join(", ");
                Err(format!("several instances are here: {names}; say which with --instance"))
            }
        }
    }

    /// An instance by its name, as its last engine left it, else where this machine's files are its own.
    fn named(global: &Global, instance: &str) -> Self {
        let left = Self::of_instance(instance);
        if left.store_is_known { left } else { Self::of_files(global, None, instance) }
    }

    /// An instance by its name, as its next engine will have it: with its store where `dir` or this machine's files are
    /// its own, else as its last one left it; where the files were not believed, why is said.
    fn of_files(global: &Global, dir: Option<&Path>, instance: &str) -> Self {
        match Self::of_dir(global, dir) {
            Ok(kept) if kept.instance == instance => kept,
            Ok(_) => Self::of_instance(instance),
            Err(message) => {
                complain(&format!(
                    "{message}\ninstance {instance} is taken as its last engine left it"
                ));
                Self::of_instance(instance)
            }
        }
    }

    /// The same for who is going to write there: files that were given and say nothing for sure are refused.
    fn of_sound_files(global: &Global, dir: Option<&Path>, instance: &str) -> Result<Self, u8> {
        if dir.is_none() && global.config.is_none() {
            return Ok(Self::of_files(global, dir, instance));
        }
        let kept = Self::of_dir(global, dir).map_err(|message| failed(&message))?;
        Ok(if kept.instance == instance { kept } else { Self::of_instance(instance) })
    }

    fn of_dir(global: &Global, dir: Option<&Path>) -> Result<Self, String> {
        let start = serve::find(global, dir)?;
        let store = start.store();
        let dir = dir.or(global.config.as_deref()).map(Path::to_owned);
        if let Some(doubt) = &start.doubt {
            complain(&format!("{doubt}: as at its last start this is instance {}", start.instance));
        }
        let (instance, layout) = (start.instance, start.layout);
        Ok(Self { instance, layout, store, dir, store_is_known: true })
    }

    pub(super) fn of_instance(instance: &str) -> Self {
        let layout = Place::here().layout(instance);
        let served = Served::read(&layout);
        let store_is_known = served.is_some();
        let (dir, store) = match served {
            Some(served) => (served.dir, served.store),
            None => (None, layout.store()),
        };
        Self { instance: instance.to_owned(), store, layout, dir, store_is_known }
    }

    /// What to say where it is not known which store is its.
    fn unknown_store(&self) -> Option<String> {
        let say = || {
            format!(
                "which store instance {} has is not known here: give the directory of its files as DIR",
                self.instance
            )
        };
        (!self.store_is_known).then(say)
    }

    /// The socket of its engine, whether or not one runs: without any word on which, the only one that runs is meant.
    pub(super) fn socket(&self, global: &Global, dir: Option<&Path>) -> PathBuf {
        let named = dir.is_some() || global.config.is_some() || global.instance.is_some();
        let only = || Place::here().find_engine(global, None).ok();
        let found = global.socket.clone().or_else(|| if named { None } else { only() });
        found.unwrap_or_else(|| self.layout.admin_socket())
    }

    /// This instance's key, if there is one that this account can read.
    fn key(&self) -> Option<Key> {
        self.load_key().ok()
    }

    fn load_key(&self) -> Result<Key, KeyError> {
        Key::load(&self.layout.state.join("key"))
    }

    /// What opens its accepted files.
    fn seal(&self) -> Option<Seal> {
        self.key().map(|key| Seal::new(&key.bytes_for("stored files")))
    }
}

/// Where what was read stood.
enum From {
    /// In a running engine.
    Engine,
    /// In the store itself, which nobody has open.
    Store(PathBuf),
    /// In a snapshot beside the store.
    Snapshot(PathBuf),
    /// Nowhere: there is neither a store nor a snapshot.
    Nothing(PathBuf),
}

impl From {
    /// The word in JSON.
    fn word(&self) -> &'static str {
        match self {
            From::Engine => "engine",
            From::Store(_) => "store",
            From::Snapshot(_) => "snapshot",
            From::Nothing(_) => "nothing",
        }
    }

    fn in_words(&self) -> String {
        match self {
            From::Engine => "the running engine".to_owned(),
            From::Store(path) => format!("the store {} (no engine runs)", path.display()),
            From::Snapshot(path) => format!("the snapshot {} (no engine runs)", path.display()),
            From::Nothing(path) => {
                format!("nothing: no store at {} (no engine runs)", path.display())
            }
        }
    }
}

/// A store as it was read.
struct Read {
    /// None: there is none, or nothing of it can be read.
    image: Option<Image>,
    from: From,
    /// What is damaged.
    damage: Vec<String>,
    kept: Kept,
}

/// Asks the engine, or looks into the store that it left.
fn read(global: &Global, dir: Option<&Path>) -> Result<Read, u8> {
    let kept = Kept::find(global, dir)?;
    let socket = kept.socket(global, dir);
    match client::ask(&socket, Request::Export) {
        Ok(Answer::State { text }) => of_engine(&text, &socket, kept),
        Ok(Answer::Error { message, .. }) => Err(failed(&message)),
        Ok(_) => Err(failed("the engine answered something else than was asked")),
        Err(ClientError::NoEngine { .. }) => of_files(kept),
        Err(error) => {
            complain(&crate::chain(&error));
            Err(UNAVAILABLE)
        }
    }
}

fn of_engine(text: &str, socket: &Path, kept: Kept) -> Result<Read, u8> {
    let image = snapshot::of_bytes(text.as_bytes(), socket);
    let image = image.map_err(|error| failed(&crate::chain(&error)))?;
    let kept =
        if image.instance == kept.instance { kept } else { Kept::of_instance(&image.instance) };
    Ok(Read { image: Some(image), from: From::Engine, damage: Vec::new(), kept })
}

fn of_files(kept: Kept) -> Result<Read, u8> {
    let looked = look::look(&kept.store, &kept.instance, super::now());
    let looked = looked.map_err(|error| {
        complain(&crate::chain(&error));
        let locked = matches!(error, crate::store::OpenError::Locked { .. });
        if locked { UNAVAILABLE } else { FAILED }
    })?;
    let is_store = looked.from.starts_with(&kept.store);
    let is_nothing = looked.image.is_none() && looked.damage.is_none() && looked.refused.is_empty();
    let from = match is_store {
        _ if is_nothing => From::Nothing(kept.store.clone()),
        true => From::Store(looked.from),
        false => From::Snapshot(looked.from),
    };
    let key = kept.key().map(|key| key.fingerprint()).unwrap_or_default();
    let by = format!("wharf {}", env!("CARGO_PKG_VERSION"));
    let image = looked.image.map(|image| match from {
        // A snapshot says itself who wrote it; the engine's own do not, and are this instance's.
        From::Snapshot(_) if !image.key.is_empty() => image,
        _ => Image { key, by, ..image },
    });
    let damage = looked.damage.into_iter().chain(looked.refused).collect();
    Ok(Read { image, from, damage, kept })
}

fn failed(message: &str) -> u8 {
    complain(message);
    FAILED
}
