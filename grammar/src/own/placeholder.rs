//! Placeholders such as `{USER}` in arguments and variables: which there are, and whether a text has others.
//!
//! Only says whether a text can be filled; filling it is for lowering and for the start of a session.

use super::leaf::Wrong;
use crate::suggest::nearest;

/// What a text of a session or template may contain.
pub const SESSION: &[&str] = &["USER", "HOME", "ID"];

/// What a text of a workbench may contain: those of a session, and what only its start knows.
///
/// `{SOCKET}` is where it must listen, `{BASE}` the path before its pages: `/s/<id>`.
pub const WORKBENCH: &[&str] = &["USER", "HOME", "ID", "SOCKET", "BASE"];

/// Names between braces: upper case, digits and `_`; a brace in JSON is none.
fn placeholders(text: &str) -> impl Iterator<Item = (&str, bool)> {
    text.match_indices('{').filter_map(|(at, _)| {
        let rest = &text[at + 1..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        let named = end > 0 && rest[end..].starts_with('}');
        named.then(|| (&rest[..end], text[..at].ends_with('$')))
    })
}

/// Whether a text has only placeholders that are known where it stands.
pub(super) fn check(text: &str, known: &'static [&'static str]) -> Result<(), Wrong> {
    for (name, shell) in placeholders(text) {
        let upper = name.to_ascii_uppercase();
        let is_known = known.contains(&name);
        if shell {
            let advice = if known.contains(&upper.as_str()) {
                format!("write {{{upper}}}, without `$`")
            } else {
                list(known)
            };
            return Err(Wrong::value("no shell reads this, so variables are not filled in")
                .or_write(advice));
        }
        // `{x}` may be anything; only what is written like ours, or is one of ours in small letters, is meant.
        let meant = name == upper || known.contains(&upper.as_str());
        if is_known || !meant || name.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let label = format!("unknown placeholder {{{}}}", super::leaf::shown(name));
        let advice = if known.contains(&upper.as_str()) {
            format!("write {{{upper}}}")
        } else if WORKBENCH.contains(&name) {
            format!("{{{name}}} is filled in [workbenches.NAME] of wharf.toml only")
        } else {
            match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean {{{near}}}?"),
                None => list(known),
            }
        };
        return Err(Wrong::value(label).or_write(advice));
    }
    Ok(())
}

fn list(known: &[&str]) -> String {
    let known: Vec<_> = known.iter().map(|name| format!("{{{name}}}")).collect();
    format!("placeholders are: {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(text: &str) -> Option<String> {
        match check(text, SESSION) {
            Ok(()) => None,
            Err(Wrong::Value { help, .. }) => help,
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn known_placeholders_and_other_braces_pass() {
        for text in
            ["/scratch/{USER}", "{HOME}/{ID}", "{\"A\": 1}", "{}", "{a-b}", "{x}", "{", "{A", "{4}"]
        {
            assert_eq!(advice(text), None, "{text}");
        }
        assert!(check("{SOCKET}{BASE}", WORKBENCH).is_ok());
    }

    #[test]
    fn other_placeholders_are_refused_with_what_was_meant() {
        for (text, help) in [
            ("/scratch/{USR}", "did you mean {USER}?"),
            ("/scratch/{USERS}", "did you mean {USER}?"),
            ("/scratch/{user}", "write {USER}"),
            ("/scratch/${USER}", "write {USER}, without `$`"),
            ("${PATH}:/x", "placeholders are: {USER}, {HOME}, {ID}"),
            ("--sock={SOCKET}", "{SOCKET} is filled in [workbenches.NAME] of wharf.toml only"),
            ("{USER} {NOPE_1}", "placeholders are: {USER}, {HOME}, {ID}"),
        ] {
            assert_eq!(advice(text).as_deref(), Some(help), "{text}");
        }
    }
}
