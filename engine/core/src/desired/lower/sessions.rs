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
use crate::site::DropIn;

/// What one session's file comes to.
#[derive(Clone)]
pub(super) struct Piece {
    source: Source,
    read: Arc<OwnRead<SessionFile>>,
    settings: Option<(Arc<str>, Arc<FileSettings>)>,
    wanted: Known<Arc<SessionSpec>>,
    origins: Option<Arc<SessionOrigins>>,
    /// What is wrong with it beyond its own text.
    problems: Vec<Problem>,
    secrets: Secrets,
}

impl Piece {
    /// What its text says, if that is the text of `source`.
    pub(super) fn read_of(&self, source: &Source) -> Option<Arc<OwnRead<SessionFile>>> {
        self.source.is(source).then(|| Arc::clone(&self.read))
    }
}

impl Lowering<'_> {
    /// `sessions.d`.
    pub(super) fn lower_sessions(&mut self) {
        self.out.desired.sessions.managed = is_managed(&self.files.sessions);
        for (stem, file) in self.files.managed(DropIn::Sessions).files() {
            let Ok(id) = SessionId::new(stem) else {
                self.bad_session_name(stem, file.present());
                continue;
            };
            let wanted = match file {
                Known::Present(source) => self.lower_session(&id, stem, source),
                Known::Absent => continue,
                Known::Unknown { since, reason } => Known::Unknown {
                    since: *since,
                    reason: format!("its file cannot be read: {reason}"),
                },
            };
            self.out.desired.sessions.things.insert(id, wanted);
        }
    }

    fn bad_session_name(&mut self, stem: &str, source: Option<&Source>) {
        let file = match source {
            Some(source) => Arc::clone(&source.file),
            None => Arc::from(format!("sessions.d/{stem}.toml")),
        };
        let message = format!("`{}` is no session id", stem.escape_debug());
        let problem = Problem::new(Code(507), Severity::Error, message)
            .label(&file, None, "the file's name is the session's id")
            .help("use 1 to 40 of a-z, 0-9 and -, not beginning with -");
        self.out.problems.push(problem);
    }

    fn lower_session(
        &mut self,
        id: &SessionId,
        stem: &str,
        source: &Source,
    ) -> Known<Arc<SessionSpec>> {
        let Some(read) = self.read.sessions.get(stem).map(|read| Arc::clone(&read.read)) else {
            return refused();
        };
        let earlier = self.earlier.piece(stem).filter(|piece| piece.source.is(source)).cloned();
        let piece = earlier.unwrap_or_else(|| Arc::new(self.piece(id, source, read)));
        self.out.problems.extend(piece.read.problems.iter().chain(&piece.problems).cloned());
        if let Some((file, settings)) = &piece.settings {
            self.out.settings.add_file(Arc::clone(file), Arc::clone(settings));
        }
        if let Some(origins) = &piece.origins {
            self.out.origins.add_session(id.clone(), Arc::clone(origins));
        }
        self.out.secrets.take(&piece.secrets);
        let wanted = piece.wanted.clone();
        self.out.pieces.keep(stem, piece);
        wanted
    }

    /// Makes of a session's file what there is to make.
    fn piece(&mut self, id: &SessionId, source: &Source, read: Arc<OwnRead<SessionFile>>) -> Piece {
        let mut piece = Piece {
            source: source.clone(),
            read,
            settings: None,
            wanted: refused(),
            origins: None,
            problems: Vec::new(),
            secrets: Secrets::new(&self.ground.digest_key),
        };
        let read = Arc::clone(&piece.read);
        let Some(own) = &read.own else { return piece };
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
        piece
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
