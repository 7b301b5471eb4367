//! The engine's own cookie: who signed in, signed with the instance's key.
//!
//! ```text
//! wharf-<instance>-id = 1.<user as hex>.<a|u>.<issued ms>.<expiry ms>.<nonce>.<HMAC-SHA-256>
//! ```
//! Nothing is stored for it; signing out puts the nonce among the revoked ones until its expiry. The
//! signature covers the instance's name, so that two instances that share a key do not share people.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use engine_core::ids::{Moment, UserName};
use grammar::value::Millis;
use ring::hmac;

use super::key::Key;
use super::{Person, from_hex, hex, random};

/// How long a cookie is good for.
pub const COOKIE_LIFETIME: Millis = Millis(12 * 3_600_000);

/// Longest value that is looked at; a user name of 256 bytes fits.
const LONGEST_VALUE: usize = 1_024;

type Nonce = [u8; 16];

/// Somebody who came with a good cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// Who.
    pub person: Person,
    /// Until when.
    pub expires: Moment,
    nonce: Nonce,
}

/// Issues, verifies and revokes the cookie of one instance.
pub struct Cookies {
    name: String,
    sign: hmac::Key,
    form: hmac::Key,
    revoked: ArcSwap<HashMap<Nonce, Moment>>,
}

impl Cookies {
    /// The cookie of `instance`; other characters than `[A-Za-z0-9-]` in its name become `-`.
    #[must_use]
    pub fn new(instance: &str, key: &Key) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let named: String = instance.chars().map(plain).collect();
        Self {
            name: format!("wharf-{named}-id"),
            sign: key.derive(&format!("sign-in cookie 1 of {instance}")),
            form: key.derive(&format!("form token 1 of {instance}")),
            revoked: ArcSwap::default(),
        }
    }

    /// The cookie's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Signs `person` in: the `Set-Cookie` value. `secure` = the connection has TLS.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub fn issue(
        &self,
        person: &Person,
        now: Moment,
        secure: bool,
    ) -> Result<String, ring::error::Unspecified> {
        let nonce: Nonce = random()?;
        let expires = now.plus(COOKIE_LIFETIME);
        let body = format!(
            "1.{}.{}.{}.{}.{}",
            hex(person.user.as_str().as_bytes()),
            if person.admin { "a" } else { "u" },
            now.0,
            expires.0,
            hex(&nonce)
        );
        let mac = hmac::sign(&self.sign, body.as_bytes());
        let max_age = COOKIE_LIFETIME.0 / 1_000;
        Ok(self.set_cookie(&format!("{body}.{}", hex(mac.as_ref())), max_age, secure))
    }

    /// The `Set-Cookie` value that takes the cookie away.
    #[must_use]
    pub fn clear(&self, secure: bool) -> String {
        self.set_cookie("", 0, secure)
    }

    fn set_cookie(&self, value: &str, max_age: u64, secure: bool) -> String {
        let secure = if secure { "; Secure" } else { "" };
        format!("{}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}", self.name)
    }

    /// Who a cookie's value signs in; none if it is forged, over, revoked or another instance's.
    #[must_use]
    pub fn verify(&self, value: &str, now: Moment) -> Option<SignedIn> {
        if value.len() > LONGEST_VALUE {
            return None;
        }
        let (body, mac) = value.rsplit_once('.')?;
        hmac::verify(&self.sign, body.as_bytes(), &from_hex(mac)?).ok()?;
        let mut fields = body.split('.');
        let mut next = || fields.next();
        let (format, user, role) = (next()?, next()?, next()?);
        let (_issued, expires, nonce) = (next()?, next()?, next()?);
        if format != "1" || next().is_some() {
            return None;
        }
        let user = UserName::new(std::str::from_utf8(&from_hex(user)?).ok()?).ok()?;
        let signed_in = SignedIn {
            person: Person { user, admin: role == "a" },
            expires: Moment(expires.parse().ok()?),
            nonce: from_hex(nonce)?.try_into().ok()?,
        };
        self.is_good(&signed_in, now).then_some(signed_in)
    }

    /// Whether somebody who came with a good cookie before is still signed in.
    #[must_use]
    pub fn is_good(&self, signed_in: &SignedIn, now: Moment) -> bool {
        signed_in.expires > now && !self.revoked.load().contains_key(&signed_in.nonce)
    }

    /// Signs out: this cookie is good no more, whoever has a copy of it.
    pub fn revoke(&self, signed_in: &SignedIn, now: Moment) {
        self.revoked.rcu(|revoked| {
            let mut revoked: HashMap<_, _> = revoked.as_ref().clone();
            revoked.retain(|_, expires| *expires > now);
            revoked.insert(signed_in.nonce, signed_in.expires);
            Arc::new(revoked)
        });
    }

    /// The token that forms of this person's pages carry.
    #[must_use]
    pub fn form_token(&self, signed_in: &SignedIn) -> String {
        hex(hmac::sign(&self.form, &signed_in.nonce).as_ref())
    }

    /// Whether a form came with the token of this person's pages.
    #[must_use]
    pub fn is_form_token(&self, signed_in: &SignedIn, token: &str) -> bool {
        let token = from_hex(token);
        token.is_some_and(|token| hmac::verify(&self.form, &signed_in.nonce, &token).is_ok())
    }
}

