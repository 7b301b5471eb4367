//! Clusters that run containers: images, mounts, and paths that must be there inside.

use grammar::document::{Document, Entry, Section};
use grammar::error::{Code, Severity};
use grammar::own::Lines;
use grammar::own::form::Field;
use grammar::source::FileKind::{
    self, LauncherConf, LauncherEnv, LauncherKubernetesConf, LauncherKubernetesProfiles,
    LauncherMounts, LauncherPorts, RserverConf,
};
use grammar::source::Source;
use grammar::span::Span;
use grammar::value::Value;

use super::finding::{at_field, items};
use super::{Findings, Need, Rule, Site};
use crate::read_site::ClusterDocuments;
use crate::site::DropIn;

/// The rules about containers.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: Code(521),
        title: "a session or template starts in a path below no mount",
        severity: Severity::Warning,
        needs: &[
            Need::File(RserverConf),
            Need::File(LauncherConf),
            Need::File(LauncherMounts),
            Need::Wharf,
            Need::Dir(DropIn::Sessions),
            Need::Dir(DropIn::Templates),
        ],
        check: below_no_mount,
    },
    Rule {
        code: Code(523),
        title: "the default image is not among those that are allowed",
        severity: Severity::Warning,
        needs: &[Need::File(RserverConf), Need::File(LauncherKubernetesProfiles)],
        check: image_not_allowed,
    },
    Rule {
        code: Code(524),
        title: "a cluster runs containers and no image is named for sessions",
        severity: Severity::Warning,
        needs: &[
            Need::File(RserverConf),
            Need::File(LauncherConf),
            Need::File(LauncherKubernetesConf),
            Need::File(LauncherKubernetesProfiles),
        ],
        check: no_image,
    },
    Rule {
        code: Code(525),
        title: "a placeholder for the user's name that is not filled in",
        severity: Severity::Warning,
        needs: &[],
        check: unfilled,
    },
    Rule {
        code: Code(611),
        title: "the home directory is not mounted for container clusters",
        severity: Severity::Warning,
        needs: &[
            Need::File(RserverConf),
            Need::File(LauncherConf),
            Need::File(LauncherMounts),
            Need::File(LauncherKubernetesConf),
            Need::File(LauncherKubernetesProfiles),
        ],
        check: home_not_mounted,
    },
];

/// What stands for the user's name in paths and variables (files.md §6, §7).
const USER: &str = "{USER}";

fn is_kubernetes(site: &Site<'_>, cluster: &str) -> bool {
    site.clusters.iter().any(|(name, kind)| name.as_str() == cluster && *kind == "kubernetes")
}

/// The Kubernetes clusters that the product's own launcher serves, each with its files.
fn kubernetes<'a>(site: &'a Site<'_>) -> impl Iterator<Item = (&'a Section, ClusterDocuments<'a>)> {
    let is = |section: &Section, option: &str, value: &str| {
        section.get(option).is_some_and(|entry| entry.value.eq_ignore_ascii_case(value))
    };
    site.sections(LauncherConf)
        .iter()
        .filter(move |section| is(section, "type", "Kubernetes") && section.get("exe").is_none())
        .map(|section| (section, site.read.files_of_cluster(name_of(section), "kubernetes")))
}

fn name_of(cluster: &Section) -> &str {
    cluster.get("name").map_or("", |entry| &entry.value)
}

/// Whether a record applies to interactive sessions of a cluster.
fn applies(record: &Section, cluster: &str) -> bool {
    let says = |field: &str, wanted: &str| {
        record.get(field).is_none_or(|entry| {
            let value = entry.value.trim();
            value.is_empty() || value.eq_ignore_ascii_case("any") || value == wanted
        })
    };
    says("Cluster", cluster)
        && record.get("JobType").is_none_or(|entry| !entry.value.eq_ignore_ascii_case("adhoc"))
}

/// Directories that an image has of its own; who starts there needs no mount.
const OF_AN_IMAGE: [&str; 9] =
    ["tmp", "opt", "usr", "var", "etc", "root", "run", "workspace", "app"];

fn below_no_mount(site: &Site<'_>, out: &mut Findings) {
    let default = site.read.text(RserverConf, "launcher-default-cluster");
    for read in site.read.sessions.notable() {
        let Some(own) = &read.own else { continue };
        let fields = &own.value.fields;
        let cluster = fields.cluster.as_deref().or(default);
        if let (Some(cluster), Some(dir)) = (cluster, fields.working_dir.as_deref()) {
            path_below_no_mount(site, out, cluster, dir, (&read.source, &own.lines));
        }
    }
    for read in site.read.templates.values() {
        let Some(own) = &read.own else { continue };
        let fields = &own.value.fields;
        let cluster = match &fields.cluster {
            Some(Field::Fixed(cluster)) => Some(cluster.as_str()),
            Some(Field::Choose { .. }) => None,
            None => default,
        };
        if let (Some(cluster), Some(Field::Fixed(dir))) = (cluster, &fields.working_dir) {
            path_below_no_mount(site, out, cluster, dir, (read.source, &own.lines));
        }
    }
}

