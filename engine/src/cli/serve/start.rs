//! What is known of an instance before its engine is put together: from its `wharf.toml`, or, where that does not say it
//! for sure, from what its last start has put on [`record`].
//!
//! Reads both and decides nothing: when which is believed is [`engine_core::whereabouts`]'s.

mod record;

use std::io;
use std::path::{Path, PathBuf};

use engine_core::desired::Ground;
use engine_core::ids::Digest;
use engine_core::known::Known;
use engine_core::site::{SiteFiles, WHARF_TOML};
use engine_core::whereabouts::{Begin, Doubt, Looked, Named, Policy, begin};
use grammar::report::{Format, Style};
use grammar::value::Millis;

use self::record::{Key, Record};
use crate::cli::in_time::{self, Answer, NoAnswer};
use crate::cli::{Global, Place, complain, place};
use crate::control::{short_lines, sources};
use crate::layout::Layout;
use crate::load::{Policied, SiteDirs, dirs_and_policy, load_policy, open_to_read};

/// What is known of an instance before its engine is put together.
pub(in crate::cli) struct Start {
    pub(super) dirs: SiteDirs,
    pub(super) ground: Ground,
    pub(in crate::cli) instance: String,
    pub(in crate::cli) layout: Layout,
    /// What `wharf.toml` named; none = there was none.
    pub(super) named: Option<Named>,
    /// Why it is what the last start has put on record, in words; none = the files say it.
    pub(in crate::cli) doubt: Option<String>,
    store: Option<PathBuf>,
}

impl Start {
    /// Where its store is.
    pub(in crate::cli) fn store(&self) -> PathBuf {
        self.store.clone().unwrap_or_else(|| self.layout.store())
    }
}

/// What a look at the files has brought.
struct Seen {
    dirs: SiteDirs,
    /// Only `wharf.toml`.
    files: SiteFiles,
    /// The instance where no file names one.
    unnamed: String,
}

/// A site whose files are looked at.
struct Site {
    key: Key,
    patience: Millis,
    answer: Answer<Result<Seen, String>>,
}

/// The instance that a site is of, for a command: without files that answer, as its last start has put it on record.
///
/// # Errors
/// Neither says it.
pub(in crate::cli) fn find(global: &Global, dir: Option<&Path>) -> Result<Start, String> {
    let site = Site::ask(global, dir, global.patience())?;
    let start = site.start(site.answer.within(site.patience))?;
    start.ok_or_else(|| {
        format!(
            "{}, and no start of this site is on record: say which instance with --instance",
            site.silent()
        )
    })
}

/// The same for an engine. Where the files do not answer and nothing is on record they are waited for: nothing of the
/// site can run yet.
pub(super) fn prepare(global: &Global, dir: Option<&Path>) -> Result<Start, String> {
    let site = Site::ask(global, dir, global.patience())?;
    let start = match site.start(site.answer.within(site.patience))? {
        Some(start) => start,
        None => {
            complain(&format!(
                "{}, and no start of this site is on record: nothing of it can run, the files are waited for",
                site.silent()
            ));
            let start = site.start(site.answer.whenever())?;
            start.ok_or_else(|| "cannot look at the files".to_owned())?
        }
    };
    if let Some(doubt) = &start.doubt {
        complain(&format!(
            "{doubt}: instance {} begins with what its store has, as at its last start; the files are taken once they \
             say for sure what they are",
            start.instance
        ));
    }
    Ok(start)
}

impl Site {
    fn ask(global: &Global, dir: Option<&Path>, patience: Millis) -> Result<Self, String> {
        let key = Key::of(global, dir);
        let (global, given) =
            (global.clone(), dir.or(global.config.as_deref()).map(Path::to_owned));
        let answer = in_time::ask(move || look(&global, given.as_deref()));
        let answer = answer.map_err(|error| format!("cannot look at the files: {error}"))?;
        Ok(Self { key, patience, answer })
    }

    fn silent(&self) -> String {
        format!("the files of {} have not answered for {}", self.key.site(), self.patience)
    }

    /// From what is begun after such an answer; none = the files are to be waited for.
    fn start(
        &self,
        answer: Result<Result<Seen, String>, NoAnswer>,
    ) -> Result<Option<Start>, String> {
        let record = Record::find(&Place::here(), &self.key);
        let earlier = record.as_ref().map(Record::earlier);
        let failed = |why: String| (Looked::Failed(why), None);
        let (looked, seen) = match answer {
            Err(NoAnswer::Silent) => (Looked::Silent, None),
            Err(NoAnswer::Died) => {
                failed("wharf itself failed while it looked at the files".to_owned())
            }
            Ok(Err(why)) => failed(why),
            Ok(Ok(seen)) => {
                let policy = Policy::of(&seen.files);
                let self_contained = seen.is_self_contained();
                (Looked::At { policy, self_contained }, Some(seen))
            }
        };
        match (begin(looked, earlier), seen, record) {
            (Begin::Files { named, instance }, Some(seen), _) => {
                seen.start(named, instance).map(Some)
            }
            (Begin::Record(doubt), seen, Known::Present(record)) => {
                let doubt = self.in_words(&doubt, seen.as_ref(), &record);
                record.start(doubt).map(Some)
            }
            (Begin::Not { files, earlier }, seen, _) => {
                Err(self.refusal(&files, seen.as_ref(), earlier))
            }
            (Begin::Wait, ..) => Ok(None),
            (Begin::Files { .. } | Begin::Record(_), ..) => Err(self.silent()),
        }
    }

