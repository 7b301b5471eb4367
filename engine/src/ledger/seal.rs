//! Seals texts before they are stored: configuration files hold secrets, and the store's files do not.
//!
//! AES-256-GCM with a random nonce before the text; the key never leaves the engine. Names of texts are keyed
//! digests under another key, so that nobody learns from a name which text was sealed.

use engine_core::ids::Digest;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

/// A key to seal and open with.
pub struct Seal {
    key: LessSafeKey,
    random: SystemRandom,
    names: Digest,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// From 32 secret bytes.
    ///
    /// # Panics
    /// Never: the key has the length that the algorithm wants.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        let names = Digest::keyed(key, b"names of sealed texts");
        let key = UnboundKey::new(&AES_256_GCM, key).expect("the key has 32 bytes");
        Self { key: LessSafeKey::new(key), random: SystemRandom::new(), names }
    }

    /// What a text is called: the same for the same text, and no help to whoever would guess it.
    #[must_use]
    pub fn name(&self, text: &[u8]) -> Digest {
        Digest::keyed(self.names.bytes(), text)
    }

    /// Seals a text; none if the system gives no random bytes.
    #[must_use]
    pub fn seal(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let mut sealed = text.to_vec();
        let of = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(of, Aad::empty(), &mut sealed).ok()?;
        let mut out = nonce.to_vec();
        out.append(&mut sealed);
        Some(out)
    }

    /// Opens what was sealed; none if it was sealed with another key or changed since.
    #[must_use]
    pub fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let length = self.key.open_in_place(nonce, Aad::empty(), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_key_only_and_only_unchanged() {
        let seal = Seal::new(&[7; 32]);
        let sealed = seal.seal(b"PASSWORD=x").unwrap();
        assert_eq!(seal.open(&sealed).as_deref(), Some(&b"PASSWORD=x"[..]));
        assert!(!sealed.windows(8).any(|window| window == b"PASSWORD"));
        assert_eq!(Seal::new(&[8; 32]).open(&sealed), None);
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(seal.open(&changed), None);
        assert_eq!(seal.open(&sealed[..5]), None);
        assert_ne!(seal.seal(b"x"), seal.seal(b"x"), "a nonce is never used twice");
    }
}
