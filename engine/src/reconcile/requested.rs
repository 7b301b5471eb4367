//! Sessions that people ask for, from a template of the set in force.

use std::sync::Arc;

use engine_core::desired::{self, AskedBy, Request};
use engine_core::ids::{SessionId, UserName};

use super::Reconciler;

impl Reconciler {
    /// Asks for a session from a template, for `user`; its id.
    ///
    /// # Errors
    /// There is no such template, it cannot be lowered, or the store cannot be written.
    pub fn request(
        &mut self,
        template: &str,
        user: &str,
        asked_by: AskedBy,
    ) -> Result<SessionId, String> {
        let site = self.in_force.as_ref().ok_or("nothing is in force yet")?;
        let user = UserName::new(user).map_err(|error| error.to_string())?;
        let id = requested_id(&user)?;
        let (spec, from) = desired::lower_request(
            &site.files,
            &self.ground,
            template,
            id.clone(),
            user,
            asked_by,
        )?;
        let request = Request {
            spec: Arc::new(spec),
            template: template.to_owned(),
            template_version: from.version,
            ending: false,
        };
        self.ledger.put_request(request).map_err(|error| crate::chain(&error))?;
        Ok(id)
    }
}

/// `<user>-<8 base32>`: the user in lower case, other characters dropped, cut to 31 (design.md §4).
fn requested_id(user: &UserName) -> Result<SessionId, String> {
    const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let random = crate::identity::random::<8>().map_err(|_| "the system gives no random bytes")?;
    let keep = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let name: String = user.as_str().to_lowercase().chars().filter(|c| keep(*c)).take(31).collect();
    let name = name.trim_start_matches('-');
    let name = if name.is_empty() { "user" } else { name };
    let tail: String =
        random.iter().map(|byte| char::from(BASE32[usize::from(byte & 31)])).collect();
    SessionId::new(&format!("{name}-{tail}")).map_err(|error| error.to_string())
}
