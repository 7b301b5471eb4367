//! Small sites: a few sessions, gateways and nodes with the fields that planning looks at.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::str::FromStr;

use engine_core::desired::Ground;
use engine_core::ids::Moment;
use engine_core::known::Known;
use engine_core::site::{DropIn, Managed, SiteFiles};
use grammar::source::{FileKind, Source};
use proptest::prelude::*;

/// Files by their short names, and which directories are there.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    files: BTreeMap<String, Option<String>>,
    managed: Vec<DropIn>,
}

/// A word of these tests as a name.
pub(crate) fn name<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("the words of these tests are names")
}

/// What lowering is told of the machine.
pub(crate) fn ground() -> Ground {
    Ground {
        node: name("n1"),
        default_user: name("alice"),
        digest_key: b"k".to_vec(),
        self_contained: true,
    }
}

impl Site {
    /// One text in every place.
    pub(crate) fn garbled(text: &str) -> Self {
        let mut names: Vec<String> =
            FileKind::ALL.iter().map(|kind| kind.file_name().to_owned()).collect();
        names.push("wharf.toml".to_owned());
        names.extend(DropIn::ALL.iter().map(|dir| format!("{}/a.toml", dir.dir_name())));
        let files = names.into_iter().map(|name| (name, Some(text.to_owned()))).collect();
        Self { files, managed: DropIn::ALL.to_vec() }
    }

    /// The same with a blank line and a comment before every `every`-th line.
    ///
    /// Records are left alone: there a blank line ends a record, which is not nothing.
    pub(crate) fn padded(&self, every: usize) -> Self {
        let mut padded = self.clone();
        for (name, text) in &mut padded.files {
            let Some(text) = text else { continue };
            if name.starts_with("launcher-") {
                continue;
            }
            let mut out = String::new();
            for (at, line) in text.lines().enumerate() {
                if at % every == 0 {
                    out.push_str("\n# nothing\n");
                }
                let _ = writeln!(out, "{line}");
            }
            *text = out;
        }
        padded
    }

    pub(crate) fn lines_of(&self, file: &str) -> usize {
        self.files.get(file).and_then(Option::as_ref).map_or(0, |text| text.lines().count())
    }

    /// As a reading of the disk finds it.
    pub(crate) fn files(&self) -> SiteFiles {
        let workbench = FileKind::ALL.into_iter();
        let mut files = SiteFiles::nothing("/site", "/site");
        files.workbench = workbench.map(|kind| (kind, self.known(kind.file_name()))).collect();
        files.wharf = self.known("wharf.toml");
        for drop_in in DropIn::ALL {
            *files.managed_mut(drop_in) = self.dir(drop_in);
        }
        files
    }

    fn known(&self, name: &str) -> Known<Source> {
        match self.files.get(name) {
            None => Known::Absent,
            Some(Some(text)) => Known::Present(Source::new(format!("/site/{name}"), text.as_str())),
            Some(None) => Known::Unknown { since: Moment(0), reason: "denied".to_owned() },
        }
    }

    fn dir(&self, dir: DropIn) -> Managed {
        if !self.managed.contains(&dir) {
            return Managed::NotManaged;
        }
        let below = format!("{}/", dir.dir_name());
        let stems = self.files.keys().filter_map(|name| {
            let stem = name.strip_prefix(&below)?.strip_suffix(".toml")?;
            Some((stem.to_owned(), self.known(name)))
        });
        Managed::Managed(stems.collect())
    }
}

