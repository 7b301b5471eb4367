//! What a session's process is started from, and the digest by which two starts are compared.
//!
//! Read next: [`super::Environment`], its variables.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Environment;
use crate::ids::{ClusterName, Digest, SpecDigest, UserName, WorkbenchName};

/// What a process is started from. Its digest is what a running session carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// The kind of session.
    pub workbench: WorkbenchName,
    /// The account it runs as.
    pub user: UserName,
    /// Where it is launched.
    pub cluster: ClusterName,
    /// What is run.
    pub program: Program,
    /// The environment that files ask for, on top of the login environment.
    pub env: Environment,
    /// Working directory; none = the user's home.
    pub working_dir: Option<String>,
    /// Limits. Nothing enforces them yet (`takes.rs`), so a change of them makes no session another one.
    pub resources: Resources,
    /// Whether its server sees the `/s/<id>` prefix.
    pub base: BasePath,
}

impl LaunchSpec {
    /// Its digest: of all that a process would notice.
    #[must_use]
    pub fn digest(&self) -> SpecDigest {
        let none = Resources::default();
        if self.resources == none {
            return SpecDigest(Digest::of_value(self));
        }
        SpecDigest(Digest::of_value(&Self { resources: none, ..self.clone() }))
    }
}

/// A launch spec that is not changed any more: shared by everything that speaks of it, and its digest is
/// made once. Stored and sent as the spec itself.
#[derive(Clone)]
pub struct Launch(Arc<Kept>);

struct Kept {
    spec: LaunchSpec,
    digest: OnceLock<SpecDigest>,
}

impl Launch {
    /// Keeps a spec.
    #[must_use]
    pub fn new(spec: LaunchSpec) -> Self {
        Self(Arc::new(Kept { spec, digest: OnceLock::new() }))
    }

    /// Another one, changed.
    #[must_use]
    pub fn with(&self, change: impl FnOnce(&mut LaunchSpec)) -> Self {
        let mut spec = self.0.spec.clone();
        change(&mut spec);
        Self::new(spec)
    }

    /// Its digest; costs one pass over the spec the first time.
    #[must_use]
    pub fn digest(&self) -> SpecDigest {
        *self.0.digest.get_or_init(|| self.0.spec.digest())
    }

    /// Whether a record names it by this digest: its own, or the one that it had while limits counted. Records outlive
    /// the version that wrote them.
    #[must_use]
    pub fn was_named(&self, digest: SpecDigest) -> bool {
        digest == self.digest() || digest == SpecDigest(Digest::of_value(&self.0.spec))
    }
}

impl Deref for Launch {
    type Target = LaunchSpec;

    fn deref(&self) -> &LaunchSpec {
        &self.0.spec
    }
}

impl PartialEq for Launch {
    /// The same allocation is the same spec; what differs is found out in full.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.spec == other.0.spec
    }
}

impl Eq for Launch {}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.spec.fmt(f)
    }
}

impl Serialize for Launch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.spec.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Launch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        LaunchSpec::deserialize(deserializer).map(Launch::new)
    }
}

/// What is run: the executable is found at the start (an observation), the arguments are here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// A path that the files name; none = what the workbench's discovery finds.
    pub exe: Option<String>,
    /// Arguments, with the tokens `{SOCKET}`, `{RUNTIME}`, `{BASE}`, `{USER}`, `{HOME}`, `{ID}` still in
    /// them.
    pub args: Vec<String>,
    /// Environment that the workbench itself needs, same tokens.
    pub env: BTreeMap<String, String>,
}

/// The value of an environment variable; a secret is known by its digest only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvValue {
    /// Shown as it is.
    Plain(String),
    /// Keyed digest; the text is read from the accepted files at the moment of use.
    Secret(Digest),
}

/// Limits of a session. Absent = no limit of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Thousandths of a core.
    pub cpus_milli: Option<u64>,
    /// Bytes.
    pub memory_bytes: Option<u64>,
    /// What placement counts, thousandths of a core.
    pub request_cpus_milli: Option<u64>,
    /// What placement counts, bytes.
    pub request_memory_bytes: Option<u64>,
    /// A named profile of the cluster.
    pub profile: Option<String>,
}

/// Whether a session's server sees the prefix under which it is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BasePath {
    /// `/s/<id>/...` is passed on as it came.
    #[default]
    Keep,
    /// The prefix is taken off.
    Strip,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::tests::{ground, site};
    use crate::desired::{Asked, render};

    fn launch() -> Launch {
        let asked = Asked {
            user: UserName::new("alice").unwrap(),
            groups: Vec::new(),
            workbench: "demo".to_owned(),
            cluster: None,
            job_type: "session".to_owned(),
        };
        render(&site(&[]), &ground(), &asked).expect("it is built in").spec.launch
    }

    #[test]
    fn two_launches_are_one_if_their_specs_are() {
        let (one, again) = (launch(), launch());
        assert_eq!(one, again);
        let other = one.with(|spec| spec.working_dir = Some("/scratch".to_owned()));
        assert_ne!(one, other);
        assert_ne!(one.digest(), other.digest());
    }

    #[test]
    fn a_launch_is_stored_and_shown_as_its_spec() {
        let one = launch();
        let json = serde_json::to_value(&one).unwrap();
        assert_eq!(json, serde_json::to_value(&*one).unwrap());
        assert_eq!(serde_json::from_value::<Launch>(json).unwrap(), one);
        assert_eq!(format!("{one:?}"), format!("{:?}", *one));
    }
}
