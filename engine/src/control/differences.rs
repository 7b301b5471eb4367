//! Answers to `diff`: two sets of files side by side. Secrets stay here; only what may be shown goes out.

use std::sync::Arc;

use engine_core::compare::{self, Comparison};
use engine_core::desired::{self, Ground, Lowered};
use engine_core::ids::Generation;
use engine_core::report::differences;
use engine_core::report::text::Style;
use engine_core::site::SiteFiles;

use super::{Control, windows};
use crate::admin::protocol::{Answer, DiffSide};

/// A set of files with its name.
struct Side {
    name: String,
    files: Arc<SiteFiles>,
    lowered: Arc<Lowered>,
}

impl Side {
    fn borrowed(&self) -> compare::Side<'_> {
        compare::Side { name: &self.name, files: &self.files, lowered: &self.lowered }
    }
}

pub(super) fn diff(
    control: &mut Control,
    from: DiffSide,
    to: DiffSide,
    verbose: bool,
) -> Result<Answer, String> {
    let (from, to) = (side(control, from)?, side(control, to)?);
    Ok(answer(&compared(&from, &to), verbose))
}

/// Compares two directories without any engine.
#[must_use]
pub fn of_directories(
    from: (&str, SiteFiles),
    to: (&str, SiteFiles),
    ground: &Ground,
    verbose: bool,
) -> Answer {
    let side = |(name, files): (&str, SiteFiles)| Side {
        name: name.to_owned(),
        lowered: Arc::new(desired::lower(&files, ground)),
        files: Arc::new(files),
    };
    answer(&compared(&side(from), &side(to)), verbose)
}

fn compared(from: &Side, to: &Side) -> Comparison {
    compare::compare(from.borrowed(), to.borrowed())
}

fn answer(found: &Comparison, verbose: bool) -> Answer {
    // Nothing in it has a time.
    let style = Style { when: &|_| String::new(), verbose };
    Answer::Diff {
        same: found.is_empty(),
        text: differences::render(found, &style),
        json: differences::json(found),
    }
}

fn side(control: &mut Control, side: DiffSide) -> Result<Side, String> {
    let (name, files) = match side {
        DiffSide::InForce => {
            let site = control.reconciler.in_force().ok_or("nothing is in force yet")?;
            let name = format!("generation {}, in force", site.mark.generation);
            let (files, lowered) = (Arc::clone(&site.files), Arc::clone(&site.lowered));
            return Ok(Side { name, files, lowered });
        }
        DiffSide::Disk => {
            let latest = windows::on_disk(control).ok_or("no files were read yet")?;
            ("on disk".to_owned(), latest)
        }
        DiffSide::Generation(n) => {
            let stored = control.reconciler.ledger().site_of(Generation(n));
            let stored = stored.ok_or_else(|| format!("generation {n} is not kept"))?;
            (format!("generation {n}"), Arc::new(stored.files))
        }
        DiffSide::Files { name, site } => {
            (name, Arc::new(site.into_files().map_err(|error| error.to_string())?))
        }
    };
    let lowered = Arc::new(desired::lower(&files, control.reconciler.ground()));
    Ok(Side { name, files, lowered })
}
