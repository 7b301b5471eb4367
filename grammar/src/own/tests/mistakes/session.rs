//! Mistakes in a session file.

use super::check;
use crate::own::OwnKind::Session;

#[test]
fn mistakes_in_a_session_file_are_told_with_place_and_advice() {
    check(
        Session,
        "",
        &[
            "WH0505: `workbench` is missing | name what is started: rstudio, jupyterlab, jupyter-notebook, vs-code, or a [workbenches.NAME] of wharf.toml",
        ],
    );
    check(
        Session,
        r#"workbench = "a b"
"#,
        &[
            r#"1:13 `"a b"` WH0504: bad value for `workbench`: a name has no blanks and no `/`, and does not begin with `-` or `.`"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[access]
working-dir = "/x"
"#,
        &[
            "3:1 `working-dir` WH0502: `working-dir` belongs at the top of the file | move it above the first [table]: below one, it is that table's key",
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
cpus = 2
"#,
        &["2:1 `cpus` WH0502: `cpus` belongs in [resources] | move it below [resources]"],
    );
    check(
        Session,
        r#"workbench = "rstudio"
description = "x"
"#,
        &[
            "2:1 `description` WH0502: `description` is a key of templates.d, not of sessions.d | write it into a file of templates.d, or leave it out",
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
memory_limit = "x"
"#,
        &[
            "2:1 `memory_limit` WH0502: unknown key `memory_limit` | the keys here are: workbench, display-name, user, cluster, state, restart, on-removal, working-dir, args, access, resources, env, health, idle, stop, update, publish, placement",
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[resources]
memory = { choose = ["4GiB"] }
"#,
        &[
            r#"3:10 `{ choose = ["4GiB"] }` WH0503: `resources.memory` takes a size in quotes, not a table | only a template (templates.d) can offer a choice: write one value"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[resources]
memory = { a = 1 }
"#,
        &["3:10 `{ a = 1 }` WH0503: `resources.memory` takes a size in quotes, not a table"],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[resources]
memory = "8GiB"
profile = "large"
request.memory = "9GiB"
"#,
        &[
            r#"4:11 `"large"` 3:10 `"8GiB"` WH0506: `profile` and `memory` both set the limit | keep one of them"#,
            r#"5:18 `"9GiB"` 3:10 `"8GiB"` WH0506: `request.memory` is more than the limit `memory` | a session is never given more than its limit: lower the request, or raise the limit"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
args = "--x"
"#,
        &[
            r#"2:8 `"--x"` WH0503: `args` takes a list, not a string | a list stands in brackets: ["...", "..."]"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
args = ["--x={USR}", 3, "{SOCKET}"]
"#,
        &[
            r#"2:9 `"--x={USR}"` WH0504: bad value for `args`: unknown placeholder {USR} | did you mean {USER}?"#,
            r#"2:22 `3` WH0503: `args` takes a string, not a whole number | write "3""#,
            r#"2:25 `"{SOCKET}"` WH0504: bad value for `args`: unknown placeholder {SOCKET} | {SOCKET} is filled in [workbenches.NAME] of wharf.toml only"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
working-dir = "scratch"
"#,
        &[
            r#"2:15 `"scratch"` WH0504: bad value for `working-dir`: a path from the root or from {HOME} is needed"#,
        ],
    );
}

#[test]
fn mistakes_in_tables_of_a_session_file_are_told_with_place_and_advice() {
    check(
        Session,
        r#"workbench = "rstudio"
[env]
1X = "a"
Y = 3
Z = "${USER}"
"#,
        &[
            "3:1 `1X` WH0504: `1X` cannot be a name here: a variable's name is letters, digits and `_`, no digit first",
            r#"4:5 `3` WH0503: `env.Y` takes a string, not a whole number | write "3""#,
            r#"5:5 `"${USER}"` WH0504: bad value for `env.Z`: no shell reads this, so variables are not filled in | write {USER}, without `$`"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[idle]
timeout = "0m"
"#,
        &[
            r#"3:11 `"0m"` WH0504: bad value for `idle.timeout`: would end it at once | for ever is "never""#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[idle]
timeout = 30
"#,
        &[
            r#"3:11 `30` WH0503: `idle.timeout` takes "never" or a duration, not a whole number | write it with its unit, such as "30s""#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[idle]
timeout = "never"
action = "stop"
"#,
        &[
            r#"4:10 `"stop"` 3:11 `"never"` warning WH0506: `action` has no effect: the session is never idle | leave `action` out, or give `timeout` a duration"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[stop]
signal = "TERM"
"#,
        &[
            r#"3:10 `"TERM"` WH0504: `stop.signal` cannot be "TERM" | not one of the words for it | one of: SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGKILL"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[update]
apply = "next-start"
window = "Sun 2-5"
"#,
        &[
            r#"4:10 `"Sun 2-5"` WH0504: bad value for `update.window`: times are 00:00 to 24:00, two digits each | write it like "Sun 02:00-05:00""#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[update]
apply = "next-start"
window = "Sun 02:00-05:00"
"#,
        &[
            r#"4:10 `"Sun 02:00-05:00"` 3:9 `"next-start"` warning WH0506: `window` has no effect: with apply = "next-start" nothing is restarted | leave `window` out, or write apply = "when-idle""#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[publish]
port = 70000
"#,
        &[
            "2:1 `[publish]` WH0505: `publish.gateway` is missing | it belongs in here",
            "3:8 `70000` WH0504: bad value for `publish.port`: must be from 1 to 65535",
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[publish]
gateway = "auto"
port = 7000
"#,
        &[
            r#"4:8 `7000` 3:11 `"auto"` WH0506: a fixed `port` needs a gateway: with gateway = "auto" any may be taken | name the gateway, or leave `port` out"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[placement]
nodes = []
"#,
        &[
            "3:9 `[]` WH0504: bad value for `placement.nodes`: an empty list: no node is allowed | leave it out to allow every node",
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[health]
path = "api"
"#,
        &[
            r#"3:8 `"api"` WH0504: bad value for `health.path`: a path of a URL is needed: it begins with `/` and has no blanks"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
user = "a:b"
state = "on"
"#,
        &[
            r#"2:8 `"a:b"` WH0504: bad value for `user`: no name of an account: no blanks, `:`, `/` or `,` in it"#,
            r#"3:9 `"on"` WH0504: `state` cannot be "on" | not one of the words for it | one of: running, suspended, stopped"#,
        ],
    );
}
