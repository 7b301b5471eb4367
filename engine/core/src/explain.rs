//! What a code means, at length: why it matters, what to do, a wrong and a right set of files.
//!
//! The pages are data, one file a code in `explain/`, compiled in and read when somebody asks. Every code that
//! can be shown has at least a line ([`find`]). A test holds that each wrong example has its problem, and
//! each right one has not (`golden/tests/lint.rs`). Knows nothing of how a page is shown.

mod pages;

use grammar::error::Code;

use crate::lint;

/// A code with what is known to say of it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The code.
    pub code: Code,
    /// What it finds, as one line.
    pub title: String,
    /// The page, for codes that have one.
    pub page: Option<Page>,
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What is the case.
    pub means: String,
    /// Why that matters.
    pub matters: String,
    /// What to do.
    pub advice: String,
    /// Files that have this problem.
    pub wrong: Example,
    /// The same without it.
    pub right: Example,
}

/// A small set of files, and what must be known of the machine around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    /// Files by short name, with their text, in the order in which they are shown.
    pub files: Vec<(String, String)>,
    /// Facts, one line each: `mode launcher-env 0644`, `key launcher.pem mode=0640`.
    pub facts: Vec<String>,
}

/// Codes that neither a reader nor a rule has: problems of files as files, and of things that ask for
/// what is not there.
const OTHERS: &[(u16, &str)] = &[
    (303, "a session names no cluster, and the site has none"),
    (304, "a session asks for a workbench that is not known"),
    (305, "a session is published on a gateway that is not there"),
    (341, "www-address is no address to listen on"),
    (420, "a gateway asks for what this version does not do"),
    (421, "a session is to be suspended, which this version does not do"),
    (422, "a policy asks for what this version does not do"),
    (601, "a file is no regular file"),
    (602, "a file is too big to be a configuration file"),
    (603, "a file is not UTF-8"),
    (604, "this account may not read a file"),
    (605, "a file cannot be read"),
    (606, "a file vanishes and comes back while it is read"),
    (607, "a symbolic link leads to a file that does not exist"),
    (608, "a directory that was named does not exist"),
    (609, "a directory cannot be read"),
    (610, "a file of ours stands in a Workbench directory"),
    (612, "nobody reads a file of this name"),
    (613, "a file is gone that has to be there"),
    (614, "files beside the configuration are not read"),
    (615, "the name of a file is almost one that is read"),
    (616, "files belong to the product, and have no meaning here"),
    (617, "the files do not hold still"),
    (618, "a directory is empty, and nothing is mounted on it any more"),
    (619, "a file is empty that said something in the set in force"),
];

/// Every code that can be shown, in order, each once.
#[must_use]
pub fn all() -> Vec<Explanation> {
    let readers = grammar::codes::ALL.iter().chain(grammar::own::CODES);
    let readers = readers.map(|(code, title)| (*code, one_line(title)));
    let rules = lint::rules().map(|rule| (rule.code, rule.title.to_owned()));
    let others = OTHERS.iter().map(|(code, title)| (Code(*code), (*title).to_owned()));
    let mut all: Vec<Explanation> = readers
        .chain(rules)
        .chain(others)
        .map(|(code, title)| Explanation { code, title, page: page(code) })
        .collect();
    all.sort_by_key(|explanation| explanation.code);
    all
}

/// What there is to say of a code; none for a number that no problem has.
#[must_use]
pub fn find(code: Code) -> Option<Explanation> {
    all().into_iter().find(|explanation| explanation.code == code)
}

/// The code that a person writes: `WH0302`, `wh302`, `302`.
#[must_use]
pub fn parse_code(text: &str) -> Option<Code> {
    let text = text.trim();
    let digits = match text.get(..2) {
        Some(prefix) if prefix.eq_ignore_ascii_case("WH") => &text[2..],
        _ => text,
    };
    digits.parse().ok().map(Code)
}