fn path_below_no_mount(
    site: &Site<'_>,
    out: &mut Findings,
    cluster: &str,
    dir: &str,
    (source, lines): (&Source, &Lines),
) {
    let first = dir.trim_start_matches('/').split('/').next().unwrap_or_default();
    if !is_kubernetes(site, cluster)
        || !dir.starts_with('/')
        || first.is_empty()
        || OF_AN_IMAGE.contains(&first)
    {
        return;
    }
    let mounts = || site.sections(LauncherMounts).iter().filter(|r| applies(r, cluster));
    let paths = mounts().filter_map(|record| record.get("MountPath"));
    // A raw mount says where it goes in a file that is not read.
    let raw = mounts().any(|record| record.get("FilePath").is_some());
    if raw || paths.into_iter().any(|path| is_below(dir, &path.value)) {
        return;
    }
    let message = format!("nothing is mounted at `{dir}` in cluster `{cluster}`");
    let problem = at_field(out.problem(message), source, lines, "working-dir", "starts here");
    let problem = match site.source(LauncherMounts) {
        Some(_) => site.at_file(problem, LauncherMounts, "no record with a MountPath above it"),
        None => problem.note("there is no launcher-mounts"),
    };
    out.push(problem.help("mount it there, or sessions fail to start unless their image has it"));
}

/// Whether a path is a mount's or below it; the user's name stands for one directory.
fn is_below(path: &str, mount: &str) -> bool {
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let (path, mount) = (parts(path), parts(mount));
    let same = |a: &String, b: &String| a == b || a.contains(USER) || b.contains(USER);
    mount.len() <= path.len() && mount.iter().zip(&path).all(|(a, b)| same(a, b))
}

fn image_not_allowed(site: &Site<'_>, out: &mut Findings) {
    let image = site.read.text(RserverConf, "launcher-sessions-container-image");
    let allowed = site.read.text(RserverConf, "launcher-sessions-container-images");
    if let (Some(image), Some(allowed)) = (image, allowed)
        && !items(allowed).any(|item| item == image)
    {
        let problem = out.problem("the default image is not among the images that people may use");
        let problem = site.at(problem, RserverConf, "launcher-sessions-container-image", "default");
        let problem =
            site.at(problem, RserverConf, "launcher-sessions-container-images", "allowed");
        out.push(problem.help("add it to the list, or make one of the list the default"));
    }
    for section in site.sections(LauncherKubernetesProfiles) {
        let unknown = section.get("allow-unknown-images").map(|entry| &entry.typed);
        let (Some(image), Some(allowed)) =
            (section.get("default-container-image"), section.get("container-images"))
        else {
            continue;
        };
        let refused = unknown.is_none_or(|typed| *typed != Some(Value::Bool(true)));
        let empty = items(&allowed.value).next().is_none();
        if !refused || empty || items(&allowed.value).any(|item| *item == *image.value) {
            continue;
        }
        let problem = out.problem("the default image is not among the images that people may use");
        let problem = site.at_entry(problem, LauncherKubernetesProfiles, image, "the default");
        let problem = site.at_entry(problem, LauncherKubernetesProfiles, allowed, "allowed");
        out.push(problem.help("add it to the list, or set allow-unknown-images=1"));
    }
}

/// An option of any section of a cluster's file of profiles.
fn in_profiles(files: &ClusterDocuments<'_>, option: &str) -> bool {
    let sections = files.profiles.iter().flat_map(|file| &file.document.sections);
    sections.filter_map(|section| section.get(option)).any(|entry| !entry.value.is_empty())
}

/// Whether the cluster's jobs are made by templates or patches, of which nothing is known here.
fn is_templated(files: &ClusterDocuments<'_>) -> bool {
    let own = files.own.iter().flat_map(|file| &file.document.sections);
    let templates = own.filter_map(|section| section.get("use-templating"));
    templates.into_iter().any(|entry| entry.typed == Some(Value::Bool(true)))
        || in_profiles(files, "job-json-overrides")
}

