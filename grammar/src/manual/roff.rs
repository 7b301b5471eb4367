//! Manual pages of section 5: one for each configuration file, in the language of man(7).

use std::fmt::Write as _;

use super::facts;
use crate::catalogue;
use crate::source::FileKind;

/// The page of a kind of file. `version` is the program's.
#[must_use]
pub fn page(kind: FileKind, version: &str) -> String {
    let name = kind.file_name();
    let mut out = String::new();
    let title = quoted(&name.to_uppercase());
    let _ = writeln!(out, ".TH \"{title}\" 5 \"\" \"wharf {version}\" \"Wharfinger\"");
    let _ = writeln!(out, ".SH NAME");
    let meaning = kind.meaning().trim_end_matches('.');
    let _ = writeln!(out, "{} \\- {}", escaped(name), escaped(meaning));
    let _ = writeln!(out, ".SH DESCRIPTION");
    let about = format!(
        "{name} is a configuration file of Posit Workbench, as wharf reads it. It is looked for in the \
         directory that RSTUDIO_CONFIG_DIR names; else in each directory of XDG_CONFIG_DIRS, below \
         rstudio; else in /etc/rstudio. wharf check says what is wrong with it."
    );
    let _ = writeln!(out, "{}", line(&about));
    if !kind.facts().is_established() {
        paragraph(
            &mut out,
            "How the product itself reads it is not established; here the nearest known rules are used.",
        );
    }
    if let Some((effect, state)) = kind.facts().whole {
        paragraph(&mut out, &format!("Here it {}.", super::done(state, effect)));
    }
    let rows = catalogue::rows(name);
    if !rows.is_empty() {
        paragraph(
            &mut out,
            "Below stands what is known of each option. The public lists are incomplete: one that is missing \
             here may exist.",
        );
    }
    let mut section = None;
    for row in rows {
        if section != Some(row.section) {
            match row.section {
                "" => out.push_str(".SH OPTIONS\n"),
                "record" => out.push_str(".SH FIELDS OF A RECORD\n"),
                other => {
                    let heading = quoted(&other.to_uppercase());
                    let _ = writeln!(out, ".SH \"OPTIONS OF [{heading}]\"");
                }
            }
            section = Some(row.section);
        }
        let _ = writeln!(out, ".TP\n.B \"{}\"", quoted(row.name));
        let _ = writeln!(out, "{}", line(row.summary));
        for (label, text) in facts(row) {
            let _ = writeln!(out, ".br\n\\fI{}\\fR: {}", escaped(label), escaped(&text));
        }
    }
    let _ = writeln!(
        out,
        ".SH \"SEE ALSO\"\n.BR wharf (1),\n.BR wharf\\-check (1),\n.BR wharf\\-option (1)"
    );
    out
}

fn paragraph(out: &mut String, text: &str) {
    let _ = writeln!(out, ".PP\n{}", line(text));
}

/// Text as a line of its own: a dot or quote in front is no request.
fn line(text: &str) -> String {
    let text = escaped(text);
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

/// Text in which nothing is an escape; every line end a blank.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '~' => out.push_str("\\(ti"),
            '^' => out.push_str("\\(ha"),
            '`' => out.push_str("\\(ga"),
            '\n' | '\r' => out.push(' '),
            c if c.is_ascii() => out.push(c),
            // Also for a troff that reads Latin-1.
            c => {
                let _ = write!(out, "\\[u{:04X}]", u32::from(c));
            }
        }
    }
    out
}

/// Text inside of the quotes of an argument.
fn quoted(text: &str) -> String {
    escaped(text).replace('"', "\\(dq")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_page_that_names_each_of_its_options() {
        for kind in FileKind::ALL {
            let page = page(kind, "1");
            for row in catalogue::rows(kind.file_name()) {
                assert!(page.contains(&format!(".B \"{}\"", quoted(row.name))), "{kind:?}");
            }
            assert!(page.contains(".SH NAME"));
        }
    }

    #[test]
    fn no_text_becomes_a_request_or_an_escape() {
        assert_eq!(line(".x \\n"), "\\&.x \\en");
        assert_eq!(quoted("a\"b\u{e4}"), "a\\(dqb\\[u00E4]");
    }
}
