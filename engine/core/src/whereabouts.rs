//! Whose files these are: which instance a site's `wharf.toml` means and where its store is, and when an earlier start is
//! believed instead of it.
//!
//! A wrong answer here starts another engine than the one whose sessions live: with an empty store and a key of its own it
//! would start them all once more. So a file that does not say it for sure says nothing where an earlier start is on
//! record, and nothing is begun where none is. Knows no directory and no record's form: `cli/serve/start` reads both.

use grammar::error::{Problem, Severity};
use grammar::own::read_wharf;

use crate::ids::Moment;
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Whether there was a `wharf.toml`.
    pub policy: bool,
    /// Whether it lay in the directory that was given.
    pub self_contained: bool,
    /// The instance that it was.
    pub instance: String,
    /// Whether `wharf.toml` named it; else it came of the path.
    pub is_named: bool,
}

/// A record that was found of an earlier start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// Of one that was told the same.
    Same {
        /// Its file.
        path: String,
        /// The instance whose directory it lies in.
        lies_in: String,
        /// The instance that it is of by its own words.
        instance: String,
        /// What it says.
        record: T,
    },
    /// Nobody can say what it is of: why, with its file.
    Unreadable(String),
}

/// The last start that was told the same, of the records that were found. More than one that could be it, and one that
/// nobody can read where there is no other, are an earlier start of which nothing is known.
#[must_use]
pub fn last<T>(found: Vec<Found<T>>, now: Moment) -> Known<T> {
    let (mut sound, mut unsure) = (Vec::new(), Vec::new());
    for one in found {
        match one {
            Found::Same { path, lies_in, instance, record } if lies_in == instance => {
                sound.push((path, record));
            }
            Found::Same { path, lies_in, instance, .. } => {
                unsure.push(format!(
                    "{path} is of instance {instance} and lies in that of {lies_in}"
                ));
            }
            Found::Unreadable(why) => unsure.push(why),
        }
    }
    let unknown = |reason| Known::Unknown { since: now, reason };
    if sound.len() > 1 {
        let paths: Vec<String> = sound.into_iter().map(|(path, _)| path).collect();
        return unknown(format!("each of {} says that its was the last start", paths.join(", ")));
    }
    match (sound.pop(), unsure.is_empty()) {
        (Some((_, record)), _) => Known::Present(record),
        (None, true) => Known::Absent,
        (None, false) => unknown(unsure.join("; ")),
    }
}

/// From what an engine begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Begin {
    /// The files.
    Files {
        /// What they name; none = no `wharf.toml` says anything.
        named: Option<Named>,
        /// Which instance it is; none = that of the path.
        instance: Option<String>,
    },
    /// The record of the last start that was told the same.
    Record(Doubt),
    /// Nothing yet: the files are waited for, since nothing is known of the site without them.
    Wait,
    /// Not at all.
    Not {
        /// Why the files are not believed.
        files: Doubt,
        /// Why it is not known what the last start was; none = there was none.
        earlier: Option<String>,
    },
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
    /// There is none, or it is empty, and nobody knows whether there was one.
    Nothing,
}