fn no_image(site: &Site<'_>, out: &mut Findings) {
    let options = ["launcher-sessions-container-image", "launcher-sessions-container-images"];
    let named = options.iter().any(|option| site.read.text(RserverConf, option).is_some());
    let enabled = site.read.switch(RserverConf, "launcher-sessions-enabled") == Some(true);
    if named || !enabled {
        return;
    }
    let has_image = |files: &ClusterDocuments<'_>| {
        ["default-container-image", "container-images"].iter().any(|o| in_profiles(files, o))
    };
    let without = kubernetes(site)
        .find(|(_, files)| !files.incomplete && !has_image(files) && !is_templated(files));
    let Some((cluster, _)) = without else { return };
    let message = format!("no image is named for sessions in `{}`", name_of(cluster));
    let problem = match cluster.get("name") {
        Some(entry) => site.at_entry(out.problem(message), LauncherConf, entry, "runs containers"),
        None => out.problem(message),
    };
    out.push(
        problem
            .note("nobody can start a session there")
            .help("set launcher-sessions-container-image in rserver.conf"),
    );
}

/// Spellings of [`USER`] that stay as they are.
fn misspelt(text: &str, with_shell: bool) -> Option<(usize, &str)> {
    let braced = text.match_indices('{').find_map(|(at, _)| {
        let name = text[at + 1..].split('}').next()?;
        let whole = text.get(at..at + name.len() + 2)?;
        let meant = ["user", "username", "user_name"].contains(&name.to_ascii_lowercase().as_str());
        let shell = text[..at].ends_with('$');
        (meant && whole != USER && !shell).then_some((at, whole))
    });
    // A shell may read what variables say, but never what is mounted.
    let shell = ["${USER}", "$USER"].into_iter().filter(|_| with_shell);
    braced.or_else(|| shell.into_iter().find_map(|word| Some((text.find(word)?, word))))
}

fn unfilled(site: &Site<'_>, out: &mut Findings) {
    let paths = ["MountPath", "Path", "SubPath"];
    for entry in entries(site.read.documents.get(&LauncherMounts)) {
        if paths.contains(&&*entry.name)
            && let Some((at, word)) = misspelt(&entry.value, true)
        {
            say_unfilled(site, out, LauncherMounts, (entry.value_span, at), word);
        }
    }
    for entry in entries(site.read.documents.get(&LauncherEnv)) {
        for part in &entry.parts {
            if let Some((at, word)) = misspelt(&part.text, false) {
                say_unfilled(site, out, LauncherEnv, (part.span, at), word);
            }
        }
    }
    for kind in [LauncherMounts, LauncherEnv, LauncherPorts] {
        for entry in entries(site.read.documents.get(&kind)) {
            let selects = ["Cluster", "Workbench", "JobType"].contains(&&*entry.name);
            if selects && let Some(at) = entry.value.find(USER) {
                say_unfilled(site, out, kind, (entry.value_span, at), USER);
            }
        }
    }
}

fn entries(document: Option<&Document>) -> impl Iterator<Item = &Entry> {
    document.into_iter().flat_map(|document| &document.sections).flat_map(|s| &s.entries)
}

fn say_unfilled(
    site: &Site<'_>,
    out: &mut Findings,
    kind: FileKind,
    (span, at): (Span, usize),
    word: &str,
) {
    let start = span.start as usize + at;
    let (label, help) = if word == USER {
        ("not filled in here", "a record applies to every user; leave the name out")
    } else {
        ("stays as it is", "write {USER}, in capitals and braces")
    };
    let problem = out.problem(format!("`{word}` is not filled in")).label(
        &site.read.shown(kind),
        Some(Span::new(start, start + word.len())),
        label,
    );
    out.push(problem.help(help));
}

/// Homes must be mounted at their own path, or at `/root` where containers run as root (files.md §6).
fn home_not_mounted(site: &Site<'_>, out: &mut Findings) {
    for (cluster, files) in kubernetes(site) {
        if files.incomplete || is_templated(&files) {
            continue;
        }
        let name = name_of(cluster);
        let mounts = || site.sections(LauncherMounts).iter().filter(|r| applies(r, name));
        let raw = mounts().any(|record| record.get("FilePath").is_some());
        let home = |path: &str| path.contains(USER) || is_home(path);
        if raw || mounts().filter_map(|r| r.get("MountPath")).any(|path| home(&path.value)) {
            continue;
        }
        let message = format!("no home is mounted for sessions in `{name}`");
        let label = format!("no record with MountPath /home/{{USER}} for `{name}`");
        let problem = site.at_file(out.problem(message), LauncherMounts, label);
        let problem = match cluster.get("name") {
            Some(entry) => site.at_entry(problem, LauncherConf, entry, "runs containers"),
            None => problem,
        };
        out.push(
            problem
                .note("what people save in such a session is gone when it ends")
                .help("mount their homes at the path they have outside, for example /home/{USER}"),
        );
    }
}

/// Where all homes are, or root's.
fn is_home(path: &str) -> bool {
    let path = path.trim_end_matches('/');
    path == "/root"
        || path.split('/').any(|part| part == "home" || part == "homes" || part == "users")
}
