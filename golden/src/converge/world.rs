//! The world of a script: what is on disk, what is in force, what runs, and what people asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine_core::approval::{self, Approval, Matter};
use engine_core::desired::{
    self, Desired, Ground, Lowered, Origins, Override, RefusedFiles, Request,
};
use engine_core::ids::{
    Generation, Incarnation, Moment, SessionId, SiteDigest, UserName, WorkbenchName,
};
use engine_core::known::Known;
use engine_core::observed::{
    Exit, InForce, IncarnationSeen, InstallationSeen, NodeSeen, Observed, Phase, Records, UserSeen,
    WorkbenchSeen,
};
use engine_core::plan::{Action, Hold, Plan};
use engine_core::planner::{self, Input, Kept};
use engine_core::predict;
use engine_core::proof;
use engine_core::site::SiteFiles;
use engine_core::window::ChangeWindows;

use super::checks;
use super::clock::{START, week_minute};
use super::site::Disk;
use super::table::Reached;

/// The node that scripts look from.
const NODE: &str = "n1";

/// The set of files in force.
#[derive(Clone, Debug)]
pub struct Force {
    /// What it asks for.
    pub lowered: Arc<Lowered>,
    /// Its number and time.
    pub mark: InForce,
    /// The files.
    pub files: SiteFiles,
}

/// Everything a script acts on.
#[derive(Debug)]
pub struct World {
    /// The time.
    pub now: Moment,
    /// What was found.
    pub observed: Observed,
    /// What is on disk.
    pub disk: Disk,
    /// What is in force.
    pub force: Option<Force>,
    /// What was in force before, oldest first.
    pub history: Vec<Force>,
    /// What every generation asked for.
    pub generations: BTreeMap<Generation, Arc<Lowered>>,
    /// What acts, by itself: something else than what is in force while that waits for a person.
    pub acted: Arc<Lowered>,
    /// The plan that a person keeps: for which files, and what it has.
    pub kept: Option<(SiteDigest, Vec<Matter>)>,
    /// What people asked for.
    pub requests: Vec<Request>,
    /// Commands that hide a line.
    pub overrides: Vec<Override>,
    /// The files on disk where they were refused: what they ask for, and why they were refused, a line each.
    pub refused: Option<(Lowered, Vec<String>)>,
    /// Change windows.
    pub windows: ChangeWindows,
    /// The records while the store cannot be reached.
    pub out_of_reach: Option<Records>,
    /// What the planner kept of the last round.
    pub last_round: Kept,
    /// What the plans made so far consist of.
    pub reached: Reached,
}

impl Default for World {
    fn default() -> Self {
        let mut observed = Observed::empty(NODE.parse().expect("the word is a node's name"));
        observed.cores = 4;
        observed.nodes.insert(observed.node.clone(), Known::Present(NodeSeen::default()));
        Self {
            now: START,
            observed,
            disk: Disk::default(),
            force: None,
            history: Vec::new(),
            generations: BTreeMap::new(),
            acted: Arc::default(),
            kept: None,
            requests: Vec::new(),
            overrides: Vec::new(),
            refused: None,
            windows: ChangeWindows::default(),
            out_of_reach: None,
            last_round: Kept::default(),
            reached: Reached::default(),
        }
    }
}

impl World {
    /// What lowering is told of this machine.
    #[must_use]
    pub fn ground(&self) -> Ground {
        Ground {
            node: self.observed.node.clone(),
            default_user: "alice".parse().expect("the word is a user's name"),
            digest_key: b"scripts".to_vec(),
            self_contained: true,
        }
    }

    /// What a set of files asks for together with people.
    #[must_use]
    pub fn merged(&self, lowered: &Lowered) -> Desired {
        desired::merge(lowered.desired.clone(), &self.requests, &self.overrides, self.now)
    }

    /// What is asked for now, and where it stands.
    #[must_use]
    pub fn desired(&self) -> (Desired, Origins) {
        let Some(force) = &self.force else {
            return (self.merged(&Lowered::default()), Origins::default());
        };
        let acts = self.acts_of(&force.lowered);
        (self.merged(&acts), acts.origins)
    }