/// From what to begin after a look at the files; `earlier` is what is on record. Where that is unknown only a sound
/// `wharf.toml` is believed: everything else would be a guess.
#[must_use]
pub fn begin(looked: Looked, earlier: Known<Earlier>) -> Begin {
    let earlier = match earlier {
        Known::Present(earlier) => Some(earlier),
        Known::Absent => None,
        Known::Unknown { reason, .. } => return begin_of_unknown(looked, reason),
    };
    let (policy, self_contained) = match (looked, &earlier) {
        (Looked::Silent, None) => return Begin::Wait,
        (Looked::Silent, Some(_)) => return Begin::Record(Doubt::Silent),
        (Looked::Failed(why), None) => return nothing_begins(Doubt::Failed(why), None),
        (Looked::Failed(why), Some(_)) => return Begin::Record(Doubt::Failed(why)),
        (Looked::At { policy, self_contained }, _) => (policy, self_contained),
    };
    let had_one = earlier.as_ref().is_some_and(|earlier| earlier.policy);
    // Without its own `wharf.toml` a directory is taken for Workbench's, and another one for ours.
    let is_elsewhere =
        earlier.as_ref().is_some_and(|earlier| earlier.self_contained && !self_contained);
    // The same path may lead elsewhere today; who gave no name then and gives none now means the same one.
    let unnamed = earlier.as_ref().filter(|earlier| !earlier.is_named);
    let unnamed = unnamed.map(|earlier| earlier.instance.clone());
    match policy {
        _ if is_elsewhere => Begin::Record(Doubt::Gone),
        Policy::Names(named) => {
            let instance = named.instance.clone().or(unnamed);
            Begin::Files { named: Some(named), instance }
        }
        Policy::Nothing if had_one => Begin::Record(Doubt::Gone),
        Policy::Nothing => Begin::Files { named: None, instance: unnamed },
        Policy::Unsure(problems) if earlier.is_some() => Begin::Record(Doubt::Unsure(problems)),
        Policy::Unsure(problems) => nothing_begins(Doubt::Unsure(problems), None),
    }
}

/// The same where there was an earlier start of which nothing is known.
fn begin_of_unknown(looked: Looked, reason: String) -> Begin {
    let doubt = match looked {
        Looked::Silent => Doubt::Silent,
        Looked::Failed(why) => Doubt::Failed(why),
        Looked::At { policy: Policy::Names(named), .. } => {
            let instance = named.instance.clone();
            return Begin::Files { named: Some(named), instance };
        }
        Looked::At { policy: Policy::Nothing, .. } => Doubt::Nothing,
        Looked::At { policy: Policy::Unsure(problems), .. } => Doubt::Unsure(problems),
    };
    nothing_begins(doubt, Some(reason))
}

