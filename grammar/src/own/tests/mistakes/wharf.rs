//! Mistakes in `wharf.toml`.

use super::check;
use crate::own::OwnKind::Wharf;

#[test]
fn mistakes_in_wharf_toml_are_told_with_place_and_advice() {
    check(
        Wharf,
        "format = 2\n",
        &[
            "1:10 `2` WH0504: bad value for `format`: newer than this wharf reads (1) | update wharf, or write the file in the older format",
        ],
    );
    check(
        Wharf,
        r#"mode = "serv"
"#,
        &[
            r#"1:8 `"serv"` WH0504: `mode` cannot be "serv" | did you mean "serve"? | one of: observe, beside, serve"#,
        ],
    );
    check(
        Wharf,
        r#"instance = "My Site"
"#,
        &[
            r#"1:12 `"My Site"` WH0504: bad value for `instance`: it names cookies and directories: a-z, 0-9 and `-`, not first, at most 32"#,
        ],
    );
    check(
        Wharf,
        r#"mode = "serve"
[listen]
www-port = 18787
"#,
        &[
            r#"3:12 `18787` 1:8 `"serve"` WH0506: `listen.www-port` acts with mode = "beside" only | in mode "serve" www-port of rserver.conf is taken; set mode = "beside", or leave it out"#,
        ],
    );
    check(
        Wharf,
        r#"mode = "observe"
[listen]
www-port = 18787
[beside]
clusters = ["Local"]
"#,
        &[
            r#"3:12 `18787` 1:8 `"observe"` warning WH0506: `listen.www-port` acts with mode = "beside" only | in mode "serve" www-port of rserver.conf is taken; set mode = "beside", or leave it out"#,
            r#"4:1 `[beside]` 1:8 `"observe"` warning WH0506: [beside] acts with mode = "beside" only | set mode = "beside", or leave it out"#,
        ],
    );
    check(
        Wharf,
        "[listen]\nwww-port = 18787\n",
        &[
            r#"2:12 `18787` WH0506: `listen.www-port` acts with mode = "beside" only | in mode "serve" www-port of rserver.conf is taken; set mode = "beside", or leave it out"#,
        ],
    );
    check(
        Wharf,
        r#"[listen]
admin-socket = "admin.sock"
"#,
        &[
            r#"2:16 `"admin.sock"` WH0504: bad value for `listen.admin-socket`: a path from the root is needed, it begins with `/`"#,
        ],
    );
    check(
        Wharf,
        r#"mode = "serve"
[store]
url = "postgresql://u:p@h/d"
"#,
        &[
            r#"3:7 `"postgresql://u:p@h/d"` 1:8 `"serve"` WH0506: `store.url` does not act with mode = "serve": there database.conf names the database | write it into database.conf, and leave it out here"#,
        ],
    );
    check(
        Wharf,
        r#"[store]
path = "/s"
url = "mysql://u:p@h/d"
"#,
        &[
            r#"2:8 `"/s"` 3:7 `"mysql://u:p@h/d"` WH0506: `path` and `url` name two stores | keep `path` for one node, `url` for several"#,
            r#"3:7 `"mysql://u:p@h/d"` WH0504: bad value for `store.url`: no URL of a database that is understood | it begins with postgresql://"#,
        ],
    );
    check(
        Wharf,
        r#"[site]
poll = "10ms"
settle = { quiet = "9s", max = "5s" }
"#,
        &[
            r#"2:8 `"10ms"` WH0504: bad value for `site.poll`: less than 1s would only read files all the time"#,
            r#"3:20 `"9s"` 3:32 `"5s"` WH0506: `quiet` is 9s, but `max` decides after 5s | `max` is the end of all waiting: it must be the longest"#,
        ],
    );
    check(
        Wharf,
        r#"[policy]
concurrent-starts = 0
max-unavailable = 0
windows = ["Sun"]
"#,
        &[
            "2:21 `0` WH0504: bad value for `policy.concurrent-starts`: must be from 1 to 1000000",
            "3:19 `0` WH0504: bad value for `policy.max-unavailable`: must be from 1 to 1000000",
            r#"4:12 `"Sun"` WH0504: bad value for `policy.windows`: two times with `-` between are needed | write it like "Sun 02:00-05:00""#,
        ],
    );
    check(
        Wharf,
        r#"[policy]
concurrent-starts = "core"
back-off = { first = "9m", max = "5m" }
"#,
        &[
            r#"2:21 `"core"` WH0504: bad value for `policy.concurrent-starts`: neither "cores" nor a number"#,
            r#"3:22 `"9m"` 3:34 `"5m"` WH0506: the first wait (9m) is longer than the longest (5m) | lower `first`, or raise `max`"#,
        ],
    );
}

#[test]
fn mistakes_in_later_tables_of_wharf_toml_are_told_with_place_and_advice() {
    check(
        Wharf,
        r#"[accept]
codes = { WH412 = "x", WH0412 = "" }
"#,
        &[
            r#"2:11 `WH412` WH0504: `WH412` cannot be a name here: a code is WH and four digits | such as WH0412 = "reason""#,
            r#"2:33 `""` WH0504: bad value for `accept.codes.WH0412`: a value is needed here"#,
        ],
    );
    check(
        Wharf,
        r#"[clusters.Containers]
[clusters.K]
type = "kubernetes"
"#,
        &[
            "1:1 `[clusters.Containers]` WH0505: `clusters.Containers.type` is missing | it belongs in here",
            r#"3:8 `"kubernetes"` WH0504: `clusters.K.type` cannot be "kubernetes" | not one of the words for it | one of: podman"#,
        ],
    );
    check(
        Wharf,
        r#"[workbenches.marimo]
args = ["{SOKCET}"]
install = "pinned"
"#,
        &[
            "1:1 `[workbenches.marimo]` WH0505: `workbenches.marimo.exe` is missing | it belongs in here | name the program; only rstudio, jupyterlab, jupyter-notebook, vs-code have one",
            r#"1:1 `[workbenches.marimo]` WH0505: `workbenches.marimo.requirements` is missing | it belongs in here | install = "pinned" needs a file with exact versions"#,
            r#"2:9 `"{SOKCET}"` WH0504: bad value for `workbenches.marimo.args`: unknown placeholder {SOKCET} | did you mean {SOCKET}?"#,
        ],
    );
    check(
        Wharf,
        r#"[workbenches.rstudio]
requirements = "../r.txt"
"#,
        &[
            r#"2:16 `"../r.txt"` WH0504: bad value for `workbenches.rstudio.requirements`: a path below this file's directory is needed: no `/` first, no `..`"#,
        ],
    );
    check(
        Wharf,
        r#"[workbenches.rstudio]
requirements = "r.txt"
"#,
        &[
            r#"2:16 `"r.txt"` WH0506: `requirements` acts with install = "pinned" only | write install = "pinned", or leave `requirements` out"#,
        ],
    );
    check(
        Wharf,
        r#"[limits]
sessions-per-group = { students = "2" }
"#,
        &[
            r#"2:35 `"2"` WH0503: `limits.sessions-per-group.students` takes a whole number, not a string | write 2, no quotes"#,
        ],
    );
    check(
        Wharf,
        r#"cluster = "x"
"#,
        &[
            "1:1 `cluster` WH0502: `cluster` is a key of sessions.d, not of wharf.toml | write it into a file of sessions.d, or leave it out",
        ],
    );
}
