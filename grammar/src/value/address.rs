//! Addresses: host names, IP addresses, socket paths, networks.
//!
//! Which of them an option takes stands in the catalogue (`form`). Nothing is looked up: a name is good if it
//! could be one.

use std::net::{IpAddr, Ipv6Addr};

use super::ValueError;

/// What kind of address an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressForm {
    /// A host name or IP address, or `*` for all of this machine.
    Host,
    /// The same, a port behind `:` allowed.
    HostPort,
    /// A host name, IP address, or the absolute path of a Unix socket.
    HostOrSocket,
    /// An IP address, a network such as `10.0.0.0/8`, or `all`.
    Network,
    /// Whatever the product hands on unread (to libpq, to NSS): any text without blanks.
    Any,
}

impl AddressForm {
    /// What an option of this form takes, as messages say it.
    #[must_use]
    pub fn takes(self) -> &'static str {
        match self {
            AddressForm::Host => "a host name or an IP address",
            AddressForm::HostPort => "a host name or an IP address, with or without `:port`",
            AddressForm::HostOrSocket => "a host name, an IP address, or a socket's absolute path",
            AddressForm::Network => "an IP address, a network such as 10.0.0.0/8, or `all`",
            AddressForm::Any => "an address without blanks",
        }
    }
}

/// Reads an address. An empty text is allowed: it unsets the option.
///
/// # Errors
/// [`ValueError::AddressWithScheme`] or [`ValueError::NotAnAddress`].
pub fn parse_address(text: &str, form: AddressForm) -> Result<Box<str>, ValueError> {
    if text.contains("://") {
        return Err(ValueError::AddressWithScheme);
    }
    let fits = match form {
        AddressForm::Host => is_host(text),
        AddressForm::HostPort => is_host(text) || is_host_and_port(text),
        AddressForm::HostOrSocket => is_host(text) || is_socket(text),
        AddressForm::Network => is_network(text),
        AddressForm::Any => !text.chars().any(|c| c.is_whitespace() || c.is_control()),
    };
    if text.is_empty() || fits { Ok(text.into()) } else { Err(ValueError::NotAnAddress(form)) }
}

/// A name as DNS and `/etc/hosts` take it; underscores are wrong there and common all the same.
fn is_host(text: &str) -> bool {
    if text == "*" || is_ipv6(text) {
        return true;
    }
    let good = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && !text.starts_with(['.', '-']) && text.chars().all(good)
}

/// With or without brackets; a zone may follow (`fe80::1%eth0`).
fn is_ipv6(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = inner.split_once('%').map_or(inner, |(address, _)| address);
    address.parse::<Ipv6Addr>().is_ok()
}

fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let bracketed = host.starts_with('[');
    (is_host(host) && (bracketed || !host.contains(':')))
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_socket(text: &str) -> bool {
    text.starts_with('/') && !text.contains(char::is_control)
}

fn is_network(text: &str) -> bool {
    if text == "all" {
        return true;
    }
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most: u8 = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| {
        bits.bytes().all(|byte| byte.is_ascii_digit())
            && bits.parse::<u8>().is_ok_and(|bits| bits <= most)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(form: AddressForm, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(parse_address(text, form).is_ok(), "{form:?} {text}");
        }
        for text in bad {
            assert!(parse_address(text, form).is_err(), "{form:?} {text}");
        }
    }

    #[test]
    fn hosts_are_names_and_ip_addresses() {
        let good = [
            "",
            "localhost",
            "10.0.0.1",
            "::1",
            "[::1]",
            "fe80::1%eth0",
            "a_b.example",
            "*",
            "ü.de",
        ];
        let bad = ["local host", "host:80", "/run/socket", "http://host", "-x", ".x", "[::1"];
        check(AddressForm::Host, &good, &bad);
    }

    #[test]
    fn a_port_or_a_socket_stands_where_the_option_allows_it() {
        let good = ["node1", "node1:8787", "[::1]:80", "::1"];
        check(AddressForm::HostPort, &good, &["node1:", "node1:0", "node1:99999", "a:b:c"]);
        check(AddressForm::HostOrSocket, &["/run/a socket", "host"], &["run/socket", "host:5559"]);
        check(AddressForm::Any, &["unix:/run/a.socket", "a,b"], &["a b", "unix://a"]);
    }

    #[test]
    fn networks_have_as_many_bits_as_their_address() {
        let good = ["all", "10.0.0.1", "10.0.0.0/8", "2001:db8::/32"];
        check(AddressForm::Network, &good, &["10.0.0.0/33", "host", "10.0.0.0/", "10.0.0.0/+8"]);
    }

    #[test]
    fn a_url_in_place_of_an_address_is_named_as_such() {
        let error = parse_address("http://db", AddressForm::Any).expect_err("it has a scheme");
        assert_eq!(error, ValueError::AddressWithScheme);
    }
}
