//! Mistakes in a gateway file.

use super::check;
use crate::own::OwnKind::Gateway;

#[test]
fn mistakes_in_a_gateway_file_are_told_with_place_and_advice() {
    check(
        Gateway,
        "",
        &[r#"WH0505: `port-range` is missing | write it like port-range = "10000-10100""#],
    );
    check(
        Gateway,
        "port-range = 10000\n",
        &[
            r#"1:14 `10000` WH0503: `port-range` takes a range of ports in quotes, not a whole number | write it like "10000-10100""#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "10100-10000"
address = "localhost"
"#,
        &[
            r#"1:14 `"10100-10000"` WH0504: bad value for `port-range`: the first port is above the last | write it like "10000-10100""#,
            r#"2:11 `"localhost"` WH0504: bad value for `address`: no IP address | such as "0.0.0.0", "::" or "127.0.0.1""#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
sign-in = "off"
"#,
        &[
            r#"2:11 `"off"` WH0506: sign-in = "off" is for protocol = "tcp" only: over HTTP anybody could open a session | leave `sign-in` out, or write protocol = "tcp""#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
protocol = "http"
sign-in = "off"
"#,
        &[
            r#"3:11 `"off"` 2:12 `"http"` WH0506: sign-in = "off" is for protocol = "tcp" only: over HTTP anybody could open a session | leave `sign-in` out, or write protocol = "tcp""#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
protocol = "tpc"
sign-in = "off"
"#,
        &[
            r#"2:12 `"tpc"` WH0504: `protocol` cannot be "tpc" | did you mean "tcp"? | one of: http, tcp"#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
tls = { certificate = "c.pem" }
"#,
        &[
            r#"2:7 `{ certificate = "c.pem" }` WH0505: `tls.key` is missing | it belongs in here"#,
            r#"2:23 `"c.pem"` WH0504: bad value for `tls.certificate`: a path from the root is needed, it begins with `/`"#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
tls = "sever"
"#,
        &[
            r#"2:7 `"sever"` WH0504: `tls` cannot be "sever" | did you mean "server"? | one of: server, off"#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
tls = true
"#,
        &[
            r#"2:7 `true` WH0503: `tls` takes "server", "off" or a table, not true or false | write "server", "off" or { certificate = , key = }"#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
allow-from = []
"#,
        &[
            r#"2:14 `[]` WH0504: bad value for `allow-from`: an empty list lets nobody in | leave it out to let everybody in, "0.0.0.0/0" and "::/0" say so too"#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
allow-from = ["10.0.0.1/8", "x"]
"#,
        &[
            r#"2:15 `"10.0.0.1/8"` WH0504: bad value for `allow-from`: an address inside a range, not a range | write "10.0.0.0/8" for the range, or "10.0.0.1" for the one host"#,
            r#"2:29 `"x"` WH0504: bad value for `allow-from`: no IP address | write it like "10.0.0.0/8" or "2001:db8::/32""#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
public-address = "https://lab"
"#,
        &[
            r#"2:18 `"https://lab"` WH0504: bad value for `public-address`: only the host is needed, such as "lab.example.org""#,
        ],
    );
}

#[test]
fn mistakes_in_tables_of_a_gateway_file_are_told_with_place_and_advice() {
    check(
        Gateway,
        r#"port-range = "1-2"
hold = { requests = "many" }
"#,
        &[r#"2:21 `"many"` WH0503: `hold.requests` takes a whole number, not a string"#],
    );
}
