//! Every option of the catalogue, written in its own file's form: misspelt, with wrong values and with right ones.
//!
//! The cases are made from the catalogue, and the same in every run. What cannot be checked is counted and printed.

mod slips;

use std::collections::BTreeMap;

use grammar::catalogue::{self, OptionRow};
use grammar::codes;
use grammar::error::Problem;
use grammar::kind::{FileKind, Reader};
use grammar::read::read_file;
use grammar::source::Source;
use grammar::span::Span;
use grammar::value::{AddressForm, Separator, ValueKind};

/// How often each option is misspelt, at each distance.
const SLIPS_EACH: usize = 12;

/// An option as it stands in a file.
struct Written {
    text: String,
    name: Span,
    value: Span,
}

/// Writes one option in the form of its file.
fn write(kind: FileKind, row: &OptionRow, name: &str, value: &str) -> Written {
    let (before, between, after) = match kind.reader() {
        Reader::Launcher => (format!("[{}]\n", row.section), "=", "\n"),
        Reader::Levels => ("[*]\n".to_owned(), "=", "\n"),
        Reader::Things => ("[one]\n".to_owned(), "=", "\n"),
        Reader::Records => (String::new(), ": ", "\n"),
        Reader::Access => (String::new(), " ", "\n"),
        // A placeholder is its own value.
        Reader::Text => {
            let text = format!("#{name}#\n");
            let span = Span::new(0, name.len() + 2);
            return Written { text, name: span, value: span };
        }
        _ => (String::new(), "=", "\n"),
    };
    let name_at = before.len();
    let value_at = name_at + name.len() + between.len();
    Written {
        text: format!("{before}{name}{between}{value}{after}"),
        name: Span::new(name_at, name_at + name.len()),
        value: Span::new(value_at, value_at + value.len()),
    }
}

fn problems(kind: FileKind, text: &str) -> Vec<Problem> {
    read_file(kind, &Source::new(kind.file_name(), text)).problems
}

/// The first problem at a place that is about what is asked for.
fn at(problems: &[Problem], span: Span, about: fn(&Problem) -> bool) -> Option<&Problem> {
    let place = |problem: &Problem| problem.labels.first().and_then(|label| label.span);
    problems.iter().find(|problem| place(problem) == Some(span) && about(problem))
}

/// Every option that may stand in its file, with the file's kind.
fn options() -> impl Iterator<Item = (FileKind, &'static OptionRow)> {
    FileKind::ALL.into_iter().flat_map(|kind| {
        let rows = catalogue::rows(kind.file_name()).iter().filter(|row| !row.command_line);
        rows.map(move |row| (kind, row))
    })
}

#[test]
fn a_misspelt_option_is_caught_at_its_place_and_the_right_name_is_offered() {
    let (mut tried, mut right, mut sure) = ([0; 2], [0; 2], 0);
    let mut others: Vec<String> = Vec::new();
    for (kind, row) in options() {
        let known: Vec<&str> = catalogue::rows(row.file)
            .iter()
            .filter(|other| other.section == row.section)
            .map(|other| other.name)
            .collect();
        for distance in 1..=2 {
            for slip in slips::of(row.name, distance, SLIPS_EACH) {
                // Another name of the file is not misspelt.
                if known.iter().any(|name| name.eq_ignore_ascii_case(&slip)) {
                    continue;
                }
                let written = write(kind, row, &slip, right_values(row)[0]);
                let found = problems(kind, &written.text);
                let problem = at(&found, written.name, is_about_the_name)
                    .or_else(|| at(&found, written.name, |_| true));
                let problem = problem.unwrap_or_else(|| {
                    panic!("{}: `{slip}` for `{}` is taken: {found:?}", row.file, row.name)
                });
                tried[distance - 1] += 1;
                let said = &problem.labels[0].text;
                if offers(said, row.name) {
                    right[distance - 1] += 1;
                    sure += usize::from(problem.is_error());
                } else {
                    others.push(format!("{}: {slip} for {}: {said}", row.file, row.name));
                }
            }
        }
    }
    let (all, all_right) = (tried[0] + tried[1], right[0] + right[1]);
    println!(
        "{all} misspelt options ({} at distance 1, {} at distance 2), all caught at their place; \
         the right name first in {all_right} ({} and {}), of which {sure} are errors and {} questions",
        tried[0],
        tried[1],
        right[0],
        right[1],
        all_right - sure,
    );
    println!("another answer: {}\n{}", others.len(), others.join("\n"));
    assert!(tried.iter().all(|tried| *tried > 3000), "enough of them: {tried:?}");
    assert!(all_right * 100 >= all * 99, "{all_right} of {all}");
}

