//! What a session finds when it starts: its arguments, environment and working directory.
//!
//! Pure. The environment is like that of a login, then what the workbench needs, then what files
//! ask for, then what is ours; later ones win. Read next: [`super`].

use std::collections::BTreeMap;

use engine_core::desired::{EnvValue, LaunchSpec};
use engine_core::ids::SessionId;
use engine_core::plan::StartOrder;

use crate::ports::Secrets;

/// Where programs are looked for when no file says so.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The values of the tokens.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    /// `{SOCKET}`: the path on which the session listens.
    pub socket: &'a str,
    /// `{RUNTIME}`: the directory in which that lies, the session's own and gone with it.
    pub runtime: &'a str,
    /// `{BASE}`: the path under which people reach it, without a slash at its end.
    pub base: &'a str,
    /// `{USER}`.
    pub user: &'a str,
    /// `{HOME}`.
    pub home: &'a str,
    /// `{ID}`: the session's id.
    pub id: &'a str,
}

impl Tokens<'_> {
    /// Puts the values in, in one pass: a value that looks like a token is not looked at again, and
    /// what is no token of ours stays.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            filled.push_str(&rest[..at]);
            rest = &rest[at..];
            let known = [
                ("{SOCKET}", self.socket),
                ("{RUNTIME}", self.runtime),
                ("{BASE}", self.base),
                ("{USER}", self.user),
                ("{HOME}", self.home),
                ("{ID}", self.id),
            ];
            match known.iter().find(|(token, _)| rest.starts_with(token)) {
                Some((token, value)) => {
                    filled.push_str(value);
                    rest = &rest[token.len()..];
                }
                None => {
                    filled.push('{');
                    rest = &rest[1..];
                }
            }
        }
        filled.push_str(rest);
        filled
    }
}

/// The path under which a session is reached, without a slash at its end.
#[must_use]
pub fn base(session: &SessionId) -> String {
    format!("/s/{session}")
}

/// The whole environment. `lang` is the engine's own LANG.
///
/// # Errors
/// The text of a secret is not at hand: its variable is named.
pub fn environment(
    order: &StartOrder,
    tokens: &Tokens<'_>,
    secrets: &Secrets,
    lang: Option<&str>,
) -> Result<Vec<(String, String)>, String> {
    let launch: &LaunchSpec = &order.launch;
    let mut env: BTreeMap<String, String> = [
        ("HOME", tokens.home),
        ("USER", tokens.user),
        ("LOGNAME", tokens.user),
        ("SHELL", order.user.shell.as_str()),
        ("PATH", PATH),
    ]
    .into_iter()
    .chain(lang.map(|lang| ("LANG", lang)))
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    for (name, value) in &launch.program.env {
        env.insert(name.clone(), tokens.fill(value));
    }
    for (name, value) in &launch.env {
        let text = match value {
            // Of launcher-env only `{USER}` is a token (files.md); anything else is the value's own.
            EnvValue::Plain(text) => text.replace("{USER}", tokens.user),
            EnvValue::Secret(digest) => secrets
                .text(digest, tokens.user)
                .ok_or_else(|| format!("the text of the secret {name} is not at hand"))?,
        };
        env.insert(name.clone(), text);
    }
    env.insert("WHARF_SESSION".to_owned(), tokens.id.to_owned());
    env.insert("WHARF_BASE".to_owned(), tokens.base.to_owned());
    Ok(env.into_iter().collect())
}

/// The working directory: what the files ask for, else the home.
#[must_use]
pub fn working_dir(launch: &LaunchSpec, tokens: &Tokens<'_>) -> String {
    launch.working_dir.as_deref().map_or_else(|| tokens.home.to_owned(), |dir| tokens.fill(dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_filled_once_and_unknown_ones_stay() {
        let tokens = Tokens {
            socket: "/r/u/app.sock",
            runtime: "/r/u",
            base: "/s/a",
            user: "{HOME}",
            home: "/h",
            id: "a",
        };
        for (text, expected) in [
            ("--sock={SOCKET}", "--sock=/r/u/app.sock"),
            ("{RUNTIME}/x", "/r/u/x"),
            ("{BASE}/{ID}", "/s/a/a"),
            ("{USER}", "{HOME}"),
            ("{{HOME}}", "{/h}"),
            ("{PORT} {", "{PORT} {"),
            ("é{HOME}é", "é/hé"),
            ("", ""),
        ] {
            assert_eq!(tokens.fill(text), expected, "{text}");
        }
    }
}