    /// What acts once these files are in force: they themselves, those approved before, or a pinned generation.
    #[must_use]
    pub fn acts_of(&self, newest: &Lowered) -> Lowered {
        match self.pinned().and_then(|generation| self.generations.get(&generation)) {
            Some(pinned) => Lowered::clone(pinned),
            None => desired::act_on(&self.acted, newest),
        }
    }

    /// What the files that act ask for, without anybody's word.
    #[must_use]
    pub fn files_ask(&self) -> Desired {
        let newest = self.force.as_ref().map(|force| Arc::clone(&force.lowered));
        self.acts_of(&newest.unwrap_or_default()).desired
    }

    fn pinned(&self) -> Option<Generation> {
        let in_force = self.overrides.iter().filter(|given| given.in_force(self.now));
        in_force.filter_map(|given| given.effect.pinned()).next_back()
    }

    /// Looks at the world for what `desired` speaks of.
    pub fn look(&mut self, desired: &Desired) {
        self.observed.in_force =
            self.force.as_ref().map(|force| force.mark.clone()).unwrap_or_default();
        if let Some(pinned) = self.pinned().filter(|n| *n != self.observed.in_force.generation) {
            self.observed.in_force.acting = Some(pinned);
        }
        self.observed.week_minute = week_minute(self.now);
        self.observed.refused_files = self.refused.as_ref().map(|(refused, problems)| {
            let acts = self.files_ask();
            Arc::new(RefusedFiles::beside(&acts, &refused.desired, problems))
        });
        for (_, spec) in desired.sessions.known() {
            let user = &spec.launch.user;
            if !self.observed.users.contains_key(user) {
                let found = account(user, self.observed.users.len());
                self.observed.users.insert(user.clone(), Known::Present(found));
            }
            let name = &spec.launch.workbench;
            if !self.observed.workbenches.contains_key(name) {
                let found = workbench(name, desired);
                self.observed.workbenches.insert(name.clone(), Known::Present(found));
            }
        }
    }

    /// Plans one round and proves it.
    ///
    /// # Errors
    /// A proof that does not hold.
    pub fn plan(&mut self) -> Result<Plan, String> {
        let (desired, origins) = self.desired();
        self.look(&desired);
        let input =
            Input { desired: &desired, origins: &origins, observed: &self.observed, now: self.now };
        let plan = planner::plan_after(&input, &mut self.last_round);
        proof::prove_plan(&input, &plan)?;
        checks::forecast_proven(&input)?;
        self.reached.plan(&plan);
        Ok(plan)
    }

    /// Does what a plan says.
    pub fn carry_out(&mut self, plan: &Plan) {
        let world =
            std::mem::replace(&mut self.observed, Observed::empty(NODE.parse().expect("n1")));
        self.observed = predict::predict(world, plan, self.now);
        for step in &plan.steps {
            if let Action::Retire { session } = &step.action {
                self.requests.retain(|request| &request.spec.id != session);
            }
        }
        self.equip();
    }

    /// What a launcher adds to a start: process, directory, socket.
    pub fn equip(&mut self) {
        let all = self.observed.incarnations.keys().cloned();
        for incarnation in all.collect::<Vec<_>>() {
            if let Some(Known::Present(seen)) = self.observed.incarnations.get_mut(&incarnation)
                && seen.socket_dir.is_empty()
            {
                seen.socket_dir = format!("/run/wharf/s/{}/{}", incarnation.session, incarnation.n);
                "u/http".clone_into(&mut seen.socket);
                seen.pid = Some(4_000 + incarnation.n);
            }
        }
        for (name, known) in &mut self.observed.workbenches {
            if let Known::Present(WorkbenchSeen { ours: Some(ours), .. }) = known
                && let InstallationSeen::Installed { exe, .. } = ours
                && exe.is_empty()
            {
                *exe = format!("/var/lib/wharf/workbenches/{name}/bin/{name}");
            }
        }
    }