/// Whether `name` is that of the cookie of any instance. Cookies know no ports: a browser sends those
/// of every instance on a host to every other, so none of them may ever reach a session.
#[must_use]
pub fn is_engine_cookie(name: &str) -> bool {
    name.strip_prefix("wharf-").is_some_and(|rest| rest.ends_with("-id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(instance: &str) -> Cookies {
        Cookies::new(instance, &Key::from_bytes([7; 32]))
    }

    fn person(user: &str, admin: bool) -> Person {
        Person { user: user.parse().unwrap(), admin }
    }

    fn value(set_cookie: &str) -> &str {
        set_cookie.split_once('=').unwrap().1.split(';').next().unwrap()
    }

    #[test]
    fn an_issued_cookie_signs_in_until_it_ends() {
        let cookies = cookies("main");
        for who in [person("alice", false), person("Zoë.o'brien", true)] {
            let issued = cookies.issue(&who, Moment(5), false).unwrap();
            assert_eq!(cookies.verify(value(&issued), Moment(6)).unwrap().person, who);
            let end = Moment(5).plus(COOKIE_LIFETIME);
            assert_eq!(cookies.verify(value(&issued), end), None);
        }
    }

    #[test]
    fn it_is_kept_from_scripts_and_other_sites_and_plain_connections() {
        let issued = cookies("main").issue(&person("a", false), Moment(0), true).unwrap();
        assert!(issued.starts_with("wharf-main-id=1."));
        assert!(issued.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax; Secure"));
    }

    #[test]
    fn no_changed_byte_is_accepted() {
        let cookies = cookies("main");
        let issued = cookies.issue(&person("alice", false), Moment(0), false).unwrap();
        let good = value(&issued).to_owned();
        for at in 0..good.len() {
            let mut forged = good.clone().into_bytes();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(cookies.verify(&forged, Moment(1)), None, "byte {at}");
        }
        for odd in ["", ".", "1", "1.2.3", "1......", &"9".repeat(5_000), "é.é"] {
            assert_eq!(cookies.verify(odd, Moment(1)), None);
        }
    }

    #[test]
    fn another_instance_with_the_same_key_does_not_accept_it() {
        let issued = cookies("main").issue(&person("a", true), Moment(0), false).unwrap();
        assert_eq!(cookies("other").verify(value(&issued), Moment(1)), None);
    }

    #[test]
    fn signing_out_revokes_this_cookie_and_no_other() {
        let cookies = cookies("main");
        let one = cookies.issue(&person("a", false), Moment(0), false).unwrap();
        let two = cookies.issue(&person("a", false), Moment(0), false).unwrap();
        let signed_in = cookies.verify(value(&one), Moment(1)).unwrap();
        cookies.revoke(&signed_in, Moment(1));
        assert_eq!(cookies.verify(value(&one), Moment(1)), None);
        assert!(cookies.verify(value(&two), Moment(1)).is_some());
        assert!(!cookies.is_good(&signed_in, Moment(1)));
    }

    #[test]
    fn a_form_token_belongs_to_one_cookie() {
        let cookies = cookies("main");
        let sign_in = || {
            let issued = cookies.issue(&person("a", false), Moment(0), false).unwrap();
            cookies.verify(value(&issued), Moment(1)).unwrap()
        };
        let (one, two) = (sign_in(), sign_in());
        let token = cookies.form_token(&one);
        assert!(cookies.is_form_token(&one, &token));
        assert!(!cookies.is_form_token(&two, &token));
        assert!(!cookies.is_form_token(&one, "zz"));
    }

    #[test]
    fn cookies_of_every_instance_are_known_by_name() {
        assert!(is_engine_cookie("wharf-main-id"));
        assert!(is_engine_cookie(cookies("a b=;").name()));
        assert!(!is_engine_cookie("_xsrf") && !is_engine_cookie("wharf-id"));
    }
}
