//! Whose files these are: which instance a site's `wharf.toml` means and where its store is, and when an earlier start is
//! believed instead of it.
//!
//! A wrong answer here starts another engine than the one whose sessions live: with an empty store and a key of its own it
//! would start them all once more. So a file that does not say it for sure says nothing where an earlier start is on
//! record, and nothing is begun where none is. Knows no directory and no record's form: `cli/serve/start` reads both.

use grammar::error::{Problem, Severity};
use grammar::own::read_wharf;

use crate::known::Known;
use crate::site::SiteFiles;

/// What `wharf.toml` names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// `instance`.
    pub instance: Option<String>,
    /// `[store] path`.
    pub store: Option<String>,
    /// `[site] config-dir`.
    pub config_dir: Option<String>,
}

/// What there is of `wharf.toml`.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// It is read, and has no error.
    Names(Named),
    /// There is none, or it is empty.
    Nothing,
    /// It cannot be read, or has errors: what it would name is not known.
    Unsure(Vec<Problem>),
}

impl Policy {
    /// Of a site of which at least `wharf.toml` was looked for.
    #[must_use]
    pub fn of(files: &SiteFiles) -> Self {
        let source = match &files.wharf {
            Known::Absent => return Policy::Nothing,
            Known::Unknown { .. } => return Policy::Unsure(files.problems(Severity::Error)),
            Known::Present(source) if source.text.trim().is_empty() => return Policy::Nothing,
            Known::Present(source) => source,
        };
        let read = read_wharf(source);
        let Some(own) = read.own else { return Policy::Unsure(read.problems) };
        Policy::Names(Named {
            instance: own.value.instance,
            store: own.value.store.and_then(|store| store.path),
            config_dir: own.value.site.and_then(|site| site.config_dir),
        })
    }
}

/// What a look at the files of a site brought.
#[derive(Clone, Debug, PartialEq)]
pub enum Looked {
    /// They have not answered in time.
    Silent,
    /// They cannot be looked at: why.
    Failed(String),
    /// They were looked at.
    At {
        /// What there is of `wharf.toml`.
        policy: Policy,
        /// Whether that lies in the directory that was given.
        self_contained: bool,
    },
}

/// What is on record of the last start that was told the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Whether there was a `wharf.toml`.
    pub policy: bool,
    /// Whether it lay in the directory that was given.
    pub self_contained: bool,
}

/// From what an engine begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Begin {
    /// What the files name; none = no `wharf.toml` says anything.
    Files(Option<Named>),
    /// The record of the last start that was told the same.
    Record(Doubt),
    /// Nothing yet: the files are waited for, since nothing is known of the site without them.
    Wait,
    /// Not at all.
    Not(Doubt),
}

/// Why the files are not believed.
#[derive(Clone, Debug, PartialEq)]
pub enum Doubt {
    /// They have not answered in time.
    Silent,
    /// They cannot be looked at: why.
    Failed(String),
    /// What is wrong with `wharf.toml`.
    Unsure(Vec<Problem>),
    /// There was a `wharf.toml` that said something, and there is none where it was.
    Gone,
}

/// From what to begin after a look at the files; `earlier` is what is on record, if anything is.
#[must_use]
pub fn begin(looked: Looked, earlier: Option<Earlier>) -> Begin {
    let (policy, self_contained) = match (looked, earlier) {
        (Looked::Silent, None) => return Begin::Wait,
        (Looked::Silent, Some(_)) => return Begin::Record(Doubt::Silent),
        (Looked::Failed(why), None) => return Begin::Not(Doubt::Failed(why)),
        (Looked::Failed(why), Some(_)) => return Begin::Record(Doubt::Failed(why)),
        (Looked::At { policy, self_contained }, _) => (policy, self_contained),
    };
    let had_one = earlier.is_some_and(|earlier| earlier.policy);
    // Without its own `wharf.toml` a directory is taken for Workbench's, and another one for ours.
    let is_elsewhere = earlier.is_some_and(|earlier| earlier.self_contained && !self_contained);
    match policy {
        _ if is_elsewhere => Begin::Record(Doubt::Gone),
        Policy::Names(named) => Begin::Files(Some(named)),
        Policy::Nothing if had_one => Begin::Record(Doubt::Gone),
        Policy::Nothing => Begin::Files(None),
        Policy::Unsure(problems) if earlier.is_some() => Begin::Record(Doubt::Unsure(problems)),
        Policy::Unsure(problems) => Begin::Not(Doubt::Unsure(problems)),
    }
}

/// What files name otherwise than what the engine began with, a line each: it acts at the next start. Nothing where they
/// do not say it for sure: the next start does not believe them either.
#[must_use]
pub fn at_the_next_start(began: &Named, files: &SiteFiles) -> Vec<String> {
    let Policy::Names(now) = Policy::of(files) else { return Vec::new() };
    let fields = [
        ("instance", &began.instance, &now.instance),
        ("[store] path", &began.store, &now.store),
        ("[site] config-dir", &began.config_dir, &now.config_dir),
    ];
    let word = |value: &Option<String>| {
        value.as_ref().map_or("unset".to_owned(), |value| format!("\"{value}\""))
    };
    let differ = fields.into_iter().filter(|(_, began, now)| began != now);
    let line = |(field, began, now)| {
        let (began, now) = (word(began), word(now));
        format!(
            "{field} of wharf.toml is {now}, and was {began} when this engine began: it acts at the next start"
        )
    };
    differ.map(line).collect()
}

