//! A file of `gateways.d`: a range of ports, each a fixed address of a session (product.md 4).

use std::net::IpAddr;

use serde_json::json;
use toml::de::DeValue;

use super::check::{absolute_path, any, public_address};
use super::leaf::{Count, Leaf, Wrong, text, words};
use super::range::{Cidr, PortRange};
use super::schema::{self, Schema};
use super::table::{Keys, Table};
use crate::value::{Bytes, Millis};

/// A gateway file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayFile {
    /// Where to listen.
    pub address: Option<IpAddr>,
    /// Its ports.
    pub port_range: PortRange,
    /// What URLs and lists print.
    pub public_address: Option<String>,
    /// What goes through it.
    pub protocol: Option<Protocol>,
    /// How connections to it are encrypted.
    pub tls: Option<Tls>,
    /// Whether a person must sign in.
    pub sign_in: Option<SignIn>,
    /// Who may connect; never an empty list.
    pub allow_from: Option<Vec<Cidr>>,
    /// How long a session keeps its port.
    pub lease: Option<Lease>,
    /// What is kept back while a session moves.
    pub hold: Option<Hold>,
    /// What happens when the file goes away.
    pub on_removal: Option<GatewayRemoval>,
}

words! {
    /// What goes through a gateway.
    Protocol {
        /// HTTP with WebSockets.
        Http = "http",
        /// Bytes.
        Tcp = "tcp",
    }
}

words! {
    /// Whether a person must sign in before a gateway lets them through.
    SignIn {
        /// Yes.
        Required = "required",
        /// No; only for `protocol = "tcp"`.
        Off = "off",
    }
}

words! {
    /// How long a session keeps its port.
    Lease {
        /// Until the session is removed.
        Session = "session",
        /// Until it stops.
        Run = "run",
    }
}

words! {
    /// What happens when a gateway's file goes away.
    GatewayRemoval {
        /// It stays while sessions are connected.
        Refuse = "refuse",
        /// They are disconnected.
        Disconnect = "disconnect",
    }
}

/// How connections to a gateway are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// With the site's certificate (`ssl-certificate` of `rserver.conf`).
    Server,
    /// Not.
    Off,
    /// With its own certificate.
    Own {
        /// The certificate's file, from the root.
        certificate: String,
        /// The key's file, from the root.
        key: String,
    },
}

/// The two words for [`Tls`]; the third form is a table.
struct TlsWord(Tls);

impl Leaf for TlsWord {
    const TAKES: &'static str = "\"server\", \"off\" or a table";

    fn schema() -> Schema {
        json!({ "enum": ["server", "off"] })
    }

    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        match text(value).map_err(|wrong| {
            wrong.or_write("write \"server\", \"off\" or { certificate = , key = }")
        })? {
            "server" => Ok(TlsWord(Tls::Server)),
            "off" => Ok(TlsWord(Tls::Off)),
            other => Err(Wrong::Word { given: other.to_owned(), words: &["server", "off"] }),
        }
    }
}

/// `hold`: what is kept back while a session moves or starts again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// So many requests.
    pub requests: Option<u32>,
    /// So much of their bodies.
    pub bytes: Option<Bytes>,
    /// So long.
    pub time: Option<Millis>,
}

impl Leaf for IpAddr {
    const TAKES: &'static str = "an IP address in quotes";

    fn schema() -> Schema {
        schema::text_like("^[0-9A-Fa-f:.]+$")
    }

    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        text(value)?.parse().map_err(|_| {
            Wrong::value("no IP address").or_write("such as \"0.0.0.0\", \"::\" or \"127.0.0.1\"")
        })
    }
}

static ROOT: Keys = Keys {
    at: "",
    names: &[
        "address",
        "port-range",
        "public-address",
        "protocol",
        "tls",
        "sign-in",
        "allow-from",
        "lease",
        "hold",
        "on-removal",
    ],
};

static TLS: Keys = Keys { at: "tls", names: &["certificate", "key"] };

static HOLD: Keys = Keys { at: "hold", names: &["requests", "bytes", "time"] };

pub(crate) static TABLES: &[&Keys] = &[&ROOT, &TLS, &HOLD];

/// Reads a gateway file's top level.
pub(crate) fn read(table: &mut Table<'_, '_>) -> Option<GatewayFile> {
    let address = table.take("address", any());
    table.must_have("port-range", "write it like port-range = \"10000-10100\"");
    let port_range = table.take("port-range", any());
    let public_address = table.take("public-address", public_address());
    let protocol = table.take("protocol", any());
    let tls = read_tls(table);
    let sign_in = table.take("sign-in", any());
    let allow_from = table.list("allow-from", any());
    if allow_from.as_ref().is_some_and(Vec::is_empty) {
        let advice = "leave it out to let everybody in, \"0.0.0.0/0\" and \"::/0\" say so too";
        table.refuse("allow-from", Wrong::value("an empty list lets nobody in").or_write(advice));
    }
    let lease = table.take("lease", any());
    let hold = table.sub("hold", &HOLD, |table| {
        Some(Hold {
            requests: table.take("requests", any()).map(|Count(most)| most),
            bytes: table.take("bytes", any()),
            time: table.take("time", any()),
        })
    });
    let on_removal = table.take("on-removal", any());
    // A protocol that could not be read is no reason to complain about `sign-in` as well.
    let is_tcp = protocol == Some(Protocol::Tcp) || (protocol.is_none() && table.has("protocol"));
    if sign_in == Some(SignIn::Off) && !is_tcp {
        table.contradiction(
            "sign-in = \"off\" is for protocol = \"tcp\" only: over HTTP anybody could open a session",
            &["sign-in", "protocol"],
            "leave `sign-in` out, or write protocol = \"tcp\"",
        );
    }
    Some(GatewayFile {
        address,
        port_range: port_range?,
        public_address,
        protocol,
        tls,
        sign_in,
        allow_from,
        lease,
        hold,
        on_removal,
    })
}

fn read_tls(table: &mut Table<'_, '_>) -> Option<Tls> {
    table.tell("tls", |reader| {
        schema::either([schema::leaf(any::<TlsWord>()), reader.tell(&TLS, read_own_tls)])
    });
    let item = table.item("tls")?;
    let path = table.path_of("tls");
    if !matches!(item.get_ref(), DeValue::Table(_)) {
        return table.reader().leaf::<TlsWord>(&path, item, any()).map(|TlsWord(tls)| tls);
    }
    table.reader().sub(path, item, &TLS, read_own_tls)
}

fn read_own_tls(table: &mut Table<'_, '_>) -> Option<Tls> {
    let certificate = table.need("certificate", absolute_path());
    let key = table.need("key", absolute_path());
    Some(Tls::Own { certificate: certificate?, key: key? })
}
