//! The kinds of files: each one's name, reader, meaning, and what else holds for it as a whole.
//!
//! The single home of these facts; `catalogue/STATES.md` shows them as a table. What stands *in* a
//! file is the catalogue's business ([`crate::catalogue`]), how a reader works the reader's own.
//! Source of all of it: the files that the product ships and documents; where its reader is closed
//! and was never seen, [`Names::NotEstablished`] says so.

use crate::catalogue::{Effect, State};

/// Which code of ours reads a file. Files that look alike are read by different rules (files.md 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reader {
    /// `name=value`, `#` cuts anywhere ([`crate::options`]).
    Options,
    /// `[server]` and repeated `[cluster]` ([`crate::launcher`]).
    Launcher,
    /// Flat, or below `[config]` ([`crate::load_balancer`]).
    LoadBalancer,
    /// `[*]`, `[@group]`, `[name]` ([`crate::sections`]).
    Levels,
    /// A section for each thing, its name the thing's ([`crate::sections`]).
    Things,
    /// `NAME=URL` without sections ([`crate::repositories`]).
    Repositories,
    /// `name=value` without comments, the first wins ([`crate::settings`]).
    Settings,
    /// Records of `Key: value`, or bare lines ([`crate::records`]).
    Records,
    /// `NAME=VALUE` lines for an environment ([`crate::variables`]).
    Variables,
    /// `allow` and `deny` lines ([`crate::access`]).
    Access,
    /// One item a line ([`crate::items`]).
    Items,
    /// Text for another program or for people; only placeholders are looked at ([`crate::text`]).
    Text,
}

impl Reader {
    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Reader::Options => "options",
            Reader::Launcher => "launcher",
            Reader::LoadBalancer => "load-balancer",
            Reader::Levels => "levels",
            Reader::Things => "things",
            Reader::Repositories => "repositories",
            Reader::Settings => "settings",
            Reader::Records => "records",
            Reader::Variables => "variables",
            Reader::Access => "access rules",
            Reader::Items => "items",
            Reader::Text => "text",
        }
    }
}

/// What the product does with a name that it does not know; also whether its reader was ever seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Names {
    /// It refuses the file, and does not start or keeps what it had.
    Refused,
    /// It passes over it.
    Ignored,
    /// Its reader is closed: nobody outside knows. We read by the nearest known rules and warn.
    NotEstablished,
}

/// What holds for a file as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its name in a configuration directory.
    pub file_name: &'static str,
    /// Who reads it.
    pub reader: Reader,
    /// What an unknown name in it does to the product.
    pub names: Names,
    /// Whether it holds a secret, so that only the server's account should be able to read it.
    pub secret: bool,
    /// Whether it restricts who gets in, or changes the proxy, as a whole: a file of this kind that
    /// says anything and does not act is an error where the engine serves (design.md 5).
    pub narrows: bool,
    /// For a file without options in the catalogue: when a change takes effect, and what is done with it.
    pub whole: Option<(Effect, State)>,
}

const fn file(file_name: &'static str, reader: Reader, names: Names) -> Facts {
    Facts { file_name, reader, names, secret: false, narrows: false, whole: None }
}

impl Facts {
    const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    const fn narrows(self) -> Self {
        Self { narrows: true, ..self }
    }

    const fn whole(self, effect: Effect, state: State) -> Self {
        Self { whole: Some((effect, state)), ..self }
    }

    /// Whether the product's own way of reading the file is known.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.names != Names::NotEstablished
    }
}

/// A snippet that the product includes into its own nginx, which does not exist here.
const fn nginx(file_name: &'static str) -> Facts {
    const WHY: &str = "there is no nginx here; the proxy is the engine's own";
    file(file_name, Reader::Text, Names::Ignored)
        .narrows()
        .whole(Effect::Live, State::Unsupported { why: WHY })
}

macro_rules! kinds {
    ($(#[doc = $meaning:literal] $kind:ident = $facts:expr;)+) => {
        /// The kinds of files that are understood; each has its reader and, mostly, its table of options.
        ///
        /// A file of a cluster (`launcher.slurm.conf`) gives its kind to files of any name that
        /// `config-file` and the like name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FileKind {
            $(#[doc = $meaning] $kind,)+
        }

        impl FileKind {
            /// Every kind, in the order in which they are read and shown.
            pub const ALL: [FileKind; [$(FileKind::$kind),+].len()] = [$(FileKind::$kind),+];

            /// What the file is for, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $(FileKind::$kind => $meaning.trim_ascii(),)+
                }
            }

            /// What holds for the file as a whole.
            #[must_use]
            pub fn facts(self) -> &'static Facts {
                match self {
                    $(FileKind::$kind => const { &$facts },)+
                }
            }
        }
    };
}