#[cfg(test)]
mod tests {
    use grammar::source::Source;

    use super::*;
    use crate::ids::Moment;
    use crate::site::{FileProblem, FileProblemKind};

    fn policy(wharf: Known<Source>) -> Policy {
        let mut files = SiteFiles::nothing("/etc/rstudio", "/etc/wharf");
        files.wharf = wharf;
        Policy::of(&files)
    }

    fn text(text: &str) -> Policy {
        policy(Known::Present(Source::new("/etc/wharf/wharf.toml", text)))
    }

    fn named(instance: &str) -> Named {
        Named { instance: Some(instance.to_owned()), ..Named::default() }
    }

    #[test]
    fn only_a_file_without_an_error_names_anything() {
        let all = "instance = \"t\"\n[store]\npath = \"/s\"\n[site]\nconfig-dir = \"/c\"\n";
        let (store, config_dir) = (Some("/s".to_owned()), Some("/c".to_owned()));
        assert_eq!(text(all), Policy::Names(Named { store, config_dir, ..named("t") }));
        assert_eq!(text("# nothing\n"), Policy::Names(Named::default()));
        assert_eq!((text(" \n"), policy(Known::Absent)), (Policy::Nothing, Policy::Nothing));
        // Cut while it was written, and a field that has nothing to do with it: what else is wrong nobody knows.
        for torn in ["instance = \"t", "instance = \"t\"\n[stor", "instance = \"t\"\nmode = 1\n"] {
            let Policy::Unsure(problems) = text(torn) else { panic!("{torn}") };
            assert!(problems.iter().any(Problem::is_error), "{torn}");
        }
        let mut files = SiteFiles::nothing("/etc/rstudio", "/etc/wharf");
        files.wharf = Known::Unknown { since: Moment(0), reason: "EIO".to_owned() };
        let kind = FileProblemKind::Unreadable("EIO".to_owned());
        files.unreadable.push(FileProblem { file: "/etc/wharf/wharf.toml".into(), kind });
        let Policy::Unsure(problems) = Policy::of(&files) else { panic!("it is unknown") };
        assert!(problems[0].message.contains("EIO"), "{problems:?}");
    }

    /// Every case: what was found, what is on record, from what is begun.
    #[test]
    fn what_is_not_said_for_sure_is_never_begun_with() {
        let at =
            |policy: &Policy, self_contained| Looked::At { policy: policy.clone(), self_contained };
        let earlier = |policy, self_contained| Some(Earlier { policy, self_contained });
        let (names, nothing, torn) =
            (text("instance = \"t\""), Policy::Nothing, text("instance ="));
        let Policy::Unsure(problems) = &torn else { panic!("{torn:?}") };
        let unsure = || Doubt::Unsure(problems.clone());
        let failed = || "no such directory".to_owned();
        let files = |named| Begin::Files(Some(named));
        let cases = [
            (Looked::Silent, None, Begin::Wait),
            (Looked::Silent, earlier(false, false), Begin::Record(Doubt::Silent)),
            (Looked::Failed(failed()), None, Begin::Not(Doubt::Failed(failed()))),
            (Looked::Failed(failed()), earlier(true, true), Begin::Record(Doubt::Failed(failed()))),
            // A sound file is believed, whatever was.
            (at(&names, false), None, files(named("t"))),
            (at(&names, false), earlier(true, false), files(named("t"))),
            (at(&names, true), earlier(false, false), files(named("t"))),
            (at(&names, true), earlier(true, true), files(named("t"))),
            // But for another one than the one that was there.
            (at(&names, false), earlier(true, true), Begin::Record(Doubt::Gone)),
            // A plain site of the product, and one that has lost its policy.
            (at(&nothing, false), None, Begin::Files(None)),
            (at(&nothing, false), earlier(false, false), Begin::Files(None)),
            (at(&nothing, true), earlier(false, true), Begin::Files(None)),
            (at(&nothing, false), earlier(true, false), Begin::Record(Doubt::Gone)),
            (at(&nothing, true), earlier(true, true), Begin::Record(Doubt::Gone)),
            (at(&nothing, false), earlier(true, true), Begin::Record(Doubt::Gone)),
            // Torn, or unreadable.
            (at(&torn, true), None, Begin::Not(unsure())),
            (at(&torn, true), earlier(true, true), Begin::Record(unsure())),
            (at(&torn, false), earlier(false, false), Begin::Record(unsure())),
        ];
        for (looked, earlier, begins) in cases {
            let case = format!("{looked:?} {earlier:?}");
            assert_eq!(begin(looked, earlier), begins, "{case}");
        }
    }

    #[test]
    fn what_acts_only_at_the_next_start_is_said() {
        let said = |text: &str| {
            let mut files = SiteFiles::nothing("/etc/rstudio", "/etc/wharf");
            files.wharf = Known::Present(Source::new("/etc/wharf/wharf.toml", text));
            at_the_next_start(&named("t"), &files)
        };
        for same in ["instance = \"t\"\nmode = \"serve\"\n", "instance = \"u\"\nmode = 1\n", ""] {
            assert_eq!(said(same), Vec::<String>::new(), "{same}");
        }
        let lines = said("[store]\npath = \"/s\"\n");
        assert_eq!(lines.len(), 2);
        let both = lines.join("\n");
        assert!(both.starts_with("instance of wharf.toml is unset, and was \"t\" when"), "{both}");
        assert!(both.contains("\n[store] path of wharf.toml is \"/s\", and was unset"), "{both}");
    }
}