    /// Takes a set of files into force.
    pub fn accept(&mut self, lowered: Lowered, digest: SiteDigest) -> Generation {
        self.refused = None;
        if let Some(force) = &self.force
            && force.mark.digest == Some(digest)
        {
            return force.mark.generation;
        }
        let replaced = self.force.as_ref().and_then(|force| force.mark.digest);
        if self.observed.memory.approved.ends_with(replaced) {
            self.observed.memory.approved = Approval::default();
        }
        let last = self.force.as_ref().map_or(0, |force| force.mark.generation.0);
        let generation = Generation(last + 1);
        let waits = desired::waits(&self.acted.desired, &lowered.desired);
        let acted = self.force.as_ref().map_or(Generation(0), |force| force.mark.acts());
        let acting = waits.then_some(acted);
        let mark = InForce { generation, digest: Some(digest), since: self.now, acting };
        let lowered = Arc::new(lowered);
        self.generations.insert(generation, Arc::clone(&lowered));
        if !waits {
            self.acted = Arc::clone(&lowered);
        }
        let files = self.disk.read();
        self.history.extend(self.force.take());
        self.force = Some(Force { lowered, mark, files });
        generation
    }

    /// Lets go what waits for a person, or what of it a plan has that was kept.
    ///
    /// # Errors
    /// Nothing is in force, a plan breaks a rule, or what would go on and the kept plan does not have.
    pub fn apply(
        &mut self,
        saved: Option<&[Matter]>,
    ) -> Result<Result<Vec<Hold>, Vec<Hold>>, String> {
        let plan = self.plan()?;
        let force = self.force.as_mut().ok_or("nothing is in force")?;
        let given = match approval::approve(&plan, force.mark.digest, force.mark.generation, saved)
        {
            Ok(given) => given,
            Err(new) => return Ok(Err(new)),
        };
        let let_go: Vec<Hold> = approval::awaiting(&plan).cloned().collect();
        if !let_go.is_empty() {
            let given = given.of_starts(|session| self.observed.newest_start(session));
            self.observed.memory.approved = given;
            force.mark.acting = None;
            self.acted = Arc::clone(&force.lowered);
        }
        Ok(Ok(let_go))
    }

    /// The newest incarnation of a session.
    ///
    /// # Errors
    /// There is none.
    pub fn newest(&mut self, session: &str) -> Result<Incarnation, String> {
        let id = SessionId::new(session).map_err(|error| error.to_string())?;
        let newest = self.observed.of_session(&id).next_back();
        newest.map(|(i, _)| i.clone()).ok_or_else(|| format!("nothing of {session} is there"))
    }

    /// The newest incarnation of a session, as found.
    ///
    /// # Errors
    /// There is none, or nothing is known of it.
    pub fn newest_seen(&mut self, session: &str) -> Result<&mut IncarnationSeen, String> {
        let incarnation = self.newest(session)?;
        match self.observed.incarnations.get_mut(&incarnation) {
            Some(Known::Present(seen)) => Ok(seen),
            _ => Err(format!("nothing is known of {incarnation}")),
        }
    }

    /// Ends the newest incarnation of a session.
    ///
    /// # Errors
    /// There is none.
    pub fn exit(&mut self, session: &str, code: i32, asked: bool) -> Result<(), String> {
        let at = self.now;
        let seen = self.newest_seen(session)?;
        let exit = Exit {
            at,
            code: Some(code),
            signal: None,
            asked,
            failure: String::new(),
            never_ran: false,
        };
        seen.phase = Phase::Exited(exit);
        Ok(())
    }
}

fn account(user: &UserName, known: usize) -> UserSeen {
    let uid = match user.as_str() {
        "alice" => 1001,
        "bob" => 1002,
        _ => 1100 + u32::try_from(known).unwrap_or(0),
    };
    UserSeen {
        uid,
        gid: uid,
        home: format!("/home/{user}"),
        shell: "/bin/bash".to_owned(),
        reachable: true,
    }
}

fn workbench(name: &WorkbenchName, desired: &Desired) -> WorkbenchSeen {
    match desired.workbenches.get(name) {
        Some(spec) if spec.install_from.is_some() => {
            WorkbenchSeen::of_ours(InstallationSeen::NotInstalled)
        }
        _ => available(name),
    }
}

/// A workbench that is there.
#[must_use]
pub fn available(name: &WorkbenchName) -> WorkbenchSeen {
    WorkbenchSeen::works(format!("/usr/bin/{name}"), String::new())
}
