//! `sessions.d`: each file to one session. What was made of a file is made again only where the file, or
//! something that it depends on, is another one.

use std::collections::BTreeMap;
use std::sync::Arc;

use grammar::error::{Code, Problem, Severity};
use grammar::own::session::{SessionFile, SessionState};
use grammar::own::{Own, OwnKind, OwnRead};
use grammar::source::Source;

use super::own::{is_managed, own_settings, refused};
use super::spec::{Head, Made, Wrong};
use super::{Lowering, env};
use crate::desired::{
    AskedBy, EnvValue, Restart, Secrets, SessionOrigins, SessionSpec, WantedState, for_user,
};
use crate::ids::{SessionId, UserName};
use crate::known::Known;
use crate::settings::FileSettings;

/// What one session's file comes to.
pub(super) struct Piece {
    /// Whose it is; none where the file's name is no session's.
    pub(super) id: Option<SessionId>,
    read: Option<Arc<OwnRead<SessionFile>>>,
    pub(super) settings: Option<(Arc<str>, Arc<FileSettings>)>,
    pub(super) wanted: Known<Arc<SessionSpec>>,
    pub(super) origins: Option<Arc<SessionOrigins>>,
    /// What is wrong with it beyond its own text.
    problems: Vec<Problem>,
    pub(super) secrets: Secrets,
}

impl Piece {
    /// All that is wrong with it.
    pub(super) fn problems(&self) -> impl Iterator<Item = &Problem> {
        let read = self.read.iter().flat_map(|read| &read.problems);
        read.chain(&self.problems)
    }

    pub(super) fn has_problems(&self) -> bool {
        self.problems().next().is_some()
    }
}

impl Lowering<'_> {
    /// `sessions.d`.
    pub(super) fn lower_sessions(&mut self) {
        self.out.desired.sessions.managed = is_managed(&self.files.sessions);
        let mut sessions = std::mem::take(&mut self.earlier.sessions);
        sessions.follow(&self.files.sessions.shared(), |stem, file| self.piece(stem, file));
        self.out.problems.extend(sessions.problems().cloned());
        sessions.secrets().for_each(|secrets| self.out.secrets.take(secrets));
        self.out.desired.sessions.things = sessions.wanted.clone();
        self.out.origins.set_sessions(sessions.origins.clone());
        self.out.settings.add_files(sessions.settings.clone());
        self.out.pieces.sessions = sessions;
    }

    /// What a file comes to that is there, or of which that is not known.
    fn piece(&mut self, stem: &str, file: &Known<Source>) -> Piece {
        let mut piece = Piece {
            id: SessionId::new(stem).ok(),
            read: None,
            settings: None,
            wanted: refused(),
            origins: None,
            problems: Vec::new(),
            secrets: Secrets::new(&self.ground.digest_key),
        };
        match (piece.id.clone(), file) {
            (None, _) => piece.problems.push(bad_session_name(stem, file.present())),
            (Some(id), Known::Present(source)) => {
                if let Some(read) = self.read.sessions.get(stem) {
                    piece.read = Some(Arc::clone(&read.read));
                    self.fill(&mut piece, &id, source, &read.read);
                }
            }
            (Some(_), Known::Unknown { since, reason }) => {
                let reason = format!("its file cannot be read: {reason}");
                piece.wanted = Known::Unknown { since: *since, reason };
            }
            (Some(_), Known::Absent) => {}
        }
        piece
    }

    /// Makes of a session's file what there is to make.
    fn fill(
        &mut self,
        piece: &mut Piece,
        id: &SessionId,
        source: &Source,
        read: &OwnRead<SessionFile>,
    ) {
        let Some(own) = &read.own else { return };
        let file: Arc<str> = Arc::from(self.files.short_name(&source.file));
        let key = &self.ground.digest_key;
        let settings = own_settings(&file, source, &own.lines, OwnKind::Session, key);
        piece.settings = Some((Arc::clone(&file), Arc::new(settings)));
        let mut origins = SessionOrigins::default();
        match self.session(id, own, &mut piece.secrets) {
            Ok(made) => {
                origins = made.origins;
                piece.wanted = Known::Present(Arc::new(made.spec));
            }
            Err(Some(wrong)) => piece.problems.push(wrong.problem(source, own)),
            Err(None) => {}
        }
        origins.own = Some((file, Arc::clone(&own.lines)));
        piece.origins = Some(Arc::new(origins));
    }

    /// The session that a file asks for; nothing to say where its reader has said it already.
    fn session(
        &mut self,
        id: &SessionId,
        own: &Own<SessionFile>,
        secrets: &mut Secrets,
    ) -> Result<Made, Option<Wrong>> {
        let user = match own.value.user.as_deref().map(UserName::new) {
            Some(Err(_)) => return Err(None),
            Some(Ok(user)) => user,
            None => self.ground.default_user.clone(),
        };
        let state = match own.value.state {
            Some(SessionState::Stopped) => WantedState::Stopped,
            Some(SessionState::Suspended) => return Err(Some(cannot_suspend())),
            Some(SessionState::Running) | None => WantedState::Running,
        };
        let head = Head {
            id: id.clone(),
            user,
            state,
            asked_by: AskedBy::File,
            restart: Restart::Always,
            fields: &own.value.fields,
        };
        let own_env = own_env(&head, own, secrets);
        self.spec_of(&head, own_env).map_err(Some)
    }
}

fn bad_session_name(stem: &str, source: Option<&Source>) -> Problem {
    let file = match source {
        Some(source) => Arc::clone(&source.file),
        None => Arc::from(format!("sessions.d/{stem}.toml")),
    };
    let message = format!("`{}` is no session id", stem.escape_debug());
    Problem::new(Code(507), Severity::Error, message)
        .label(&file, None, "the file's name is the session's id")
        .help("use 1 to 40 of a-z, 0-9 and -, not beginning with -")
}

fn cannot_suspend() -> Wrong {
    let message = "suspending sessions arrives with sessions for people, not in this version";
    let mut wrong = Wrong::new("state", 421, message);
    wrong.help = Some("write \"stopped\": the process ends, its state is not kept".to_owned());
    wrong
}

/// `[env]` of a session's file, sealed.
fn own_env(
    head: &Head<'_>,
    own: &Own<SessionFile>,
    secrets: &mut Secrets,
) -> BTreeMap<String, EnvValue> {
    let values = own.value.fields.env.iter().flatten();
    values
        .map(|(name, value)| {
            let value = for_user(value, &head.user);
            (name.clone(), env::sealed(secrets, name, value))
        })
        .collect()
}

impl Wrong {
    /// As a problem of a session's file.
    fn problem(self, source: &Source, own: &Own<SessionFile>) -> Problem {
        let span = own.lines.place(self.field).map(|place| place.span);
        let problem = Problem::new(Code(self.code), Severity::Error, self.message);
        let mut problem = problem.label(&source.file, span, "");
        problem.help = self.help;
        problem
    }
}
