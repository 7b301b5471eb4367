//! A script's text: prose, commands, their input, and what they printed.

use std::fmt::Write as _;

/// A piece of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Lines for the reader, without `# `.
    Prose(Vec<String>),
    /// A command with its input.
    Command(Command),
}

/// A command with its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The line without `> `.
    pub line: String,
    /// The lines after it without `| `.
    pub input: Vec<String>,
}

/// Reads a script; what commands printed is left out.
#[must_use]
pub fn parse(text: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            let line = command.trim().to_owned();
            items.push(Item::Command(Command { line, input: Vec::new() }));
        } else if let Some(prose) = line.strip_prefix('#') {
            let prose = prose.strip_prefix(' ').unwrap_or(prose).to_owned();
            match items.last_mut() {
                Some(Item::Prose(lines)) => lines.push(prose),
                _ => items.push(Item::Prose(vec![prose])),
            }
        } else if let (Some(input), Some(Item::Command(command))) =
            (line.strip_prefix('|'), items.last_mut())
        {
            command.input.push(input.strip_prefix(' ').unwrap_or(input).to_owned());
        }
    }
    items
}

/// Writes a script with what its commands print.
///
/// # Errors
/// That of the first command that fails, with its line.
pub fn transcribe(
    items: &[Item],
    mut run: impl FnMut(&Command) -> Result<String, String>,
) -> Result<String, String> {
    let mut out = String::new();
    for item in items {
        match item {
            Item::Prose(lines) => {
                if !out.is_empty() {
                    out.push('\n');
                }
                for line in lines {
                    let _ = writeln!(out, "{}", format!("# {line}").trim_end());
                }
            }
            Item::Command(command) => {
                let printed =
                    run(command).map_err(|error| format!("> {}: {error}", command.line))?;
                let _ = writeln!(out, "> {}", command.line);
                for line in &command.input {
                    let _ = writeln!(out, "{}", format!("| {line}").trim_end());
                }
                out.push_str(&printed);
            }
        }
    }
    Ok(out)
}