fn nothing_begins(files: Doubt, earlier: Option<String>) -> Begin {
    Begin::Not { files, earlier }
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
        let earlier = |policy, self_contained| {
            let instance = "e".to_owned();
            Known::Present(Earlier { policy, self_contained, instance, is_named: policy })
        };
        let none = || Known::Absent;
        let (names, nothing, torn) =
            (text("instance = \"t\""), Policy::Nothing, text("instance ="));
        let Policy::Unsure(problems) = &torn else { panic!("{torn:?}") };
        let unsure = || Doubt::Unsure(problems.clone());
        let failed = || "no such directory".to_owned();
        let not = |files| Begin::Not { files, earlier: None };
        let plain = |instance: Option<&str>| Begin::Files {
            named: None,
            instance: instance.map(str::to_owned),
        };
        let sound = || Begin::Files { named: Some(named("t")), instance: Some("t".to_owned()) };
        let cases = [
            (Looked::Silent, none(), Begin::Wait),
            (Looked::Silent, earlier(false, false), Begin::Record(Doubt::Silent)),
            (Looked::Failed(failed()), none(), not(Doubt::Failed(failed()))),
            (Looked::Failed(failed()), earlier(true, true), Begin::Record(Doubt::Failed(failed()))),
            // A sound file is believed, whatever was.
            (at(&names, false), none(), sound()),
            (at(&names, false), earlier(true, false), sound()),
            (at(&names, true), earlier(false, false), sound()),
            (at(&names, true), earlier(true, true), sound()),
            // But for another one than the one that was there.
            (at(&names, false), earlier(true, true), Begin::Record(Doubt::Gone)),
            // A plain site of the product, and one that has lost its policy.
            (at(&nothing, false), none(), plain(None)),
            (at(&nothing, false), earlier(false, false), plain(Some("e"))),
            (at(&nothing, true), earlier(false, true), plain(Some("e"))),
            (at(&nothing, false), earlier(true, false), Begin::Record(Doubt::Gone)),
            (at(&nothing, true), earlier(true, true), Begin::Record(Doubt::Gone)),
            (at(&nothing, false), earlier(true, true), Begin::Record(Doubt::Gone)),
            // Torn, or unreadable.
            (at(&torn, true), none(), not(unsure())),
            (at(&torn, true), earlier(true, true), Begin::Record(unsure())),
            (at(&torn, false), earlier(false, false), Begin::Record(unsure())),
        ];
        for (looked, earlier, begins) in cases {
            let case = format!("{looked:?} {earlier:?}");
            assert_eq!(begin(looked, earlier), begins, "{case}");
        }
    }

    /// The path may lead elsewhere at the next start: a link that is set to another release.
    #[test]
    fn who_gave_no_name_and_gives_none_means_the_instance_that_it_was() {
        let begins = |wharf: &str, was_named| {
            let looked = Looked::At { policy: text(wharf), self_contained: true };
            let earlier = Earlier {
                policy: true,
                self_contained: true,
                instance: "1f".to_owned(),
                is_named: was_named,
            };
            let Begin::Files { instance, .. } = begin(looked, Known::Present(earlier)) else {
                panic!("{wharf} is sound")
            };
            instance
        };
        assert_eq!(begins("# none\n", false).as_deref(), Some("1f"));
        assert_eq!(begins("instance = \"t\"\n", false).as_deref(), Some("t"));
        // Its name was taken away: another one, as ever.
        assert_eq!(begins("# none\n", true), None);
    }

    #[test]
    fn where_nobody_knows_what_the_last_start_was_only_a_sound_file_is_begun_with() {
        let begins = |looked| {
            let earlier = Known::Unknown { since: Moment(0), reason: "format 9".to_owned() };
            begin(looked, earlier)
        };
        let at = |policy| Looked::At { policy, self_contained: false };
        let torn = text("instance =");
        let Policy::Unsure(problems) = &torn else { panic!("{torn:?}") };
        for (looked, files) in [
            (Looked::Silent, Doubt::Silent),
            (Looked::Failed("EIO".to_owned()), Doubt::Failed("EIO".to_owned())),
            (at(Policy::Nothing), Doubt::Nothing),
            (at(torn.clone()), Doubt::Unsure(problems.clone())),
        ] {
            let earlier = Some("format 9".to_owned());
            assert_eq!(begins(looked), Begin::Not { files, earlier });
        }
        let sound = Begin::Files { named: Some(named("t")), instance: Some("t".to_owned()) };
        assert_eq!(begins(at(text("instance = \"t\""))), sound);
    }

    #[test]
    fn the_last_start_is_the_only_one_that_lies_where_its_instance_does() {
        let same = |lies_in: &str, instance: &str| Found::Same {
            path: format!("/s/{lies_in}/start.json"),
            lies_in: lies_in.to_owned(),
            instance: instance.to_owned(),
            record: instance.to_owned(),
        };
        let torn = || Found::Unreadable("/s/x/start.json cannot be read: EIO".to_owned());
        let unknown = |reason: &str| Known::Unknown { since: Moment(7), reason: reason.to_owned() };
        let t = Known::Present("t".to_owned());
        let both = "each of /s/t/start.json, /s/u/start.json says that its was the last start";
        let copied = "/s/u/start.json is of instance t and lies in that of u";
        for (found, is) in [
            (vec![], Known::Absent),
            (vec![same("t", "t")], t.clone()),
            // Other instances' are not this site's.
            (vec![torn(), same("t", "t")], t.clone()),
            (vec![torn()], unknown("/s/x/start.json cannot be read: EIO")),
            // A copy of a state directory, beside what it is of and alone.
            (vec![same("t", "t"), same("u", "t")], t),
            (vec![same("u", "t")], unknown(copied)),
            (vec![same("t", "t"), same("u", "u")], unknown(both)),
        ] {
            assert_eq!(last(found.clone(), Moment(7)), is, "{found:?}");
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
