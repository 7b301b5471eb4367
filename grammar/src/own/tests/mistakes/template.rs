//! Mistakes in a template.

use super::check;
use crate::own::OwnKind::Template;

#[test]
fn mistakes_in_a_template_are_told_with_place_and_advice() {
    check(
        Template,
        r#"workbench = "rstudio"
user = "x"
state = "running"
"#,
        &[
            "2:1 `user` WH0502: `user` is a key of sessions.d, not of templates.d | write it into a file of sessions.d, or leave it out",
            "3:1 `state` WH0502: `state` is a key of sessions.d, not of templates.d | write it into a file of sessions.d, or leave it out",
        ],
    );
    check(
        Template,
        r#"workbench = "rstudio"
[resources]
memory = { choose = [] }
"#,
        &["3:21 `[]` WH0504: bad value for `resources.memory.choose`: nothing to choose from"],
    );
    check(
        Template,
        r#"workbench = "rstudio"
[resources]
memory = { choose = ["4GiB", "4096MiB"], default = "5GiB", lable = "x" }
"#,
        &[
            r#"3:21 `["4GiB", "4096MiB"]` WH0504: bad value for `resources.memory.choose`: one of them stands here twice"#,
            r#"3:52 `"5GiB"` WH0504: bad value for `resources.memory.default`: not one of those to choose from"#,
            "3:60 `lable` WH0502: unknown key `lable` in `resources.memory` | did you mean `label`?",
        ],
    );
    check(
        Template,
        r#"workbench = "rstudio"
[resources]
memory = { default = "5GiB" }
"#,
        &[
            r#"3:10 `{ default = "5GiB" }` WH0505: `resources.memory.choose` is missing | it belongs in here | a choice is { choose = [...], default = ..., label = "..." }"#,
        ],
    );
    check(
        Template,
        r#"workbench = "rstudio"
[resources]
memory = { choose = ["4GiB", "8GB", 3] }
"#,
        &[
            r#"3:37 `3` WH0503: `resources.memory.choose` takes a size in quotes, not a whole number | write it with its unit, such as "3GiB""#,
        ],
    );
    check(
        Template,
        r#"workbench = "rstudio"
[resources]
memory = { choose = ["4GiB", "8GiB"] }
request.memory = "6GiB"
"#,
        &[
            r#"4:18 `"6GiB"` 3:10 `{ choose = ["4GiB", "8GiB"] }` WH0506: `request.memory` is more than the limit `memory` | a session is never given more than its limit: lower the request, or raise the limit"#,
        ],
    );
    check(
        Template,
        r#"workbench = "rstudio"
[choices]
r-version = { form = "r-versions" }
x = { from = "y" }
"#,
        &[
            "3:15 `form` WH0502: unknown key `form` in `choices.r-version` | did you mean `from`?",
            r#"4:14 `"y"` WH0504: `choices.x.from` cannot be "y" | not one of the words for it | one of: r-versions"#,
        ],
    );
    check(
        Template,
        r#"workbench = "rstudio"
[allow]
max-per-user = 5
max-total = 2
[publish]
gateway = "lab"
port = 10001
"#,
        &[
            "3:16 `5` 4:13 `2` WH0506: one person may start more than all people together | lower `max-per-user`, or raise `max-total`",
            "7:8 `10001` 4:13 `2` WH0506: a fixed port can be held by one session only, but a template has many | leave `port` out: each session gets the first that is free, and keeps it",
        ],
    );
    check(
        Template,
        r#"workbench = "rstudio"
[allow]
max-per-user = 0
"#,
        &["3:16 `0` WH0504: bad value for `allow.max-per-user`: must be from 1 to 1000000"],
    );
}
