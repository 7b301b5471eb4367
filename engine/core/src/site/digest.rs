//! The hash of what a set of files says, by which sets are told apart.

use grammar::source::Source;

use super::{DropIn, Managed, SiteFiles, StrayKind, WHARF_TOML};
use crate::ids::{Digest, SiteDigest};
use crate::known::Known;

impl SiteFiles {
    /// Hash of what the files say: names, presence and bytes, whatever directory they were found in.
    ///
    /// An unreadable file counts as such, with the reason, never as empty or absent. So do files
    /// whose mere presence is an error; other files that nobody reads do not count. So do facts of the
    /// machine that refuse the set ([`crate::facts::Facts::refusing`]), and no others.
    #[must_use]
    pub fn digest(&self) -> SiteDigest {
        let mut frames = Frames::default();
        // An absent file is no frame, so that a new kind of file changes no digest.
        for (kind, file) in self.workbench.iter().filter(|(_, file)| !matches!(file, Known::Absent))
        {
            frames.file(kind.file_name(), file);
        }
        for (file, known) in &self.cluster_files {
            frames.frame(b'c', file.kind.file_name().as_bytes());
            frames.file(&file.path, known);
        }
        frames.file(WHARF_TOML, &self.wharf);
        for drop_in in DropIn::ALL {
            frames.directory(drop_in.dir_name(), self.managed(drop_in));
        }
        for stray in self.stray.iter().filter(|stray| stray.kind == StrayKind::OwnInWorkbench) {
            frames.frame(b'!', self.short_name(&stray.file).as_bytes());
        }
        for fact in self.facts.refusing() {
            frames.frame(b'f', fact.as_bytes());
        }
        SiteDigest(Digest::of(&frames.0))
    }
}

/// What is hashed: tag, length, bytes, again and again, so that no two sets read the same.
#[derive(Default)]
struct Frames(Vec<u8>);

impl Frames {
    fn frame(&mut self, tag: u8, bytes: &[u8]) {
        self.0.push(tag);
        self.0.extend((bytes.len() as u64).to_le_bytes());
        self.0.extend(bytes);
    }

    fn file(&mut self, name: &str, file: &Known<Source>) {
        self.frame(b'n', name.as_bytes());
        match file {
            Known::Present(source) => {
                self.frame(b'p', Digest::of_source(source).to_string().as_bytes());
            }
            Known::Absent => self.frame(b'a', b""),
            Known::Unknown { reason, .. } => self.frame(b'u', reason.as_bytes()),
        }
    }

    fn directory(&mut self, name: &str, managed: &Managed) {
        self.frame(b'd', name.as_bytes());
        match managed {
            Managed::NotManaged => self.frame(b'a', b""),
            Managed::Unknown { reason, .. } => self.frame(b'u', reason.as_bytes()),
            Managed::Managed(files) => {
                self.frame(b'p', &(files.len() as u64).to_le_bytes());
                // Of a run that did not change this was made before.
                for run in files.runs() {
                    self.frame(b'r', run.digest_by(digest_of_run).bytes());
                }
            }
        }
    }
}

/// What a run of things comes to.
fn digest_of_run(files: &[(String, Known<Source>)]) -> Digest {
    let mut frames = Frames::default();
    for (stem, file) in files {
        frames.file(stem, file);
    }
    Digest::of(&frames.0)
}
