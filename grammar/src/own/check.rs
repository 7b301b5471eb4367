//! Checks: what a field asks of its value beyond the type.
//!
//! Each is a function from the value to nothing or to why not, and as much of that as a JSON Schema can say, so that
//! a field names both where it is taken.

#![expect(clippy::ptr_arg, reason = "a Check of a String sees the String")]

use super::leaf::{COUNT_MAX, Count, Wrong};
use super::placeholder;
use crate::value::{Bytes, Millis, ValueError};

/// What one field asks of a value beyond its type.
pub(crate) struct Check<T> {
    /// Whether a value has it, or why not.
    pub(crate) holds: fn(&T) -> Result<(), Wrong>,
    /// As much of it as a JSON Schema can say; never more.
    pub(crate) says: Says,
}

impl<T> Clone for Check<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Check<T> {}

/// What a schema says of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// Nothing beyond the type.
    Nothing,
    /// A text fits this regular expression.
    Pattern(&'static str),
    /// A number is at least this.
    Least(i64),
    /// A number is this one.
    Only(u32),
}

/// Asks nothing.
pub(crate) const fn any<T>() -> Check<T> {
    Check { holds: |_| Ok(()), says: Says::Nothing }
}

macro_rules! checks {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $holds:ident, $says:expr;)+) => {
        $($(#[doc = $doc])+ pub(crate) const fn $name() -> Check<$type> {
            Check { holds: $holds, says: $says }
        })+
    };
}

const ONE_LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";

checks! {
    /// A check that something is there at least once.
    at_least_one: Count = is_at_least_one, Says::Least(1);
    /// A check that a time does pass.
    some_time: Millis = is_some_time, Says::Pattern("[1-9]");
    /// A check that a size holds something.
    some_bytes: Bytes = is_some_bytes, Says::Pattern("[1-9]");
    /// A check for a text that is shown in a line: something is there, and no control characters.
    one_line: String = is_one_line, Says::Pattern(ONE_LINE);
    /// A check for the name of a thing of ours or of the files: no blanks, nothing that could be a path.
    name: String = is_name, Says::Pattern(r"^[^\s/.-][^\s/]*$");
    /// A check for the name of a cluster or a profile: those of Workbench's files may hold blanks.
    label: String = is_label, Says::Pattern(r"^[^\s/\[\]]([^/\[\]]*[^\s/\[\]])?$");
    /// A check for the name of a Unix account or group.
    account: String = is_account, Says::Pattern(r"^[^\s:/,-][^\s:/,]*$");
    /// A check for the name of an environment variable.
    variable: String = is_variable, Says::Pattern("^[A-Za-z_][A-Za-z0-9_]*$");
    /// A check for a path from the root.
    absolute_path: String = is_absolute_path, Says::Pattern("^/");
    /// A check for the place of a Unix socket: the kernel takes 107 bytes.
    socket_path: String = is_socket_path, Says::Pattern("^/.{0,106}$");
    /// A check for a path below the directory of the file that names it.
    relative_path: String = is_relative_path, Says::Pattern("^[^/]");
    /// A check for the path of a URL.
    url_path: String = is_url_path, Says::Pattern(r"^/[^\s]*$");
    /// A check for the name of an instance, which names cookies and directories.
    instance: String = is_instance, Says::Pattern("^[a-z0-9][a-z0-9-]{0,31}$");
    /// A check for the code of a problem.
    code: String = is_code, Says::Pattern("^WH[0-9]{4}$");
    /// A check for the host that URLs print.
    public_address: String = is_public_address, Says::Pattern(r"^[^\s/]+$");
    /// A check for a text of a session or template.
    of_session: String = is_of_session, Says::Nothing;
    /// A check for a text of a workbench.
    of_workbench: String = is_of_workbench, Says::Nothing;
    /// A check for the directory in which a session starts.
    directory: String = is_directory, Says::Pattern(r"^(/|\{HOME\}(/|$))");
}

fn is_at_least_one(count: &Count) -> Result<(), Wrong> {
    if count.0 == 0 {
        return Err(ValueError::OutOfRange { min: 1, max: COUNT_MAX }.into());
    }
    Ok(())
}

fn is_some_time(time: &Millis) -> Result<(), Wrong> {
    if time.0 == 0 {
        return Err(Wrong::value("must be longer than nothing"));
    }
    Ok(())
}

