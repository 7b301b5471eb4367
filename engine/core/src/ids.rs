//! Names, numbers and digests that tell things apart; each its own type, so that none is mistaken for another.
//!
//! The four numbers of design.md §4 are here: [`SiteDigest`], [`Generation`], [`Incarnation`], [`Epoch`].

use std::fmt;
use std::sync::Arc;

use grammar::source::Source;
use serde::{Deserialize, Serialize};

/// Why a text is no name of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName {
    /// What kind of name was wanted.
    pub kind: &'static str,
    /// What may stand in it.
    pub rule: &'static str,
    /// What was given.
    pub given: String,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no {}: {}", self.given.escape_debug(), self.kind, self.rule)
    }
}

impl std::error::Error for BadName {}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the name if it keeps to the rule of its kind.
            ///
            /// # Errors
            /// [`BadName`] says the rule.
            pub fn new(text: &str) -> Result<Self, BadName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(Arc::from(text)))
                } else {
                    Err(BadName { kind: $kind, rule: $rule, given: text.to_owned() })
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                Self::new(text)
            }
        }
    };
}

/// Whether `text` is 1 to `longest` of `[a-z0-9-]`, not beginning with `-`.
fn is_label(text: &str, longest: usize) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Whether `text` is a printable word without `/`, blanks or control characters.
fn is_word(text: &str, longest: usize) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && text != "."
        && text != ".."
        && text.chars().all(|c| !c.is_control() && !c.is_whitespace() && c != '/')
}

name!(
    /// A session's identity: the name of its file, or `<user>-<8 base32>` for a requested one.
    SessionId, "session id", "1 to 40 of a-z, 0-9 and -, not beginning with -", |t| is_label(t, 40)
);
name!(
    /// A machine that runs the engine, as `nodes.d` and the store name it.
    NodeId, "node name", "1 to 253 printable characters without blanks and /", |t| is_word(t, 253)
);
name!(
    /// A cluster, as `launcher.conf` or `[clusters]` names it.
    ClusterName, "cluster name", "1 to 200 characters without control characters and /", |t| {
        !t.is_empty() && t.len() <= 200 && t.trim() == t && !t.chars().any(|c| c.is_control() || c == '/')
    }
);
name!(
    /// The kind of a session: `rstudio`, `jupyterlab`, `jupyter-notebook`, `vs-code`, or one of `[workbenches]`.
    WorkbenchName, "workbench name", "1 to 60 of a-z, 0-9 and -, not beginning with -", |t| is_label(t, 60)
);
name!(
    /// A gateway's identity: the name of its file.
    GatewayId, "gateway name", "1 to 60 of a-z, 0-9, - and _", |t| {
        !t.is_empty() && t.len() <= 60
            && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    }
);
name!(
    /// A Unix account's name.
    UserName, "user name", "1 to 256 printable characters without blanks, :, and /", |t| {
        is_word(t, 256) && !t.contains(':') && !t.starts_with('-')
    }
);

/// One start of one session. The number comes from the store before the start and is the fence:
/// keepers, sockets, routes, labels, connection pools and logs carry it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation {
    /// Which session.
    pub session: SessionId,
    /// Which start of it, from 1.
    pub n: u32,
}

impl Incarnation {
    /// The `n`-th start of `session`.
    #[must_use]
    pub fn new(session: SessionId, n: u32) -> Self {
        Self { session, n }
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.session, self.n)
    }
}

/// The number of an accepted set of files, given by the store's compare-and-swap; for people and history.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Generation(pub u64);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The fencing token of a lease: grows with each new holder.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Epoch(pub u64);