kinds! {
    /// The server: listening, sign-in, sessions, launching.
    RserverConf = file("rserver.conf", Reader::Options, Names::Refused);
    /// The launcher and its clusters: `[server]` and one `[cluster]` a cluster.
    LauncherConf = file("launcher.conf", Reader::Launcher, Names::NotEstablished);
    /// The store.
    DatabaseConf = file("database.conf", Reader::Settings, Names::Ignored).secret();
    /// How sessions spread over nodes.
    LoadBalancer = file("load-balancer", Reader::LoadBalancer, Names::NotEstablished);
    /// What container sessions have mounted.
    LauncherMounts = file("launcher-mounts", Reader::Records, Names::NotEstablished);
    /// Variables of sessions and jobs.
    LauncherEnv = file("launcher-env", Reader::Records, Names::NotEstablished);
    /// Ports that container sessions open.
    LauncherPorts = file("launcher-ports", Reader::Records, Names::NotEstablished);

    /// R sessions: limits, time-outs, what their users may do.
    RsessionConf = file("rsession.conf", Reader::Options, Names::Refused);
    /// The cluster that is this machine.
    LauncherLocalConf = file("launcher.local.conf", Reader::Options, Names::Refused);
    /// Limits by user and group on this machine.
    LauncherLocalProfiles = file("launcher.local.profiles.conf", Reader::Levels, Names::Refused);
    /// Named sizes on this machine.
    LauncherLocalResources = file("launcher.local.resources.conf", Reader::Things, Names::NotEstablished);
    /// A Slurm cluster.
    LauncherSlurmConf = file("launcher.slurm.conf", Reader::Options, Names::Refused);
    /// Limits by user and group in a Slurm cluster.
    LauncherSlurmProfiles = file("launcher.slurm.profiles.conf", Reader::Levels, Names::Refused);
    /// Named sizes in a Slurm cluster.
    LauncherSlurmResources = file("launcher.slurm.resources.conf", Reader::Things, Names::NotEstablished);
    /// A Kubernetes cluster.
    LauncherKubernetesConf = file("launcher.kubernetes.conf", Reader::Options, Names::Refused);
    /// Limits and images by user and group in a Kubernetes cluster.
    LauncherKubernetesProfiles = file("launcher.kubernetes.profiles.conf", Reader::Levels, Names::Refused);
    /// Named sizes in a Kubernetes cluster.
    LauncherKubernetesResources =
        file("launcher.kubernetes.resources.conf", Reader::Things, Names::NotEstablished);
    /// JupyterLab and Jupyter Notebook.
    JupyterConf = file("jupyter.conf", Reader::Options, Names::NotEstablished);
    /// VS Code.
    VscodeConf = file("vscode.conf", Reader::Options, Names::NotEstablished);
    /// Positron.
    PositronConf = file("positron.conf", Reader::Options, Names::NotEstablished);
    /// Extensions that VS Code sessions begin with.
    VscodeExtensions = file("vscode.extensions.conf", Reader::Items, Names::NotEstablished)
        .whole(Effect::NextStart, State::Arrives { issue: "roadmap-4" });
    /// Extensions that Positron sessions begin with.
    PositronExtensions = file("positron.extensions.conf", Reader::Items, Names::NotEstablished)
        .whole(Effect::NextStart, State::Unsupported { why: "Positron comes with the product only" });
    /// R versions that people may choose.
    RVersions = file("r-versions", Reader::Records, Names::Ignored);
    /// Package repositories of R sessions.
    ReposConf = file("repos.conf", Reader::Repositories, Names::Ignored);
    /// Limits of R sessions by user and group.
    Profiles = file("profiles", Reader::Levels, Names::NotEstablished);
    /// Who is let in, by address.
    IpRules = file("ip-rules", Reader::Access, Names::NotEstablished).narrows();
    /// What the health check answers.
    HealthCheck = file("health-check", Reader::Text, Names::Ignored);
    /// What the product's programs log, and where.
    LoggingConf = file("logging.conf", Reader::Levels, Names::Refused);
    /// Variables of the product's server.
    EnvVars = file("env-vars", Reader::Variables, Names::Ignored).whole(
        Effect::Live,
        State::Accepted { why: "variables of the product's own server; sessions do not get them" },
    );
    /// Notices to people, for a time.
    NotificationsConf = file("notifications.conf", Reader::Records, Names::NotEstablished);
    /// The database of the audit log.
    AuditDatabaseConf = file("audit-database.conf", Reader::Settings, Names::Ignored).secret();
    /// How files are locked.
    FileLocks = file("file-locks", Reader::Settings, Names::Ignored);
    /// The client that OpenID Connect sign-in uses.
    OpenidClientSecret = file("openid-client-secret", Reader::Settings, Names::NotEstablished).secret();
    /// Databricks workspaces that people may connect to.
    DatabricksConf = file("databricks.conf", Reader::Things, Names::NotEstablished).secret();
    /// Services that sessions get credentials for.
    OauthClientsConf = file("oauth-clients.conf", Reader::Things, Names::NotEstablished).secret();
    /// Where the name service asks for accounts.
    WorkbenchNssConf = file("workbench-nss.conf", Reader::Options, Names::NotEstablished);
    /// Additions to the proxy: its `http` block.
    NginxHttpConf = nginx("nginx.http.conf");
    /// Additions to the proxy: its `server` block.
    NginxServerConf = nginx("nginx.server.conf");
    /// Additions to the proxy: its `location` block.
    NginxSiteConf = nginx("nginx.site.conf");
    /// Additions to the proxy: its worker processes.
    NginxWorkerConf = nginx("nginx.worker.conf");
    /// Additions to the proxy: files that it hands out itself.
    NginxStaticConf = nginx("nginx.static.conf");
}