fn session_text() -> impl Strategy<Value = Option<String>> {
    let line = |values: &'static [&'static str]| prop::sample::select(values);
    let head = (
        line(&["demo", "demo", "jupyterlab", "nonsense"]),
        line(&["", "user = \"bob\"\n", "user = \"carol\"\n"]),
        line(&["", "state = \"stopped\"\n", "state = \"running\"\n"]),
        line(&["", "restart = \"no\"\n", "restart = \"on-failure\"\n"]),
        line(&["", "on-removal = \"stop\"\n", "on-removal = \"keep\"\n"]),
        line(&["", "args = [\"--x\"]\n", "cluster = \"Other\"\n"]),
    );
    let tail = (
        line(&["", "[update]\napply = \"now\"\n", "[update]\napply = \"when-idle\"\n"]),
        line(&[
            "",
            "[publish]\ngateway = \"g\"\n",
            "[publish]\ngateway = \"h\"\nport = 9001\n",
            "[publish]\ngateway = \"auto\"\n",
        ]),
        line(&["", "[env]\nTZ = \"UTC\"\n", "[health]\nstart-timeout = \"5s\"\n"]),
    );
    (head, tail, 0..20_u8).prop_map(|((workbench, user, state, restart, gone, args), tail, odd)| {
        let (update, publish, rest) = tail;
        match odd {
            0 => None,
            1 => Some("workbench = [".to_owned()),
            _ => Some(format!(
                "workbench = \"{workbench}\"\n{user}{state}{restart}{gone}{args}{update}{publish}{rest}"
            )),
        }
    })
}

fn things(
    dir: &'static str,
    names: &'static [&'static str],
    text: impl Strategy<Value = Option<String>>,
) -> impl Strategy<Value = BTreeMap<String, Option<String>>> {
    prop::collection::btree_map(prop::sample::select(names), text, 0..=names.len()).prop_map(
        move |things| {
            let named = things.into_iter();
            named.map(|(name, text)| (format!("{dir}/{name}.toml"), text)).collect()
        },
    )
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    prop::sample::select(texts).prop_map(|text| Some(text.to_owned()))
}

fn site_file(
    name: &'static str,
    texts: &'static [&'static str],
) -> impl Strategy<Value = BTreeMap<String, Option<String>>> {
    let texts = prop::sample::select(texts);
    texts.prop_map(move |text| match text {
        "" => BTreeMap::new(),
        text => BTreeMap::from([(name.to_owned(), Some(text.to_owned()))]),
    })
}

/// Any small site.
pub(crate) fn any_site() -> impl Strategy<Value = Site> {
    let own = (
        things("sessions.d", &["a", "b", "c"], session_text()),
        things(
            "gateways.d",
            &["g", "h"],
            one_of(&[
                "port-range = \"9000-9001\"\n",
                "port-range = \"9001-9003\"\naddress = \"127.0.0.1\"\n",
                "port-range = \"9000-9001\"\nprotocol = \"tcp\"\n",
            ]),
        ),
        things(
            "nodes.d",
            &["n1", "n2"],
            one_of(&["weight = 3\n", "schedulable = false\n", "weight = 0\n", "[drain]\n", ""]),
        ),
        site_file(
            "wharf.toml",
            &[
                "",
                "",
                "[policy]\nsession-restart = \"now\"\n",
                "[policy]\nmax-harmed = 1\nharm-delay = \"10s\"\n",
                "[policy]\napply = \"confirm-harmful\"\n",
                "[policy]\napply = \"confirm\"\n",
                "[policy]\nconcurrent-starts = 1\nwindows = [\"Sat 14:00-15:00\"]\n",
                "mode = \"observe\"\n",
            ],
        ),
    );
    let workbench = (
        site_file(
            "rserver.conf",
            &["", "www-port=9000\n", "www-port=8080\nwww-address=127.0.0.1\n"],
        ),
        site_file("load-balancer", &["", "balancer=system-load\n", "balancer=user-hash\n"]),
        site_file("launcher-env", &["", "TZ=UTC\n", "TZ=UTC\nMODEL_KEY=x\n"]),
    );
    (own, workbench, prop::bits::u8::masked(0b1111)).prop_map(|(own, workbench, missing)| {
        let mut files = BTreeMap::new();
        let (sessions, gateways, nodes, wharf) = own;
        let (rserver, balancer, env) = workbench;
        for part in [sessions, gateways, nodes, wharf, rserver, balancer, env] {
            files.extend(part);
        }
        // A directory is missing in one of eight sites or so.
        let there = |at: usize| missing & (1 << at) == 0 || !missing.is_multiple_of(3);
        let managed =
            DropIn::ALL.into_iter().enumerate().filter(|(at, _)| there(*at)).map(|(_, d)| d);
        Site { files, managed: managed.collect() }
    })
}
