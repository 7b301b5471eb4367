//! `wharf explain CODE|OPTION`: a problem's code, or an option, at length.

use clap::Args;
use engine_core::lint;
use grammar::error::Code;
use grammar::manual::{self, text};
use grammar::{codes, own};

use super::{FAILED, OK, complain, print};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wharf explain WH0205\n  wharf explain www-port")]
pub(super) struct ExplainArgs {
    /// A code as `wharf check` shows it (WH0205), or an option's name
    what: String,
}

pub(super) fn run(args: &ExplainArgs) -> u8 {
    let what = args.what.trim();
    if let Some(code) = parse_code(what) {
        return match meaning(code) {
            Some(meaning) => {
                print(&format!("{code}: {meaning}\n"));
                OK
            }
            None => {
                complain(&format!("no problem has the code {code}"));
                FAILED
            }
        };
    }
    let rows = manual::named(what);
    if rows.is_empty() {
        let meant = manual::nearest(what);
        let meant = meant.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
        complain(&format!("`{what}` is neither a code like WH0205 nor an option{meant}"));
        return FAILED;
    }
    let texts: Vec<String> = rows.iter().map(|row| text::option(row, 100)).collect();
    print(&texts.join("\n"));
    OK
}

/// `WH0205`, in any letter case, with or without its letters.
fn parse_code(text: &str) -> Option<Code> {
    let digits = text.get(..2).filter(|head| head.eq_ignore_ascii_case("WH"));
    let digits = if digits.is_some() { &text[2..] } else { text };
    (digits.len() == 4).then(|| digits.parse().ok().map(Code))?
}

/// What a code means, from where it is given.
fn meaning(code: Code) -> Option<String> {
    let of_readers = codes::ALL.iter().chain(own::CODES).find(|(known, _)| *known == code);
    let meaning = of_readers.map(|(_, meaning)| meaning.trim().to_owned());
    meaning.or_else(|| lint::rule(code).map(|rule| rule.title.to_owned()))
}
