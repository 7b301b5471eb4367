//! A round's inputs as a file: `serve --record` saves them, `replan` plans again from them, so that a bug in
//! the field becomes a golden case.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use engine_core::desired::{self, Former, Ground, Override, Request};
use engine_core::ids::{Moment, NodeId, UserName};
use engine_core::observed::Observed;
use engine_core::plan::Plan;
use engine_core::planner::{self, Input};
use engine_core::report::text;
use serde::{Deserialize, Serialize};

use crate::saved::SavedSite;

/// The format written.
pub const FORMAT: u32 = 1;

/// A round's inputs. Secrets are in it only as the site's texts hold them: it is written 0600.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Recorded {
    /// [`FORMAT`].
    pub format: u32,
    /// The files in force.
    pub site: Option<SavedSite>,
    /// The files that act while those wait for approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting: Option<SavedSite>,
    /// The files that act because a person has pinned them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<SavedSite>,
    /// What people asked for.
    #[serde(default)]
    pub requests: Vec<Request>,
    /// Commands that hide a line of a file.
    #[serde(default)]
    pub overrides: Vec<Override>,
    /// Where things last stood that no file speaks of any more, of what acts and of what waits: causes name it.
    #[serde(default)]
    pub former: [Former; 2],
    /// This node.
    pub node: NodeId,
    /// The account of sessions whose file names none.
    pub default_user: UserName,
    /// Whether the directory is self-contained.
    pub self_contained: bool,
    /// What was found.
    pub observed: Observed,
    /// When.
    pub now: Moment,
    /// What the engine planned from it, in the lines of [`lines`]; none where there was no round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned: Option<Vec<String>>,
}

/// A plan in lines that are the same wherever they are written.
#[must_use]
pub fn lines(plan: &Plan) -> Vec<String> {
    let text = text::steps(plan, &|at| format!("{} ms", at.0));
    text.lines().map(str::to_owned).collect()
}

/// Why a recorded round cannot be planned again.
#[derive(Debug, thiserror::Error)]
pub enum RecordedError {
    /// It is no recorded round.
    #[error("this is no recorded round")]
    Garbled(#[from] serde_json::Error),
    /// It was written by a newer program.
    #[error("the recorded round has format {found}; this program knows {FORMAT}")]
    Newer {
        /// What was found.
        found: u32,
    },
    /// Its site cannot be read.
    #[error("its files cannot be read")]
    Site(#[from] crate::saved::SavedError),
}

/// Writes a recorded round into `dir` as `MILLISECONDS-round-N.json`, so that an engine which starts again keeps what
/// it wrote before; readable by its account only: the files in it hold secrets in clear.
///
/// # Errors
/// The directory or the file cannot be made.
pub fn save(
    dir: &Path,
    at: Moment,
    number: u64,
    recorded: &serde_json::Value,
) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let name = format!("{}-round-{number}.json", at.0);
    // Whole under its name, or not there: the engine may be killed while it writes.
    let beside = dir.join(format!(".{name}.new"));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(recorded.to_string().as_bytes())?;
    std::fs::rename(beside, dir.join(name))
}

impl Recorded {
    /// Reads a recorded round.
    ///
    /// # Errors
    /// It is none, or of a newer format.
    pub fn parse(text: &str) -> Result<Self, RecordedError> {
        let recorded: Self = serde_json::from_str(text)?;
        if recorded.format > FORMAT {
            return Err(RecordedError::Newer { found: recorded.format });
        }
        Ok(recorded)
    }

    /// Plans it again.
    ///
    /// # Errors
    /// Its files cannot be read.
    pub fn replan(self) -> Result<Plan, RecordedError> {
        let ground = Ground {
            node: self.node,
            default_user: self.default_user,
            // Digests of secrets compare within one record only; the engine's key stays its own.
            digest_key: Vec::new(),
            self_contained: self.self_contained,
        };
        let lower = |site: Option<SavedSite>| match site {
            Some(site) => Ok(desired::lower(&site.into_files()?, &ground)),
            None => Ok::<_, RecordedError>(desired::Lowered::default()),
        };
        let mut lowered = lower(self.site)?;
        if self.pinned.is_some() {
            lowered = lower(self.pinned)?;
        } else if self.observed.in_force.acting.is_some() {
            lowered = desired::act_on(&lower(self.acting)?, &lowered);
        }
        lowered.origins.recall(self.former);
        let desired = desired::merge(lowered.desired, &self.requests, &self.overrides, self.now);
        let input = Input {
            desired: &desired,
            origins: &lowered.origins,
            observed: &self.observed,
            now: self.now,
        };
        Ok(planner::plan(&input))
    }
}
