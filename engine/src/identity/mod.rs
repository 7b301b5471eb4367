//! Who somebody is: the engine's own cookie, one-time links to get it, and groups of accounts.
//!
//! Knows no HTTP library and no page: it takes and gives texts. What a person may do is decided where
//! the thing is (`proxy::access`, `web`). Read next: [`cookie`], [`links`].

pub mod cookie;
pub mod groups;
pub mod key;
pub mod links;

use engine_core::ids::UserName;

pub(crate) use crate::hex::{from_hex, hex};

pub use cookie::{Cookies, SignedIn};
pub use groups::{GroupLookup, Groups, SystemGroups};
pub use key::{Key, KeyError};
pub use links::{LinkError, Links};

/// Somebody who has signed in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Person {
    /// Their account.
    pub user: UserName,
    /// Whether they administer the site: they may open every session.
    pub admin: bool,
}

/// Everything that is needed to know who somebody is.
pub struct Identity {
    /// The engine's cookie.
    pub cookies: Cookies,
    /// One-time links.
    pub links: Links,
    /// Groups, remembered for a while.
    pub groups: Groups,
}

impl Identity {
    /// For one instance, with its key; groups are asked of `lookup`.
    #[must_use]
    pub fn new(instance: &str, key: &Key, lookup: Box<dyn GroupLookup>) -> Self {
        Self {
            cookies: Cookies::new(instance, key),
            links: Links::default(),
            groups: Groups::new(lookup),
        }
    }
}

/// Random bytes from the system.
///
/// # Errors
/// The system has none to give.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], ring::error::Unspecified> {
    use ring::rand::SecureRandom;
    let mut bytes = [0; N];
    ring::rand::SystemRandom::new().fill(&mut bytes)?;
    Ok(bytes)
}
