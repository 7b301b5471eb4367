//! What sessions of one workbench in one cluster have in common: program, variables, and where those
//! stand. Put together once for all of them, whatever their number.

use std::collections::BTreeMap;
use std::sync::Arc;

use grammar::own::workbench::{Base, WorkbenchTable};
use grammar::source::FileKind;
use grammar::value::Millis;

use super::Lowering;
use super::env::{EnvRecord, Selected};
use super::spec::Wrong;
use super::workbench::Builtin;
use crate::desired::{
    BasePath, EnvValue, Environment, Origin, Program, Secrets, Variables, for_user, has_user,
};
use crate::ids::{ClusterName, UserName, WorkbenchName};
use crate::read_site::is_secret;

/// How long a start of a workbench may take that says nothing of it.
const START_TIMEOUT: Millis = Millis(90_000);

/// What sessions of a workbench in a cluster have in common, as far as it was asked for.
pub(super) type Kinds = BTreeMap<(WorkbenchName, ClusterName), Arc<Kind>>;

/// What all sessions of a workbench in a cluster have.
pub(super) struct Kind {
    pub(super) workbench: Workbench,
    /// Variables that are the same for everybody.
    common: Arc<BTreeMap<String, EnvValue>>,
    /// Variables with the user's name in them, and whether they are secret.
    of_user: Vec<(String, String, bool)>,
    variables: Arc<Variables>,
    digest_key: Vec<u8>,
}

impl Kind {
    /// The variables of a session of `user`, with its own on top.
    pub(super) fn environment(
        &self,
        user: &UserName,
        mut own: BTreeMap<String, EnvValue>,
    ) -> Environment {
        for (name, pattern, secret) in &self.of_user {
            if own.contains_key(name) {
                continue;
            }
            let text = for_user(pattern, user);
            let value = match secret {
                // Its text is kept as a pattern, for whoever it is.
                true => EnvValue::Secret(Secrets::digest(&self.digest_key, &text)),
                false => EnvValue::Plain(text),
            };
            own.insert(name.clone(), value);
        }
        Environment::new(Arc::clone(&self.common), own)
    }

    /// Where the variables stand that `launcher-env` gives.
    pub(super) fn variables(&self) -> Arc<Variables> {
        Arc::clone(&self.variables)
    }
}

/// A workbench put together.
pub(super) struct Workbench {
    pub(super) program: Program,
    /// What of its environment is secret: never part of the program, which is stored as it is.
    secret_env: BTreeMap<String, EnvValue>,
    pub(super) base: BasePath,
    pub(super) health_path: String,
    pub(super) start_timeout: Millis,
}

impl Default for Workbench {
    fn default() -> Self {
        Self {
            program: Program { exe: None, args: Vec::new(), env: BTreeMap::new() },
            secret_env: BTreeMap::new(),
            base: BasePath::Keep,
            health_path: "/".to_owned(),
            start_timeout: START_TIMEOUT,
        }
    }
}

impl From<Builtin> for Workbench {
    fn from(builtin: Builtin) -> Self {
        Self {
            program: builtin.program,
            secret_env: BTreeMap::new(),
            base: builtin.base,
            health_path: builtin.health_path.to_owned(),
            start_timeout: builtin.start_timeout,
        }
    }
}

impl Workbench {
    /// Puts the words of `wharf.toml` on top; their secrets are kept where the table is lowered.
    fn with(mut self, table: &WorkbenchTable, digest_key: &[u8]) -> Self {
        self.program.exe.clone_from(&table.exe);
        if let Some(args) = &table.args {
            self.program.args.clone_from(args);
        }
        for (name, value) in table.env.iter().flatten() {
            if is_secret(name, value) {
                let digest = Secrets::digest(digest_key, value);
                self.secret_env.insert(name.clone(), EnvValue::Secret(digest));
            } else {
                self.program.env.insert(name.clone(), value.clone());
            }
        }
        if let Some(path) = &table.ready_path {
            self.health_path.clone_from(path);
        }
        self.base = match table.base {
            Some(Base::Strip) => BasePath::Strip,
            Some(Base::Keep) => BasePath::Keep,
            None => self.base,
        };
        self
    }
}

impl Lowering<'_> {
    /// What sessions of a workbench in a cluster have in common.
    pub(super) fn kind(
        &mut self,
        workbench: &WorkbenchName,
        cluster: &ClusterName,
    ) -> Result<Arc<Kind>, Wrong> {
        let key = (workbench.clone(), cluster.clone());
        if let Some(kind) = self.kinds.get(&key) {
            return Ok(Arc::clone(kind));
        }
        let made = self.workbench(workbench)?;
        let selected = Selected { workbench, cluster, job_type: &self.job_type };
        let records = self.env_records.iter().filter(|record| selected.matches(record.section()));
        let kind = Arc::new(kind_of(made, records, &self.ground.digest_key));
        self.kinds.insert(key, Arc::clone(&kind));
        Ok(kind)
    }

    /// A workbench: what is built in, with the words of `wharf.toml` on top.
    fn workbench(&self, name: &WorkbenchName) -> Result<Workbench, Wrong> {
        let builtin = self.builtins.get(name).cloned();
        let table = self.workbench_tables.get(name);
        if builtin.is_none() && table.is_none() {
            return Err(self.no_workbench(name));
        }
        let mut made = builtin.map_or_else(Workbench::default, Workbench::from);
        if let Some(table) = table {
            made = made.with(table, &self.ground.digest_key);
        }
        Ok(made)
    }

    fn no_workbench(&self, name: &WorkbenchName) -> Wrong {
        let known = self.builtins.keys().chain(self.workbench_tables.keys());
        let nearest = grammar::suggest::nearest(name.as_str(), known.map(WorkbenchName::as_str));
        let mut wrong = Wrong::new("workbench", 304, format!("no workbench is called `{name}`"));
        wrong.help = Some(match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("declare it in wharf.toml: [workbenches.{name}] exe = ..."),
        });
        wrong
    }
}

/// Puts the variables of a kind together. A later record wins over an earlier one, and every record over
/// the workbench's own. The texts of secrets are kept where the records' options are listed.
fn kind_of<'r>(
    workbench: Workbench,
    records: impl Iterator<Item = &'r EnvRecord<'r>>,
    digest_key: &[u8],
) -> Kind {
    let file: Arc<str> = FileKind::LauncherEnv.file_name().into();
    let mut winners = BTreeMap::new();
    for pair in records.flat_map(EnvRecord::pairs) {
        if let Some(value) = pair.value {
            winners.insert(pair.name, (value, pair));
        }
    }
    let mut common = workbench.secret_env.clone();
    let (mut of_user, mut variables) = (Vec::new(), Variables::new());
    for (name, (value, pair)) in winners {
        let (file, option) = (Arc::clone(&file), name.to_owned());
        variables.insert(name.to_owned(), Origin { file, line: pair.line, option });
        if has_user(value) {
            common.remove(name);
            of_user.push((name.to_owned(), value.to_owned(), pair.is_secret));
            continue;
        }
        let value = match pair.is_secret {
            true => EnvValue::Secret(Secrets::digest(digest_key, value)),
            false => EnvValue::Plain(value.to_owned()),
        };
        common.insert(name.to_owned(), value);
    }
    Kind {
        workbench,
        common: Arc::new(common),
        of_user,
        variables: Arc::new(variables),
        digest_key: digest_key.to_vec(),
    }
}
