//! The texts of secrets, found by the keyed digests that stand in specs.
//!
//! Nothing here is stored, compared or shown; `Debug` tells how many there are. Which values are secrets is
//! decided where files are lowered.

use std::collections::BTreeMap;
use std::fmt;

use crate::ids::{Digest, UserName};

/// The token in `launcher-env` and in files of ours that stands for the session's user.
const USER: &str = "{USER}";

/// What the secrets of a site say, at the moment of use.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    texts: BTreeMap<Digest, String>,
    /// Texts with `{USER}` in them, and the key of their digests: what they are for a user is known once
    /// somebody asks for a session.
    patterns: Vec<String>,
    key: Vec<u8>,
}

impl Secrets {
    /// None yet; `key` is that of the digests.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self { key: key.to_vec(), ..Self::default() }
    }

    /// The digest by which a text is known; `key` is that of the digests.
    #[must_use]
    pub fn digest(key: &[u8], text: &str) -> Digest {
        Digest::keyed(key, text.as_bytes())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.patterns.is_empty()
    }

    /// Takes what others keep.
    pub fn take(&mut self, others: &Secrets) {
        self.texts.extend(others.texts.iter().map(|(digest, text)| (*digest, text.clone())));
        for pattern in &others.patterns {
            if !self.patterns.contains(pattern) {
                self.patterns.push(pattern.clone());
            }
        }
    }

    /// Keeps a text and answers its digest. One with `{USER}` is kept for every user.
    pub fn keep(&mut self, text: String) -> Digest {
        let digest = Self::digest(&self.key, &text);
        if has_user(&text) && !self.patterns.contains(&text) {
            self.patterns.push(text.clone());
        }
        self.texts.insert(digest, text);
        digest
    }

    /// The text of a digest, in a session of `user`. Costs one digest for each text with `{USER}`, where it is
    /// not at hand for this very user.
    #[must_use]
    pub fn text(&self, digest: &Digest, user: &str) -> Option<String> {
        if let Some(text) = self.texts.get(digest) {
            return Some(text.clone());
        }
        let of_user = self.patterns.iter().map(|pattern| pattern.replace(USER, user));
        of_user.into_iter().find(|text| Digest::keyed(&self.key, text.as_bytes()) == *digest)
    }
}

/// Whether a text has the user's token in it.
#[must_use]
pub fn has_user(value: &str) -> bool {
    value.contains(USER)
}

/// What a text with the user's token says for a user.
#[must_use]
pub fn for_user(value: &str, user: &UserName) -> String {
    value.replace(USER, user.as_str())
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.texts.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_for_every_user_is_found_for_each() {
        let mut secrets = Secrets::new(b"k");
        let plain = secrets.keep("hunter2".to_owned());
        secrets.keep("{USER}-hunter3".to_owned());
        let of_bob = Digest::keyed(b"k", b"bob-hunter3");
        assert_eq!(secrets.text(&plain, "bob").as_deref(), Some("hunter2"));
        assert_eq!(secrets.text(&of_bob, "bob").as_deref(), Some("bob-hunter3"));
        assert_eq!(secrets.text(&of_bob, "eve"), None);
        assert_eq!(format!("{secrets:?}"), "Secrets(2)");
    }

    #[test]
    fn what_others_keep_is_taken_once_with_what_it_says_for_each_user() {
        let mut others = Secrets::new(b"k");
        others.keep("{USER}-hunter3".to_owned());
        let mut secrets = Secrets::new(b"k");
        secrets.take(&others);
        let of_bob = Digest::keyed(b"k", b"bob-hunter3");
        assert_eq!(secrets.text(&of_bob, "bob").as_deref(), Some("bob-hunter3"));
        secrets.take(&others);
        secrets.keep("{USER}-hunter3".to_owned());
        assert_eq!(secrets, others);
    }

    #[test]
    fn only_the_users_token_makes_a_text_another_one_for_each_user() {
        assert!(has_user("/home/{USER}/x") && !has_user("/home/{HOME}") && !has_user("USER"));
    }
}
