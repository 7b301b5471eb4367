//! Mistakes in a node file.

use super::check;
use crate::own::OwnKind::Node;

#[test]
fn mistakes_in_a_node_file_are_told_with_place_and_advice() {
    check(
        Node,
        "weight = 1\nwieght = 2\n",
        &["2:1 `wieght` WH0502: unknown key `wieght` | did you mean `weight`?"],
    );
    check(
        Node,
        r#"weight = "3"
"#,
        &[r#"1:10 `"3"` WH0503: `weight` takes a whole number, not a string | write 3, no quotes"#],
    );
    check(
        Node,
        r#"[drain]
reason = "a"
reason = "b"
"#,
        &[
            "3:1 `reason` 2:1 `reason` WH0501: `reason` is written twice | the second one | the first one | keep one of them",
        ],
    );
    check(
        Node,
        "weight = -1\n",
        &["1:10 `-1` WH0504: bad value for `weight`: must be from 0 to 1000000"],
    );
    check(
        Node,
        "weight = 9999999\n",
        &["1:10 `9999999` WH0504: bad value for `weight`: must be from 0 to 1000000"],
    );
    check(
        Node,
        "weight = 1.5\n",
        &["1:10 `1.5` WH0503: `weight` takes a whole number, not a number with a fraction"],
    );
    check(Node, "weight = 0x10\n", &[]);
    check(
        Node,
        r#"schedulable = "no"
"#,
        &[
            r#"1:15 `"no"` WH0503: `schedulable` takes true or false, not a string | write false, no quotes"#,
        ],
    );
    check(
        Node,
        "schedulable = 0\n",
        &["1:15 `0` WH0503: `schedulable` takes true or false, not a whole number | write false"],
    );
    check(
        Node,
        "drain = true\n",
        &[
            "1:9 `true` WH0503: `drain` takes a table, not true or false | its keys are: reason, deadline, at-deadline, notify, jobs",
        ],
    );
    check(
        Node,
        "[[drain]]\n",
        &[
            "1:1 `[[drain]]` WH0503: `drain` takes a table, not a list | there is one of it: write [drain], in single brackets",
        ],
    );
    check(
        Node,
        "schedulable = true\n[drain]\n",
        &[
            "1:15 `true` 2:1 `[drain]` WH0506: schedulable = true, but a node with [drain] takes no new sessions | remove [drain] to end the drain, or leave `schedulable` out",
        ],
    );
}

#[test]
fn mistakes_in_tables_of_a_node_file_are_told_with_place_and_advice() {
    check(
        Node,
        r#"[drain]
at-deadline = "stop"
"#,
        &[
            r#"2:15 `"stop"` warning WH0506: `at-deadline` has no effect: the drain has no deadline | write deadline = "2h", or leave it out"#,
        ],
    );
    check(
        Node,
        r#"[drain]
deadline = "20m"
notify = ["30m", "2m"]
"#,
        &[
            r#"3:10 `["30m", "2m"]` 2:12 `"20m"` warning WH0506: the notice of 30m comes too late: the deadline is 20m | notices are counted back from the deadline, so they must be shorter"#,
        ],
    );
    check(
        Node,
        "[drain]\ndeadline = 7200\n",
        &[
            r#"2:12 `7200` WH0503: `drain.deadline` takes a duration in quotes, not a whole number | write it with its unit, such as "7200s""#,
        ],
    );
    check(
        Node,
        r#"[drain]
deadline = "2 hours"
"#,
        &[
            r#"2:12 `"2 hours"` WH0504: bad value for `drain.deadline`: a unit is missing | units are: d, h, m, s, ms"#,
        ],
    );
    check(
        Node,
        r#"[drain]
deadline = "0s"
"#,
        &[r#"2:12 `"0s"` WH0504: bad value for `drain.deadline`: must be longer than nothing"#],
    );
    check(
        Node,
        r#"[drain]
jobs = "igonre"
"#,
        &[
            r#"2:8 `"igonre"` WH0504: `drain.jobs` cannot be "igonre" | did you mean "ignore"? | one of: wait, ignore, stop"#,
        ],
    );
    check(
        Node,
        r#"[drain]
jobs = "whatever"
"#,
        &[
            r#"2:8 `"whatever"` WH0504: `drain.jobs` cannot be "whatever" | not one of the words for it | one of: wait, ignore, stop"#,
        ],
    );
    check(
        Node,
        "[drain]\nweight = 2\n",
        &[
            "2:1 `weight` WH0502: `weight` belongs at the top of the file | move it above the first [table]: below one, it is that table's key",
        ],
    );
    check(
        Node,
        r#"port-range = "1-2"
"#,
        &[
            "1:1 `port-range` WH0502: `port-range` is a key of gateways.d, not of nodes.d | write it into a file of gateways.d, or leave it out",
        ],
    );
    check(
        Node,
        r#"labels = { gpu = 1, "a b" = "x" }
"#,
        &[
            r#"1:18 `1` WH0503: `labels.gpu` takes a string, not a whole number | write "1""#,
            r#"1:21 `"a b"` WH0504: `a b` cannot be a name here: a name has no blanks and no `/`, and does not begin with `-` or `.`"#,
        ],
    );
    check(
        Node,
        r#"reserve = { cpus = 0, memory = "4G" }
"#,
        &[
            "1:20 `0` WH0504: bad value for `reserve.cpus`: must be from 0.001 to 100000, with at most three decimals",
            r#"1:32 `"4G"` WH0504: bad value for `reserve.memory`: unknown unit | units are: B, KiB, MiB, GiB, TiB, KB, MB, GB, TB"#,
        ],
    );
    check(
        Node,
        "weight = 1\nweight = 2\n",
        &[
            "2:1 `weight` 1:1 `weight` WH0501: `weight` is written twice | the second one | the first one | keep one of them",
        ],
    );
}
