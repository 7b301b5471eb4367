//! Each form, to the letter.

use std::sync::Arc;

use super::*;
use crate::error::Code;

fn source() -> Source {
    Source::new("/etc/rstudio/rserver.conf", "# head\nwww-port=80\nlauncher-adress=localhost\n")
}

fn typo() -> Problem {
    Problem::new(Code(107), Severity::Error, "unknown option `launcher-adress`").label(
        &source().file,
        Some(Span::new(19, 34)),
        "did you mean `launcher-address`?",
    )
}

fn human(problem: Problem, style: Style) -> String {
    render(&[problem], [&source()], Format::Human, style)
}

#[test]
fn the_form_for_people_is_that_of_the_interface() {
    let expected = "\
error[WH0107]: unknown option `launcher-adress`
  --> /etc/rstudio/rserver.conf:3:1
   |
 3 | launcher-adress=localhost
   | ^^^^^^^^^^^^^^^ did you mean `launcher-address`?
";
    assert_eq!(human(typo(), Style::default()), expected);
}

#[test]
fn further_labels_notes_and_help_follow() {
    let other: Arc<str> = "/etc/rstudio/launcher.conf".into();
    let problem = Problem::new(Code(302), Severity::Error, "no cluster is called `x`")
        .label(&source().file, Some(Span::new(7, 15)), "not in launcher.conf")
        .label(&other, None, "has: Local (line 9), Slurm (line 13)")
        .label(&source().file, Some(Span::new(0, 1)), "also here")
        .note("a fact")
        .help("do this and that until the set is valid");
    let style = Style { color: false, width: Some(41) };
    let expected = "\
error[WH0302]: no cluster is called `x`
  --> /etc/rstudio/rserver.conf:2:1
   |
 2 | www-port=80
   | ^^^^^^^^ not in launcher.conf
  ::: /etc/rstudio/launcher.conf   has: Local (line 9), Slurm (line 13)
  ::: /etc/rstudio/rserver.conf:1:1   also here
   = note: a fact
   = help: do this and that until the set
           is valid
";
    assert_eq!(human(problem, style), expected);
}

#[test]
fn a_problem_of_a_whole_file_has_no_line() {
    let file: Arc<str> = "/etc/rstudio/launcher-mounts".into();
    let problem = Problem::new(Code(611), Severity::Warning, "the home is not mounted").label(
        &file,
        None,
        "no record for it",
    );
    let expected = "\
warning[WH0611]: the home is not mounted
  --> /etc/rstudio/launcher-mounts   (no record for it)
";
    assert_eq!(human(problem, Style::default()), expected);
}

#[test]
fn a_file_that_is_not_at_hand_is_named_without_a_line() {
    let file: Arc<str> = "gone".into();
    let problem =
        Problem::new(Code(1), Severity::Note, "m").label(&file, Some(Span::new(3, 4)), "here");
    assert_eq!(human(problem, Style::default()), "note[WH0001]: m\n  --> gone   (here)\n");
}

#[test]
fn line_numbers_beyond_two_digits_move_the_gutter() {
    let text = "\n".repeat(1233) + "a=b\n";
    let source = Source::new("f", &*text);
    let problem = Problem::new(Code(1), Severity::Error, "m").label(
        &source.file,
        Some(Span::new(1235, 1236)),
        "x",
    );
    let expected = "\
error[WH0001]: m
    --> f:1234:3
     |
1234 | a=b
     |   ^ x
";
    assert_eq!(render(&[problem], [&source], Format::Human, Style::default()), expected);
}

#[test]
fn a_span_over_several_lines_is_marked_on_its_first() {
    let problem = Problem::new(Code(1), Severity::Error, "m").label(
        &source().file,
        Some(Span::new(7, 40)),
        "",
    );
    let expected = "\
error[WH0001]: m
  --> /etc/rstudio/rserver.conf:2:1
   |
 2 | www-port=80
   | ^^^^^^^^^^^
";
    assert_eq!(human(problem, Style::default()), expected);
}

#[test]
fn no_escape_code_is_printed_unless_asked_for_and_none_from_outside_ever() {
    let source = Source::new("f\u{1b}", "a=\u{1b}[2J\n");
    let problem = Problem::new(Code(1), Severity::Error, "bad `\u{1b}]0;x\u{7}`").label(
        &source.file,
        Some(Span::new(2, 6)),
        "t\u{9b}",
    );
    for format in [Format::Human, Format::Short, Format::Json, Format::Github] {
        let text = render(std::slice::from_ref(&problem), [&source], format, Style::default());
        let printable = text.chars().all(|c| c == '\n' || !c.is_control());
        assert!(printable || format == Format::Json, "{text:?}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
    let style = Style { color: true, width: None };
    assert!(human(typo(), style).contains("\u{1b}[31;1merror[WH0107]\u{1b}[0m"));
}

#[test]
fn the_form_for_editors_is_one_line() {
    let text = render(&[typo()], [&source()], Format::Short, Style::default());
    let expected = "/etc/rstudio/rserver.conf:3:1: error[WH0107]: unknown option `launcher-adress`: \
                    did you mean `launcher-address`?\n";
    assert_eq!(text, expected);
}

#[test]
fn the_form_for_programs_has_a_version_and_places() {
    let text = render(&[typo()], [&source()], Format::Json, Style::default());
    let json: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(json["format_version"], "1.1");
    assert_eq!(json["problems"][0]["code"], "WH0107");
    let label = &json["problems"][0]["labels"][0];
    assert_eq!(
        (&label["line"], &label["column"], &label["end_column"]),
        (&3.into(), &1.into(), &16.into())
    );
    let none = render(&[], [], Format::Json, Style::default());
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&none).expect("it is JSON")["problems"],
        serde_json::json!([])
    );
}

#[test]
fn annotations_escape_what_would_end_them() {
    let source = Source::new("a,b:c", "x\n");
    let problem = Problem::new(Code(1), Severity::Warning, "50% of it")
        .label(&source.file, Some(Span::new(0, 1)), "")
        .help("one\ntwo");
    let text = render(&[problem], [&source], Format::Github, Style::default());
    assert_eq!(
        text,
        "::warning file=a%2Cb%3Ac,line=1,col=1,endColumn=2,title=WH0001::50%25 of it%0Aone\\x0atwo\n"
    );
}

#[test]
fn the_form_for_programs_holds_nothing_that_a_terminal_obeys_and_is_read_back() {
    let message = "`a\u{7f}\u{9b}\u{202e}\u{e0041}\u{1}b` is unknown";
    let problem = Problem::new(Code(109), Severity::Warning, message);
    let text = render(&[problem], [&source()], Format::Json, Style::default());
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    assert!(text.contains("\\u007f\\u009b\\u202e\\udb40\\udc41\\u0001b"), "{text}");
    let read: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(read["problems"][0]["message"], message);
}
