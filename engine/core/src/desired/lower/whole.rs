//! Files that count as a whole: their text is one setting, so that an edit of it is a change that plans show.

use std::sync::Arc;

use grammar::kind::Reader;

use super::Lowering;
use crate::ids::Digest;
use crate::known::Known;
use crate::settings::{Setting, SettingKey, Takes};

impl Lowering<'_> {
    /// One setting a file that is read as text. Told apart by the beginning of a keyed digest: the text itself
    /// may be long, or hold what nobody should read in a plan.
    pub(super) fn record_texts(&mut self) {
        for (kind, file) in &self.files.workbench {
            let Known::Present(source) = file else { continue };
            if kind.facts().reader != Reader::Text {
                continue;
            }
            let digest = Digest::keyed(&self.ground.digest_key, source.text.as_bytes());
            let value = digest.to_string()[..8].to_owned();
            let key = SettingKey {
                file: Arc::from(kind.file_name()),
                scope: Arc::default(),
                option: "text".to_owned(),
            };
            let setting = Setting { line: 0, value, secret: None, effect: Takes::No, row: None };
            self.out.settings.add(key, setting);
        }
    }
}