    fn in_words(&self, doubt: &Doubt, seen: Option<&Seen>, record: &Record) -> String {
        match doubt {
            Doubt::Silent => self.silent(),
            Doubt::Failed(why) => why.clone(),
            Doubt::Unsure(problems) => {
                let lines = seen.map_or_else(Vec::new, |seen| short_lines(problems, &seen.files));
                lines.into_iter().next().unwrap_or_else(|| "wharf.toml cannot be read".to_owned())
            }
            Doubt::Gone | Doubt::Nothing => record.gone(),
        }
    }

    /// Why nothing is begun, and what to do.
    fn refusal(&self, files: &Doubt, seen: Option<&Seen>, earlier: Option<String>) -> String {
        let why = match (files, seen) {
            (Doubt::Unsure(_), Some(seen)) => seen.refusal(),
            (Doubt::Failed(why), _) => why.clone(),
            (Doubt::Gone | Doubt::Nothing, Some(seen)) => {
                format!("{} is missing or empty", seen.dirs.own_dir().join(WHARF_TOML).display())
            }
            (Doubt::Silent | Doubt::Unsure(_) | Doubt::Gone | Doubt::Nothing, _) => self.silent(),
        };
        match earlier {
            None => why,
            Some(earlier) => format!(
                "{why}\nWhat the last start of these files was is not known ({earlier}), so nothing is begun: give them \
                 a wharf.toml that names their instance and store, or, where they were never served or are to begin \
                 anew, remove that record"
            ),
        }
    }
}

/// Looks at the directories and at `wharf.toml`, however long that takes.
fn look(global: &Global, given: Option<&Path>) -> Result<Seen, String> {
    if let Some(dir) = given {
        match std::fs::metadata(dir) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(format!("{} is no directory", dir.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!("{}: there is no such directory", dir.display()));
            }
            Err(error) => return Err(format!("{} cannot be looked at: {error}", dir.display())),
        }
    }
    let find = |policy: &Policied<'_>| global.site_dirs_by(given, policy);
    let load = |dirs: &SiteDirs| load_policy(dirs, &open_to_read, crate::cli::now());
    let (dirs, files) = dirs_and_policy(&find, &load).ok_or_else(|| {
        "wharf.toml is replaced by another one each time that it is looked at".to_owned()
    })?;
    let unnamed = given.map_or_else(|| place::MAIN.to_owned(), place::instance_of_path);
    Ok(Seen { dirs, files, unnamed })
}

impl Seen {
    fn is_self_contained(&self) -> bool {
        self.files.own_dir == self.files.workbench_dir
    }

    fn start(self, named: Option<Named>, instance: Option<String>) -> Result<Start, String> {
        let ground = crate::cli::ground(self.is_self_contained(), Vec::new())?;
        let store = named.as_ref().and_then(|named| named.store.as_ref()).map(PathBuf::from);
        let instance = instance.unwrap_or(self.unnamed);
        Ok(Start::new(instance, self.dirs, ground, named, store))
    }

    /// Everything that is wrong with `wharf.toml`, and what follows.
    fn refusal(&self) -> String {
        let Policy::Unsure(problems) = Policy::of(&self.files) else { return String::new() };
        let style = Style { color: false, width: Some(100) };
        let shown = grammar::report::render(&problems, &sources(&self.files), Format::Human, style);
        format!(
            "wharf.toml does not say which instance this is and where its store is, so nothing is begun: mend it and \
             start again\n{}",
            shown.trim_end()
        )
    }
}

impl Record {
    fn start(self, doubt: String) -> Result<Start, String> {
        let ground = crate::cli::ground(self.self_contained, Vec::new())?;
        let (dirs, named) = (self.site_dirs(), self.named());
        let start = Start::new(self.instance, dirs, ground, named, self.store);
        Ok(Start { doubt: Some(doubt), ..start })
    }

    /// That its `wharf.toml` is, in words, and what to do.
    fn gone(&self) -> String {
        let file = self.site_dirs().own_dir().join(WHARF_TOML);
        let named = self.named().unwrap_or_default();
        let lines = [("instance", named.instance), ("[store] path", named.store)];
        let lines: Vec<String> = lines
            .into_iter()
            .filter_map(|(field, value)| Some(format!("{field} = \"{}\"", value?)))
            .collect();
        let back = match lines.is_empty() {
            true => "put it back, or a comment in its place".to_owned(),
            false => format!(
                "put it back: a file without {} begins another instance or another store",
                lines.join(" and ")
            ),
        };
        format!(
            "{} is gone or empty, and was there at the last start ({back}; where the site has moved or is to begin anew, \
             remove {} first)",
            file.display(),
            Record::path(&Place::here().layout(&self.instance)).display()
        )
    }
}

impl Start {
    fn new(
        instance: String,
        dirs: SiteDirs,
        mut ground: Ground,
        named: Option<Named>,
        store: Option<PathBuf>,
    ) -> Self {
        ground.digest_key = Digest::of(instance.as_bytes()).to_string().into_bytes();
        let layout = Place::here().layout(&instance);
        Self { dirs, ground, instance, layout, named, doubt: None, store }
    }
}

/// Puts a start on record, in the directory of its instance's state.
///
/// # Errors
/// It cannot be written.
pub(super) fn put_on_record(
    global: &Global,
    dir: Option<&Path>,
    start: &Start,
) -> Result<(), io::Error> {
    Record::of(Key::of(global, dir), start).put(&Place::here(), &start.layout)
}

/// The instance of the last start that was told the same, without looking at any file of the site.
pub(in crate::cli) fn on_record(global: &Global, dir: Option<&Path>) -> Option<String> {
    let record = Record::find(&Place::here(), &Key::of(global, dir));
    record.present().map(|record| record.instance.clone())
}

/// The directories of an instance's files at its last start.
pub(in crate::cli) fn dirs_on_record(layout: &Layout) -> Option<SiteDirs> {
    Record::read(&Record::path(layout)).present().map(Record::site_dirs)
}