/// SHA-256 of something, shown as hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        Self::from_ring(digest.as_ref())
    }

    /// Of a file's text; made once for all copies of it.
    #[must_use]
    pub fn of_source(source: &Source) -> Self {
        Self(*source.hash_by(|text| Self::of(text).0))
    }

    /// Keyed: what is shown and compared of a secret (HMAC-SHA-256).
    #[must_use]
    pub fn keyed(key: &[u8], bytes: &[u8]) -> Self {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
        Self::from_ring(ring::hmac::sign(&key, bytes).as_ref())
    }

    /// Of a value's canonical JSON (struct fields in order, maps ordered by key).
    ///
    /// # Panics
    /// Never for the types of this crate: they hold no map with keys that are not strings.
    #[must_use]
    pub fn of_value<T: Serialize>(value: &T) -> Self {
        let bytes = serde_json::to_vec(value).expect("values of this crate have string keys only");
        Self::of(&bytes)
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first twelve hex digits, enough for people.
    #[must_use]
    pub fn short(self) -> String {
        self.to_string()[..12].to_owned()
    }

    fn from_ring(bytes: &[u8]) -> Self {
        let mut digest = [0; 32];
        digest.copy_from_slice(bytes);
        Self(digest)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        let bad = || BadName { kind: "digest", rule: "64 hex digits", given: text.clone() };
        let bytes = text.as_bytes();
        if bytes.len() != 64 {
            return Err(bad());
        }
        let mut digest = [0; 32];
        for (at, pair) in bytes.chunks_exact(2).enumerate() {
            let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
            digest[at] = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
        }
        Ok(Self(digest))
    }
}

/// Hash of the accepted set of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SiteDigest(pub Digest);

/// Hash of what a session is started from; a running one carries it, and plan compares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SpecDigest(pub Digest);

/// A moment of wall time in milliseconds since 1970-01-01 UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Moment(pub i64);

impl Moment {
    /// This much later; the end of time at the most.
    #[must_use]
    pub fn plus(self, span: grammar::value::Millis) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` it is; zero if it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> grammar::value::Millis {
        grammar::value::Millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_keeps_to_its_rule() {
        for good in ["a", "demo", "genomics-lab", "0a", &"a".repeat(40)] {
            assert!(SessionId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a_b", "a/b", "..", "a b", "é", &"a".repeat(41)] {
            assert!(SessionId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_that_could_leave_a_directory_are_no_names() {
        assert!(NodeId::new("..").is_err());
        assert!(NodeId::new("a/b").is_err());
        assert!(ClusterName::new("a/b").is_err());
        assert!(UserName::new("../x").is_err());
        assert!(GatewayId::new("..").is_err());
    }

    #[test]
    fn a_digest_reads_back_what_it_prints() {
        let digest = Digest::of(b"x");
        assert_eq!(Digest::try_from(digest.to_string()), Ok(digest));
        assert!(Digest::try_from("é".repeat(32)).is_err());
        assert!(Digest::try_from("zz".repeat(32)).is_err());
    }

    #[test]
    fn moments_neither_overflow_nor_go_negative() {
        use grammar::value::Millis;
        assert_eq!(Moment(i64::MAX).plus(Millis(u64::MAX)), Moment(i64::MAX));
        assert_eq!(Moment(1).since(Moment(5)), Millis(0));
    }

    #[test]
    fn a_word_has_a_length_and_no_blanks_slashes_or_control_characters() {
        for good in ["n1", "...", ".a", "N_1", &"a".repeat(253)] {
            assert!(NodeId::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a b", "a\u{7f}b", "a/b", &"a".repeat(254)] {
            assert!(NodeId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bad_name_says_what_a_good_one_is() {
        let bad = SessionId::new("A").expect_err("capitals").to_string();
        assert!(bad.contains("`A`") && bad.contains("1 to 40 of a-z, 0-9 and -"), "{bad}");
    }

    #[test]
    fn people_see_the_beginning_of_a_digest() {
        let digest = Digest::of(b"x");
        let short = digest.short();
        assert!(short.len() == 12 && digest.to_string().starts_with(&short), "{short}");
        assert_eq!(format!("{digest:?}"), short);
    }
}
