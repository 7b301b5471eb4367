//! Checks: what a field asks of its value beyond the type.
//!
//! Each is a function from the value to nothing or to why not, so that a field names it where it is taken.

#![expect(clippy::ptr_arg, reason = "a Check of a String sees the String")]

use super::leaf::{COUNT_MAX, Count, Wrong};
use super::placeholder;
use crate::value::{Bytes, Millis, ValueError};

/// What one field asks of a value beyond its type.
pub(crate) type Check<T> = fn(&T) -> Result<(), Wrong>;

/// Asks nothing.
#[expect(clippy::unnecessary_wraps, reason = "it is the Check that always passes")]
pub(crate) fn any<T>(_: &T) -> Result<(), Wrong> {
    Ok(())
}

/// A check that something is there at least once.
pub(crate) fn at_least_one(count: &Count) -> Result<(), Wrong> {
    if count.0 == 0 {
        return Err(ValueError::OutOfRange { min: 1, max: COUNT_MAX }.into());
    }
    Ok(())
}

/// A check that a time does pass.
pub(crate) fn some_time(time: &Millis) -> Result<(), Wrong> {
    if time.0 == 0 {
        return Err(Wrong::value("must be longer than nothing"));
    }
    Ok(())
}

/// A check that a size holds something.
pub(crate) fn some_bytes(size: &Bytes) -> Result<(), Wrong> {
    if size.0 == 0 {
        return Err(Wrong::value("must be more than nothing"));
    }
    Ok(())
}

/// A check for a text that is shown in a line: something is there, and no control characters.
pub(crate) fn one_line(text: &String) -> Result<(), Wrong> {
    if text.trim().is_empty() {
        return Err(ValueError::Empty.into());
    }
    if text.chars().any(char::is_control) {
        return Err(Wrong::value("one line, no control characters"));
    }
    Ok(())
}

/// A check for the name of a thing of ours or of the files: no blanks, nothing that could be a path.
pub(crate) fn name(text: &String) -> Result<(), Wrong> {
    one_line(text)?;
    if text.chars().any(|c| c.is_whitespace() || c == '/') || text.starts_with(['-', '.']) {
        return Err(Wrong::value(
            "a name has no blanks and no `/`, and does not begin with `-` or `.`",
        ));
    }
    Ok(())
}

/// A check for the name of a cluster or a profile: those of Workbench's files may hold blanks.
pub(crate) fn label(text: &String) -> Result<(), Wrong> {
    one_line(text)?;
    if text.trim() != text || text.contains(['/', '[', ']']) {
        return Err(Wrong::value("no `/` and no brackets, no blanks around it"));
    }
    Ok(())
}

/// A check for the name of a Unix account or group.
pub(crate) fn account(text: &String) -> Result<(), Wrong> {
    one_line(text)?;
    if text.chars().any(|c| c.is_whitespace() || matches!(c, ':' | '/' | ','))
        || text.starts_with('-')
    {
        return Err(Wrong::value("no name of an account: no blanks, `:`, `/` or `,` in it"));
    }
    Ok(())
}

/// A check for the name of an environment variable.
pub(crate) fn variable(text: &String) -> Result<(), Wrong> {
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if !first || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(Wrong::value("a variable's name is letters, digits and `_`, no digit first"));
    }
    Ok(())
}

/// A check for a path from the root.
pub(crate) fn absolute_path(text: &String) -> Result<(), Wrong> {
    one_line(text)?;
    if !text.starts_with('/') {
        return Err(Wrong::value("a path from the root is needed, it begins with `/`"));
    }
    Ok(())
}

/// A check for the place of a Unix socket: the kernel takes 107 bytes.
pub(crate) fn socket_path(text: &String) -> Result<(), Wrong> {
    absolute_path(text)?;
    if text.len() > 107 {
        return Err(Wrong::value("longer than 107 bytes: the kernel takes no such socket"));
    }
    Ok(())
}

/// A check for a path below the directory of the file that names it.
pub(crate) fn relative_path(text: &String) -> Result<(), Wrong> {
    one_line(text)?;
    if text.starts_with('/') || text.split('/').any(|part| part == "..") {
        return Err(Wrong::value(
            "a path below this file's directory is needed: no `/` first, no `..`",
        ));
    }
    Ok(())
}

/// A check for the path of a URL.
pub(crate) fn url_path(text: &String) -> Result<(), Wrong> {
    if !text.starts_with('/') || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Wrong::value(
            "a path of a URL is needed: it begins with `/` and has no blanks",
        ));
    }
    Ok(())
}

/// A check for the name of an instance, which names cookies and directories.
pub(crate) fn instance(text: &String) -> Result<(), Wrong> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let good = text.bytes().next().is_some_and(plain)
        && text.bytes().all(|byte| plain(byte) || byte == b'-')
        && text.len() <= 32;
    if good {
        return Ok(());
    }
    Err(Wrong::value("it names cookies and directories: a-z, 0-9 and `-`, not first, at most 32"))
}

/// A check for the code of a problem.
pub(crate) fn code(text: &String) -> Result<(), Wrong> {
    let digits = text.strip_prefix("WH").unwrap_or("");
    if digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(Wrong::value("a code is WH and four digits").or_write("such as WH0412 = \"reason\""))
}

/// A check for the host that URLs print.
pub(crate) fn public_address(text: &String) -> Result<(), Wrong> {
    one_line(text)?;
    if text.contains("://") || text.chars().any(|c| c.is_whitespace() || c == '/') {
        return Err(Wrong::value("only the host is needed, such as \"lab.example.org\""));
    }
    Ok(())
}

/// A check for a text of a session or template.
pub(crate) fn of_session(text: &String) -> Result<(), Wrong> {
    placeholder::check(text, placeholder::SESSION)
}

/// A check for a text of a workbench.
pub(crate) fn of_workbench(text: &String) -> Result<(), Wrong> {
    placeholder::check(text, placeholder::WORKBENCH)
}

/// A check for the directory in which a session starts.
pub(crate) fn directory(text: &String) -> Result<(), Wrong> {
    one_line(text)?;
    if !text.starts_with('/') && text != "{HOME}" && !text.starts_with("{HOME}/") {
        return Err(Wrong::value("a path from the root or from {HOME} is needed"));
    }
    of_session(text)
}