/// The first sentence of a doc comment, without its full stop.
fn one_line(doc: &str) -> String {
    let text = doc.trim();
    let mut chars = text.strip_suffix('.').unwrap_or(text).chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn page(code: Code) -> Option<Page> {
    let (_, text) = pages::PAGES.iter().find(|(number, _)| *number == code.0)?;
    Some(read(text))
}

/// Reads a page: `= part`, then its text; in examples `> file NAME` with its lines behind `| `, and
/// `> fact WORDS`.
fn read(text: &str) -> Page {
    let mut page = Page::default();
    let mut part = "";
    for line in text.lines() {
        if let Some(next) = line.strip_prefix("= ") {
            part = next;
            continue;
        }
        match part {
            "means" => add(&mut page.means, line),
            "matters" => add(&mut page.matters, line),
            "do" => add(&mut page.advice, line),
            "wrong" => example(&mut page.wrong, line),
            "right" => example(&mut page.right, line),
            _ => {}
        }
    }
    for prose in [&mut page.means, &mut page.matters, &mut page.advice] {
        prose.truncate(prose.trim_end().len());
    }
    page
}

fn add(prose: &mut String, line: &str) {
    prose.push_str(line);
    prose.push('\n');
}

fn example(example: &mut Example, line: &str) {
    if let Some(name) = line.strip_prefix("> file ") {
        example.files.push((name.to_owned(), String::new()));
    } else if let Some(fact) = line.strip_prefix("> fact ") {
        example.facts.push(fact.to_owned());
    } else if let (Some(text), Some((_, file))) = (line.strip_prefix('|'), example.files.last_mut())
    {
        add(file, text.strip_prefix(' ').unwrap_or(text));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_there_once_and_has_a_line() {
        let codes: BTreeSet<Code> = all().iter().map(|explanation| explanation.code).collect();
        assert_eq!(codes.len(), all().len());
        for explanation in all() {
            assert!(!explanation.title.is_empty(), "{}", explanation.code);
        }
    }

    #[test]
    fn every_rule_and_every_silent_trap_has_a_page() {
        let traps = grammar::codes::ALL.iter().map(|(code, _)| *code).filter(|c| c.0 / 100 == 2);
        for code in lint::rules().map(|rule| rule.code).chain(traps) {
            assert!(page(code).is_some(), "{code} has no page");
        }
        for (number, _) in pages::PAGES {
            assert!(find(Code(*number)).is_some(), "the page {number} is no code's");
        }
    }

    #[test]
    fn every_page_is_whole() {
        for (number, text) in pages::PAGES {
            let Page { means, matters, advice, wrong, right } = read(text);
            for prose in [means, matters, advice] {
                assert!(!prose.is_empty(), "{number} has an empty part");
                assert!(prose.lines().all(|line| line.chars().count() <= 100), "{number} is wide");
            }
            assert!(wrong != right, "{number}: the examples are the same");
            assert!(!wrong.files.is_empty() || !wrong.facts.is_empty(), "{number} shows nothing");
        }
    }

    #[test]
    fn a_code_is_found_as_people_write_it() {
        assert_eq!(parse_code("WH0302"), Some(Code(302)));
        assert_eq!(parse_code(" wh302"), Some(Code(302)));
        assert_eq!(parse_code("302"), Some(Code(302)));
        assert_eq!(parse_code("step"), None);
    }

    #[test]
    fn what_is_found_of_a_code_is_its_own_line_and_page() {
        let found = find(Code(302)).expect("it is a rule's");
        assert_eq!(found.code, Code(302));
        assert_eq!(Some(found.title.as_str()), lint::rule(Code(302)).map(|rule| rule.title));
        assert!(found.page.is_some() && find(Code(9999)).is_none());
    }

    #[test]
    fn a_line_is_the_doc_comment_as_part_of_a_sentence() {
        assert_eq!(one_line(" A line without `=`. "), "a line without `=`");
        assert_eq!(one_line(""), "");
    }

    #[test]
    fn a_page_has_its_parts_and_both_examples() {
        let page = read(
            "= means\nIt is so.\n\n= matters\nMuch.\n= do\nThis.\n= wrong\n> file a.conf\n| x=1\n|\n\
             = right\n> fact mode a.conf 0600\n> file a.conf\n| x=2\n",
        );
        let file = |text: &str| vec![("a.conf".to_owned(), text.to_owned())];
        assert_eq!((page.means.as_str(), page.matters.as_str()), ("It is so.", "Much."));
        assert_eq!(page.advice, "This.");
        assert_eq!(page.wrong, Example { files: file("x=1\n\n"), facts: Vec::new() });
        let facts = vec!["mode a.conf 0600".to_owned()];
        assert_eq!(page.right, Example { files: file("x=2\n"), facts });
    }
}
