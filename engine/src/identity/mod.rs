//! Who somebody is: the engine's own cookie, one-time links to get it, and groups of accounts.
//!
//! Knows no HTTP library and no page: it takes and gives texts. What a person may do is decided where
//! the thing is (`proxy::access`, `web`). Read next: [`cookie`], [`links`].

pub mod cookie;
pub mod groups;
pub mod key;
pub mod links;

use engine_core::ids::UserName;

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

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes that lower-case hex stands for; none if it is not that.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks_exact(2).map(|p| Some(digit(p[0])? << 4 | digit(p[1])?)).collect()
}