#[test]
fn a_value_of_the_wrong_type_is_caught_at_the_value_and_a_right_one_passes() {
    let mut checked: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut rest: BTreeMap<&str, usize> = BTreeMap::new();
    for (kind, row) in options() {
        for value in right_values(row) {
            let written = write(kind, row, row.name, value);
            let found = problems(kind, &written.text);
            let problem = at(&found, written.value, is_about_the_type);
            assert!(problem.is_none(), "{}: {}={value}: {problem:?}", row.file, row.name);
        }
        let wrong = wrong_values(row);
        if wrong.is_empty() {
            *rest.entry(row.kind.name()).or_default() += 1;
            continue;
        }
        let count = checked.entry(row.kind.name()).or_default();
        count.0 += 1;
        for value in wrong {
            let written = write(kind, row, row.name, value);
            let found = problems(kind, &written.text);
            let problem = at(&found, written.value, is_about_the_type);
            assert!(problem.is_some(), "{}: {}={value}: {found:?}", row.file, row.name);
            count.1 += 1;
        }
    }
    let options: usize = checked.values().map(|count| count.0).sum();
    println!("{options} options of a type that can be checked:");
    for (name, (options, values)) in &checked {
        println!(
            "  {options:4} {name}: {values} wrong values caught at the value, right ones pass"
        );
    }
    println!("{} of which any text is a value:", rest.values().sum::<usize>());
    for (name, options) in &rest {
        println!("  {options:4} {name}");
    }
    assert!(options >= 300, "{options}");
}

/// Whether a label offers a name: bare, as a placeholder, or as the option that is missing.
fn offers(label: &str, name: &str) -> bool {
    let ways = [format!("`{name}`?"), format!("`#{name}#`?"), format!("`{name}=...` is missing")];
    ways.iter().any(|way| label.contains(way))
}

/// That a field is missing may be said at the same place, and is true as well.
fn is_about_the_name(problem: &Problem) -> bool {
    problem.code != codes::MISSING
}

fn is_about_the_type(problem: &Problem) -> bool {
    problem.code == codes::WRONG_VALUE
}

/// Values that an option takes.
fn right_values(row: &OptionRow) -> Vec<&'static str> {
    let mut values: Vec<&'static str> =
        row.values.iter().copied().filter(|word| !word.starts_with('<')).collect();
    values.extend(
        row.default.filter(|default| row.parse_value(default).is_ok() && !default.is_empty()),
    );
    let some: &[&str] = match row.kind {
        ValueKind::Bool => &["1", "0", "true", "FALSE", "yes", "off"],
        ValueKind::Int | ValueKind::Duration(_) | ValueKind::Size(_) => &["1", "128"],
        ValueKind::Decimal => &["1", "0.5"],
        ValueKind::Port => &["1", "65535"],
        ValueKind::PortRange => &["40000-40100"],
        ValueKind::Text => &["some text"],
        ValueKind::Account | ValueKind::Group => &["rstudio-server", "DOMAIN\\some body"],
        ValueKind::Pattern => &["^([a-z]+)@example\\.com$ $1"],
        ValueKind::Moment => &["2026-01-31", "2026-01-31 08:30"],
        ValueKind::Path => &["/a/path", "relative/path"],
        ValueKind::Address(AddressForm::Network) => &["10.0.0.0/8", "::1", "all"],
        ValueKind::Address(_) => &["localhost", "10.0.0.1", "::1", "db.example.com"],
        ValueKind::List(_) if !row.values.is_empty() => &[],
        ValueKind::List(Separator::Line) => &["A=1"],
        ValueKind::List(_) => &["one", "two"],
        ValueKind::Word => &[],
        ValueKind::Url => &["https://example.com/a", "http://10.0.0.1:8787"],
    };
    let fits = |value: &&&str| row.parse_value(value).is_ok();
    values.extend(some.iter().filter(fits).copied());
    assert!(!values.is_empty(), "{}: {} has a right value", row.file, row.name);
    values
}

/// Values of another type than the option's; none where every text is one.
fn wrong_values(row: &OptionRow) -> Vec<&'static str> {
    let open = row.values.iter().any(|word| word.starts_with('<'));
    let beyond = |limit: Option<i64>, value| limit.map(|_| value);
    match row.kind {
        ValueKind::Word | ValueKind::List(_) if open || row.values.is_empty() => Vec::new(),
        ValueKind::Word | ValueKind::List(_) => vec!["none-of-these", "42"],
        ValueKind::Bool => vec!["maybe", "2", "enabled"],
        ValueKind::Int => {
            let mut wrong = vec!["many", "1.5", "12x", "0x10"];
            wrong.extend(beyond(row.max, "9999999999"));
            wrong.extend(beyond(row.min, "-9999999999"));
            wrong
        }
        ValueKind::Duration(_) => vec!["soon", "1.5", "10m", "-5"],
        ValueKind::Size(_) => vec!["large", "1.5", "10GB", "-5"],
        ValueKind::Decimal => vec!["much", "1,5", "1e3"],
        ValueKind::Port => vec!["http", "65536", "-1", "80,443"],
        ValueKind::PortRange => vec!["40000", "40100-40000", "a-b", "0-10"],
        ValueKind::Account | ValueKind::Group => vec!["a:b", "/home/a", "a,b"],
        ValueKind::Pattern => vec!["^(a", "a)", "[a"],
        ValueKind::Moment => vec!["soon", "2026-13-01", "31.01.2026"],
        ValueKind::Address(AddressForm::Any) => vec!["local host", "http://localhost"],
        ValueKind::Address(AddressForm::Network) => vec!["10.0.0.0/33", "somewhere", "http://a"],
        ValueKind::Address(AddressForm::HostPort) => vec!["local host", "http://a", "a:b"],
        ValueKind::Address(_) => vec!["local host", "http://localhost", "localhost:80"],
        ValueKind::Url => vec!["example.com", "localhost:8787", "a b"],
        ValueKind::Text | ValueKind::Path => Vec::new(),
    }
}
