//! Whom a certificate stands for, and until when.
//!
//! Proves nothing: no signature is checked and no trust is given. Knows no file.

use std::net::{Ipv4Addr, Ipv6Addr};

use engine_core::facts::Certificate;
use engine_core::ids::Moment;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::Time;

/// Reads the first certificate of a PEM file, or one in DER.
///
/// # Errors
/// It is none: why, in words for a person.
pub(super) fn read(bytes: &[u8]) -> Result<Certificate, String> {
    let certificate = if bytes.starts_with(b"0") {
        x509_cert::Certificate::from_der(bytes).map_err(|error| error.to_string())?
    } else {
        let chain = x509_cert::Certificate::load_pem_chain(bytes);
        let chain = chain.map_err(|error| format!("no certificate in PEM: {error}"))?;
        chain.into_iter().next().ok_or("no certificate in PEM: there is none in it")?
    };
    let body = certificate.tbs_certificate();
    let validity = body.validity();
    let extension = body.get_extension::<SubjectAltName>().map_err(|error| error.to_string())?;
    let names = match extension {
        Some((_, names)) => names.0.iter().filter_map(shown).collect(),
        None => common_name(&body.subject().to_string()).into_iter().collect(),
    };
    Ok(Certificate {
        names,
        from: moment(&validity.not_before),
        until: moment(&validity.not_after),
    })
}

/// A name as people write it, if it is one of a machine.
fn shown(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
        GeneralName::IpAddress(bytes) => match *bytes.as_bytes() {
            [a, b, c, d] => Some(Ipv4Addr::new(a, b, c, d).to_string()),
            ref bytes => {
                let bytes: [u8; 16] = bytes.try_into().ok()?;
                Some(Ipv6Addr::from(bytes).to_string())
            }
        },
        _ => None,
    }
}

/// The common name of a subject such as `CN=host.example.org,O=Example`.
fn common_name(subject: &str) -> Option<String> {
    let parts = subject.split([',', '+']);
    let name = parts.map(str::trim).find_map(|part| part.strip_prefix("CN="))?;
    Some(name.to_ascii_lowercase())
}

fn moment(time: &Time) -> Moment {
    Moment(i64::try_from(time.to_unix_duration().as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For three names, two addresses and a person, until 2126 (`openssl req -x509 -addext subjectAltName=...`).
    const NAMED: &[u8] = b"-----BEGIN CERTIFICATE-----
MIICDTCCAbOgAwIBAgIUB5bFJYLZhjGlm1UreyetKcmRG1swCgYIKoZIzj0EAwIw
LzEbMBkGA1UEAwwSY29tbW9uLmV4YW1wbGUub3JnMRAwDgYDVQQKDAdFeGFtcGxl
MCAXDTI2MTEyNTIzNTMxM1oYDzIxMjYxMTAxMjM1MzEzWjAvMRswGQYDVQQDDBJj
b21tb24uZXhhbXBsZS5vcmcxEDAOBgNVBAoMB0V4YW1wbGUwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAARpA/PMnD2V019zrKkMRkTaSSOeYE9HmDktDH/WnNe4kwuS
AvaFoNPO+tCXAF7Vp37ykuUhmt2xP3gqjIkMipT2o4GqMIGnMB0GA1UdDgQWBBRK
EJ96frdKsg5+5gA2UM4RSTnJfDAfBgNVHSMEGDAWgBRKEJ96frdKsg5+5gA2UM4R
STnJfDAPBgNVHRMBAf8EBTADAQH/MFQGA1UdEQRNMEuCD1dXVy5leGFtcGxlLm9y
Z4IRKi5sYWIuZXhhbXBsZS5vcmeHBAoAAAGHEP0AAAAAAAAAAAAAAAAAAAGBDWFA
ZXhhbXBsZS5vcmcwCgYIKoZIzj0EAwIDSAAwRQIhANn/tQ/Ob1ivNKLoiV+LxPGE
EkdXOiQAhTu8WCPJCiurAiApK4AxGmn8J/RnyLU4jA2OPl+Hjd6+Y5Dv4kwctaf1
QQ==
-----END CERTIFICATE-----
";

    /// For its common name only, valid for one day.
    const UNNAMED: &[u8] = b"-----BEGIN CERTIFICATE-----
MIIBrzCCAVWgAwIBAgIUV7VTQafHVaAWh6sZDRcSMyoJRyEwCgYIKoZIzj0EAwIw
LTEQMA4GA1UECgwHRXhhbXBsZTEZMBcGA1UEAwwQT25seS5leGFtcGxlLm9yZzAe
Fw0yNjExMjUyMzUzMTNaFw0yNjExMjYyMzUzMTNaMC0xEDAOBgNVBAoMB0V4YW1w
bGUxGTAXBgNVBAMMEE9ubHkuZXhhbXBsZS5vcmcwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASIfE2EuvHP9+c/BDIwNLxoQbanEuxaVjLDj61zVQfU7XeW4epCZtJ0
J4mOoE8SaHh99HqpXs68xq71DB12lQ/Ro1MwUTAdBgNVHQ4EFgQU1n6t5S68R/h9
yB96RPnqOGUZZA4wHwYDVR0jBBgwFoAU1n6t5S68R/h9yB96RPnqOGUZZA4wDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiAUoirB69/czqcpjXjT9621
1OXhBU/wSFNjU2ZxgcEzegIhAMYPaGGJ+xjG/G31W75mrVBjJsc2UTS5jlKIXfxC
AO6i
-----END CERTIFICATE-----
";

    #[test]
    fn its_names_and_addresses_are_read_and_not_its_people() {
        let read = read(NAMED).unwrap();
        let names = ["www.example.org", "*.lab.example.org", "10.0.0.1", "fd00::1"];
        assert_eq!(read.names, names);
        assert_eq!((read.until.0 - read.from.0) / 86_400_000, 36_500);
    }

    #[test]
    fn the_common_name_counts_where_there_is_no_other() {
        let read = read(&[UNNAMED, NAMED].concat()).unwrap();
        assert_eq!(read.names, ["only.example.org"]);
        assert_eq!(read.until.0 - read.from.0, 86_400_000);
    }

    #[test]
    fn what_is_no_certificate_is_said_to_be_none() {
        for odd in [
            &b""[..],
            b"x",
            b"0\x03",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert!(read(odd).is_err(), "{odd:?}");
        }
        let key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(read(key).is_err());
    }
}
