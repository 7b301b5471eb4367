//! Mistakes in texts that are no TOML.

use super::check;
use crate::own::OwnKind::{Node, Session};

#[test]
fn what_is_no_toml_does_not_hide_the_other_problems() {
    check(
        Node,
        r#"[drain]
reason = "a"
[drain]
"#,
        &[
            "3:2 `drain` 1:1 `[drain]` WH0501: `drain` is written twice | the second one | the first one | keep one of them",
        ],
    );
    check(Node, "weight = \n", &["1:10 `` WH0501: this is no TOML: a value is missing"]);
    check(
        Node,
        r#"weight = 1
max-sessions = = 2
schedulable = "x"
foo = 1
"#,
        &[
            "2:16 `=` WH0501: this is no TOML: extra `=`, expected nothing",
            r#"3:15 `"x"` WH0503: `schedulable` takes true or false, not a string"#,
            "4:1 `foo` WH0502: unknown key `foo` | the keys here are: weight, schedulable, max-sessions, labels, reserve, drain",
        ],
    );
    check(
        Node,
        r#"[drain
reason = "a"
foo = 1
"#,
        &["1:7 `` WH0501: this is no TOML: unclosed table, expected `]`"],
    );
    check(
        Node,
        "reason = 'x\nweight = 2\n",
        &["1:12 `` WH0501: this is no TOML: invalid literal string, expected `'`"],
    );
}

#[test]
fn what_is_no_toml_is_told_in_words_of_the_file() {
    let missing = "this is no TOML: a value is missing";
    check(Node, "weight =\n", &[&format!("1:9 `` WH0501: {missing}")]);
    check(
        Session,
        "workbench = rstudio\nargs = [one, 'two']\n",
        &[
            r#"1:13 `rstudio` WH0501: this is no TOML: a text stands in quotes | write "rstudio""#,
            r#"2:9 `one` WH0501: this is no TOML: a text stands in quotes | write "one""#,
        ],
    );
    check(
        Node,
        "schedulable = True\nlabels = { gpu = }\n",
        &[
            "1:15 `True` WH0501: this is no TOML: true and false are written in small letters | write true",
            &format!("2:18 `` WH0501: {missing}"),
        ],
    );
}