fn is_some_bytes(size: &Bytes) -> Result<(), Wrong> {
    if size.0 == 0 {
        return Err(Wrong::value("must be more than nothing"));
    }
    Ok(())
}

fn is_one_line(text: &String) -> Result<(), Wrong> {
    if text.trim().is_empty() {
        return Err(ValueError::Empty.into());
    }
    if text.chars().any(char::is_control) {
        return Err(Wrong::value("one line, no control characters"));
    }
    Ok(())
}

fn is_name(text: &String) -> Result<(), Wrong> {
    is_one_line(text)?;
    if text.chars().any(|c| c.is_whitespace() || c == '/') || text.starts_with(['-', '.']) {
        return Err(Wrong::value(
            "a name has no blanks and no `/`, and does not begin with `-` or `.`",
        ));
    }
    Ok(())
}

fn is_label(text: &String) -> Result<(), Wrong> {
    is_one_line(text)?;
    if text.trim() != text || text.contains(['/', '[', ']']) {
        return Err(Wrong::value("no `/` and no brackets, no blanks around it"));
    }
    Ok(())
}

fn is_account(text: &String) -> Result<(), Wrong> {
    is_one_line(text)?;
    if text.chars().any(|c| c.is_whitespace() || matches!(c, ':' | '/' | ','))
        || text.starts_with('-')
    {
        return Err(Wrong::value("no name of an account: no blanks, `:`, `/` or `,` in it"));
    }
    Ok(())
}

fn is_variable(text: &String) -> Result<(), Wrong> {
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if !first || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(Wrong::value("a variable's name is letters, digits and `_`, no digit first"));
    }
    Ok(())
}

fn is_absolute_path(text: &String) -> Result<(), Wrong> {
    is_one_line(text)?;
    if !text.starts_with('/') {
        return Err(Wrong::value("a path from the root is needed, it begins with `/`"));
    }
    Ok(())
}

fn is_socket_path(text: &String) -> Result<(), Wrong> {
    is_absolute_path(text)?;
    if text.len() > 107 {
        return Err(Wrong::value("longer than 107 bytes: the kernel takes no such socket"));
    }
    Ok(())
}

fn is_relative_path(text: &String) -> Result<(), Wrong> {
    is_one_line(text)?;
    if text.starts_with('/') || text.split('/').any(|part| part == "..") {
        return Err(Wrong::value(
            "a path below this file's directory is needed: no `/` first, no `..`",
        ));
    }
    Ok(())
}

fn is_url_path(text: &String) -> Result<(), Wrong> {
    if !text.starts_with('/') || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Wrong::value(
            "a path of a URL is needed: it begins with `/` and has no blanks",
        ));
    }
    Ok(())
}

/// Whether an instance may be called so, wherever its name comes from: it becomes a part of paths.
#[must_use]
pub fn is_instance_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.bytes().next().is_some_and(plain)
        && text.bytes().all(|byte| plain(byte) || byte == b'-')
        && text.len() <= 32
}

fn is_instance(text: &String) -> Result<(), Wrong> {
    if is_instance_name(text) {
        return Ok(());
    }
    Err(Wrong::value("it names cookies and directories: a-z, 0-9 and `-`, not first, at most 32"))
}

fn is_code(text: &String) -> Result<(), Wrong> {
    let digits = text.strip_prefix("WH").unwrap_or("");
    if digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(Wrong::value("a code is WH and four digits").or_write("such as WH0412 = \"reason\""))
}

fn is_public_address(text: &String) -> Result<(), Wrong> {
    is_one_line(text)?;
    if text.contains("://") || text.chars().any(|c| c.is_whitespace() || c == '/') {
        return Err(Wrong::value("only the host is needed, such as \"lab.example.org\""));
    }
    Ok(())
}

fn is_of_session(text: &String) -> Result<(), Wrong> {
    placeholder::check(text, placeholder::SESSION)
}

fn is_of_workbench(text: &String) -> Result<(), Wrong> {
    placeholder::check(text, placeholder::WORKBENCH)
}

fn is_directory(text: &String) -> Result<(), Wrong> {
    is_one_line(text)?;
    if !text.starts_with('/') && text != "{HOME}" && !text.starts_with("{HOME}/") {
        return Err(Wrong::value("a path from the root or from {HOME} is needed"));
    }
    is_of_session(text)
}
