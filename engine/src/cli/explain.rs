//! `wharf explain CODE|OPTION`: a problem's code, or an option, at length.

use clap::Args;
use engine_core::explain::{self, Explanation};
use grammar::manual::{self, text};

use super::{FAILED, OK, complain, print};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wharf explain WH0205\n  wharf explain www-port")]
pub(super) struct ExplainArgs {
    /// A code as `wharf check` shows it (WH0205), or an option's name
    what: String,
}

pub(super) fn run(args: &ExplainArgs) -> u8 {
    let what = args.what.trim();
    if let Some(code) = explain::parse_code(what) {
        return match explain::find(code) {
            Some(explanation) => {
                print(&shown(&explanation));
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

/// A code's page: what it means, why that matters, what to do, and both examples.
fn shown(explanation: &Explanation) -> String {
    let mut out = format!("{}: {}\n", explanation.code, explanation.title);
    let Some(page) = &explanation.page else { return out };
    for prose in [&page.means, &page.matters, &page.advice] {
        out.push_str(&format!("\n{prose}\n"));
    }
    for (title, example) in [("Wrong", &page.wrong), ("Right", &page.right)] {
        out.push_str(&format!("\n{title}:\n"));
        for (name, text) in &example.files {
            out.push_str(&format!("  {name}\n"));
            for line in text.lines() {
                out.push_str(format!("    {line}").trim_end());
                out.push('\n');
            }
        }
        for fact in &example.facts {
            out.push_str(&format!("  where: {fact}\n"));
        }
    }
    out
}