impl FileKind {
    /// The file's name in a configuration directory.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        self.facts().file_name
    }

    /// The kind of a file name, if it is one we read.
    #[must_use]
    pub fn of_file_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.file_name() == name)
    }

    /// Who reads it.
    #[must_use]
    pub fn reader(self) -> Reader {
        self.facts().reader
    }
}

/// What the product keeps in its configuration directory and nobody has to read here: name, why.
/// A name that ends in `/` is a directory's.
pub const WITHOUT_MEANING: [(&str, &str); 13] = [
    ("themes/", "looks of the product's own editor"),
    ("fonts/", "looks of the product's own editor"),
    ("keybindings/", "keys of the product's own editor"),
    ("snippets/", "texts for the product's own editor"),
    ("templates/", "texts for the product's own editor"),
    ("dictionaries/", "words for the product's own editor"),
    ("rstudio-prefs.json", "preferences of the product's own editor"),
    ("login.html", "a part of the product's own sign-in page"),
    ("vscode-user-settings.json", "first settings of the product's own VS Code sessions"),
    ("positron-user-settings.json", "first settings of the product's own Positron sessions"),
    ("crash-handler.conf", "the product no longer reads it (2025.12)"),
    ("google-accounts", "the product no longer reads it (2025.09)"),
    ("workbench_nss.conf", "accounts are made by the system, not by the engine"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::catalogue;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_is_found_by_it() {
        let names: BTreeSet<_> = FileKind::ALL.iter().map(|kind| kind.file_name()).collect();
        assert_eq!(names.len(), FileKind::ALL.len());
        for kind in FileKind::ALL {
            assert_eq!(FileKind::of_file_name(kind.file_name()), Some(kind));
            assert!(kind.meaning().ends_with('.'), "{kind:?}");
        }
        assert_eq!(FileKind::of_file_name("nothing.conf"), None);
    }

    #[test]
    fn a_kind_has_options_or_says_what_is_done_with_the_file() {
        for kind in FileKind::ALL {
            let has_options = !catalogue::rows(kind.file_name()).is_empty();
            assert_eq!(has_options, kind.facts().whole.is_none(), "{kind:?}");
        }
    }

    #[test]
    fn every_file_of_the_catalogue_has_a_kind() {
        for row in catalogue::all() {
            assert!(FileKind::of_file_name(row.file).is_some(), "{}", row.file);
        }
    }

    #[test]
    fn a_file_that_narrows_access_is_never_waved_through() {
        for kind in FileKind::ALL.into_iter().filter(|kind| kind.facts().narrows) {
            let waved = matches!(kind.facts().whole, Some((_, State::Accepted { .. })));
            assert!(!waved, "{kind:?}");
        }
    }
}
