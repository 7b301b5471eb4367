//! One-time links: who holds one proves that they can read the terminal or the admin socket's answer.
//!
//! Only the hash of a token is kept, in memory: a restart of the engine forgets all of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use engine_core::ids::{Digest, Moment};
use grammar::value::Millis;

use super::{Person, hex, random};

/// How long a link is good for.
pub const LINK_LIFETIME: Millis = Millis(600_000);

/// Most links that wait to be used; beyond it the oldest goes.
const MOST_PENDING: usize = 1_000;

/// Links that were given out and not used yet.
#[derive(Default)]
pub struct Links {
    pending: Mutex<HashMap<Digest, Pending>>,
}

struct Pending {
    person: Person,
    expires: Moment,
}

/// Why no link was made.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The system has no random bytes.
    #[error("the system gives no random bytes for a sign-in link")]
    NoRandomness,
}

impl Links {
    /// Makes a link for `person`: the path `/in/<128 random bits as hex>`, good once, for [`LINK_LIFETIME`].
    ///
    /// # Errors
    /// [`LinkError::NoRandomness`].
    pub fn mint(&self, person: &Person, now: Moment) -> Result<String, LinkError> {
        let token = hex(&random::<16>().map_err(|_| LinkError::NoRandomness)?);
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.retain(|_, link| link.expires > now);
        if pending.len() >= MOST_PENDING {
            let oldest = pending.iter().min_by_key(|(_, link)| link.expires).map(|(hash, _)| *hash);
            oldest.and_then(|hash| pending.remove(&hash));
        }
        let expires = now.plus(LINK_LIFETIME);
        pending.insert(Digest::of(token.as_bytes()), Pending { person: person.clone(), expires });
        Ok(format!("/in/{token}"))
    }

    /// Whether a link could be used now; does not use it.
    #[must_use]
    pub fn is_good(&self, token: &str, now: Moment) -> bool {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.get(&Digest::of(token.as_bytes())).is_some_and(|link| link.expires > now)
    }

    /// Uses a link up: whose it is, the first time only.
    #[must_use]
    pub fn redeem(&self, token: &str, now: Moment) -> Option<Person> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let link = pending.remove(&Digest::of(token.as_bytes()))?;
        (link.expires > now).then_some(link.person)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Person {
        Person { user: "alice".parse().unwrap(), admin: false }
    }

    fn token(path: &str) -> &str {
        path.strip_prefix("/in/").unwrap()
    }

    #[test]
    fn a_link_signs_in_once() {
        let links = Links::default();
        let path = links.mint(&alice(), Moment(0)).unwrap();
        assert_eq!(token(&path).len(), 32);
        assert!(links.is_good(token(&path), Moment(1)), "looking does not use it up");
        assert_eq!(links.redeem(token(&path), Moment(1)), Some(alice()));
        assert_eq!(links.redeem(token(&path), Moment(1)), None);
    }

    #[test]
    fn a_link_ends_after_ten_minutes() {
        let links = Links::default();
        let path = links.mint(&alice(), Moment(0)).unwrap();
        assert!(!links.is_good(token(&path), Moment(600_000)));
        assert_eq!(links.redeem(token(&path), Moment(600_000)), None);
    }

    #[test]
    fn what_was_never_given_out_is_no_link() {
        assert_eq!(Links::default().redeem("0123", Moment(0)), None);
    }

    #[test]
    fn links_that_nobody_uses_do_not_pile_up() {
        let links = Links::default();
        for at in 0..1_100 {
            links.mint(&alice(), Moment(at)).unwrap();
        }
        assert_eq!(links.pending.lock().unwrap().len(), MOST_PENDING);
    }
}
